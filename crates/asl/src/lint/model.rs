//! A definition as the rules see it: scopes (the machine and each branch), states and the transitions between them.
//!
//! Lenient: a broken definition still has a model, as far as it goes, so that each rule reports what it can see.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Finding, Findings, Rule};

/// How deep branches may be nested in branches. AWS sets no figure; past this the definition is a mistake, and the
/// recursion over it must end.
const MAX_NESTING: usize = 16;

/// A whole definition.
#[derive(Debug)]
pub(super) struct Machine<'a> {
    /// The machine itself is the first scope; branches follow, each after the scope that holds it.
    pub scopes: Vec<Scope<'a>>,
}

/// One `StartAt` with its `States`.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    /// What it is called in messages.
    pub name: String,
    /// The Parallel state that holds it: index of its scope, and its name.
    pub parent: Option<(usize, &'a str)>,
    pub start: Option<&'a str>,
    pub states: BTreeMap<&'a str, State<'a>>,
}

#[derive(Debug)]
pub(super) struct State<'a> {
    pub name: &'a str,
    pub kind: &'a str,
    pub body: &'a Map<String, Value>,
    pub transitions: Vec<Transition<'a>>,
}

/// One way out of a state.
#[derive(Debug, Clone, Copy)]
pub(super) struct Transition<'a> {
    pub to: &'a str,
    pub via: Via,
    /// The `Assign` that takes effect on this way.
    pub assign: Option<&'a Value>,
}

/// Which field a transition is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Via {
    Next,
    Default,
    Choice(usize),
    Catch(usize),
}

impl Via {
    pub(super) fn field(self) -> String {
        match self {
            Self::Next => "Next".to_owned(),
            Self::Default => "Default".to_owned(),
            Self::Choice(index) => format!("Choices[{index}]/Next"),
            Self::Catch(index) => format!("Catch[{index}]/Next"),
        }
    }
}

impl<'a> Machine<'a> {
    /// Reads `definition`; `None` when it is not an object with states at all.
    pub(super) fn read(definition: &'a Value, findings: &mut Findings) -> Option<Self> {
        let mut machine = Self { scopes: Vec::new() };
        machine.read_scope(definition, "machine".to_owned(), None, 0, findings);
        if machine.scopes.is_empty() {
            findings.add("", Rule::Fields, "the definition has no object \"States\": write one".to_owned());
            return None;
        }
        machine.report_duplicates(findings);
        Some(machine)
    }

    fn read_scope(
        &mut self,
        body: &'a Value,
        name: String,
        parent: Option<(usize, &'a str)>,
        depth: usize,
        findings: &mut Findings,
    ) {
        let Some(states) = body.get("States").and_then(Value::as_object) else {
            return;
        };
        if depth > MAX_NESTING {
            findings.add("", Rule::Fields, format!("{name} is nested more than {MAX_NESTING} deep: flatten it"));
            return;
        }
        let index = self.scopes.len();
        self.scopes.push(Scope {
            name,
            parent,
            start: body.get("StartAt").and_then(Value::as_str),
            states: states.iter().filter_map(|(name, body)| Some((name.as_str(), State::read(name, body)?))).collect(),
        });
        for (state, body) in states {
            for (branch, body) in array(body, "Branches").iter().enumerate() {
                let name = format!("{state}/Branches[{branch}]");
                self.read_scope(body, name, Some((index, state)), depth + 1, findings);
            }
        }
    }

    /// State names are unique within the whole machine, branches included (ASL specification, "States").
    fn report_duplicates(&self, findings: &mut Findings) {
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        for scope in &self.scopes {
            for name in scope.states.keys() {
                if let Some(other) = seen.insert(name, &scope.name) {
                    findings.0.push(Finding {
                        state: (*name).to_owned(),
                        rule: Rule::DuplicateName,
                        message: format!("a state of this name is in {other} and in {}: rename one", scope.name),
                    });
                }
            }
        }
    }

    /// All states of all scopes.
    pub(super) fn states(&self) -> impl Iterator<Item = &State<'a>> {
        self.scopes.iter().flat_map(|scope| scope.states.values())
    }

    /// The machine itself, without its branches.
    pub(super) fn top(&self) -> Option<&Scope<'a>> {
        self.scopes.first()
    }
}

impl<'a> Scope<'a> {
    /// The states that a way out of `state` leads to, those that exist.
    pub(super) fn successors(&self, state: &State<'a>) -> impl Iterator<Item = &State<'a>> {
        state.transitions.iter().filter_map(|transition| self.states.get(transition.to))
    }
}

impl<'a> State<'a> {
    fn read(name: &'a str, body: &'a Value) -> Option<Self> {
        let body = body.as_object()?;
        let kind = body.get("Type").and_then(Value::as_str).unwrap_or("");
        Some(Self { name, kind, body, transitions: transitions(body) })
    }

    pub(super) fn is_task(&self) -> bool {
        self.kind == "Task"
    }

    /// Whether the machine may end here: by its type, by `End`, or because an error of it is caught nowhere.
    pub(super) fn may_end(&self) -> bool {
        crate::fields::is_terminal_type(self.kind) || self.body.get("End").and_then(Value::as_bool) == Some(true)
    }

    pub(super) fn resource(&self) -> &'a str {
        self.body.get("Resource").and_then(Value::as_str).unwrap_or("")
    }

    pub(super) fn waits_for_callback(&self) -> bool {
        self.resource().ends_with(".waitForTaskToken")
    }

    /// A Lambda function, by its own ARN or through the optimized integration.
    pub(super) fn is_lambda(&self) -> bool {
        let resource = self.resource();
        resource.contains(":states:::lambda:invoke") || resource.contains(":lambda:")
    }

    pub(super) fn list(&self, field: &str) -> &'a [Value] {
        self.body.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

/// The elements of `value[field]`; none when it is not an array.
fn array<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The errors of a retrier or a catcher (`ErrorEquals`); none when it is not an array.
pub(super) fn errors_of(entry: &Value) -> Vec<&str> {
    array(entry, "ErrorEquals").iter().filter_map(Value::as_str).collect()
}

/// The ways out of a state. A catcher's and a rule's own `Assign` takes the place of the state's.
fn transitions(body: &Map<String, Value>) -> Vec<Transition<'_>> {
    let own = body.get("Assign");
    let simple = [("Next", Via::Next), ("Default", Via::Default)]
        .into_iter()
        .filter_map(|(field, via)| Some(Transition { to: body.get(field)?.as_str()?, via, assign: own }));
    let nested = |field: &'static str, via: fn(usize) -> Via| {
        body.get(field).and_then(Value::as_array).into_iter().flatten().enumerate().filter_map(move |(index, entry)| {
            Some(Transition { to: entry.get("Next")?.as_str()?, via: via(index), assign: entry.get("Assign") })
        })
    };
    simple.chain(nested("Choices", Via::Choice)).chain(nested("Catch", Via::Catch)).collect()
}
