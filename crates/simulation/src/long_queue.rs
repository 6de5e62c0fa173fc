//! A long queue on one instance: runs that are asked for within a minute, each with an execution of its own, where every call takes
//! its time.
//!
//! - Owns: the schedule, and what must hold of it beside the guarantees. All end well, in the order in which they were admitted, on
//!   one boot, and the instance does not wait long between two.
//! - Never: faults. What they do to a queue is in the seeded schedules.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::json;

use crate::definition::Definitions;
use crate::guarantees::Ending;
use crate::play::{BegunNotebook, Played, play};
use crate::schedule::{Instance, Notebooks, Parameters, Schedule, Trigger};

/// What each notebook takes.
const NOTEBOOK_S: u32 = 2;
/// The longest that an instance may be without a notebook between two: a runner looks once a second, and then reads and writes
/// a few records.
const BETWEEN_MS: i64 = 5_000;
/// Within this, every run that waited for the start has seen it.
const POLLED_MS: i64 = 60_000;
/// All runs are asked for within this.
const ASKED_WITHIN_MS: u64 = 60_000;
/// The least that a listing takes; it takes four times as long at most.
const LISTING_MS: u64 = 30;

/// How a queue was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// Runs that waited in it.
    pub runs: u32,
    /// Milliseconds without a notebook between two, in the median.
    pub median_ms: i64,
    /// The most of them.
    pub longest_ms: i64,
    /// Remote calls of functions and runners.
    pub calls: u64,
    /// Function calls.
    pub invocations: u64,
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, median_ms, longest_ms, calls, invocations } = self;
        write!(
            f,
            "a queue of {runs} runs on one instance: {median_ms} ms between two in the median, {longest_ms} ms at most; {calls} calls, {invocations} function calls"
        )
    }
}

/// Plays a queue of so many runs.
///
/// # Errors
/// What did not hold of it.
pub fn serve(runs: u32) -> Result<Served, String> {
    let schedule = schedule(runs);
    let machine = Definitions::default().with(schedule.parameters)?;
    judged(runs, &play(schedule, &machine, None, true))
}

fn schedule(runs: u32) -> Schedule {
    let limits = json!({"startSeconds": 1_200, "queueSeconds": 86_400, "runSeconds": 600, "stopSeconds": 600});
    let trigger = |number: u32| Trigger {
        at: Duration::from_millis(1_000 + u64::from(number) * ASKED_WITHIN_MS / u64::from(runs)),
        input: json!({"instance": "nb-0", "notebook": "reports/daily.ipynb", "limits": limits}),
        event: Some(number + 1),
        deliveries: vec![Duration::from_millis(100)],
    };
    let instance = Instance {
        name: "nb-0".into(),
        pending: Duration::from_mins(1),
        stopping: Duration::from_secs(30),
        script: Duration::from_secs(5),
        skew_ms: 0,
    };
    let notebooks = Notebooks { least: NOTEBOOK_S, most: NOTEBOOK_S, ..Notebooks::default() };
    let parameters = Parameters { start_poll: 30, stop_poll: 15, heartbeat: 300 };
    let triggers = (0..runs).map(trigger).collect();
    Schedule { seed: 1, listing_ms: LISTING_MS, ..Schedule::calm(parameters, vec![instance], triggers, notebooks) }
}

fn judged(runs: u32, played: &Played) -> Result<Served, String> {
    if let Some(violation) = played.violations.first() {
        return Err(format!("{}: {}", violation.guarantee, violation.what));
    }
    let begun = &played.begun;
    let ended_well = |ending: &Ending| ending.outcome.as_ref().is_some_and(|it| it.code.is_none());
    if begun.len() != runs as usize || played.endings.len() != begun.len() || !played.endings.iter().all(ended_well) {
        return Err(format!("of {runs} runs {} were begun, or not all ended well", begun.len()));
    }
    if played.boots.len() != 1 {
        return Err(format!("{} boots served one queue", played.boots.len()));
    }
    let (median_ms, longest_ms) = between(begun).ok_or_else(|| format!("{runs} runs are no queue"))?;
    if longest_ms > BETWEEN_MS {
        return Err(format!("the instance was without a notebook for {longest_ms} ms between two runs"));
    }
    in_order(played)?;
    Ok(Served { runs, median_ms, longest_ms, calls: played.calls, invocations: played.invocations })
}

/// The milliseconds without a notebook between two, in the median and at most.
fn between(begun: &[BegunNotebook]) -> Option<(i64, i64)> {
    let pairs = begun.iter().zip(begun.iter().skip(1));
    let mut between: Vec<i64> =
        pairs.map(|(one, next)| next.at_ms - one.at_ms - i64::from(NOTEBOOK_S) * 1_000).collect();
    between.sort_unstable();
    Some((*between.get(between.len() / 2)?, *between.last()?))
}

/// Of two that are asked for within milliseconds, either is admitted first: what their outcomes say of it decides.
fn in_order(played: &Played) -> Result<(), String> {
    let of = |ending: &Ending| Some((ending.trigger, ending.outcome.as_ref()?.admitted_at?));
    let admitted: BTreeMap<usize, _> = played.endings.iter().filter_map(of).collect();
    let begun = &played.begun;
    if let Some(unknown) = begun.iter().find(|begun| !admitted.contains_key(&begun.trigger)) {
        return Err(format!("the outcome of run {} does not say when it was admitted", unknown.trigger));
    }
    // Whoever was admitted while the instance started comes into the queue with their next poll.
    let polled_ms = begun.first().map_or(0, |first| first.at_ms + POLLED_MS);
    let pairs = begun.iter().zip(begun.iter().skip(1)).filter(|(one, _)| one.at_ms > polled_ms);
    for (one, next) in pairs {
        if admitted.get(&next.trigger) < admitted.get(&one.trigger) {
            let (one, next) = (one.trigger, next.trigger);
            return Err(format!("run {one} was begun before run {next}, which was admitted earlier"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_hold_of_a_queue_is_said() {
        const RUNS: u32 = 30;
        let schedule = schedule(RUNS);
        let machine = Definitions::default().with(schedule.parameters).unwrap();
        let played = play(schedule, &machine, None, true);
        let served = judged(RUNS, &played).unwrap();
        assert_eq!((served.runs, served.calls), (RUNS, played.calls));
        let unlike = |change: &dyn Fn(&mut Played)| {
            let mut other = played.clone();
            change(&mut other);
            judged(RUNS, &other).unwrap_err()
        };
        let late = |from: usize, by_ms: i64| {
            move |played: &mut Played| played.begun.iter_mut().skip(from).for_each(|begun| begun.at_ms += by_ms)
        };
        assert!(unlike(&late(10, 5_000)).contains("without a notebook"));
        assert!(unlike(&|played| played.begun.truncate(29)).contains("29 were begun"));
        assert!(unlike(&|played| played.boots.clear()).contains("0 boots"));
        assert!(unlike(&|played| played.endings[3].outcome = None).contains("not all ended well"));
        let swapped = unlike(&|played| {
            let BegunNotebook { trigger, .. } = played.begun[28];
            played.begun[28].trigger = std::mem::replace(&mut played.begun[29].trigger, trigger);
        });
        assert_eq!(swapped, "run 29 was begun before run 28, which was admitted earlier");
    }
}
