//! Making a rule of the command: off at first and turned on last, so that it never starts anything before it is whole.

use aws_sdk_eventbridge::{
    Client,
    types::{DeadLetterConfig, InputTransformer, RetryPolicy, RuleState, Tag, Target},
};
use aws_smithy_types::error::operation::BuildError;
use serde_json::Value;

use super::{Account, Rule, STACK_TAG, TARGET, settings, unanswered, untargeted};
use crate::{
    clients::schedules::{MAX_AGE_SECONDS, MAX_ATTEMPTS},
    error::CliError,
};

/// What a new rule needs.
#[derive(Clone, Debug)]
pub(crate) struct NewRule {
    /// The command for rules of its kind, which also finds out what became of it.
    pub(crate) verb: &'static str,
    pub(crate) name: String,
    pub(crate) description: &'static str,
    pub(crate) pattern: Value,
    pub(crate) template: String,
    pub(crate) bus: String,
}

impl Account {
    /// Whether a rule is all that is asked for, and only off: the command made it, and was ended before it had turned it on, or somebody paused
    /// it since.
    pub(crate) fn lacks_only_being_on(&self, rule: &Rule, new: &NewRule) -> Result<bool, CliError> {
        if !rule.ours || rule.enabled || rule.pattern != new.pattern || rule.template.as_ref() != Some(&new.template) {
            return Ok(false);
        }
        let asked = settings(&self.target_of(new)?);
        Ok(rule.targets == [(TARGET.to_owned(), true)] && rule.starts == asked)
    }

    fn target_of(&self, new: &NewRule) -> Result<Target, CliError> {
        let (role, queue) = (self.output("EventsRoleArn")?, self.output("UndeliveredEventsArn")?);
        target(&self.state_machine, role, queue, new.template.clone())
            .map_err(|error| CliError::Asked { action: "make the rule".into(), message: error.to_string() })
    }

    /// Makes one and turns it on last, so that it never starts anything before it is whole; one that cannot be made whole is removed.
    pub(crate) async fn add_rule(&self, new: &NewRule) -> Result<(), CliError> {
        let client = self.events();
        let target = self.target_of(new)?;
        let tags = [(STACK_TAG, Some(self.stack_name().to_owned())), ("reveille:owner", self.parameter("OwnerTag"))];
        let tags = tags.into_iter().filter_map(|(key, value)| Tag::builder().key(key).value(value?).build().ok());
        let call = client.put_rule().name(&new.name).event_bus_name(&new.bus).description(new.description);
        let call =
            call.event_pattern(new.pattern.to_string()).state(RuleState::Disabled).set_tags(Some(tags.collect()));
        let made = call.send().await;
        made.map_err(|error| unanswered(format!("make the rule {}", new.name), &new.name, new.verb, &error))?;
        match self.finish(&client, new, target).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.take_back(new, error).await),
        }
    }

    /// Removes what there is of a rule that could not be made whole. If that fails too, what is left is off, and the error names it.
    async fn take_back(&self, new: &NewRule, error: CliError) -> CliError {
        let NewRule { name, verb, .. } = new;
        let client = self.events();
        let targets = untargeted(&client, name, &new.bus, vec![TARGET.to_owned()], verb).await;
        let deleted = client.delete_rule().name(name).event_bus_name(&new.bus).send().await;
        let error = Box::new(error);
        match (targets, deleted) {
            (_, Ok(_)) => CliError::Undone {
                error,
                undone: format!("the rule {name} was removed again, so nothing is left of it"),
            },
            (Ok(()), Err(_)) => CliError::Afterwards {
                done: format!(
                    "the rule {name} was begun and could not be removed again; it is off and has no target, so it starts nothing"
                ),
                error,
                next: format!("the same command again, which finishes it, or reveille {verb} remove {name}"),
            },
            (Err(_), Err(_)) => CliError::Afterwards {
                done: format!(
                    "the rule {name} was begun and could not be removed again; it is off, so it starts nothing"
                ),
                error,
                next: format!(
                    "reveille {verb} list {name}, which shows what is left of it, and reveille {verb} remove {name}"
                ),
            },
        }
    }

    async fn finish(&self, client: &Client, new: &NewRule, target: Target) -> Result<(), CliError> {
        let action = format!("give the rule {} its target", new.name);
        let put = client.put_targets().rule(&new.name).event_bus_name(&new.bus).targets(target).send().await;
        let put = put.map_err(|error| unanswered(action.clone(), &new.name, new.verb, &error))?;
        if let Some(failed) = put.failed_entries().first() {
            return Err(CliError::entry(action, failed.error_code(), failed.error_message()));
        }
        let enabled = client.enable_rule().name(&new.name).event_bus_name(&new.bus).send().await;
        let action = format!("turn the rule {} on", new.name);
        enabled.map(drop).map_err(|error| unanswered(action, &new.name, new.verb, &error))
    }
}

