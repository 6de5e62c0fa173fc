//! Notebook instances, and whose boot each is on.

use aws_sdk_sagemaker::types::NotebookInstanceStatus;
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use reveille_domain::{InstanceName, records::Lease};

use super::{AT_ONCE, Account, executions::time};
use crate::error::CliError;

/// More than an account has: the quota of running instances is 20 a type.
const MOST: usize = 1_000;
/// The most that ListNotebookInstances gives in a page.
const PAGE: i32 = 100;

/// A notebook instance.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) name: InstanceName,
    pub(crate) kind: String,
    pub(crate) status: NotebookInstanceStatus,
    /// When its status changed last.
    pub(crate) since: Option<DateTime<Utc>>,
    /// Without one no runner starts on it.
    pub(crate) has_lifecycle_configuration: bool,
    pub(crate) lease: Option<Lease>,
}

impl Account {
    /// All instances of the account and region, in the order of their names.
    pub(crate) async fn instances(&self) -> Result<Vec<Instance>, CliError> {
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let call = self.sagemaker.list_notebook_instances().max_results(PAGE).set_next_token(token.take());
            let listed = call.send().await.map_err(|error| CliError::asked("list the notebook instances", &error))?;
            for item in listed.notebook_instances.unwrap_or_default() {
                let Some(name) = item.notebook_instance_name.and_then(|name| InstanceName::parse(&name).ok()) else {
                    continue;
                };
                found.push(Instance {
                    lease: None,
                    name,
                    kind: item.instance_type.map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
                    status: item.notebook_instance_status.unwrap_or_else(|| "Unknown".into()),
                    since: item.last_modified_time.map(time),
                    has_lifecycle_configuration: item.notebook_instance_lifecycle_config_name.is_some(),
                });
            }
            match listed.next_token {
                Some(next) if found.len() < MOST => token = Some(next),
                _ => break,
            }
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        let with_lease = async |found: Instance| Ok(Instance { lease: self.lease(&found.name).await?, ..found });
        stream::iter(found).map(with_lease).buffered(AT_ONCE).try_collect().await
    }

    /// The status of an instance that somebody named.
    ///
    /// # Errors
    /// There is no such instance; it may be mistyped.
    pub(crate) async fn named(&self, name: &str) -> Result<NotebookInstanceStatus, CliError> {
        self.status(name).await?.ok_or_else(|| {
            let region = &self.region;
            CliError::NotThere(format!(
                "there is no notebook instance {name} in {region}; to list them: reveille instances"
            ))
        })
    }

    /// An instance's status; `None`: there is no such instance any more.
    pub(crate) async fn status(&self, name: &str) -> Result<Option<NotebookInstanceStatus>, CliError> {
        match self.sagemaker.describe_notebook_instance().notebook_instance_name(name).send().await {
            Ok(described) => Ok(described.notebook_instance_status),
            // SageMaker has no error of its own for it: ValidationException, "RecordNotFound".
            Err(error)
                if error.as_service_error().is_some_and(|error| error.meta().message() == Some("RecordNotFound")) =>
            {
                Ok(None)
            }
            Err(error) => Err(CliError::asked("describe the notebook instance", &error)),
        }
    }
}
