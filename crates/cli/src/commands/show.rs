//! `reveille show`: one run, and what to do next.

use reveille_domain::{
    Code, InstanceName,
    records::{Rest, RunStatus},
};

use super::{cost, logs::MAX_LOG, parameters, partial, runs::tone, stage::stage};
use crate::{
    arguments::{Format, ShowArguments},
    clients::{Account, Damaged, Ending, Run, ToCome},
    error::{CliError, within},
    exit::Exit,
    prices::Prices,
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
    let prices = Prices::chosen(arguments.prices.prices.as_deref())?;
    let account = Account::of(&arguments.stack).await?;
    let run = account.run_named(&arguments.run).await?;
    match arguments.format.output {
        Format::Json => {
            let cost = cost::of(&account, &run, &prices, chrono::Utc::now()).await;
            let mut answer = json::run(&run);
            answer["cost"] = cost.map(|cost| cost.as_json()).into();
            Terminal::result(&answer);
        }
        Format::Table => tell(terminal, &account, &run, &prices).await?,
    }
    Ok(Exit::Done)
}

/// The whole screen.
pub(crate) async fn tell(terminal: &Terminal, account: &Account, run: &Run, prices: &Prices) -> Result<(), CliError> {
    let mut lines = title(terminal, run);
    for (label, value) in facts(run) {
        lines.extend(labelled(terminal, label, &value));
    }
    let cost = cost::of(account, run, prices, chrono::Utc::now()).await;
    lines.extend(cost.iter().flat_map(|cost| labelled(terminal, "cost", &cost.sentence())));
    let mut damaged = run.damaged.clone();
    match parameter_names(account, run).await {
        Err(CliError::Record { key, problem }) => damaged.push(Damaged { key, problem }),
        names => {
            let names = names?.map(|names| format!("{names} (their values are in request.json)"));
            lines.extend(names.iter().flat_map(|names| labelled(terminal, "parameters", names)));
        }
    }
    for Damaged { key, problem } in &damaged {
        lines.extend(labelled(terminal, "unreadable", &format!("{key}: {}", within(problem))));
    }
    if run.ending == Ending::Running {
        lines.extend(labelled(terminal, "now", &stage(account, run).await?.so_far(chrono::Utc::now())));
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
    let partial =
        if run.ending == Ending::Running { partial::Partial::default() } else { partial::of(account, run).await? };
    lines.extend(partial.told().iter().flat_map(|told| labelled(terminal, "partial", told)));
    // Of what left nothing, one blank line is enough.
    if lines.last().is_some_and(|line| !line.is_empty()) {
        lines.push(String::new());
    }
    let log = partial.log.is_some() || log_says_something(account, run).await;
    let mut next = next(run, log);
    let what_to_do = format!("reveille explain {}", Code::Internal);
    if !damaged.is_empty() && !next.contains(&what_to_do) {
        next.insert(0, what_to_do);
    }
    for (index, command) in next.iter().enumerate() {
        let label = if index == 0 { terminal.paint(Tone::Quiet, "Next:") } else { " ".repeat("Next:".len()) };
        lines.push(format!("{label} {}", terminal.command(command)));
    }
    for line in lines {
        terminal.line(&line);
    }
    Ok(())
}

/// The names of the run's parameters.
async fn parameter_names(account: &Account, run: &Run) -> Result<Option<String>, CliError> {
    let Some(instance) = run.instance.as_deref().filter(|_| run.at.is_some()) else { return Ok(None) };
    let Some(request) = account.request(instance, &run.id).await? else { return Ok(None) };
    Ok(parameters::names(&request.parameters))
}

pub(super) fn title(terminal: &Terminal, run: &Run) -> Vec<String> {
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
    let word = format!("{sign}{} ", run.ending.word());
    terminal.marked_lines(tone(run.ending), &word, &what)
}

fn facts(run: &Run) -> Vec<(&'static str, String)> {
    let ended = run.execution.stopped.unwrap_or_else(chrono::Utc::now);
    let took = times::duration(ended - run.execution.began());
    let mut started = times::clock(run.execution.started);
    if let Some(redriven) = run.execution.redriven {
        started = format!("{started}, redriven {}", times::clock(redriven));
    }
    let so_far = match (run.ending, run.execution.redriven) {
        (Ending::Running, _) => "so far",
        (_, Some(_)) => "from then until its end",
        (_, None) => "in all",
    };
    let mut facts = vec![
        ("run", run.id.to_string()),
        ("trigger", run.trigger.clone()),
        ("started", format!("{started}, {took} {so_far}")),
    ];
    if run.is_past() {
        facts.push(("told by", "its records; Step Functions keeps executions for 90 days".to_owned()));
    }
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
        None => run.to_come().unwrap_or_else(|| "no output".to_owned()),
    }
}

/// What the execution itself says, where no outcome does.
fn ending_without_record(terminal: &Terminal, run: &Run) -> Vec<String> {
    let Some(error) = &run.error else { return Vec::new() };
    let message = run.message().unwrap_or_default();
    fitted(&format!("{error}: {message}"), terminal.width().saturating_sub(2))
        .iter()
        .map(|line| format!("  {}", terminal.paint(Tone::Bad, line)))
        .collect()
}

/// Whether anything stands in the log of a run that did not succeed: one that was lost early kept an empty one.
pub(super) async fn log_says_something(account: &Account, run: &Run) -> bool {
    let Some(key) = account.key_of(run, "log").filter(|_| run.ending != Ending::Succeeded) else { return false };
    // A log that cannot be read is no help either; `reveille logs` would say why.
    let log = account.object(key, MAX_LOG).await.ok().flatten();
    log.is_some_and(|log| says_something(&String::from_utf8_lossy(&log)))
}

