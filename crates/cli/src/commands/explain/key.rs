//! `reveille explain s3://bucket/key`: why a file started a run, or none.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    answer,
    chain::{self, Fact, Source},
    tell_next,
};
use crate::{
    arguments::{ExplainArguments, Format},
    clients::{Account, Ending, Put, StartedBy, Undelivered},
    commands::{
        on_upload::{self, Tested},
        undelivered::about_file,
    },
    error::CliError,
    exit::Exit,
    triggers::LONGEST_KEY,
    ui::{
        json::run as run_as_json,
        terminal::{Terminal, Tone},
        text::for_shell,
    },
};

/// What is known of the file.
struct Known {
    put: Put,
    tested: Vec<Tested>,
    started: StartedBy,
    /// The messages about it; an error: they cannot be read.
    undelivered: Result<Vec<Undelivered>, CliError>,
}

pub(super) async fn run(
    terminal: &Terminal,
    arguments: &ExplainArguments,
    bucket: &str,
    key: &str,
) -> Result<Exit, CliError> {
    if key.is_empty() || key.len() > LONGEST_KEY {
        return Err(CliError::Usage(format!(
            "a key has 1 to {LONGEST_KEY} bytes, such as s3://{bucket}/orders/2026-11-26.csv"
        )));
    }
    let account = Account::of(&arguments.stack).await?;
    let uri = format!("s3://{bucket}/{key}");
    let put = account.put(bucket, key).await;
    let since = match put {
        Put::At(at) => at,
        Put::Gone | Put::Unknown(_) => None,
    };
    let (tested, started) =
        tokio::join!(on_upload::tested(terminal, &account, bucket, key), account.started_by(bucket, key, since),);
    let (tested, started) = (tested?, started?);
    // Last: from here on Ctrl-C ends nothing by itself, so that what is read goes back into the queue.
    let undelivered = match about_file(&account, &uri).await {
        Err(CliError::Interrupted) => return Err(CliError::Interrupted),
        messages => messages,
    };
    let known = Known { put, tested, started, undelivered };
    let facts = chain::sorted(facts(&known, since));
    let (verdict, started) = verdict(&known);
    let next = next(&known, bucket, key);
    if arguments.format.output == Format::Json {
        let more = as_json(&known, &uri, &verdict, started);
        Terminal::result(&answer(&facts, &next, more));
        return Ok(Exit::Done);
    }
    terminal.marked(if started { Tone::Good } else { Tone::Bad }, if started { "✓" } else { "✗" }, &verdict);
    for line in chain::lines(terminal, &facts) {
        terminal.line(&line);
    }
    tell_next(terminal, &next);
    Ok(Exit::Done)
}

/// What a program is told besides the facts: the verdict is a sentence, so what it says stands beside it.
fn as_json(known: &Known, uri: &str, verdict: &str, started: bool) -> Value {
    let runs: Value = known.started.runs.iter().map(run_as_json).collect();
    json!({"file": uri, "started": started, "isComplete": is_complete(known), "verdict": verdict, "runs": runs})
}

/// Whether every execution was looked at that the file's last upload can have started.
const fn is_complete(known: &Known) -> bool {
    known.started.is_whole && matches!(known.put, Put::At(Some(_)))
}

/// The answer in one sentence, and whether a run was started.
fn verdict(known: &Known) -> (String, bool) {
    let ran = |run: &&crate::clients::Run| !matches!(run.ending, Ending::Duplicate | Ending::NotSelected);
    let runs: Vec<&crate::clients::Run> = known.started.runs.iter().filter(ran).collect();
    if let [run] = runs[..] {
        return (format!("it started {}, which is {}", run.id, run.ending.word()), true);
    }
    if !runs.is_empty() {
        return (format!("it started {} runs", runs.len()), true);
    }
    let waiting = known.undelivered.as_ref().map_or(0, Vec::len);
    let would = known.tested.iter().filter(|it| it.nothing.is_none()).count();
    // An execution that was not looked at may have been started by it.
    let none = if is_complete(known) {
        "it started no run".to_owned()
    } else {
        format!("none of the newest {} executions was started by it", known.started.looked_at)
    };
    let why = if !known.started.runs.is_empty() {
        "it started an execution, but no notebook ran: either another execution answers the event, or the trigger does not select this key".to_owned()
    } else if waiting > 0 {
        format!("{none}, because its event could not be delivered")
    } else if known.tested.is_empty() {
        format!("{none}: this stack has no rule on uploads")
    } else if would == 0 {
        format!("{none}: no rule that is on takes it")
    } else if matches!(known.put, Put::Gone) {
        format!("it is not there, and {none}; it would start one if you uploaded it now")
    } else {
        format!(
            "{none}, although a rule takes it now. It was uploaded before the rule was on or the bucket sent events, or its event is still on the way"
        )
    };
    (why, false)
}

