//! How the stack stands before a deployment and after one that failed: whether it takes a change at all, and what to do if not.

use crate::{
    clients::{StackFacts, Stacks},
    commands::{
        stacks::{Ended, Operation},
        stop::Stop,
    },
    error::CliError,
    ui::{question, terminal::Terminal},
};

/// How our template's description begins.
pub(in crate::commands) const OURS: &str = "Reveille: ";
/// How that of the stack of an instance does, which `attach` makes.
pub(in crate::commands) const OF_AN_INSTANCE: &str = "A notebook instance for Reveille";

/// How a person wants it.
#[derive(Clone, Copy, Debug)]
pub(in crate::commands) struct How {
    pub(in crate::commands) yes: bool,
    pub(in crate::commands) only_shows: bool,
    pub(in crate::commands) is_json: bool,
}

/// The stack before a deployment.
pub(in crate::commands) enum Standing {
    NotThere,
    Takes(StackFacts),
    /// What a first creation that failed left: it must go first.
    Remains(StackFacts),
}

/// What a stack that is there takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Changes,
    /// Nothing, and it has nothing: a first creation that failed.
    Nothing,
}

impl Standing {
    /// # Errors
    /// It is another stack than ours, or takes no change as it is.
    pub(in crate::commands) async fn of(stacks: &Stacks, (name, ours): (&str, &str)) -> Result<Self, CliError> {
        let Some(stack) = stacks.found(name).await? else { return Ok(Self::NotThere) };
        let plans = if stack.is_empty() { stacks.plans_of_others(&stack).await? } else { Vec::new() };
        Ok(match takes(&stack, &stacks.description(&stack).await?, &plans, ours)? {
            Takes::Changes => Self::Takes(stack),
            Takes::Nothing => Self::Remains(stack),
        })
    }

    /// The stack that is changed.
    pub(in crate::commands) fn before(&self) -> Option<&StackFacts> {
        match self {
            Self::Takes(stack) => Some(stack),
            Self::NotThere | Self::Remains(_) => None,
        }
    }

    /// Deletes what must go first, if a person agrees.
    ///
    /// # Errors
    /// They do not, or it cannot be deleted.
    pub(in crate::commands) async fn cleared(
        &self,
        terminal: &Terminal,
        stacks: &Stacks,
        stop: &Stop,
        how: How,
    ) -> Result<(), CliError> {
        let Self::Remains(stack) = self else { return Ok(()) };
        let StackFacts { name, status, .. } = stack;
        if how.only_shows {
            return Err(CliError::NotNow(format!(
                "the stack {name} is {status}, left by a first creation that failed, and must go before anything can be planned: aws cloudformation delete-stack --stack-name {name}"
            )));
        }
        terminal.clear();
        let question = format!(
            "The stack {name} is {status}, left by a first creation that failed. Nothing is in it. Delete it first?"
        );
        let agrees = how.yes || stop.unless_asked(move || question::yes(&question)).await? == Some(true);
        if !agrees {
            return Err(CliError::NotNow("nothing was changed".to_owned()));
        }
        delete(terminal, stacks, stop, stack, how).await
    }
}

/// After a first creation that failed: what it left takes no other deployment.
///
/// # Errors
/// It cannot be deleted.
pub(super) async fn offer_to_clear(
    terminal: &Terminal,
    stacks: &Stacks,
    stop: &Stop,
    operation: &Operation,
    ended: &Ended,
    how: How,
) -> Result<(), CliError> {
    // Without a person it stays: its events say what went wrong, and the next deployment deletes it.
    if ended.status != "ROLLBACK_COMPLETE" || how.yes || !question::can_be_answered() {
        return Ok(());
    }
    terminal.note(&ended.problem("the deployment", &operation.stack, &super::next_try(&operation.stack)));
    let question = format!("Delete what is left of {} now?", operation.stack);
    if stop.unless_asked(move || question::yes(&question)).await? == Some(true)
        && let Some(stack) = stacks.found(&operation.stack_id).await?
    {
        delete(terminal, stacks, stop, &stack, how).await?;
        return Err(CliError::NotNow(format!("{} was not made, and nothing of it is left", operation.stack)));
    }
    Ok(())
}

async fn delete(
    terminal: &Terminal,
    stacks: &Stacks,
    stop: &Stop,
    stack: &StackFacts,
    how: How,
) -> Result<(), CliError> {
    let operation = Operation::deletion(stacks, stop, stack, None).await?;
    // A deleted stack has no name any more.
    let again = super::with_stack("reveille deploy --follow", &stack.id);
    let ended = operation.follow(terminal, stacks, stop, !how.is_json, &again).await?;
    if ended.is_well() {
        return Ok(());
    }
    // It never was more than a creation that failed.
    let again = format!("aws cloudformation delete-stack --stack-name {}", stack.name);
    Err(CliError::NotNow(ended.problem("the deletion", &stack.name, &again)))
}

