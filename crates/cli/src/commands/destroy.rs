//! `reveille destroy`: deletes the stack. What still needs it is named first, and what it leaves at the end.

mod seen;

use seen::Seen;
use serde_json::json;

use super::{
    deploy::{standing::prepared_by_others, with_stack},
    stacks::{Agreement, Operation},
    stop::Stop,
};
use crate::{
    arguments::{DestroyArguments, Format},
    clients::{StackFacts, Stacks},
    error::CliError,
    exit::Exit,
    ui::{
        question,
        terminal::{Terminal, Tone},
        times,
    },
};

pub(crate) async fn run(terminal: &Terminal, arguments: &DestroyArguments) -> Result<Exit, CliError> {
    let is_json = arguments.format.output == Format::Json;
    Agreement::is_possible(arguments.yes, arguments.dry_run, is_json)?;
    let stacks = Stacks::of(&arguments.stack).await?;
    let stop = Stop::listening();
    let name = arguments.stack.stack.as_str();
    let stack = stacks.existing(name).await?;
    let plans = if stack.is_empty() { stacks.plans_of_others(&stack).await? } else { Vec::new() };
    can_be_deleted(&stack, &stacks.description(&stack).await?, &plans)?;
    terminal.passing(Tone::Moving, "  looking at what needs the stack");
    let seen = Seen::of(&stacks, &stack, arguments).await?;
    terminal.clear();
    if !is_json {
        seen.show(terminal, &stack, &stacks.region);
    }
    let objection = seen.objection(arguments.force);
    if arguments.dry_run && is_json {
        let mut answer = seen.as_json(&stack, &stack.status);
        answer["objection"] = json!(objection);
        Terminal::result(&answer);
    }
    if let Some(problem) = objection {
        return Err(CliError::NotNow(problem));
    }
    if arguments.dry_run {
        if !is_json {
            terminal.note("nothing was deleted (--dry-run)");
        }
        return Ok(Exit::Done);
    }
    agree(&stop, arguments, &stack).await?;
    if let Some(problem) = seen.objection_now(&stacks, arguments).await? {
        return Err(CliError::NotNow(format!("nothing was deleted: {problem}")));
    }
    delete(terminal, &stacks, &stop, &stack, &seen, is_json).await
}

/// # Errors
/// It is another stack than ours, or somebody protects or changes it.
fn can_be_deleted(stack: &StackFacts, description: &str, plans: &[String]) -> Result<(), CliError> {
    let StackFacts { name, status, .. } = stack;
    if !plans.is_empty() {
        return Err(prepared_by_others(name, plans));
    }
    let why = if !stack.is_empty() && !description.starts_with(super::deploy::standing::OURS) {
        format!("the stack {name} is not Reveille's: this command deletes no other; name another with --stack")
    } else if stack.is_moving() {
        format!(
            "the stack {name} is {status}: somebody is changing it; wait until that has ended: {}",
            with_stack("reveille deploy --follow", name)
        )
    } else if stack.is_protected {
        format!(
            "the stack {name} is protected from deletion; to lift that: aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name {name}"
        )
    } else {
        return Ok(());
    };
    Err(CliError::NotNow(why))
}

/// Whoever agrees types the stack's name: a yes is typed too soon.
async fn agree(stop: &Stop, arguments: &DestroyArguments, stack: &StackFacts) -> Result<(), CliError> {
    if arguments.yes {
        return if stop.is_asked() { Err(CliError::Interrupted) } else { Ok(()) };
    }
    let question = format!("To delete it, type the stack's name ({}):", stack.name);
    let typed = stop.unless_asked(move || question::typed(&question)).await;
    if typed.is_err() {
        // The cursor is behind the question.
        crate::ui::terminal::complain_in_lines("");
    }
    if typed?.is_some_and(|typed| typed.trim() == stack.name) {
        return Ok(());
    }
    Err(CliError::NotNow("nothing was deleted".to_owned()))
}

async fn delete(
    terminal: &Terminal,
    stacks: &Stacks,
    stop: &Stop,
    stack: &StackFacts,
    seen: &Seen,
    is_json: bool,
) -> Result<Exit, CliError> {
    let operation = Operation::deletion(stacks, stop, stack, Some(seen.deleted())).await?;
    // A deleted stack has no name any more.
    let again = format!("reveille deploy --follow --stack {}", stack.id);
    let ended = operation.follow(terminal, stacks, stop, !is_json, &again).await?;
    if !ended.is_well() {
        let again = with_stack("reveille destroy", &stack.name);
        return Err(CliError::NotNow(ended.problem("the deletion", &stack.name, &again)));
    }
    if is_json {
        let mut answer = seen.as_json(stack, &ended.status);
        answer["remains"] = json!(seen.remains());
        Terminal::result(&answer);
        return Ok(Exit::Done);
    }
    let took = times::duration(ended.took);
    terminal.marked(Tone::Good, "✓", &format!("{} is deleted after {took}", stack.name));
    for remains in seen.remains() {
        terminal.marked(Tone::Quiet, "-", &remains);
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::can_be_deleted;
    use crate::clients::StackFacts;

    #[test]
    fn another_stack_is_not_deleted_nor_one_that_is_held() {
        let stack =
            |status: &str| StackFacts { name: "mine".to_owned(), status: status.to_owned(), ..StackFacts::default() };
        let ours = "Reveille: runs notebooks";
        for status in
            ["CREATE_COMPLETE", "UPDATE_ROLLBACK_FAILED", "ROLLBACK_COMPLETE", "DELETE_FAILED", "REVIEW_IN_PROGRESS"]
        {
            assert!(can_be_deleted(&stack(status), ours, &[]).is_ok(), "{status}");
        }
        let protected = StackFacts { is_protected: true, ..stack("CREATE_COMPLETE") };
        for (stack, description, said) in [
            (stack("CREATE_COMPLETE"), "A database", "is not Reveille's"),
            (stack("CREATE_COMPLETE"), "", "is not Reveille's"),
            (stack("UPDATE_IN_PROGRESS"), ours, "reveille deploy --follow --stack mine"),
            (protected, ours, "--no-enable-termination-protection --stack-name mine"),
        ] {
            let error = can_be_deleted(&stack, description, &[]).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
