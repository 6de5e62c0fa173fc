//! `reveille show`: one run, and what to do next.

use reveille_domain::{Code, records::Rest};

use super::{runs::tone, stage::stage};
use crate::{
    arguments::{Format, ShowArguments},
    clients::{Account, Ending, Run},
    error::CliError,
    exit::Exit,
    ui::{
        card, json, labelled, phases,
        terminal::{Terminal, Tone},
        text::fitted,
        times,
    },
};

/// The widest label and a gap.
const LABEL: usize = 11;

pub(crate) async fn run(terminal: &Terminal, arguments: &ShowArguments) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let execution = account.find(&arguments.run).await?;
    let run = account.run(&execution).await?;
    match arguments.format.output {
        Format::Json => Terminal::result(&json::run(&run)),
        Format::Table => tell(terminal, &account, &run).await?,
    }
    Ok(Exit::Done)
}

/// The whole screen.
pub(crate) async fn tell(terminal: &Terminal, account: &Account, run: &Run) -> Result<(), CliError> {
    let mut lines = vec![title(terminal, run)];
    for (label, value) in facts(run) {
        lines.extend(labelled(terminal, label, &value));
    }
    if let Some(names) = parameters(account, run).await? {
        lines.extend(labelled(terminal, "parameters", &format!("{names} (their values are in request.json)")));
    }
    if run.ending == Ending::Running {
        lines.extend(labelled(terminal, "now", &stage(account, run).await?));
    }
    if let Some(outcome) = &run.outcome {
        let drawn = phases::lines(terminal, &outcome.phases);
        if !drawn.is_empty() {
            lines.push(String::new());
            lines.extend(drawn);
        }
    }
    if run.ending != Ending::Running {
        lines.push(String::new());
    }
    match run.outcome.as_ref().and_then(|outcome| outcome.failure.as_ref()) {
        Some(failure) => lines.extend(card::lines(terminal, failure, &kept(run))),
        None => lines.extend(ending_without_record(terminal, run)),
    }
    for (name, uri) in run.outcome.iter().flat_map(|outcome| &outcome.outputs) {
        lines.extend(labelled(terminal, name, uri));
    }
    lines.push(String::new());
    lines.push(format!("{} {}", terminal.paint(Tone::Quiet, "Next:"), next(run)));
    for line in lines {
        terminal.line(&line);
    }
    Ok(())
}

/// The names of the run's parameters. Their values may be what only the notebook should see.
async fn parameters(account: &Account, run: &Run) -> Result<Option<String>, CliError> {
    let Some(instance) = run.instance.as_deref().filter(|_| run.at.is_some()) else { return Ok(None) };
    let Some(request) = account.request(instance, &run.id).await? else { return Ok(None) };
    let names = request.parameters.keys().map(String::as_str).collect::<Vec<_>>();
    Ok((!names.is_empty()).then(|| names.join(", ")))
}

fn title(terminal: &Terminal, run: &Run) -> String {
    let sign = match run.ending {
        Ending::Succeeded => "✓ ",
        Ending::Failed | Ending::TimedOut => "✗ ",
        _ => "",
    };
    let what = match (&run.notebook, &run.instance) {
        (Some(notebook), Some(instance)) => format!("{notebook} on {instance}"),
        (Some(notebook), None) => notebook.clone(),
        _ => "an input that names no notebook".to_owned(),
    };
    let word = terminal.paint(tone(run.ending), &format!("{sign}{}", run.ending.word()));
    format!("{word}  {}", terminal.paint(Tone::Strong, &what))
}

fn facts(run: &Run) -> Vec<(&'static str, String)> {
    let ended = run.execution.stopped.unwrap_or_else(chrono::Utc::now);
    let took = times::duration(ended - run.execution.started);
    let started = times::clock(run.execution.started);
    let so_far = if run.ending == Ending::Running { "so far" } else { "in all" };
    let mut facts = vec![
        ("run", run.id.to_string()),
        ("trigger", run.trigger.clone()),
        ("started", format!("{started}, {took} {so_far}")),
    ];
    if let Some(outcome) = &run.outcome {
        let after = match run.code() {
            Some(Code::InstanceNotFound) => "does not exist",
            _ => after(outcome.instance_after, run.ending),
        };
        facts.push(("instance", after.to_owned()));
        if outcome.attempt > 1 {
            facts.push(("attempt", outcome.attempt.to_string()));
        }
    }
    facts
}

/// What became of the instance, as a sentence.
pub(crate) const fn after(rest: Rest, ending: Ending) -> &'static str {
    match rest {
        Rest::AtRest => "was seen stopped after the run",
        Rest::HandedOver => "went on with other runs; the last of them stops it",
        Rest::LeftRunning => "was left running: a person started it, or works on it, or it is not certain whose it is",
        Rest::NotTouched => "was not touched",
        Rest::NotConfirmed => match ending {
            Ending::Aborted => {
                "was to be stopped after the outcome was written: `reveille instances` shows whether it is"
            }
            _ => "was NOT seen stopped: look at it, it may cost money",
        },
    }
}

fn labelled(terminal: &Terminal, label: &str, value: &str) -> Vec<String> {
    labelled::lines(terminal, LABEL, label, value)
}

fn kept(run: &Run) -> String {
    let outputs = run.outcome.as_ref().map(|outcome| outcome.outputs.keys().cloned().collect::<Vec<_>>());
    match outputs.filter(|names| !names.is_empty()) {
        Some(names) => names.join(", "),
        None => "no output".to_owned(),
    }
}

/// What the execution itself says, where no outcome does.
fn ending_without_record(terminal: &Terminal, run: &Run) -> Vec<String> {
    let Some(error) = &run.error else { return Vec::new() };
    let cause = run.cause.as_deref().unwrap_or_default();
    // A step's error is JSON with the message in it; a person's cause is text.
    let message = serde_json::from_str::<serde_json::Value>(cause)
        .ok()
        .and_then(|cause| cause["errorMessage"].as_str().map(str::to_owned))
        .unwrap_or_else(|| cause.to_owned());
    fitted(&format!("{error}: {message}"), terminal.width().saturating_sub(2))
        .iter()
        .map(|line| format!("  {}", terminal.paint(Tone::Bad, line)))
        .collect()
}

fn next(run: &Run) -> String {
    let id = &run.id;
    match run.ending {
        Ending::Running => format!("reveille watch {id}"),
        Ending::Succeeded if has(run, "html") => format!("reveille open {id}"),
        Ending::Failed | Ending::Aborted if has(run, "log") => format!("reveille logs {id}"),
        Ending::Failed => {
            run.code().map_or_else(|| "reveille explain".to_owned(), |code| format!("reveille explain {code}"))
        }
        _ => "reveille runs".to_owned(),
    }
}

fn has(run: &Run, output: &str) -> bool {
    run.outcome.as_ref().is_some_and(|outcome| outcome.outputs.contains_key(output))
}
