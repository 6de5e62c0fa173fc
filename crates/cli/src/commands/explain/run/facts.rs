//! The facts of a run, out of its execution and its records. Pure.

use chrono::{DateTime, Utc};
use reveille_domain::{
    event::{Event, SOURCE},
    records::{Claimant, Reporter, Request},
};
use serde_json::Value;

use super::{
    WaitedFor,
    attempts::{Attempt, named, parts},
};
use crate::{
    clients::{Ending, Entered, Run, states},
    commands::{
        explain::chain::{Fact, Source},
        show::after,
    },
    ui::times,
};

const REQUEST: Source = Source::Record("request.json");
const CLAIM: Source = Source::Record("claim.json");
const PROGRESS: Source = Source::Record("progress.json");
const REPORT: Source = Source::Record("report.json");
const OUTCOME: Source = Source::Record("outcome.json");

/// Everything that says something of a run.
pub(super) struct Told<'a> {
    pub(super) run: &'a Run,
    pub(super) event: Value,
    pub(super) entered: Vec<Entered>,
    pub(super) request: Option<Request>,
    /// The records of its attempts, the first ones first.
    pub(super) attempts: Vec<Attempt>,
    /// Of a duplicate: the execution that answers the event.
    pub(super) held_by: Option<String>,
    /// Of a run that goes on: what it does.
    pub(super) stage: Option<String>,
    pub(super) waited_for: WaitedFor,
}

pub(super) fn all(told: &Told<'_>) -> Vec<Fact> {
    let mut facts: Vec<Fact> = event(&told.event).into_iter().collect();
    facts.push(started(told));
    facts.extend(admitted(told));
    facts.extend(redriven(told));
    let parts = parts(&told.entered, told.run.execution.redriven);
    let is_one =
        parts.iter().map(|(number, _)| *number).chain(told.attempts.iter().map(|it| it.number)).all(|it| it == 1);
    for (number, entered) in parts {
        facts.extend(named(number, is_one, instance(told.run, entered)));
    }
    facts.extend(queue(told));
    for attempt in &told.attempts {
        facts.extend(named(attempt.number, is_one, notebook(attempt)));
    }
    facts.extend(end(told));
    facts
}

/// What started it, at its own time.
fn event(event: &Value) -> Option<Fact> {
    let read = Event::new(event);
    let at = read.time()?;
    let first = event["resources"][0].as_str().unwrap_or_default();
    let what = match event["source"].as_str()? {
        "aws.s3" => format!("s3://{}/{} was put", read.bucket()?, read.key()?),
        "aws.scheduler" => format!("the schedule {} was due", first.rsplit('/').next().unwrap_or(first)),
        "aws.events" => format!("the schedule of the rule {} was due", first.rsplit('/').next().unwrap_or(first)),
        SOURCE => format!("the run {} ended", event["detail"]["run"].as_str().unwrap_or("before it")),
        source => format!("an event from {source} arrived"),
    };
    Some(Fact::at(at, what, Source::Event))
}

fn started(told: &Told<'_>) -> Fact {
    let at = told.run.execution.started;
    let by = match Event::new(&told.event).time() {
        None => "somebody started the execution, without an event".to_owned(),
        // The event's time has whole seconds.
        Some(event) if (at - event).num_seconds() > 1 => {
            format!("the execution started, {} after its event", times::duration(at - event))
        }
        Some(_) => "the execution started".to_owned(),
    };
    Fact::at(at, by, Source::Execution)
}

fn admitted(told: &Told<'_>) -> Option<Fact> {
    match told.run.ending {
        Ending::Duplicate => {
            let holder = told.held_by.as_deref().unwrap_or("another execution");
            let what = format!("its event was answered already, so no notebook ran: {holder} answers it");
            Some(Fact::at(told.run.execution.stopped?, what, Source::Execution))
        }
        Ending::NotSelected => Some(Fact::at(
            told.run.execution.stopped?,
            "the trigger does not select this key (because of its prefix or suffix, or because it is a folder), so no notebook ran",
            Source::Execution,
        )),
        _ => told
            .request
            .as_ref()
            .map(|request| Fact::at(request.admitted_at, "its input was valid, and the run was admitted", REQUEST)),
    }
}

