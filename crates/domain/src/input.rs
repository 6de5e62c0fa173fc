//! The input contract of an execution: parsed strictly, unknown fields refused by name, every value bounded.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Code, Failure};
use crate::event::Event;
use crate::ids::InstanceName;
use crate::limits::{
    Bounds, MAX_INPUT_BYTES, MAX_KERNEL_CHARS, MAX_NOTEBOOK_BYTES, MAX_PARAMETER_NAME, MAX_PARAMETERS, QUEUE_SECONDS,
    RUN_SECONDS, START_SECONDS, STOP_SECONDS,
};
use crate::text::{self, InputText};

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
    /// From the notebook's end until the instance is observed at rest.
    pub stop_seconds: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
#[expect(clippy::struct_field_names, reason = "the input contract's names carry their unit")]
struct RawLimits {
    start_seconds: Option<Value>,
    queue_seconds: Option<Value>,
    run_seconds: Option<Value>,
    stop_seconds: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RawInput {
    instance: InstanceName,
    notebook: String,
    #[serde(default)]
    parameters: Map<String, Value>,
    #[serde(default)]
    event: Option<Value>,
    #[serde(default)]
    keys: Option<Keys>,
    #[serde(default)]
    limits: RawLimits,
    #[serde(default)]
    when_busy: WhenBusy,
    #[serde(default)]
    kernel: Option<String>,
    #[serde(default)]
    on_runner_lost: OnRunnerLost,
    #[serde(default)]
    rerun: bool,
}

/// Which objects an event may be of: both conditions hold for a key, whatever the two have in common. A rule of
/// EventBridge cannot say that in one pattern, so the template's rule passes them on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
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
    /// What to do when the runner is lost.
    pub on_runner_lost: OnRunnerLost,
    /// A person asks for one more run of an event that was handled.
    pub rerun: bool,
}

/// Where the notebook comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum NotebookSource {
    /// A path relative to the instance's notebook folder: no empty, `.` or `..` part, so that it cannot leave it.
    Path(String),
    /// One S3 object.
    S3 {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
}

impl NotebookSource {
    /// Reads `folder/notebook.ipynb` or `s3://bucket/key.ipynb`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the value.
    pub fn parse(text: &str) -> Result<Self, String> {
        let shown: String = text.chars().take(80).collect();
        if text.len() > MAX_NOTEBOOK_BYTES {
            return Err(format!("is {} bytes long; at most {MAX_NOTEBOOK_BYTES} are accepted: {shown:?}…", text.len()));
        }
        if text.chars().any(char::is_control) {
            return Err(format!("has a control character: {shown:?}"));
        }
        if text.contains("{{") {
            return Err(format!("{shown:?} has a placeholder; placeholders are for parameters only"));
        }
        if std::path::Path::new(text).extension().is_none_or(|extension| extension != "ipynb") {
            return Err(format!("{shown:?} does not end in .ipynb"));
        }
        if let Some(uri) = text.strip_prefix("s3://") {
            return match uri.split_once('/') {
                Some((bucket, key)) if is_bucket(bucket) && !key.is_empty() => {
                    Ok(Self::S3 { bucket: bucket.to_owned(), key: key.to_owned() })
                }
                _ => Err(format!("{shown:?} is no S3 URI of the form s3://bucket/key.ipynb")),
            };
        }
        if text.contains("://") || text.contains('\\') {
            return Err(format!("{shown:?} is neither a path below the notebook folder nor an s3:// URI"));
        }
        if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(format!(
                "{shown:?} must be a path below the notebook folder, with no leading slash and no empty, '.' or '..' part"
            ));
        }
        Ok(Self::Path(text.to_owned()))
    }
}

