//! Follows what CloudFormation does with a stack to its end. CloudFormation does not need it: whoever has seen enough leaves, and it goes on.

use std::{collections::BTreeSet, time::Duration};

use chrono::{Local, TimeDelta, Utc};
use tokio::time::sleep;

use crate::{
    clients::{Event, StackFacts, Stacks},
    commands::{follow::reader_gone, stop::Stop},
    error::{CliError, within},
    ui::{
        terminal::{Terminal, Tone},
        times,
    },
};

/// Between two looks: a call each, and CloudFormation takes seconds for a resource.
const LOOK: Duration = Duration::from_secs(1);

/// What CloudFormation is at work on.
pub(in crate::commands) struct Operation {
    pub(in crate::commands) stack: String,
    pub(in crate::commands) stack_id: String,
    /// The last event before it began.
    pub(in crate::commands) after: Option<String>,
    /// How many resources it is about, if that is known.
    pub(in crate::commands) total: Option<usize>,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) struct Ended {
    pub(in crate::commands) status: String,
    /// What failed first. What failed after it was cancelled because of it.
    pub(in crate::commands) failure: Option<Failure>,
    pub(in crate::commands) took: TimeDelta,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) struct Failure {
    pub(in crate::commands) resource: String,
    pub(in crate::commands) kind: String,
    pub(in crate::commands) status: String,
    pub(in crate::commands) reason: String,
}

impl Ended {
    /// Whether all was done that was asked for.
    pub(in crate::commands) fn is_well(&self) -> bool {
        matches!(self.status.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" | "DELETE_COMPLETE")
    }

    /// What failed, and what is left of the stack, as one message. `again` is the command that tries once more.
    pub(in crate::commands) fn problem(&self, what: &str, stack: &str, again: &str) -> String {
        let why = match &self.failure {
            Some(Failure { resource, kind, status, reason }) => {
                format!("{resource} ({kind}) is {status}: {}", within(reason))
            }
            None => "no resource failed, so somebody cancelled it".to_owned(),
        };
        format!("{what} failed. {why}. {}", left(&self.status, stack, again))
    }
}

/// What a stack is after something failed, and the next command. A deletion is next only where nothing can be lost that worked before: each such
/// status is named, and whatever CloudFormation says otherwise is to be looked at.
fn left(status: &str, stack: &str, again: &str) -> String {
    let aws = |verb: &str| format!("aws cloudformation {verb} --stack-name {stack}");
    let (what, next) = match status {
        "ROLLBACK_COMPLETE" => (
            "nothing of it is left but its name, which must go before the next try",
            format!("fix the cause, then {again} (it offers that), or {}", aws("delete-stack")),
        ),
        "CREATE_FAILED" | "ROLLBACK_FAILED" => (
            "its first creation failed, and what was made is still there",
            format!("{}, then fix the cause, then {again}", aws("delete-stack")),
        ),
        "UPDATE_ROLLBACK_COMPLETE" | "IMPORT_ROLLBACK_COMPLETE" => {
            ("all is as it was before", format!("fix the cause, then {again}"))
        }
        "UPDATE_FAILED" => (
            "it is half changed, because whoever changed it switched the rollback off",
            format!("{} (it goes back to what it was), then fix the cause, then {again}", aws("rollback-stack")),
        ),
        "UPDATE_ROLLBACK_FAILED" => (
            "it is half rolled back, and takes no change until that is completed",
            format!("{}, then {again}", aws("continue-update-rollback")),
        ),
        "DELETE_FAILED" => ("what could not be deleted is still in it", format!("fix the cause, then {again}")),
        _ => ("what that means for it, its events say", aws("describe-stack-events")),
    };
    format!("The stack {stack} is {status}: {what}. Next: {next}")
}

impl Operation {
    /// Begins to delete a stack, unless somebody ended the command meanwhile. `total`: how many resources go, if that is known.
    ///
    /// # Errors
    /// They did, or AWS refuses, or its answer is lost.
    pub(in crate::commands) async fn deletion(
        stacks: &Stacks,
        stop: &Stop,
        stack: &StackFacts,
        total: Option<usize>,
    ) -> Result<Self, CliError> {
        let after = stacks.newest_event(&stack.id).await?;
        if stop.is_asked() {
            return Err(CliError::Interrupted);
        }
        stacks.delete(stack).await?;
        Ok(Self { stack: stack.name.clone(), stack_id: stack.id.clone(), after, total })
    }

