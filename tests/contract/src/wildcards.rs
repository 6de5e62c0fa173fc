//! IAM's wildcards. Owns what a pattern fits; never knows what it is a pattern of.

/// IAM's wildcards: any characters (a slash too), or any one.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => {
            (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| matches(&pattern[1..], &text[at..]))
        }
        Some(first) => text.chars().next().is_some_and(|given| {
            (first == given || first == '?') && matches(&pattern[first.len_utf8()..], &text[given.len_utf8()..])
        }),
    }
}

/// The same for an action: IAM's actions are case-insensitive ("IAM JSON policy elements: Action").
#[must_use]
pub fn action_matches(pattern: &str, action: &str) -> bool {
    matches(&pattern.to_ascii_lowercase(), &action.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn iams_wildcards() {
        for (pattern, text, fits) in [
            ("a/*/c", "a/b/b/c", true),
            ("a/*/c", "a/c", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*", "", true),
            ("a", "ab", false),
            ("ä*", "äöü", true),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }
}
