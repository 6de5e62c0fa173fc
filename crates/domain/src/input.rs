//! The input contract of an execution: parsed strictly, unknown fields refused by name, every value bounded.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Code, Failure};
use crate::event::Event;
use crate::ids::InstanceName;
use crate::limits::{
    Bounds, MAX_INPUT_BYTES, MAX_KERNEL_CHARS, QUEUE_SECONDS, RUN_SECONDS, START_SECONDS, STOP_SECONDS,
};
use crate::shown;
use crate::text::{self, InputText};

#[cfg(test)]
pub(crate) mod cases;
mod contract;
mod languages;
mod notebook;
mod parameters;

pub use contract::without_nulls;
use contract::{RawInput, RawLimits};
pub use languages::{LANGUAGES, Language};
pub use notebook::NotebookSource;

/// What a run asks for when other runs hold the instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenBusy {
    /// Wait for its turn.
    #[default]
    Queue,
    /// End at once, without a run, as a success.
    Skip,
    /// End at once with `Busy`.
    Fail,
}

impl WhenBusy {
    /// Every value, as it is written.
    const ALL: [(&str, Self); 3] = [("queue", Self::Queue), ("skip", Self::Skip), ("fail", Self::Fail)];
}

/// What a run asks for when its runner is lost after the claim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnRunnerLost {
    /// End with `RunnerLost`: the notebook may have had effects.
    #[default]
    Fail,
    /// Run the notebook again, as the next attempt.
    Rerun,
}

impl OnRunnerLost {
    /// Every value, as it is written.
    const ALL: [(&str, Self); 2] = [("fail", Self::Fail), ("rerun", Self::Rerun)];
}

/// What the page of a run (`output.html`) is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Html {
    /// All that the notebook shows, its scripts too.
    #[default]
    Full,
    /// Nothing in it runs, and it loads nothing.
    Sanitized,
}

impl Html {
    /// Every value, as it is written.
    const ALL: [(&str, Self); 2] = [("full", Self::Full), ("sanitized", Self::Sanitized)];

    /// Whether it is the usual one.
    #[must_use]
    pub fn is_full(&self) -> bool {
        *self == Self::Full
    }
}

/// The time limits of a run, in seconds, all within their bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// From the first look at the instance until it is `InService`.
    pub start_seconds: u32,
    /// From the run's place in the queue until its notebook starts.
    pub queue_seconds: u32,
    /// From the claim until the notebook ends.
    pub run_seconds: u32,
    /// From the notebook's end until the instance is seen to have stopped.
    pub stop_seconds: u32,
}

/// Which objects an event may be of: both conditions hold for a key, whatever the two have in common. A rule of
/// EventBridge cannot say that in one pattern, so the template's rule passes them on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Keys {
    /// What the key begins with.
    pub prefix: String,
    /// What it ends with.
    pub suffix: String,
}

impl Keys {
    /// Whether they take this key.
    #[must_use]
    pub fn take(&self, key: &str) -> bool {
        key.starts_with(&self.prefix) && key.ends_with(&self.suffix)
    }
}

/// A valid input. Parameters still hold their placeholders.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// The instance to run on.
    pub instance: InstanceName,
    /// The notebook: a path below the instance's notebook folder, or an `s3://` URI.
    pub notebook: NotebookSource,
    /// The notebook's parameters.
    pub parameters: Map<String, Value>,
    /// The whole event, if a rule started the execution.
    pub event: Option<Value>,
    /// Which objects the event may be of.
    pub keys: Option<Keys>,
    /// The limits.
    pub limits: Limits,
    /// What to do when other runs hold the instance.
    pub when_busy: WhenBusy,
    /// The kernel, instead of the one that the notebook names.
    pub kernel: Option<String>,
    /// What the page is.
    pub html: Html,
    /// What to do when the runner is lost.
    pub on_runner_lost: OnRunnerLost,
    /// A person asks for one more run of an event that was handled.
    pub rerun: bool,
}

