//! Timeouts, heartbeats and callbacks.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Value, json};

use super::super::*;
use super::world::*;

/// One task that waits for its callback, with these limits, caught.
fn waiting(extra: Value) -> Rc<Machine> {
    let mut state = json!({
        "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Arguments": {"FunctionName": "f", "Payload": {"token": "{% $states.context.Task.Token %}"}},
        "Catch": [{"ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput %}", "Next": "Caught"}], "End": true
    });
    for (field, value) in extra.as_object().unwrap() {
        state[field] = value.clone();
    }
    machine(json!({"Ask": state, "Caught": {"Type": "Pass", "End": true}}))
}

/// A service whose function passes the token to `then`, which runs on after the function has answered.
fn asking<A: Future<Output = ()> + 'static>(then: impl Fn(String, Callbacks) -> A + 'static) -> Service<World> {
    let then = Rc::new(then);
    linked_service(move |call, links| {
        let token = call.payload["token"].as_str().unwrap().to_owned();
        let (then, callbacks) = (Rc::clone(&then), links.callbacks.clone());
        async move {
            crate::simulated::spawn(async move { then(token, callbacks).await });
            Ok(TaskAnswer::Payload(json!("ignored")))
        }
    })
}

// "Discover service integration patterns", "Wait for a Callback with Task Token": the task pauses until SendTaskSuccess
// or SendTaskFailure is called with its token.
#[test]
fn a_callback_answers_the_task() {
    simulate(async {
        let service = asking(async |token, callbacks| {
            sleep(100).await;
            callbacks.send_task_success(&token, r#"{"n": 1}"#).unwrap();
        });
        let execution = service.start_execution(&waiting(json!({})), "run", &json!({})).unwrap();
        let ended = execution.ended().await;
        assert_eq!((ended.output.clone(), seconds(&ended)), (Some(json!({"n": 1})), 100));
        let kinds: Vec<_> = execution.history().iter().map(|event| event.kind).collect();
        assert_eq!(
            kinds,
            [
                EventKind::ExecutionStarted,
                EventKind::TaskStateEntered,
                EventKind::TaskScheduled,
                EventKind::TaskStarted,
                EventKind::TaskSubmitted,
                EventKind::TaskSucceeded,
                EventKind::TaskStateExited,
                EventKind::ExecutionSucceeded
            ]
        );
    });
}

#[test]
fn a_callback_fails_the_task() {
    simulate(async {
        let service = asking(async |token, callbacks| {
            callbacks.send_task_failure(&token, Some("Lost"), Some("no answer")).unwrap();
        });
        let ended = run(&service, &waiting(json!({})), json!({})).await;
        assert_eq!(ended.output, Some(json!({"Error": "Lost", "Cause": "no answer"})));
    });
}

// The function may answer the task before it returns itself.
#[test]
fn a_callback_may_come_before_the_function_returns() {
    simulate(async {
        let service = linked_service(|call, links| {
            let callbacks = links.callbacks.clone();
            async move {
                callbacks.send_task_success(call.token.unwrap().as_str(), "5").unwrap();
                sleep(50).await;
                failed("TooLate")
            }
        });
        let ended = run(&service, &waiting(json!({})), json!({})).await;
        assert_eq!((ended.output.clone(), seconds(&ended)), (Some(json!(5)), 0));
    });
}

// "Task workflow state", TimeoutSeconds: the task fails with States.Timeout. AWS gives no cause, which the error output
// shows as an empty text.
#[test]
fn a_task_times_out() {
    simulate(async {
        let service = asking(async |_, _| ());
        let ended = run(&service, &waiting(json!({"TimeoutSeconds": 60})), json!({})).await;
        assert_eq!(ended.output, Some(json!({"Error": "States.Timeout", "Cause": ""})));
        assert_eq!(seconds(&ended), 60);
    });
}

// TimeoutSeconds holds for a call that does not answer, too, and for each attempt anew.
#[test]
fn each_attempt_has_its_own_timeout() {
    simulate(async {
        let service = service(async |_| {
            sleep(1000).await;
            Ok(TaskAnswer::Payload(json!({})))
        });
        let machine = machine(json!({"Slow": {
            "Type": "Task", "Resource": "arn:aws:lambda:x:1:function:f", "TimeoutSeconds": "{% $states.input.limit %}",
            "Retry": [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 1, "IntervalSeconds": 5}], "End": true
        }}));
        let ended = run(&service, &machine, json!({"limit": 30})).await;
        assert_eq!((ended.error.as_deref(), ended.cause.as_deref()), (Some("States.Timeout"), None));
        assert_eq!(seconds(&ended), 30 + 5 + 30);
    });
}

