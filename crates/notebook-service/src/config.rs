//! What the service is told at its start.

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc, time::Duration};

use reveille_instance_model::{NotebookInstanceStatus, Time, Timings};

use crate::AccessKey;

/// A change of an instance's state, as told to the listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// The instance's name.
    pub instance: String,
    pub arn: String,
    /// The state before; `None` for a new instance.
    pub from: Option<NotebookInstanceStatus>,
    /// The state now; `None`: it is gone.
    pub to: Option<NotebookInstanceStatus>,
    /// When.
    pub at: Time,
    /// Why it is Failed.
    pub failure_reason: Option<String>,
}

/// Is told every change of state, in order, on the service's own task: it must return at once.
pub type StateListener = Arc<dyn Fn(&StateChange) + Send + Sync>;

/// Is told every line of the service's log (without a line end): it must return at once.
pub type LogListener = Arc<dyn Fn(&str) + Send + Sync>;

/// How instances are booted as machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machines {
    /// The root that each boot gets a copy-on-write view of: made by `make root`.
    pub root: PathBuf,
    /// The memory of one machine in bytes.
    pub memory: u64,
    /// How long a machine may take until it is up.
    pub up_limit: Duration,
}

impl Machines {
    /// Machines with this root, a minute to come up (they need one second, on a busy laptop ten), and 2 GiB of memory
    /// each, which is half of what an `ml.t3.medium` has.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), memory: 2 << 30, up_limit: Duration::from_mins(1) }
    }
}

/// How long what runs on an instance may take to end when it is stopped: longer than the unit of the runner, which knows its
/// own limit. Who listens to SIGTERM is gone at once.
const POWER_OFF_LIMIT: Duration = Duration::from_secs(70);

/// The configuration of the service.
#[derive(Clone)]
pub struct Config {
    /// Holds `instances/<name>/` (the root of each instance) and `logs/<name>/<stream>`.
    pub directory: PathBuf,
    /// The port on 127.0.0.1; 0: a free one.
    pub port: u16,
    /// The region of the account.
    pub region: String,
    /// The twelve-digit account number.
    pub account: String,
    /// `PATH` of lifecycle scripts.
    pub path: String,
    /// What else is in their environment: endpoints, credentials. `PATH`, `HOME`, `REVEILLE_ROOT` and
    /// `REVEILLE_BOOT` cannot be overridden here.
    pub environment: BTreeMap<String, String>,
    /// What every request's credential must name; `None`: a new one, which scripts get as `AWS_ACCESS_KEY_ID` unless
    /// their environment has one.
    pub access_key: Option<AccessKey>,
    /// Where the local AWS listens that has the roles, and says what each may do: `127.0.0.1:4566`. `None`: each may do everything.
    pub authorizer: Option<String>,
    /// Ports of subnets' endpoints that lead to the local AWS: a client behind one has that port in its `Host`.
    pub forwarded_ports: Vec<u16>,
    /// Instances are machines that boot (root only); `None`: they are folders.
    pub machines: Option<Machines>,
    /// How long things take.
    pub timings: Timings,
    /// How long the processes of a boot have between SIGTERM and SIGKILL when their instance is stopped.
    pub kill_grace: Duration,
    /// The most bytes of one log stream; the rest of the output is dropped.
    pub log_limit: u64,
    /// Is told every change of state.
    pub on_state_change: Option<StateListener>,
    /// Is told every line of the log.
    pub on_log: Option<LogListener>,
}

impl Config {
    /// A configuration with this directory and the defaults: a free port, `us-east-1`, account
    /// 000000000000, quick timings, 70 s of grace (the runner's unit has 60), 1 MiB of each log.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            port: 0,
            region: "us-east-1".to_owned(),
            account: "000000000000".to_owned(),
            path: "/usr/local/bin:/usr/bin:/bin".to_owned(),
            environment: BTreeMap::new(),
            access_key: None,
            authorizer: None,
            forwarded_ports: Vec::new(),
            machines: None,
            timings: Timings::local(),
            kill_grace: POWER_OFF_LIMIT,
            log_limit: 1 << 20,
            on_state_change: None,
            on_log: None,
        }
    }
}

impl fmt::Debug for Config {
    /// Without the environment's values: there are credentials among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("directory", &self.directory)
            .field("port", &self.port)
            .field("region", &self.region)
            .field("account", &self.account)
            .field("path", &self.path)
            .field("environment", &self.environment.keys())
            .field("machines", &self.machines)
            .field("timings", &self.timings)
            .finish_non_exhaustive()
    }
}
