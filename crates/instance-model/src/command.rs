//! What can be asked of the service, and what it answers.

use std::collections::BTreeMap;

use crate::{
    ConfigSort, ConfigView, InstanceFilter, InstanceSettings, InstanceSort, InstanceView, ListQuery, Operation, Page,
};

/// A request. Names, rules between members and what must exist are checked when it is applied; what each member may look
/// like by itself is checked by whoever reads it from the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Creates an instance and starts it.
    CreateInstance(CreateInstance),
    /// Reads one instance.
    DescribeInstance {
        name: String,
    },
    ListInstances(ListQuery<InstanceSort>, InstanceFilter),
    /// Starts an instance.
    Start {
        name: String,
    },
    /// Stops an instance.
    Stop {
        name: String,
    },
    /// Changes an instance.
    Update(UpdateInstance),
    /// Deletes an instance.
    Delete {
        name: String,
    },
    /// Creates a lifecycle configuration.
    CreateConfig(CreateConfig),
    /// Reads one lifecycle configuration.
    DescribeConfig {
        name: String,
    },
    /// Replaces the given scripts of a lifecycle configuration; its tags are ignored.
    UpdateConfig(CreateConfig),
    /// Deletes a lifecycle configuration.
    DeleteConfig {
        name: String,
    },
    /// Lists lifecycle configurations.
    ListConfigs(ListQuery<ConfigSort>),
    /// Adds or replaces tags of a resource.
    AddTags {
        /// The resource.
        arn: String,
        tags: BTreeMap<String, String>,
    },
    /// Reads the tags of a resource.
    ListTags {
        /// The resource.
        arn: String,
    },
    /// Removes tags of a resource.
    DeleteTags {
        /// The resource.
        arn: String,
        /// Their keys.
        keys: Vec<String>,
    },
}

impl Command {
    /// The operation that this is a request of.
    #[must_use]
    pub const fn operation(&self) -> Operation {
        match self {
            Self::CreateInstance(_) => Operation::CreateNotebookInstance,
            Self::DescribeInstance { .. } => Operation::DescribeNotebookInstance,
            Self::ListInstances(..) => Operation::ListNotebookInstances,
            Self::Start { .. } => Operation::StartNotebookInstance,
            Self::Stop { .. } => Operation::StopNotebookInstance,
            Self::Update(_) => Operation::UpdateNotebookInstance,
            Self::Delete { .. } => Operation::DeleteNotebookInstance,
            Self::CreateConfig(_) => Operation::CreateNotebookInstanceLifecycleConfig,
            Self::DescribeConfig { .. } => Operation::DescribeNotebookInstanceLifecycleConfig,
            Self::UpdateConfig(_) => Operation::UpdateNotebookInstanceLifecycleConfig,
            Self::DeleteConfig { .. } => Operation::DeleteNotebookInstanceLifecycleConfig,
            Self::ListConfigs(_) => Operation::ListNotebookInstanceLifecycleConfigs,
            Self::AddTags { .. } => Operation::AddTags,
            Self::ListTags { .. } => Operation::ListTags,
            Self::DeleteTags { .. } => Operation::DeleteTags,
        }
    }

    /// The name of the one instance it is about, if it is about one.
    #[must_use]
    pub fn instance(&self) -> Option<&str> {
        match self {
            Self::CreateInstance(create) => Some(&create.name),
            Self::Update(update) => Some(&update.name),
            Self::DescribeInstance { name } | Self::Start { name } | Self::Stop { name } | Self::Delete { name } => {
                Some(name)
            }
            _ => None,
        }
    }
}

/// A new instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateInstance {
    /// Its name: at most 63 letters, digits and inner hyphens.
    pub name: String,
    /// Everything else about it.
    pub settings: InstanceSettings,
    pub tags: BTreeMap<String, String>,
}

/// A change of something that an instance may have or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// As it was.
    #[default]
    Keep,
    /// This one from the next start on.
    Set(T),
    /// None any more.
    Remove,
}

impl<T> Change<T> {
    /// What there is afterwards.
    pub(crate) fn of(self, old: Option<T>) -> Option<T> {
        match self {
            Self::Keep => old,
            Self::Set(new) => Some(new),
            Self::Remove => None,
        }
    }
}

/// A change of the lifecycle configuration of an instance.
pub type LifecycleChange = Change<String>;

/// A change of an instance; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdateInstance {
    pub name: String,
    /// A new instance type.
    pub instance_type: Option<String>,
    /// A new role.
    pub role_arn: Option<String>,
    /// The lifecycle configuration.
    pub lifecycle_config: LifecycleChange,
    /// A new size of the volume in GB.
    pub volume_gb: Option<u32>,
    /// `Enabled` or `Disabled`.
    pub root_access: Option<String>,
    /// A new platform.
    pub platform: Option<String>,
    /// `1` or `2`.
    pub imds_version: Option<String>,
    /// `ipv4` or `dualstack`.
    pub ip_address_type: Option<String>,
    /// Elastic Inference types.
    pub accelerator_types: Change<Vec<String>>,
    /// The Git repository that Jupyter opens in.
    pub default_code_repository: Change<String>,
    /// More Git repositories.
    pub additional_code_repositories: Change<Vec<String>>,
}

/// A new lifecycle configuration, or a change of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateConfig {
    pub name: String,
    /// The base64 content of the `OnCreate` script.
    pub on_create: Option<String>,
    /// The base64 content of the `OnStart` script.
    pub on_start: Option<String>,
    pub tags: BTreeMap<String, String>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// Done; there is nothing to say.
    Empty,
    /// The ARN of a new instance.
    InstanceArn(String),
    Instance(Box<InstanceView>),
    /// Some instances.
    Instances(Page<InstanceView>),
    /// The ARN of a lifecycle configuration.
    ConfigArn(String),
    /// One lifecycle configuration.
    Config(Box<ConfigView>),
    /// Some lifecycle configurations.
    Configs(Page<ConfigView>),
    Tags(BTreeMap<String, String>),
}