/// Why a stack that has nothing yet is not ours: others prepared it.
pub(in crate::commands) fn prepared_by_others(name: &str, plans: &[String]) -> CliError {
    CliError::NotNow(format!(
        "the stack {name} is not Reveille's: it has nothing yet, and somebody prepared it with another program, by the change set {}; ask them, or give another name with --stack",
        plans.join(", ")
    ))
}

/// # Errors
/// It is not ours, or takes no change now.
fn takes(stack: &StackFacts, description: &str, plans: &[String], ours: &str) -> Result<Takes, CliError> {
    let StackFacts { name, status, .. } = stack;
    if !plans.is_empty() {
        return Err(prepared_by_others(name, plans));
    }
    if !stack.is_empty() && !description.starts_with(ours) {
        return Err(CliError::NotNow(format!(
            "the stack {name} is not Reveille's: deploying over it would delete what it has; give another name with --stack"
        )));
    }
    let why = match status.as_str() {
        "ROLLBACK_COMPLETE" => return Ok(Takes::Nothing),
        _ if stack.is_moving() => {
            format!(
                "somebody is changing it; wait until that has ended: {}",
                super::with_stack("reveille deploy --follow", name)
            )
        }
        "UPDATE_ROLLBACK_FAILED" => format!(
            "an update failed and could not be rolled back; fix what its events say, then: aws cloudformation continue-update-rollback --stack-name {name}"
        ),
        // CloudFormation changes such a stack only with the rollback switched off again.
        "UPDATE_FAILED" => format!(
            "an update failed, with the rollback switched off; to go back to what it was: aws cloudformation rollback-stack --stack-name {name}"
        ),
        "IMPORT_ROLLBACK_FAILED" => format!(
            "an import failed and could not be rolled back; see what its events say: aws cloudformation describe-stack-events --stack-name {name}"
        ),
        "ROLLBACK_FAILED" | "CREATE_FAILED" | "DELETE_FAILED" => format!(
            "it must be deleted first: aws cloudformation delete-stack --stack-name {name} (its events say what could not be deleted)"
        ),
        _ => return Ok(Takes::Changes),
    };
    Err(CliError::NotNow(format!("the stack {name} is {status} and takes no change: {why}")))
}

#[cfg(test)]
mod tests {
    use super::{OURS, Takes, takes};
    use crate::clients::StackFacts;

    fn stack(status: &str) -> StackFacts {
        StackFacts { name: "mine".to_owned(), status: status.to_owned(), ..StackFacts::default() }
    }

    #[test]
    fn our_templates_describe_themselves_so() {
        let begins = |template: &str, ours: &str| template.contains(&format!("\nDescription: >-\n  {ours}"));
        assert!(begins(include_str!("../../../../../infra/template.yaml"), OURS));
        assert!(begins(crate::commands::attach::TEMPLATE, super::OF_AN_INSTANCE));
    }

    #[test]
    fn only_a_stack_of_ours_that_is_at_rest_takes_a_change() {
        for status in ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"] {
            assert_eq!(
                takes(&stack(status), "Reveille: runs notebooks", &[], OURS).unwrap(),
                Takes::Changes,
                "{status}"
            );
        }
        assert_eq!(takes(&stack("ROLLBACK_COMPLETE"), OURS, &[], OURS).unwrap(), Takes::Nothing);
        for (status, said) in [
            ("UPDATE_IN_PROGRESS", "reveille deploy --follow --stack mine"),
            ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "reveille deploy --follow --stack mine"),
            ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name mine"),
            ("UPDATE_FAILED", "rollback-stack --stack-name mine"),
            ("IMPORT_ROLLBACK_FAILED", "describe-stack-events --stack-name mine"),
            ("DELETE_FAILED", "delete-stack --stack-name mine"),
        ] {
            let error = takes(&stack(status), "Reveille: runs notebooks", &[], OURS).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        assert!(
            takes(&stack("CREATE_COMPLETE"), "A database", &[], OURS)
                .unwrap_err()
                .to_string()
                .contains("is not Reveille's")
        );
        // One that a change set made has no description yet.
        assert_eq!(takes(&stack("REVIEW_IN_PROGRESS"), "", &[], OURS).unwrap(), Takes::Changes);
    }
}
