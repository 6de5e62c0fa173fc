//! `reveille rerun`: runs a run's notebook again, by a redrive where that does it, or else as a new run.

use reveille_domain::Code;
use serde_json::{Map, Value, json};

use super::{
    parameters,
    run::{execution_name, filled, read, start, unless_interrupted},
    watch,
};
use crate::{
    arguments::{Format, RerunArguments},
    clients::{Account, Ending, Past, Redrivable, Run},
    error::{CliError, within},
    exit::Exit,
    ui::terminal::{Terminal, Tone},
};

pub(crate) async fn run(terminal: &Terminal, arguments: &RerunArguments) -> Result<Exit, CliError> {
    let changes = parameters::given(&arguments.parameters)?;
    let account = Account::of(&arguments.stack).await?;
    let (old, past) = account.run_and_past(&arguments.run).await?;
    refuse(&old)?;
    let past = past?;
    let input = input_of_new(&past.input, changes.clone())?;
    // A redrive would be refused as a new run is.
    check(&old, &input)?;
    let redriven = if let Some(because) = why_new(&old, &past, !changes.is_empty(), arguments.new) {
        Err(because)
    } else {
        let find_out = format!("{0} may have been redriven; to find out: reveille show {0}", old.id);
        unless_interrupted(terminal, &find_out, Box::pin(account.redrive(&old.execution, &past))).await?
    };
    let (execution, because) = match redriven {
        Ok(execution) => (execution, None),
        Err(because) => {
            let name = execution_name(old.notebook.as_deref().unwrap_or_default());
            (start(terminal, &account, name, input).await?, Some(because))
        }
    };
    let (from, id) = (&old.id, execution.run());
    if arguments.output == Format::Json {
        let (by, arn) = (if because.is_none() { "redrive" } else { "new" }, &execution.arn);
        Terminal::result(&json!({"from": from, "run": id, "by": by, "because": because, "executionArn": arn}));
        return Ok(Exit::Done);
    }
    let how = match because {
        None => format!("redriving {from}: the same run and input, as its next attempt"),
        Some(because) => format!("{from} -> {id}: a new run, because {}", within(&because)),
    };
    if arguments.detach {
        terminal.line(id.as_str());
        let watch = terminal.command(&format!("reveille watch {id}"));
        terminal.note(&format!("{how}; follow it with: {watch}"));
        return Ok(Exit::Done);
    }
    terminal.line(&format!("{} {id}", terminal.paint(Tone::Quiet, "run")));
    terminal.lines(&how);
    watch::follow(terminal, &account, &execution, None).await
}

/// What cannot be run again.
fn refuse(old: &Run) -> Result<(), CliError> {
    let id = &old.id;
    match old.ending {
        Ending::Running => Err(CliError::NotNow(format!(
            "{id} is under way; follow it with `reveille watch {id}`, or end it first with `reveille cancel {id}`"
        ))),
        Ending::NotSelected => Err(CliError::NotNow(format!(
            "{id} ran nothing: its trigger does not select {}. It would run nothing again; start the notebook with `reveille run`",
            old.trigger
        ))),
        Ending::Succeeded
        | Ending::Failed
        | Ending::Skipped
        | Ending::Duplicate
        | Ending::Aborted
        | Ending::TimedOut => Ok(()),
    }
}

/// Holds the input against the contract, as `run` does; here a parameter can be changed, and nothing else.
fn check(old: &Run, input: &str) -> Result<(), CliError> {
    let input = read(input).map_err(|problem| {
        CliError::Usage(format!("{problem}; a rerun has the same input, so start the notebook with `reveille run`"))
    })?;
    filled(&input).map(drop).map_err(|problem| {
        let id = &old.id;
        CliError::Usage(format!("{problem}; give the parameter another value: reveille rerun {id} -p NAME VALUE"))
    })
}

/// Why it takes a new run, as it stands after "because". `None`: a redrive as the next attempt of the same run does it.
fn why_new(old: &Run, past: &Past, changed: bool, new: bool) -> Option<String> {
    let because = match (old.ending, old.code()) {
        _ if new => "--new asks for one",
        _ if changed => "its parameters change",
        (Ending::Succeeded, _) => "the old one succeeded",
        (Ending::Skipped | Ending::Duplicate | Ending::NotSelected, _) => "the old run executed no notebook",
        // Its notebook has succeeded, so that a redrive would only look at the instance again.
        (_, Some(Code::StopNotConfirmed)) => "the notebook has succeeded, and a redrive would not run it again",
        _ => match &past.redrivable {
            Redrivable::Yes => return None,
            Redrivable::No { reason: None } => "Step Functions cannot redrive the old one",
            Redrivable::No { reason: Some(reason) } => {
                return Some(format!("Step Functions cannot redrive the old one ({})", within(reason)));
            }
        },
    };
    Some(because.to_owned())
}

