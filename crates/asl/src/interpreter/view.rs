//! What an expression sees: variables and `$states`, and how its failures read.

use std::cell::OnceCell;
use std::fmt;
use std::rc::Rc;

use jsonata_core::evaluator::{Context, Evaluator, EvaluatorOptions};
use jsonata_core::value::{JMap, JValue};

use super::functions::{self, Sources};
use super::plain::Known;
use super::site::Site;
use super::value;

/// Expressions nested or recursing deeper than this fail. AWS's own figure is not documented; 200 terms in a row
/// overflow its stack.
const MAX_STACK_DEPTH: usize = 2_000;

/// Sequences longer than this fail. AWS's own figure is not documented; 900,000 exceed its memory.
const MAX_SEQUENCE: usize = 500_000;

/// Variables by name; states have few, so a list is quickest. Shared until one is assigned.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variables(Rc<Vec<(Rc<str>, JValue)>>);

impl Variables {
    pub(crate) fn get(&self, name: &str) -> Option<&JValue> {
        self.0.iter().find(|(known, _)| **known == *name).map(|(_, value)| value)
    }

    pub(crate) fn assign(&mut self, assigned: Vec<(Rc<str>, JValue)>) {
        if assigned.is_empty() {
            return;
        }
        let variables = Rc::make_mut(&mut self.0);
        for (name, value) in assigned {
            match variables.iter_mut().find(|(known, _)| *known == name) {
                Some((_, old)) => *old = value,
                None => variables.push((name, value)),
            }
        }
    }
}

/// The context object, as far as it changes from state to state; built when an expression asks for it.
#[derive(Debug, Clone)]
pub(crate) struct StateContext {
    pub execution: JValue,
    pub machine: JValue,
    pub state: Rc<str>,
    pub entered_ms: i64,
    pub retry_count: u32,
    pub token: Option<JValue>,
}

impl StateContext {
    /// "Accessing execution data from the Context object in Step Functions".
    fn object(&self) -> JValue {
        let state = value::object([
            ("EnteredTime", JValue::from(super::clock::iso(self.entered_ms))),
            ("Name", JValue::String(Rc::clone(&self.state))),
            ("RetryCount", JValue::from(i64::from(self.retry_count))),
        ]);
        let mut fields = vec![
            ("Execution".to_owned(), self.execution.clone()),
            ("State".to_owned(), state),
            ("StateMachine".to_owned(), self.machine.clone()),
        ];
        if let Some(token) = &self.token {
            fields.push(("Task".to_owned(), value::object([("Token", token.clone())])));
        }
        JValue::Object(Rc::new(fields.into_iter().collect::<JMap>()))
    }
}

/// Everything that the expressions of one moment see.
pub(crate) struct View<'a> {
    pub input: &'a JValue,
    pub context: &'a StateContext,
    pub variables: &'a Variables,
    pub sources: &'a Sources,
    /// `result` or `errorOutput`, when there is one.
    pub extra: Option<(&'static str, JValue)>,
    states: OnceCell<JValue>,
    states_with_context: OnceCell<JValue>,
}

impl<'a> View<'a> {
    pub(crate) fn new(
        input: &'a JValue,
        context: &'a StateContext,
        variables: &'a Variables,
        sources: &'a Sources,
    ) -> Self {
        Self {
            input,
            context,
            variables,
            sources,
            extra: None,
            states: OnceCell::new(),
            states_with_context: OnceCell::new(),
        }
    }

    pub(crate) fn with_result(mut self, result: JValue) -> Self {
        self.extra = Some(("result", result));
        self
    }

    pub(crate) fn with_error_output(mut self, error_output: JValue) -> Self {
        self.extra = Some(("errorOutput", error_output));
        self
    }

    fn states(&self, with_context: bool) -> JValue {
        let cell = if with_context { &self.states_with_context } else { &self.states };
        cell.get_or_init(|| {
            let mut fields = vec![("input".to_owned(), self.input.clone())];
            if let Some((name, value)) = &self.extra {
                fields.push(((*name).to_owned(), value.clone()));
            }
            if with_context {
                fields.push(("context".to_owned(), self.context.object()));
            }
            JValue::Object(Rc::new(fields.into_iter().collect::<JMap>()))
        })
        .clone()
    }

