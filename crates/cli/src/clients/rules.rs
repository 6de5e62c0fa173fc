//! Rules of EventBridge with a target that is the stack's state machine, whoever made them.

use std::{borrow::Cow, collections::BTreeSet};

use aws_sdk_eventbridge::{
    Client,
    operation::describe_rule::DescribeRuleOutput,
    types::{DeadLetterConfig, InputTransformer, RetryPolicy, RuleState, Target},
};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::{AT_ONCE, Account, target::TargetSettings};
use crate::{error::CliError, triggers::EVENT};

mod making;

pub(crate) use making::NewRule;

/// The most that ListRuleNamesByTarget gives in a page.
const PAGE: i32 = 100;
/// The target's id, as in the templates.
const TARGET: &str = "NotebookRun";
/// What the command's own rules have as a tag: the stack's name.
const STACK_TAG: &str = "reveille:stack";
/// A template that no command reads: only EventBridge knows what the path picks from the event.
const PART: &str = "<path>";
/// The bus to which AWS's services send their events.
pub(crate) const DEFAULT_BUS: &str = "default";

/// A rule.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) enabled: bool,
    /// Whether the command made it, and no stack.
    pub(crate) ours: bool,
    pub(crate) pattern: Value,
    /// The input of its runs, as far as it is JSON, with null for what EventBridge puts in.
    pub(crate) input: Value,
    /// The target's input template as it is; `None`: the target takes the event as it is. One that takes a part of the event has [`PART`].
    pub(crate) template: Option<String>,
    pub(crate) bus: String,
    /// Of a rule that fires by the clock.
    pub(crate) expression: Option<String>,
    /// How its target starts the runs.
    pub(crate) starts: TargetSettings,
    /// The ids of its targets, and whether each is the stack's state machine.
    targets: Vec<(String, bool)>,
}

impl Account {
    pub(super) fn events(&self) -> Client {
        Client::new(&self.config)
    }

    /// The rules of a bus that start the stack's state machine, in the order of their names.
    pub(crate) async fn rules(&self, bus: &str) -> Result<Vec<Rule>, CliError> {
        let client = self.events();
        let mut names = BTreeSet::new();
        let mut token = None;
        loop {
            let call = client.list_rule_names_by_target().target_arn(&self.state_machine).event_bus_name(bus);
            let listed = call.limit(PAGE).set_next_token(token.take()).send().await;
            let listed = listed.map_err(|error| match error.code() {
                Some("ResourceNotFoundException") => CliError::NotThere(format!(
                    "there is no event bus {bus}, so the stack {} is incomplete; to check it: reveille doctor",
                    self.stack_name()
                )),
                _ => CliError::asked(format!("list the rules on the bus {bus}"), &error),
            })?;
            names.extend(listed.rule_names.unwrap_or_default());
            match listed.next_token {
                Some(next) => token = Some(next),
                None => break,
            }
        }
        let client = &client;
        let get = async |name: String| self.rule_of(client, &name, bus).await;
        let rules: Vec<Option<Rule>> = stream::iter(names).map(get).buffered(AT_ONCE).try_collect().await?;
        // One that somebody removes meanwhile is not there.
        Ok(rules.into_iter().flatten().collect())
    }

    /// A rule by its name, if it is one of the stack's; one that `add` did not finish is.
    pub(crate) async fn rule(&self, name: &str, bus: &str) -> Result<Option<Rule>, CliError> {
        let found = self.rule_of(&self.events(), name, bus).await?;
        Ok(found.filter(|rule| rule.starts_runs() || rule.is_unfinished()))
    }

