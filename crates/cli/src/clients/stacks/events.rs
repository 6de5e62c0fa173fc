//! What CloudFormation tells of a stack while it is at work.

use aws_sdk_cloudformation::types::{ResourceStatus, StackEvent};
use chrono::{DateTime, Utc};

use super::{Stacks, time};
use crate::error::CliError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) resource: String,
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    pub(crate) at: Option<DateTime<Utc>>,
    /// It is about the stack itself.
    pub(crate) is_of_stack: bool,
}

/// The type of a stack, its own and one within it.
const STACK: &str = "AWS::CloudFormation::Stack";

/// Whether an event is about the stack itself, and not about what it has.
fn is_stack(kind: &str, physical: &str, id: &str) -> bool {
    kind == STACK && physical == id
}

impl Stacks {
    /// The last event so far.
    ///
    /// # Errors
    /// AWS refuses to say.
    pub(crate) async fn newest_event(&self, stack_id: &str) -> Result<Option<String>, CliError> {
        let told = self.client.describe_stack_events().stack_name(stack_id).send().await;
        let told = told.map_err(|error| CliError::asked("read the stack's events", &error))?;
        Ok(told.stack_events.unwrap_or_default().into_iter().next().and_then(|event| event.event_id))
    }

    /// The events after one, or all, in their order.
    ///
    /// # Errors
    /// AWS refuses to say.
    pub(crate) async fn events(&self, stack_id: &str, after: Option<&str>) -> Result<Vec<Event>, CliError> {
        let (mut newest_first, mut token) = (Vec::new(), None);
        'pages: loop {
            let call = self.client.describe_stack_events().stack_name(stack_id).set_next_token(token.take());
            let told = call.send().await.map_err(|error| CliError::asked("follow the stack's events", &error))?;
            for told in told.stack_events.unwrap_or_default() {
                if told.event_id.as_deref() == after && after.is_some() {
                    break 'pages;
                }
                newest_first.push(event(told, stack_id));
            }
            token = told.next_token;
            if token.is_none() {
                break;
            }
        }
        newest_first.reverse();
        Ok(newest_first)
    }
}

fn event(told: StackEvent, stack_id: &str) -> Event {
    let kind = told.resource_type.unwrap_or_default();
    Event {
        is_of_stack: is_stack(&kind, told.physical_resource_id.as_deref().unwrap_or_default(), stack_id),
        id: told.event_id.unwrap_or_default(),
        resource: told.logical_resource_id.unwrap_or_default(),
        kind,
        status: told.resource_status.as_ref().map(ResourceStatus::as_str).unwrap_or_default().to_owned(),
        reason: told.resource_status_reason.filter(|reason| !reason.is_empty()),
        at: told.timestamp.map(time),
    }
}
