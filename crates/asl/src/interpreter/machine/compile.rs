//! From JSON to [`super::Machine`].

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Value};

use super::super::machine_error::MachineError;
use super::super::retry::Retrier;
use super::super::template::Template;
use super::{Catcher, Effects, Handlers, Integration, Kind, Next, Parallel, Rule, Scope, State, Task};
use crate::fields::{self, Shape};

/// Branches inside branches: no machine that a person reads goes deeper, and the recursion must end.
const MAX_NESTING: usize = 16;

type Body = Map<String, Value>;

/// The place in the definition that is being compiled: the state, and the path inside it.
#[derive(Clone, Copy)]
struct Place<'a> {
    state: &'a str,
    path: &'a str,
}

impl Place<'_> {
    fn field(&self, field: &str) -> String {
        if self.path.is_empty() { field.to_owned() } else { format!("{}/{field}", self.path) }
    }

    fn value_error(&self, field: &str, problem: &'static str) -> MachineError {
        MachineError::Value { state: self.state.to_owned(), field: self.field(field), problem }
    }

    fn require<'v>(&self, body: &'v Body, field: &str) -> Result<&'v Value, MachineError> {
        body.get(field).ok_or_else(|| self.value_error(field, "is missing"))
    }

    fn require_str<'v>(&self, body: &'v Body, field: &str) -> Result<&'v str, MachineError> {
        self.require(body, field)?.as_str().ok_or_else(|| self.value_error(field, "is not a string"))
    }

    fn template(&self, body: &Body, field: &str) -> Result<Option<Template>, MachineError> {
        body.get(field).map(|value| Template::compile(self.state, &self.field(field), value)).transpose()
    }

    /// Refuses what the shape does not have, by name.
    fn check(&self, body: &Body, shape: &Shape, allowed: fn(&Shape, &str) -> bool) -> Result<(), MachineError> {
        let Some(field) = body.keys().find(|field| !allowed(shape, field)) else {
            return Ok(());
        };
        let why = if fields::JSONPATH_ONLY.contains(&field.as_str()) {
            "belongs to JSONPath"
        } else {
            "is not of the language there"
        };
        Err(MachineError::Field { state: self.state.to_owned(), field: self.field(field), why })
    }
}

pub(super) fn machine(definition: &Value) -> Result<(Scope, Option<u64>), MachineError> {
    let place = Place { state: "", path: "" };
    let body = definition.as_object().ok_or_else(|| place.value_error("", "is not an object"))?;
    place.check(body, &fields::MACHINE, fields::allowed)?;
    let timeout = match body.get("TimeoutSeconds") {
        None => None,
        Some(seconds) => Some(
            seconds
                .as_u64()
                .filter(|seconds| *seconds > 0)
                .ok_or_else(|| place.value_error("TimeoutSeconds", "is not a positive whole number"))?,
        ),
    };
    let jsonata = language(body, place)?.unwrap_or(false);
    Ok((scope(body, place, jsonata, 0)?, timeout))
}

/// Whether `QueryLanguage` is `JSONata`; `None` when it is not given.
fn language(body: &Body, place: Place) -> Result<Option<bool>, MachineError> {
    match body.get("QueryLanguage").map(Value::as_str) {
        None => Ok(None),
        Some(Some("JSONata")) => Ok(Some(true)),
        Some(Some("JSONPath")) => Ok(Some(false)),
        Some(_) => Err(place.value_error("QueryLanguage", "is neither JSONata nor JSONPath")),
    }
}

fn scope(body: &Body, place: Place, jsonata: bool, depth: usize) -> Result<Scope, MachineError> {
    if depth > MAX_NESTING {
        return Err(MachineError::Depth { state: place.state.to_owned() });
    }
    let states =
        place.require(body, "States")?.as_object().ok_or_else(|| place.value_error("States", "is not an object"))?;
    let names: BTreeMap<&str, usize> = states.keys().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
    let compiled = states
        .iter()
        .map(|(name, body)| {
            let place = Place { state: name, path: "" };
            let body = body.as_object().ok_or_else(|| place.value_error("", "is not an object"))?;
            Compiler { place, names: &names, jsonata, depth }.state(body)
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Scope { start: target(body, place, "StartAt", &names)?, states: compiled })
}

fn target(body: &Body, place: Place, field: &str, names: &BTreeMap<&str, usize>) -> Result<usize, MachineError> {
    let name = place.require_str(body, field)?;
    names.get(name).copied().ok_or_else(|| MachineError::Target {
        state: place.state.to_owned(),
        field: place.field(field),
        target: name.to_owned(),
    })
}

/// Compiles one state.
#[derive(Clone, Copy)]
struct Compiler<'a> {
    place: Place<'a>,
    names: &'a BTreeMap<&'a str, usize>,
    jsonata: bool,
    depth: usize,
}

