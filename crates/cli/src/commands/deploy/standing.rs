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

/// How a person wants it.
#[derive(Clone, Copy, Debug)]
pub(in crate::commands) struct How {
    pub(in crate::commands) yes: bool,
    pub(in crate::commands) only_shows: bool,
    pub(in crate::commands) is_json: bool,
}

/// What a stack that is there takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Changes,
    /// Nothing, and it has nothing: a first creation that failed.
    Nothing,
}

/// The stack as it is, ready to be changed; `None`: there is none.
///
/// # Errors
/// It is another stack than ours, or takes no change as it is.
pub(in crate::commands) async fn settled(
    terminal: &Terminal,
    stacks: &Stacks,
    stop: &Stop,
    (name, ours): (&str, &str),
    how: How,
) -> Result<Option<StackFacts>, CliError> {
    let Some(stack) = stacks.found(name).await? else { return Ok(None) };
    if takes(&stack, &stacks.description(&stack).await?, ours)? == Takes::Changes {
        return Ok(Some(stack));
    }
    let name = &stack.name;
    if how.only_shows {
        return Err(CliError::NotNow(format!(
            "the stack {name} is {}, left by a first creation that failed, and must go before anything can be planned: aws cloudformation delete-stack --stack-name {name}",
            stack.status
        )));
    }
    let question = format!(
        "The stack {name} is {}, left by a first creation that failed. Nothing is in it. Delete it first?",
        stack.status
    );
    let agrees = how.yes || stop.unless_asked(move || question::yes(&question)).await? == Some(true);
    if !agrees {
        return Err(CliError::NotNow("nothing was changed".to_owned()));
    }
    delete(terminal, stacks, stop, &stack, how).await?;
    Ok(None)
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
    terminal.note(&ended.problem("the deployment", &operation.stack));
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
    let after = stacks.newest_event(&stack.id).await?;
    stacks.delete(stack).await?;
    let operation = Operation { stack: stack.name.clone(), stack_id: stack.id.clone(), after, total: None };
    let again = super::with_stack("reveille deploy --follow", &stack.name);
    let ended = operation.follow(terminal, stacks, stop, !how.is_json, &again).await?;
    if ended.is_well() {
        return Ok(());
    }
    Err(CliError::NotNow(ended.problem("the deletion", &stack.name)))
}

/// # Errors
/// It is not ours, or takes no change now.
fn takes(stack: &StackFacts, description: &str, ours: &str) -> Result<Takes, CliError> {
    let StackFacts { name, status, .. } = stack;
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
        assert!(begins(crate::commands::attach::TEMPLATE, crate::commands::attach::OURS));
    }

    #[test]
    fn only_a_stack_of_ours_that_is_at_rest_takes_a_change() {
        for status in ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"] {
            assert_eq!(takes(&stack(status), "Reveille: runs notebooks", OURS).unwrap(), Takes::Changes, "{status}");
        }
        assert_eq!(takes(&stack("ROLLBACK_COMPLETE"), OURS, OURS).unwrap(), Takes::Nothing);
        for (status, said) in [
            ("UPDATE_IN_PROGRESS", "reveille deploy --follow --stack mine"),
            ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "reveille deploy --follow --stack mine"),
            ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name mine"),
            ("DELETE_FAILED", "delete-stack --stack-name mine"),
        ] {
            let error = takes(&stack(status), "Reveille: runs notebooks", OURS).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        assert!(
            takes(&stack("CREATE_COMPLETE"), "A database", OURS).unwrap_err().to_string().contains("is not Reveille's")
        );
        // One that a change set made has no description yet.
        assert_eq!(takes(&stack("REVIEW_IN_PROGRESS"), "", OURS).unwrap(), Takes::Changes);
    }
}
