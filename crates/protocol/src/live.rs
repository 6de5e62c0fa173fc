//! Which other runs hold an instance: in its inbox, without a report, and their execution running.

use reveille_domain::layout::AttemptRef;
use reveille_domain::limits::MAX_INBOX;
use reveille_domain::ports::{DescribeExecution, GetObject, ListObjects};
use reveille_domain::records::{Report, Ticket};
use reveille_domain::{InstanceName, RunId};

use crate::stack::Stack;
use crate::store::{self, StoreError};

/// Counts the live runs other than `me`, and stops at the first when `enough` is reached.
///
/// # Errors
/// The first call's failure.
pub async fn others<P>(
    stack: &Stack,
    ports: &P,
    instance: &InstanceName,
    me: Option<&RunId>,
    enough: usize,
) -> Result<usize, StoreError>
where
    P: ListObjects + GetObject + DescribeExecution,
{
    let mut live = 0;
    for key in ports.list_objects(&stack.layout.inbox(instance), MAX_INBOX).await? {
        if live >= enough {
            break;
        }
        let ticket = match store::read::<Ticket>(ports, &key).await {
            Ok(Some(ticket)) => ticket.record,
            // What is no ticket is no run.
            Ok(None) | Err(StoreError::Unreadable(_)) => continue,
            Err(error @ (StoreError::Call(_) | StoreError::Contended { .. })) => return Err(error),
        };
        if me == Some(&ticket.run) {
            continue;
        }
        let at = AttemptRef { instance: instance.to_string(), run: ticket.run.clone(), attempt: ticket.attempt };
        let reported = match store::read::<Report>(ports, &stack.layout.report(&at)).await {
            Ok(report) => report.is_some(),
            // Its execution ends it, and is looked after by itself; until then it counts.
            Err(StoreError::Unreadable(_)) => false,
            Err(error @ (StoreError::Call(_) | StoreError::Contended { .. })) => return Err(error),
        };
        if !reported && ports.is_running(&ticket.execution_arn).await? {
            live += 1;
        }
    }
    Ok(live)
}
