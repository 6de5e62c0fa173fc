//! Which lifecycle configuration an instance has, and changing it.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_sagemaker::Client;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use reveille_domain::layout::Layout;
use reveille_lifecycle::AttachedScript;

use super::{
    Account,
    checkup::{InstanceFacts, Unreadable, decoded, instance_facts, is_missing, on_start, readable},
};
use crate::error::CliError;

/// SageMaker, without a stack.
pub(crate) struct SageMaker(Client);

/// The most that ListNotebookInstances gives in a page.
const PAGE: i32 = 100;

impl Account {
    /// The instances whose on-start script is for this stack's runs, each with its lifecycle configuration.
    ///
    /// # Errors
    /// AWS refuses to say.
    pub(crate) async fn attached_here(&self) -> Result<Vec<(String, String)>, CliError> {
        let mut is_ours: BTreeMap<String, bool> = BTreeMap::new();
        let mut attached = Vec::new();
        for (instance, configuration) in configured(&self.sagemaker).await? {
            if !is_ours.contains_key(&configuration) {
                let script = self.on_start(&configuration).await?;
                let script = script.as_deref().and_then(|script| AttachedScript::read(&readable(script)));
                is_ours.insert(configuration.clone(), script.is_some_and(|script| is_for(&script, &self.layout)));
            }
            if is_ours[&configuration] {
                attached.push((instance, configuration));
            }
        }
        Ok(attached)
    }
}

/// Whether a script's runner looks for runs where this stack puts them.
pub(crate) fn is_for(script: &AttachedScript, layout: &Layout) -> bool {
    script.bucket == layout.bucket && script.prefix == layout.prefix
}

/// The instances that have a lifecycle configuration.
async fn configured(sagemaker: &Client) -> Result<Vec<(String, String)>, CliError> {
    let (mut found, mut token) = (Vec::new(), None);
    loop {
        let call = sagemaker.list_notebook_instances().max_results(PAGE).set_next_token(token.take());
        let listed = call.send().await.map_err(|error| CliError::asked("list the notebook instances", &error))?;
        let listed_now = listed.notebook_instances.unwrap_or_default().into_iter();
        found.extend(
            listed_now.filter_map(|it| Some((it.notebook_instance_name?, it.notebook_instance_lifecycle_config_name?))),
        );
        token = listed.next_token;
        if token.is_none() {
            return Ok(found);
        }
    }
}

/// An on-start script, if there is one and if it can be read.
pub(crate) type Script = Result<Option<String>, Unreadable>;

/// What an instance is given at its next start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attach<'a> {
    Configuration(&'a str),
    Nothing,
}

impl SageMaker {
    pub(crate) fn of(config: &SdkConfig) -> Self {
        Self(Client::new(config))
    }

    /// An instance; `None`: there is none.
    ///
    /// # Errors
    /// AWS refuses to say.
    pub(crate) async fn instance(&self, name: &str) -> Result<Option<InstanceFacts>, CliError> {
        instance_facts(&self.0, name).await
    }

    /// The on-start script of a lifecycle configuration; `None`: there is no such configuration, or it has none. One that is there and cannot be
    /// read is neither.
    ///
    /// # Errors
    /// AWS refuses to say.
    pub(crate) async fn script(&self, configuration: &str) -> Result<Script, CliError> {
        Ok(on_start(&self.0, configuration).await?.as_deref().map(decoded).transpose())
    }

    /// Whether there is a lifecycle configuration of this name.
    ///
    /// # Errors
    /// AWS refuses to say.
    pub(crate) async fn has_configuration(&self, name: &str) -> Result<bool, CliError> {
        let call = self.0.describe_notebook_instance_lifecycle_config();
        match call.notebook_instance_lifecycle_config_name(name).send().await {
            Ok(_) => Ok(true),
            Err(error) if is_missing(error.message()) => Ok(false),
            Err(error) => Err(CliError::asked(format!("look for the lifecycle configuration {name}"), &error)),
        }
    }

    /// Changes the lifecycle configuration of an instance that is stopped.
    ///
    /// # Errors
    /// AWS refuses, or its answer is lost.
    pub(crate) async fn attach(&self, instance: &str, attach: Attach<'_>) -> Result<(), CliError> {
        let call = self.0.update_notebook_instance().notebook_instance_name(instance);
        let call = match attach {
            Attach::Configuration(name) => call.lifecycle_config_name(name),
            Attach::Nothing => call.disassociate_lifecycle_config(true),
        };
        call.send().await.map(|_| ()).map_err(|error| {
            CliError::changing(
                format!("change the lifecycle configuration of {instance}"),
                &error,
                format!("the lifecycle configuration of {instance} may have changed or not"),
                format!("aws sagemaker describe-notebook-instance --notebook-instance-name {instance}"),
            )
        })
    }
}