// "Task workflow state", HeartbeatSeconds: more time between heartbeats fails the task; the clock starts when the task is
// scheduled. Recorded on AWS as States.Timeout; "Handling errors" has States.HeartbeatTimeout for it.
#[test]
fn a_silent_task_fails_under_either_name() {
    for (shown, name) in [
        (None, "States.Timeout"),
        (Some(MissedHeartbeat::Timeout), "States.Timeout"),
        (Some(MissedHeartbeat::HeartbeatTimeout), "States.HeartbeatTimeout"),
    ] {
        simulate(async {
            let service = asking(async |_, _| ());
            if let Some(shown) = shown {
                service.show_missed_heartbeats_as(shown);
            }
            let machine = waiting(json!({"TimeoutSeconds": 600, "HeartbeatSeconds": "{% 10 * 2 %}"}));
            let ended = run(&service, &machine, json!({})).await;
            assert_eq!(ended.output, Some(json!({"Error": name, "Cause": ""})));
            assert_eq!(seconds(&ended), 20);
        });
    }
}

// The recorded name is taken by nothing but itself and what takes everything: a catcher of the other alone is not met.
#[test]
fn a_catcher_of_one_name_misses_the_other() {
    for (caught, met) in [(json!(["States.HeartbeatTimeout"]), false), (json!(["States.Timeout"]), true)] {
        simulate(async {
            let service = asking(async |_, _| ());
            let catch = json!([{"ErrorEquals": caught, "Output": "caught", "Next": "Caught"}]);
            let machine = waiting(json!({"TimeoutSeconds": 600, "HeartbeatSeconds": 20, "Catch": catch}));
            assert_eq!(run(&service, &machine, json!({})).await.output == Some(json!("caught")), met);
        });
    }
}

#[test]
fn the_heartbeat_counts_while_the_function_still_runs() {
    simulate(async {
        let service = service(async |_| {
            sleep(500).await;
            Ok(TaskAnswer::Payload(json!({})))
        });
        let machine = waiting(json!({"TimeoutSeconds": 600, "HeartbeatSeconds": 20}));
        assert_eq!(seconds(&run(&service, &machine, json!({})).await), 20);
    });
}

// API Reference, SendTaskHeartbeat: it resets the heartbeat's clock. The timeout of a task is "its maximum allowed duration,
// regardless of the number of SendTaskHeartbeat requests received".
#[test]
fn heartbeats_keep_a_task_alive_until_its_timeout() {
    simulate(async {
        let service = asking(async |token, callbacks| {
            for _ in 0..1000 {
                sleep(15).await;
                if callbacks.send_task_heartbeat(&token).is_err() {
                    return;
                }
            }
        });
        let machine = waiting(json!({"TimeoutSeconds": 100, "HeartbeatSeconds": 20}));
        let ended = run(&service, &machine, json!({})).await;
        assert_eq!(ended.output, Some(json!({"Error": "States.Timeout", "Cause": ""})));
        assert_eq!(seconds(&ended), 100);
    });
}

#[test]
fn a_task_that_falls_silent_fails_a_heartbeat_later() {
    simulate(async {
        let service = asking(async |token, callbacks| {
            for _ in 0..3 {
                sleep(15).await;
                callbacks.send_task_heartbeat(&token).unwrap();
            }
        });
        let machine = waiting(json!({"TimeoutSeconds": 900, "HeartbeatSeconds": 20}));
        assert_eq!(seconds(&run(&service, &machine, json!({})).await), 3 * 15 + 20);
    });
}

