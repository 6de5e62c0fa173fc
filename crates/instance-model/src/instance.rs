//! One notebook instance: what it is, and the phase it is in.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use crate::{BootNumber, FaultId, Hook, NotebookInstanceStatus, Time};

/// Past states kept for stale answers; a whole start and stop is six.
const HISTORY_LIMIT: usize = 64;

/// The settings of an instance, as given at creation and changed by updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceSettings {
    /// E.g. `ml.t3.medium`.
    pub instance_type: String,
    /// The role of the instance.
    pub role_arn: String,
    /// The name of its lifecycle configuration.
    pub lifecycle_config: Option<String>,
    /// The size of its volume in GB (AWS's default is 5).
    pub volume_gb: u32,
    /// The platform (AWS's default is `notebook-al2023-v1`).
    pub platform: String,
    /// `Enabled` or `Disabled`.
    pub root_access: String,
    /// `Enabled` or `Disabled`.
    pub direct_internet_access: String,
    /// The minimum version of the instance metadata service: `1` or `2`.
    pub imds_version: String,
    pub subnet_id: Option<String>,
    pub security_groups: Vec<String>,
    /// The key that encrypts the volume.
    pub kms_key_id: Option<String>,
    /// `ipv4` or `dualstack` (AWS's default is `ipv4`).
    pub ip_address_type: String,
    /// Elastic Inference types: kept and shown, nothing more.
    pub accelerator_types: Vec<String>,
    /// The Git repository that Jupyter opens in: kept and shown, never fetched.
    pub default_code_repository: Option<String>,
    /// More Git repositories: kept and shown, never fetched.
    pub additional_code_repositories: Vec<String>,
}

impl InstanceSettings {
    /// The settings with AWS's defaults for all but the two required ones.
    #[must_use]
    pub fn new(instance_type: impl Into<String>, role_arn: impl Into<String>) -> Self {
        Self {
            instance_type: instance_type.into(),
            role_arn: role_arn.into(),
            lifecycle_config: None,
            volume_gb: 5,
            platform: "notebook-al2023-v1".to_owned(),
            root_access: "Enabled".to_owned(),
            direct_internet_access: "Enabled".to_owned(),
            imds_version: "2".to_owned(),
            subnet_id: None,
            security_groups: Vec::new(),
            kms_key_id: None,
            ip_address_type: "ipv4".to_owned(),
            accelerator_types: Vec::new(),
            default_code_repository: None,
            additional_code_repositories: Vec::new(),
        }
    }
}

/// An instance as the API describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceView {
    pub name: String,
    /// Its ARN; the name in it is lower case, as on AWS.
    pub arn: String,
    /// Its state.
    pub status: NotebookInstanceStatus,
    /// Why it is Failed.
    pub failure_reason: Option<String>,
    /// When it was created.
    pub created: Time,
    /// When its state changed last.
    pub modified: Time,
    pub settings: Arc<InstanceSettings>,
}

/// When a phase ends by itself, unless a fault holds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due {
    pub(crate) at: Time,
    pub(crate) held_by: Option<FaultId>,
}

impl Due {
    pub(crate) fn when(self) -> Option<Time> {
        self.held_by.is_none().then_some(self.at)
    }
}

/// The scripts that a boot still has to run, fixed when Start was accepted.
#[derive(Clone, Debug)]
pub(crate) struct BootPlan {
    pub(crate) scripts: VecDeque<(Hook, Arc<[u8]>)>,
    pub(crate) config_arn: String,
}

/// What comes after Pending.
#[derive(Clone, Debug)]
pub(crate) enum Provisioned {
    /// The machine boots.
    Boot,
    /// There is no capacity: Failed.
    NoCapacity,
    /// The Start is not carried out: the state before it, with the failure reason that it had.
    Back { to: NotebookInstanceStatus, reason: Option<String> },
}

/// What happens to an instance at present.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    /// Nothing: `InService`, Stopped or Failed.
    Steady,
    /// Pending, before there is a machine.
    Provisioning {
        due: Due,
        then: Provisioned,
        plan: BootPlan,
    },
    /// Pending, a lifecycle script runs.
    Script {
        hook: Hook,
        deadline: Time,
        plan: BootPlan,
    },
    /// Pending, the boot is being killed; Failed follows.
    Failing {
        reason: String,
    },
    /// Stopping. `kill_at` until the kill was asked for, `killed` once it is confirmed.
    Stopping {
        kill_at: Option<Time>,
        killed: bool,
        due: Due,
    },
    /// Updating to these settings.
    Updating {
        due: Due,
        settings: Box<InstanceSettings>,
    },
    Deleting {
        due: Due,
    },
    /// `PendingMaintenance`, then (`lasting` is `None`) `InMaintenance`, then `back_to`
    /// with the failure reason it had.
    Maintenance {
        due: Due,
        lasting: Option<Duration>,
        back_to: NotebookInstanceStatus,
        reason: Option<String>,
    },
}

impl Phase {
    fn due(&self) -> Option<Time> {
        match self {
            Self::Script { deadline, .. } => Some(*deadline),
            Self::Stopping { kill_at: Some(at), .. } => Some(*at),
            Self::Provisioning { due, .. }
            | Self::Updating { due, .. }
            | Self::Deleting { due }
            | Self::Maintenance { due, .. }
            | Self::Stopping { killed: true, due, .. } => due.when(),
            Self::Steady | Self::Failing { .. } | Self::Stopping { .. } => None,
        }
    }

    fn due_mut(&mut self) -> Option<&mut Due> {
        match self {
            Self::Provisioning { due, .. } | Self::Stopping { due, .. } => Some(due),
            _ => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) view: InstanceView,
    pub(crate) phase: Phase,
    pub(crate) boot: Option<BootNumber>,
    pub(crate) boots: u64,
    history: VecDeque<InstanceView>,
}

impl Instance {
    pub(crate) fn new(view: InstanceView, phase: Phase) -> Self {
        let history = VecDeque::from([view.clone()]);
        Self { view, phase, boot: None, boots: 0, history }
    }

    pub(crate) fn due(&self) -> Option<Time> {
        self.phase.due()
    }

    /// Enters a state at a time; the views before stay available to stale answers.
    pub(crate) fn enter(&mut self, at: Time, status: NotebookInstanceStatus, failure_reason: Option<String>) {
        self.view.status = status;
        self.view.failure_reason = failure_reason;
        self.view.modified = at;
        if self.history.len() == HISTORY_LIMIT {
            self.history.pop_front();
        }
        self.history.push_back(self.view.clone());
    }

    /// The view as it was at a time; the oldest one known, if that was before.
    pub(crate) fn view_at(&self, time: Time) -> &InstanceView {
        let known = self.history.iter().rev().find(|view| view.modified <= time);
        known.or(self.history.front()).unwrap_or(&self.view)
    }

    /// Lets a held phase go, if one of these faults held it.
    pub(crate) fn release(&mut self, now: Time, released: impl Fn(FaultId) -> bool) {
        if let Some(due) = self.phase.due_mut()
            && due.held_by.is_some_and(released)
        {
            *due = Due { at: now.max(due.at), held_by: None };
        }
    }
}

pub(crate) type Instances = BTreeMap<String, Instance>;
