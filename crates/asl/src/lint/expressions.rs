//! Expressions: do they compile, and is everything they read there when they are evaluated?

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::model::{Machine, Scope, State, Transition};
use super::{Findings, Rule};
use crate::expression::{self, Expression, Reads};

/// When a field is evaluated, which says what part of `$states` is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// Before or without a task's result.
    Plain,
    /// After a task or all branches succeeded.
    Result,
    /// In a catcher.
    Caught,
}

impl Moment {
    /// The parts of `$states` ("Transforming data with `JSONata`", "Reserved variable: `$states`").
    fn parts(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &["input", "context"],
            Self::Result => &["input", "context", "result"],
            Self::Caught => &["input", "context", "errorOutput"],
        }
    }
}

/// One expression of a state.
struct Site {
    location: String,
    moment: Moment,
    source: String,
}

pub(super) fn check(machine: &Machine, findings: &mut Findings) {
    let anywhere = assigned_anywhere(machine);
    let mut outer: Vec<Assigned> = Vec::with_capacity(machine.scopes.len());
    for scope in &machine.scopes {
        let inherited =
            scope.parent.and_then(|(parent, state)| outer.get(parent)?.get(state).cloned()).unwrap_or_default();
        let assigned = assigned_before(scope, &inherited);
        for state in scope.states.values() {
            check_state(state, assigned.get(state.name), &anywhere, findings);
        }
        outer.push(assigned);
    }
}

/// The variables that some state assigns.
fn assigned_anywhere(machine: &Machine) -> BTreeSet<String> {
    let own = |state: &State| state.body.get("Assign").and_then(Value::as_object).map(names).unwrap_or_default();
    machine.states().flat_map(|state| state.transitions.iter().flat_map(assigned_on).chain(own(state))).collect()
}

fn names(assign: &Map<String, Value>) -> Vec<String> {
    assign.keys().cloned().collect()
}

fn check_state(
    state: &State,
    assigned: Option<&BTreeSet<String>>,
    anywhere: &BTreeSet<String>,
    findings: &mut Findings,
) {
    for site in sites(state) {
        let Site { location, source, .. } = &site;
        let expression = match Expression::compile(source) {
            Ok(expression) => expression,
            Err(error) => {
                findings.add(state.name, Rule::Expression, format!("\"{location}\": {error}"));
                continue;
            }
        };
        let reads = expression.reads();
        check_functions(state, &site, reads, anywhere, findings);
        check_parts(state, &site, reads, findings);
        // A state that nothing reaches has no variables to speak of; that it is unreachable is reported.
        let Some(assigned) = assigned else { continue };
        // The name of a function is a variable when the machine assigns it.
        let variables = reads.variables.iter().chain(reads.function_values.intersection(anywhere));
        for name in variables.filter(|name| !assigned.contains(*name)) {
            findings.add(
                state.name,
                Rule::Unassigned,
                format!(
                    "\"{location}\" reads ${name}, which is not assigned on every path to this state: assign it on each"
                ),
            );
        }
    }
}

fn check_functions(state: &State, site: &Site, reads: &Reads, anywhere: &BTreeSet<String>, findings: &mut Findings) {
    for name in &reads.functions {
        let problem = if anywhere.contains(name) {
            "which a variable of the same name hides: rename the variable"
        } else if !expression::is_known_function(name) {
            "which Step Functions does not have: use another"
        } else {
            continue;
        };
        findings.add(state.name, Rule::Expression, format!("\"{}\" calls ${name}, {problem}", site.location));
    }
}

fn check_parts(state: &State, site: &Site, reads: &Reads, findings: &mut Findings) {
    let allowed = site.moment.parts();
    for part in reads.states.iter().filter(|part| !allowed.contains(&part.as_str())) {
        findings.add(
            state.name,
            Rule::StatesPart,
            format!(
                "\"{}\" reads $states.{part}; there are only {} here: read one of them",
                site.location,
                allowed.join(", ")
            ),
        );
    }
    if reads.input_document {
        findings.add(
            state.name,
            Rule::StatesPart,
            format!(
                "\"{}\" reads the input document ($, $$ or a bare name), which is empty in Step Functions: start from \
                 $states or a variable",
                site.location
            ),
        );
    }
}

/// The variables assigned on every path to each state, by name of the state; unreachable states are not in it.
type Assigned = BTreeMap<String, BTreeSet<String>>;

/// Forward analysis: what is assigned before a state is what all ways into it agree on. It starts from the start
/// state and shrinks until nothing changes, so it ends.
fn assigned_before(scope: &Scope, inherited: &BTreeSet<String>) -> Assigned {
    let mut before = Assigned::new();
    let Some(start) = scope.start.filter(|start| scope.states.contains_key(start)) else {
        return before;
    };
    before.insert(start.to_owned(), inherited.clone());
    let mut open = vec![start];
    while let Some(name) = open.pop() {
        let Some((state, known)) = scope.states.get(name).zip(before.get(name).cloned()) else {
            continue;
        };
        for way in &state.transitions {
            let Some(target) = scope.states.get(way.to) else {
                continue;
            };
            let mut arriving = known.clone();
            arriving.extend(assigned_on(way));
            let agreed = match before.get(target.name) {
                None => arriving,
                Some(there) => there.intersection(&arriving).cloned().collect(),
            };
            if before.get(target.name) != Some(&agreed) {
                before.insert(target.name.to_owned(), agreed);
                open.push(target.name);
            }
        }
    }
    before
}

fn assigned_on(way: &Transition) -> Vec<String> {
    way.assign.and_then(Value::as_object).map(|assign| assign.keys().cloned().collect()).unwrap_or_default()
}

/// Every expression of a state, with its place. Fields that hold no expressions are left out by name.
fn sites(state: &State) -> Vec<Site> {
    let mut sites = Vec::new();
    let after = match state.kind {
        "Task" | "Parallel" => Moment::Result,
        _ => Moment::Plain,
    };
    for (field, value) in state.body {
        match field.as_str() {
            "Assign" | "Output" => collect(field, value, after, &mut sites),
            "Catch" => entries(field, value, Moment::Caught, &mut sites),
            "Choices" => entries(field, value, Moment::Plain, &mut sites),
            "Type" | "Comment" | "QueryLanguage" | "Resource" | "Next" | "Default" | "Retry" | "Branches" => {}
            _ => collect(field, value, Moment::Plain, &mut sites),
        }
    }
    sites
}

fn entries(field: &str, value: &Value, moment: Moment, sites: &mut Vec<Site>) {
    for (index, entry) in value.as_array().into_iter().flatten().enumerate() {
        for name in ["Condition", "Assign", "Output"] {
            if let Some(value) = entry.get(name) {
                collect(&format!("{field}[{index}]/{name}"), value, moment, sites);
            }
        }
    }
}

fn collect(location: &str, value: &Value, moment: Moment, sites: &mut Vec<Site>) {
    match value {
        Value::String(text) => {
            if let Some(source) = expression::unwrap(text) {
                sites.push(Site { location: location.to_owned(), moment, source: source.to_owned() });
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(&format!("{location}[{index}]"), item, moment, sites);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                collect(&format!("{location}/{key}"), member, moment, sites);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
