use std::collections::BTreeMap;

use super::*;
use crate::left::decide::with_outputs;
use crate::verdict::decide::classify;
use reveille_domain::error::RETRIED;
use reveille_domain::records::Reporter;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn execution() -> Execution {
    Execution { arn: "arn".into(), name: "x".into(), start_time: at(0), redrive_count: 0 }
}

fn report(failure: Option<Failure>) -> Report {
    Report {
        run: execution().run(),
        attempt: 1,
        by: Reporter::Runner,
        runner_version: Some("1.2.3".into()),
        failure,
        source_sha256: None,
        outputs: BTreeMap::new(),
        html_error: None,
        queued_at: Some(at(10)),
        started_at: Some(at(12)),
        ended_at: at(20),
    }
}

fn caught(error: &str, cause: &str) -> Caught {
    Caught { state: "S".into(), error: error.into(), cause: cause.into() }
}

fn outcome_of(report: Option<&Report>, error: Option<&Caught>, stop_error: Option<&Caught>, skipped: bool) -> Outcome {
    outcome(&OutcomeFacts {
        execution: &execution(),
        attempt: 1,
        run: None,
        instance: None,
        notebook: None,
        report,
        damaged: &[],
        error,
        stop_error,
        waiting: None,
        stopping: Some(&Stopping { since: at(20), patience: 1, ended_at: Some(at(30)), rest: Some(Rest::AtRest) }),
        skipped,
        now: at(31),
    })
}