impl Compiler<'_> {
    fn state(&self, body: &Body) -> Result<State, MachineError> {
        let place = self.place;
        let kind = place.require_str(body, "Type")?;
        let Some(shape) = fields::of_state(kind) else {
            return Err(MachineError::Kind { state: place.state.to_owned(), kind: kind.to_owned() });
        };
        if !language(body, place)?.unwrap_or(self.jsonata) {
            return Err(place.value_error("QueryLanguage", "is JSONPath, which this interpreter does not run"));
        }
        place.check(body, &shape, fields::allowed_in_state)?;
        Ok(State {
            name: Rc::from(place.state),
            next: self.next(body, kind)?,
            effects: effects(body, place)?,
            kind: self.kind(body, kind)?,
        })
    }

    fn next(&self, body: &Body, kind: &str) -> Result<Next, MachineError> {
        if !fields::has_next_or_end(kind) {
            return Ok(Next::End);
        }
        match (body.contains_key("Next"), body.get("End")) {
            (true, None) => Ok(Next::To(self.target(body, "Next")?)),
            (false, Some(Value::Bool(true))) => Ok(Next::End),
            _ => Err(self.place.value_error("Next", "or End: true must be there, and not both")),
        }
    }

    fn target(&self, body: &Body, field: &str) -> Result<usize, MachineError> {
        target(body, self.place, field, self.names)
    }

    fn kind(&self, body: &Body, kind: &str) -> Result<Kind, MachineError> {
        let place = self.place;
        Ok(match kind {
            "Pass" => Kind::Pass,
            "Succeed" => Kind::Succeed,
            "Fail" => Kind::Fail { error: place.template(body, "Error")?, cause: place.template(body, "Cause")? },
            "Choice" => self.choice(body)?,
            "Wait" => self.wait(body)?,
            "Task" => Kind::Task(Box::new(self.task(body)?)),
            "Parallel" => Kind::Parallel(Box::new(self.parallel(body)?)),
            other => return Err(MachineError::Kind { state: place.state.to_owned(), kind: other.to_owned() }),
        })
    }

    fn wait(&self, body: &Body) -> Result<Kind, MachineError> {
        match (self.place.template(body, "Seconds")?, self.place.template(body, "Timestamp")?) {
            (Some(seconds), None) => Ok(Kind::WaitSeconds(seconds)),
            (None, Some(timestamp)) => Ok(Kind::WaitUntil(timestamp)),
            _ => Err(self.place.value_error("Seconds", "or Timestamp must be there, and not both")),
        }
    }

    fn choice(&self, body: &Body) -> Result<Kind, MachineError> {
        self.place.require(body, "Choices")?;
        let rules = self.entries(body, "Choices", &fields::CHOICE_RULE, |inner, rule| {
            Ok(Rule {
                condition: inner
                    .place
                    .template(rule, "Condition")?
                    .ok_or_else(|| inner.place.value_error("Condition", "is missing"))?,
                effects: effects(rule, inner.place)?,
                next: inner.target(rule, "Next")?,
            })
        })?;
        let default = body.contains_key("Default").then(|| self.target(body, "Default")).transpose()?;
        Ok(Kind::Choice { rules, default })
    }

    fn task(&self, body: &Body) -> Result<Task, MachineError> {
        let resource = self.place.require_str(body, "Resource")?;
        Ok(Task {
            resource: Rc::from(resource),
            integration: integration(resource),
            arguments: self.place.template(body, "Arguments")?,
            credentials: self.place.template(body, "Credentials")?,
            timeout: self.place.template(body, "TimeoutSeconds")?,
            heartbeat: self.place.template(body, "HeartbeatSeconds")?,
            handlers: self.handlers(body)?,
        })
    }

    fn parallel(&self, body: &Body) -> Result<Parallel, MachineError> {
        self.place.require(body, "Branches")?;
        let branches = self.entries(body, "Branches", &fields::BRANCH, |inner, branch| {
            scope(branch, inner.place, inner.jsonata, inner.depth + 1)
        })?;
        Ok(Parallel { branches, arguments: self.place.template(body, "Arguments")?, handlers: self.handlers(body)? })
    }

    fn handlers(&self, body: &Body) -> Result<Handlers, MachineError> {
        let retriers = self.entries(body, "Retry", &fields::RETRIER, |inner, retrier| {
            inner.all_is_last(body, "Retry", retrier)?;
            Retrier::compile(retrier, error_equals(retrier, inner.place)?)
                .map_err(|(field, problem)| inner.place.value_error(field, problem))
        })?;
        let catchers = self.entries(body, "Catch", &fields::CATCHER, |inner, catcher| {
            inner.all_is_last(body, "Catch", catcher)?;
            Ok(Catcher {
                error_equals: error_equals(catcher, inner.place)?,
                effects: effects(catcher, inner.place)?,
                next: inner.target(catcher, "Next")?,
            })
        })?;
        Ok(Handlers { retriers, catchers })
    }

    /// `States.ALL` must be alone, and in the last entry ("Handling errors in Step Functions workflows").
    fn all_is_last(&self, body: &Body, field: &str, entry: &Body) -> Result<(), MachineError> {
        let errors = error_equals(entry, self.place)?;
        if !errors.iter().any(|error| error == "States.ALL") {
            return Ok(());
        }
        let last = body.get(field).and_then(Value::as_array).and_then(|entries| entries.last());
        if errors.len() > 1 || last.and_then(Value::as_object) != Some(entry) {
            return Err(self.place.value_error("ErrorEquals", "has States.ALL not alone or not in the last entry"));
        }
        Ok(())
    }

    /// Compiles each object of a list.
    fn entries<T>(
        &self,
        body: &Body,
        field: &str,
        shape: &Shape,
        compile: impl Fn(Compiler, &Body) -> Result<T, MachineError>,
    ) -> Result<Vec<T>, MachineError> {
        let Some(value) = body.get(field) else { return Ok(Vec::new()) };
        let entries = value.as_array().ok_or_else(|| self.place.value_error(field, "is not a list"))?;
        entries
            .iter()
            .enumerate()
            .map(|(index, entry)| {
                let path = format!("{field}[{index}]");
                let place = Place { state: self.place.state, path: &path };
                let entry = entry.as_object().ok_or_else(|| self.place.value_error(&path, "is not an object"))?;
                place.check(entry, shape, fields::allowed)?;
                compile(Compiler { place, ..*self }, entry)
            })
            .collect()
    }
}