/// The input of a new run: the old one's, with changed parameters, and for what an event started the word that it is meant to run again.
fn input_of_new(old: &str, changes: Map<String, Value>) -> Result<String, CliError> {
    // The same sentence for what is not JSON and for what is not an object.
    let Ok(Value::Object(mut input)) = serde_json::from_str::<Value>(old) else {
        return Err(CliError::Usage(
            "the run's input is not a JSON object; start the notebook with `reveille run`".to_owned(),
        ));
    };
    if !changes.is_empty() {
        match input.entry("parameters").or_insert(Value::Null) {
            Value::Object(parameters) => parameters.extend(changes),
            other => *other = Value::Object(changes),
        }
    }
    if input.get("event").is_some_and(|event| !event.is_null()) {
        input.insert("rerun".to_owned(), Value::Bool(true));
    }
    Ok(Value::Object(input).to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{check, input_of_new, refuse, why_new};
    use crate::clients::{Ending, Past, Redrivable, Run};

    fn old(ending: Ending, error: Option<&str>) -> Run {
        Run { ending, error: error.map(str::to_owned), ..Run::of_test("daily.ipynb") }
    }

    fn past(not_redrivable: Option<&str>) -> Past {
        Past::of_test(not_redrivable)
    }

    #[test]
    fn a_redrive_only_where_it_runs_the_same_again() {
        let (may, not) = (past(None), past(Some("EXECUTION_OLDER")));
        assert_eq!(why_new(&old(Ending::Failed, Some("NotebookFailed")), &may, false, false), None);
        assert_eq!(why_new(&old(Ending::Aborted, None), &may, false, false), None);
        assert_eq!(why_new(&old(Ending::TimedOut, None), &may, false, false), None);
        let failed = old(Ending::Failed, Some("NotebookFailed"));
        for (run, past, changed, new, because) in [
            (&failed, &may, true, false, "parameters"),
            (&failed, &may, false, true, "--new"),
            (&failed, &not, false, false, "EXECUTION_OLDER"),
            (&old(Ending::Failed, Some("StopNotConfirmed")), &may, false, false, "has succeeded"),
            (&old(Ending::Succeeded, None), &may, false, false, "succeeded"),
            (&old(Ending::Duplicate, None), &may, false, false, "executed no notebook"),
        ] {
            let Some(said) = why_new(run, past, changed, new) else { panic!("{because}: a redrive") };
            assert!(said.contains(because), "{said}");
        }
        let mut silent = past(None);
        silent.redrivable = Redrivable::No { reason: None };
        let said = why_new(&failed, &silent, false, false).unwrap();
        assert_eq!(said, "Step Functions cannot redrive the old one");
    }

    /// A rerun would be refused again, unless something else is asked for.
    #[test]
    fn what_a_rerun_would_fail_with_again_is_told_with_its_remedy() {
        let failed = old(Ending::Failed, Some("InvalidRequest"));
        for (input, said) in [
            (
                json!({"instance": "a", "notebook": "a.ipynb", "parameters": {"x": "{{ dat }}"}}),
                "rerun daily-1 -p NAME",
            ),
            (json!({"instance": "a", "notebook": "a.txt"}), "start the notebook with `reveille run`"),
        ] {
            let problem = check(&failed, &input.to_string()).unwrap_err();
            assert_eq!(problem.exit_code(), 2);
            assert!(problem.to_string().contains(said), "{problem}");
        }
        assert!(check(&failed, r#"{"instance": "a", "notebook": "a.ipynb"}"#).is_ok());
    }

    #[test]
    fn what_is_under_way_or_was_never_asked_for_is_refused() {
        let said = refuse(&old(Ending::Running, None)).unwrap_err();
        assert!(said.to_string().contains("reveille cancel daily"), "{said}");
        assert_eq!(said.exit_code(), 1);
        assert!(refuse(&old(Ending::NotSelected, None)).is_err());
        assert!(refuse(&old(Ending::Aborted, None)).is_ok());
    }

    #[test]
    fn a_new_input_is_the_old_one_with_what_changes() {
        let read = |text: String| serde_json::from_str::<Value>(&text).unwrap();
        let change = || json!({"day": "2026-11-27"}).as_object().unwrap().clone();
        let old = r#"{"instance": "a", "parameters": {"day": "{{ date }}", "n": 1}, "event": {"id": "1"}, "html": "sanitized"}"#;
        assert_eq!(
            read(input_of_new(old, change()).unwrap()),
            json!({"instance": "a", "parameters": {"day": "2026-11-27", "n": 1}, "event": {"id": "1"}, "html": "sanitized", "rerun": true})
        );
        for old in [r#"{"instance": "a"}"#, r#"{"instance": "a", "parameters": null, "event": null}"#] {
            let new = read(input_of_new(old, change()).unwrap());
            assert_eq!((&new["parameters"], new.get("rerun")), (&json!({"day": "2026-11-27"}), None));
        }
        assert_eq!(input_of_new(r#"{"a":1}"#, serde_json::Map::new()).unwrap(), r#"{"a":1}"#);
        for wrong in ["[]", "nonsense", ""] {
            assert!(input_of_new(wrong, change()).is_err(), "{wrong}");
        }
    }
}
