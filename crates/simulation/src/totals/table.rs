//! What a reader sees of the sums: guarantees first, then what was wasted, then what struck, then the speed. Everything else
//! is in the JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use super::Totals;
use crate::fault::{Count, Fault};
use crate::guarantees::waste::Cause;

/// The five, and what a list of runs relies on, in a few words.
const GUARANTEES: [(&str, &str); 6] = [
    ("G1", "no trigger is lost, and everything ends"),
    ("G2", "no notebook runs twice for one trigger"),
    ("G3", "nothing of ours stays on, and no person is stopped"),
    ("G4", "every ending has its own code, and the first error wins"),
    ("G5", "a run that a person asks for is safe"),
    ("G6", "the history lists what ended, as it ended"),
];
/// Kinds that are shown, of those that struck least.
const RAREST: usize = 10;

/// How quick it was.
#[derive(Clone, Copy, Debug)]
pub struct Speed {
    /// Seconds that passed.
    pub passed: f64,
    /// Seconds that threads were really running.
    pub running: f64,
    /// Threads.
    pub threads: u64,
}

impl Totals {
    /// The table, of 100 columns at most.
    #[must_use]
    pub fn table(&self, speed: Speed) -> String {
        let mut text = String::new();
        let mut line = |line: String| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{line}");
        };
        let hours = self.machine_ms / 3_600_000;
        line(format!("{} schedules, {} runs, {hours} hours of instances", self.schedules, self.runs));
        line(format!("\n{:<75} {:>10}", "guarantees", "broken"));
        for (guarantee, words) in GUARANTEES {
            line(format!("  {guarantee} {words:<70} {:>10}", self.broken.get(guarantee).unwrap_or(&0)));
        }
        let unlike = self.broken.get("twice").unwrap_or(&0);
        let twice = format!("played twice, event by event: {} schedules", self.twice);
        line(format!("  {twice:<73} {unlike:>10}"));
        line(format!(
            "\n{:<49} {:>10} {:>14} {:>10}",
            "on in vain, by its longest cause", "boots", "longest, s", "bound, s"
        ));
        for cause in Cause::ALL {
            let wasted = self.wastes.get(&cause).copied().unwrap_or_default();
            let (longest, bound) = (wasted.longest_ms / 1_000, wasted.allowed_ms / 1_000);
            line(format!("  {:<47} {:>10} {longest:>14} {bound:>10}", cause.name(), wasted.boots));
        }
        let mut struck: Vec<(Fault, Count)> = self.faults.iter().map(|(fault, count)| (*fault, *count)).collect();
        struck.sort_by_key(|(_, count)| count.mattered);
        let sum: u64 = struck.iter().map(|(_, count)| count.mattered).sum();
        let kinds = Fault::every().count();
        line(format!("\n{:<75} {:>10}", format!("{} of {kinds} kinds of fault; the rarest", struck.len()), "mattered"));
        for (fault, count) in struck.iter().take(RAREST) {
            line(format!("  {:<73} {:>10}", fault.name(), count.mattered));
        }
        line(format!("  {:<73} {sum:>10}", "all kinds together (each in target/simulate.json)"));
        line(format!(
            "\n{:.0} runs a second on one core: {:.1} s on {} {}, {:.1} s of them running",
            self.runs_a_second(speed),
            speed.passed,
            speed.threads,
            if speed.threads == 1 { "thread" } else { "threads" },
            speed.running
        ));
        text
    }

    /// Everything.
    #[must_use]
    pub fn json(&self, speed: Speed) -> Value {
        let faults: Value = Fault::every()
            .map(|fault| (fault.name().to_owned(), json!(self.faults.get(&fault).copied().unwrap_or_default())))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let wastes: Value = self
            .wastes
            .iter()
            .map(|(cause, wasted)| {
                let told = json!({
                    "boots": wasted.boots,
                    "longestSeconds": wasted.longest_ms / 1_000,
                    "boundSeconds": wasted.allowed_ms / 1_000,
                });
                (cause.name().to_owned(), told)
            })
            .collect::<serde_json::Map<_, _>>()
            .into();
        json!({
            "schedules": self.schedules,
            "runs": self.runs,
            "functionCalls": self.invocations,
            "callsToAws": self.calls,
            "instanceSeconds": self.machine_ms / 1_000,
            "schedulesWithABrokenGuarantee": self.failed,
            "broken": self.broken,
            "lostEvents": self.lost_events,
            "doubleRuns": self.double_runs,
            "unclassifiedEndings": self.unclassified,
            "playedTwice": self.twice,
            "onInVain": wastes,
            "faults": faults,
            "failures": self.failures.iter().map(|failure| json!({"seed": failure.seed, "what": failure.what})).collect::<Vec<_>>(),
            "runsASecondOnOneCore": self.runs_a_second(speed),
            "secondsPassed": speed.passed,
            "secondsRunning": speed.running,
            "threads": speed.threads,
        })
    }

    fn runs_a_second(&self, speed: Speed) -> f64 {
        f64::from(u32::try_from(self.runs).unwrap_or(u32::MAX)) / speed.running
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_fits_a_screen() {
        let table = Totals::default().table(Speed { passed: 60.0, running: 100.0, threads: 2 });
        assert!(table.lines().count() <= 45, "{table}");
        assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
    }

    /// Whichever kinds are the rarest, the numbers stand under each other.
    #[test]
    fn the_columns_stand_under_each_other() {
        for fault in Fault::every() {
            let totals = Totals { faults: [(fault, Count::default())].into(), ..Totals::default() };
            let table = totals.table(Speed { passed: 60.0, running: 100.0, threads: 1 });
            let columns = table.lines().filter(|line| line.starts_with("  "));
            assert!(columns.clone().all(|line| line.chars().count() == 86), "{table}");
            assert!(columns.count() > GUARANTEES.len(), "{table}");
        }
    }
}