fn effects(body: &Body, place: Place) -> Result<Effects, MachineError> {
    let assign = match body.get("Assign") {
        None => Vec::new(),
        Some(Value::Object(variables)) => variables
            .iter()
            .map(|(name, value)| {
                let location = format!("{}/{name}", place.field("Assign"));
                Ok((Rc::from(name.as_str()), Template::compile(place.state, &location, value)?))
            })
            .collect::<Result<_, _>>()?,
        Some(_) => return Err(place.value_error("Assign", "is not an object")),
    };
    Ok(Effects { assign, output: place.template(body, "Output")? })
}

fn error_equals(body: &Body, place: Place) -> Result<Vec<String>, MachineError> {
    let problem = || place.value_error("ErrorEquals", "is not a list of error names");
    let names = place.require(body, "ErrorEquals")?.as_array().ok_or_else(problem)?;
    if names.is_empty() {
        return Err(problem());
    }
    names.iter().map(|name| name.as_str().map(str::to_owned).ok_or_else(problem)).collect()
}

fn integration(resource: &str) -> Integration {
    let Some((_, service)) = resource.split_once(":states:::") else {
        return Integration::Function;
    };
    let callback = service.ends_with(".waitForTaskToken");
    if service.trim_end_matches(".waitForTaskToken") == "lambda:invoke" {
        Integration::LambdaInvoke { callback }
    } else {
        Integration::Service { callback }
    }
}