    /// Evaluates one expression. Nothing (undefined), and what JSON has no form for, is a failure.
    pub(crate) fn evaluate(&self, site: &Site) -> Result<JValue, EvaluationError> {
        if let Some(value) = site.plain.as_ref().and_then(|plain| plain.value(self)) {
            return Ok(value);
        }
        let mut context = Context::new();
        if site.needs_states {
            context.bind("states".to_owned(), self.states(site.needs_context));
        }
        let reads = site.expression.reads();
        // A variable may have the name of a function, and then takes its place.
        let functions = || reads.functions.iter().chain(&reads.function_values);
        for name in reads.variables.iter().chain(functions()) {
            if let Some(value) = self.variables.get(name) {
                context.bind(name.clone(), value.clone());
            }
        }
        let options = EvaluatorOptions {
            max_stack_depth: Some(MAX_STACK_DEPTH),
            max_sequence_length: Some(MAX_SEQUENCE),
            ..EvaluatorOptions::default()
        };
        let mut evaluator = Evaluator::with_options(context, options);
        for name in functions().filter(|name| self.variables.get(name).is_none()) {
            functions::register(&mut evaluator, name, self.sources).map_err(|error| site.threw(&error))?;
        }
        let value =
            evaluator.evaluate(site.expression.ast(), &JValue::Undefined).map_err(|error| site.threw(&error))?;
        if value.is_undefined() {
            return Err(site.failed(Reason::Nothing));
        }
        value::size(&value).map_err(|_| site.failed(Reason::Unsupported))?;
        Ok(value)
    }
}

impl Known for View<'_> {
    /// Of `$states` nothing is built.
    fn start<'p>(&'p self, variable: &str, names: &'p [String]) -> Option<(&'p JValue, &'p [String])> {
        if variable != "states" {
            return Some((self.variables.get(variable)?, names));
        }
        let (part, names) = names.split_first()?;
        match (part.as_str(), &self.extra) {
            ("input", _) => Some((self.input, names)),
            ("context", _) => {
                let (part, names) = names.split_first()?;
                match (part.as_str(), names) {
                    ("Execution", _) => Some((&self.context.execution, names)),
                    ("Task", [token]) if token == "Token" => Some((self.context.token.as_ref()?, &[])),
                    _ => None,
                }
            }
            (part, Some((name, value))) if part == *name => Some((value, names)),
            _ => None,
        }
    }
}

impl Site {
    fn failed(&self, reason: Reason) -> EvaluationError {
        EvaluationError { source: self.expression.source().to_owned(), location: self.location.clone(), reason }
    }

    fn threw(&self, error: &jsonata_core::evaluator::EvaluatorError) -> EvaluationError {
        self.failed(Reason::Threw { message: error.message().to_owned(), coded: error.code().is_some() })
    }
}

/// An expression that gave nothing usable, in the words of AWS.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct EvaluationError {
    source: String,
    location: String,
    reason: Reason,
}

#[derive(Debug, PartialEq, Eq)]
enum Reason {
    Nothing,
    Unsupported,
    Threw { message: String, coded: bool },
    Unexpected { expected: &'static str, kind: &'static str, value: String },
}

impl EvaluationError {
    pub(crate) fn unexpected(source: String, location: String, expected: &'static str, value: &JValue) -> Self {
        let reason =
            Reason::Unexpected { expected, kind: value::kind(value), value: value::to_json(value).to_string() };
        Self { source, location, reason }
    }
}

impl fmt::Display for EvaluationError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, location, reason } = self;
        write!(formatter, "The JSONata expression '{source}' specified for the field '{location}' ")?;
        match reason {
            Reason::Nothing => formatter.write_str("returned nothing (undefined)."),
            Reason::Unsupported => formatter.write_str("returned an unsupported result type."),
            Reason::Threw { message, coded } => {
                // AWS ends the sentence before a coded message and goes on with a colon before an uncoded one.
                let separator = if *coded { "." } else { ":" };
                write!(formatter, "threw an error during evaluation{separator} {message}")
            }
            Reason::Unexpected { expected, kind, value } => write!(
                formatter,
                "returned an unexpected result type. Expected '{expected}', but was '{kind}' for value: {value}"
            ),
        }
    }
}
