//! AdmitRun: an event has one outcome, also where its input is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod support;

use chrono::{DateTime, TimeDelta, Utc};
use reveille_domain::Code;
use reveille_domain::ids::sha256_hex;
use reveille_domain::ports::{CallErrorKind, StartAnswer};
use reveille_domain::records::Execution;
use reveille_protocol::admit_run::{AdmitRunOutput, admit_run};
use serde_json::{Value, json};
use support::{StepFault, StepWorld, block_on, now, stack};

fn world() -> StepWorld {
    StepWorld::answering(Ok(StartAnswer::Accepted))
}

/// Admits an execution; the code it is refused with.
fn admit(world: &StepWorld, name: &str, started: DateTime<Utc>, input: &Value) -> Result<AdmitRunOutput, Code> {
    let execution = Execution { arn: format!("arn:{name}"), name: name.into(), start_time: started, redrive_count: 0 };
    let call = json!({"execution": execution, "input": input, "attempt": 1});
    block_on(admit_run(&stack(), world, serde_json::from_value(call).unwrap())).map_err(|failure| failure.code)
}

fn is_duplicate(answer: &Result<AdmitRunOutput, Code>) -> bool {
    matches!(answer, Ok(AdmitRunOutput::Duplicate { held_by, .. }) if held_by == "arn:one")
}

/// Inputs that are refused, each for a reason of its own, with the same event.
fn refused() -> Vec<Value> {
    let event = json!({"id": "e", "source": "aws.s3", "time": now(),
        "detail": {"bucket": {"name": "in"}, "object": {"key": "k", "sequencer": "1"}}});
    let mut inputs = [
        json!({}),
        json!({"instance": "no such name", "notebook": "a.ipynb"}),
        json!({"instance": "nightly", "notebook": "../a.ipynb"}),
        json!({"instance": "nightly", "notebook": "a.ipynb", "parameters": {"x": "{{ nothing }}"}}),
        json!({"instance": "nightly", "notebook": "a.ipynb", "limits": [1]}),
        json!({"instance": "nightly", "notebook": "a.ipynb", "unknown": "x".repeat(100_000)}),
        json!({"instance": "nightly", "notebook": "a.ipynb", "rerun": "yes"}),
    ];
    for input in &mut inputs {
        input["event"] = event.clone();
    }
    inputs.into()
}

#[test]
fn a_second_delivery_of_an_event_whose_input_is_refused_is_already_handled() {
    for input in refused() {
        let world = world();
        assert_eq!(admit(&world, "one", now(), &input), Err(Code::InvalidRequest), "{input}");
        assert!(is_duplicate(&admit(&world, "two", now(), &input)), "{input}");
        assert_eq!(admit(&world, "one", now(), &input), Err(Code::InvalidRequest), "its own retry");
        let later = now() + TimeDelta::hours(1);
        assert_eq!(admit(&world, "later", later, &input), Err(Code::InvalidRequest), "a person replays it");
    }
}

#[test]
fn another_input_for_the_same_event_is_another_trigger() {
    let world = world();
    for (number, input) in refused().iter().enumerate() {
        assert_eq!(admit(&world, &format!("x{number}"), now(), input), Err(Code::InvalidRequest), "{input}");
    }
    let mut corrected = refused()[1].clone();
    corrected["instance"] = json!("nightly");
    assert!(matches!(admit(&world, "corrected", now(), &corrected), Ok(AdmitRunOutput::Admitted { .. })));
}

#[test]
fn without_an_event_or_when_asked_for_each_start_is_its_own() {
    let mut asked = refused()[2].clone();
    asked["rerun"] = json!(true);
    let mut by_hand = refused()[2].clone();
    by_hand["event"] = json!(null);
    for input in [asked, by_hand, json!("text"), json!(null), json!([1])] {
        let world = world();
        for name in ["one", "two"] {
            assert_eq!(admit(&world, name, now(), &input), Err(Code::InvalidRequest), "{input}");
        }
        assert!(world.objects.borrow().is_empty(), "{input}");
    }
}

/// The first error wins, unless trying again may tell that it is a duplicate.
#[test]
fn a_trigger_that_cannot_be_taken_hides_no_refusal() {
    let input = &refused()[2];
    for (kind, expected) in
        [(CallErrorKind::AccessDenied, Code::InvalidRequest), (CallErrorKind::Throttled, Code::Throttled)]
    {
        let world = world();
        let fault = StepFault { action: "s3:PutObject", key_end: ".json", kind, times: 1 };
        world.faults.borrow_mut().push(fault);
        assert_eq!(admit(&world, "one", now(), input), Err(expected), "{kind:?}");
    }
}