/// Reads the text of an execution's input.
///
/// # Errors
/// `InvalidRequest` that names the field, or else the place, and says what it should be.
pub fn read(text: &InputText) -> Result<Input, Failure> {
    text::check(text.as_str()).map_err(invalid)?;
    // What passed the check is read; the reader's own words hold no value.
    parse(&serde_json::from_str(text.as_str()).map_err(|error| invalid(format!("the input: {error}")))?)
}

/// What can be told of an input, valid or not, by which two deliveries of one event are recognised: its JSON, or where no
/// reader holds that, its event and the text of the rest.
#[must_use]
pub fn outline(text: &InputText) -> Value {
    let text = text.as_str();
    if let Ok(value) = serde_json::from_str(text) {
        return value;
    }
    let mut outline = Map::new();
    for name in ["event", "rerun"] {
        let value = text::field(text, name).and_then(|place| serde_json::from_str(text[place].trim_end()).ok());
        outline.extend(value.map(|value| (name.to_owned(), value)));
    }
    let rest = match text::field(text, "event") {
        Some(event) => format!("{}{}", &text[..event.start], &text[event.end..]),
        None => text.to_owned(),
    };
    outline.insert("text".to_owned(), Value::from(rest));
    Value::Object(outline)
}

/// Reads an execution's input.
///
/// # Errors
/// `InvalidRequest` that names the field and says what it should be.
pub fn parse(input: &Value) -> Result<Input, Failure> {
    check_size(input)?;
    if !input.is_object() {
        return Err(invalid("the input must be a JSON object with at least \"instance\" and \"notebook\""));
    }
    contract::check(input).map_err(invalid)?;
    let raw = RawInput::deserialize(without_nulls(input)).or_else(|_| with_its_place(input))?;
    check_kernel(raw.kernel.as_deref())?;
    parameters::check(&raw.parameters, raw.kernel.as_deref())?;
    if raw.keys.is_some() && raw.event.as_ref().and_then(|event| Event::new(event).key()).is_none() {
        return Err(invalid("keys: the input has no event of an object, so there is no key to match"));
    }
    Ok(Input {
        notebook: NotebookSource::parse(&raw.notebook).map_err(|problem| invalid(format!("notebook: {problem}")))?,
        instance: raw.instance,
        parameters: raw.parameters,
        event: raw.event,
        keys: raw.keys,
        limits: read_limits(&raw.limits)?,
        when_busy: contract::one_of("whenBusy", raw.when_busy.as_ref(), &WhenBusy::ALL).map_err(invalid)?,
        html: contract::one_of("html", raw.html.as_ref(), &Html::ALL).map_err(invalid)?,
        kernel: raw.kernel,
        on_runner_lost: contract::one_of("onRunnerLost", raw.on_runner_lost.as_ref(), &OnRunnerLost::ALL)
            .map_err(invalid)?,
        rerun: raw.rerun,
    })
}

/// The same of an input that cannot be read, slowly: a field that is at fault is named.
fn with_its_place(input: &Value) -> Result<RawInput, Failure> {
    serde_path_to_error::deserialize(without_nulls(input)).map_err(|error| {
        let path = error.path().to_string();
        let problem = without_value(&error.inner().to_string());
        if path == "." { invalid(format!("the input: {problem}")) } else { invalid(format!("{path}: {problem}")) }
    })
}

/// A sentence of the JSON reader without the value that it quotes: values may be what only the notebook should see.
#[must_use]
pub fn without_value(problem: &str) -> String {
    match problem.rsplit_once(", expected ") {
        Some((start, expected)) if start.starts_with("invalid") => {
            // JSON has objects where the reader has maps, and its booleans are two words.
            let expected = expected.replace("a map", "an object").replace("a boolean", "true or false, without quotes");
            format!("it has the wrong type or value; expected {expected}")
        }
        _ => problem.to_owned(),
    }
}

/// Whether an execution with this input repeats itself when its runner is lost. Every sweep asks it of each execution that ended: the
/// whole input is read only where its field says so.
#[must_use]
pub fn repeats(text: &InputText) -> bool {
    string_of(text, "onRunnerLost").is_some_and(|word| word == "rerun")
        && read(text).is_ok_and(|input| input.on_runner_lost == OnRunnerLost::Rerun)
}

