//! The worst case of an execution's history: AWS ends an execution that comes to 25,000 events.
//!
//! Cycles are bounded from outside: for at least one state of each cycle it must be said how often it is entered. With
//! those states taken out, what is left has no cycle, and its longest path bounds what happens between two entries.
//! Retries count for every stay, unless it is said how many there are in a whole execution.

use std::collections::{BTreeMap, BTreeSet};

use super::errors::max_attempts;
use super::model::{Machine, Scope, State};
use super::{Findings, HistoryBounds, Rule};

/// "Step Functions service quotas": maximum execution history size of a Standard workflow.
pub const EVENT_LIMIT: u64 = 25_000;

/// `ExecutionStarted`, the event that ends it, and an `EvaluationFailed` in a state that catches nothing.
const FRAME_EVENTS: u64 = 3;

/// `TaskScheduled`, `TaskStarted` and the outcome.
const ATTEMPT_EVENTS: u64 = 3;

/// `TaskSubmitted`, besides, when the task waits for a callback.
const SUBMITTED_EVENT: u64 = 1;

/// The state's `...Entered` and `...Exited`.
const STATE_EVENTS: u64 = 2;

/// `EvaluationFailed`, which an attempt may add.
const EVALUATION_EVENT: u64 = 1;

/// `ParallelStateStarted` and `ParallelStateSucceeded` or `ParallelStateFailed`.
const PARALLEL_EVENTS: u64 = 2;

pub(super) fn check(machine: &Machine, bounds: &HistoryBounds, findings: &mut Findings) {
    let Some(events) = worst_case(machine, bounds, findings) else {
        return;
    };
    if events >= EVENT_LIMIT {
        findings.add(
            "",
            Rule::History,
            format!(
                "the worst case is {events} history events, AWS ends an execution at {EVENT_LIMIT}: lower the bounds \
                 or the retries"
            ),
        );
    }
}

/// The largest number of events, `None` (with a finding) when it has no bound.
pub(super) fn worst_case(machine: &Machine, bounds: &HistoryBounds, findings: &mut Findings) -> Option<u64> {
    for name in bounds.entries.keys() {
        if !machine.states().any(|state| state.name == *name) {
            findings.add(
                name,
                Rule::History,
                format!("a bound is given for \"{name}\", which is not a state: correct the bound's name"),
            );
            return None;
        }
    }
    let path = scope_events(machine, 0, bounds, findings)?;
    let run = path.saturating_add(retried_events(machine, bounds, findings)?);
    // A redrive adds ExecutionRedriven and runs, at worst, everything again.
    let runs = bounds.redrives.saturating_add(1);
    Some(FRAME_EVENTS.saturating_add(run).saturating_mul(runs).saturating_add(bounds.redrives))
}

/// The events of the worst path through one scope.
fn scope_events(machine: &Machine, index: usize, bounds: &HistoryBounds, findings: &mut Findings) -> Option<u64> {
    let scope = machine.scopes.get(index)?;
    let mut weights = BTreeMap::new();
    for state in scope.states.values() {
        weights.insert(state.name, state_events(machine, index, state, bounds, findings)?);
    }
    let components = components(scope);
    let mut longest: BTreeMap<&str, u64> = BTreeMap::new();
    // Components come in reverse topological order: what follows a component is known before it.
    for component in &components {
        let own = component_events(scope, component, &weights, bounds, findings)?;
        let after = component
            .iter()
            .filter_map(|name| scope.states.get(name))
            .flat_map(|state| scope.successors(state))
            .filter(|next| !component.contains(next.name))
            .filter_map(|next| longest.get(next.name).copied())
            .max()
            .unwrap_or(0);
        for name in component {
            longest.insert(name, own.saturating_add(after));
        }
    }
    longest.get(scope.start?).copied()
}

/// The events of one stay in a strongly connected component.
fn component_events(
    scope: &Scope,
    component: &BTreeSet<&str>,
    weights: &BTreeMap<&str, u64>,
    bounds: &HistoryBounds,
    findings: &mut Findings,
) -> Option<u64> {
    let loops = component
        .iter()
        .filter_map(|name| scope.states.get(name))
        .any(|state| scope.successors(state).any(|next| component.contains(next.name)));
    if !loops {
        return component.iter().next().map(|name| weights[name]);
    }
    let rest: BTreeSet<&str> = component.iter().copied().filter(|name| !bounds.entries.contains_key(name)).collect();
    let Some(stretches) = longest_paths(scope, &rest, weights) else {
        let names: Vec<_> = rest.iter().copied().collect();
        findings.add(
            names.first().copied().unwrap_or(""),
            Rule::History,
            format!("a cycle among {} has no bound: say for one of them how often it is entered", names.join(", ")),
        );
        return None;
    };
    // The stretch from the way in to the first bounded state, and the one after each entry into a bounded state.
    let mut events = stretches.values().copied().max().unwrap_or(0);
    for (name, bound) in &bounds.entries {
        let Some(state) = component.get(name).and_then(|name| scope.states.get(name)) else { continue };
        let after = scope.successors(state).filter_map(|next| stretches.get(next.name)).max().copied().unwrap_or(0);
        events = events.saturating_add(bound.saturating_mul(weights[name].saturating_add(after)));
    }
    Some(events)
}