/// That what had ended went on.
fn redriven(told: &Told<'_>) -> Option<Fact> {
    let at = told.run.execution.redriven?;
    Some(Fact::at(at, "somebody redrove the execution, so it went on from where it had ended", Source::Execution))
}

/// Whether an attempt started the instance, and when that was up.
fn instance(run: &Run, entered: &[Entered]) -> Vec<Fact> {
    let name = run.instance.as_deref().unwrap_or("the instance");
    let first = |state: &str| entered.iter().find(|it| it.state == state).map(|it| it.at);
    let mut facts = Vec::new();
    let starts: Vec<DateTime<Utc>> = entered.iter().filter(|it| it.is_start()).map(|it| it.at).collect();
    match (starts.as_slice(), first(states::AWAIT_RUN)) {
        ([], Some(at)) if first(states::WAIT_FOR_INSTANCE).is_some() => {
            facts.push(Fact::at(
                at,
                format!("{name} was up. Somebody else had started it, and this run had waited"),
                Source::Execution,
            ));
        }
        ([], Some(at)) => facts.push(Fact::at(at, format!("{name} was already on"), Source::Execution)),
        ([], None) => {}
        ([one, more @ ..], up) => {
            let again = if more.is_empty() { String::new() } else { format!(", and again {} times", more.len()) };
            facts.push(Fact::at(*one, format!("it started {name}{again}"), Source::Execution));
            if let Some(up) = up {
                facts.push(Fact::at(
                    up,
                    format!("{name} was up, {} later, and the run stood in its queue", times::duration(up - *one)),
                    Source::Execution,
                ));
            }
        }
    }
    facts
}

/// For whom it waited.
fn queue(told: &Told<'_>) -> Vec<Fact> {
    let others = told.waited_for.runs.iter().map(|(run, phase)| {
        let what = format!("it waited for {run}, whose notebook ran for {} until then", times::seconds(phase.seconds));
        Fact::at(phase.ended_at, what, Source::Others)
    });
    let queued =
        told.run.outcome.as_ref().and_then(|outcome| outcome.phases.queued).filter(|queued| queued.seconds >= 5.0);
    let in_all = queued.map(|queued| {
        Fact::at(
            queued.ended_at,
            format!("its wait in the queue ended, after {}", times::seconds(queued.seconds)),
            OUTCOME,
        )
    });
    let more = told.waited_for.bound.map(|count| {
        let what = format!("looked at only {count} executions for the runs that it waited for; there may be others");
        Fact::now(what, Source::Others)
    });
    others.chain(in_all).chain(more).collect()
}

fn notebook(attempt: &Attempt) -> Vec<Fact> {
    let mut facts = Vec::new();
    // What the runner reports says more than its last sign.
    let reported = attempt.report.as_ref().is_some_and(|report| report.by == Reporter::Runner);
    if let Some(claim) = &attempt.claim {
        let what = match claim.by {
            Claimant::Runner => {
                let version = claim.runner_version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
                format!("the runner{version} took the run and started the notebook")
            }
            Claimant::Release => {
                "the run was given up before a runner took it, so that none can take it now".to_owned()
            }
        };
        facts.push(Fact::at(claim.at, what, CLAIM));
    }
    if let Some(progress) = attempt.progress.as_ref().filter(|progress| progress.cell > 0 && !reported) {
        let what = format!("the last sign of the notebook: cell {} of {}", progress.cell, progress.cells);
        facts.push(Fact::at(progress.at, what, PROGRESS));
    }
    if let Some(report) = &attempt.report {
        let said = match (&report.failure, report.by) {
            (None, _) => "the notebook ran to its end, and its outputs were kept".to_owned(),
            (Some(failure), Reporter::Runner) => format!("the runner reported {}: {}", failure.code, failure.message),
            (Some(failure), Reporter::Function) => {
                format!("a function, not the runner, ended the run with {}: {}", failure.code, failure.message)
            }
        };
        facts.push(Fact::at(report.ended_at, said, REPORT));
    }
    facts
}

