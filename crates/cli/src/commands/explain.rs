//! `reveille explain`: why a run went as it did, why a file did or did not start a run, and what an error code means.

mod chain;
mod code;
mod key;
mod run;

use reveille_domain::Code;
use serde_json::Value;

use super::stacks::nearest;
use crate::{
    arguments::{ExplainArguments, Format},
    clients::RunName,
    error::CliError,
    exit::Exit,
    triggers,
    ui::terminal::Terminal,
};

pub(crate) async fn run(terminal: &Terminal, arguments: &ExplainArguments) -> Result<Exit, CliError> {
    let json = arguments.format.output == Format::Json;
    let Some(what) = &arguments.what else {
        if json {
            Terminal::result(&code::all());
        } else {
            code::list(terminal);
        }
        return Ok(Exit::Done);
    };
    if let Some(code) = code::named(what) {
        if json {
            Terminal::result(&code::as_json(code));
        } else {
            terminal.lines(&terminal.advice(&code::on_terminal(code)));
        }
        return Ok(Exit::Done);
    }
    if let Some((bucket, key)) = triggers::object(what) {
        return Box::pin(key::run(terminal, arguments, bucket, key)).await;
    }
    let near = nearest(what, Code::ALL.iter().map(|code| code.as_str()));
    let meant = near.map(|code| format!(" (did you mean {code}?)")).unwrap_or_default();
    let name = RunName::parse(what).map_err(CliError::Usage)?;
    Box::pin(run::run(terminal, arguments, &name)).await.map_err(|error| match error {
        CliError::NoRun { .. } if matches!(name, RunName::Start(_)) => CliError::NotThere(format!(
            "there is no error code {what}{meant}, and no run's id begins with it; to list codes: reveille explain, to list runs: reveille runs (a file is named s3://bucket/key)"
        )),
        error => {
            if matches!(
                (&error, &name),
                (CliError::NoRegion | CliError::NoCredentials { .. }, RunName::Start(_))
            ) {
                terminal.note(&format!(
                    "{what} is not an error code (to list them: reveille explain), so AWS is asked for a run of this name"
                ));
            }
            error
        }
    })
}

/// What a person would type next, below an answer.
fn tell_next(terminal: &Terminal, commands: &[String]) {
    for (index, command) in commands.iter().enumerate() {
        if index == 0 {
            terminal.next(command);
        } else {
            terminal.line(&format!("      {}", terminal.command(command)));
        }
    }
}

/// An answer for a program: the facts, and what to do next.
fn answer(facts: &[chain::Fact], next: &[String], more: Value) -> Value {
    let mut answer = more;
    answer["facts"] = facts.iter().map(chain::as_json).collect();
    answer["next"] = next.into();
    answer
}