    async fn rule_of(&self, client: &Client, name: &str, bus: &str) -> Result<Option<Rule>, CliError> {
        // Somebody may remove it between any two of these calls.
        let described = client.describe_rule().name(name).event_bus_name(bus).send().await;
        let Some(described) = unless_gone(format!("read the rule {name}"), described)? else { return Ok(None) };
        let listed = client.list_targets_by_rule().rule(name).event_bus_name(bus).send().await;
        let Some(listed) = unless_gone(format!("read the target of the rule {name}"), listed)? else { return Ok(None) };
        let Some(ours) = self.is_tagged(client, described.arn()).await? else { return Ok(None) };
        Ok(Some(rule(described, &listed.targets.unwrap_or_default(), bus, &self.state_machine, ours)))
    }

    /// Whether the command tagged it; `None`: the rule is gone.
    async fn is_tagged(&self, client: &Client, arn: Option<&str>) -> Result<Option<bool>, CliError> {
        let Some(arn) = arn else { return Ok(Some(false)) };
        let listed = client.list_tags_for_resource().resource_arn(arn).send().await;
        let tags =
            unless_gone(format!("read the tags of {arn}"), listed)?.map(|listed| listed.tags.unwrap_or_default());
        Ok(tags.map(|tags| tags.iter().any(|tag| tag.key() == STACK_TAG && tag.value() == self.stack_name())))
    }

    /// The rule that has a name, whosever it is; one that `add` did not finish does not take its name.
    pub(crate) async fn taken_by(&self, name: &str, bus: &str) -> Result<Option<Rule>, CliError> {
        Ok(self.rule_of(&self.events(), name, bus).await?.filter(|rule| !rule.is_unfinished()))
    }

    /// Turns a rule on or off. `verb` is the command for rules of its kind.
    pub(crate) async fn enable_rule(&self, rule: &Rule, verb: &str, on: bool) -> Result<(), CliError> {
        let (client, name) = (self.events(), &rule.name);
        if on {
            let enabled = client.enable_rule().name(name).event_bus_name(&rule.bus).send().await;
            enabled.map(drop).map_err(|error| unanswered(format!("turn the rule {name} on"), name, verb, &error))
        } else {
            let disabled = client.disable_rule().name(name).event_bus_name(&rule.bus).send().await;
            disabled.map(drop).map_err(|error| unanswered(format!("turn the rule {name} off"), name, verb, &error))
        }
    }

    /// Removes a rule with its target: EventBridge deletes none that has one. `verb` is the command for rules of its kind.
    pub(crate) async fn remove_rule(&self, rule: &Rule, verb: &str) -> Result<(), CliError> {
        let (client, name) = (self.events(), &rule.name);
        let ids: Vec<String> = rule.targets.iter().map(|(id, _)| id.clone()).collect();
        let had_targets = !ids.is_empty();
        if had_targets {
            untargeted(&client, name, &rule.bus, ids, verb).await?;
        }
        let deleted = client.delete_rule().name(name).event_bus_name(&rule.bus).send().await;
        deleted.map(drop).map_err(|error| {
            let error = unanswered(format!("remove the rule {name}"), name, verb, &error);
            match error {
                // It says itself how to find out.
                CliError::Unanswered { .. } => error,
                error if had_targets => CliError::Afterwards {
                    done: format!("the target of the rule {name} was removed, so it no longer starts anything"),
                    error: Box::new(error),
                    next: format!("reveille {verb} remove {name}, or add the rule again under this name"),
                },
                error => error,
            }
        })
    }

    /// Whether a rule's pattern takes an event, by EventBridge's own matcher.
    pub(crate) async fn takes(&self, rule: &Rule, event: &Value) -> Result<bool, CliError> {
        let call = self.events().test_event_pattern().event_pattern(rule.pattern.to_string()).event(event.to_string());
        let answer = call.send().await;
        answer
            .map(|answer| answer.result)
            .map_err(|error| CliError::asked(format!("test the pattern of the rule {}", rule.name), &error))
    }
}

impl Rule {
    /// The command made it, and was stopped before it gave it its target: it starts nothing.
    fn is_unfinished(&self) -> bool {
        self.ours && self.targets.is_empty()
    }