/// Who starts an execution with an event that is to come does not answer the real one with it.
#[test]
fn an_event_of_the_future_is_refused_and_takes_no_trigger() {
    for ahead in [TimeDelta::seconds(3), TimeDelta::minutes(1), TimeDelta::days(1)] {
        let world = world();
        let due = now() + ahead;
        let event = json!({"id": "e", "source": "aws.events", "time": due, "resources": ["arn:rule"], "detail": {}});
        let input = json!({"instance": "nightly", "notebook": "a.ipynb", "event": event});
        assert_eq!(admit(&world, "forged", now(), &input), Err(Code::InvalidRequest), "{ahead}");
        assert!(world.objects.borrow().is_empty(), "{ahead}");
        assert!(matches!(admit(&world, "real", due, &input), Ok(AdmitRunOutput::Admitted { .. })), "{ahead}");
    }
    // Both are AWS's times, which differ by so much; however the time is written.
    for (time, refused) in [
        (now() + TimeDelta::seconds(2)).to_rfc3339(),
        (now() + TimeDelta::milliseconds(2_001)).to_rfc3339(),
        (now() + TimeDelta::hours(1)).with_timezone(&chrono::FixedOffset::west_opt(7_200).unwrap()).to_rfc3339(),
    ]
    .into_iter()
    .zip([false, true, true])
    {
        let world = world();
        let event = json!({"id": "e", "source": "aws.events", "time": time, "resources": ["arn:rule"], "detail": {}});
        let input = json!({"instance": "nightly", "notebook": "a.ipynb", "event": event});
        assert_eq!(admit(&world, "forged", now(), &input).is_err(), refused, "{time}");
        assert_eq!(world.objects.borrow().is_empty(), refused, "{time}");
    }
}

/// What somebody put in the request's place is neither believed nor executed: the execution's input says what was asked for.
#[test]
fn a_request_that_somebody_replaced_is_recorded_again() {
    let input = json!({"instance": "nightly", "notebook": "a.ipynb", "parameters": {"x": 1}});
    let world = world();
    let Ok(AdmitRunOutput::Admitted { run }) = admit(&world, "one", now(), &input) else { panic!("it is admitted") };
    let key = stack().layout.request("nightly", &run.id);
    let honest = world.objects.borrow()[&key].clone();
    assert_eq!(run.request_sha256.as_deref(), Some(sha256_hex(&honest).as_str()));
    for (field, value) in [
        ("notebook", json!("evil.ipynb")),
        ("parameters", json!({"x": 2})),
        ("executionArn", json!("arn:other")),
        ("onRunnerLost", json!("rerun")),
        ("html", json!("sanitized")),
        ("admittedAt", json!("2099-01-01T00:00:00Z")),
    ] {
        let mut forged: Value = serde_json::from_slice(&honest).unwrap();
        forged[field] = value;
        world.put(&key, &forged);
        let Ok(AdmitRunOutput::Admitted { run }) = admit(&world, "one", now(), &input) else { panic!("{field}") };
        assert_eq!(run.request_sha256.as_deref(), Some(sha256_hex(&honest).as_str()), "{field}");
        assert_eq!(world.objects.borrow()[&key], honest, "{field}");
    }
    // Its own, read again: also in another version's spelling.
    let mut spelt: Vec<u8> = honest.clone();
    spelt.push(b'\n');
    world.objects.borrow_mut().insert(key.clone(), spelt.clone());
    let Ok(AdmitRunOutput::Admitted { run }) = admit(&world, "one", now(), &input) else { panic!("spelt otherwise") };
    assert_eq!(run.request_sha256.as_deref(), Some(sha256_hex(&spelt).as_str()), "of what is recorded");
}

/// Keys and loops are finite: the hundredth attempt is the last.
#[test]
fn a_run_is_attempted_a_hundred_times_at_most() {
    let input = json!({"instance": "nightly", "notebook": "a.ipynb"});
    for (attempt, refused) in
        [(1, None), (99, None), (100, None), (101, Some(Code::Internal)), (102, Some(Code::Internal))]
    {
        let execution =
            Execution { arn: "arn:one".into(), name: "one".into(), start_time: now(), redrive_count: attempt - 1 };
        let call = json!({"execution": execution, "input": input, "attempt": attempt});
        let answer = block_on(admit_run(&stack(), &world(), serde_json::from_value(call).unwrap()));
        assert_eq!(answer.err().map(|failure| failure.code), refused, "{attempt}");
    }
}
