//! The card of a failed run: which cell, which error, the end of the traceback.

use reveille_domain::Failure;

use crate::terminal::{Terminal, Tone};

const WIDTH: usize = 92;

/// The lines of the card.
pub(crate) fn lines(terminal: &Terminal, failure: &Failure, kept: &str) -> Vec<String> {
    let edge = |text: &str| terminal.paint(Tone::Bad, text);
    let title = format!("╭─ {} ", failure.code);
    let rule = "─".repeat(WIDTH.saturating_sub(title.chars().count()));
    let mut lines = vec![edge(&format!("{title}{rule}"))];
    let mut add = |tone: Tone, text: &str| lines.push(format!("{} {}", edge("│"), terminal.paint(tone, text)));
    for line in wrap(failure.message.lines().next().unwrap_or_default(), WIDTH - 2) {
        add(Tone::Plain, &line);
    }
    if let Some(cell) = failure.evidence.as_ref().and_then(|evidence| evidence.cell.as_ref()) {
        add(Tone::Plain, "");
        add(Tone::Strong, &cut(&format!("cell {}   {}: {}", cell.number, cell.error_name, cell.error_value)));
        for line in cell.traceback_tail.iter().flat_map(|text| text.lines()) {
            add(Tone::Quiet, &cut(line));
        }
    }
    add(Tone::Plain, "");
    for line in wrap(&format!("kept: {kept}"), WIDTH - 2) {
        add(Tone::Plain, &line);
    }
    lines.push(edge(&format!("╰{}", "─".repeat(WIDTH - 1))));
    lines
}

/// The first line, as far as the card is wide.
fn cut(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() < WIDTH {
        return line.to_owned();
    }
    line.chars().take(WIDTH - 2).chain(['…']).collect()
}

/// Breaks a sentence between words.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{WIDTH, cut, wrap};

    #[test]
    fn long_lines_are_cut_between_characters() {
        assert_eq!(cut("é\nx"), "é");
        assert_eq!(cut(&"é".repeat(200)).chars().count(), WIDTH - 1);
    }

    #[test]
    fn sentences_break_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("unbreakable", 3), ["unbreakable"]);
        assert!(wrap("", 10).is_empty());
    }
}
