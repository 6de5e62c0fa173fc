//! What the HTTP side, the driver and the handle share.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::Utc;
use reveille_instance_model::{
    Account, ApiError, BootNumber, Command, FaultError, FaultId, Hook, InstanceFault, NotebookInstanceStatus, Response,
    Snapshot, Time,
};
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};

use crate::{
    Config, MachineDisk, authorizer::Authorizer, config::StateChange, guard::Guard, host::Host, launch::Boot,
    processes::KillError, roles::RoleCalls,
};

/// Now, for the model.
pub(crate) fn now() -> Time {
    Utc::now()
}

/// What the HTTP side, the driver and the handle share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) wake: Notify,
    pub(crate) closing: Notify,
    pub(crate) account: Mutex<Account>,
    pub(crate) boots: Mutex<HashMap<BootNumber, Boot>>,
    /// Boots that are under way; the sender is dropped when they are done.
    pub(crate) booting: Mutex<HashMap<BootNumber, watch::Receiver<()>>>,
    pub(crate) host: Host,
    pub(crate) guard: Guard,
    pub(crate) roles: RoleCalls,
    pub(crate) authorizer: Option<Authorizer>,
    pub(crate) work: Mutex<JoinSet<()>>,
}

/// A panic in one request leaves the model as it was after its last whole step: go on with it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn account(&self) -> MutexGuard<'_, Account> {
        lock(&self.account)
    }

    /// The boots that may have living processes.
    pub(crate) fn boots(&self) -> MutexGuard<'_, HashMap<BootNumber, Boot>> {
        lock(&self.boots)
    }

    /// Says that a boot is under way, until the answer is dropped.
    pub(crate) fn begin_boot(&self, boot: BootNumber) -> watch::Sender<()> {
        let (sender, receiver) = watch::channel(());
        lock(&self.booting).insert(boot, receiver);
        sender
    }

    /// The boot, once it is up; `None`: it did not come up, or is gone.
    pub(crate) async fn booted(&self, boot: BootNumber) -> Option<Boot> {
        let under_way = lock(&self.booting).get(&boot).cloned();
        if let Some(mut under_way) = under_way {
            // An error is what it waits for: the sender is gone.
            while under_way.changed().await.is_ok() {}
            lock(&self.booting).remove(&boot);
        }
        self.boots().get(&boot).cloned()
    }

    /// Starts a script or a kill; it is cut off when the service ends.
    pub(crate) fn start(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut work = lock(&self.work);
        while work.try_join_next().is_some() {}
        work.spawn(task);
    }

    pub(crate) fn machine(&self, instance: &str) -> MachineDisk {
        MachineDisk::new(self.config.directory.join("instances").join(instance))
    }

    pub(crate) fn log_file(&self, instance: &str, hook: Hook) -> PathBuf {
        self.config.directory.join("logs").join(instance).join(hook.log_stream())
    }

    pub(crate) fn console(&self, instance: &str) -> PathBuf {
        self.config.directory.join("logs").join(instance).join("console")
    }

    pub(crate) fn log(&self, line: &str) {
        if let Some(listener) = &self.config.on_log {
            listener(line);
        }
    }

    pub(crate) fn tell(&self, change: &StateChange) {
        let name = |status: Option<NotebookInstanceStatus>| status.map_or("none", NotebookInstanceStatus::as_str);
        let StateChange { instance, from, to, .. } = change;
        let reason = change.failure_reason.as_deref().unwrap_or_default();
        self.log(&format!("instance {instance}: {} -> {} {reason}", name(*from), name(*to)));
        if let Some(listener) = &self.config.on_state_change {
            listener(change);
        }
    }

    /// Applies one request, as the API does.
    pub(crate) fn apply(&self, caller: &str, command: Command) -> Result<Response, ApiError> {
        let line = format!("{} {} by {caller}", command.operation(), command.instance().unwrap_or("-"));
        let result = self.account().apply(now(), caller, command);
        match &result {
            Ok(_) => self.log(&format!("{line}: accepted")),
            Err(error) => self.log(&format!("{line}: {}: {error}", error.code())),
        }
        self.wake.notify_one();
        result
    }

    pub(crate) fn arm(&self, fault: InstanceFault) -> Result<FaultId, FaultError> {
        let armed = self.account().arm(now(), fault);
        self.wake.notify_one();
        armed
    }

    pub(crate) fn clear(&self, id: Option<FaultId>) -> usize {
        let cleared = self.account().clear_faults(now(), id);
        self.wake.notify_one();
        cleared
    }

    /// The boot whose processes may be alive.
    pub(crate) fn boot(&self, snapshot: &Snapshot) -> Option<Boot> {
        snapshot.boot.and_then(|boot| self.boots().get(&boot).cloned())
    }

    pub(crate) fn boot_id(&self, snapshot: &Snapshot) -> Option<String> {
        self.boot(snapshot).map(|boot| boot.id)
    }

    pub(crate) fn kill_all(&self, grace: Duration) -> Result<(), KillError> {
        let snapshots: Vec<Snapshot> = {
            let account = self.account();
            account.names().filter_map(|name| account.snapshot(name)).collect()
        };
        let alive = |snapshot: &Snapshot| Some((self.machine(&snapshot.view.name), self.boot(snapshot)?));
        let boots: Vec<(MachineDisk, Boot)> = snapshots.iter().filter_map(alive).collect();
        self.host.end_all(&boots, grace)
    }
}