/// The instance that an input names, even if the rest of it is invalid, or no JSON: the outcome is recorded with the instance.
#[must_use]
pub fn instance_of(input: &InputText) -> Option<InstanceName> {
    InstanceName::parse(&string_of(input, "instance")?).ok()
}

/// The notebook that an input names, by whatever name: people look for a run whose input was invalid by this, too.
#[must_use]
pub fn notebook_of(input: &InputText) -> Option<String> {
    string_of(input, "notebook").filter(|name| !name.is_empty())
}

fn string_of(input: &InputText, field: &str) -> Option<String> {
    let place = text::field(input.as_str(), field)?;
    serde_json::from_str(input.as_str()[place].trim_end()).ok()
}

/// An `InvalidRequest` with a sentence.
#[must_use]
pub fn invalid(problem: impl std::fmt::Display) -> Failure {
    Failure::new(Code::InvalidRequest, format!("{problem}. Correct the input and start a new execution."))
}

fn check_size(input: &Value) -> Result<(), Failure> {
    let size = input.to_string().len();
    if size > MAX_INPUT_BYTES {
        let largest = contract::largest_field(input)
            .map_or_else(String::new, |(field, bytes)| format!(" Its largest field is {field}, with {bytes} bytes."));
        return Err(invalid(format!(
            "the input is {size} bytes of JSON; at most {MAX_INPUT_BYTES} are accepted.{largest} Put large data into S3 and pass its URI"
        )));
    }
    Ok(())
}

fn check_kernel(kernel: Option<&str>) -> Result<(), Failure> {
    // Jupyter's own rule for kernel names (jupyter_client.kernelspec, _kernel_name_pat), and no hyphen or dots alone at the beginning:
    // .NET's kernels begin with a dot, `.net-csharp`.
    let good = kernel.is_none_or(|name| {
        name.len() <= MAX_KERNEL_CHARS
            && name.trim_start_matches('.').starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    });
    if good {
        return Ok(());
    }
    Err(invalid(format!(
        "kernel: {} is not a kernel name: use letters, digits, dots, underscores and hyphens, {MAX_KERNEL_CHARS} characters at most",
        shown::quoted(kernel.unwrap_or_default())
    )))
}

fn read_limits(raw: &RawLimits) -> Result<Limits, Failure> {
    Ok(Limits {
        start_seconds: bounded("startSeconds", raw.start_seconds.as_ref(), START_SECONDS)?,
        queue_seconds: bounded("queueSeconds", raw.queue_seconds.as_ref(), QUEUE_SECONDS)?,
        run_seconds: bounded("runSeconds", raw.run_seconds.as_ref(), RUN_SECONDS)?,
        stop_seconds: bounded("stopSeconds", raw.stop_seconds.as_ref(), STOP_SECONDS)?,
    })
}

fn bounded(field: &str, value: Option<&Value>, bounds: Bounds) -> Result<u32, Failure> {
    let Some(value) = value else { return Ok(bounds.default) };
    let seconds = value.as_u64().and_then(|seconds| u32::try_from(seconds).ok());
    if let Some(seconds) = seconds.filter(|seconds| (bounds.min..=bounds.max).contains(seconds)) {
        return Ok(seconds);
    }
    let shown = if value.is_number() { value.to_string() } else { contract::kind(value).to_owned() };
    // What was meant is often clear, as in "600" and 600.0.
    let meant = value.as_str().map_or_else(|| value.as_f64(), |text| text.trim().parse().ok());
    let meant = meant.filter(|seconds| (f64::from(bounds.min)..=f64::from(bounds.max)).contains(seconds));
    let write = meant
        .filter(|seconds| seconds.fract() == 0.0)
        .map_or_else(String::new, |seconds| format!(": write {seconds}, without quotes and without a point"));
    Err(invalid(format!(
        "limits.{field}: {shown} is not a whole number of seconds between {} and {}{write}",
        bounds.min, bounds.max
    )))
}

#[cfg(test)]
mod tests;
