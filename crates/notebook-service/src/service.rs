//! The running service and its handle.

use std::{
    collections::HashMap,
    fmt, fs, io,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::DirBuilderExt,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use reveille_instance_model::{
    Account, ApiError, ArmedFault, Command, FaultError, FaultId, Hook, InstanceCalls, InstanceFault, Response, Snapshot,
};
use tokio::{
    net::TcpListener,
    sync::Notify,
    task::{JoinHandle, JoinSet},
    time::timeout,
};

use crate::{
    AccessKey, Config, MachineDisk,
    authorizer::Authorizer,
    booted, driver,
    guard::Guard,
    host::Host,
    http::router,
    network::Endpoint,
    processes::KillError,
    roles::{KEY_VARIABLE, RoleCall, RoleCalls},
    shared::{Shared, lock},
};

/// How long requests under way may take at the end; they take milliseconds.
const REQUEST_GRACE: Duration = Duration::from_secs(1);
/// How long the processes of boots may take to end when the service itself ends: whoever ends it waits.
const CLOSING_GRACE: Duration = Duration::from_millis(500);

/// Why the service could not start or end well.
#[derive(Debug)]
pub enum ServiceError {
    /// The directory cannot be used.
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The port cannot be bound.
    Bind {
        /// Which.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// The system has no random numbers for an access key.
    AccessKey(io::Error),
    /// Instances cannot be machines here.
    Machines(String),
    /// A boot could not be killed at the end.
    Kill(KillError),
    /// The task that kills was cut off.
    Cut,
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory { path, source } => {
                write!(f, "the directory {} cannot be used: {source}; give another one", path.display())
            }
            Self::Bind { port, source } => {
                write!(f, "port {port} on 127.0.0.1 cannot be bound: {source}; give another one, or 0 for any")
            }
            Self::AccessKey(error) => write!(f, "no access key can be made: {error}; look at the system's random numbers"),
            Self::Machines(missing) => write!(f, "instances cannot be machines here: {missing}"),
            Self::Kill(error) => write!(f, "{error}"),
            Self::Cut => {
                f.write_str("the runtime ended before every boot was killed; look for processes with REVEILLE_BOOT in their environment")
            }
        }
    }
}

impl std::error::Error for ServiceError {}

/// The running service. Dropping it kills every boot without grace; [`NotebookService::shutdown`] is kinder.
pub struct NotebookService {
    shared: Arc<Shared>,
    address: SocketAddr,
    http: JoinHandle<()>,
    driver: JoinHandle<()>,
}

/// Starts the service on the present tokio runtime (which needs its I/O and time drivers).
///
/// # Errors
/// The directory or the port cannot be used.
pub async fn serve(mut config: Config) -> Result<NotebookService, ServiceError> {
    // For this user alone: scripts write their environment, and the access key is in it.
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&config.directory);
    let usable = made.and_then(|()| fs::canonicalize(&config.directory));
    // Absolute, because scripts run elsewhere.
    config.directory = usable.map_err(|source| ServiceError::Directory { path: config.directory.clone(), source })?;
    if let Some(machines) = &mut config.machines
        && let Ok(root) = fs::canonicalize(&machines.root)
    {
        // One that is not there is told next.
        machines.root = root;
    }
    if let Some(missing) = config.machines.as_ref().and_then(booted::missing) {
        return Err(ServiceError::Machines(missing));
    }
    let bind = |source| ServiceError::Bind { port: config.port, source };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port)).await.map_err(bind)?;
    let address = listener.local_addr().map_err(bind)?;
    let forwarded = config.forwarded_ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    let guard = Guard { host: address.to_string(), forwarded, key: access_key(&mut config)? };
    let authorizer = config.authorizer.clone().map(|address| Authorizer::new(address, guard.key.clone()));
    let account = Account::new(config.region.clone(), config.account.clone(), config.timings.clone());
    let shared = Arc::new(Shared {
        host: Host::new(&config),
        guard,
        roles: RoleCalls::default(),
        authorizer,
        booting: Mutex::default(),
        config,
        wake: Notify::new(),
        closing: Notify::new(),
        account: Mutex::new(account),
        boots: Mutex::new(HashMap::new()),
        work: Mutex::new(JoinSet::new()),
    });
    let closing = shared.clone();
    let server = axum::serve(listener, router(shared.clone()))
        .with_graceful_shutdown(async move { closing.closing.notified().await });
    let http = tokio::spawn(async move {
        // axum's serve never fails: it goes on after a failed accept.
        let _ = server.await;
    });
    let driver = tokio::spawn(driver::drive(shared.clone()));
    shared.log(&format!("listening on http://{address}"));
    Ok(NotebookService { shared, address, http, driver })
}

