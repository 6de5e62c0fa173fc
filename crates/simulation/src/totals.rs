//! The sums over many schedules, and the table that shows them.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::fault::Fault;
use crate::play::Played;

/// Failing seeds that are kept.
const MOST_FAILURES: usize = 1_000;

/// A schedule in which a guarantee did not hold.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// The first thing that did not hold.
    pub what: String,
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
    invocations: u64,
    calls: u64,
    machine_ms: i64,
    lost_events: u64,
    double_runs: u64,
    leaked_ms: i64,
    longest_leak_ms: i64,
    unclassified: u64,
    faults: BTreeMap<Fault, u64>,
    failures: Vec<Failure>,
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
        self.leaked_ms += played.findings.leaked_ms;
        self.longest_leak_ms = self.longest_leak_ms.max(played.findings.longest_leak_ms);
        self.unclassified += played.findings.unclassified;
        for (fault, count) in &played.faults {
            *self.faults.entry(*fault).or_default() += count;
        }
        if let Some(first) = played.violations.first() {
            self.failed += 1;
            if self.failures.len() < MOST_FAILURES {
                self.failures.push(Failure { seed, what: format!("{}: {}", first.guarantee, first.what) });
            }
        }
    }

    /// Adds the sums of another part of the same run.
    pub fn merge(&mut self, other: Self) {
        self.schedules += other.schedules;
        self.runs += other.runs;
        self.failed += other.failed;
        self.invocations += other.invocations;
        self.calls += other.calls;
        self.machine_ms += other.machine_ms;
        self.lost_events += other.lost_events;
        self.double_runs += other.double_runs;
        self.leaked_ms += other.leaked_ms;
        self.longest_leak_ms = self.longest_leak_ms.max(other.longest_leak_ms);
        self.unclassified += other.unclassified;
        for (fault, count) in other.faults {
            *self.faults.entry(fault).or_default() += count;
        }
        self.failures.extend(other.failures);
        self.failures.sort_by_key(|failure| failure.seed);
    }

    /// Seeds in which a guarantee did not hold, with what did not.
    #[must_use]
    pub fn failures(&self) -> &[Failure] {
        &self.failures
    }

    /// Kinds that never fired. `sweeper`: with those that only the sweeper mends.
    #[must_use]
    pub fn never_fired(&self, sweeper: bool) -> Vec<Fault> {
        let wanted = Fault::every().filter(|fault| sweeper || !fault.needs_sweeper());
        wanted.filter(|fault| !self.faults.contains_key(fault)).collect()
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> String {
        let mut rows = String::new();
        let mut row = |name: &str, value: String| {
            // Writing to a String cannot fail.
            let _ = writeln!(rows, "{name:<52} {value:>14}");
        };
        let tenths = self.machine_ms / 360_000;
        row("schedules", self.schedules.to_string());
        row("runs", self.runs.to_string());
        row("function calls", self.invocations.to_string());
        row("calls to AWS", self.calls.to_string());
        row("simulated instance-hours", format!("{}.{}", tenths / 10, tenths % 10));
        row("schedules with a broken guarantee", self.failed.to_string());
        row("lost events", self.lost_events.to_string());
        row("double runs", self.double_runs.to_string());
        row("leaked instance-seconds", (self.leaked_ms / 1000).to_string());
        row("longest leak, seconds", (self.longest_leak_ms / 1000).to_string());
        row("unclassified endings", self.unclassified.to_string());
        row("faults fired", self.faults.values().sum::<u64>().to_string());
        for fault in Fault::every() {
            if let Some(count) = self.faults.get(&fault) {
                row(&format!("  {}", fault.name()), count.to_string());
            }
        }
        rows
    }
}