/// Whether a log holds more than which cells were begun.
fn says_something(log: &str) -> bool {
    log.lines().any(|line| !line.trim().is_empty() && !line.contains("Z Executing cell "))
}

/// What a person would type next, the most useful first.
pub(super) fn next(run: &Run, log: bool) -> Vec<String> {
    let id = &run.id;
    let mut next = Vec::new();
    let outcome = run.outcome.as_ref();
    if run.ending != Ending::Aborted && outcome.is_some_and(|outcome| outcome.instance_after == Rest::NotConfirmed) {
        next.push("reveille instances".to_owned());
    }
    match run.ending {
        Ending::Running => next.push(format!("reveille watch {id}")),
        Ending::Succeeded if has(run, "html") => next.push(format!("reveille open {id}")),
        Ending::Failed | Ending::Aborted | Ending::TimedOut => {
            next.extend((run.outputs_to_come == Some(ToCome::Soon)).then(|| format!("reveille show {id}")));
            next.extend(after_failure(run, log));
        }
        Ending::Skipped => {
            let instance = run.instance.as_deref().and_then(|name| InstanceName::parse(name).ok());
            next.extend(instance.map(|name| format!("reveille queue {name}")));
            next.push(format!("reveille rerun {id}"));
        }
        // Its event was answered, so nothing is missing; a person may want the notebook to run all the same.
        Ending::Duplicate => next.extend(["reveille runs".to_owned(), format!("reveille rerun {id}")]),
        Ending::Succeeded | Ending::NotSelected => next.push("reveille runs".to_owned()),
    }
    next
}

fn after_failure(run: &Run, log: bool) -> Vec<String> {
    let id = &run.id;
    let mut next = Vec::new();
    if log {
        next.push(format!("reveille logs {id}"));
    }
    match run.code() {
        // Its notebook has succeeded: it is not run again, only looked at.
        Some(Code::StopNotConfirmed) if run.outcome.as_ref().is_some_and(|it| it.status == RunStatus::Succeeded) => {
            next.push(format!("reveille explain {}", Code::StopNotConfirmed));
            return next;
        }
        // The same input would be refused again.
        Some(Code::InvalidRequest) => {
            next.push(format!("reveille explain {}", Code::InvalidRequest));
            return next;
        }
        // It would fail again as long as there is no such instance.
        Some(Code::InstanceNotFound) => {
            next.push("reveille instances".to_owned());
            next.push(format!("reveille explain {}", Code::InstanceNotFound));
            return next;
        }
        // The card and the log say it all.
        Some(Code::NotebookFailed | Code::KernelDied | Code::RunTimedOut | Code::Cancelled) if log => {}
        Some(code) => next.push(format!("reveille explain {code}")),
        None if log || run.ending == Ending::Aborted => {}
        None => next.push(format!("reveille open {id} --console")),
    }
    next.push(format!("reveille rerun {id}"));
    next
}

fn has(run: &Run, output: &str) -> bool {
    run.outcome.as_ref().is_some_and(|outcome| outcome.outputs.contains_key(output))
}

#[cfg(test)]
mod tests {
    use reveille_domain::Code;

    use super::{next, says_something};
    use crate::clients::{Ending, Run};

    #[test]
    fn a_log_of_begun_cells_says_nothing() {
        for nothing in ["", "\n \n", "2026-11-26T19:22:00Z Executing cell 1\n2026-11-26T19:22:01Z Executing cell 2\n"] {
            assert!(!says_something(nothing), "{nothing}");
        }
        assert!(says_something("2026-11-26T19:22:00Z Executing cell 1\nno orders\n"));
    }

    #[test]
    fn the_next_command_is_one_that_helps() {
        let run = |ending, code: Option<Code>| Run {
            ending,
            error: code.map(|code| code.to_string()),
            ..Run::of_test("daily.ipynb")
        };
        for (ending, code, log, commands) in [
            (Ending::Failed, Some(Code::NotebookFailed), true, &["logs daily-1", "rerun daily-1"][..]),
            (Ending::Failed, Some(Code::RunnerLost), false, &["explain RunnerLost", "rerun daily-1"]),
            (Ending::Failed, Some(Code::RunnerLost), true, &["logs daily-1", "explain RunnerLost", "rerun daily-1"]),
            (Ending::Failed, Some(Code::InvalidRequest), false, &["explain InvalidRequest"]),
            (Ending::Failed, Some(Code::InstanceNotFound), false, &["instances", "explain InstanceNotFound"]),
            (Ending::Failed, None, false, &["open daily-1 --console", "rerun daily-1"]),
            (Ending::TimedOut, None, false, &["open daily-1 --console", "rerun daily-1"]),
            (Ending::Aborted, None, false, &["rerun daily-1"]),
            (Ending::Aborted, None, true, &["logs daily-1", "rerun daily-1"]),
            (Ending::Skipped, None, false, &["queue nightly", "rerun daily-1"]),
            (Ending::Duplicate, None, false, &["runs", "rerun daily-1"]),
            (Ending::Running, None, false, &["watch daily-1"]),
        ] {
            let commands: Vec<String> = commands.iter().map(|command| format!("reveille {command}")).collect();
            assert_eq!(next(&run(ending, code), log), commands);
        }
    }
}
