//! What a schedule broke, for a reader: what happened line by line, and a test to paste.

use std::collections::VecDeque;
use std::fmt::Write;

use crate::shrink::Shrunk;

/// Columns of the timeline.
const COLUMNS: usize = 140;
/// Lines of the timeline from its beginning, and from its end.
const FIRST: usize = 45;
const LAST: usize = 15;
/// A line that came within so many lines before says nothing new.
const NEAR: usize = 12;

/// The whole explanation.
#[must_use]
pub fn explain(shrunk: &Shrunk, timeline: &[String]) -> String {
    let mut text = String::new();
    let broken = &shrunk.broken;
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "The shortest schedule that breaks it ({} played): {}: {}",
        shrunk.plays, broken.guarantee, broken.what
    );
    for line in brief(timeline) {
        let _ = writeln!(text, "{line}");
    }
    let schedule = serde_json::to_string(&shrunk.schedule).unwrap_or_default();
    let guarantee = broken.guarantee.to_lowercase();
    let _ = writeln!(text, "\nAs a test (crates/simulation/tests/holes/main.rs):\n");
    let _ = writeln!(text, "#[test]\nfn a_schedule_that_broke_{guarantee}() {{");
    let _ = writeln!(text, "    hold(written(r#\"{schedule}\"#));\n}}");
    text
}

/// The timeline without what repeats itself and without records' bodies; its middle is left out where it is long.
fn brief(timeline: &[String]) -> Vec<String> {
    let mut near: VecDeque<String> = VecDeque::new();
    let mut lines = Vec::new();
    for line in timeline {
        let plain: String = line.chars().skip(16).filter(|letter| !letter.is_ascii_digit()).take(60).collect();
        let is_new = !near.contains(&plain);
        near.push_back(plain);
        if near.len() > NEAR {
            near.pop_front();
        }
        if is_new {
            lines.push(shown(line));
        }
    }
    if lines.len() > FIRST + LAST {
        let left_out = format!("             ... {} lines ...", lines.len() - FIRST - LAST);
        let rest = lines.split_off(lines.len() - LAST);
        lines.truncate(FIRST);
        lines.push(left_out);
        lines.extend(rest);
    }
    lines
}

/// A line, with the state in place of a lease's body.
fn shown(line: &str) -> String {
    let (head, body) = line.split_once(" {").unwrap_or((line, ""));
    let lease = serde_json::from_str::<serde_json::Value>(&format!("{{{body}")).unwrap_or_default();
    let state = lease["state"].as_str().map(|state| format!(" ({state})")).unwrap_or_default();
    format!("{head}{state}").chars().take(COLUMNS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_repeats_itself_is_shown_once() {
        let line = |second: u32, what: &str| format!("  0:00:{second:02}.000  {what}");
        let timeline =
            [line(1, "check_instance #1: sees nb-0 Pending"), line(9, "check_instance #2: sees nb-0 Pending")];
        assert_eq!(brief(&timeline), [timeline[0].clone()]);
        let lease = line(3, r#"runner: put leases/nb-0.json {"state":"open","nonce":"n"}"#);
        assert_eq!(shown(&lease), line(3, "runner: put leases/nb-0.json (open)"));
    }
}
