//! CloudFormation's stacks: how one stands, its change sets, its events. Asks and changes; decides nothing of what a person is told.

mod change_set;
mod events;

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_cloudformation::{
    Client,
    types::{Stack, StackStatus},
};

use super::{
    account::{configured, no_stack},
    executions::time,
};
use crate::{error::CliError, stack::StackArguments};

pub(crate) use change_set::{Change, ChangeSet, Effect, Given, NewChangeSet, Prepared, TemplateAt};
pub(crate) use events::Event;

/// CloudFormation, in one account and region.
pub(crate) struct Stacks {
    client: Client,
    pub(crate) config: SdkConfig,
    pub(crate) region: String,
}

/// How a stack stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StackFacts {
    pub(crate) id: String,
    pub(crate) name: String,
    /// CloudFormation's word.
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    pub(crate) description: String,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) outputs: Vec<StackOutput>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) is_protected: bool,
    pub(crate) updated: Option<chrono::DateTime<chrono::Utc>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StackOutput {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) export: Option<String>,
}

/// A thing that a stack has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StackResource {
    pub(crate) logical: String,
    pub(crate) physical: String,
    pub(crate) kind: String,
}

/// The status of a stack that only a change set has made: it has nothing yet.
const IN_REVIEW: &str = "REVIEW_IN_PROGRESS";

impl StackFacts {
    /// Whether there is nothing in it yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.status == IN_REVIEW
    }

    /// Whether CloudFormation is at work on it.
    pub(crate) fn is_moving(&self) -> bool {
        self.status.ends_with("_IN_PROGRESS") && !self.is_empty()
    }
}

impl Stacks {
    /// Where a command's options and the environment say.
    ///
    /// # Errors
    /// No region, or no credentials.
    pub(crate) async fn of(arguments: &StackArguments) -> Result<Self, CliError> {
        let config = configured(arguments).await?.config;
        let region = config.region().map(ToString::to_string).ok_or(CliError::NoRegion)?;
        Ok(Self { client: Client::new(&config), config, region })
    }

    /// A stack by its name or its id. One that is deleted has only its id.
    ///
    /// # Errors
    /// AWS refuses to say.
    pub(crate) async fn found(&self, name: &str) -> Result<Option<StackFacts>, CliError> {
        let described = match self.client.describe_stacks().stack_name(name).send().await {
            Ok(described) => described.stacks.unwrap_or_default().into_iter().next(),
            // DescribeStacks has no error of its own for it: ValidationError, "Stack with id NAME does not exist".
            Err(error)
                if error.as_service_error().is_some_and(|error| error.meta().code() == Some("ValidationError")) =>
            {
                None
            }
            Err(error) => return Err(CliError::asked(format!("describe the stack {name}"), &error)),
        };
        Ok(described.map(facts))
    }

    /// A stack that must be there.
    ///
    /// # Errors
    /// There is none of this name, or AWS refuses to say.
    pub(crate) async fn existing(&self, name: &str) -> Result<StackFacts, CliError> {
        match self.found(name).await? {
            Some(stack) => Ok(stack),
            None => Err(self.none_of(name).await),
        }
    }

    /// That there is none of this name, and which there are.
    pub(crate) async fn none_of(&self, name: &str) -> CliError {
        no_stack(&self.client, name, &self.region).await
    }

    /// What the template of a stack says that it is. The local AWS does not tell it with the stack.
    ///
    /// # Errors
    /// AWS refuses to say.
    pub(crate) async fn description(&self, stack: &StackFacts) -> Result<String, CliError> {
        if !stack.description.is_empty() || stack.is_empty() {
            return Ok(stack.description.clone());
        }
        let told = self.client.get_template_summary().stack_name(&stack.id).send().await;
        let told = told.map_err(|error| CliError::asked(format!("read what the stack {} is", stack.name), &error))?;
        Ok(told.description.unwrap_or_default())
    }

