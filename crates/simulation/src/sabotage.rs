//! Sabotage: one lock, retry, catch or beat taken out of the protocol at a time, by a lying port or an edited copy of
//! the definition. A simulation that does not notice proves nothing.

use std::cell::RefCell;

use serde_json::Value;

use crate::definition::Definitions;
use crate::lies::Lie;
use crate::play::play;
use crate::schedule::{Schedule, generate};
use crate::world::ledger::Violation;

/// How something is taken out.
#[derive(Clone, Copy, Debug)]
pub enum How {
    /// A port lies.
    Lie(Lie),
    /// The definition is edited.
    Edit(fn(&mut Value)),
    /// Neither timer nor event calls the sweeper.
    NoSweeper,
}

/// One sabotage.
#[derive(Clone, Copy, Debug)]
pub struct Sabotage {
    /// What is taken out.
    pub name: &'static str,
    /// How.
    pub how: How,
    /// It is noticed within so many schedules, counted from seed 0.
    pub within: u64,
    /// The commit that put in what is taken out, where it was a repair.
    pub commit: Option<&'static str>,
}

/// Every sabotage.
pub const ALL: [Sabotage; 36] = [
    lie("the fence: every claim is granted", Lie::NoFence, 1_000),
    lie("the trigger's record: every execution holds it", Lie::NoDedupe, 100),
    lie("compare-and-swap of leases", Lie::NoCompareAndSwap, 1_000),
    lie("the ownership check: every lease is this boot's", Lie::NoOwnership, 1_000),
    lie("the only verdict: reports are overwritten", Lie::NoVerdict, 1_000),
    lie("Jupyter: nobody is ever seen working", Lie::NobodyWorks, 1_000),
    lie("idempotence of AdmitRun: it does not know its own trigger again", Lie::ForgetsItself, 1_000),
    lie("the intent before a start", Lie::NoIntent, 1_000),
    lie("the policy: a notebook writes what functions write", Lie::WritesForFunctions, 1_000),
    lie("the policy: a notebook reaches other instances", Lie::ReachesOthers, 1_000),
    lie("the age of a time: a lease of the future is of this moment", Lie::BelievesTheFuture, 10_000),
    lie("the call: an outcome names what the report names", Lie::BelievesReports, 1_000),
    lie("the hash: a run executes whatever request stands there", Lie::NoHash, 3_000),
    lie("what ends a circle of waits: nobody sees a run given up", Lie::NobodyGivesUp, 1_000).since("e09db77"),
    lie("unreadable is not refused: a spoilt record is tried for ever", Lie::UnreadableIsRefused, 1_000)
        .since("a0d6d7a"),
    lie("refused is not unreadable: one 4xx is a spoilt record", Lie::RefusedIsUnreadable, 3_000).since("a7db3ce"),
    lie("what was seen of a person: forgotten when their kernel ends", Lie::ForgetsPeople, 3_000).since("03854fa"),
    lie("the key of a ticket: a copy beside it is one too", Lie::StrayTickets, 3_000).since("571b1eb"),
    lie("calls beside each other: beats wait for a burst that expires", Lie::OneAfterAnother, 3_000).since("571b1eb"),
    lie("when a boot was bound: a new process waits anew", Lie::BoundJustNow, 10_000),
    lie("state, not steps: a lease that a failed write left busy stays busy", Lie::StaysBusy, 3_000).since("03854fa"),
    lie("the end of a boot: no lease ever says that its start failed", Lie::NobodyEnds, 3_000).since("e09db77"),
    lie("the place of a sweep: after one that was cut off the next begins anew", Lie::ForgetsItsPlace, 10_000),
    lie("keys of their own: what a notebook has left so far lies where its outputs will", Lie::LiveInPlace, 1_000),
    lie("the history, kept whole: no sweep sees what is missing", Lie::NothingIsMissing, 1_000),
    edit("the memory of VerifyStopped: it goes by the lease alone", without_memory, 10_000),
    Sabotage { name: "the sweeper", how: How::NoSweeper, within: 1_000, commit: None },
    edit("the Retry of StartInstance", |definition| remove(definition, "StartInstance", "Retry"), 1_000),
    edit("the Retry of ConcludeRun", |definition| remove(definition, "ConcludeRun", "Retry"), 1_000),
    edit("the Catch of CheckInstance", |definition| remove(definition, "CheckInstance", "Catch"), 1_000),
    edit("the Catch of AwaitRun", |definition| remove(definition, "AwaitRun", "Catch"), 1_000),
    edit("the Catch of the heartbeat", without_heartbeat_catch, 1_000),
    edit("the other name of a missed heartbeat", without_recorded_name, 1_000).since("fba1445"),
    edit("the heartbeat", |definition| remove(definition, "AwaitRun", "HeartbeatSeconds"), 1_000),
    edit("the first error: the stop's error overwrites it", masking, 1_000),
    edit("VerifyStopped", without_verify, 1_000),
];