// API Reference, SendTaskSuccess, errors: TaskTimedOut when the token has expired or its task is closed, InvalidToken,
// InvalidOutput.
#[test]
fn a_callback_that_is_wrong_or_late_is_refused() {
    simulate(async {
        let seen: Rc<RefCell<Vec<CallbackError>>> = Rc::default();
        let record = Rc::clone(&seen);
        let service = asking(move |token, callbacks: Callbacks| {
            let record = Rc::clone(&record);
            async move {
                let note = |result: Result<(), CallbackError>| record.borrow_mut().push(result.unwrap_err());
                note(callbacks.send_task_success("nonsense", "{}"));
                note(callbacks.send_task_success(&token, "no json"));
                note(callbacks.send_task_success(&token, &format!("\"{}\"", "x".repeat(262_144))));
                note(callbacks.send_task_failure(&token, Some(&"x".repeat(257)), None));
                sleep(31).await;
                note(callbacks.send_task_success(&token, "{}"));
                note(callbacks.send_task_failure(&token, None, None));
                note(callbacks.send_task_heartbeat(&token));
            }
        });
        run(&service, &waiting(json!({"TimeoutSeconds": 30})), json!({})).await;
        sleep(60).await;
        let codes: Vec<_> = seen.borrow().iter().map(|error| error.code()).collect();
        assert_eq!(
            codes,
            [
                "InvalidToken",
                "InvalidOutput",
                "InvalidOutput",
                "ValidationException",
                "TaskTimedOut",
                "TaskTimedOut",
                "TaskTimedOut"
            ]
        );
    });
}

#[test]
fn a_task_is_answered_once() {
    simulate(async {
        let service = asking(async |token, callbacks| {
            callbacks.send_task_success(&token, "1").unwrap();
            assert_eq!(callbacks.send_task_success(&token, "2"), Err(CallbackError::TaskTimedOut));
        });
        assert_eq!(run(&service, &waiting(json!({})), json!({})).await.output, Some(json!(1)));
    });
}

// Every attempt has a new token; the old one is closed.
#[test]
fn every_attempt_has_a_token_of_its_own() {
    simulate(async {
        let tokens: Rc<RefCell<Vec<String>>> = Rc::default();
        let seen = Rc::clone(&tokens);
        let service = asking(move |token, callbacks: Callbacks| {
            let seen = Rc::clone(&seen);
            async move {
                let first = seen.borrow().first().cloned();
                seen.borrow_mut().push(token.clone());
                if let Some(first) = first {
                    assert_eq!(callbacks.send_task_success(&first, "1"), Err(CallbackError::TaskTimedOut));
                    callbacks.send_task_success(&token, "2").unwrap();
                }
            }
        });
        let machine = waiting(json!({
            "TimeoutSeconds": 600, "HeartbeatSeconds": 10,
            "Retry": [{"ErrorEquals": ["States.HeartbeatTimeout", "States.Timeout"], "MaxAttempts": 1, "IntervalSeconds": 1}]
        }));
        assert_eq!(run(&service, &machine, json!({})).await.output, Some(json!(2)));
        let tokens = tokens.borrow();
        assert_eq!(tokens.len(), 2);
        assert_ne!(tokens[0], tokens[1]);
    });
}

#[test]
fn a_token_is_not_shown() {
    simulate(async {
        let service = asking(async |token, callbacks| callbacks.send_task_success(&token, "1").unwrap());
        let execution = service.start_execution(&waiting(json!({})), "run", &json!({})).unwrap();
        execution.ended().await;
        let call = service.tasks().calls.borrow()[0].clone();
        let token = call.token.clone().unwrap();
        assert!(!format!("{:?}", call.token).contains(token.as_str()));
        assert!(execution.history().iter().all(|event| !event.to_string().contains(token.as_str())));
    });
}
