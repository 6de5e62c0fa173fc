//! A lint over a whole definition: what AWS refuses when a state machine is created, what AWS accepts and then fails at
//! run time, and what a machine that is to survive faults must have beyond that.
//!
//! Owns: the rules, each a [`Rule`]. Never does: runs the machine, or knows the names of anybody's states and codes;
//! those come in [`LintOptions`].

mod errors;
mod expressions;
mod graph;
mod history;
mod model;
mod shapes;
#[cfg(test)]
mod tests;
mod timeouts;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use serde_json::Value;

use model::Machine;

/// One thing that is wrong with a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The state it is in; empty for the machine as a whole.
    pub state: String,
    /// The rule it breaks.
    pub rule: Rule,
    /// What is wrong and what to do about it.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, rule, message } = self;
        let place = if state.is_empty() { "machine" } else { state };
        write!(formatter, "{place}: {message} [{rule:?}]")
    }
}

/// The rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// A required field is missing, a field is unknown or of the other query language, or a value is of the wrong kind.
    Fields,
    /// `StartAt`, `Next`, `Default` or a catcher's `Next` names no state.
    Target,
    /// Two states have the same name.
    DuplicateName,
    /// No path from `StartAt` leads to the state.
    Unreachable,
    /// No path leads from the state to an end.
    NoEnd,
    /// A Choice has no `Default`.
    ChoiceDefault,
    /// A path avoids a state that it must pass.
    MustPass,
    /// An expression does not compile, or calls a function that does not exist.
    Expression,
    /// An expression reads a part of `$states` that does not exist there, or the input document, which is empty.
    StatesPart,
    /// An expression reads a variable that is not assigned on every path to it.
    Unassigned,
    /// `States.ALL` is not alone, or not last.
    StatesAll,
    /// An entry has one of the two names of a missed heartbeat without the other, or an expression asks which it was.
    HeartbeatNames,
    /// A retrier has no bound, no jitter, or a value that AWS refuses.
    Retrier,
    /// A Lambda task does not retry the errors that Lambda itself reports.
    LambdaRetriers,
    /// A Task or Parallel has no catcher for every error.
    CatchAll,
    /// A code is retried more or less than its class allows, or is not a known code.
    Classification,
    /// A Task has no `TimeoutSeconds`, or one that cannot be compared.
    Timeout,
    /// A task that waits for a callback has no heartbeat shorter than its timeout.
    Heartbeat,
    /// A task that waits for a callback does not hand out its token.
    Token,
    /// The worst case is more history events than AWS allows, or cannot be bounded.
    History,
}

/// Every path from one state to an end must pass another.
#[derive(Debug, Clone, Copy)]
pub struct MustPass<'a> {
    /// Where the paths begin.
    pub from: &'a str,
    /// What each of them must pass.
    pub through: &'a str,
}

/// How often a code may be retried by a Task: both ends inclusive; `0..=0` for a code that is never retried.
pub type AllowedAttempts = RangeInclusive<u64>;

/// The classification of error codes that the definition must agree with.
pub struct Classification<'a> {
    /// Every code that a function may fail with. A retrier or catcher naming anything else, but AWS's own errors, is a
    /// finding.
    pub codes: &'a [&'a str],
    /// The number of retries allowed for a code in a state: `allowed(state, code)`.
    pub allowed: &'a dyn Fn(&str, &str) -> AllowedAttempts,
}

/// What bounds the history of one execution.
#[derive(Debug, Clone, Default)]
pub struct HistoryBounds<'a> {
    /// How often a state is entered at most, for at least one state of each cycle.
    pub entries: BTreeMap<&'a str, u64>,
    /// How often an execution is redriven at most: a redrive goes on in the same history.
    pub redrives: u64,
    /// How many retries there are at most in one execution, when that is known: because each takes time and time is
    /// bounded. Otherwise every retrier counts as used up in every stay in its state.
    pub retries: Option<u64>,
}

/// What the lint has to know of a definition beyond its text.
pub struct LintOptions<'a> {
    /// The Task states that need no catcher for every error.
    pub uncaught: &'a [&'a str],
    /// The states that paths must pass.
    pub must_pass: &'a [MustPass<'a>],
    /// The largest `MaxAttempts` that counts as bounded.
    pub max_attempts: u64,
    /// The classes of the error codes, when there are any.
    pub classification: Option<Classification<'a>>,
    /// The bounds of the history, when it is to be computed.
    pub history: Option<HistoryBounds<'a>>,
}

impl Default for LintOptions<'_> {
    /// Ten attempts: with AWS's default backoff of 2 the tenth comes after some 17 minutes; more than that is a loop,
    /// which belongs into the machine where it can be seen.
    fn default() -> Self {
        Self { uncaught: &[], must_pass: &[], max_attempts: 10, classification: None, history: None }
    }
}

/// Applies every rule to `definition`; an empty answer means that nothing is wrong.
#[must_use]
pub fn lint(definition: &Value, options: &LintOptions) -> Vec<Finding> {
    let mut findings = Findings::default();
    let Some(machine) = Machine::read(definition, &mut findings) else {
        return findings.0;
    };
    shapes::check(definition, &machine, &mut findings);
    graph::check(&machine, options, &mut findings);
    expressions::check(&machine, &mut findings);
    errors::check(&machine, options, &mut findings);
    timeouts::check(&machine, &mut findings);
    if let Some(bounds) = &options.history {
        history::check(&machine, bounds, &mut findings);
    }
    findings.0
}

/// The worst-case number of history events of one execution under `bounds`.
///
/// # Errors
/// The findings that make it impossible to say: no such state, or a cycle without a bound.
pub fn worst_case_history(definition: &Value, bounds: &HistoryBounds) -> Result<u64, Vec<Finding>> {
    let mut findings = Findings::default();
    let events = Machine::read(definition, &mut findings)
        .and_then(|machine| history::worst_case(&machine, bounds, &mut findings));
    events.ok_or(findings.0)
}

/// The findings so far.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, state: &str, rule: Rule, message: String) {
        self.0.push(Finding { state: state.to_owned(), rule, message });
    }
}
