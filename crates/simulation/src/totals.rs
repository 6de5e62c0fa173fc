//! The sums over many schedules.

use std::collections::BTreeMap;

use crate::fault::{Count, Fault};
use crate::guarantees::waste::{Cause, Waste};
use crate::play::Played;

mod table;

pub use table::Speed;

/// Failing seeds that are kept.
const MOST_FAILURES: usize = 1_000;

/// A schedule in which a guarantee did not hold.
#[derive(Clone, Debug)]
pub struct FailedSeed {
    /// Its seed.
    pub seed: u64,
    /// The first thing that did not hold.
    pub what: String,
}

/// What was wasted for one cause.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wasted {
    /// Boots.
    pub boots: u64,
    /// The longest.
    pub longest_ms: i64,
    /// What that one was allowed.
    pub allowed_ms: i64,
}

impl Wasted {
    fn add(&mut self, waste: &Waste) {
        self.merge(&Self { boots: 1, longest_ms: waste.ms, allowed_ms: waste.allowed_ms });
    }

    fn merge(&mut self, other: &Self) {
        self.boots += other.boots;
        if other.longest_ms > self.longest_ms {
            (self.longest_ms, self.allowed_ms) = (other.longest_ms, other.allowed_ms);
        }
    }
}

/// The sums.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Schedules played.
    pub schedules: u64,
    /// Executions that were started in them.
    pub runs: u64,
    /// Schedules in which a guarantee did not hold.
    pub failed: u64,
    /// Schedules that were played twice and compared event by event.
    pub twice: u64,
    invocations: u64,
    calls: u64,
    machine_ms: i64,
    broken: BTreeMap<String, u64>,
    lost_events: u64,
    double_runs: u64,
    unclassified: u64,
    wastes: BTreeMap<Cause, Wasted>,
    faults: BTreeMap<Fault, Count>,
    failures: Vec<FailedSeed>,
}

impl Totals {
    /// Adds a schedule.
    pub fn add(&mut self, seed: u64, played: &Played) {
        self.schedules += 1;
        self.runs += played.executions;
        self.invocations += played.invocations;
        self.calls += played.calls;
        self.machine_ms += played.machine_ms;
        self.lost_events += played.findings.lost_events;
        self.double_runs += played.findings.double_runs;
        self.unclassified += played.findings.unclassified;
        for waste in &played.findings.wastes {
            self.wastes.entry(waste.cause).or_default().add(waste);
        }
        for (fault, count) in &played.faults {
            self.count(*fault, count);
        }
        if let Some(first) = played.violations.first() {
            self.fail(seed, first.guarantee, format!("{}: {}", first.guarantee, first.what));
        }
    }

    /// Adds a failure.
    pub fn fail(&mut self, seed: u64, of: &str, what: String) {
        self.failed += 1;
        *self.broken.entry(of.to_owned()).or_default() += 1;
        if self.failures.len() < MOST_FAILURES {
            self.failures.push(FailedSeed { seed, what });
        }
    }

    fn count(&mut self, fault: Fault, count: &Count) {
        let sum = self.faults.entry(fault).or_default();
        sum.fired += count.fired;
        sum.mattered += count.mattered;
    }

    /// Adds the sums of another part of the same run.
    pub fn merge(&mut self, other: Self) {
        self.schedules += other.schedules;
        self.runs += other.runs;
        self.failed += other.failed;
        self.twice += other.twice;
        self.invocations += other.invocations;
        self.calls += other.calls;
        self.machine_ms += other.machine_ms;
        self.lost_events += other.lost_events;
        self.double_runs += other.double_runs;
        self.unclassified += other.unclassified;
        for (guarantee, count) in other.broken {
            *self.broken.entry(guarantee).or_default() += count;
        }
        for (cause, wasted) in other.wastes {
            self.wastes.entry(cause).or_default().merge(&wasted);
        }
        for (fault, count) in other.faults {
            self.count(fault, &count);
        }
        self.failures.extend(other.failures);
        self.failures.sort_by_key(|failure| failure.seed);
    }

    /// Seeds in which a guarantee did not hold, with what did not.
    #[must_use]
    pub fn failures(&self) -> &[FailedSeed] {
        &self.failures
    }

    /// Kinds that never fired while they could matter. `sweeper`: with those that only the sweeper mends.
    #[must_use]
    pub fn never_fired(&self, sweeper: bool) -> Vec<Fault> {
        let wanted = Fault::every().filter(|fault| sweeper || !fault.needs_sweeper());
        wanted.filter(|fault| self.faults.get(fault).is_none_or(|count| count.mattered == 0)).collect()
    }
}
