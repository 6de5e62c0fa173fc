//! The account in which a world begins: the schedule's instances, each with the lifecycle configuration, all stopped.

use std::collections::BTreeMap;
use std::time::Duration;

use reveille_instance_model::{Account, Command, CreateConfig, CreateInstance, Effect, InstanceSettings, Timings};

use super::{BEGINNING_MS, time};
use crate::schedule::Schedule;

/// The lifecycle configuration of every instance.
const CONFIG: &str = "reveille";

/// The account with the schedule's instances, all stopped.
pub(super) fn account(schedule: &Schedule) -> Account {
    let start = time(BEGINNING_MS);
    let mut account = Account::new(
        "eu-west-1",
        "123456789012",
        Timings { pending: Duration::ZERO, shutdown: Duration::ZERO, stopping: Duration::ZERO, ..Timings::default() },
    );
    let script =
        CreateConfig { name: CONFIG.into(), on_start: Some("IyEvYmluL2Jhc2gK".into()), ..CreateConfig::default() };
    let created = account.apply(start, "setup", Command::CreateConfig(script));
    debug_assert!(created.is_ok(), "{created:?}");
    for instance in &schedule.instances {
        // Created before the world begins: its first boot, without a runner, is over at once.
        let settings = InstanceSettings::new("ml.t3.medium", "arn:aws:iam::123456789012:role/notebook");
        let new = CreateInstance { name: instance.name.clone(), settings, tags: BTreeMap::new() };
        let created = account.apply(start, "setup", Command::CreateInstance(new));
        debug_assert!(created.is_ok(), "{created:?}");
        let stopped = account.apply(start, "setup", Command::Stop { name: instance.name.clone() });
        debug_assert!(stopped.is_ok(), "{stopped:?}");
        for effect in account.advance(start) {
            if let Effect::KillBoot { instance, boot } = effect {
                account.boot_killed(start, &instance, boot);
            }
        }
        let update = reveille_instance_model::UpdateInstance {
            name: instance.name.clone(),
            lifecycle_config: reveille_instance_model::LifecycleChange::Set(CONFIG.into()),
            ..reveille_instance_model::UpdateInstance::default()
        };
        account.set_timings(Timings { updating: Duration::ZERO, ..Timings::default() });
        let updated = account.apply(start, "setup", Command::Update(update));
        debug_assert!(updated.is_ok(), "{updated:?}");
        account.set_timings(Timings {
            pending: Duration::ZERO,
            shutdown: Duration::ZERO,
            stopping: Duration::ZERO,
            ..Timings::default()
        });
    }
    drop(account.advance(start));
    account
}
