//! Notebook instances, and whose boot each is on.

use std::collections::BTreeSet;

use aws_sdk_sagemaker::types::NotebookInstanceStatus;
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use reveille_domain::{InstanceName, RunId, layout::AttemptRef, records::Lease};

use super::{AT_ONCE, Account, executions::time, unless_forgotten};
use crate::error::CliError;

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
    /// It has a lease that cannot be read: nobody acts on it.
    pub(crate) is_lease_damaged: bool,
    /// The run that the lease names, of an instance that is on.
    pub(crate) holder: Option<Holder>,
}

/// The run that a lease names: the one that it is busy with, or else the one that started the boot. The lease may be older than its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) run: RunId,
    pub(crate) holds: Holds,
}

/// Whether a run still needs its instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    Still,
    /// Since then it does not.
    Until(DateTime<Utc>),
    /// Its records are gone or cannot be read, so that it is not known any more.
    Unknown,
}

/// An instance's status, and when it changed last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) status: NotebookInstanceStatus,
    pub(super) kind: Option<String>,
    pub(super) since: Option<DateTime<Utc>>,
}

/// Whether no runner can be at work there.
pub(super) const fn is_off(status: &NotebookInstanceStatus) -> bool {
    use NotebookInstanceStatus as Status;
    matches!(status, Status::Stopped | Status::Failed | Status::Deleting)
}

impl Instance {
    /// Whether it may cost money.
    pub(crate) const fn is_on(&self) -> bool {
        !is_off(&self.status)
    }
}

impl Account {
    /// All instances of the account and region, in the order of their names.
    pub(crate) async fn instances(&self) -> Result<Vec<Instance>, CliError> {
        let with_lease = async |found: Instance| {
            // One damaged lease is no reason to show no instance at all.
            let (lease, is_lease_damaged) = match self.believed_lease(&found.name).await {
                Err(CliError::Record { .. }) => (None, true),
                lease => (lease?, false),
            };
            let named = lease.as_ref().filter(|_| found.is_on());
            let holder = match named {
                Some(lease) => Some(self.holder(&found.name, lease).await?),
                None => None,
            };
            Ok(Instance { lease, is_lease_damaged, holder, ..found })
        };
        stream::iter(self.listed().await?).map(with_lease).buffered(AT_ONCE).try_collect().await
    }

    /// The same as they are listed, without what is recorded of them.
    pub(crate) async fn listed(&self) -> Result<Vec<Instance>, CliError> {
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
                    is_lease_damaged: false,
                    holder: None,
                    name,
                    kind: item.instance_type.map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
                    status: item.notebook_instance_status.unwrap_or_else(|| "Unknown".into()),
                    since: item.last_modified_time.map(time),
                    has_lifecycle_configuration: item.notebook_instance_lifecycle_config_name.is_some(),
                });
            }
            match listed.next_token {
                Some(next) => token = Some(next),
                None => break,
            }
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    /// The run that a lease names, and whether it still needs the instance.
    pub(crate) async fn holder(&self, instance: &InstanceName, lease: &Lease) -> Result<Holder, CliError> {
        let at = lease.busy.clone().unwrap_or_else(|| lease.starter(instance));
        // One damaged record is no reason to show no instance at all.
        let holds = match self.holds(&at).await {
            Err(CliError::Record { .. }) => Holds::Unknown,
            holds => holds?,
        };
        Ok(Holder { run: at.run, holds })
    }

    async fn holds(&self, at: &AttemptRef) -> Result<Holds, CliError> {
        // The notebook ends before its execution, which goes on until the instance is seen stopped.
        if let Some(report) = self.report(at).await? {
            return Ok(Holds::Until(report.ended_at));
        }
        let Some(request) = self.request(&at.instance, &at.run).await? else { return Ok(Holds::Unknown) };
        Ok(match unless_forgotten(self.outline(&request.execution_arn).await)? {
            Some(run) if run.execution.is_running() => Holds::Still,
            Some(run) => run.execution.stopped.map_or(Holds::Unknown, Holds::Until),
            None => Holds::Unknown,
        })
    }

    /// The names of the first hundred, each with its status: a page, which is one call.
    pub(crate) async fn instance_names(&self) -> Result<Vec<(String, String)>, CliError> {
        let listed = self.sagemaker.list_notebook_instances().max_results(PAGE).send().await;
        let listed = listed.map_err(|error| CliError::asked("list the notebook instances", &error))?;
        let named = listed.notebook_instances.unwrap_or_default().into_iter().filter_map(|item| {
            let status = item.notebook_instance_status.map(|status| status.as_str().to_owned());
            Some((item.notebook_instance_name?, status.unwrap_or_default()))
        });
        Ok(named.collect())
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

    /// Those of these instances that do not exist. What cannot be an instance's name is not looked for.
    pub(crate) async fn missing(&self, names: BTreeSet<&str>) -> Result<BTreeSet<String>, CliError> {
        let names = names.into_iter().filter(|name| InstanceName::parse(name).is_ok()).map(str::to_owned);
        let look = async |name: String| Ok(self.seen(&name).await?.is_none().then_some(name));
        let looks = stream::iter(names).map(look).buffered(AT_ONCE);
        looks.try_filter_map(async |missing| Ok(missing)).try_collect().await
    }

    /// An instance's status; `None`: there is no such instance any more.
    pub(crate) async fn status(&self, name: &str) -> Result<Option<NotebookInstanceStatus>, CliError> {
        Ok(self.seen(name).await?.map(|seen| seen.status))
    }

    /// An instance's type, such as `ml.t3.medium`; `None`: there is no such instance any more.
    pub(crate) async fn instance_type(&self, name: &str) -> Result<Option<String>, CliError> {
        Ok(self.seen(name).await?.and_then(|seen| seen.kind))
    }

    /// The same with the time of its last change.
    pub(super) async fn seen(&self, name: &str) -> Result<Option<Seen>, CliError> {
        match self.sagemaker.describe_notebook_instance().notebook_instance_name(name).send().await {
            Ok(described) => Ok(described.notebook_instance_status.map(|status| Seen {
                status,
                kind: described.instance_type.map(|kind| kind.as_str().to_owned()),
                since: described.last_modified_time.map(time),
            })),
            // SageMaker has no error of its own for it: ValidationException, "RecordNotFound".
            Err(error)
                if error.as_service_error().is_some_and(|error| error.meta().message() == Some("RecordNotFound")) =>
            {
                Ok(None)
            }
            Err(error) => Err(CliError::asked(format!("describe the notebook instance {name}"), &error)),
        }
    }
}
