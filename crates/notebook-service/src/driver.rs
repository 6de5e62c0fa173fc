//! Carries out what the model asks for: directories, scripts, kills.

use std::{io, sync::Arc, time::Duration};

use reveille_instance_model::{BootNumber, Effect, Hook, ScriptResult};
use tokio::{sync::watch, task::spawn_blocking, time::sleep};

use crate::{
    booted::Named,
    config::StateChange,
    host::Host,
    launch::Boot,
    script::Script,
    shared::{Shared, now},
};

/// How long the driver sleeps at most when nothing is due.
const IDLE: Duration = Duration::from_hours(1);
/// Between two tries to kill a boot that would not die.
const KILL_RETRY: Duration = Duration::from_secs(1);
/// Tries to kill a boot; after these it stays Stopping, as some do on AWS.
const KILL_TRIES: u32 = 10;

/// Runs until aborted.
pub(crate) async fn drive(shared: Arc<Shared>) {
    loop {
        let (effects, due) = {
            let mut account = shared.account();
            (account.advance(now()), account.next_due())
        };
        for effect in effects {
            perform(&shared, effect).await;
        }
        let wait = due.map_or(IDLE, |due| (due - now()).to_std().unwrap_or_default());
        tokio::select! {
            () = shared.wake.notified() => {}
            () = sleep(wait) => {}
        }
    }
}

async fn perform(shared: &Arc<Shared>, effect: Effect) {
    match effect {
        Effect::StateChanged { instance, from, to, at, failure_reason } => {
            let arn = shared.account().instance_arn(&instance);
            let change = StateChange { instance, arn, from, to: Some(to), at, failure_reason };
            shared.tell(&change);
        }
        Effect::Deleted { instance, at } => {
            if let Err(error) = shared.machine(&instance).delete() {
                shared.log(&format!("instance {instance}: its directory could not be removed: {error}"));
            }
            let arn = shared.account().instance_arn(&instance);
            let change = StateChange { instance, arn, from: None, to: None, at, failure_reason: None };
            shared.tell(&change);
        }
        Effect::StartBoot { instance, boot } => {
            let under_way = shared.begin_boot(boot);
            let booting = start_boot(shared.clone(), instance, boot, under_way);
            if shared.host.boots_slowly() {
                shared.start(booting);
            } else {
                booting.await;
            }
        }
        Effect::RunLifecycleScript { instance, boot, hook, script } => {
            shared.start(run_script(shared.clone(), instance, boot, hook, script));
        }
        Effect::KillBoot { instance, boot } => {
            shared.start(end_boot(shared.clone(), instance, boot));
        }
    }
}

async fn start_boot(shared: Arc<Shared>, instance: String, boot: BootNumber, under_way: watch::Sender<()>) {
    let (arn, (role, subnet)) = {
        let account = shared.account();
        let settings = account.snapshot(&instance).map(|snapshot| snapshot.view.settings);
        let settings = settings.map(|settings| (settings.role_arn.clone(), settings.subnet_id.clone()));
        (account.instance_arn(&instance), settings.unwrap_or_default())
    };
    let (disk, console) = (shared.machine(&instance), shared.console(&instance));
    let (host, name) = (shared.clone(), instance.clone());
    let up = spawn_blocking(move || {
        let named = Named { name: &name, arn: &arn, role: &role, subnet: subnet.as_deref() };
        host.host.boot(&disk, &named, &host.config, &console)
    })
    .await;
    match up.map_err(io::Error::other).flatten() {
        Ok(up) => {
            shared.log(&format!("instance {instance}: boot {}", up.id));
            shared.boots().insert(boot, up);
        }
        Err(error) => {
            let reason = format!("The notebook instance could not be brought up: {}", what_to_do(&error));
            shared.log(&format!("instance {instance}: {reason}"));
            shared.account().boot_failed(now(), &instance, boot, &reason);
            shared.wake.notify_one();
        }
    }
    drop(under_way);
}

/// The error, and what helps where one thing does.
fn what_to_do(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            format!("{error}. Make room where the service has its folder (--directory)")
        }
        _ => error.to_string(),
    }
}

async fn run_script(shared: Arc<Shared>, instance: String, boot: BootNumber, hook: Hook, content: Arc<[u8]>) {
    // A boot that did not come up has no id, has failed its instance, and runs no script.
    let ended = match shared.booted(boot).await {
        Some(boot) => script(&shared, &instance, &boot, hook, content).run().await,
        None => Err(io::Error::other("the instance could not be brought up; the service's log says why")),
    };
    let result = match &ended {
        Ok(status) if status.success() => ScriptResult::Succeeded,
        _ => ScriptResult::Failed,
    };
    let outcome = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
    shared.log(&format!("instance {instance}: {hook} ended: {outcome}"));
    shared.account().script_ended(now(), &instance, boot, hook, result);
    shared.wake.notify_one();
}

fn script(shared: &Shared, instance: &str, boot: &Boot, hook: Hook, content: Arc<[u8]>) -> Script {
    let config = &shared.config;
    let (file, launch) = Host::launch(&shared.machine(instance), boot, hook, &content, config);
    Script { hook, content, file, launch, log: shared.log_file(instance, hook), log_limit: config.log_limit }
}

async fn end_boot(shared: Arc<Shared>, instance: String, boot: BootNumber) {
    if let Some(up) = shared.booted(boot).await
        && !kill(&shared, &instance, &up).await
    {
        return;
    }
    shared.boots().remove(&boot);
    shared.account().boot_killed(now(), &instance, boot);
    shared.wake.notify_one();
}

async fn kill(shared: &Arc<Shared>, instance: &str, boot: &Boot) -> bool {
    for _ in 0..KILL_TRIES {
        let disk = shared.machine(instance);
        let (host, ending, grace) = (shared.clone(), boot.clone(), shared.config.kill_grace);
        match spawn_blocking(move || host.host.end(&disk, &ending, grace)).await {
            Ok(Ok(count)) => {
                shared.log(&format!("instance {instance}: boot {} ended, {count} processes killed", boot.id));
                return true;
            }
            Ok(Err(error)) => shared.log(&format!("instance {instance}: {error}")),
            Err(error) => shared.log(&format!("instance {instance}: the kill was cut off: {error}")),
        }
        sleep(KILL_RETRY).await;
    }
    false
}
