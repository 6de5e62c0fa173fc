//! The simulated world: clock, records, instances, functions, people. One thread, one seeded source of randomness.
//!
//! It makes things happen and writes down what did; it never judges (that is [`crate::guarantees`]), but for the moment
//! of a stop or of a notebook's start, which are judged when they happen ([`ledger`]).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::rc::Rc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reveille_asl::interpreter::{ExecutionClock, Machine, Service};
use reveille_asl::simulated;
use reveille_instance_model::{Account, BootNumber};
use reveille_protocol::Stack;
use tokio::sync::Notify;

use crate::fault::{Counters, Fault};
use crate::lies::Lie;
use crate::schedule::{Parameters, Schedule};

mod account;
mod actor;
mod api;
mod armed;
mod boots;
mod bucket;
pub mod choices;
mod dates;
mod driver;
mod events;
mod functions;
mod hostile;
pub mod ledger;
mod notebook;
mod people;
mod ports;
mod printing;
mod process;
mod progress;
mod queues;
mod runners;
mod shown;
mod state;
mod sweeper;
mod told;
mod turns;
mod unopened;

pub use actor::Actor;
pub use boots::{Boot, By, Origin};
pub use bucket::Bucket;
pub use dates::time;
pub use events::StartCause;
pub use functions::{Functions, RETRIES_OF_A_DEATH};
pub(crate) use ports::PARTIAL;
pub use ports::Ports;
pub(crate) use shown::is_of_second_stack;
pub use sweeper::SWEEPS_EVERY_MS;

use armed::Armed;
use choices::Choices;
use dates::Shown;
use driver::NextRunner;
use ledger::Ledger;
use progress::Queued;
use queues::Queues;
use turns::Turns;
use unopened::Unopened;

/// When every simulated world begins: 2026-11-23T00:00:00Z.
pub const BEGINNING_MS: i64 = 1_795_392_000_000;

/// One world.
pub struct World {
    /// The schedule it plays.
    pub schedule: Rc<Schedule>,
    /// True time. Everybody reads it through a clock of their own.
    pub clock: ExecutionClock,
    /// The deployed stack.
    pub stack: Stack,
    /// Another stack, whose runs may name the same instances.
    pub second_stack: Stack,
    /// The records.
    pub bucket: Bucket,
    /// The notebook instances.
    pub account: RefCell<Account>,
    /// The boots that were, by number.
    pub boots: RefCell<BTreeMap<BootNumber, Rc<Boot>>>,
    /// What happened.
    pub ledger: Ledger,
    /// How often each fault fired.
    pub counters: Counters,
    /// The compiled definition.
    pub machine: Rc<Machine>,
    /// A lie of a port, in a test of the simulation itself.
    pub lie: Option<Lie>,
    random: RefCell<fastrand::Rng>,
    armed: Armed,
    turns: Turns,
    queues: Queues,
    queued: Queued,
    unopened: Unopened,
    service: RefCell<Option<Service<Functions>>>,
    /// Rung when something may be due at the account earlier than before.
    due: Notify,
    /// What the next boot of an instance does about its runner.
    next_runner: RefCell<BTreeMap<String, NextRunner>>,
    /// Whether the Describe that is under way shows the past.
    lagging: Cell<bool>,
    /// Function calls, and remote calls of anybody.
    pub(crate) invocations: Cell<u64>,
    pub(crate) calls: Cell<u64>,
    next_id: Cell<u64>,
    /// What the clock showed last.
    shown: Shown,
    /// Deeds, deliveries and troubles that are still to come or under way.
    pub(crate) open: Cell<u32>,
    timeline: Option<RefCell<Vec<String>>>,
    /// The choices, where everything is chosen and nothing drawn.
    pub(crate) choices: Option<Rc<Choices>>,
}

impl World {
    /// A world at its beginning. `traced`: keep a timeline.
    #[must_use]
    pub fn new(schedule: Rc<Schedule>, machine: &Rc<Machine>, lie: Option<Lie>, traced: bool) -> Rc<Self> {
        Self::with_choices(schedule, machine, lie, traced, None)
    }

    /// The same, in which `choices` decide what is drawn otherwise.
    pub(crate) fn with_choices(
        schedule: Rc<Schedule>,
        machine: &Rc<Machine>,
        lie: Option<Lie>,
        traced: bool,
        choices: Option<Rc<Choices>>,
    ) -> Rc<Self> {
        let clock = ExecutionClock::starting_at(BEGINNING_MS);
        let world = Rc::new(Self {
            clock,
            stack: stack(&schedule, ""),
            second_stack: stack(&schedule, SECOND),
            bucket: Bucket::default(),
            account: RefCell::new(account::account(&schedule)),
            boots: RefCell::default(),
            ledger: Ledger::default(),
            counters: Counters::default(),
            machine: Rc::clone(machine),
            lie,
            random: RefCell::new(fastrand::Rng::with_seed(schedule.seed ^ 0x5eed)),
            armed: Armed::default(),
            turns: Turns::default(),
            queues: Queues::default(),
            queued: Queued::default(),
            unopened: Unopened::default(),
            service: RefCell::new(None),
            due: Notify::new(),
            next_runner: RefCell::default(),
            lagging: Cell::new(false),
            invocations: Cell::new(0),
            calls: Cell::new(0),
            next_id: Cell::new(0),
            shown: Shown::default(),
            open: Cell::new(0),
            timeline: traced.then(RefCell::default),
            choices,
            schedule,
        });
        let service = Service::new(Functions(Rc::clone(&world)), clock, world.schedule.seed);
        service.show_missed_heartbeats_as(world.schedule.missed_heartbeat);
        if world.choices.is_some() {
            service.draw_apart();
        }
        world.service.replace(Some(service));
        let Parameters { heartbeat, .. } = world.schedule.parameters;
        if heartbeat != 60 && heartbeat != 300 {
            world.counters.fired(Fault::UncommonParameters);
        }
        world
    }

