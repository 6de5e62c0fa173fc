//! A definition, compiled once: names resolved to indexes, expressions parsed, fields that are not of the language
//! refused by name.

mod compile;

use std::rc::Rc;

use jsonata_core::value::JValue;
use serde_json::Value;

use super::machine_error::MachineError;
use super::retry::Retrier;
use super::template::Template;
use super::value;

/// A compiled definition.
#[derive(Debug)]
pub struct Machine {
    arn: String,
    name: String,
    pub(crate) scope: Scope,
    /// Top-level `TimeoutSeconds`.
    pub(crate) timeout_seconds: Option<u64>,
    /// The `StateMachine` part of the context object.
    pub(crate) context: JValue,
}

impl Machine {
    /// Compiles `definition` under `arn` (`arn:aws:states:REGION:ACCOUNT:stateMachine:NAME`).
    ///
    /// # Errors
    /// [`MachineError`] for the first thing that cannot be run.
    pub fn compile(arn: &str, definition: &Value) -> Result<Self, MachineError> {
        let name = arn
            .split_once(":stateMachine:")
            .map(|(_, name)| name.to_owned())
            .ok_or_else(|| MachineError::Arn { arn: arn.to_owned() })?;
        let (scope, timeout_seconds) = compile::machine(definition)?;
        let context = value::object([("Id", JValue::from(arn)), ("Name", JValue::from(name.as_str()))]);
        Ok(Self { arn: arn.to_owned(), name, scope, timeout_seconds, context })
    }

    /// The ARN it was compiled under.
    #[must_use]
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// The last part of the ARN.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The ARN of its execution of this name.
    #[must_use]
    pub fn execution_arn(&self, execution: &str) -> String {
        format!("{}:{execution}", self.arn.replacen(":stateMachine:", ":execution:", 1))
    }
}

/// States with the one to begin with: the machine, or a branch.
#[derive(Debug)]
pub(crate) struct Scope {
    pub start: usize,
    pub states: Vec<State>,
}

/// Where a state leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    To(usize),
    End,
}

#[derive(Debug)]
pub(crate) struct State {
    pub name: Rc<str>,
    pub kind: Kind,
    pub effects: Effects,
    pub next: Next,
}

/// `Assign` and `Output` of a state, a rule or a catcher.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub assign: Vec<(Rc<str>, Template)>,
    pub output: Option<Template>,
}

/// What a state does.
#[derive(Debug)]
pub(crate) enum Kind {
    Pass,
    Succeed,
    Fail { error: Option<Template>, cause: Option<Template> },
    Choice { rules: Vec<Rule>, default: Option<usize> },
    WaitSeconds(Template),
    WaitUntil(Template),
    Task(Box<Task>),
    Parallel(Box<Parallel>),
}

/// A rule of a Choice.
#[derive(Debug)]
pub(crate) struct Rule {
    pub condition: Template,
    pub effects: Effects,
    pub next: usize,
}

#[derive(Debug)]
pub(crate) struct Task {
    pub resource: Rc<str>,
    pub integration: Integration,
    pub arguments: Option<Template>,
    pub credentials: Option<Template>,
    pub timeout: Option<Template>,
    pub heartbeat: Option<Template>,
    pub handlers: Handlers,
}

/// How a Task calls its resource, as far as it makes a difference here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Integration {
    /// A Lambda function by its own ARN: arguments are the payload, the function's answer is the result.
    Function,
    /// `states:::lambda:invoke`: arguments name the function and hold the payload; the answer is wrapped.
    LambdaInvoke { callback: bool },
    /// Any other service: arguments and result as they are.
    Service { callback: bool },
}

impl Integration {
    pub(crate) fn waits_for_callback(self) -> bool {
        matches!(self, Self::LambdaInvoke { callback: true } | Self::Service { callback: true })
    }
}

#[derive(Debug)]
pub(crate) struct Parallel {
    pub branches: Vec<Scope>,
    pub arguments: Option<Template>,
    pub handlers: Handlers,
}

/// `Retry` and `Catch`.
#[derive(Debug, Default)]
pub(crate) struct Handlers {
    pub retriers: Vec<Retrier>,
    pub catchers: Vec<Catcher>,
}

/// One entry of `Catch`.
#[derive(Debug)]
pub(crate) struct Catcher {
    pub error_equals: Vec<String>,
    pub effects: Effects,
    pub next: usize,
}
