//! A fact with its label: the value goes on beside the label where it is wider than the terminal.

use super::{
    terminal::{Terminal, Tone},
    text::wrap,
};

/// The lines of a value, indented, the label before the first. Labels of one screen have one width.
pub(crate) fn lines(terminal: &Terminal, width: usize, label: &str, value: &str) -> Vec<String> {
    let room = terminal.width().saturating_sub(width + 2).max(1);
    let lines = wrap(value, room);
    let label = terminal.paint(Tone::Quiet, &format!("{label:<width$}"));
    let first = lines.first().cloned().unwrap_or_default();
    let more = lines.iter().skip(1).map(|line| format!("  {:width$}{line}", ""));
    std::iter::once(format!("  {label}{first}")).chain(more).collect()
}

#[cfg(test)]
mod tests {
    use super::lines;
    use crate::ui::terminal::Terminal;

    #[test]
    fn a_value_goes_on_beside_its_label() {
        assert_eq!(lines(&Terminal::plain(20), 7, "files", "s3://in/a b"), ["  files  s3://in/a b"]);
        assert_eq!(lines(&Terminal::plain(18), 7, "why", "one two three"), ["  why    one two", "         three"]);
        assert_eq!(lines(&Terminal::plain(18), 7, "why", ""), ["  why    "]);
    }
}