    /// What a stack has.
    ///
    /// # Errors
    /// AWS refuses to say.
    pub(crate) async fn resources(&self, id: &str) -> Result<Vec<StackResource>, CliError> {
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let call = self.client.list_stack_resources().stack_name(id).set_next_token(token.take());
            let listed = call.send().await.map_err(|error| CliError::asked(format!("list what {id} has"), &error))?;
            let listed_now = listed.stack_resource_summaries.unwrap_or_default().into_iter();
            found.extend(listed_now.filter(|it| !is_gone(it)).map(|it| StackResource {
                logical: it.logical_resource_id.unwrap_or_default(),
                physical: it.physical_resource_id.unwrap_or_default(),
                kind: it.resource_type.unwrap_or_default(),
            }));
            token = listed.next_token;
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    /// The stacks that import an export.
    ///
    /// # Errors
    /// AWS refuses to say.
    pub(crate) async fn importers(&self, export: &str) -> Result<Vec<String>, CliError> {
        match self.client.list_imports().export_name(export).send().await {
            Ok(listed) => Ok(listed.imports.unwrap_or_default()),
            // It answers so where nobody imports it: "Export 'NAME' is not imported by any stack".
            Err(error)
                if error.as_service_error().is_some_and(|error| error.meta().code() == Some("ValidationError")) =>
            {
                Ok(Vec::new())
            }
            Err(error) => Err(CliError::asked(format!("list the stacks that import {export}"), &error)),
        }
    }

    /// The template that a stack was made from, as CloudFormation expanded it: JSON.
    ///
    /// # Errors
    /// AWS refuses to say.
    pub(crate) async fn template(&self, id: &str) -> Result<String, CliError> {
        use aws_sdk_cloudformation::types::TemplateStage::Processed;
        let got = self.client.get_template().stack_name(id).template_stage(Processed).send().await;
        let got = got.map_err(|error| CliError::asked(format!("read the template of {id}"), &error))?;
        Ok(got.template_body.unwrap_or_default())
    }

    /// Begins to delete a stack.
    ///
    /// # Errors
    /// AWS refuses, or its answer is lost.
    pub(crate) async fn delete(&self, stack: &StackFacts) -> Result<(), CliError> {
        let (name, region) = (&stack.name, &self.region);
        let token = format!("reveille-{}", chrono::Utc::now().format("%Y%m%dT%H%M%S%3f"));
        let deleted = self.client.delete_stack().stack_name(&stack.id).client_request_token(token).send().await;
        deleted.map(|_| ()).map_err(|error| {
            CliError::changing(
                format!("delete the stack {name}"),
                &error,
                format!("the stack {name} may be on its way out"),
                format!("aws cloudformation describe-stacks --stack-name {name} --region {region}"),
            )
        })
    }
}

fn is_gone(it: &aws_sdk_cloudformation::types::StackResourceSummary) -> bool {
    it.resource_status == Some(aws_sdk_cloudformation::types::ResourceStatus::DeleteComplete)
}

fn facts(stack: Stack) -> StackFacts {
    let pairs = |pair: (Option<String>, Option<String>)| Some((pair.0?, pair.1.unwrap_or_default()));
    let parameters = stack.parameters.unwrap_or_default().into_iter();
    let outputs = stack.outputs.unwrap_or_default().into_iter();
    StackFacts {
        id: stack.stack_id.unwrap_or_default(),
        name: stack.stack_name.unwrap_or_default(),
        status: stack.stack_status.as_ref().map(StackStatus::as_str).unwrap_or_default().to_owned(),
        reason: stack.stack_status_reason,
        description: stack.description.unwrap_or_default(),
        parameters: parameters.filter_map(|it| pairs((it.parameter_key, it.parameter_value))).collect(),
        outputs: outputs
            .filter_map(|it| {
                Some(StackOutput { name: it.output_key?, value: it.output_value?, export: it.export_name })
            })
            .collect(),
        tags: stack.tags.unwrap_or_default().into_iter().filter_map(|it| pairs((it.key, it.value))).collect(),
        is_protected: stack.enable_termination_protection.unwrap_or_default(),
        updated: stack.last_updated_time.or(stack.creation_time).map(time),
    }
}
