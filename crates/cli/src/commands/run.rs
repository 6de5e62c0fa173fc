//! `reveille run`: starts an execution, and follows it.

use std::{collections::BTreeSet, fs, path::Path};

use chrono::Utc;
use reveille_domain::{input, text::InputText};
use serde_json::{Map, Value, json};

use super::watch;
use crate::{
    arguments::RunArguments,
    clients::{Account, RunName},
    error::CliError,
    exit::Exit,
    ui::terminal::{Terminal, Tone},
};

/// A file of parameters: more than the whole input may have.
const MAX_FILE: u64 = 1024 * 1024;
/// Characters of the notebook's name in the execution's: the whole has at most 80.
const MAX_STEM: usize = 48;

pub(crate) async fn run(terminal: &Terminal, arguments: &RunArguments) -> Result<Exit, CliError> {
    let input = input(arguments)?;
    let account = Account::of(&arguments.stack).await?;
    let name = execution_name(&arguments.notebook);
    let call = account.sfn.start_execution().state_machine_arn(&account.state_machine).name(name);
    let started = call.input(input).send().await.map_err(|error| CliError::asked("start the execution", &error))?;
    let execution = account.find(&RunName::Arn(started.execution_arn)).await?;
    let id = execution.run();
    if arguments.detach {
        terminal.line(id.as_str());
        terminal.note(&format!("it runs; follow it with: reveille watch {id}"));
        return Ok(Exit::Done);
    }
    terminal.line(&format!("{} {id}", terminal.paint(Tone::Quiet, "run")));
    watch::follow(terminal, &account, &execution).await
}

/// The execution's input, held against the contract before anything is asked of AWS.
fn input(arguments: &RunArguments) -> Result<String, CliError> {
    let mut parameters = match &arguments.file {
        Some(path) => parameters_of(path)?,
        None => Map::new(),
    };
    if let Some(text) = &arguments.yaml {
        parameters.extend(read_yaml(text, "--parameters-yaml")?);
    }
    let mut seen = BTreeSet::new();
    let typed = arguments.parameters.iter().map(|(name, value)| (name, scalar(name, value)));
    let raw = arguments.raw.iter().map(|(name, value)| (name, Ok(Value::from(value.as_str()))));
    for (name, value) in typed.chain(raw) {
        if !seen.insert(name) {
            return Err(CliError::Usage(format!("the parameter {name} is given twice; give it once")));
        }
        parameters.insert(name.clone(), value?);
    }
    let mut input = json!({"instance": arguments.instance, "notebook": arguments.notebook, "parameters": parameters});
    for (field, value) in [("kernel", &arguments.kernel), ("whenBusy", &arguments.when_busy)] {
        if let Some(value) = value {
            input[field] = Value::from(value.as_str());
        }
    }
    let input = input.to_string();
    match input::read(&InputText::new(input.clone())) {
        Ok(_) => Ok(input),
        Err(failure) => {
            // The same sentence as AdmitRun's, but for its end, which speaks of executions.
            let problem = failure.message.replace(" Correct the input and start a new execution.", "");
            Err(CliError::Usage(problem.trim_end_matches('.').to_owned()))
        }
    }
}

/// A value as papermill reads one on its command line: True, False, None, whole numbers, numbers with a point, or else text.
fn scalar(name: &str, text: &str) -> Result<Value, CliError> {
    match text {
        "True" => return Ok(Value::Bool(true)),
        "False" => return Ok(Value::Bool(false)),
        "None" => return Ok(Value::Null),
        _ => {}
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Ok(Value::from(whole));
    }
    let digits = text.trim_start_matches(['+', '-']);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let problem = format!("the parameter {name} is too large for a number; pass it as text: -r {name}={text}");
        return Err(CliError::Usage(problem));
    }
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    Ok(number.map_or_else(|| Value::from(text), Value::from))
}

fn parameters_of(path: &Path) -> Result<Map<String, Value>, CliError> {
    let wrong = |what: String| CliError::Usage(format!("{}: {what}", path.display()));
    let size = fs::metadata(path).map_err(|error| wrong(format!("it cannot be read ({error})")))?.len();
    if size > MAX_FILE {
        return Err(wrong(format!("it has {size} bytes; at most {MAX_FILE} are read")));
    }
    let text = fs::read_to_string(path).map_err(|error| wrong(format!("it cannot be read ({error})")))?;
    read_yaml(&text, &path.display().to_string())
}

/// Parameters as papermill reads them. JSON is YAML, too.
fn read_yaml(text: &str, from: &str) -> Result<Map<String, Value>, CliError> {
    let wrong = |what: &str| CliError::Usage(format!("{from}: {what}"));
    match serde_yaml_ng::from_str(text)
        .map_err(|error| wrong(&format!("it is not valid YAML: {error}; write for example `day: 2026-11-26`")))?
    {
        Value::Object(parameters) => Ok(parameters),
        Value::Null => Ok(Map::new()),
        _ => Err(wrong("it must hold names and values, such as `day: 2026-11-26`")),
    }
}

/// A name that tells in the console what runs: the notebook's, and the time.
fn execution_name(notebook: &str) -> String {
    let file = notebook.rsplit('/').next().unwrap_or_default();
    let stem = file.strip_suffix(".ipynb").unwrap_or(file);
    let safe = |sign: char| if sign.is_ascii_alphanumeric() || "-_.".contains(sign) { sign } else { '_' };
    let stem: String = stem.chars().map(safe).take(MAX_STEM).collect();
    format!("{stem}-{}", Utc::now().format("%Y%m%dT%H%M%S%3f"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{execution_name, read_yaml, scalar};

    #[test]
    fn parameters_come_as_yaml_or_json() {
        for text in ["a: 1\nb: [x, null]", r#"{"a": 1, "b": ["x", null]}"#] {
            assert_eq!(serde_json::Value::Object(read_yaml(text, "-y").unwrap()), json!({"a": 1, "b": ["x", null]}));
        }
        assert!(read_yaml("", "-y").unwrap().is_empty());
        for wrong in ["- 1", "a", "a: [", "{"] {
            assert!(read_yaml(wrong, "-y").unwrap_err().to_string().starts_with("-y: it "), "{wrong}");
        }
    }

    #[test]
    fn values_are_read_as_papermill_reads_them() {
        for (text, value) in [
            ("1", json!(1)),
            ("-2.5", json!(-2.5)),
            ("1e3", json!(1e3)),
            ("True", json!(true)),
            ("true", json!("true")),
            ("None", json!(null)),
            ("2026-11-26", json!("2026-11-26")),
            ("007", json!(7)),
            ("nan", json!("nan")),
            ("1.2.3", json!("1.2.3")),
            ("", json!("")),
            ("[1]", json!("[1]")),
        ] {
            assert_eq!(scalar("a", text).unwrap(), value, "{text}");
        }
        assert!(scalar("a", &"9".repeat(30)).unwrap_err().to_string().contains("-r a=9"));
    }

    #[test]
    fn an_executions_name_is_one() {
        let name = execution_name(&format!("a/{}.ipynb", "é b".repeat(60)));
        assert!(name.len() <= 80 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)), "{name}");
        assert!(execution_name("s3://b/daily.ipynb").starts_with("daily-20"));
    }
}