/// The key that is configured, or a new one, which scripts are told too: what they start calls this service.
fn access_key(config: &mut Config) -> Result<AccessKey, ServiceError> {
    if let Some(key) = &config.access_key {
        return Ok(key.clone());
    }
    let key = AccessKey::random().map_err(ServiceError::AccessKey)?;
    config.environment.entry(KEY_VARIABLE.to_owned()).or_insert_with(|| key.as_str().to_owned());
    config.access_key = Some(key.clone());
    Ok(key)
}

impl NotebookService {
    /// The endpoint: what `AWS_ENDPOINT_URL_SAGEMAKER` is set to.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The access key that every request's credential must name.
    #[must_use]
    pub fn access_key(&self) -> &AccessKey {
        &self.shared.guard.key
    }

    /// Applies one request as the API would, without HTTP; `caller` is in the call log.
    ///
    /// # Errors
    /// As the API answers them.
    pub fn apply(&self, caller: &str, command: Command) -> Result<Response, ApiError> {
        self.shared.apply(caller, command)
    }

    /// The different calls that roles made so far, whatever came of them.
    #[must_use]
    pub fn role_calls(&self) -> Vec<RoleCall> {
        self.shared.roles.all()
    }

    /// The truth about an instance, whatever faults make Describe say.
    #[must_use]
    pub fn snapshot(&self, name: &str) -> Option<Snapshot> {
        self.shared.account().snapshot(name)
    }

    /// The names of the instances there are.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.shared.account().names().map(str::to_owned).collect()
    }

    /// The calls to one name so far; `None` when there were none.
    #[must_use]
    pub fn calls(&self, name: &str) -> Option<InstanceCalls> {
        self.shared.account().calls(name).cloned()
    }

    /// The id of the boot of an instance whose processes may be alive.
    #[must_use]
    pub fn boot_id(&self, name: &str) -> Option<String> {
        let snapshot = self.snapshot(name)?;
        self.shared.boot_id(&snapshot)
    }

    /// The processes of the present boot of an instance, as this machine sees them.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn processes(&self, name: &str) -> io::Result<Vec<i32>> {
        let boot = self.snapshot(name).and_then(|snapshot| self.shared.boot(&snapshot));
        boot.map_or(Ok(Vec::new()), |boot| Host::processes(&self.machine(name), &boot))
    }

    /// What the machine of an instance said while it booted; there is none where instances are folders.
    #[must_use]
    pub fn console(&self, name: &str) -> PathBuf {
        self.shared.console(name)
    }

    /// The disk of an instance of this name.
    #[must_use]
    pub fn machine(&self, name: &str) -> MachineDisk {
        self.shared.machine(name)
    }

    /// The log of a hook of an instance.
    #[must_use]
    pub fn log_file(&self, name: &str, hook: Hook) -> PathBuf {
        self.shared.log_file(name, hook)
    }

    /// Makes a subnet without a way to the internet, or changes it: from their next boot on, instances in it reach these
    /// endpoints and nothing else. Only where instances are machines.
    pub fn set_subnet(&self, subnet: impl Into<String>, endpoints: Vec<Endpoint>) {
        self.shared.host.set_subnet(subnet.into(), endpoints);
    }

    /// Arms a fault.
    ///
    /// # Errors
    /// Too many are armed, or a maintenance has no number of times.
    pub fn arm(&self, fault: InstanceFault) -> Result<FaultId, FaultError> {
        self.shared.arm(fault)
    }

    /// The armed faults, and how often each fired.
    #[must_use]
    pub fn faults(&self) -> Vec<ArmedFault> {
        self.shared.account().faults().to_vec()
    }

    /// Clears one fault, or all; tells how many.
    #[must_use]
    pub fn clear_faults(&self, id: Option<FaultId>) -> usize {
        self.shared.clear(id)
    }

    /// Stops serving and kills every boot.
    ///
    /// # Errors
    /// A process could not be killed.
    pub async fn shutdown(mut self) -> Result<(), ServiceError> {
        self.shared.closing.notify_one();
        // Requests under way may end; a client that dawdles is cut off.
        if timeout(REQUEST_GRACE, &mut self.http).await.is_err() {
            self.http.abort();
        }
        self.driver.abort();
        // Aborted on purpose: the error says nothing else.
        let _ = (&mut self.driver).await;
        // No script may begin once the kill has.
        let mut work = std::mem::take(&mut *lock(&self.shared.work));
        work.shutdown().await;
        let shared = self.shared.clone();
        let killed = tokio::task::spawn_blocking(move || shared.kill_all(CLOSING_GRACE)).await;
        killed.map_err(|_| ServiceError::Cut)?.map_err(ServiceError::Kill)
    }
}

impl Drop for NotebookService {
    fn drop(&mut self) {
        self.http.abort();
        self.driver.abort();
        lock(&self.shared.work).abort_all();
        // After a shutdown nothing is left to find. What fails here failed in an unwinding test or a
        // dying program, where there is nobody to tell.
        let _ = self.shared.kill_all(Duration::ZERO);
    }
}
