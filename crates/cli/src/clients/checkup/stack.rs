//! The stack's parts: what CloudFormation has of them, the state machine, rules and queues.

use aws_sdk_eventbridge::types::{RuleState, Target};
use aws_sdk_sfn::operation::describe_state_machine::DescribeStateMachineError;
use aws_sdk_sqs::types::QueueAttributeName;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use serde_json::Value;

use crate::{clients::Account, error::CliError};

/// A part of the stack, as CloudFormation has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResourceFacts {
    /// Its name in the template.
    pub(crate) name: String,
    /// Its name in the account.
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
}

/// The state machine, as Step Functions has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MachineFacts {
    pub(crate) status: String,
    pub(crate) definition: Value,
}

/// A rule of the stack's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RuleFacts {
    pub(crate) enabled: bool,
    /// The ARNs of its targets.
    pub(crate) targets: Vec<String>,
}

impl Account {
    /// The parts of the stack.
    pub(crate) async fn resources(&self) -> Result<Vec<ResourceFacts>, CliError> {
        let client = aws_sdk_cloudformation::Client::new(&self.config);
        let described = client.describe_stack_resources().stack_name(self.stack_name()).send().await;
        let described = described.map_err(|error| CliError::asked("list the parts of the stack", &error))?;
        let resources = described.stack_resources.unwrap_or_default();
        Ok(resources
            .into_iter()
            .map(|it| ResourceFacts {
                name: it.logical_resource_id.unwrap_or_default(),
                id: it.physical_resource_id.unwrap_or_default(),
                status: it.resource_status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
                reason: it.resource_status_reason,
            })
            .collect())
    }

    /// The state machine; `None`: it does not exist.
    pub(crate) async fn machine(&self) -> Result<Option<MachineFacts>, CliError> {
        let described = self.sfn.describe_state_machine().state_machine_arn(&self.state_machine).send().await;
        match described {
            Ok(machine) => Ok(Some(MachineFacts {
                status: machine.status.map_or_else(|| "ACTIVE".to_owned(), |status| status.as_str().to_owned()),
                definition: serde_json::from_str(&machine.definition).unwrap_or_default(),
            })),
            Err(error)
                if error.as_service_error().is_some_and(DescribeStateMachineError::is_state_machine_does_not_exist) =>
            {
                Ok(None)
            }
            Err(error) => Err(CliError::asked("describe the state machine", &error)),
        }
    }

    /// A rule by its name; `None`: there is none. CloudFormation has `BUS|NAME` for one that is not on the default bus.
    pub(crate) async fn rule_facts(&self, id: &str) -> Result<Option<RuleFacts>, CliError> {
        let (bus, name) = id.split_once('|').unwrap_or((super::super::DEFAULT_BUS, id));
        let client = self.events();
        let described = match client.describe_rule().name(name).event_bus_name(bus).send().await {
            Ok(described) => described,
            Err(error) if error.code() == Some("ResourceNotFoundException") => return Ok(None),
            Err(error) => return Err(CliError::asked("read the rule", &error)),
        };
        let listed = client.list_targets_by_rule().rule(name).event_bus_name(bus).send().await;
        let listed = listed.map_err(|error| CliError::asked("read the rule's targets", &error))?;
        Ok(Some(RuleFacts {
            enabled: described.state != Some(RuleState::Disabled),
            targets: listed.targets().iter().map(Target::arn).map(str::to_owned).collect(),
        }))
    }

    /// How many messages a queue has, about: those that somebody looks at just now count too.
    pub(crate) async fn messages(&self, url: &str) -> Result<u64, CliError> {
        const VISIBLE: QueueAttributeName = QueueAttributeName::ApproximateNumberOfMessages;
        const HELD: QueueAttributeName = QueueAttributeName::ApproximateNumberOfMessagesNotVisible;
        let call = aws_sdk_sqs::Client::new(&self.config).get_queue_attributes().queue_url(url);
        let got = call.attribute_names(VISIBLE).attribute_names(HELD).send().await;
        let got = got.map_err(|error| CliError::asked("count the messages of the queue", &error))?;
        let attributes = got.attributes.unwrap_or_default();
        let count = |name| attributes.get(&name).and_then(|count: &String| count.parse::<u64>().ok());
        Ok(count(VISIBLE).unwrap_or_default() + count(HELD).unwrap_or_default())
    }
}
