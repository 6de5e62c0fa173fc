//! A change set: what CloudFormation would change, before it does.

use std::time::Duration;

use aws_sdk_cloudformation::{
    operation::describe_change_set::DescribeChangeSetOutput,
    types::{
        Capability, ChangeAction, ChangeSetStatus, ChangeSetType, Parameter, PolicyAction, Replacement, ResourceChange,
        Tag,
    },
};
use tokio::time::sleep;

use super::{StackFacts, Stacks};
use crate::error::{CliError, within};

/// How the names of this command's change sets begin.
const OURS: &str = "reveille-";

/// It takes some seconds to make one, of a template with a transform more.
const LOOK: Duration = Duration::from_millis(700);

/// Where CloudFormation reads a template.
#[derive(Clone, Debug)]
pub(crate) enum TemplateAt {
    /// An object in S3, by its address.
    Url(String),
    /// Here.
    Text(&'static str),
}

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    Value(String, String),
    /// What the stack has.
    Previous(String),
}

/// A change set to be made.
pub(crate) struct NewChangeSet<'a> {
    pub(crate) stack: &'a str,
    /// There is no such stack yet, or nothing in it.
    pub(crate) is_new: bool,
    pub(crate) template: TemplateAt,
    pub(crate) parameters: Vec<Given>,
    /// `None`: the stack keeps those that it has.
    pub(crate) tags: Option<Vec<(String, String)>>,
}

/// One that was made.
#[derive(Clone, Debug)]
pub(crate) struct ChangeSet {
    pub(crate) id: String,
    pub(crate) stack_id: String,
}

/// What came of making it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Prepared {
    Changes(Vec<Change>),
    NoChanges,
    /// CloudFormation's reason.
    Failed(String),
}

/// What happens to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Effect {
    /// A new one is made in its place, and the old one is deleted.
    Replaced,
    /// CloudFormation cannot tell yet whether it is replaced.
    PerhapsReplaced,
    Removed,
    /// The stack lets go of it, and it stays.
    Kept,
    Changed,
    Added,
    /// What a later CloudFormation may say.
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) effect: Effect,
    pub(crate) resource: String,
    pub(crate) kind: String,
    /// The properties that change, as far as they are known.
    pub(crate) properties: Vec<String>,
}

impl Stacks {
    /// Begins to make a change set.
    ///
    /// # Errors
    /// AWS refuses the template or a parameter, or its answer is lost.
    pub(crate) async fn make(&self, new: NewChangeSet<'_>) -> Result<ChangeSet, CliError> {
        let name = format!("{OURS}{}", chrono::Utc::now().format("%Y%m%dT%H%M%S%3f"));
        let call = self
            .client
            .create_change_set()
            .stack_name(new.stack)
            .change_set_name(&name)
            // A request that is sent again, because its answer took long, is no second one.
            .client_token(&name)
            .change_set_type(if new.is_new { ChangeSetType::Create } else { ChangeSetType::Update })
            .capabilities(Capability::CapabilityIam)
            .capabilities(Capability::CapabilityAutoExpand)
            .set_parameters(Some(new.parameters.into_iter().map(parameter).collect()))
            .set_tags(new.tags.map(|tags| tags.into_iter().map(tag).collect()));
        let call = match new.template {
            TemplateAt::Url(url) => call.template_url(url),
            TemplateAt::Text(text) => call.template_body(text),
        };
        let made = call.send().await.map_err(|error| {
            let stack = new.stack;
            let maybe =
                format!("the change set {name} of the stack {stack} may be there; it changes nothing by itself");
            let find_out = format!("aws cloudformation list-change-sets --stack-name {stack}");
            CliError::changing(format!("prepare the change of the stack {stack}"), &error, maybe, find_out)
        })?;
        Ok(ChangeSet { id: made.id.unwrap_or_default(), stack_id: made.stack_id.unwrap_or_default() })
    }