/// For each of `names` the heaviest path that begins there and stays among them; `None` when they have a cycle.
fn longest_paths<'a>(
    scope: &Scope<'a>,
    names: &BTreeSet<&'a str>,
    weights: &BTreeMap<&str, u64>,
) -> Option<BTreeMap<&'a str, u64>> {
    let mut longest: BTreeMap<&str, u64> = BTreeMap::new();
    // As many rounds as there are states settle every path without a cycle; each settles at least one state.
    for _ in 0..names.len() {
        for name in names {
            let after = scope.states.get(name).map(|state| {
                scope
                    .successors(state)
                    .filter(|next| names.contains(next.name))
                    .map(|next| longest.get(next.name).copied())
                    .collect::<Option<Vec<_>>>()
            });
            if let Some(Some(after)) = after {
                let after = after.into_iter().max().unwrap_or(0);
                longest.insert(name, weights[name].saturating_add(after));
            }
        }
    }
    (longest.len() == names.len()).then_some(longest)
}

/// The events of one stay in a state.
fn state_events(
    machine: &Machine,
    scope: usize,
    state: &State,
    bounds: &HistoryBounds,
    findings: &mut Findings,
) -> Option<u64> {
    let retries = match bounds.retries {
        None => state.list("Retry").iter().map(max_attempts).sum(),
        // Counted once for the whole execution.
        Some(_) => 0_u64,
    };
    let events = attempt_events(machine, scope, state, bounds, findings)?;
    Some(STATE_EVENTS.saturating_add(retries.saturating_add(1).saturating_mul(events)))
}

/// The events of one attempt of a state; none when it attempts nothing.
fn attempt_events(
    machine: &Machine,
    scope: usize,
    state: &State,
    bounds: &HistoryBounds,
    findings: &mut Findings,
) -> Option<u64> {
    Some(match state.kind {
        "Task" if state.waits_for_callback() => ATTEMPT_EVENTS + SUBMITTED_EVENT + EVALUATION_EVENT,
        "Task" => ATTEMPT_EVENTS + EVALUATION_EVENT,
        "Parallel" => {
            let mut events = PARALLEL_EVENTS + EVALUATION_EVENT;
            for (index, branch) in machine.scopes.iter().enumerate() {
                if branch.parent == Some((scope, state.name)) {
                    events = events.saturating_add(scope_events(machine, index, bounds, findings)?);
                }
            }
            events
        }
        _ => 0,
    })
}

/// The events of all retries of an execution, when it is said how many there are: each the costliest there is.
fn retried_events(machine: &Machine, bounds: &HistoryBounds, findings: &mut Findings) -> Option<u64> {
    let Some(retries) = bounds.retries else { return Some(0) };
    let mut costliest = 0;
    for (index, scope) in machine.scopes.iter().enumerate() {
        for state in scope.states.values() {
            costliest = costliest.max(attempt_events(machine, index, state, bounds, findings)?);
        }
    }
    Some(retries.saturating_mul(costliest))
}

/// The strongly connected components, in reverse topological order (Tarjan's algorithm, without recursion limits: a
/// definition has at most some hundred states).
fn components<'a>(scope: &Scope<'a>) -> Vec<BTreeSet<&'a str>> {
    let mut search =
        Search { scope, index: BTreeMap::new(), low: BTreeMap::new(), stack: Vec::new(), found: Vec::new() };
    for state in scope.states.values() {
        if !search.index.contains_key(state.name) {
            search.visit(state);
        }
    }
    search.found
}

/// The bookkeeping of Tarjan's algorithm.
struct Search<'s, 'a> {
    scope: &'s Scope<'a>,
    index: BTreeMap<&'a str, usize>,
    low: BTreeMap<&'a str, usize>,
    stack: Vec<&'a str>,
    found: Vec<BTreeSet<&'a str>>,
}

impl<'a> Search<'_, 'a> {
    fn visit(&mut self, state: &State<'a>) {
        let order = self.index.len();
        self.index.insert(state.name, order);
        let mut low = order;
        self.stack.push(state.name);
        let scope = self.scope;
        for next in scope.successors(state) {
            match self.index.get(next.name) {
                None => {
                    self.visit(next);
                    low = low.min(self.low[next.name]);
                }
                Some(seen) if self.stack.contains(&next.name) => low = low.min(*seen),
                Some(_) => {}
            }
        }
        self.low.insert(state.name, low);
        if low == order {
            let from = self.stack.iter().position(|name| *name == state.name);
            let component = self.stack.split_off(from.unwrap_or(0));
            self.found.push(component.into_iter().collect());
        }
    }
}
