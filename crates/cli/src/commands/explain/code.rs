//! The page of an error code, out of the command itself.

use reveille_domain::Code;
use serde_json::{Value, json};

use crate::ui::terminal::{Terminal, Tone};

/// A code by the name that a person types.
pub(super) fn named(name: &str) -> Option<Code> {
    Code::ALL.into_iter().find(|code| code.as_str().eq_ignore_ascii_case(name))
}

/// All codes, with the first sentence of each page.
pub(super) fn list(terminal: &Terminal) {
    for code in Code::ALL {
        terminal.marked(Tone::Strong, &format!("{:<22} ", code.as_str()), &about(code));
    }
}

/// The first paragraph of a code's page, without its links and emphasis.
pub(super) fn about(code: Code) -> String {
    let first = page(code).lines().find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default();
    without_links(first).replace('*', "")
}

/// A code's page for a terminal, which opens no link to another page.
pub(super) fn on_terminal(code: Code) -> String {
    without_links(page(code))
}

/// Markdown with the words of its links, and without where they lead.
fn without_links(text: &str) -> String {
    let (mut kept, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once('[') {
        kept.push_str(before);
        match after.split_once("](").and_then(|(words, more)| Some((words, more.split_once(')')?.1))) {
            Some((words, more)) if !words.contains(['[', ']', '\n']) => {
                kept.push_str(words);
                rest = more;
            }
            _ => {
                kept.push('[');
                rest = after;
            }
        }
    }
    kept + rest
}

/// The list for a program, without the pages.
pub(super) fn all() -> Value {
    Code::ALL.into_iter().map(|code| json!({"code": code.as_str(), "about": about(code)})).collect()
}

pub(super) fn as_json(code: Code) -> Value {
    json!({"code": code.as_str(), "about": about(code), "page": page(code)})
}

/// The code's page in docs/errors.
pub(super) const fn page(code: Code) -> &'static str {
    match code {
        Code::InvalidRequest => include_str!("../../../../../docs/errors/InvalidRequest.md"),
        Code::InstanceNotFound => include_str!("../../../../../docs/errors/InstanceNotFound.md"),
        Code::InstanceUnavailable => include_str!("../../../../../docs/errors/InstanceUnavailable.md"),
        Code::LifecycleConfigMissing => include_str!("../../../../../docs/errors/LifecycleConfigMissing.md"),
        Code::QuotaExceeded => include_str!("../../../../../docs/errors/QuotaExceeded.md"),
        Code::CapacityUnavailable => include_str!("../../../../../docs/errors/CapacityUnavailable.md"),
        Code::LifecycleFailed => include_str!("../../../../../docs/errors/LifecycleFailed.md"),
        Code::StartNotConfirmed => include_str!("../../../../../docs/errors/StartNotConfirmed.md"),
        Code::Busy => include_str!("../../../../../docs/errors/Busy.md"),
        Code::QueueTimedOut => include_str!("../../../../../docs/errors/QueueTimedOut.md"),
        Code::RunnerSilent => include_str!("../../../../../docs/errors/RunnerSilent.md"),
        Code::RunnerLost => include_str!("../../../../../docs/errors/RunnerLost.md"),
        Code::NotebookNotFound => include_str!("../../../../../docs/errors/NotebookNotFound.md"),
        Code::KernelNotFound => include_str!("../../../../../docs/errors/KernelNotFound.md"),
        Code::NotebookFailed => include_str!("../../../../../docs/errors/NotebookFailed.md"),
        Code::KernelDied => include_str!("../../../../../docs/errors/KernelDied.md"),
        Code::RunTimedOut => include_str!("../../../../../docs/errors/RunTimedOut.md"),
        Code::OutputNotSaved => include_str!("../../../../../docs/errors/OutputNotSaved.md"),
        Code::StopNotConfirmed => include_str!("../../../../../docs/errors/StopNotConfirmed.md"),
        Code::Cancelled => include_str!("../../../../../docs/errors/Cancelled.md"),
        Code::AccessDenied => include_str!("../../../../../docs/errors/AccessDenied.md"),
        Code::Throttled => include_str!("../../../../../docs/errors/Throttled.md"),
        Code::ServiceUnavailable => include_str!("../../../../../docs/errors/ServiceUnavailable.md"),
        Code::OutcomeNotRecorded => include_str!("../../../../../docs/errors/OutcomeNotRecorded.md"),
        Code::Internal => include_str!("../../../../../docs/errors/Internal.md"),
    }
}

#[cfg(test)]
mod tests {
    use reveille_domain::Code;

    use super::{about, on_terminal, page, without_links};

    #[test]
    fn each_code_has_its_own_page() {
        for code in Code::ALL {
            assert!(page(code).starts_with(&format!("# {code}")), "{code}");
        }
    }

    /// A person at a terminal reads words, and no Markdown that leads nowhere.
    #[test]
    fn what_is_shown_has_no_links() {
        assert_eq!(
            without_links("see [below](#x), `Cell In[7]` and [a]: [b](c.md)"),
            "see below, `Cell In[7]` and [a]: b"
        );
        for code in Code::ALL {
            assert!(!on_terminal(code).contains("]("), "{code}");
            assert!(!about(code).contains(['*', '[']), "{}", about(code));
        }
    }
}
