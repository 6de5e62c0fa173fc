//! The phases of a run, drawn to one scale.

use reveille_domain::records::{Phase, Phases};

use super::{
    terminal::{Terminal, Tone},
    times,
};

/// Wider bars tell no more.
const WIDEST: usize = 60;
/// The indent, the phase's name and the gap after it.
const BEFORE: usize = 2 + 8 + 2;
/// The gap before the time, and the longest time (`59m 59s`).
const AFTER: usize = 2 + 7;

/// A line for each phase that took place.
pub(crate) fn lines(terminal: &Terminal, phases: &Phases) -> Vec<String> {
    let named = [
        ("starting", phases.starting, Tone::Moving),
        ("queued", phases.queued, Tone::Quiet),
        ("running", phases.running, Tone::Good),
        ("stopping", phases.stopping, Tone::Moving),
    ];
    let all: Vec<_> = named.into_iter().filter_map(|(name, phase, tone)| Some((name, phase?, tone))).collect();
    let (Some(from), Some(to)) =
        (all.iter().map(|(_, phase, _)| phase.started_at).min(), all.iter().map(|(_, phase, _)| phase.ended_at).max())
    else {
        return Vec::new();
    };
    let whole = (to - from).as_seconds_f64().max(0.001);
    let width = terminal.width().saturating_sub(BEFORE + AFTER).min(WIDEST);
    let line = |(name, phase, tone): &(&str, Phase, Tone)| {
        let start = columns((phase.started_at - from).as_seconds_f64() / whole, width).min(width.saturating_sub(1));
        let end =
            columns((phase.ended_at - from).as_seconds_f64() / whole, width).clamp(start + 1, width.max(start + 1));
        let bar = terminal.paint(*tone, &"█".repeat(end - start));
        let rest = " ".repeat(width.saturating_sub(end));
        format!("  {name:<8}  {}{bar}{rest}  {}", " ".repeat(start), times::seconds(phase.seconds))
    };
    all.iter().map(line).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a cast saturates, and bars are short"
)]
fn columns(part: f64, width: usize) -> usize {
    (part * width as f64).round() as usize
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};
    use reveille_domain::records::{Phase, Phases};
    use unicode_width::UnicodeWidthStr;

    use super::lines;
    use crate::ui::terminal::Terminal;

    #[test]
    fn phases_follow_each_other_on_one_scale() {
        let from = Utc::now();
        let phase = |start, end| Some(Phase::between(from + TimeDelta::seconds(start), from + TimeDelta::seconds(end)));
        let phases = Phases { starting: phase(0, 30), queued: phase(30, 30), running: phase(30, 90), stopping: None };
        let lines = lines(&Terminal::plain(60), &phases);
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.width() <= 60), "{lines:#?}");
        let full = |line: &str| line.chars().filter(|sign| *sign == '█').count();
        assert_eq!((full(&lines[0]), full(&lines[1]), full(&lines[2])), (13, 1, 26), "{lines:#?}");
        assert!(super::lines(&Terminal::plain(60), &Phases::default()).is_empty());
    }
}
