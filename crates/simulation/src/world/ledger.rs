//! What happened, as nobody in the world knows it: who really started a boot, which notebooks really ran. What must
//! never happen is judged here, at the moment it happens; the rest at the end ([`crate::guarantees`]).

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use chrono::TimeDelta;
use reveille_asl::interpreter::Status;
use reveille_domain::layout::{AttemptRef, INVALID_INSTANCE};
use reveille_domain::limits::{JUPYTER_UNKNOWN, PERSON_QUIET, SIGN_APART, UNSURE_QUIET};
use reveille_domain::records::{Lease, Report, Request};
use reveille_domain::{Code, RunId};
use serde_json::Value;

use super::boots::{Boot, By, Origin};
use super::events::StartCause;
use super::{World, time};
use crate::hostility::Hostility;
use crate::schedule::Trigger;

/// A start of ours whose answer never came may bring an instance up this much later.
const UNRESOLVED_FOR_MS: i64 = 3_600_000;
/// Whoever begins to work while the stop is already under way loses: the runner looked, and then it sent the stop.
const TOO_LATE_MS: i64 = 30_000;
/// What clocks and polls may take from a documented time of quiet.
const SLACK_MS: i64 = 60_000;

/// An execution that was started.
#[derive(Clone, Debug)]
pub struct Started {
    /// The trigger.
    pub trigger: usize,
    /// Why.
    pub cause: StartCause,
    /// Its ARN.
    pub arn: Rc<str>,
    /// The name of its records' folder.
    pub instance: String,
    /// Its run.
    pub run: RunId,
    /// How often a person redrove it.
    pub redrives: u32,
    /// When it ended.
    pub ended_ms: Option<i64>,
}

/// A notebook that was begun.
#[derive(Clone, Debug)]
pub struct Begun {
    /// Whose.
    pub at: AttemptRef,
    /// When.
    pub at_ms: i64,
    /// The execution that asked.
    pub arn: String,
    /// How it ended by itself, if it did.
    pub ended: Option<Option<Code>>,
}

/// Whose call went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// A function's, or the function itself.
    Function,
    /// A runner's.
    Runner,
    /// A sweep of the timer, where each is cut off.
    Sweep,
}

/// What hostile notebooks did to an instance.
#[derive(Debug)]
struct Struck {
    first_ms: i64,
    last_ms: i64,
    kinds: BTreeSet<Hostility>,
}

/// A guarantee that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// G1 to G6.
    pub guarantee: &'static str,
    /// What happened.
    pub what: String,
}

/// What happened.
#[derive(Debug, Default)]
pub struct Ledger {
    starters: RefCell<BTreeMap<String, By>>,
    unresolved: RefCell<BTreeMap<String, i64>>,
    dropped: RefCell<BTreeMap<String, i64>>,
    failed_unseen: RefCell<BTreeSet<String>>,
    /// When a start of ours was last accepted with an answer.
    answered: RefCell<BTreeMap<String, i64>>,
    executions: RefCell<Vec<Started>>,
    notebooks: RefCell<Vec<Begun>>,
    newest_event: Cell<u32>,
    published: RefCell<Vec<Value>>,
    struck: RefCell<BTreeMap<String, Struck>>,
    hindrances: RefCell<Vec<(i64, Hindrance)>>,
    violations: RefCell<Vec<Violation>>,
}

impl Ledger {
    /// Writes down that a guarantee did not hold.
    pub fn violation(&self, guarantee: &'static str, now_ms: i64, mut what: String) {
        what.insert_str(0, &time(now_ms).format("%d %H:%M:%S ").to_string());
        self.violations.borrow_mut().push(Violation { guarantee, what });
    }

