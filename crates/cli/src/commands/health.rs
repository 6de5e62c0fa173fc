//! What keeps a trigger's runs from succeeding although it is on, as far as that is seen when it is listed or tested. Changes nothing.

use std::collections::BTreeSet;

use crate::{
    clients::Account,
    error::CliError,
    ui::terminal::{Terminal, Tone},
};

/// What is wrong with a trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ailment {
    /// It starts nothing.
    NoTarget,
    /// Its runs fail: the instance does not exist.
    NoInstance(String),
    /// It waits for runs on an instance that does not exist.
    NothingBefore(String),
}

impl Ailment {
    /// What a run of it comes to, as the reason why it is none.
    pub(super) fn why(&self) -> String {
        match self {
            Self::NoTarget => "it has no target".to_owned(),
            Self::NoInstance(instance) => {
                format!("there is no notebook instance {instance}, so the run would fail with InstanceNotFound")
            }
            Self::NothingBefore(instance) => {
                format!("there is no notebook instance {instance}, so the run that it waits for never happens")
            }
        }
    }

    /// The whole of it, and what to do. `verb` is the command for triggers of its kind, and `ours` says whether it removes this one.
    pub(super) fn sentence(&self, name: &str, verb: &str, ours: bool) -> String {
        let remove = if ours {
            format!("remove it: reveille {verb} remove {name}")
        } else {
            "remove it with the stack that made it".to_owned()
        };
        match self {
            Self::NoTarget => format!(
                "{name} has no target, so it starts nothing; make it again (`reveille {verb} add` with --name {name}), or {remove}"
            ),
            Self::NoInstance(instance) => format!(
                "{name}: there is no notebook instance {instance}, so each of its runs fails with InstanceNotFound; make the instance again, or {remove}"
            ),
            Self::NothingBefore(instance) => format!(
                "{name}: there is no notebook instance {instance}, so the run that it waits for never happens; make the instance again, or {remove}"
            ),
        }
    }
}

/// Those of these instances that do not exist. Whoever may not look is told, and sees the rest.
pub(super) async fn missing<'a>(
    terminal: &Terminal,
    account: &Account,
    names: impl Iterator<Item = &'a str>,
) -> Result<BTreeSet<String>, CliError> {
    match account.missing(names.collect()).await {
        Err(problem @ CliError::Refused { .. }) => {
            terminal.note(&format!("could not find out whether the instances exist: {problem}"));
            Ok(BTreeSet::new())
        }
        missing => missing,
    }
}

/// A trigger's state for a table, in a word that a narrow one has room for: what is wrong is said of one that is on.
pub(super) fn state(enabled: bool, ailment: Option<&Ailment>) -> (&'static str, Tone) {
    match ailment {
        Some(ailment) if enabled || *ailment == Ailment::NoTarget => ("broken", Tone::Bad),
        _ => super::trigger::state(enabled),
    }
}

#[cfg(test)]
mod tests {
    use super::{Ailment, state};

    #[test]
    fn a_trigger_that_can_start_nothing_is_not_on() {
        let gone = Ailment::NoInstance("nightly".to_owned());
        assert_eq!(state(true, None).0, "on");
        assert_eq!(state(true, Some(&gone)).0, "broken");
        assert_eq!(state(false, Some(&gone)).0, "paused");
        assert_eq!(state(false, Some(&Ailment::NoTarget)).0, "broken");
    }

    #[test]
    fn what_is_wrong_is_told_with_a_command_that_works() {
        for ailment in [Ailment::NoTarget, Ailment::NoInstance("n".to_owned()), Ailment::NothingBefore("n".to_owned())]
        {
            let ours = ailment.sentence("orders", "on-upload", true);
            assert!(ours.contains("reveille on-upload remove orders"), "{ours}");
            let theirs = ailment.sentence("orders", "on-upload", false);
            assert!(
                !theirs.contains("reveille on-upload remove") && theirs.contains("the stack that made it"),
                "{theirs}"
            );
        }
    }
}
