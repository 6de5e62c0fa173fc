//! HTML that is small and safe: whatever comes from outside goes through `text`.

use reveille_domain::shown;

/// A text on one line, as HTML shows it: nothing in it is markup, ends an attribute or moves other text.
pub(super) fn text(text: &str) -> String {
    escaped(&shown::line(text))
}

/// The same with its lines.
pub(super) fn lines(text: &str) -> String {
    escaped(&shown::plain(text))
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(character),
        }
    }
    safe
}

/// A number and what it counts.
pub(super) fn count(number: usize, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

/// Hundredths of a whole, in whole ones.
pub(super) fn percent(part: f64, whole: f64) -> u8 {
    let share = if whole > 0.0 { part / whole * 100.0 } else { 0.0 };
    // A share that is no number is none.
    (0..=100).rev().find(|percent| share >= f64::from(*percent)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{count, lines, percent, text};

    #[test]
    fn nothing_from_outside_is_markup() {
        assert_eq!(
            text("<img src=x onerror='a'>\u{202e}&\"\n b"),
            "&lt;img src=x onerror=&#39;a&#39;&gt;&amp;&quot; b"
        );
        assert_eq!(lines("a\n<b>\u{1b}[2J"), "a\n&lt;b&gt;");
    }

    #[test]
    fn shares_are_whole_and_within_bounds() {
        let shares = [(1.0, 3.0), (0.0, 3.0), (4.0, 3.0), (1.0, 0.0), (f64::NAN, 1.0), (-1.0, 1.0)];
        assert_eq!(shares.map(|(part, whole)| percent(part, whole)), [33, 0, 100, 0, 0, 0]);
        assert_eq!((count(1, "run", "runs"), count(0, "run", "runs")), ("1 run".to_owned(), "0 runs".to_owned()));
    }
}