fn facts(known: &Known, since: Option<DateTime<Utc>>) -> Vec<Fact> {
    let mut facts = vec![match &known.put {
        Put::At(Some(at)) => Fact::at(*at, "it was uploaded (last)", Source::Bucket),
        Put::At(None) => Fact::now("it exists", Source::Bucket),
        Put::Gone => Fact::now("it does not exist (any more)", Source::Bucket),
        Put::Unknown(why) => Fact::now(format!("could not find out whether it exists: {why}"), Source::Bucket),
    }];
    for rule in &known.tested {
        let what = match (&rule.nothing, &rule.fails) {
            (None, None) => format!("the rule {} takes it: {}", rule.rule, rule.starts),
            (None, Some(why)) => format!("the rule {} takes it, but its run would fail: {why}", rule.rule),
            (Some(why), _) => format!("the rule {} starts nothing: {why}", rule.rule),
        };
        facts.push(Fact::now(what, Source::Rule));
    }
    for run in &known.started.runs {
        let what = match run.ending {
            Ending::Duplicate => format!("the execution {} started, but another execution answers the event", run.id),
            Ending::NotSelected => {
                format!("the execution {} started, but its trigger does not select this key", run.id)
            }
            ending => format!("the run {} started, and is {}", run.id, ending.word()),
        };
        facts.push(Fact::at(run.execution.started, what, Source::Execution));
    }
    for message in known.undelivered.iter().flatten() {
        let why = message.message.as_deref().or(message.code.as_deref()).unwrap_or("no reason is given");
        let what = format!("its event could not be delivered ({why}), and is in the queue of undelivered events");
        facts.push(Fact { at: message.since, what, source: Source::Queue });
    }
    if let Err(problem) = &known.undelivered {
        let what = format!("could not find out whether its event is in the queue of undelivered events: {problem}");
        facts.push(Fact::now(what, Source::Queue));
    }
    if known.started.runs.is_empty() {
        let looked = known.started.looked_at;
        let all = if known.started.is_whole && since.is_some() { "since it was uploaded" } else { "the newest" };
        facts.push(Fact::now(format!("none of {looked} executions ({all}) was started by it"), Source::Execution));
    }
    facts
}

