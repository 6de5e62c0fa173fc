//! ConcludeRun when it is tried again, and when its execution is redriven.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod support;

use reveille_domain::ports::{CallError, CallErrorKind, StartAnswer};
use reveille_domain::{Code, RETRIED};
use reveille_protocol::conclude_run::{ConcludeRunOutput, conclude_run, unconfirmed_in};
use serde_json::{Value, json};
use support::{StepFault, StepWorld, block_on, now, stack};

/// ConcludeRun's arguments after a failure of the attempt, in the words of a state.
fn call(attempt: u32, redrive_count: u32, admitted: bool, code: &str, on_runner_lost: &str) -> Value {
    let run = json!({"id": "x-1", "attempt": attempt, "instance": "nightly", "admittedAt": now(),
        "limits": {"startSeconds": 60, "queueSeconds": 60, "runSeconds": 60, "stopSeconds": 60},
        "whenBusy": "queue", "onRunnerLost": on_runner_lost});
    json!({
        "execution": {"arn": "arn:x", "name": "x", "startTime": now(), "redriveCount": redrive_count},
        "input": {"instance": "nightly", "notebook": "a.ipynb"},
        "attempt": attempt,
        "run": if admitted { run } else { Value::Null },
        "stopping": {"since": now(), "patience": 1, "endedAt": now(), "rest": "atRest"},
        "error": {"state": "S", "error": code, "cause": ""},
    })
}

fn conclude(world: &StepWorld, call: Value) -> Result<ConcludeRunOutput, Code> {
    let call = serde_json::from_value(call).unwrap();
    block_on(conclude_run(&stack(), world, call)).map_err(|failure| failure.code)
}

fn world() -> StepWorld {
    StepWorld::answering(Ok(StartAnswer::Accepted))
}

#[test]
fn a_failed_run_fails_with_its_own_code_and_one_outcome() {
    let world = world();
    assert_eq!(conclude(&world, call(1, 0, true, "QuotaExceeded", "fail")), Err(Code::QuotaExceeded));
    assert_eq!(world.records().len(), 1);
    assert_eq!(world.events.get(), 1);
    // Tried again after its answer was lost: the same answer, the outcome untouched.
    let before = world.objects.borrow().clone();
    assert_eq!(conclude(&world, call(1, 0, true, "QuotaExceeded", "fail")), Err(Code::QuotaExceeded));
    assert_eq!(*world.objects.borrow(), before);
}

/// An event that cannot be published is tried again, and the message says so once.
#[test]
fn an_event_that_is_throttled_is_published_later() {
    let throttled = CallError {
        kind: CallErrorKind::Throttled,
        action: "events:PutEvents",
        resource: "default".to_owned(),
        message: "ThrottlingException: Rate exceeded.".to_owned(),
    };
    let mut world = StepWorld { publishing: Err(throttled), ..world() };
    let arguments = serde_json::from_value(call(1, 0, true, "QuotaExceeded", "fail")).unwrap();
    let failure = block_on(conclude_run(&stack(), &world, arguments)).unwrap_err();
    assert_eq!(failure.code, Code::OutcomeNotRecorded);
    assert_eq!(failure.message.matches(RETRIED).count(), 1, "{}", failure.message);
    assert!(failure.message.contains("events:PutEvents on default was throttled"), "{}", failure.message);
    world.publishing = Ok(());
    assert_eq!(conclude(&world, call(1, 0, true, "QuotaExceeded", "fail")), Err(Code::QuotaExceeded));
    assert_eq!(world.events.get(), 2);
}

/// A redrive of a run that was refused is refused again, as the next attempt: it comes to an end.
#[test]
fn a_redrive_of_a_refused_run_comes_to_an_end() {
    let world = world();
    assert_eq!(conclude(&world, call(1, 0, false, "InvalidRequest", "fail")), Err(Code::InvalidRequest));
    let redriven = conclude(&world, call(1, 1, false, "InvalidRequest", "fail"));
    assert_eq!(redriven, Ok(ConcludeRunOutput::RunAgain { attempt: 2 }));
    // AdmitRun refuses the second attempt as well.
    assert_eq!(conclude(&world, call(2, 1, false, "InvalidRequest", "fail")), Err(Code::InvalidRequest));
}