const fn lie(name: &'static str, lie: Lie, within: u64) -> Sabotage {
    Sabotage { name, how: How::Lie(lie), within, commit: None }
}

const fn edit(name: &'static str, edit: fn(&mut Value), within: u64) -> Sabotage {
    Sabotage { name, how: How::Edit(edit), within, commit: None }
}

fn remove(definition: &mut Value, state: &str, field: &str) {
    let state = definition["States"][state].as_object_mut().expect("the definition has the state");
    state.remove(field).expect("the state has the field");
}

fn without_heartbeat_catch(definition: &mut Value) {
    let catchers = definition["States"]["AwaitRun"]["Catch"].as_array_mut().expect("AwaitRun has catchers");
    catchers.retain(|catcher| !catches(catcher, "States.HeartbeatTimeout"));
}

/// What the definition had before a missed heartbeat was known to be shown under two names.
fn without_recorded_name(definition: &mut Value) {
    let catchers = definition["States"]["AwaitRun"]["Catch"].as_array_mut().expect("AwaitRun has catchers");
    let catcher = catchers.iter_mut().find(|catcher| catches(catcher, "States.Timeout")).expect("it is caught");
    catcher["ErrorEquals"] = serde_json::json!(["States.HeartbeatTimeout"]);
}

fn catches(catcher: &Value, error: &str) -> bool {
    catcher["ErrorEquals"].as_array().is_some_and(|errors| errors.iter().any(|name| name == error))
}

fn without_memory(definition: &mut Value) {
    definition["States"]["VerifyStopped"]["Arguments"]["Payload"]["waiting"] = Value::Null;
}

fn masking(definition: &mut Value) {
    let catcher = &mut definition["States"]["VerifyStopped"]["Catch"][0]["Assign"];
    let error = catcher["stopError"].take();
    catcher["error"] = error;
    catcher.as_object_mut().expect("the catcher assigns").remove("stopError");
}

fn without_verify(definition: &mut Value) {
    for state in ["CheckInstance", "StartInstance", "AwaitRun"] {
        let state = &mut definition["States"][state];
        for catcher in state["Catch"].as_array_mut().expect("the state has catchers") {
            if catcher["Next"] == "VerifyStopped" {
                catcher["Next"] = "ConcludeRun".into();
            }
        }
        if state["Next"] == "VerifyStopped" {
            state["Next"] = "ConcludeRun".into();
        }
    }
}

impl Sabotage {
    const fn since(mut self, commit: &'static str) -> Self {
        self.commit = Some(commit);
        self
    }

    /// The schedule of a seed, with what the sabotage changes in it.
    #[must_use]
    pub fn schedule(&self, seed: u64) -> Schedule {
        Schedule { sweeper: !matches!(self.how, How::NoSweeper), ..generate(seed, true) }
    }

    /// The definition as the sabotage leaves it, and the lie of its port.
    fn tools(&self) -> (Definitions, Option<Lie>) {
        match self.how {
            How::Lie(lie) => (Definitions::default(), Some(lie)),
            How::Edit(edit) => (Definitions::edited(edit), None),
            How::NoSweeper => (Definitions::default(), None),
        }
    }

    /// What a schedule breaks first under the sabotage.
    pub fn player(&self) -> impl Fn(&Schedule) -> Option<Violation> + use<> {
        let (definitions, lie) = self.tools();
        player(definitions, lie)
    }

    /// Plays schedules from seed 0 on until a guarantee breaks: how many it took, and what broke. `None`: it was not
    /// noticed within its bound.
    ///
    /// # Errors
    /// The definition cannot be read.
    pub fn noticed(&self) -> Result<Option<(u64, String)>, String> {
        let (mut definitions, lie) = self.tools();
        let mut honest = Definitions::default();
        for seed in 0..self.within {
            let schedule = self.schedule(seed);
            let machine = definitions.with(schedule.parameters)?;
            let played = play(schedule, &machine, lie, false);
            let Some(violation) = played.violations.first() else { continue };
            // What breaks without the sabotage too is no notice of it.
            let schedule = generate(seed, true);
            let machine = honest.with(schedule.parameters)?;
            if play(schedule, &machine, None, false).violations.is_empty() {
                return Ok(Some((seed + 1, format!("{}: {}", violation.guarantee, violation.what))));
            }
        }
        Ok(None)
    }
}

/// What a schedule breaks first.
pub fn player(definitions: Definitions, lie: Option<Lie>) -> impl Fn(&Schedule) -> Option<Violation> {
    let definitions = RefCell::new(definitions);
    move |schedule| {
        let machine = definitions.borrow_mut().with(schedule.parameters).ok()?;
        play(schedule.clone(), &machine, lie, false).violations.into_iter().next()
    }
}