fn next(known: &Known, bucket: &str, key: &str) -> Vec<String> {
    let mut next: Vec<String> =
        known.started.runs.iter().take(1).map(|run| format!("reveille explain {}", run.id)).collect();
    next.extend(known.undelivered.iter().flatten().map(|it| format!("reveille undelivered replay {}", it.id)));
    if next.is_empty() {
        let paused = known.tested.iter().filter(|it| it.is_paused);
        next.extend(paused.map(|it| format!("reveille on-upload resume {}", it.rule)));
    }
    if next.is_empty() {
        next.push(format!("reveille on-upload test {}", for_shell(&format!("s3://{bucket}/{key}"))));
    }
    next
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::{Known, as_json, facts, next, verdict};
    use crate::{
        clients::{Ending, Put, Run, Source, StartedBy, undelivered_of_test},
        commands::on_upload::Tested,
        error::CliError,
    };

    fn known() -> Known {
        let started = StartedBy { runs: Vec::new(), looked_at: 7, is_whole: true };
        Known { put: Put::At(Some(Utc::now())), tested: Vec::new(), started, undelivered: Ok(Vec::new()) }
    }

    fn rule(nothing: Option<&str>, is_paused: bool) -> Tested {
        Tested {
            rule: "orders".to_owned(),
            starts: "a.ipynb on nightly".to_owned(),
            nothing: nothing.map(str::to_owned),
            fails: None,
            is_paused,
        }
    }

    fn run(ending: Ending) -> Run {
        Run { ending, ..Run::of_test("a.ipynb") }
    }

    #[test]
    fn each_reason_has_its_sentence_and_its_next_command() {
        let judge = |change: &dyn Fn(&mut Known)| {
            let mut it = known();
            change(&mut it);
            let sentences =
                facts(&it, Some(Utc::now())).into_iter().map(|fact| fact.what).collect::<Vec<_>>().join("\n");
            (verdict(&it), next(&it, "in", "a.csv"), sentences)
        };
        let ((said, started), commands, _) = judge(&|it| it.started.runs = vec![run(Ending::Succeeded)]);
        assert!(started && said.contains("daily-1, which is SUCCEEDED"), "{said}");
        assert_eq!(commands, ["reveille explain daily-1"]);
        for (ending, part) in [
            (Ending::Duplicate, "another execution answers the event"),
            (Ending::NotSelected, "does not select this key"),
        ] {
            let ((_, started), _, sentences) = judge(&|it| it.started.runs = vec![run(ending)]);
            assert!(!started && sentences.contains(part), "{sentences}");
        }
        let ((said, _), _, sentences) = judge(&|_| {});
        assert!(
            said.contains("no rule on uploads") && sentences.contains("none of 7 executions (since it was uploaded)"),
            "{said} {sentences}"
        );
        let ((said, _), commands, sentences) = judge(&|it| it.tested = vec![rule(Some("it is paused"), true)]);
        assert!(
            said.contains("no rule that is on takes it") && sentences.contains("orders starts nothing: it is paused"),
            "{sentences}"
        );
        assert_eq!(commands, ["reveille on-upload resume orders"]);
        let ((said, _), commands, _) = judge(&|it| it.tested = vec![rule(None, false)]);
        assert!(said.contains("although a rule takes it now"), "{said}");
        assert_eq!(commands, ["reveille on-upload test s3://in/a.csv"]);
        let ((said, _), commands, sentences) = judge(&|it| {
            it.tested = vec![rule(None, false)];
            let mut message = undelivered_of_test(Source::Unknown, "{}");
            message.message = Some("not allowed".to_owned());
            it.undelivered = Ok(vec![message]);
        });
        assert!(said.contains("could not be delivered") && sentences.contains("not allowed"), "{said} {sentences}");
        assert!(commands[0].starts_with("reveille undelivered replay 0b1f6f3c"), "{commands:?}");
        let ((said, _), _, sentences) = judge(&|it| {
            it.put = Put::Gone;
            it.tested = vec![rule(None, false)];
            it.undelivered = Err(CliError::NotNow("no".to_owned()));
        });
        assert!(said.contains("it is not there, and none of the newest 7 executions was started by it"), "{said}");
        assert!(
            sentences.contains("could not find out whether its event is in the queue of undelivered events: no"),
            "{sentences}"
        );
        let ((said, _), _, _) = judge(&|it| {
            it.tested = vec![rule(None, false)];
            it.started.is_whole = false;
        });
        assert!(said.starts_with("none of the newest 7 executions was started by it"), "{said}");
    }

    #[test]
    fn a_program_is_told_what_the_verdict_says() {
        let facts = |change: &dyn Fn(&mut Known)| {
            let mut it = known();
            change(&mut it);
            let (verdict, started) = verdict(&it);
            let json = as_json(&it, "s3://in/a.csv", &verdict, started);
            (json["started"] == true, json["isComplete"] == true)
        };
        assert_eq!(facts(&|it| it.started.runs = vec![run(Ending::Failed)]), (true, true));
        assert_eq!(facts(&|it| it.started.runs = vec![run(Ending::Duplicate)]), (false, true));
        assert_eq!(facts(&|it| it.started.is_whole = false), (false, false));
        // When it was uploaded is not known.
        assert_eq!(facts(&|it| it.put = Put::Unknown("you may not look".to_owned())), (false, false));
    }
}