/// A lost runner's run is repeated as asked, also when ConcludeRun has to say so twice, and not for ever.
#[test]
fn a_lost_runner_is_repeated_as_asked_and_boundedly() {
    let first = world();
    for attempt in 1..=2 {
        for _ in 0..2 {
            let answer = conclude(&first, call(attempt, 0, true, "RunnerLost", "rerun"));
            assert_eq!(answer, Ok(ConcludeRunOutput::RunAgain { attempt: attempt + 1 }), "attempt {attempt}");
        }
    }
    assert_eq!(conclude(&first, call(3, 0, true, "RunnerLost", "rerun")), Err(Code::RunnerLost));
    assert_eq!(conclude(&world(), call(1, 0, true, "RunnerLost", "fail")), Err(Code::RunnerLost));
}

/// A report may hold more than any runner writes. Its outcome is recorded, published and answered all the same.
#[test]
fn the_largest_report_has_an_outcome_that_fits_everywhere() {
    for letter in ["\u{1}", "é", "x"] {
        for succeeded in [false, true] {
            let world = world();
            let execution: reveille_domain::records::Execution =
                serde_json::from_value(call(1, 0, true, "", "fail")["execution"].clone()).unwrap();
            let run = execution.run();
            let lines = vec![letter.repeat(1_000); 20];
            let failure = json!({"code": "NotebookFailed", "message": letter.repeat(20_000), "evidence": {
                "cell": {"number": 1, "errorName": letter.repeat(9_000), "errorValue": letter.repeat(9_000),
                    "tracebackTail": lines},
                "logTail": lines}});
            let outputs: serde_json::Map<String, Value> = (0..60)
                .map(|number| {
                    (number.to_string(), json!(format!("s3://b/runs/nightly/{run}/1/{}", letter.repeat(700))))
                })
                .collect();
            let mut report = json!({"run": run, "attempt": 1, "by": "runner", "outputs": outputs, "endedAt": now(),
                "sourceSha256": letter.repeat(9_000)});
            if !succeeded {
                report["failure"] = failure;
            }
            world.put(&format!("runs/nightly/{run}/1/report.json"), &report);
            let answer = conclude(&world, call(1, 0, true, "AwaitRun", "fail"));
            let fits = 256 * 1024 - 1_024;
            let event = world.published.borrow()[0].to_string();
            assert!(event.len() < fits, "{letter:?}: an event of {} bytes", event.len());
            match answer {
                Ok(answer) => assert!(serde_json::to_string(&answer).unwrap().len() < fits),
                Err(code) => assert_eq!((code, succeeded), (Code::NotebookFailed, false)),
            }
        }
    }
}

/// What a notebook put where the outcome belongs is published by nobody: whose the outcome is, the call says.
#[test]
fn a_forged_outcome_is_neither_believed_nor_published() {
    let honest = world();
    assert_eq!(conclude(&honest, call(1, 0, true, "QuotaExceeded", "fail")), Err(Code::QuotaExceeded));
    let (key, outcome) = honest.records().into_iter().next().unwrap();
    for (field, value) in [
        ("instance", json!("payroll")),
        ("instance", json!(null)),
        ("executionArn", json!("arn:other")),
        ("run", json!("payroll-0123456789")),
        ("run", json!("nightly/x")),
        ("attempt", json!(7)),
        ("attempt", json!(0)),
        ("outputs", json!({"html": "s3://evil@b/runs/nightly/x/1/output.html"})),
        ("outputs", json!({"html": "s3://evil/runs/nightly/x/1/output.html"})),
    ] {
        let mut forged: Value = serde_json::from_slice(&outcome).unwrap();
        forged["status"] = json!("SUCCEEDED");
        forged["code"] = json!(null);
        forged["failure"] = json!(null);
        forged[field] = value;
        let world = world();
        world.put(&key, &forged);
        let arguments = serde_json::from_value(call(1, 0, true, "QuotaExceeded", "fail")).unwrap();
        let failure = block_on(conclude_run(&stack(), &world, arguments)).unwrap_err();
        assert_eq!(failure.code, Code::QuotaExceeded, "{field}: {failure}");
        assert!(failure.message.contains(&key), "{field}: {failure}");
        let published = world.published.borrow();
        assert_eq!(published.len(), 1, "{field}");
        let own: Value = serde_json::from_slice(&outcome).unwrap();
        for name in ["instance", "executionArn", "run", "attempt", "status"] {
            assert_eq!(published[0][name], own[name], "{field}: {name}");
        }
        assert_eq!(published[0]["outputs"], json!({}), "{field}");
        let entered = world.objects.borrow().keys().any(|key| key.starts_with("history"));
        assert!(!entered, "{field}: what is not recorded is not in the history");
    }
}

