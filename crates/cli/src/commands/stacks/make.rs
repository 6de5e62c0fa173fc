//! From a change set to its execution. What is made before somebody agrees is taken away again, however the command ends.

use super::{change, follow::Operation, parameters::Settings};
use crate::{
    clients::{Change, ChangeSet, NewChangeSet, Prepared, StackFacts, Stacks, TemplateAt},
    commands::stop::Stop,
    error::CliError,
    ui::{question, terminal::Terminal},
};

/// A change that is not made yet.
pub(in crate::commands) struct Plan<'a> {
    pub(in crate::commands) stacks: &'a Stacks,
    pub(in crate::commands) stop: &'a Stop,
    pub(in crate::commands) stack: &'a str,
    pub(in crate::commands) before: Option<&'a StackFacts>,
    pub(in crate::commands) template: TemplateAt,
    pub(in crate::commands) settings: &'a Settings,
    pub(in crate::commands) tags: Option<Vec<(String, String)>>,
}

/// One that CloudFormation has ready.
pub(in crate::commands) struct Planned {
    set: ChangeSet,
    made_the_stack: bool,
    stack: String,
    pub(in crate::commands) changes: Vec<Change>,
    /// What was done besides, for it, and stays if it is taken back.
    pub(in crate::commands) besides: Option<String>,
}

/// What somebody says to a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::commands) enum Agreement {
    Yes,
    No,
    /// Nobody was asked: the change is only to be shown.
    OnlyShow,
}

impl Agreement {
    /// Whether somebody can agree at all: before anything is made.
    ///
    /// # Errors
    /// Nobody can.
    pub(in crate::commands) fn is_possible(yes: bool, only_show: bool, is_json: bool) -> Result<(), CliError> {
        // A question would stand between the lines of an answer for a program.
        if yes || only_show || (question::can_be_answered() && !is_json) {
            return Ok(());
        }
        Err(CliError::Usage(
            "nobody can answer here, so nothing was changed; to go on without a question: --yes; to see the change only: --dry-run".to_owned(),
        ))
    }

    /// Asks, where that was not settled before.
    ///
    /// # Errors
    /// A person ends the command.
    pub(in crate::commands) async fn asked(
        stop: &Stop,
        yes: bool,
        only_show: bool,
        question: String,
    ) -> Result<Self, CliError> {
        if only_show {
            return Ok(Self::OnlyShow);
        }
        if yes {
            return if stop.is_asked() { Err(CliError::Interrupted) } else { Ok(Self::Yes) };
        }
        let answer = stop.unless_asked(move || question::yes(&question)).await;
        if answer.is_err() {
            // The cursor is behind the question.
            crate::ui::terminal::complain_in_lines("");
        }
        Ok(if answer? == Some(true) { Self::Yes } else { Self::No })
    }
}

impl Plan<'_> {
    /// Lets CloudFormation find out what changes; `None`: nothing.
    ///
    /// # Errors
    /// CloudFormation refuses it, or a person ends the command. The change set is gone then.
    pub(in crate::commands) async fn prepare(self) -> Result<Option<Planned>, CliError> {
        let new = NewChangeSet {
            stack: self.stack,
            is_new: self.before.is_none_or(StackFacts::is_empty),
            template: self.template,
            parameters: self.settings.given.clone(),
            tags: self.tags,
        };
        let set = self.stacks.make(new).await?;
        let mut planned = Planned {
            set,
            made_the_stack: self.before.is_none(),
            stack: self.stack.to_owned(),
            changes: Vec::new(),
            besides: None,
        };
        let prepared = match self.stacks.prepared(&planned.set).await {
            Ok(_) if self.stop.is_asked() => Err(CliError::Interrupted),
            Ok(Prepared::Failed(reason)) => Err(CliError::Asked {
                action: format!("prepare the change of the stack {}", self.stack).into(),
                message: reason,
            }),
            prepared => prepared,
        };
        match prepared {
            Ok(Prepared::Changes(changes)) => planned.changes = changes,
            Ok(_) => {
                planned.discard(self.stacks).await?;
                return Ok(None);
            }
            Err(error) => return Err(planned.undone(self.stacks, error).await),
        }
        Ok(Some(planned))
    }
}

impl Planned {
    pub(in crate::commands) fn show(&self, terminal: &Terminal) {
        change::show(terminal, &self.changes);
    }

    /// Takes it away again.
    ///
    /// # Errors
    /// AWS refuses: it stays, and changes nothing.
    pub(in crate::commands) async fn discard(&self, stacks: &Stacks) -> Result<(), CliError> {
        stacks.discard(&self.set, self.made_the_stack).await.map_err(|error| CliError::Afterwards {
            done: format!(
                "{}, and a change set that does nothing is left on the stack {}",
                self.untouched(),
                self.stack
            ),
            error: Box::new(error),
            next: format!("aws cloudformation delete-change-set --change-set-name {}", self.set.id),
        })
    }

    /// The same because something went wrong: what to say of both.
    pub(in crate::commands) async fn undone(&self, stacks: &Stacks, error: CliError) -> CliError {
        match self.discard(stacks).await {
            Ok(()) => CliError::Undone { error: Box::new(error), undone: self.untouched() },
            Err(left) => left,
        }
    }

    fn untouched(&self) -> String {
        match &self.besides {
            None => "nothing was changed".to_owned(),
            Some(besides) => format!("the stack {} was not changed, but {besides}", self.stack),
        }
    }

    /// Lets CloudFormation begin, unless somebody ended the command meanwhile.
    ///
    /// # Errors
    /// They did, or AWS refuses, or its answer is lost.
    pub(in crate::commands) async fn begin(self, stacks: &Stacks, stop: &Stop) -> Result<Operation, CliError> {
        let begun = async {
            let after = stacks.newest_event(&self.set.stack_id).await?;
            if stop.is_asked() {
                return Err(CliError::Interrupted);
            }
            stacks.execute(&self.set, &self.stack).await.map(|()| after)
        };
        let after = match begun.await {
            Ok(after) => after,
            // It may have begun.
            Err(error @ CliError::Unanswered { .. }) => return Err(error),
            Err(error) => return Err(self.undone(stacks, error).await),
        };
        Ok(Operation { stack: self.stack, stack_id: self.set.stack_id, after, total: Some(self.changes.len()) })
    }
}