    /// What is under way on a stack, as its events tell.
    ///
    /// # Errors
    /// AWS refuses to say.
    pub(in crate::commands) async fn under_way(stacks: &Stacks, stack: &StackFacts) -> Result<Self, CliError> {
        let events = stacks.events(&stack.id, None).await?;
        let began = events.iter().rposition(is_begin).unwrap_or_default();
        let after = began.checked_sub(1).map(|before| events[before].id.clone());
        Ok(Self { stack: stack.name.clone(), stack_id: stack.id.clone(), after, total: None })
    }

    /// Follows it to its end, unless a person leaves. `again` is the command that comes back.
    ///
    /// # Errors
    /// A person left, or AWS does not answer any more.
    pub(in crate::commands) async fn follow(
        &self,
        terminal: &Terminal,
        stacks: &Stacks,
        stop: &Stop,
        tells: bool,
        again: &str,
    ) -> Result<Ended, CliError> {
        let ended = tokio::select! {
            biased;
            ended = self.to_the_end(terminal, stacks, tells) => ended,
            () = stop.asked() => {
                terminal.note(&format!("CloudFormation goes on with {}, and rolls it back by itself if something fails. Come back with: {again}", self.stack));
                return Err(CliError::Detached);
            }
            () = reader_gone() => return Err(CliError::Detached),
        };
        terminal.clear();
        ended.map_err(|error| CliError::Afterwards {
            done: format!("CloudFormation does not depend on this command and goes on with the stack {}", self.stack),
            error: Box::new(error),
            next: again.to_owned(),
        })
    }

    async fn to_the_end(&self, terminal: &Terminal, stacks: &Stacks, tells: bool) -> Result<Ended, CliError> {
        let began = Utc::now();
        let (mut after, mut done, mut failure, mut may_be_over) = (self.after.clone(), BTreeSet::new(), None, false);
        loop {
            let events = stacks.events(&self.stack_id, after.as_deref()).await?;
            if let Some(last) = events.last() {
                after = Some(last.id.clone());
            }
            for event in &events {
                if failure.is_none() {
                    failure = failed(event);
                }
                if event.status.ends_with("_COMPLETE") && !event.is_of_stack {
                    done.insert(event.resource.clone());
                }
                if tells {
                    self.tell(terminal, event, done.len(), Utc::now() - began);
                }
            }
            // The stack's own event may be of a part of the whole, as a failure is before it is rolled back; and its status may lag behind.
            may_be_over |= events.iter().any(|event| event.is_of_stack && is_end(&event.status));
            if may_be_over
                && let Some(stack) = stacks.found(&self.stack_id).await?
                && !stack.is_moving()
            {
                return Ok(Ended { status: stack.status, failure, took: Utc::now() - began });
            }
            sleep(LOOK).await;
        }
    }

