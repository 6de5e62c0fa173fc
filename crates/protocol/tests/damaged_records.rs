//! Every record of a run, damaged in every way: the execution ends with one outcome and one event that name the record, the
//! instance is stopped, and nothing is tried for ever.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod support;

use reveille_domain::ids::sha256_hex;
use reveille_domain::input::NotebookSource;
use reveille_domain::layout::AttemptRef;
use reveille_domain::limits::MAX_RECORD_BYTES;
use reveille_domain::memory::Stopping;
use reveille_domain::ports::{ExecutionSeen, ExecutionStatus, InstanceStatus};
use reveille_domain::records::{Claimant, Outcome, Progress, Report, Reporter, Rest, RunStatus};
use reveille_domain::{Code, Failure, InstanceName, RunId};
use reveille_protocol::await_run::{self, await_run};
use reveille_protocol::check_instance::check_instance;
use reveille_protocol::conclude_run::{ConcludeRunOutput, conclude_run};
use reveille_protocol::sweep::sweep;
use reveille_protocol::verdict::decide::Caught;
use reveille_protocol::verify_stopped::{self, verify_stopped};
use serde_json::{Value, json};
use support::runner::{attempt, execution, request, serve, waiting_run};
use support::{StepWorld, block_on, claim, now, stack};

/// A damage: its name, and what is there instead of a record.
type Damage = (&'static str, fn(&[u8]) -> Vec<u8>);

const DAMAGES: [Damage; 8] = [
    ("garbage", |_| b"\xff\x00 no JSON".to_vec()),
    ("empty", |_| Vec::new()),
    ("truncated", |record| record[..record.len() / 2].to_vec()),
    ("too large", |_| vec![b' '; MAX_RECORD_BYTES + 1]),
    ("a list", |_| b"[]".to_vec()),
    ("an empty object", |_| b"{}".to_vec()),
    ("a string", |_| br#""a string""#.to_vec()),
    ("of another run", |record| {
        let text = String::from_utf8(record.to_vec()).unwrap();
        text.replace(attempt().run.as_str(), "other-0000000000").into_bytes()
    }),
];

/// The run's records, as they would be there if nothing were wrong.
fn records() -> [(String, Vec<u8>); 5] {
    let (at, layout) = (attempt(), stack().layout);
    let bytes = |record: Value| serde_json::to_vec(&record).unwrap();
    [
        (layout.report(&at), bytes(json!(report(&at)))),
        (layout.claim(&at), bytes(json!(claim(Claimant::Runner, &at, Some("earlier"))))),
        (layout.request(&at.instance, &at.run), bytes(json!(request(&at.run)))),
        (layout.progress(&at), bytes(json!(Progress { cell: 1, cells: 2, at: now(), since: None, done: None }))),
        (layout.outcome(&at), bytes(outcome(&at))),
    ]
}

fn report(at: &AttemptRef) -> Report {
    let uri = stack().layout.uri(&(stack().layout.attempt(at) + "output.ipynb"));
    Report {
        run: at.run.clone(),
        attempt: at.attempt,
        by: Reporter::Runner,
        runner_version: None,
        failure: None,
        source_sha256: None,
        outputs: [("notebook".to_owned(), uri)].into(),
        html_error: None,
        queued_at: None,
        started_at: Some(now()),
        ended_at: now(),
    }
}

fn outcome(at: &AttemptRef) -> Value {
    json!({"run": at.run, "attempt": 1, "status": "SUCCEEDED", "instance": "nightly", "outputs": {}, "phases": {},
        "instanceAfter": "atRest", "executionArn": "arn", "redriveCount": 0, "concludedAt": now()})
}

fn run() -> Value {
    json!({"id": attempt().run, "attempt": 1, "instance": "nightly", "admittedAt": now(),
        "limits": {"startSeconds": 60, "queueSeconds": 60, "runSeconds": 60, "stopSeconds": 7_200},
        "whenBusy": "queue", "onRunnerLost": "fail"})
}

fn caught(state: &str, failure: &Failure) -> Caught {
    let cause = json!({"errorType": failure.code, "errorMessage": failure.message}).to_string();
    Caught { state: state.into(), error: failure.code.to_string(), cause }
}

/// VerifyStopped, as the state machine calls it.
fn stop(world: &StepWorld) -> (Option<Stopping>, Option<Caught>) {
    let mut stopping: Option<Stopping> = None;
    for _ in 0..500 {
        let call = json!({"run": run(), "stopping": stopping});
        match block_on(verify_stopped(&stack(), world, serde_json::from_value(call).unwrap())) {
            Err(failure) => return (stopping, Some(caught("VerifyStopped", &failure))),
            Ok(answer) if answer.decision == verify_stopped::StopDecision::Done => {
                return (Some(answer.stopping), None);
            }
            Ok(answer) => stopping = Some(answer.stopping),
        }
        world.passed.set(world.passed.get() + 30);
    }
    unreachable!("VerifyStopped never ended")
}

/// The rest of the execution, from the error that a step ended with.
fn end(world: &StepWorld, error: Option<&Failure>) -> Result<ConcludeRunOutput, Failure> {
    let (stopping, stop_error) = stop(world);
    let call = json!({"execution": execution(), "input": {"instance": "nightly", "notebook": "a.ipynb"}, "attempt": 1,
        "run": run(), "stopping": stopping, "stopError": stop_error,
        "error": error.map(|failure| caught("AwaitRun", failure))});
    block_on(conclude_run(&stack(), world, serde_json::from_value(call).unwrap()))
}

fn recorded(world: &StepWorld) -> Option<Outcome> {
    serde_json::from_slice(world.objects.borrow().get(&stack().layout.outcome(&attempt()))?).ok()
}

/// What must hold of every execution: one event, and an instance that was seen stopped.
fn check_end(world: &StepWorld, what: &str) {
    assert_eq!(world.events.get(), 1, "{what}");
    assert_eq!(world.status.get().0, InstanceStatus::Stopped, "{what}");
    assert_eq!(world.published.borrow()[0]["instanceAfter"], json!(Rest::AtRest), "{what}");
    assert!(world.log.borrow().len() < 60, "{what}: {}", world.log.borrow().join("\n"));
}

fn damaged(key: &str, record: &[u8], damage: Damage) -> (StepWorld, String) {
    let world = waiting_run();
    world.objects.borrow_mut().insert(key.to_owned(), damage.1(record));
    (world, format!("{key}: {}", damage.0))
}

/// docs/output.md: "If `outcome.json` cannot be read because something else is in its place, the event is the only record
/// of the outcome."
#[test]
fn with_a_runner_the_run_ends_at_once_and_names_the_record() {
    for (key, record) in records() {
        for damage in DAMAGES {
            let (world, what) = damaged(&key, &record, damage);
            serve(&world);
            let told = world.answers.borrow().clone();
            assert_eq!(told.len(), 1, "{what}: {}", world.log.borrow().join("\n"));
            let ended = end(&world, told[0].as_ref());
            check_end(&world, &what);
            assert!(!world.objects.borrow().keys().any(|key| key.starts_with("inbox/")), "{what}");
            match key.rsplit('/').next().unwrap() {
                "report.json" | "claim.json" | "request.json" => {
                    assert_eq!(world.executed.get(), 0, "{what}");
                    let failure = ended.unwrap_err();
                    assert_eq!(failure.code, Code::Internal, "{what}");
                    assert!(failure.message.contains(&key), "{what}: {failure}");
                    assert_eq!(recorded(&world).unwrap().failure, Some(failure), "{what}");
                }
                "progress.json" => {
                    assert_eq!(world.executed.get(), 1, "{what}");
                    assert!(matches!(ended, Ok(ConcludeRunOutput::Concluded { .. })), "{what}: {ended:?}");
                }
                "outcome.json" => {
                    assert_eq!(world.executed.get(), 1, "{what}");
                    let failure = ended.unwrap_err();
                    assert_eq!(failure.code, Code::Internal, "{what}");
                    assert!(failure.message.contains(&key) && failure.message.contains("succeeded"), "{failure}");
                    assert_eq!(world.published.borrow()[0]["status"], json!(RunStatus::Succeeded), "{what}");
                }
                other => unreachable!("{other}"),
            }
        }
    }
}

#[test]
fn without_a_runner_the_execution_ends_by_itself() {
    for (key, record) in records() {
        for damage in DAMAGES {
            let (world, what) = damaged(&key, &record, damage);
            let mut waiting = Value::Null;
            let mut failure = None;
            for silences in 0..=5 {
                world.passed.set(world.passed.get() + 300);
                let call = json!({"run": run(), "waiting": waiting, "silences": silences});
                match block_on(check_instance(&stack(), &world, serde_json::from_value(call).unwrap())) {
                    Ok(answer) => waiting = json!(answer.waiting),
                    Err(error) => {
                        failure = Some(error);
                        break;
                    }
                }
            }
            let ended = end(&world, Some(&failure.expect(&what))).unwrap_err();
            check_end(&world, &what);
            let named = ["report.json", "claim.json", "outcome.json"].iter().any(|file| key.ends_with(file));
            assert_eq!(ended.message.contains(&key), named, "{what}: {ended}");
        }
    }
}

#[test]
fn the_sweeper_concludes_an_aborted_run_once() {
    for (key, record) in records() {
        for damage in DAMAGES {
            for first in [Some("arn"), None] {
                let (world, what) = damaged(&key, &record, damage);
                *world.executions.borrow_mut() = vec![(
                    ExecutionSeen {
                        status: ExecutionStatus::Aborted,
                        execution: execution(),
                        input: (&json!({"instance": "nightly", "notebook": "a.ipynb"})).into(),
                        error: None,
                        cause: None,
                    },
                    now(),
                )];
                for round in 0..20 {
                    let arn = first.filter(|_| round == 0);
                    let call = serde_json::from_value(json!({"executionArn": arn})).unwrap();
                    block_on(sweep(&stack(), &world, call)).expect(&what);
                    world.passed.set(world.passed.get() + 300);
                }
                assert_eq!(world.events.get(), 1, "{what}, {first:?}");
                assert_eq!(world.status.get().0, InstanceStatus::Stopped, "{what}");
                let named = world.published.borrow()[0]["message"].as_str().unwrap_or_default().contains(&key);
                let expected = ["report.json", "outcome.json"].iter().any(|file| key.ends_with(file));
                assert_eq!(named, expected, "{what}: {:?}", world.published.borrow());
            }
        }
    }
}

/// The ticket says which request is to be executed. Another one, also of that very run, is refused by name.
#[test]
fn a_request_that_was_replaced_is_not_executed() {
    let layout = stack().layout;
    let (ticket_key, key) = (
        layout.ticket(&InstanceName::parse("nightly").unwrap(), &attempt().run),
        layout.request(&attempt().instance, &attempt().run),
    );
    let with_hash = |sha256: &str| {
        let world = waiting_run();
        let mut ticket: Value = serde_json::from_slice(&world.objects.borrow()[&ticket_key]).unwrap();
        ticket["requestSha256"] = json!(sha256);
        world.put(&ticket_key, &ticket);
        world
    };
    let honest = waiting_run().objects.borrow()[&key].clone();
    let world = with_hash(&sha256_hex(&honest));
    serve(&world);
    assert_eq!((world.executed.get(), world.answers.borrow().clone()), (1, vec![None]), "the one that was recorded");
    for (field, value) in [
        ("notebook", json!("evil.ipynb")),
        ("parameters", json!({"x": 1})),
        ("kernel", json!("bash")),
        ("admittedAt", json!("2099-01-01T00:00:00Z")),
        ("unknown", json!("a field that nobody reads")),
    ] {
        let world = with_hash(&sha256_hex(&honest));
        let mut forged: Value = serde_json::from_slice(&honest).unwrap();
        forged[field] = value;
        world.put(&key, &forged);
        serve(&world);
        assert_eq!(world.executed.get(), 0, "{field}");
        let told = world.answers.borrow().clone();
        let [Some(failure)] = told.as_slice() else { unreachable!("{field}: {told:?}") };
        assert!(failure.message.contains(&key) && failure.message.contains("SHA-256"), "{failure}");
        let ended = end(&world, Some(failure)).unwrap_err();
        check_end(&world, field);
        assert_eq!(ended.code, Code::Internal, "{field}");
        assert_eq!(recorded(&world).unwrap().notebook, Some(NotebookSource::parse("a.ipynb").unwrap()), "{field}");
    }
}

/// A cell puts the outcome of its own execution, as that of another instance. The sweeper publishes the truth.
#[test]
fn the_sweeper_publishes_no_forged_outcome() {
    for (field, value) in [("instance", json!("payroll")), ("executionArn", json!("arn:other"))] {
        let world = waiting_run();
        let mut forged = outcome(&attempt());
        forged[field] = value;
        world.put(&stack().layout.outcome(&attempt()), &forged);
        let seen = ExecutionSeen {
            status: ExecutionStatus::Failed,
            execution: execution(),
            input: (&json!({"instance": "nightly", "notebook": "a.ipynb"})).into(),
            error: Some(Code::OutcomeNotRecorded.to_string()),
            cause: None,
        };
        *world.executions.borrow_mut() = vec![(seen, now())];
        let call = serde_json::from_value(json!({"executionArn": "arn"})).unwrap();
        block_on(sweep(&stack(), &world, call)).unwrap();
        let published = world.published.borrow();
        assert_eq!(published.len(), 1, "{field}");
        assert_eq!((&published[0]["instance"], &published[0]["executionArn"]), (&json!("nightly"), &json!("arn")));
        assert_eq!(published[0]["status"], json!(RunStatus::Failed), "{field}");
    }
}

/// The runner does not see it; the execution puts it anew after a heartbeat, and is served.
#[test]
fn a_ticket_that_cannot_be_read_is_put_anew() {
    let key = stack().layout.ticket(&InstanceName::parse("nightly").unwrap(), &attempt().run);
    let record = waiting_run().objects.borrow()[&key].clone();
    for damage in DAMAGES {
        let (world, what) = damaged(&key, &record, damage);
        let call = json!({"execution": execution(), "run": run(), "taskToken": "token"});
        let call = serde_json::from_value(call).unwrap();
        assert_eq!(block_on(await_run(&stack(), &world, call)), Ok(await_run::AwaitRunOutput::Submitted));
        serve(&world);
        assert_eq!(*world.answers.borrow(), [None], "{what}");
        assert!(matches!(end(&world, None), Ok(ConcludeRunOutput::Concluded { .. })), "{what}");
        check_end(&world, &what);
    }
}

/// A notebook that ended keeps its verdict, as far as it can be told.
#[test]
fn a_report_that_is_damaged_while_the_notebook_runs() {
    for damage in DAMAGES {
        let mut world = waiting_run();
        let key = stack().layout.report(&attempt());
        world.during = Some((key.clone(), damage.1(&records()[0].1)));
        serve(&world);
        let told = world.answers.borrow().clone();
        let [Some(failure)] = told.as_slice() else { unreachable!("{told:?}") };
        assert!(failure.message.contains("The notebook succeeded"), "{failure}");
        let ended = end(&world, Some(failure)).unwrap_err();
        check_end(&world, damage.0);
        assert_eq!((ended.code, world.executed.get()), (Code::Internal, 1), "{}", damage.0);
        assert!(ended.message.contains(&key), "{ended}");
    }
}

/// Keys that the S3 console makes for folders.
#[test]
fn folder_markers_are_no_records() {
    let world = waiting_run();
    let layout = stack().layout;
    let run_folder = format!("runs/nightly/{}/", attempt().run);
    for key in [layout.attempt(&attempt()), run_folder, "inbox/nightly/".into(), "leases/".into(), "runs/".into()] {
        world.objects.borrow_mut().insert(key, Vec::new());
    }
    serve(&world);
    assert!(matches!(end(&world, None), Ok(ConcludeRunOutput::Concluded { .. })));
    assert_eq!(world.status.get().0, InstanceStatus::Stopped);
}

/// A report of another run at this one's key made an execution succeed with foreign outputs.
#[test]
fn outputs_of_another_attempt_are_not_believed() {
    let other = AttemptRef { run: RunId::from_key("other-1"), ..attempt() };
    for foreign in [report(&other), Report { outputs: report(&other).outputs, ..report(&attempt()) }] {
        let world = waiting_run();
        world.put(&stack().layout.report(&attempt()), &foreign);
        let failure = end(&world, None).unwrap_err();
        assert_eq!(failure.code, Code::Internal, "{failure}");
        assert!(recorded(&world).unwrap().outputs.is_empty());
        check_end(&world, "foreign");
    }
}
