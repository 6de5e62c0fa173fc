//! The model under test: a world that answers its effects, and one file for each kind of rule.

mod configs;
mod faults;
mod lifecycle;
mod listing;
mod requests;
mod transitions;

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    Account, ApiError, BootNumber, Change, Command, CreateConfig, CreateInstance, Effect, Hook, InstanceSettings,
    InstanceView, LifecycleChange, NotebookInstanceStatus, Response, ScriptResult, Time, Timings, UpdateInstance,
};

const ROLE: &str = "arn:aws:iam::000000000000:role/notebooks";
const NAME: &str = "nightly";
const ARN: &str = "arn:aws:sagemaker:us-east-1:000000000000:notebook-instance/nightly";
const CONFIG_ARN: &str = "arn:aws:sagemaker:us-east-1:000000000000:notebook-instance-lifecycle-config/wake";

/// An account, the time, and a world that kills at once and runs scripts with a given result.
struct World {
    account: Account,
    now: Time,
    /// What scripts do: end with this result, or (`None`) go on.
    scripts: Option<ScriptResult>,
    /// Whether kills are confirmed.
    kills: bool,
    seen: Vec<Effect>,
}

fn timings() -> Timings {
    Timings {
        pending: Duration::from_secs(10),
        shutdown: Duration::from_secs(1),
        stopping: Duration::from_secs(5),
        updating: Duration::from_secs(3),
        deleting: Duration::from_secs(2),
        script_limit: Duration::from_mins(5),
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl World {
    fn new() -> Self {
        let now = Time::from_timestamp(1_800_000_000, 0).unwrap();
        let account = Account::new("us-east-1", "000000000000", timings());
        Self { account, now, scripts: Some(ScriptResult::Succeeded), kills: true, seen: Vec::new() }
    }

    /// With an instance that has both scripts, Stopped.
    fn with_stopped() -> Self {
        let mut world = Self::new();
        world.config("wake");
        world.create(NAME, Some("wake")).unwrap();
        world.wait(10);
        assert_eq!(world.status(), NotebookInstanceStatus::InService);
        world.stop().unwrap();
        world.wait(10);
        assert_eq!(world.status(), NotebookInstanceStatus::Stopped);
        world.seen.clear();
        world
    }

    /// With an instance in this state.
    fn in_status(status: NotebookInstanceStatus) -> Self {
        let mut world = Self::with_stopped();
        match status {
            NotebookInstanceStatus::Stopped => {}
            NotebookInstanceStatus::Pending => world.start().unwrap(),
            NotebookInstanceStatus::InService => world.run(),
            NotebookInstanceStatus::Stopping => {
                world.run();
                world.stop().unwrap();
            }
            NotebookInstanceStatus::Failed => {
                world.scripts = Some(ScriptResult::Failed);
                world.start().unwrap();
                world.wait(10);
                world.scripts = Some(ScriptResult::Succeeded);
            }
            NotebookInstanceStatus::Updating => world.update().unwrap(),
            NotebookInstanceStatus::Deleting => world.delete().unwrap(),
            NotebookInstanceStatus::PendingMaintenance | NotebookInstanceStatus::InMaintenance => {
                let maintenance = crate::FaultKind::Maintenance { pending: seconds(30), lasting: seconds(30) };
                world.account.arm(world.now, crate::InstanceFault::once(maintenance)).unwrap();
                world.wait(if status == NotebookInstanceStatus::InMaintenance { 30 } else { 0 });
            }
        }
        assert_eq!(world.status(), status);
        world
    }

    fn run(&mut self) {
        self.start().unwrap();
        self.wait(10);
        assert_eq!(self.status(), NotebookInstanceStatus::InService);
    }

    fn apply(&mut self, command: Command) -> Result<Response, ApiError> {
        let result = self.account.apply(self.now, "tester", command);
        self.settle();
        result
    }

    fn config(&mut self, name: &str) {
        let script = |text: &str| Some(STANDARD.encode(text));
        let new = CreateConfig {
            name: name.to_owned(),
            on_create: script("create"),
            on_start: script("start"),
            ..CreateConfig::default()
        };
        self.apply(Command::CreateConfig(new)).unwrap();
    }

    fn create(&mut self, name: &str, config: Option<&str>) -> Result<(), ApiError> {
        let mut settings = InstanceSettings::new("ml.t3.medium", ROLE);
        settings.lifecycle_config = config.map(str::to_owned);
        let new = CreateInstance { name: name.to_owned(), settings, tags: [].into() };
        self.apply(Command::CreateInstance(new)).map(|_| ())
    }

    fn start(&mut self) -> Result<(), ApiError> {
        self.apply(Command::Start { name: NAME.to_owned() }).map(|_| ())
    }

    fn stop(&mut self) -> Result<(), ApiError> {
        self.apply(Command::Stop { name: NAME.to_owned() }).map(|_| ())
    }

    fn delete(&mut self) -> Result<(), ApiError> {
        self.apply(Command::Delete { name: NAME.to_owned() }).map(|_| ())
    }

    fn update(&mut self) -> Result<(), ApiError> {
        let update = UpdateInstance {
            name: NAME.to_owned(),
            instance_type: Some("ml.m5.xlarge".to_owned()),
            lifecycle_config: LifecycleChange::Remove,
            ..UpdateInstance::default()
        };
        self.apply(Command::Update(update)).map(|_| ())
    }

    fn describe(&mut self) -> Result<InstanceView, ApiError> {
        match self.apply(Command::DescribeInstance { name: NAME.to_owned() })? {
            Response::Instance(view) => Ok(*view),
            other => panic!("{other:?}"),
        }
    }

    fn status(&mut self) -> NotebookInstanceStatus {
        self.describe().unwrap().status
    }

    fn arm(&mut self, fault: crate::InstanceFault) -> crate::FaultId {
        let id = self.account.arm(self.now, fault).unwrap();
        self.settle();
        id
    }

    /// Lets time pass, second by second.
    fn wait(&mut self, seconds: u64) {
        self.settle();
        for _ in 0..seconds {
            self.now += Duration::from_secs(1);
            self.settle();
        }
    }

    /// Carries out effects until there are none.
    fn settle(&mut self) {
        loop {
            let effects = self.account.advance(self.now);
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                self.perform(&effect);
                self.seen.push(effect);
            }
        }
    }

    fn perform(&mut self, effect: &Effect) {
        match effect {
            Effect::RunLifecycleScript { instance, boot, hook, .. } => {
                if let Some(result) = self.scripts {
                    assert!(self.account.script_ended(self.now, instance, *boot, *hook, result));
                }
            }
            Effect::KillBoot { instance, boot } if self.kills => {
                assert!(self.account.boot_killed(self.now, instance, *boot));
            }
            _ => {}
        }
    }

    fn statuses(&self) -> Vec<NotebookInstanceStatus> {
        self.seen
            .iter()
            .filter_map(|effect| match effect {
                Effect::StateChanged { to, .. } => Some(*to),
                _ => None,
            })
            .collect()
    }

    fn hooks(&self) -> Vec<Hook> {
        self.seen
            .iter()
            .filter_map(|effect| match effect {
                Effect::RunLifecycleScript { hook, .. } => Some(*hook),
                _ => None,
            })
            .collect()
    }

    fn boot(&self) -> Option<BootNumber> {
        self.account.snapshot(NAME).and_then(|snapshot| snapshot.boot)
    }
}