    /// Waits until a change set is ready, and says what it changes.
    ///
    /// # Errors
    /// AWS refuses to say.
    pub(crate) async fn prepared(&self, set: &ChangeSet) -> Result<Prepared, CliError> {
        let mut first = self.described(set, None).await?;
        while let Some(ChangeSetStatus::CreatePending | ChangeSetStatus::CreateInProgress) = first.status {
            sleep(LOOK).await;
            first = self.described(set, None).await?;
        }
        if first.status != Some(ChangeSetStatus::CreateComplete) {
            let reason = first.status_reason.unwrap_or_else(|| "CloudFormation gives no reason".to_owned());
            return Ok(if is_no_change(&reason) { Prepared::NoChanges } else { Prepared::Failed(reason) });
        }
        let (mut changes, mut token) = (Vec::new(), first.next_token);
        let mut page = first.changes;
        loop {
            let found = page.unwrap_or_default().into_iter().filter_map(|change| change.resource_change);
            changes.extend(found.map(change));
            let Some(next) = token else { break };
            let more = self.described(set, Some(next)).await?;
            (page, token) = (more.changes, more.next_token);
        }
        changes.sort_by(|one: &Change, other| (one.effect, &one.kind).cmp(&(other.effect, &other.kind)));
        Ok(Prepared::Changes(changes))
    }

    async fn described(&self, set: &ChangeSet, page: Option<String>) -> Result<DescribeChangeSetOutput, CliError> {
        let call = self.client.describe_change_set().change_set_name(&set.id).set_next_token(page);
        call.send().await.map_err(|error| CliError::asked("read the change set", &error))
    }

    /// Lets CloudFormation do what a change set says.
    ///
    /// # Errors
    /// AWS refuses, or its answer is lost.
    pub(crate) async fn execute(&self, set: &ChangeSet, stack: &str) -> Result<(), CliError> {
        let token = format!("reveille-{}", chrono::Utc::now().format("%Y%m%dT%H%M%S%3f"));
        let call = self.client.execute_change_set().change_set_name(&set.id).client_request_token(token);
        let executed = call.send().await;
        executed.map(|_| ()).map_err(|error| {
            let maybe = format!("the change of the stack {stack} may have begun");
            let find_out = format!("reveille deploy --follow --stack {stack}");
            CliError::changing(format!("change the stack {stack}"), &error, maybe, find_out)
        })
    }

    /// The change sets of a stack that this command did not make: what somebody else means to do with it.
    ///
    /// # Errors
    /// AWS refuses to say.
    pub(crate) async fn plans_of_others(&self, stack: &StackFacts) -> Result<Vec<String>, CliError> {
        let plans = self.plans(&stack.id).await?.into_iter().map(|(name, _)| name);
        Ok(plans.filter(|name| !name.starts_with(OURS)).collect())
    }

    /// Whether a stack has nothing yet, and nobody but this command means to put anything into it. It has no description by which it could be told.
    ///
    /// # Errors
    /// AWS refuses to say.
    pub(crate) async fn is_free(&self, stack: &StackFacts) -> Result<bool, CliError> {
        Ok(stack.is_empty() && self.plans_of_others(stack).await?.is_empty())
    }

