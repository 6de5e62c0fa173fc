//! Task tokens: `SendTaskSuccess`, `SendTaskFailure` and `SendTaskHeartbeat`.
//!
//! Source: API Reference, the three operations and their errors.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use crate::simulated::Instant;
use jsonata_core::value::JValue;
use tokio::sync::Notify;

use super::failure::Failure;
use super::random::Random;
use super::value::SIZE_LIMIT;

/// The most characters of an error's name and cause that AWS takes.
const MAX_ERROR: usize = 256;
const MAX_CAUSE: usize = 32_768;

/// A task token: whoever has it may answer the task. Its text is not shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Token(Rc<str>);

impl Token {
    /// The token's text, as it appears in `$states.context.Task.Token`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(...)")
    }
}

/// Why a callback was refused, with AWS's names.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum CallbackError {
    /// No task ever had this token.
    #[error("InvalidToken: no task has this token: send the one that the task handed out")]
    InvalidToken,
    /// The task was answered, timed out, or its execution ended.
    #[error("TaskTimedOut: the task of this token is closed: nothing is left to answer")]
    TaskTimedOut,
    /// The output is not JSON, or too large.
    #[error("InvalidOutput: the output is not JSON of at most 262144 bytes: send less")]
    InvalidOutput,
    /// The error's name or cause is too long.
    #[error("ValidationException: the error is longer than 256 or its cause longer than 32768 characters: shorten it")]
    Validation,
}

impl CallbackError {
    /// AWS's name of the error.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::InvalidToken => "InvalidToken",
            Self::TaskTimedOut => "TaskTimedOut",
            Self::InvalidOutput => "InvalidOutput",
            Self::Validation => "ValidationException",
        }
    }
}

/// A task that waits for its callback.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) token: Token,
    open: Cell<bool>,
    answer: RefCell<Option<Result<JValue, Failure>>>,
    beaten: Cell<Instant>,
    /// Rung by answers and heartbeats.
    pub(crate) bell: Notify,
}

impl Ticket {
    pub(crate) fn last_beat(&self) -> Instant {
        self.beaten.get()
    }

    pub(crate) fn take_answer(&self) -> Option<Result<JValue, Failure>> {
        self.answer.borrow_mut().take()
    }
}

/// A ticket for as long as the task waits: dropping it closes the token.
#[derive(Debug)]
pub(crate) struct OpenTicket(pub(crate) Rc<Ticket>);

impl Drop for OpenTicket {
    fn drop(&mut self) {
        self.0.open.set(false);
    }
}

/// Where callbacks are sent.
#[derive(Debug, Clone, Default)]
pub struct Callbacks(Rc<RefCell<HashMap<Rc<str>, Rc<Ticket>>>>);

impl Callbacks {
    /// Answers a task with `output`, the text of a JSON value.
    ///
    /// # Errors
    /// [`CallbackError`] when there is nothing to answer or the output is none.
    pub fn send_task_success(&self, token: &str, output: &str) -> Result<(), CallbackError> {
        let ticket = self.open_ticket(token)?;
        if output.len() > SIZE_LIMIT {
            return Err(CallbackError::InvalidOutput);
        }
        let output = JValue::from_json_str(output).map_err(|_| CallbackError::InvalidOutput)?;
        answer(&ticket, Ok(output));
        Ok(())
    }

    /// Fails a task.
    ///
    /// # Errors
    /// [`CallbackError`] when there is nothing to answer or a text is too long.
    pub fn send_task_failure(
        &self,
        token: &str,
        error: Option<&str>,
        cause: Option<&str>,
    ) -> Result<(), CallbackError> {
        let too_long = |text: Option<&str>, limit| text.is_some_and(|text| text.chars().count() > limit);
        if too_long(error, MAX_ERROR) || too_long(cause, MAX_CAUSE) {
            return Err(CallbackError::Validation);
        }
        let ticket = self.open_ticket(token)?;
        let failure = Failure { error: error.map(str::to_owned), cause: cause.map(str::to_owned), fatal: false };
        answer(&ticket, Err(failure));
        Ok(())
    }

    /// Says that the worker of a task is alive. It moves the heartbeat's deadline, never the timeout's.
    ///
    /// # Errors
    /// [`CallbackError`] when there is no such open task.
    pub fn send_task_heartbeat(&self, token: &str) -> Result<(), CallbackError> {
        let ticket = self.open_ticket(token)?;
        ticket.beaten.set(Instant::now());
        ticket.bell.notify_one();
        Ok(())
    }

    /// Opens a ticket; the clock of its heartbeat starts now.
    pub(crate) fn issue(&self, random: &Random) -> OpenTicket {
        let token: Rc<str> = Rc::from(format!("{:016x}{:016x}", random.next(), random.next()));
        let ticket = Rc::new(Ticket {
            token: Token(Rc::clone(&token)),
            open: Cell::new(true),
            answer: RefCell::new(None),
            beaten: Cell::new(Instant::now()),
            bell: Notify::new(),
        });
        self.0.borrow_mut().insert(token, Rc::clone(&ticket));
        OpenTicket(ticket)
    }

    fn open_ticket(&self, token: &str) -> Result<Rc<Ticket>, CallbackError> {
        let tickets = self.0.borrow();
        let ticket = tickets.get(token).ok_or(CallbackError::InvalidToken)?;
        if ticket.open.get() { Ok(Rc::clone(ticket)) } else { Err(CallbackError::TaskTimedOut) }
    }
}

fn answer(ticket: &Ticket, answer: Result<JValue, Failure>) {
    ticket.open.set(false);
    *ticket.answer.borrow_mut() = Some(answer);
    ticket.bell.notify_one();
}
