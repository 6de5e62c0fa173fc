//! `reveille run`: starts an execution, and follows it.

use chrono::Utc;
use reveille_domain::{
    input::{self, Input},
    text::InputText,
};
use serde_json::{Value, json};

use super::{parameters, watch};
use crate::{
    arguments::RunArguments,
    clients::Account,
    error::CliError,
    exit::Exit,
    ui::terminal::{Terminal, Tone},
};

/// Characters of the notebook's name in the execution's: the whole has at most 80.
const MAX_STEM: usize = 48;

pub(crate) async fn run(terminal: &Terminal, arguments: &RunArguments) -> Result<Exit, CliError> {
    let input = input(arguments)?;
    let account = Account::of(&arguments.stack).await?;
    let execution = account.start(execution_name(&arguments.notebook), input).await?;
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
    let parameters = parameters::given(&arguments.parameters)?;
    let mut input = json!({"instance": arguments.instance, "notebook": arguments.notebook, "parameters": parameters});
    for (field, value) in [("kernel", &arguments.kernel), ("whenBusy", &arguments.when_busy)] {
        if let Some(value) = value {
            input[field] = Value::from(value.as_str());
        }
    }
    let input = input.to_string();
    check(&input)?;
    Ok(input)
}

/// Holds an input against the contract, as AdmitRun will.
pub(super) fn check(input: &str) -> Result<Input, CliError> {
    input::read(&InputText::new(input.to_owned())).map_err(|failure| {
        // The same sentence as AdmitRun's, but for its end, which speaks of executions.
        let problem = failure.message.replace(" Correct the input and start a new execution.", "");
        CliError::Usage(problem.trim_end_matches('.').to_owned())
    })
}

/// A name that tells in the console what runs: the notebook's, and the time.
pub(super) fn execution_name(notebook: &str) -> String {
    let file = notebook.rsplit('/').next().unwrap_or_default();
    let stem = file.strip_suffix(".ipynb").unwrap_or(file);
    let safe = |sign: char| if sign.is_ascii_alphanumeric() || "-_.".contains(sign) { sign } else { '_' };
    let stem: String = stem.chars().map(safe).take(MAX_STEM).collect();
    format!("{stem}-{}", Utc::now().format("%Y%m%dT%H%M%S%3f"))
}

#[cfg(test)]
mod tests {
    use super::execution_name;

    #[test]
    fn an_executions_name_is_one() {
        let name = execution_name(&format!("a/{}.ipynb", "é b".repeat(60)));
        assert!(name.len() <= 80 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)), "{name}");
        assert!(execution_name("s3://b/daily.ipynb").starts_with("daily-20"));
    }
}
