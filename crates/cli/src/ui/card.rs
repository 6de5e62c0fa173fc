//! The card of a failed run: which cell, which error, the end of the traceback.

use reveille_domain::Failure;

use crate::ui::terminal::{Terminal, Tone};
use crate::ui::text::{cut, wrap_quoted};

/// Wider lines are tiring to read.
const WIDEST: usize = 92;
/// The edge and a space.
const EDGE: usize = 2;

/// The lines of the card.
pub(crate) fn lines(terminal: &Terminal, failure: &Failure, kept: &str) -> Vec<String> {
    let edge = |text: &str| terminal.paint(Tone::Bad, text);
    let width = terminal.width().min(WIDEST);
    let inside = width.saturating_sub(EDGE);
    let title = format!("╭─ {} ", failure.code);
    let rule = "─".repeat(width.saturating_sub(title.chars().count()));
    let mut lines = vec![edge(&format!("{title}{rule}"))];
    let mut add = |tone: Tone, text: &str| {
        let gap = if text.is_empty() { "" } else { " " };
        lines.push(format!("{}{gap}{}", edge("│"), terminal.paint(tone, text)));
    };
    for line in wrap_quoted(&failure.message, inside) {
        add(Tone::Plain, &line);
    }
    if let Some(cell) = failure.evidence.as_ref().and_then(|evidence| evidence.cell.as_ref()) {
        add(Tone::Plain, "");
        add(Tone::Strong, &cut(&format!("cell {}   {}: {}", cell.number, cell.error_name, cell.error_value), inside));
        for line in cell.traceback_tail.iter().flat_map(|text| text.lines()) {
            add(Tone::Quiet, &cut(line, inside));
        }
    }
    add(Tone::Plain, "");
    for line in wrap_quoted(&format!("kept: {kept}"), inside) {
        add(Tone::Plain, &line);
    }
    lines.push(edge(&format!("╰{}", "─".repeat(width.saturating_sub(1)))));
    lines
}

#[cfg(test)]
mod tests {
    use reveille_domain::{Code, Failure};
    use unicode_width::UnicodeWidthStr;

    use super::lines;
    use crate::ui::terminal::Terminal;

    #[test]
    fn a_card_fits_its_terminal() {
        let failure = Failure::new(Code::Internal, "word ".repeat(60) + &"x".repeat(300));
        for (width, widest) in [(60, 60), (80, 80), (200, 92)] {
            let lines = lines(&Terminal::plain(width), &failure, "claim.json in /a/folder");
            let widths = lines.iter().map(|line| line.width()).max();
            assert_eq!(widths, Some(widest), "{lines:#?}");
        }
    }
}