    /// The change sets of a stack: each name and id.
    async fn plans(&self, stack_id: &str) -> Result<Vec<(String, String)>, CliError> {
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let call = self.client.list_change_sets().stack_name(stack_id).set_next_token(token.take());
            let listed = call.send().await;
            let listed =
                listed.map_err(|error| CliError::asked(format!("list the change sets of {stack_id}"), &error))?;
            let listed_now = listed.summaries.unwrap_or_default().into_iter();
            found.extend(
                listed_now.map(|it| (it.change_set_name.unwrap_or_default(), it.change_set_id.unwrap_or_default())),
            );
            token = listed.next_token;
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    /// Takes a change set away that was not executed, and the empty stack if it made one, unless somebody else has a change set on it by now:
    /// that would go with the stack.
    ///
    /// # Errors
    /// AWS refuses: they stay, and change nothing.
    pub(crate) async fn discard(&self, set: &ChangeSet, made_the_stack: bool) -> Result<(), CliError> {
        let deleted = self.client.delete_change_set().change_set_name(&set.id).send().await;
        deleted.map_err(|error| CliError::asked(format!("delete the change set {}", set.id), &error))?;
        if !made_the_stack {
            return Ok(());
        }
        let is_empty = self.found(&set.stack_id).await?.is_some_and(|stack| stack.is_empty());
        // The one that was just deleted may be listed for a moment more.
        if is_empty && self.plans(&set.stack_id).await?.iter().all(|(_, id)| *id == set.id) {
            let deleted = self.client.delete_stack().stack_name(&set.stack_id).send().await;
            deleted.map_err(|error| CliError::asked(format!("delete the empty stack {}", set.stack_id), &error))?;
        }
        Ok(())
    }
}

fn parameter(given: Given) -> Parameter {
    match given {
        Given::Value(name, value) => Parameter::builder().parameter_key(name).parameter_value(value).build(),
        Given::Previous(name) => Parameter::builder().parameter_key(name).use_previous_value(true).build(),
    }
}

fn tag((key, value): (String, String)) -> Tag {
    Tag::builder().key(key).value(value).build()
}

/// CloudFormation calls a change set without changes one that failed.
fn is_no_change(reason: &str) -> bool {
    ["didn't contain changes", "No updates are to be performed"].iter().any(|part| within(reason).contains(part))
}

fn change(it: ResourceChange) -> Change {
    let details = it.details.unwrap_or_default().into_iter().filter_map(|detail| detail.target);
    // A property's name, or what else changes: Tags, Metadata.
    let named = details.filter_map(|target| target.name.or_else(|| Some(target.attribute?.as_str().to_owned())));
    let mut properties: Vec<String> = named.collect();
    properties.sort_unstable();
    properties.dedup();
    Change {
        effect: effect(it.action.as_ref(), it.replacement.as_ref(), it.policy_action.as_ref()),
        resource: it.logical_resource_id.unwrap_or_default(),
        kind: it.resource_type.unwrap_or_default(),
        properties,
    }
}

fn effect(action: Option<&ChangeAction>, replacement: Option<&Replacement>, policy: Option<&PolicyAction>) -> Effect {
    match (action, replacement) {
        (Some(ChangeAction::Add | ChangeAction::Import), _) => Effect::Added,
        (Some(ChangeAction::Remove), _) if policy == Some(&PolicyAction::Retain) => Effect::Kept,
        (Some(ChangeAction::Remove), _) => Effect::Removed,
        (Some(ChangeAction::Modify), Some(Replacement::True)) => Effect::Replaced,
        (Some(ChangeAction::Modify), Some(Replacement::Conditional)) => Effect::PerhapsReplaced,
        (Some(ChangeAction::Modify), _) => Effect::Changed,
        _ => Effect::Other,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::types::{ChangeAction, PolicyAction, Replacement};

    use super::{Effect, effect, is_no_change};

    #[test]
    fn what_is_lost_is_told_from_what_stays() {
        use {ChangeAction as Action, Replacement as Again};
        for (action, replacement, policy, told) in [
            (Action::Add, None, None, Effect::Added),
            (Action::Modify, Some(Again::False), None, Effect::Changed),
            (Action::Modify, None, None, Effect::Changed),
            (Action::Modify, Some(Again::True), Some(PolicyAction::ReplaceAndDelete), Effect::Replaced),
            (Action::Modify, Some(Again::Conditional), None, Effect::PerhapsReplaced),
            (Action::Remove, None, Some(PolicyAction::Delete), Effect::Removed),
            (Action::Remove, None, Some(PolicyAction::Retain), Effect::Kept),
            (Action::Remove, None, None, Effect::Removed),
            (Action::Dynamic, None, None, Effect::Other),
        ] {
            assert_eq!(
                effect(Some(&action), replacement.as_ref(), policy.as_ref()),
                told,
                "{action:?} {replacement:?}"
            );
        }
    }

    #[test]
    fn no_change_is_no_failure() {
        assert!(is_no_change("The submitted information didn't contain changes. Submit different information."));
        assert!(is_no_change("No updates are to be performed."));
        assert!(!is_no_change("Template error: instance of Fn::GetAtt references undefined resource X"));
    }
}
