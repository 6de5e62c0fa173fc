//! A question that a person answers, where there is one.

use std::io::{self, BufRead, IsTerminal, Write};

use super::terminal::in_lines;

/// Whether there is a person who can answer.
pub(crate) fn can_be_answered() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks, and says whether the answer was yes; `None` where nobody can answer. The question is on standard error, because standard output is an answer.
pub(crate) fn yes(question: &str) -> Option<bool> {
    typed(&format!("{question} [y/N]")).map(|answer| means_yes(&answer))
}

/// Asks, and gives what was typed; `None` where nobody can answer.
pub(crate) fn typed(question: &str) -> Option<String> {
    if !can_be_answered() {
        return None;
    }
    let mut errors = io::stderr();
    // There is nowhere to say that standard error is closed; then nobody saw the question either.
    write!(errors, "{} ", in_lines(question)).and_then(|()| errors.flush()).ok()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).ok()?;
    Some(answer)
}

fn means_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::means_yes;

    #[test]
    fn only_yes_is_yes() {
        assert!(["y\n", "Yes", " YES \n"].into_iter().all(means_yes));
        assert!(!["", "\n", "n", "no", "yeah, no", "j"].into_iter().any(means_yes));
    }
}