    /// What did not hold so far.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.violations.borrow().clone()
    }

    /// A Start was accepted.
    pub(super) fn started(&self, instance: &str, by: By) {
        self.starters.borrow_mut().insert(instance.to_owned(), by);
    }

    /// Whose Start was accepted last.
    #[must_use]
    pub fn starter(&self, instance: &str) -> By {
        self.starters.borrow().get(instance).copied().unwrap_or(By::Person)
    }

    /// A start of ours ended without our knowing how.
    pub(super) fn start_is_unresolved(&self, instance: &str, now_ms: i64) {
        self.unresolved.borrow_mut().insert(instance.to_owned(), now_ms);
    }

    pub(super) fn is_unresolved(&self, instance: &str, now_ms: i64) -> bool {
        self.unresolved.borrow().get(instance).is_some_and(|at| now_ms - at < UNRESOLVED_FOR_MS)
    }

    /// A start of ours was accepted, and its answer came.
    pub(super) fn start_is_answered(&self, instance: &str, now_ms: i64) {
        self.answered.borrow_mut().insert(instance.to_owned(), now_ms);
    }

    /// Whether the last start of ours was accepted, its answer came, and it failed unseen, whatever became of those before.
    pub(super) fn answered_and_failed_unseen(&self, instance: &str) -> bool {
        let answered = self.answered.borrow().get(instance).copied();
        self.failed_unseen(instance) && answered.is_some_and(|at| !self.is_unresolved_since(instance, at))
    }

    /// Whether a start of ours had no answer since then.
    pub(super) fn is_unresolved_since(&self, instance: &str, since_ms: i64) -> bool {
        self.unresolved.borrow().get(instance).is_some_and(|at| *at >= since_ms)
    }

    /// A start of ours was accepted and not carried out.
    pub(super) fn start_was_dropped(&self, instance: &str, now_ms: i64) {
        self.dropped.borrow_mut().insert(instance.to_owned(), now_ms);
    }

    pub(super) fn was_dropped(&self, instance: &str, now_ms: i64) -> bool {
        self.dropped.borrow().get(instance).is_some_and(|at| now_ms - at < UNRESOLVED_FOR_MS)
    }

    /// A start of ours failed, and nobody has seen it yet.
    pub(super) fn start_failed(&self, instance: &str) {
        if self.starter(instance) == By::Us {
            self.failed_unseen.borrow_mut().insert(instance.to_owned());
        }
    }

    /// Whoever may bring the instance to rest saw that its start had failed.
    pub(super) fn failure_was_seen(&self, instance: &str) {
        self.failed_unseen.borrow_mut().remove(instance);
    }

    pub(super) fn failed_unseen(&self, instance: &str) -> bool {
        self.failed_unseen.borrow().contains(instance)
    }

    /// An execution began.
    pub(super) fn execution_started(
        &self,
        number: usize,
        trigger: &Trigger,
        cause: StartCause,
        arn: &Rc<str>,
        now_ms: i64,
    ) {
        let name = arn.rsplit(':').next().unwrap_or_default();
        let instance = reveille_domain::input::instance_of(&(&trigger.input).into());
        self.executions.borrow_mut().push(Started {
            trigger: number,
            cause,
            arn: Rc::clone(arn),
            instance: instance.map_or_else(|| INVALID_INSTANCE.to_owned(), |name| name.to_string()),
            run: RunId::of(name, arn, time(now_ms)),
            redrives: 0,
            ended_ms: None,
        });
    }

    pub(super) fn execution_ended(&self, arn: &str, now_ms: i64) {
        for execution in self.executions.borrow_mut().iter_mut().filter(|known| *known.arn == *arn) {
            execution.ended_ms = Some(now_ms);
        }
    }

    pub(super) fn redriven(&self, arn: &str) {
        for execution in self.executions.borrow_mut().iter_mut().filter(|known| *known.arn == *arn) {
            execution.redrives += 1;
            execution.ended_ms = None;
        }
    }

    /// Every execution that was started.
    #[must_use]
    pub fn executions(&self) -> Vec<Started> {
        self.executions.borrow().clone()
    }

    /// What is made of each execution, the youngest first; nothing is copied for it.
    pub(super) fn each_execution<T>(&self, made: impl FnMut(&Started) -> Option<T>) -> Vec<T> {
        self.executions.borrow().iter().rev().filter_map(made).collect()
    }

    /// Whether all executions ended.
    #[must_use]
    pub fn all_ended(&self) -> bool {
        self.executions.borrow().iter().all(|execution| execution.ended_ms.is_some())
    }

    /// The newest execution of a trigger.
    #[must_use]
    pub fn newest_execution(&self, trigger: usize) -> Option<Rc<str>> {
        let executions = self.executions.borrow();
        executions.iter().rev().find(|known| known.trigger == trigger).map(|known| Rc::clone(&known.arn))
    }

    /// Whether a younger event was delivered before this one.
    pub(super) fn is_overtaken(&self, event: u32) -> bool {
        let overtaken = event < self.newest_event.get();
        self.newest_event.set(self.newest_event.get().max(event));
        overtaken
    }

    pub(super) fn published(&self, detail: Value) {
        self.published.borrow_mut().push(detail);
    }

    /// The details of the events that were published.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        self.published.borrow().clone()
    }

    /// A notebook on an instance did something hostile.
    pub(super) fn struck(&self, instance: &str, kind: Hostility, now_ms: i64) {
        let mut struck = self.struck.borrow_mut();
        let new = || Struck { first_ms: now_ms, last_ms: now_ms, kinds: BTreeSet::new() };
        let struck = struck.entry(instance.to_owned()).or_insert_with(new);
        struck.last_ms = now_ms;
        struck.kinds.insert(kind);
    }

    /// Whether a notebook on an instance did one of these.
    #[must_use]
    pub fn was_struck_by(&self, instance: &str, kinds: impl Fn(Hostility) -> bool) -> bool {
        self.struck.borrow().get(instance).is_some_and(|struck| struck.kinds.iter().any(|kind| kinds(*kind)))
    }

    /// When a notebook on an instance first did something hostile.
    #[must_use]
    pub fn struck_at(&self, instance: &str) -> Option<i64> {
        self.struck.borrow().get(instance).map(|struck| struck.first_ms)
    }

    /// When a notebook on an instance last did something hostile.
    #[must_use]
    pub fn struck_until(&self, instance: &str) -> Option<i64> {
        self.struck.borrow().get(instance).map(|struck| struck.last_ms)
    }

    /// A call or an invocation went wrong.
    pub(super) fn hindered(&self, now_ms: i64, what: Hindrance) {
        self.hindrances.borrow_mut().push((now_ms, what));
    }

    /// The calls and invocations that went wrong.
    #[must_use]
    pub fn hindrances(&self) -> Vec<(i64, Hindrance)> {
        self.hindrances.borrow().clone()
    }

    /// Notebooks that were begun on an instance.
    #[must_use]
    pub fn notebooks_on(&self, instance: &str) -> usize {
        self.notebooks.borrow().iter().filter(|begun| begun.at.instance == instance).count()
    }

    /// Every notebook that was begun.
    #[must_use]
    pub fn notebooks(&self) -> Vec<Begun> {
        self.notebooks.borrow().clone()
    }

    /// A notebook begins; answers its number. Judged: never twice for one attempt, never two at once on an instance.
    pub(super) fn notebook_begins(&self, world: &World, boot: &Boot, request: &Request, attempt: u32) -> usize {
        let at = AttemptRef { instance: boot.instance.clone(), run: request.run.clone(), attempt };
        world.say(|| format!("  notebook of {} attempt {attempt} begins", at.run));
        let mut notebooks = self.notebooks.borrow_mut();
        if notebooks.iter().any(|begun| begun.at == at) {
            self.violation("G2", world.now_ms(), format!("attempt {attempt} of {} is executed twice", at.run));
        }
        if boot.executing().is_some() {
            self.violation("G2", world.now_ms(), format!("two notebooks execute at once on {}", boot.instance));
        }
        notebooks.push(Begun { at, at_ms: world.now_ms(), arn: request.execution_arn.clone(), ended: None });
        notebooks.len() - 1
    }

    pub(super) fn notebook_ends(&self, number: usize, code: Option<Code>) {
        if let Some(begun) = self.notebooks.borrow_mut().get_mut(number) {
            begun.ended = Some(code);
        }
    }

    /// A Stop of ours was accepted. Judged: it must not end what is a person's, nor a notebook at work.
    pub(super) fn stopped_by_us(&self, world: &World, boot: &Boot, label: &str) {
        let now_ms = world.now_ms();
        let instance = &boot.instance;
        // Its people share a user and a role with the notebook, which may stop the instance itself (docs/security.md).
        if self.struck_at(instance).is_some() {
            return;
        }
        let quiet_ms = now_ms - boot.last_active_ms(now_ms).unwrap_or(boot.since_ms).max(boot.since_ms);
        let jupyter_unknown = now_ms < boot.jupyter_silent_until_ms.get();
        // Nobody but the runner can see a person at work.
        let blind = !boot.runner_is_well(now_ms) || jupyter_unknown;
        let needed = match boot.origin {
            Origin::Known => None,
            Origin::KnownToItsRunner if boot.bound.get() => None,
            Origin::KnownToItsRunner | Origin::MistakenForOurs => Some(TimeDelta::zero()),
            Origin::Unresolved => Some(UNSURE_QUIET),
        };
        if boot.started_by == By::Person {
            match needed {
                None => self.violation("G3", now_ms, format!("{label} stopped {instance}, which a person started")),
                Some(needed) if quiet_ms + SLACK_MS < needed.num_milliseconds() && !blind => {
                    let what =
                        format!("{label} stopped {instance}, which a person may have started, after {quiet_ms} ms");
                    self.violation("G3", now_ms, what);
                }
                Some(_) => {}
            }
        }
        let long_enough = if jupyter_unknown { JUPYTER_UNKNOWN.num_milliseconds() } else { TOO_LATE_MS };
        if boot.person_works(now_ms, long_enough) && !blind {
            self.violation("G3", now_ms, format!("{label} stopped {instance} while a person works on it"));
        }
        let lease = world.bucket.record::<Lease>(&format!("{}{instance}.json", world.stack.layout.leases()));
        let last_sign = lease.and_then(|lease| lease.person_at).map(|at| now_ms - at.timestamp_millis());
        if last_sign.is_some_and(|quiet_ms| quiet_ms + TOO_LATE_MS < PERSON_QUIET.num_milliseconds()) {
            let what = format!("{label} stopped {instance}, though its lease tells of a person {last_sign:?} ms ago");
            self.violation("G3", now_ms, what);
        }
        // What the runner was shown of a person it wrote down, unless its own calls went wrong.
        let well = !self.hindrances().iter().any(|(_, whose)| *whose == Hindrance::Runner);
        // While a notebook executes it does so at every so many seconds.
        let beat_ms = SIGN_APART.num_milliseconds();
        let lost_ms = boot.runner_lost_ms.get().unwrap_or(i64::MAX);
        let written = |(since, last): &(i64, i64)| {
            well && boot.cut_off_until_ms.get() < *last && since + beat_ms + SLACK_MS < lost_ms
        };
        let shown = boot.shown_ms.get().filter(written);
        if let Some(quiet_ms) = shown.map(|(_, last)| now_ms - last)
            && quiet_ms + beat_ms + SLACK_MS < PERSON_QUIET.num_milliseconds()
        {
            let what = format!("{label} stopped {instance}, on which a person was seen {} s ago", quiet_ms / 1_000);
            self.violation("G3", now_ms, what);
        }
        if boot.executing().is_some() && boot.runner_is_well(now_ms) && self.newest_is_awaited(world, boot) {
            self.violation("G3", now_ms, format!("{label} stopped {instance} while a notebook executes on it"));
        }
    }

    /// Whether somebody waits for the newest notebook on the boot's instance: its execution runs, and it has no verdict.
    fn newest_is_awaited(&self, world: &World, boot: &Boot) -> bool {
        let notebooks = self.notebooks.borrow();
        let newest = notebooks.iter().rev().find(|begun| begun.at.instance == boot.instance);
        newest.is_some_and(|begun| {
            let execution = world.service().execution(&begun.arn);
            let runs = execution.is_some_and(|execution| execution.status() == Status::Running);
            runs && world.bucket.record::<Report>(&world.stack.layout.report(&begun.at)).is_none()
        })
    }
}
