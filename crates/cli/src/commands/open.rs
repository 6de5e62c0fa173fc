//! `reveille open`: a link to what a run left.

use std::time::Duration;

use aws_sdk_s3::presigning::PresigningConfig;
use reveille_domain::card::console;

use super::partial;
use crate::{
    arguments::OpenArguments,
    clients::{Account, Damaged, Ending, Run},
    error::{CliError, within},
    exit::Exit,
    ui::terminal::Terminal,
};

/// Long enough to be opened and passed on; whoever has the link can read the page.
const GOOD_FOR: Duration = Duration::from_hours(1);

pub(crate) async fn run(terminal: &Terminal, arguments: &OpenArguments) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let run = account.run_named(&arguments.run).await?;
    if arguments.console && run.is_past() {
        return Err(CliError::NotThere(format!(
            "the console does not show {} any more, because Step Functions keeps executions for 90 days; see what there is with: reveille show {}",
            run.id, run.id
        )));
    }
    if arguments.console {
        let link = console(&run.execution.arn).ok_or_else(|| {
            let arn = &run.execution.arn;
            CliError::NotThere(format!(
                "this command does not know the console's address for {arn}; look the execution up in the console"
            ))
        })?;
        terminal.verbatim(&link);
        return Ok(Exit::Done);
    }
    let output = match arguments {
        OpenArguments { notebook: true, .. } => "notebook",
        OpenArguments { log: true, .. } => "log",
        _ => "html",
    };
    let key = match key(&account, &run, output) {
        Ok(key) => key.to_owned(),
        Err(error) => partial_key(terminal, &account, &run, output).await?.ok_or(error)?,
    };
    terminal.verbatim(&link(&account, &key).await?);
    if output == "html" {
        terminal.note(
            "scripts in the notebook's outputs run when the page is opened, unless the run asked for \"html\": \"sanitized\"",
        );
    }
    Ok(Exit::Done)
}

/// The key of what was uploaded of an output before the notebook's end, if it is one object.
async fn partial_key(
    terminal: &Terminal,
    account: &Account,
    run: &Run,
    output: &str,
) -> Result<Option<String>, CliError> {
    let found = partial::of(account, run).await?;
    match output {
        "notebook" => Ok(found.notebook.map(|uploaded| {
            terminal.note(&partial::note(run, uploaded.at));
            uploaded.key
        })),
        "log" if found.log.is_some() => Err(CliError::NotThere(format!(
            "{} has no complete log; to print the part that was uploaded: reveille logs {}",
            run.id, run.id
        ))),
        _ => Ok(None),
    }
}

async fn link(account: &Account, key: &str) -> Result<String, CliError> {
    let how = PresigningConfig::expires_in(GOOD_FOR);
    let how = how.map_err(|error| CliError::Usage(error.to_string()))?;
    let signed = account.s3.get_object().bucket(&account.layout.bucket).key(key).presigned(how).await;
    signed.map(|signed| signed.uri().to_owned()).map_err(|error| CliError::asked("sign the link", &error))
}

/// Where an output of a run lies, or why there is none.
pub(super) fn key<'a>(account: &Account, run: &'a Run, output: &str) -> Result<&'a str, CliError> {
    let id = &run.id;
    if run.ending == Ending::Running {
        return Err(CliError::NotThere(format!(
            "{id} has no {output} yet, because it is uploaded when the notebook ends; follow what it prints with: reveille logs -f {id}"
        )));
    }
    account.key_of(run, output).ok_or_else(|| {
        if let Some(to_come) = run.to_come() {
            return CliError::NotThere(format!("{id} kept {to_come}; look again with: reveille show {id}"));
        }
        if let Some(Damaged { key, problem }) = run.damaged.first() {
            return CliError::Record { key: key.clone(), problem: problem.clone() };
        }
        let why = run.outcome.as_ref().and_then(|outcome| outcome.html_error.as_deref()).filter(|_| output == "html");
        let why = why.map_or_else(String::new, |why| format!(" ({})", within(why)));
        CliError::NotThere(format!("{id} kept no {output}{why}; see what there is with: reveille show {id}"))
    })
}