/// The target that every template of a trigger has.
fn target(state_machine: &str, role: String, queue: String, template: String) -> Result<Target, BuildError> {
    let retries =
        RetryPolicy::builder().maximum_event_age_in_seconds(MAX_AGE_SECONDS).maximum_retry_attempts(MAX_ATTEMPTS);
    let input = InputTransformer::builder().input_template(template).build()?;
    Target::builder()
        .id(TARGET)
        .arn(state_machine)
        .role_arn(role)
        .dead_letter_config(DeadLetterConfig::builder().arn(queue).build())
        .retry_policy(retries.build())
        .input_transformer(input)
        .build()
}

#[cfg(test)]
mod tests {
    use aws_sdk_eventbridge::operation::describe_rule::DescribeRuleOutput;
    use reveille_contract_tests::template;
    use serde_json::json;

    use super::{super::rule, target};

    /// A rule of the command and one of a small stack have the same target.
    #[test]
    fn the_target_is_that_of_the_template() {
        let of_template =
            &template("infra/trigger-upload.yaml")["Resources"]["ObjectCreatedRule"]["Properties"]["Targets"][0];
        let export = |name: &str| json!({"Fn::ImportValue": {"Fn::Sub": format!("${{Stack}}-{name}")}}).to_string();
        let [machine, role, queue] = ["StateMachineArn", "EventsRoleArn", "UndeliveredEventsArn"].map(export);
        let target = target(&machine, role, queue, "{}".to_owned()).unwrap();
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        let retries = target.retry_policy().unwrap();
        let ours = json!({
            "Id": target.id(), "Arn": read(target.arn()), "RoleArn": read(target.role_arn().unwrap()),
            "DeadLetterConfig": {"Arn": read(target.dead_letter_config().unwrap().arn().unwrap())},
            "RetryPolicy": {"MaximumEventAgeInSeconds": retries.maximum_event_age_in_seconds().unwrap(),
                "MaximumRetryAttempts": retries.maximum_retry_attempts().unwrap()},
            "InputTransformer": of_template["InputTransformer"],
        });
        assert_eq!(ours, *of_template, "all but the input, which `on-upload` holds against it");
        assert!(target.input_transformer().unwrap().input_paths_map().is_none());
    }

    #[test]
    fn one_that_add_did_not_finish_is_known_by_its_tag() {
        let described = || DescribeRuleOutput::builder().name("a").event_pattern("{}").build();
        assert!(rule(described(), &[], "default", "arn", true).is_unfinished());
        assert!(!rule(described(), &[], "default", "arn", false).is_unfinished(), "somebody else's");
        let target = target("another", "role".to_owned(), "queue".to_owned(), "{}".to_owned()).unwrap();
        let other = rule(described(), &[target], "default", "arn", true);
        assert!(!other.is_unfinished());
        assert_eq!(other.other_target(), Some("NotebookRun"));
    }
}