/// S3's rules for bucket names, as far as they keep a value from being anything else.
fn is_bucket(name: &str) -> bool {
    (3..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
}

impl TryFrom<String> for NotebookSource {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<NotebookSource> for String {
    fn from(source: NotebookSource) -> Self {
        source.to_string()
    }
}

impl std::fmt::Display for NotebookSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(path) => f.write_str(path),
            Self::S3 { bucket, key } => write!(f, "s3://{bucket}/{key}"),
        }
    }
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
    // A list would be taken for the limits in their order.
    if input.get("limits").is_some_and(|limits| !limits.is_object()) {
        return Err(invalid("limits: it must be an object, as in {\"runSeconds\": 600}"));
    }
    let raw: RawInput = serde_path_to_error::deserialize(input).map_err(|error| {
        let path = error.path().to_string();
        let problem = without_value(&error.inner().to_string());
        if path == "." { invalid(format!("the input: {problem}")) } else { invalid(format!("{path}: {problem}")) }
    })?;
    check_kernel(raw.kernel.as_deref())?;
    check_parameters(&raw.parameters, is_python(raw.kernel.as_deref()))?;
    let event = raw.event.filter(|event| !event.is_null());
    if raw.keys.is_some() && event.as_ref().and_then(|event| Event::new(event).key()).is_none() {
        return Err(invalid("keys: the input has no event of an object, whose key they could take"));
    }
    Ok(Input {
        notebook: NotebookSource::parse(&raw.notebook).map_err(|problem| invalid(format!("notebook: {problem}")))?,
        instance: raw.instance,
        parameters: raw.parameters,
        event,
        keys: raw.keys,
        limits: read_limits(&raw.limits)?,
        when_busy: raw.when_busy,
        kernel: raw.kernel,
        on_runner_lost: raw.on_runner_lost,
        rerun: raw.rerun,
    })
}

/// A sentence of the JSON reader without the value that it quotes: values may be what only the notebook should see.
#[must_use]
pub fn without_value(problem: &str) -> String {
    match problem.rsplit_once(", expected ") {
        Some((start, expected)) if start.starts_with("invalid") => {
            // JSON has objects where the reader has maps.
            format!("it has the wrong type or value; expected {}", expected.replace("a map", "an object"))
        }
        _ => problem.to_owned(),
    }
}

/// The instance that an input names, even if the rest of it is invalid, or no JSON: the outcome is recorded with the instance.
#[must_use]
pub fn instance_of(input: &InputText) -> Option<InstanceName> {
    let place = text::field(input.as_str(), "instance")?;
    let name: String = serde_json::from_str(input.as_str()[place].trim_end()).ok()?;
    InstanceName::parse(&name).ok()
}

/// An `InvalidRequest` with a sentence.
#[must_use]
pub fn invalid(problem: impl std::fmt::Display) -> Failure {
    Failure::new(Code::InvalidRequest, format!("{problem}. Correct the input and start a new execution."))
}

fn check_size(input: &Value) -> Result<(), Failure> {
    let size = input.to_string().len();
    if size > MAX_INPUT_BYTES {
        return Err(invalid(format!(
            "the input is {size} bytes of JSON; at most {MAX_INPUT_BYTES} are accepted: pass large data by its S3 URI"
        )));
    }
    Ok(())
}

/// What Python does not let anyone assign. Its soft keywords (`match`, `case`, `type`, `_`) can be assigned.
const PYTHON_KEYWORDS: [&str; 36] = [
    "False",
    "None",
    "True",
    "__debug__",
    "and",
    "as",
    "assert",
    "async",
    "await",
    "break",
    "class",
    "continue",
    "def",
    "del",
    "elif",
    "else",
    "except",
    "finally",
    "for",
    "from",
    "global",
    "if",
    "import",
    "in",
    "is",
    "lambda",
    "nonlocal",
    "not",
    "or",
    "pass",
    "raise",
    "return",
    "try",
    "while",
    "with",
    "yield",
];

/// Whether the parameters will be written as Python: the notebook's own kernel, which nearly always is one, or a kernel
/// whose name says so. Other kernels are known on the instance only, where the engine looks before the first cell.
fn is_python(kernel: Option<&str>) -> bool {
    kernel.is_none_or(|name| {
        let name = name.to_ascii_lowercase();
        // SageMaker names the kernels of conda environments so, and those of R otherwise.
        name.starts_with("conda_") || ["python", "pyspark", "ipykernel"].iter().any(|part| name.contains(part))
    })
}

/// papermill writes a parameter as `name = value` into a cell, so a name that is no identifier would be code, and a
/// keyword an error that quotes the value.
fn check_parameters(parameters: &Map<String, Value>, python: bool) -> Result<(), Failure> {
    if parameters.len() > MAX_PARAMETERS {
        return Err(invalid(format!(
            "parameters: {} of them; at most {MAX_PARAMETERS} are accepted",
            parameters.len()
        )));
    }
    for name in parameters.keys() {
        let identifier = name.len() <= MAX_PARAMETER_NAME
            && name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !identifier {
            let shown: String = name.chars().take(60).collect();
            return Err(invalid(format!(
                "parameters: {shown:?} is no parameter name: a letter or underscore, then letters, digits and underscores, at most {MAX_PARAMETER_NAME}"
            )));
        }
        if python && PYTHON_KEYWORDS.contains(&name.as_str()) {
            return Err(invalid(format!(
                "parameters.{name}: {name} is a keyword of Python and cannot be a variable; give the parameter another name"
            )));
        }
    }
    Ok(())
}