/// Outputs of a report lie in the attempt's folder of this stack's own bucket.
#[test]
fn a_report_whose_outputs_lie_elsewhere_is_not_believed() {
    let honest = world();
    assert_eq!(conclude(&honest, call(1, 0, true, "QuotaExceeded", "fail")), Err(Code::QuotaExceeded));
    let outcome = honest.records().into_keys().next().unwrap();
    let folder = outcome.strip_suffix("outcome.json").unwrap();
    let run = folder.split('/').nth(2).unwrap();
    let layout = stack().layout;
    for (uri, believed) in [
        (layout.uri(&format!("{folder}output.html")), true),
        (format!("s3://evil/{folder}output.html"), false),
        (format!("s3://{}/evil/{folder}output.html", layout.bucket), false),
        (format!("S3://{}/{folder}output.html", layout.bucket), false),
        (format!("s3://{}@evil/{folder}output.html", layout.bucket), false),
        (layout.uri(&format!("{folder}../2/output.html")), false),
        (layout.uri(folder), false),
    ] {
        let world = world();
        let report = json!({"run": run, "attempt": 1, "by": "runner", "outputs": {"html": uri}, "endedAt": now()});
        world.put(&format!("{folder}report.json"), &report);
        let mut call = call(1, 0, true, "", "fail");
        call["error"] = Value::Null;
        let ended = conclude(&world, call);
        assert_eq!(matches!(ended, Ok(ConcludeRunOutput::Concluded { .. })), believed, "{uri}: {ended:?}");
        assert_eq!(world.published.borrow()[0]["outputs"] == json!({"html": uri}), believed, "{uri}");
    }
}

/// Whatever the runner reports after the outcome: one verdict.
#[test]
fn an_outcome_without_a_report_leaves_no_room_for_another_verdict() {
    for by in ["runner", "release"] {
        let world = world();
        let at = json!({"instance": "nightly", "run": run_id(), "attempt": 1});
        let folder = format!("runs/nightly/{}/1/", run_id());
        world.put(
            &(folder.clone() + "claim.json"),
            &json!({"by": by, "nonce": "c", "bootId": "b", "at": now(), "attempt": at}),
        );
        assert_eq!(conclude(&world, call(1, 0, true, "AccessDenied", "fail")), Err(Code::AccessDenied));
        let report = world
            .objects
            .borrow()
            .get(&(folder.clone() + "report.json"))
            .map(|body| serde_json::from_slice::<Value>(body).unwrap());
        let given = report.map(|report| report["failure"]["code"].clone());
        assert_eq!(given, (by == "runner").then(|| json!("AccessDenied")), "{by}");
        let outcome: Value = serde_json::from_slice(&world.objects.borrow()[&(folder + "outcome.json")]).unwrap();
        assert_eq!(outcome["code"], "AccessDenied", "{by}");
    }
}

/// The id that the execution of these calls gives its run.
fn run_id() -> String {
    let execution: reveille_domain::records::Execution =
        serde_json::from_value(json!({"arn": "arn:x", "name": "x", "startTime": now()})).unwrap();
    execution.run().to_string()
}

/// The runner's own verdict ends its boot's part: nothing of the run can still execute, wherever the instance is.
#[test]
fn a_run_that_its_own_runner_gave_up_is_repeated_before_the_instance_has_stopped() {
    for (by, rest, is_repeated) in [
        ("runner", "handedOver", true),
        ("function", "handedOver", false),
        ("function", "atRest", true),
        ("runner", "atRest", true),
    ] {
        let world = world();
        let failure = json!({"code": "RunnerLost", "message": "It was lost."});
        let report =
            json!({"run": run_id(), "attempt": 1, "by": by, "outputs": {}, "endedAt": now(), "failure": failure});
        world.put(&format!("runs/nightly/{}/1/report.json", run_id()), &report);
        let mut call = call(1, 0, true, "RunnerLost", "rerun");
        call["stopping"]["rest"] = json!(rest);
        let expected = if is_repeated { Ok(ConcludeRunOutput::RunAgain { attempt: 2 }) } else { Err(Code::RunnerLost) };
        assert_eq!(conclude(&world, call), expected, "{by} {rest}");
    }
}

