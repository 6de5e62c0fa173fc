//! One notebook instance: what SageMaker has of it, and its on-start script.

use aws_sdk_sagemaker::{
    Client,
    types::{DirectInternetAccess, NotebookInstanceStatus},
};
use aws_smithy_types::{base64, error::metadata::ProvideErrorMetadata};
use chrono::{DateTime, Utc};
use reveille_domain::{InstanceName, records::Lease};

use crate::{
    clients::{Account, executions::time},
    error::CliError,
};

/// The most that ListNotebookInstances gives in a page, and more than anybody looks at.
const PAGE: i32 = 100;

/// What SageMaker has of an instance.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InstanceFacts {
    pub(crate) status: NotebookInstanceStatus,
    pub(crate) failure: Option<String>,
    pub(crate) since: Option<DateTime<Utc>>,
    pub(crate) platform: Option<String>,
    pub(crate) lifecycle_configuration: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) subnet: Option<String>,
    pub(crate) reaches_internet: bool,
    pub(crate) key: Option<String>,
    pub(crate) repository: Option<String>,
}

impl Account {
    /// An instance; `None`: there is none.
    pub(crate) async fn instance_facts(&self, name: &str) -> Result<Option<InstanceFacts>, CliError> {
        instance_facts(&self.sagemaker, name).await
    }

    /// The on-start script of a lifecycle configuration, in base64 as SageMaker has it; `None`: it has none, or there is no such configuration.
    pub(crate) async fn on_start(&self, configuration: &str) -> Result<Option<String>, CliError> {
        on_start(&self.sagemaker, configuration).await
    }

    /// The instances whose lifecycle configuration has a name with this in it: those of infra/instance.yaml do, before anything has run on them.
    pub(crate) async fn instances_configured_as(&self, part: &str) -> Result<Vec<String>, CliError> {
        let (mut names, mut token) = (Vec::new(), None);
        loop {
            let call = self.sagemaker.list_notebook_instances().max_results(PAGE).set_next_token(token.take());
            let listed = call.notebook_instance_lifecycle_config_name_contains(part).send().await;
            let listed = listed.map_err(|error| CliError::asked("list the notebook instances", &error))?;
            let found = listed.notebook_instances.unwrap_or_default().into_iter();
            names.extend(found.filter_map(|instance| instance.notebook_instance_name));
            match listed.next_token {
                Some(next) => token = Some(next),
                None => return Ok(names),
            }
        }
    }

    /// An instance's lease; the inner error says what is wrong with one that is damaged.
    pub(crate) async fn lease_facts(&self, instance: &InstanceName) -> Result<Result<Option<Lease>, String>, CliError> {
        match self.lease(instance).await {
            Ok(lease) => Ok(Ok(lease)),
            Err(CliError::Record { problem, .. }) => Ok(Err(problem)),
            Err(error) => Err(error),
        }
    }
}

/// An instance, without a stack.
pub(crate) async fn instance_facts(sagemaker: &Client, name: &str) -> Result<Option<InstanceFacts>, CliError> {
    let it = match sagemaker.describe_notebook_instance().notebook_instance_name(name).send().await {
        Ok(it) => it,
        // SageMaker has no error of its own for it: ValidationException, "RecordNotFound".
        Err(error) if error.message() == Some("RecordNotFound") => return Ok(None),
        Err(error) => return Err(CliError::asked("describe the notebook instance", &error)),
    };
    Ok(Some(InstanceFacts {
        status: it.notebook_instance_status.unwrap_or_else(|| "Unknown".into()),
        failure: it.failure_reason,
        since: it.last_modified_time.map(time),
        platform: it.platform_identifier,
        lifecycle_configuration: it.notebook_instance_lifecycle_config_name,
        role: it.role_arn,
        subnet: it.subnet_id,
        reaches_internet: it.direct_internet_access != Some(DirectInternetAccess::Disabled),
        key: it.kms_key_id,
        repository: it.default_code_repository,
    }))
}

/// A lifecycle configuration's script, without a stack.
pub(crate) async fn on_start(sagemaker: &Client, configuration: &str) -> Result<Option<String>, CliError> {
    let call = sagemaker.describe_notebook_instance_lifecycle_config();
    match call.notebook_instance_lifecycle_config_name(configuration).send().await {
        Ok(it) => Ok(it.on_start.unwrap_or_default().into_iter().find_map(|hook| hook.content)),
        Err(error) if is_missing(error.message()) => Ok(None),
        Err(error) => Err(CliError::asked("read the lifecycle configuration", &error)),
    }
}

/// Whether SageMaker says that there is no such lifecycle configuration. It has no error of its own for it either: ValidationException, and words
/// that are others than an instance's.
pub(crate) fn is_missing(message: Option<&str>) -> bool {
    message.is_some_and(|message| message == "RecordNotFound" || message.contains("does not exist"))
}

/// Why a script that is there cannot be read as it is. It is not the same as none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) why: String,
    /// What can be read of it.
    pub(crate) part: String,
}

/// The script in its base64 form, which may be in several lines.
///
/// # Errors
/// It is no base64, or no UTF-8.
pub(crate) fn decoded(content: &str) -> Result<String, Unreadable> {
    let content: String = content.chars().filter(|sign| !sign.is_ascii_whitespace()).collect();
    let bytes = base64::decode(content)
        .map_err(|_| Unreadable { why: "it is not in base64".to_owned(), ..Unreadable::default() })?;
    String::from_utf8(bytes).map_err(|error| Unreadable {
        why: format!("it has a byte that is not UTF-8, as its character {}", error.utf8_error().valid_up_to() + 1),
        part: String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

/// Of a script all that can be read: enough to tell whose it is.
pub(crate) fn readable(content: &str) -> String {
    decoded(content).unwrap_or_else(|unreadable| unreadable.part)
}

#[cfg(test)]
mod tests {
    use super::{decoded, readable};
    use aws_smithy_types::base64;

    #[test]
    fn a_script_that_cannot_be_read_is_not_none() {
        let lines = base64::encode("#!/bin/bash\necho own")
            .as_bytes()
            .chunks(10)
            .map(|it| String::from_utf8(it.to_vec()).unwrap())
            .collect::<Vec<_>>();
        assert_eq!(decoded(&lines.join("\r\n")).as_deref(), Ok("#!/bin/bash\necho own"));
        let latin = base64::encode(b"# f\xfcr\necho own");
        let unreadable = decoded(&latin).unwrap_err();
        assert!(unreadable.why.contains("not UTF-8, as its character 4"), "{unreadable:?}");
        assert!(readable(&latin).ends_with("r\necho own"), "{unreadable:?}");
        assert!(decoded("echo own").unwrap_err().why.contains("not in base64"));
    }
}