fn check_kernel(kernel: Option<&str>) -> Result<(), Failure> {
    // Jupyter's own rule for kernel names (jupyter_client.kernelspec, _kernel_name_pat), and no leading hyphen.
    let good = kernel.is_none_or(|name| {
        !name.is_empty()
            && name.len() <= MAX_KERNEL_CHARS
            && !name.starts_with(['-', '.'])
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    });
    if good {
        return Ok(());
    }
    let shown: String = kernel.unwrap_or_default().chars().take(60).collect();
    Err(invalid(format!(
        "kernel: {shown:?} is no kernel name: letters, digits, dots, underscores and hyphens, at most {MAX_KERNEL_CHARS}"
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
    let shown = if value.is_number() { value.to_string() } else { "it".to_owned() };
    Err(invalid(format!(
        "limits.{field}: {shown} is not a whole number of seconds between {} and {}",
        bounds.min, bounds.max
    )))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(input: &Value) -> String {
        let failure = parse(input).unwrap_err();
        assert_eq!(failure.code, Code::InvalidRequest);
        failure.message
    }

    fn with(field: &str, value: Value) -> Value {
        let mut input = json!({"instance": "nightly", "notebook": "reports/daily.ipynb"});
        input[field] = value;
        input
    }

    #[test]
    fn keys_are_strict_and_need_the_event_of_an_object() {
        let object = json!({"source": "aws.s3", "detail": {"bucket": {"name": "b"}, "object": {"key": "k"}}});
        let keys = |keys: Value, event: Value| {
            let mut input = with("keys", keys);
            input["event"] = event;
            input
        };
        let parsed = parse(&keys(json!({"suffix": ".csv"}), object.clone())).unwrap();
        assert_eq!(parsed.keys, Some(Keys { prefix: String::new(), suffix: ".csv".into() }));
        assert_eq!(parse(&with("event", object.clone())).unwrap().keys, None);
        assert!(message(&keys(json!({"sufix": ".csv"}), object.clone())).contains("keys"));
        assert!(message(&keys(json!({"suffix": 1}), object)).contains("keys.suffix"));
        assert!(message(&with("keys", json!({}))).contains("no event of an object"));
        assert!(message(&keys(json!({}), json!({"source": "aws.events"}))).contains("no event of an object"));
    }

    #[test]
    fn two_fields_are_enough() {
        let input = parse(&json!({"instance": "nightly", "notebook": "reports/daily.ipynb"})).unwrap();
        assert_eq!(input.limits.start_seconds, START_SECONDS.default);
        assert_eq!(input.when_busy, WhenBusy::Queue);
        assert_eq!(input.on_runner_lost, OnRunnerLost::Fail);
        assert!(!input.rerun);
        assert_eq!(input.event, None);
    }

    #[test]
    fn the_documented_input_is_accepted() {
        let input = json!({"instance": "nightly", "notebook": "reports/daily.ipynb",
            "parameters": {"day": "{{ date }}", "source": "s3://{{ bucket }}/{{ key }}"}, "event": {"source": "aws.s3"},
            "limits": {"startSeconds": 1200, "queueSeconds": 7200, "runSeconds": 7200, "stopSeconds": 1200},
            "whenBusy": "queue", "kernel": "conda_python3", "onRunnerLost": "fail", "rerun": false});
        assert_eq!(parse(&input).unwrap().kernel.as_deref(), Some("conda_python3"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            (json!([]), "must be a JSON object"),
            (json!({"notebook": "a.ipynb"}), "missing field `instance`"),
            (json!({"instance": "nightly"}), "missing field `notebook`"),
            (with("paramters", json!({})), "unknown field `paramters`"),
            (with("limits", json!({"runSecs": 3})), "unknown field `runSecs`"),
            (
                with("limits", json!({"runSeconds": "3"})),
                "limits.runSeconds: it is not a whole number of seconds between 1 and 86400",
            ),
            (
                with("limits", json!({"runSeconds": 0})),
                "limits.runSeconds: 0 is not a whole number of seconds between 1 and 86400",
            ),
            (with("limits", json!({"runSeconds": -1.5})), "limits.runSeconds: -1.5 is not a whole number"),
            (with("limits", json!([1200, 7200])), "limits: it must be an object"),
            (with("limits", Value::Null), "limits: it must be an object"),
            (
                with("limits", json!({"startSeconds": 999_999})),
                "limits.startSeconds: 999999 is not a whole number of seconds between",
            ),
            (with("whenBusy", json!("wait")), "whenBusy: unknown variant `wait`"),
            (with("onRunnerLost", json!("retry")), "onRunnerLost: unknown variant `retry`"),
            (with("rerun", json!("yes")), "rerun: it has the wrong type or value; expected a boolean"),
            (with("instance", json!("a/b")), "instance: \"a/b\" is no notebook instance name"),
            (with("kernel", json!("-x")), "kernel: \"-x\" is no kernel name"),
            (with("kernel", json!("a b")), "kernel: \"a b\" is no kernel name"),
            (with("parameters", json!("secret")), "parameters: it has the wrong type or value; expected an object"),
            (with("parameters", json!({"x=1;import os": 1})), "\"x=1;import os\" is no parameter name"),
            (with("parameters", json!({"": 1})), "\"\" is no parameter name"),
        ];
        for (input, expected) in cases {
            let message = message(&input);
            assert!(message.contains(expected), "{message} should contain {expected}");
            assert!(!message.contains("secret"), "{message}");
            assert!(message.ends_with("start a new execution."), "{message}");
        }
    }

    #[test]
    fn a_keyword_of_the_kernels_language_is_no_parameter_name() {
        for keyword in PYTHON_KEYWORDS {
            let message = message(&with("parameters", json!({keyword: "secret"})));
            assert!(message.starts_with(&format!("parameters.{keyword}: ")), "{message}");
            assert!(!message.contains("secret"), "{message}");
        }
        let mut input = with("parameters", json!({"class": "secret"}));
        for (kernel, refused) in
            [("python3", true), ("conda_pytorch_p310", true), ("pysparkkernel", true), ("ir", false)]
        {
            input["kernel"] = json!(kernel);
            assert_eq!(parse(&input).is_err(), refused, "{kernel}");
        }
        for name in ["match", "case", "type", "_", "print", "Class", "classes", "self"] {
            assert!(parse(&with("parameters", json!({name: 1}))).is_ok(), "{name} can be assigned");
        }
    }

    #[test]
    fn notebooks_cannot_leave_their_folder() {
        for bad in [
            "../a.ipynb",
            "a/../../b.ipynb",
            "/etc/a.ipynb",
            "a//b.ipynb",
            "./a.ipynb",
            "a.py",
            "",
            "a\\..\\b.ipynb",
            "http://x/a.ipynb",
            "s3://b",
            "s3:///k.ipynb",
            "s3://B_/k.ipynb",
            "{{ key }}.ipynb",
            "a\nb.ipynb",
            "a.ipynb/",
        ] {
            let message = message(&with("notebook", json!(bad)));
            assert!(message.starts_with("notebook: "), "{bad}: {message}");
        }
        for good in ["a.ipynb", "a b/'q'/$(x).ipynb", "s3://bucket/some/key.ipynb"] {
            assert_eq!(NotebookSource::parse(good).unwrap().to_string(), good);
        }
    }

    #[test]
    fn an_input_just_over_the_limit_is_refused() {
        let mut input = with("parameters", json!({"a": ""}));
        let room = MAX_INPUT_BYTES - input.to_string().len();
        input["parameters"]["a"] = json!("x".repeat(room));
        assert!(parse(&input).is_ok());
        input["parameters"]["a"] = json!("x".repeat(room + 1));
        assert!(message(&input).contains("65537 bytes of JSON; at most 65536"));
    }

    #[test]
    fn the_instance_of_an_invalid_input_is_still_known() {
        for known in [
            r#"{"instance": "a", "x": 1}"#,
            r#"{"instance": "a", "parameters": {"x": 1e400, "s": "\ud800 } , \"instance\": \"b\""}}"#,
            r#"{"x": [[[NaN]], -Infinity], "instance" : "a" , "y": }"#,
            r#"{"instance": "b", "instance": "a"}"#,
            &format!(r#"{{"x": {}1{}, "instance": "a"}}"#, "[".repeat(5_000), "]".repeat(5_000)),
            r#"{"instance": "a", "x": "#,
        ] {
            let input = InputText::new(known);
            assert_eq!(instance_of(&input).map(|name| name.to_string()).as_deref(), Some("a"), "{known:.80}");
        }
        for unknown in
            [r#"{"instance": "../a"}"#, "3", "", "null", r#"{"x": {"instance": "a"}}"#, r#"{"instance": 3}"#, "[1, 2"]
        {
            assert_eq!(instance_of(&InputText::new(unknown)), None, "{unknown}");
        }
    }
}
