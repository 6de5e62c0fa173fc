//! The run of an execution: from state to state until there is an end.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use jsonata_core::value::JValue;

use super::clock::parse_iso;
use super::execution::{Position, StepFunctionsExecution};
use super::failure::{Failure, names};
use super::functions::Sources;
use super::history::EventKind;
use super::machine::{Effects, Kind, Next, Rule, Scope, State};
use super::shared::Inner;
use super::task::Tasks;
use super::template::Template;
use super::value::is_passed_on;
use super::view::{EvaluationError, StateContext, View};

/// One run of an execution: its first, or one after a redrive.
pub(crate) struct Run<T> {
    pub service: Rc<Inner<T>>,
    pub execution: Rc<StepFunctionsExecution>,
    /// The `Execution` part of the context object.
    pub context: JValue,
    pub sources: Sources,
}

/// The state that is being run, and where.
pub(crate) struct Here<'a> {
    pub state: &'a State,
    pub position: &'a Position,
    pub context: StateContext,
}

/// What a state came to.
#[derive(Debug)]
pub(crate) struct Done {
    pub output: JValue,
    pub assigned: Vec<(Rc<str>, JValue)>,
    pub next: Next,
}

/// The output of a scope, or how it failed. Boxed, since branches hold scopes.
pub(crate) type ScopeFuture<'a> = Pin<Box<dyn Future<Output = Result<JValue, Failure>> + 'a>>;

impl<T: Tasks> Run<T> {
    /// Runs on from where the execution is. `resumed` after a redrive, which does not enter the state anew.
    pub(crate) async fn go(&self, resumed: bool) -> Result<JValue, Failure> {
        let position = self.execution.position.borrow().clone();
        self.scope(&self.execution.machine.scope, position, true, resumed).await
    }