/// A report that is there, readable or not, is the verdict: nobody asks who claimed the attempt, and nothing is put in its place.
#[test]
fn a_verdict_that_is_there_is_not_given_again() {
    let report = json!({"run": run_id(), "attempt": 1, "by": "runner", "outputs": {}, "endedAt": now()});
    for body in [serde_json::to_vec(&report).unwrap(), b"garbage".to_vec()] {
        let world = world();
        let folder = format!("runs/nightly/{}/1/", run_id());
        world.objects.borrow_mut().insert(folder.clone() + "report.json", body.clone());
        let at = json!({"instance": "nightly", "run": run_id(), "attempt": 1});
        world.put(&(folder + "claim.json"), &json!({"by": "runner", "nonce": "c", "at": now(), "attempt": at}));
        for (action, key_end) in [("s3:GetObject", "claim.json"), ("s3:PutObject", "report.json")] {
            let kind = CallErrorKind::AccessDenied;
            world.faults.borrow_mut().push(StepFault { action, key_end, kind, times: 9 });
        }
        let ended = conclude(&world, call(1, 0, true, "AccessDenied", "fail"));
        assert_ne!(ended, Err(Code::OutcomeNotRecorded), "{}", String::from_utf8_lossy(&body));
        assert!(world.faults.borrow().iter().all(|fault| fault.times == 9), "{}", String::from_utf8_lossy(&body));
    }
}

/// The message of an outcome that could not be recorded names the instance that may still cost money.
#[test]
fn an_instance_that_nobody_saw_stopped_is_named() {
    let mut skipped = call(1, 0, true, "S", "fail");
    skipped["skipped"] = json!(true);
    skipped["stopping"] = Value::Null;
    let mut unseen = call(1, 0, true, "S", "fail");
    unseen["stopping"]["rest"] = Value::Null;
    let without = |attempt: u32, redrive_count: u32| {
        let mut call = call(attempt, redrive_count, true, "S", "fail");
        call["stopping"] = Value::Null;
        call
    };
    // CheckInstance has seen the instance, and VerifyStopped never did.
    let mut never_stopped = without(1, 0);
    never_stopped["waiting"] =
        json!({"firstAt": now(), "since": now(), "silences": 0, "starts": 1, "patience": 1, "polls": 1});
    for (call, is_named) in [
        (call(1, 0, true, "S", "fail"), false),
        (unseen, true),
        (never_stopped, true),
        // Nobody saw the instance, so nobody started it: not in this attempt, but perhaps in an earlier one.
        (without(1, 0), false),
        (without(2, 0), true),
        (without(1, 1), true),
        (skipped, false),
        (call(1, 0, false, "S", "fail"), false),
        (json!({"no": "call"}), false),
    ] {
        let named = unconfirmed_in(&call).map(|instance| instance.to_string());
        assert_eq!(named.as_deref(), is_named.then_some("nightly"), "{call}");
    }
}

/// A notebook that succeeded and an instance that was not seen to stop: a redrive verifies the stop, and once only. What stands in
/// the history is the first end.
#[test]
fn a_redrive_of_a_run_that_succeeded_verifies_its_stop_once() {
    let world = world();
    let report = json!({"run": run_id(), "attempt": 1, "by": "runner", "outputs": {}, "endedAt": now()});
    world.put(&format!("runs/nightly/{}/1/report.json", run_id()), &report);
    let ended = |redrive_count: u32, stop_error: bool, verified: Option<u32>| {
        let mut call = call(1, redrive_count, true, "", "fail");
        call["error"] = Value::Null;
        call["verifiedRedrive"] = json!(verified);
        if stop_error {
            call["stopError"] = json!({"state": "VerifyStopped", "error": "StopNotConfirmed", "cause": ""});
        }
        conclude(&world, call)
    };
    let history = || {
        let objects = world.objects.borrow();
        objects.keys().filter(|key| key.starts_with("history/")).cloned().collect::<Vec<_>>()
    };
    assert_eq!(ended(0, true, None), Err(Code::StopNotConfirmed));
    let first = history();
    assert!(!first.is_empty());
    world.passed.set(60);
    for verified in [None, Some(0), Some(2)] {
        assert_eq!(
            ended(1, false, verified),
            Ok(ConcludeRunOutput::VerifyAgain { verified_redrive: 1 }),
            "{verified:?}"
        );
    }
    assert!(matches!(ended(1, false, Some(1)), Ok(ConcludeRunOutput::Concluded { .. })));
    assert_eq!(history(), first);
}
