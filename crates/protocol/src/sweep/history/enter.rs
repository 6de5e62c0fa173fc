//! Entering one execution that ended.

use chrono::{DateTime, Utc};
use reveille_domain::history::Entry;
use reveille_domain::ports::{
    CallErrorKind, Clock, DescribeWholeExecution, ExecutionStatus, GetObject, ListObjects, PutObject,
};
use reveille_domain::{Failure, input};

use super::super::is_repeated;
use crate::last_attempt::last_attempt;
use crate::stack::Stack;
use crate::{history, own, store};

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looked {
    /// It is entered, or nothing of it is to be.
    Done,
    /// It has no outcome yet, and will have one.
    NotYet,
}

/// Why that is not known.
#[derive(Debug)]
pub enum NotEntered {
    /// Something about this run could not be read or written.
    Run(Failure),
    /// Nothing may be written into the history.
    History(Failure),
}

impl<E: Into<Failure>> From<E> for NotEntered {
    fn from(error: E) -> Self {
        Self::Run(error.into())
    }
}

/// Enters an execution that ended, if it has an outcome.
pub async fn enter_ended<P>(stack: &Stack, ports: &P, arn: &str) -> Result<Looked, NotEntered>
where
    P: Clock + GetObject + PutObject + ListObjects + DescribeWholeExecution,
{
    let Some(seen) = ports.describe_whole_execution(arn).await? else { return Ok(Looked::Done) };
    if seen.status == ExecutionStatus::Running {
        return Ok(Looked::Done);
    }
    let instance = input::instance_of(&seen.input);
    let at = last_attempt(stack, ports, &seen, instance.as_ref()).await?;
    // An engine may show another start time than its context object. Its runs are listed as far as Step Functions knows them.
    if at.run != seen.execution.run() {
        return Ok(Looked::Done);
    }
    let mut damaged = Vec::new();
    let outcome = store::or_evidence(own::outcome(&stack.layout, ports, &at, arn).await, &mut damaged)?;
    // An attempt that was repeated is not how the run ended.
    let Some(outcome) = outcome.filter(|outcome| !is_repeated(&at, &outcome.record, &seen)) else {
        // Something else in the outcome's place is nothing to be listed; and what succeeded without an outcome ran nothing.
        let is_over = !damaged.is_empty() || seen.status == ExecutionStatus::Succeeded;
        return Ok(if is_over { Looked::Done } else { Looked::NotYet });
    };
    let entry = Entry::of(&outcome.record, &at, seen.execution.start_time, &seen.input);
    if ports.list_objects(&entry.last_key(&stack.layout), 1).await?.is_empty() {
        let entered = history::enter(&stack.layout, ports, &entry, DateTime::<Utc>::MAX_UTC).await;
        entered.map_err(|error| match error.kind {
            CallErrorKind::AccessDenied => NotEntered::History(error.into()),
            CallErrorKind::Throttled | CallErrorKind::NoAnswer | CallErrorKind::Refused => error.into(),
        })?;
    }
    Ok(Looked::Done)
}