fn end(told: &Told<'_>) -> Vec<Fact> {
    let run = told.run;
    let mut facts = Vec::new();
    if let Some(stage) = &told.stage {
        facts.push(Fact::now(format!("it goes on: {stage}"), Source::Execution));
    }
    if let Some(outcome) = &run.outcome {
        let name = run.instance.as_deref().unwrap_or("the instance");
        if let Some(stopping) = outcome.phases.stopping {
            facts.push(Fact::at(
                stopping.ended_at,
                format!("{name} {}", after(outcome.instance_after, run.ending)),
                OUTCOME,
            ));
        }
        // A report said why already.
        let is_told = told.attempts.iter().any(|it| it.number == outcome.attempt && it.report.is_some());
        let failure = outcome.failure.as_ref().filter(|_| !is_told);
        let why = failure.map(|failure| format!(", {}: {}", failure.code, failure.message)).unwrap_or_default();
        facts.push(Fact::at(
            outcome.concluded_at,
            format!("the outcome was recorded: {}{why}", run.ending.word()),
            OUTCOME,
        ));
    }
    if let Some(stopped) = run.execution.stopped {
        let error = run
            .error
            .as_deref()
            .filter(|_| run.outcome.is_none())
            .map(|error| format!(" with {error}"))
            .unwrap_or_default();
        facts.push(Fact::at(
            stopped,
            format!("the execution ended{error}: {}", run.execution.status.as_str()),
            Source::Execution,
        ));
    }
    facts
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use reveille_domain::{
        Code, Failure, RunId,
        layout::AttemptRef,
        records::{Claim, Claimant, Phase, Report, Reporter},
    };
    use serde_json::{Value, json};

    use super::{Attempt, Told, WaitedFor, all};
    use crate::{
        clients::{Ending, Entered, Run},
        commands::explain::chain::{Fact, sorted},
    };

    fn told(run: &Run, event: Value) -> Told<'_> {
        Told {
            run,
            event,
            entered: Vec::new(),
            request: None,
            attempts: Vec::new(),
            held_by: None,
            stage: None,
            waited_for: WaitedFor::default(),
        }
    }

    fn sentences(told: &Told<'_>) -> Vec<String> {
        sorted(all(told)).into_iter().map(|fact: Fact| fact.what).collect()
    }

    fn entered(state: &str, at: DateTime<Utc>) -> Entered {
        Entered { at, state: state.to_owned(), decision: None }
    }

    fn first_attempt() -> AttemptRef {
        AttemptRef { instance: "nightly".to_owned(), run: RunId::from_key("daily-1"), attempt: 1 }
    }

    /// An attempt of which the runner reported a failure.
    fn failed(at: DateTime<Utc>) -> Attempt {
        let failure = Failure::new(Code::NotebookFailed, "cell 3 raised ValueError");
        let report = Report::without_outputs(&first_attempt(), Reporter::Runner, Some(failure), None, at);
        Attempt { number: 1, claim: None, report: Some(report), progress: None }
    }

    #[test]
    fn the_chain_of_a_failed_run_goes_from_its_event_to_its_end() {
        let mut run = Run::of_test("daily.ipynb");
        let from = run.execution.started;
        let later = |seconds| from + TimeDelta::seconds(seconds);
        run.execution.stopped = Some(later(90));
        let event = json!({"source": "aws.s3", "time": (from - TimeDelta::seconds(8)).to_rfc3339(),
            "detail": {"bucket": {"name": "in"}, "object": {"key": "orders/a.csv"}}});
        let mut told = told(&run, event);
        told.entered = [("StartInstance", 2), ("WaitForInstance", 3), ("AwaitRun", 40)]
            .map(|(state, at)| entered(state, later(at)))
            .into();
        let claim = Some(Claim::of(&first_attempt(), Claimant::Runner, "n".to_owned(), later(60)));
        told.attempts = vec![Attempt { claim, ..failed(later(70)) }];
        let phase = Phase::between(later(-30), later(55));
        told.waited_for.runs = vec![("hourly-2".to_owned(), phase)];
        let said = sentences(&told);
        let expected = [
            "s3://in/orders/a.csv was put",
            "the execution started, 8s after its event",
            "it started nightly",
            "nightly was up, 38s later",
            "it waited for hourly-2",
            "took the run and started the notebook",
            "reported NotebookFailed: cell 3 raised ValueError",
            "the execution ended: FAILED",
        ];
        assert_eq!(said.len(), expected.len(), "{said:#?}");
        for (sentence, part) in said.iter().zip(expected) {
            assert!(sentence.contains(part), "{part:?} is not in: {sentence}");
        }
    }

    #[test]
    fn a_run_without_a_notebook_says_why() {
        let run = |ending| Run { ending, ..Run::of_test("daily.ipynb") };
        let duplicate = run(Ending::Duplicate);
        let mut of_duplicate = told(&duplicate, Value::Null);
        of_duplicate.held_by = Some("arn:other".to_owned());
        let said = sentences(&of_duplicate);
        assert!(said.iter().any(|it| it.contains("arn:other answers it")), "{said:#?}");
        assert!(said[0].contains("without an event"), "{said:#?}");
        let other = run(Ending::NotSelected);
        assert!(sentences(&told(&other, Value::Null)).iter().any(|it| it.contains("does not select this key")));
    }

    #[test]
    fn an_instance_that_was_on_was_not_started_by_the_run() {
        let run = Run::of_test("daily.ipynb");
        let now = Utc::now();
        for (states, part) in [
            (&["CheckInstance", "AwaitRun"][..], "nightly was already on"),
            (&["WaitForInstance", "AwaitRun"], "Somebody else had started it"),
            (&["StartInstance", "StartInstance"], "it started nightly, and again 1 times"),
            (&["raced", "WaitForInstance", "AwaitRun"], "Somebody else had started it"),
        ] {
            let mut told = told(&run, Value::Null);
            let raced = || Entered { decision: Some("raced".to_owned()), ..entered("StartInstance", now) };
            told.entered =
                states.iter().map(|state| if *state == "raced" { raced() } else { entered(state, now) }).collect();
            assert!(sentences(&told).iter().any(|it| it.contains(part)), "{part}: {:#?}", sentences(&told));
        }
    }

    /// Else the first attempt's start and its failure would be told of the second one, which goes on.
    #[test]
    fn each_fact_of_a_redriven_run_is_told_of_its_attempt() {
        let mut run = Run { ending: Ending::Running, ..Run::of_test("daily.ipynb") };
        let from = run.execution.started;
        let later = |seconds| from + TimeDelta::seconds(seconds);
        (run.execution.stopped, run.execution.redriven) = (None, Some(later(1_000)));
        let mut told = told(&run, Value::Null);
        told.entered = [
            ("AdmitRun", 1),
            ("StartInstance", 2),
            ("AwaitRun", 40),
            ("ConcludeRun", 90),
            ("ConcludeRun", 1_001),
            ("AdmitRun", 1_002),
            ("CheckInstance", 1_003),
            ("AwaitRun", 1_004),
        ]
        .map(|(state, at)| entered(state, later(at)))
        .into();
        told.attempts = vec![failed(later(70))];
        told.stage = Some("waiting for its turn on nightly".to_owned());
        let said = sentences(&told);
        let expected = [
            "somebody started the execution",
            "attempt 1: it started nightly",
            "attempt 1: nightly was up, 38s later",
            "attempt 1: the runner reported NotebookFailed",
            "somebody redrove the execution",
            "attempt 2: nightly was already on",
            "it goes on: waiting",
        ];
        assert_eq!(said.len(), expected.len(), "{said:#?}");
        for (sentence, part) in said.iter().zip(expected) {
            assert!(sentence.starts_with(part), "{part:?} does not begin: {sentence}");
        }
    }
}