    /// The state machine's service.
    ///
    /// # Panics
    /// After [`Self::close`].
    #[must_use]
    pub fn service(&self) -> Service<Functions> {
        self.service.borrow().clone().expect("the world is open")
    }

    /// Whether the sweeper sweeps in this world.
    #[must_use]
    pub fn sweeps(&self) -> bool {
        self.schedule.sweeper
    }

    /// Lets go of what refers back to the world, so that its memory is freed.
    pub fn close(&self) {
        self.service.take();
        self.boots.take();
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// True time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.shown.of(self.now_ms())
    }

    /// The plan of an instance.
    ///
    /// # Panics
    /// When the schedule has none of that name: only instances of the schedule are ever started.
    pub(crate) fn instance_plan(&self, name: &str) -> &crate::schedule::Instance {
        self.schedule.instances.iter().find(|plan| plan.name == name).expect("it is one of the schedule's")
    }

    /// Adds a line to the timeline, if one is kept.
    pub fn say(&self, line: impl FnOnce() -> String) {
        if let Some(timeline) = &self.timeline {
            let passed = self.now_ms() - BEGINNING_MS;
            let (seconds, ms) = (passed / 1000, passed % 1000);
            let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
            timeline.borrow_mut().push(format!("{hours:>3}:{minutes:02}:{:02}.{ms:03}  {}", seconds % 60, line()));
        }
    }

    /// Counts a fault, and says so.
    pub fn fired(&self, fault: Fault, about: &str) {
        let ours_is_up = || self.boots.borrow().values().any(|boot| boot.started_by == By::Us && boot.is_up());
        let matters = fault.begins_something() || !self.ledger.all_ended() || ours_is_up();
        self.counters.fired_while(fault, matters);
        self.say(|| format!("    ! {}: {about}", fault.name()));
    }

    /// The timeline.
    #[must_use]
    pub fn timeline(&self) -> Vec<String> {
        self.timeline.as_ref().map(|timeline| timeline.borrow().clone()).unwrap_or_default()
    }

    /// A number that was never given before.
    pub(crate) fn fresh(&self) -> u64 {
        self.next_id.set(self.next_id.get() + 1);
        self.next_id.get()
    }

    /// The same; where everything is chosen, by whose it is, so that it does not tell the order between actors.
    pub(crate) fn fresh_of(&self, whose: impl Display) -> String {
        match &self.choices {
            None => self.fresh().to_string(),
            Some(choices) => {
                let whose = whose.to_string();
                format!("{whose}.{}", choices.count(&whose))
            }
        }
    }

    /// A whole number in `low..=high`; the lowest, where nothing is drawn.
    pub(crate) fn pick(&self, low: u64, high: u64) -> u64 {
        if self.choices.is_some() {
            return low;
        }
        self.random.borrow_mut().u64(low..=high)
    }

    /// A signed number in `-most..=most`.
    pub(crate) fn around(&self, most: i64) -> i64 {
        if self.choices.is_some() {
            return 0;
        }
        self.random.borrow_mut().i64(-most..=most)
    }

    /// True in `percent` of all cases.
    pub(crate) fn chance(&self, percent: u8) -> bool {
        self.choices.is_none() && self.random.borrow_mut().u8(0..100) < percent
    }

    /// Runs something as a part of the world that must end before the world does.
    pub(crate) fn spawn_open(self: &Rc<Self>, part: impl Future<Output = ()> + 'static) {
        self.open.set(self.open.get() + 1);
        let world = Rc::clone(self);
        simulated::spawn(async move {
            part.await;
            world.open.set(world.open.get() - 1);
        });
    }
}

/// The prefix of the second stack's records. Its executions' names begin like it.
pub(crate) const SECOND: &str = "second";

/// A stack with records under a prefix. As many runs may wait as the schedule has, or as many as usual.
fn stack(schedule: &Schedule, prefix: &str) -> Stack {
    let runs = u32::try_from(schedule.triggers.len()).unwrap_or(u32::MAX);
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    Stack {
        layout: reveille_domain::layout::Layout { bucket: "runs".into(), prefix },
        heartbeat_seconds: schedule.parameters.heartbeat,
        live_output_seconds: schedule.live_seconds,
        max_waiting_runs: reveille_domain::limits::MAX_WAITING_RUNS.default.max(runs),
    }
}

/// Lets simulated time pass.
pub(crate) async fn pass_ms(ms: u64) {
    simulated::sleep(Duration::from_millis(ms)).await;
}

/// A duration in milliseconds.
pub(crate) fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}
