//! Carries out what the model asks for: directories, scripts, kills.

use std::{io, sync::Arc, time::Duration};

use reveille_instance_model::{BootNumber, Effect, Hook, ScriptResult};
use tokio::time::sleep;

use crate::{
    config::StateChange,
    processes::kill_boot,
    script::Script,
    service::{Shared, now},
    uuid,
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
            if let Err(error) = start_boot(shared, &instance, boot).await {
                shared.log(&format!("instance {instance}: its directory could not be prepared: {error}"));
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

async fn start_boot(shared: &Arc<Shared>, instance: &str, boot: BootNumber) -> io::Result<()> {
    let boot_id = uuid::fresh()?;
    let arn = shared.account().instance_arn(instance);
    let machine = shared.machine(instance);
    let (name, id) = (instance.to_owned(), boot_id.clone());
    tokio::task::spawn_blocking(move || machine.boot(&id, &name, &arn)).await.map_err(io::Error::other)??;
    shared.log(&format!("instance {instance}: boot {boot_id}"));
    shared.boots().insert(boot, boot_id);
    Ok(())
}

async fn run_script(shared: Arc<Shared>, instance: String, boot: BootNumber, hook: Hook, content: Arc<[u8]>) {
    // A boot whose directory could not be prepared has no id, and its scripts fail.
    let boot_id = shared.boots().get(&boot).cloned();
    let ended = match boot_id {
        Some(boot_id) => script(&shared, &instance, boot_id, hook, content).run().await,
        None => Err(io::Error::other("the instance's directory could not be prepared")),
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

fn script(shared: &Shared, instance: &str, boot_id: String, hook: Hook, content: Arc<[u8]>) -> Script {
    let config = &shared.config;
    Script {
        root: shared.machine(instance).root().to_owned(),
        boot_id,
        hook,
        content,
        path: config.path.clone(),
        environment: config.environment.clone(),
        log: shared.log_file(instance, hook),
        log_limit: config.log_limit,
    }
}

async fn end_boot(shared: Arc<Shared>, instance: String, boot: BootNumber) {
    let boot_id = shared.boots().get(&boot).cloned();
    if let Some(boot_id) = boot_id
        && !kill(&shared, &instance, &boot_id).await
    {
        return;
    }
    shared.boots().remove(&boot);
    shared.account().boot_killed(now(), &instance, boot);
    shared.wake.notify_one();
}

async fn kill(shared: &Shared, instance: &str, boot_id: &str) -> bool {
    for _ in 0..KILL_TRIES {
        let root = shared.machine(instance).root().to_owned();
        let (id, grace) = (boot_id.to_owned(), shared.config.kill_grace);
        match tokio::task::spawn_blocking(move || kill_boot(&root, &id, grace)).await {
            Ok(Ok(count)) => {
                shared.log(&format!("instance {instance}: boot {boot_id} ended, {count} processes killed"));
                return true;
            }
            Ok(Err(error)) => shared.log(&format!("instance {instance}: {error}")),
            Err(error) => shared.log(&format!("instance {instance}: the kill was cut off: {error}")),
        }
        sleep(KILL_RETRY).await;
    }
    false
}