    pub(crate) fn starts_runs(&self) -> bool {
        self.targets.iter().any(|(_, is_ours)| *is_ours)
    }

    /// A target that somebody gave the rule besides the stack's state machine.
    pub(crate) fn other_target(&self) -> Option<&str> {
        self.targets.iter().find(|(_, is_ours)| !is_ours).map(|(id, _)| id.as_str())
    }
}

fn rule(described: DescribeRuleOutput, targets: &[Target], bus: &str, state_machine: &str, ours: bool) -> Rule {
    let starts = targets.iter().find(|target| target.arn() == state_machine);
    let template = starts.and_then(Target::input_transformer).map(InputTransformer::input_template);
    let part = || starts.and_then(Target::input_path).filter(|path| *path != "$").map(|_| PART);
    let template = template.or_else(|| starts.and_then(Target::input)).or_else(part).map(str::to_owned);
    let text = template.as_deref().unwrap_or_default();
    Rule {
        enabled: described.state != Some(RuleState::Disabled),
        ours,
        pattern: serde_json::from_str(described.event_pattern().unwrap_or_default()).unwrap_or_default(),
        input: serde_json::from_str(&text.replace(EVENT, "null")).unwrap_or_default(),
        template: template.clone(),
        bus: bus.to_owned(),
        expression: described.schedule_expression,
        starts: starts.map(settings).unwrap_or_default(),
        targets: targets.iter().map(|target| (target.id().to_owned(), target.arn() == state_machine)).collect(),
        name: described.name.unwrap_or_default(),
    }
}

fn settings(target: &Target) -> TargetSettings {
    TargetSettings {
        role: target.role_arn().map(str::to_owned),
        dead_letters: target.dead_letter_config().and_then(DeadLetterConfig::arn).map(str::to_owned),
        age_seconds: target.retry_policy().and_then(RetryPolicy::maximum_event_age_in_seconds),
    }
}

/// Takes a rule's targets away.
async fn untargeted(client: &Client, rule: &str, bus: &str, ids: Vec<String>, verb: &str) -> Result<(), CliError> {
    let action = format!("remove the target of the rule {rule}");
    let call = client.remove_targets().rule(rule).event_bus_name(bus).set_ids(Some(ids));
    let removed = call.send().await.map_err(|error| unanswered(action.clone(), rule, verb, &error))?;
    match removed.failed_entries().first() {
        Some(failed) => Err(CliError::entry(action, failed.error_code(), failed.error_message())),
        None => Ok(()),
    }
}

/// What a call reads of a rule; `None`: the rule is gone.
fn unless_gone<T, E, R>(
    action: impl Into<Cow<'static, str>>,
    answer: Result<T, SdkError<E, R>>,
) -> Result<Option<T>, CliError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(None),
        Err(error) => Err(CliError::asked(action, &error)),
    }
}

/// A call that changes a rule, and what became of it if nobody knows.
fn unanswered<E, R>(action: impl Into<Cow<'static, str>>, rule: &str, verb: &str, error: &SdkError<E, R>) -> CliError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    let maybe = format!("the rule {rule} may have been changed");
    CliError::changing(action, error, maybe, format!("reveille {verb} list {rule}"))
}

#[cfg(test)]
mod tests {
    use aws_sdk_eventbridge::{operation::describe_rule::DescribeRuleOutput, types::Target};

    use super::rule;

    #[test]
    fn a_target_that_takes_a_part_of_the_event_has_a_template_that_no_command_reads() {
        for (path, template) in [(None, None), (Some("$"), None), (Some("$.detail"), Some("<path>"))] {
            let target = Target::builder().id("a").arn("arn").set_input_path(path.map(str::to_owned)).build().unwrap();
            let described = DescribeRuleOutput::builder().name("a").build();
            assert_eq!(rule(described, &[target], "default", "arn", false).template.as_deref(), template, "{path:?}");
        }
    }
}
