//! What the state machine passes: JSON of its own making, and in it, for two steps, the execution's input, which may be anything.

use std::borrow::Cow;

use reveille_domain::{Code, Failure, InputText, input, text};
use reveille_protocol::step::Step;
use reveille_protocol::{admit_run, conclude_run};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::handler::takes_input;

/// An invocation's arguments.
#[derive(Debug)]
pub struct Arguments {
    /// Without the input.
    pub own: Value,
    /// The input, as it came.
    pub input: Option<InputText>,
}

/// A step that takes the execution's input.
pub trait TakesInput: DeserializeOwned {
    fn put(&mut self, input: InputText);
}

impl TakesInput for admit_run::AdmitRunInput {
    fn put(&mut self, input: InputText) {
        self.input = input;
    }
}

impl TakesInput for conclude_run::ConcludeRunInput {
    fn put(&mut self, input: InputText) {
        self.input = input;
    }
}

/// Reads a payload. The input is cut out of it first: whatever it is, the rest is read.
///
/// # Errors
/// `InvalidRequest` where the input is to blame, else `Internal`.
pub fn read(handler: Step, payload: &[u8]) -> Result<Arguments, Failure> {
    let payload = decoded(handler, payload)?;
    let place = if takes_input(handler) { text::field(&payload, "input") } else { None };
    let Some(place) = place else {
        return Ok(Arguments { own: parsed(handler, &payload)?, input: None });
    };
    let own = format!("{}null{}", &payload[..place.start], &payload[place.end..]);
    Ok(Arguments { own: parsed(handler, &own)?, input: Some(InputText::new(payload[place].trim_end())) })
}

/// The payload as text. A run is concluded whatever its input is; and what is not UTF-8 can only be the input.
fn decoded(handler: Step, payload: &[u8]) -> Result<Cow<'_, str>, Failure> {
    match (std::str::from_utf8(payload), handler) {
        (Ok(text), _) => Ok(Cow::Borrowed(text)),
        (Err(_), Step::ConcludeRun) => Ok(String::from_utf8_lossy(payload)),
        (Err(error), Step::AdmitRun) => {
            Err(input::invalid(format!("the input: it is not UTF-8 (byte {} of the payload)", error.valid_up_to())))
        }
        (Err(error), _) => Err(unknown(handler, &format!("they are not UTF-8, at byte {}", error.valid_up_to()))),
    }
}

fn parsed(handler: Step, text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text).map_err(|error| unknown(handler, &error.to_string()))
}

/// The arguments of a step that takes no input.
///
/// # Errors
/// `Internal`: the machine and the functions are of different versions.
pub fn plain<C: DeserializeOwned>(handler: Step, arguments: Arguments) -> Result<C, Failure> {
    serde_json::from_value(arguments.own).map_err(|error| unknown(handler, &error.to_string()))
}

/// The arguments of a step that takes the input.
///
/// # Errors
/// As [`plain`].
pub fn with_input<C: TakesInput>(handler: Step, arguments: Arguments) -> Result<C, Failure> {
    let mut call: C = serde_json::from_value(arguments.own).map_err(|error| unknown(handler, &error.to_string()))?;
    if let Some(input) = arguments.input {
        call.put(input);
    }
    Ok(call)
}

fn unknown(handler: Step, error: &str) -> Failure {
    let error = input::without_value(error);
    Failure::new(
        Code::Internal,
        format!(
            "{} was called with arguments it does not know: {error}. The state machine and the functions are of different versions: deploy the template again.",
            handler.name()
        ),
    )
}