    /// In place on a terminal, a line for each event on a pipe.
    fn tell(&self, terminal: &Terminal, event: &Event, done: usize, so_far: TimeDelta) {
        let kind = event.kind.strip_prefix("AWS::").unwrap_or(&event.kind);
        if terminal.moves() {
            let count = match self.total {
                Some(total) => format!("{} of {total}", done.min(total)),
                None => done.to_string(),
            };
            let clock = times::duration(so_far);
            terminal
                .passing(Tone::Moving, &format!("{clock:>8}  {count}  {} {}", event.resource, words(&event.status)));
            return;
        }
        let at = event.at.map(|at| at.with_timezone(&Local).format("%H:%M:%S").to_string()).unwrap_or_default();
        let reason = event.reason.as_deref().filter(|_| event.status.ends_with("FAILED"));
        let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        terminal.line(&format!("{at}  {:<28}  {kind:<28}  {}{reason}", event.status, event.resource));
    }
}

/// `CREATE_IN_PROGRESS` as a person says it.
fn words(status: &str) -> String {
    let lower = status.to_ascii_lowercase();
    let said = match lower.strip_suffix("_in_progress") {
        Some("create") => "is being made",
        Some("update") => "is being changed",
        Some("delete") => "is being deleted",
        Some(_) => "is being rolled back",
        None if lower.ends_with("_complete") => "is ready",
        None => return lower.replace('_', " "),
    };
    said.to_owned()
}

/// The event of a stack by which something begins that somebody asked for.
fn is_begin(event: &Event) -> bool {
    let asked = ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"];
    event.is_of_stack && asked.contains(&event.status.as_str())
}

fn is_end(status: &str) -> bool {
    status.ends_with("_COMPLETE") || status.ends_with("_FAILED")
}

/// What failed by itself. What is cancelled did so because something else failed.
fn failed(event: &Event) -> Option<Failure> {
    let reason = event.reason.clone().unwrap_or_else(|| "CloudFormation gives no reason".to_owned());
    let is_cause = event.status.ends_with("_FAILED") && !event.is_of_stack && !reason.contains("cancelled");
    is_cause.then(|| Failure {
        resource: event.resource.clone(),
        kind: event.kind.clone(),
        status: event.status.clone(),
        reason,
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::types::StackStatus;
    use chrono::TimeDelta;

    use super::{Ended, failed, is_begin, is_end, left, words};
    use crate::clients::Event;

    fn event(resource: &str, status: &str, reason: &str) -> Event {
        Event {
            id: resource.to_owned(),
            resource: resource.to_owned(),
            kind: "AWS::SQS::Queue".to_owned(),
            status: status.to_owned(),
            reason: (!reason.is_empty()).then(|| reason.to_owned()),
            at: None,
            is_of_stack: resource == "reveille",
        }
    }

    #[test]
    fn the_cause_is_named_and_not_what_was_cancelled_for_it() {
        let events = [
            event("reveille", "UPDATE_IN_PROGRESS", "User Initiated"),
            event("A", "CREATE_FAILED", "Resource creation cancelled"),
            event("B", "UPDATE_FAILED", "Resource handler returned message: \"no\" (Status Code: 400)."),
            event("C", "CREATE_FAILED", "Resource creation cancelled"),
            event("reveille", "UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [A, B]"),
        ];
        let failure = events.iter().find_map(failed).unwrap();
        assert_eq!(failure.resource, "B");
        let ended = Ended {
            status: "UPDATE_ROLLBACK_COMPLETE".to_owned(),
            failure: Some(failure),
            took: TimeDelta::seconds(1),
        };
        let problem = ended.problem("the deployment", "reveille", "reveille deploy --release ...");
        assert_eq!(
            problem,
            "the deployment failed. B (AWS::SQS::Queue) is UPDATE_FAILED: Resource handler returned message: \"no\" (Status Code: 400). \
             The stack reveille is UPDATE_ROLLBACK_COMPLETE: all is as it was before. Next: fix the cause, then reveille deploy --release ..."
        );
        assert!(is_begin(&events[0]) && !is_begin(&events[4]) && !is_begin(&events[1]));
    }

    #[test]
    fn each_end_has_a_next_command_that_the_stack_takes() {
        for (status, next) in [
            ("ROLLBACK_COMPLETE", "delete-stack --stack-name reveille-nightly"),
            ("ROLLBACK_FAILED", "delete-stack --stack-name reveille-nightly"),
            ("CREATE_FAILED", "delete-stack --stack-name reveille-nightly"),
            ("UPDATE_FAILED", "rollback-stack --stack-name reveille-nightly"),
            ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name reveille-nightly"),
            ("DELETE_FAILED", "fix the cause, then reveille attach nightly"),
        ] {
            let left = left(status, "reveille-nightly", "reveille attach nightly");
            assert!(left.contains(next) && left.contains("reveille attach nightly"), "{left}");
            // Not the commands of another kind of stack.
            assert!(!left.contains("reveille deploy") && !left.contains("reveille destroy"), "{left}");
            assert!(is_end(status));
        }
        assert!(!is_end("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"));
    }

    #[test]
    fn what_worked_before_is_never_to_be_deleted() {
        for status in StackStatus::values().iter().copied().chain(["A_LATER_ONE"]) {
            let never_worked = ["CREATE_FAILED", "ROLLBACK_FAILED", "ROLLBACK_COMPLETE"].contains(&status);
            let left = left(status, "mine", "reveille deploy --release ...");
            assert_eq!(left.contains("delete-stack"), never_worked, "{left}");
        }
    }

    #[test]
    fn a_status_is_said_in_words() {
        for (status, said) in [
            ("CREATE_IN_PROGRESS", "is being made"),
            ("UPDATE_ROLLBACK_IN_PROGRESS", "is being rolled back"),
            ("UPDATE_COMPLETE", "is ready"),
            ("CREATE_FAILED", "create failed"),
        ] {
            assert_eq!(words(status), said);
        }
    }
}