    /// Runs a scope to its end. The position of the machine itself (`top`) is kept for a redrive.
    pub(crate) fn scope<'a>(
        &'a self,
        scope: &'a Scope,
        mut position: Position,
        top: bool,
        mut resumed: bool,
    ) -> ScopeFuture<'a> {
        Box::pin(async move {
            loop {
                let state = &scope.states[position.state];
                let goes_on = resumed && matches!(state.kind, Kind::Task(_) | Kind::Parallel(_));
                resumed = false;
                if !goes_on {
                    position.entered = self.event(entered(&state.kind), state, None)?;
                }
                self.execution.entered(&state.name);
                if top {
                    self.execution.position.replace(position.clone());
                }
                let done = self.state(state, &position).await?;
                if let Some(exited) = exited(&state.kind) {
                    self.event(exited, state, None)?;
                }
                match done.next {
                    Next::End => return Ok(done.output),
                    Next::To(next) => {
                        position.state = next;
                        position.input = done.output;
                        position.variables.assign(done.assigned);
                    }
                }
            }
        })
    }

    async fn state(&self, state: &State, position: &Position) -> Result<Done, Failure> {
        let here = Here {
            state,
            position,
            context: StateContext {
                execution: self.context.clone(),
                machine: self.execution.machine.context.clone(),
                state: Rc::clone(&state.name),
                entered_ms: self.service.clock.now_ms(),
                retry_count: 0,
                token: None,
            },
        };
        match &state.kind {
            Kind::Pass | Kind::Succeed => self.go_on(&here),
            Kind::Fail { error, cause } => Err(self.fail(&here, error.as_ref(), cause.as_ref())),
            Kind::Choice { rules, default } => self.choice(&here, rules, *default),
            Kind::WaitSeconds(seconds) => {
                let seconds = self.evaluated(&here, seconds.evaluate_seconds(&self.view(&here)))?;
                crate::simulated::sleep(Duration::from_secs(seconds)).await;
                self.go_on(&here)
            }
            Kind::WaitUntil(timestamp) => {
                self.wait_until(&here, timestamp).await?;
                self.go_on(&here)
            }
            Kind::Task(task) => self.task(&here, task).await,
            Kind::Parallel(parallel) => self.parallel(&here, parallel).await,
        }
    }

    /// The state's own effects; without `Output`, the input goes on.
    fn go_on(&self, here: &Here) -> Result<Done, Failure> {
        let input = here.position.input.clone();
        self.apply(here, &here.state.effects, &self.view(here), input, here.state.next)
    }

    fn fail(&self, here: &Here, error: Option<&Template>, cause: Option<&Template>) -> Failure {
        let view = self.view(here);
        let text = |field: Option<&Template>| {
            field.map(|template| self.evaluated(here, template.evaluate_string(&view))).transpose()
        };
        match (text(error), text(cause)) {
            (Ok(error), Ok(cause)) => Failure { error, cause, fatal: false },
            (Err(failure), _) | (_, Err(failure)) => failure,
        }
    }

    fn choice(&self, here: &Here, rules: &[Rule], default: Option<usize>) -> Result<Done, Failure> {
        let view = self.view(here);
        let input = here.position.input.clone();
        for rule in rules {
            if self.evaluated(here, rule.condition.evaluate_condition(&view))? {
                return self.apply(here, &rule.effects, &view, input, Next::To(rule.next));
            }
        }
        match default {
            Some(default) => self.apply(here, &here.state.effects, &view, input, Next::To(default)),
            None => Err(here.failure(names::NO_CHOICE_MATCHED, "No choice rule matched, and there is no Default.")),
        }
    }

    async fn wait_until(&self, here: &Here<'_>, timestamp: &Template) -> Result<(), Failure> {
        let text = self.evaluated(here, timestamp.evaluate_string(&self.view(here)))?;
        let Some(until) = parse_iso(&text) else {
            let what = format!(
                "The Timestamp parameter does not reference a valid ISO-8601 extended offset date-time format string: \
                 {text}"
            );
            return Err(here.failure(names::RUNTIME, &what));
        };
        crate::simulated::sleep_until(self.service.clock.instant_of(until)).await;
        Ok(())
    }

    /// What the expressions of a state see before it has done anything.
    pub(crate) fn view<'a>(&'a self, here: &'a Here<'a>) -> View<'a> {
        self.view_in(here, &here.context)
    }

    /// The same, in another context: that of an attempt.
    pub(crate) fn view_in<'a>(&'a self, here: &'a Here<'a>, context: &'a StateContext) -> View<'a> {
        View::new(&here.position.input, context, &here.position.variables, &self.sources)
    }

    /// Evaluates `Assign` and `Output`. Both see the variables as they were when the state was entered ("Passing data
    /// between states with variables", "Evaluation order in an assign field"). `default` goes on without an `Output`: whoever
    /// gives it has looked at its size.
    pub(crate) fn apply(
        &self,
        here: &Here,
        effects: &Effects,
        view: &View,
        default: JValue,
        next: Next,
    ) -> Result<Done, Failure> {
        let mut assigned = Vec::with_capacity(effects.assign.len());
        for (name, template) in &effects.assign {
            let value = self.evaluated(here, template.evaluate(view))?;
            within_limit(&value, &here.state.name)?;
            assigned.push((Rc::clone(name), value));
        }
        let output = match &effects.output {
            Some(template) => {
                let output = self.evaluated(here, template.evaluate(view))?;
                within_limit(&output, &here.state.name)?;
                output
            }
            None => default,
        };
        Ok(Done { output, assigned, next })
    }

    /// Turns a failed evaluation into the state's failure, and records it.
    pub(crate) fn evaluated<V>(&self, here: &Here, result: Result<V, EvaluationError>) -> Result<V, Failure> {
        result.or_else(|error| {
            let failure = here.failure(names::QUERY_EVALUATION_ERROR, &error.to_string());
            self.event(EventKind::EvaluationFailed, here.state, Some(&failure))?;
            Err(failure)
        })
    }

    pub(crate) fn event(&self, kind: EventKind, state: &State, detail: Option<&Failure>) -> Result<u64, Failure> {
        self.execution.event(kind, Some(&state.name), detail)
    }
}

impl Here<'_> {
    /// A failure that AWS itself reports, with the place it happened in.
    pub(crate) fn failure(&self, error: &str, what: &str) -> Failure {
        Failure::in_state(error, &self.state.name, self.position.entered, what)
    }
}

/// Refuses what is larger than AWS passes on.
pub(crate) fn within_limit(value: &JValue, what: &str) -> Result<(), Failure> {
    if is_passed_on(value) { Ok(()) } else { Err(Failure::too_large(what)) }
}

fn entered(kind: &Kind) -> EventKind {
    match kind {
        Kind::Pass => EventKind::PassStateEntered,
        Kind::Succeed => EventKind::SucceedStateEntered,
        Kind::Fail { .. } => EventKind::FailStateEntered,
        Kind::Choice { .. } => EventKind::ChoiceStateEntered,
        Kind::WaitSeconds(_) | Kind::WaitUntil(_) => EventKind::WaitStateEntered,
        Kind::Task(_) => EventKind::TaskStateEntered,
        Kind::Parallel(_) => EventKind::ParallelStateEntered,
    }
}

fn exited(kind: &Kind) -> Option<EventKind> {
    Some(match kind {
        Kind::Pass => EventKind::PassStateExited,
        Kind::Succeed => EventKind::SucceedStateExited,
        Kind::Fail { .. } => return None,
        Kind::Choice { .. } => EventKind::ChoiceStateExited,
        Kind::WaitSeconds(_) | Kind::WaitUntil(_) => EventKind::WaitStateExited,
        Kind::Task(_) => EventKind::TaskStateExited,
        Kind::Parallel(_) => EventKind::ParallelStateExited,
    })
}