#[test]
fn the_first_error_wins_and_cleaning_up_never_masks_it() {
    let failed = report(Some(Failure::new(Code::NotebookFailed, "cell 3")));
    let stop = caught("StopNotConfirmed", "{}");
    let code = |outcome: Outcome| outcome.code;
    assert_eq!(code(outcome_of(Some(&failed), None, Some(&stop), false)), Some(Code::NotebookFailed));
    let start = caught("StartNotConfirmed", r#"{"errorMessage":"slow"}"#);
    let both = outcome_of(None, Some(&start), Some(&stop), false);
    assert!(both.failure.unwrap().message.starts_with("slow"));
    assert_eq!(code(outcome_of(Some(&report(None)), None, Some(&stop), false)), Some(Code::StopNotConfirmed));
}

/// A run that may not even describe its instance: it sent nothing, and so nothing of its may cost money.
#[test]
fn an_execution_that_never_saw_its_instance_did_not_touch_it() {
    let name = InstanceName::parse("nightly").unwrap();
    let denied = caught("AccessDenied", r#"{"errorMessage":"denied."}"#);
    let at_end = |attempt, redrive_count, waiting: Option<&Waiting>, stop: &Caught| {
        let execution = Execution { redrive_count, ..execution() };
        outcome(&OutcomeFacts {
            execution: &execution,
            attempt,
            run: None,
            instance: Some(&name),
            notebook: None,
            report: None,
            damaged: &[],
            error: Some(&denied),
            stop_error: Some(stop),
            waiting,
            stopping: None,
            skipped: false,
            now: at(31),
        })
    };
    let never = at_end(1, 0, None, &denied);
    assert_eq!((never.code, never.instance_after), (Some(Code::AccessDenied), Rest::NotTouched));
    assert_eq!(never.failure.unwrap().message, "denied.");
    // What was looked at may have been started since, by this attempt or by one before.
    let looked = Waiting::at_look(None, 1, 0, at(0));
    let own = caught("StopNotConfirmed", r#"{"errorMessage":"its lease is lost."}"#);
    for outcome in [at_end(1, 0, Some(&looked), &denied), at_end(2, 0, None, &denied), at_end(1, 1, None, &denied)] {
        assert_eq!((outcome.code, outcome.instance_after), (Some(Code::AccessDenied), Rest::NotConfirmed));
        assert!(outcome.failure.unwrap().message.contains("could not be confirmed (AccessDenied): denied. "));
    }
    assert!(at_end(1, 0, Some(&looked), &own).failure.unwrap().message.contains("its lease is lost."));
}

/// docs/output.md: "the notebook succeeded, and its instance was not seen at rest."
#[test]
fn a_stop_that_was_not_confirmed_never_takes_the_place_of_a_verdict() {
    for error in
        ["StopNotConfirmed", "Internal", "AccessDenied", "Runtime.ExitError", "States.Timeout", "Lambda.Unknown"]
    {
        let stop = caught(error, r#"{"errorMessage":"why."}"#);
        let outcome = outcome_of(Some(&report(None)), None, Some(&stop), false);
        assert_eq!((outcome.status, outcome.code), (RunStatus::Succeeded, Some(Code::StopNotConfirmed)), "{error}");
        let failed = report(Some(Failure::new(Code::NotebookFailed, "Cell 3 raised.")));
        let outcome = outcome_of(Some(&failed), None, Some(&stop), false);
        let message = outcome.failure.unwrap().message;
        assert_eq!((outcome.status, outcome.code), (RunStatus::Failed, Some(Code::NotebookFailed)), "{error}");
        assert!(message.starts_with("Cell 3 raised.") && message.contains("why."), "{message}");
    }
    assert_eq!(outcome_of(None, None, Some(&caught("Internal", "")), true).status, RunStatus::Skipped);
}

#[test]
fn the_report_is_the_truth_and_the_token_only_a_wake_up() {
    let [outcome, _] = ["States.Timeout", "States.HeartbeatTimeout"].map(|name| {
        let outcome = outcome_of(Some(&report(None)), Some(&caught(name, "")), None, false);
        assert_eq!((outcome.status, outcome.code), (RunStatus::Succeeded, None));
        outcome
    });
    assert!((outcome.phases.running.unwrap().seconds - 8.0).abs() < 1e-9);
    assert!((outcome.phases.queued.unwrap().seconds - 2.0).abs() < 1e-9);
    assert!((outcome.phases.stopping.unwrap().seconds - 10.0).abs() < 1e-9);
}

/// docs/output.md: "why there is no `html` although there is an output notebook; the run's status does not depend
/// on it."
#[test]
fn why_there_is_no_page_is_told_bounded_and_old_records_are_still_read() {
    let told = Report { html_error: Some("OSError: no room. ".repeat(1_000)), ..report(None) };
    let outcome = outcome_of(Some(&told), None, None, false);
    assert!(outcome.html_error.as_ref().unwrap().starts_with("OSError: no room."));
    assert_eq!(outcome.html_error.as_ref().unwrap().chars().count(), 2_000);
    assert_eq!(outcome.status, RunStatus::Succeeded, "it decides nothing");

    let mut old = serde_json::to_value(&outcome).unwrap();
    assert!(old.as_object_mut().unwrap().remove("htmlError").is_some(), "{old}");
    assert_eq!(serde_json::from_value::<Outcome>(old).unwrap().html_error, None);
    let old = serde_json::to_value(report(None)).unwrap();
    assert!(old.get("htmlError").is_none(), "{old}");
    assert_eq!(serde_json::from_value::<Report>(old).unwrap(), report(None));
}

/// docs/output.md: "the sweeper adds `outputs` and `sourceSha256` to the outcome"
#[test]
fn outputs_that_come_later_are_added_and_nothing_else_changes() {
    let existing = outcome_of(
        Some(&Report { by: Reporter::Function, ..report(Some(Failure::new(Code::Cancelled, "x"))) }),
        None,
        None,
        false,
    );
    assert_eq!(with_outputs(&existing, &report(None)), None, "there are none");
    let uri = |name: &str| (name.to_owned(), format!("s3://b/{name}"));
    let later = Report {
        outputs: [uri("notebook"), uri("log"), ("x".repeat(9_999), String::new())].into(),
        html_error: Some("it took longer than 60 s".into()),
        source_sha256: Some("a".repeat(64)),
        ..report(None)
    };
    let outcome = with_outputs(&existing, &later).unwrap();
    assert_eq!(outcome.outputs, [uri("notebook"), uri("log")].into(), "bounded as in an outcome");
    assert_eq!(outcome.html_error, later.html_error);
    assert_eq!(with_outputs(&outcome, &later), None, "once");
    let rest = Outcome { outputs: BTreeMap::new(), html_error: None, source_sha256: None, ..outcome };
    assert_eq!(rest, existing);
}

#[test]
fn an_end_without_any_evidence_is_a_defect_and_no_success() {
    assert_eq!(outcome_of(None, None, None, false).code, Some(Code::Internal));
    assert_eq!(outcome_of(None, None, None, true).status, RunStatus::Skipped);
}

/// A notebook may write it into a report, and answer a token with it.
#[test]
fn no_run_ends_with_the_code_of_concludes_own_trouble() {
    let forged = report(Some(Failure::new(Code::OutcomeNotRecorded, "forged")));
    let token = caught("OutcomeNotRecorded", r#"{"errorMessage": "forged"}"#);
    for outcome in [outcome_of(Some(&forged), None, None, false), outcome_of(None, Some(&token), None, false)] {
        assert_eq!((outcome.status, outcome.code), (RunStatus::Failed, Some(Code::Internal)));
        assert_eq!(outcome.failure.map(|failure| failure.code), Some(Code::Internal));
    }
}

#[test]
fn errors_of_the_engine_are_classified() {
    let code = |error: &str| classify(&caught(error, "why")).code;
    assert_eq!(code("Lambda.TooManyRequestsException"), Code::Throttled);
    assert_eq!(code("Lambda.ServiceException"), Code::ServiceUnavailable);
    assert_eq!(code("Lambda.Unknown"), Code::Internal);
    assert_eq!(code("States.Timeout"), Code::Internal);
    assert_eq!(code("Busy"), Code::Busy);
    assert!(classify(&caught("Sandbox.Timedout", "")).message.contains("no cause was given"));
}

/// docs/input.md: "If the notebook succeeded and only the stop was not confirmed, a redrive does not run it again: it only
/// checks that the instance stopped."
#[test]
fn a_redrive_runs_again_what_did_not_succeed() {
    let ok = report(None);
    let failed = report(Some(Failure::new(Code::NotebookFailed, "x")));
    let outcome = outcome_of(Some(&ok), None, None, false);
    assert_eq!(standing(&outcome, Some(&failed), 0, true), Standing::Repeat);
    assert_eq!(standing(&outcome, Some(&failed), 1, false), Standing::RunAgain);
    assert_eq!(standing(&outcome, None, 1, false), Standing::RunAgain);
    assert_eq!(standing(&outcome, Some(&ok), 1, false), Standing::VerifyAgain);
    assert_eq!(standing(&outcome, Some(&ok), 1, true), Standing::Verified);
}

#[test]
fn an_engines_error_and_a_used_up_retry_are_told_in_whole_sentences() {
    let caught =
        |error: &str, cause: &str| Caught { state: "AdmitRun".into(), error: error.into(), cause: cause.into() };
    let timed_out = classify(&caught(
        "Sandbox.Timedout",
        r#"{"errorMessage": "RequestId: 1 Error: Task timed out after 30.00 seconds"}"#,
    ));
    assert_eq!(
        (timed_out.code, timed_out.message.as_str()),
        (
            Code::Internal,
            "AdmitRun failed with Sandbox.Timedout: RequestId: 1 Error: Task timed out after 30.00 seconds. Look at the function's log for this execution, then redrive it. If the notebook had started, a redrive may run it again."
        )
    );
    let throttled = classify(&caught("Throttled", &format!(r#"{{"errorMessage": "It was throttled. {RETRIED}"}}"#)));
    assert!(
        throttled.message.ends_with("All retries failed. Redrive the execution to try again."),
        "{}",
        throttled.message
    );
}

/// Whoever executes a notebook may write its report, and the outcome is shown to people.
#[test]
fn the_runners_version_is_told_where_it_is_one() {
    let of = |version: Option<&str>| {
        let report = Report { runner_version: version.map(str::to_owned), ..report(None) };
        outcome_of(Some(&report), None, None, false).runner_version
    };
    assert_eq!(of(Some("0.2.0-rc.1+abc")).as_deref(), Some("0.2.0-rc.1+abc"));
    let long = "1".repeat(33);
    for none in [None, Some("<script>"), Some("1.0\n"), Some(long.as_str())] {
        assert_eq!(of(none), None, "{none:?}");
    }
    let mut old = serde_json::to_value(report(None)).unwrap();
    old.as_object_mut().unwrap().remove("runnerVersion").unwrap();
    assert_eq!(serde_json::from_value::<Report>(old).unwrap().runner_version, None);
}

/// docs/output.md: `starting` ends when the instance was ready first; from then on the run is in the queue.
#[test]
fn what_is_waited_for_a_runner_is_the_queue_and_not_the_start() {
    let mut waiting = Waiting::at_look(None, 1, 0, at(0));
    waiting.note_ready(at(60));
    // The ticket fell silent twice, and the instance was up all the time.
    for (silences, now) in [(1, 360), (2, 660)] {
        waiting = Waiting::at_look(Some(waiting), 1, silences, at(now));
        waiting.note_ready(at(now));
    }
    let phases = |report: Option<&Report>, error: Option<&Caught>| {
        let stopping = Stopping { since: at(700), patience: 1, ended_at: Some(at(730)), rest: Some(Rest::AtRest) };
        let outcome = outcome(&OutcomeFacts {
            execution: &execution(),
            attempt: 1,
            run: None,
            instance: None,
            notebook: None,
            report,
            damaged: &[],
            error,
            stop_error: None,
            waiting: Some(&waiting),
            stopping: Some(&stopping),
            skipped: false,
            now: at(731),
        });
        let ends = |phase: Option<Phase>| phase.map(|phase| (phase.started_at, phase.ended_at));
        [outcome.phases.starting, outcome.phases.queued, outcome.phases.running].map(ends)
    };
    let starting = Some((at(0), at(60)));
    let silent = caught("RunnerSilent", r#"{"errorMessage":"nobody"}"#);
    assert_eq!(phases(None, Some(&silent)), [starting, Some((at(60), at(700))), None]);
    let lost = Report {
        by: Reporter::Function,
        queued_at: None,
        started_at: Some(at(400)),
        ended_at: at(690),
        ..report(None)
    };
    assert_eq!(phases(Some(&lost), None), [starting, Some((at(60), at(400))), Some((at(400), at(690)))]);
    let timed_out = Report { queued_at: Some(at(61)), started_at: None, ended_at: at(650), ..report(None) };
    assert_eq!(phases(Some(&timed_out), None), [starting, Some((at(61), at(650))), None]);
    // It never got a ticket.
    let busy = caught("Busy", r#"{"errorMessage":"full"}"#);
    assert_eq!(phases(None, Some(&busy)), [starting, None, None]);
}

/// The record is named once, and so is the reason of the stop.
#[test]
fn no_part_of_a_message_is_told_twice() {
    let damaged = Unreadable {
        kind: RecordKind::Outcome,
        key: "runs/nightly/x/1/outcome.json".into(),
        etag: "e".into(),
        damage: reveille_domain::unreadable::Damage::Replaced,
    };
    let named = with_damage(Failure::new(Code::NotebookFailed, "Cell 3 raised."), Some(&damaged));
    assert_eq!(named.message.matches(&damaged.key).count(), 1, "{named}");
    assert_eq!(with_damage(named.clone(), Some(&damaged)), named);

    let recorded = outcome_of(Some(&report(None)), None, None, false);
    assert_eq!(recorded.code, None);
    let unrecorded = unrecorded(recorded, &damaged);
    assert_eq!((unrecorded.code, unrecorded.failure.unwrap().code), (Some(Code::Internal), Code::Internal));

    let stop = |error| {
        let stop = caught(error, r#"{"errorMessage":"why."}"#);
        outcome_of(Some(&report(None)), None, Some(&stop), false).failure.unwrap().message
    };
    assert_eq!(stop("StopNotConfirmed"), "The notebook succeeded. why.");
    assert!(stop("AccessDenied").contains("could not be confirmed (AccessDenied): why."), "{}", stop("AccessDenied"));
}
