//! Starting, stopping, timing out and redriving executions.

use std::cell::Cell;
use std::rc::Rc;

use serde_json::{Value, json};

use super::super::*;
use super::world::*;

fn wait(seconds: u32) -> Value {
    json!({"Wait": {"Type": "Wait", "Seconds": seconds, "End": true}})
}

/// A task that fails while the switch is off, after a state that sets a variable.
fn switched() -> (Rc<Cell<bool>>, Service<World>, Rc<Machine>) {
    let switch = Rc::new(Cell::new(false));
    let on = Rc::clone(&switch);
    let service = service(move |call: TaskCall| {
        let on = on.get();
        async move { if on { Ok(TaskAnswer::Payload(call.payload)) } else { failed("Off") } }
    });
    let machine = machine(json!({
        "Set": {"Type": "Pass", "Assign": {"kept": "{% $states.input.n %}"}, "Output": "handed on", "Next": "Try"},
        "Try": {
            "Type": "Task", "Resource": "arn:aws:lambda:x:1:function:f",
            "Arguments": {
                "kept": "{% $kept %}", "input": "{% $states.input %}",
                "redrives": "{% $states.context.Execution.RedriveCount %}",
                "redriven": "{% $exists($states.context.Execution.RedriveTime) %}"
            },
            "Retry": [{"ErrorEquals": ["Off"], "MaxAttempts": 2, "IntervalSeconds": 1}], "End": true
        }
    }));
    (switch, service, machine)
}

// "Restarting state machine executions with redrive": the failed state runs again with the same input, the retry
// counters begin at 0, RedriveCount counts up, and the history goes on.
#[test]
fn a_redrive_goes_on_from_the_failed_state() {
    simulate(async {
        let (switch, service, machine) = switched();
        let execution = service.start_execution(&machine, "run", &json!({"n": 7})).unwrap();
        assert_eq!(execution.ended().await.error.as_deref(), Some("Off"));
        assert_eq!(service.tasks().calls.borrow().len(), 3);
        service.redrive_execution(execution.arn()).unwrap();
        assert_eq!(execution.ended().await.error.as_deref(), Some("Off"));
        assert_eq!(service.tasks().calls.borrow().len(), 6, "the counters of the retriers begin anew");
        switch.set(true);
        service.redrive_execution(execution.arn()).unwrap();
        let ended = execution.ended().await;
        assert_eq!(ended.redrive_count, 2);
        assert_eq!(ended.output, Some(json!({"kept": 7, "input": "handed on", "redrives": 2, "redriven": true})));
        let trace: Vec<_> = execution.trace().iter().map(ToString::to_string).collect();
        assert_eq!(trace, ["Set", "Try", "Try", "Try"]);
        let redriven = execution.history().iter().filter(|event| event.kind == EventKind::ExecutionRedriven).count();
        assert_eq!(redriven, 2);
    });
}

// A Fail state that ended the execution is the state that a redrive runs again.
#[test]
fn a_redrive_of_a_fail_state_fails_again() {
    simulate(async {
        let service = idle();
        let machine = machine(json!({
            "Pass": {"Type": "Pass", "Next": "Stop"},
            "Stop": {"Type": "Fail", "Error": "Stopped"}
        }));
        let execution = service.start_execution(&machine, "run", &json!({})).unwrap();
        execution.ended().await;
        service.redrive_execution(execution.arn()).unwrap();
        assert_eq!(execution.ended().await.error.as_deref(), Some("Stopped"));
        assert_eq!(execution.trace().len(), 3);
    });
}

// "Restarting state machine executions with redrive", "Redrive eligibility": not SUCCEEDED, not running, ended within 14
// days.
#[test]
fn what_cannot_be_redriven_is_refused() {
    simulate(async {
        let service = idle();
        let refused = |arn: &str| match service.redrive_execution(arn).unwrap_err() {
            RedriveError::ExecutionNotRedrivable { reason, .. } => reason,
            RedriveError::ExecutionDoesNotExist { .. } => "does not exist",
        };
        let execution = service.start_execution(&machine(wait(5)), "run", &json!({})).unwrap();
        assert_eq!(refused(execution.arn()), "is RUNNING");
        execution.ended().await;
        assert_eq!(refused(execution.arn()), "is SUCCEEDED");
        let failed = service.start_execution(&machine(json!({"F": {"Type": "Fail"}})), "fail", &json!({})).unwrap();
        failed.ended().await;
        sleep(14 * 24 * 3600 + 1).await;
        assert_eq!(refused(failed.arn()), "ended more than 14 days ago");
        assert_eq!(refused("arn:none"), "does not exist");
    });
}

// API Reference, StopExecution: the execution is ABORTED with the error and cause given; it can be redriven.
#[test]
fn a_stopped_execution_is_aborted_at_once() {
    simulate(async {
        let service = idle();
        let execution = service.start_execution(&machine(wait(100)), "run", &json!({})).unwrap();
        sleep(10).await;
        service.stop_execution(execution.arn(), Some("Why"), Some("by hand")).unwrap();
        assert_eq!(execution.status(), Status::Aborted);
        let ended = execution.ended().await;
        assert_eq!((ended.error.as_deref(), ended.cause.as_deref()), (Some("Why"), Some("by hand")));
        assert_eq!(seconds(&ended), 10);
        sleep(500).await;
        assert_eq!(execution.status(), Status::Aborted, "nothing of the run is left");
        service.redrive_execution(execution.arn()).unwrap();
        assert_eq!(execution.ended().await.status, Status::Succeeded);
        service.stop_execution(execution.arn(), None, None).unwrap();
        assert_eq!(execution.status(), Status::Succeeded, "an execution that ended stays as it is");
        assert!(service.stop_execution("arn:none", None, None).is_err());
        assert_eq!(
            *service.tasks().changes.borrow(),
            [Status::Running, Status::Aborted, Status::Running, Status::Succeeded]
        );
    });
}

// An abort closes the token of the task that waited.
#[test]
fn an_abort_closes_the_ticket() {
    simulate(async {
        let service = idle();
        let machine = machine(json!({"Ask": {
            "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
            "Arguments": {"FunctionName": "f", "Payload": "{% $states.context.Task.Token %}"}, "End": true
        }}));
        let execution = service.start_execution(&machine, "run", &json!({})).unwrap();
        sleep(1).await;
        let token = service.tasks().calls.borrow()[0].token.clone().unwrap();
        service.stop_execution(execution.arn(), None, None).unwrap();
        sleep(1).await;
        assert_eq!(service.callbacks().send_task_success(token.as_str(), "{}"), Err(CallbackError::TaskTimedOut));
    });
}

// "State machine structure", TimeoutSeconds: the execution ends TIMED_OUT. It cannot be caught inside, and has no error;
// with a redrive the time begins anew.
#[test]
fn an_execution_times_out() {
    simulate(async {
        let service = service(async |_| {
            sleep(60).await;
            Ok(TaskAnswer::Payload(json!({})))
        });
        let machine = compile(&json!({
            "QueryLanguage": "JSONata", "StartAt": "Slow", "TimeoutSeconds": 25,
            "States": {
                "Slow": {"Type": "Task", "Resource": "arn:aws:lambda:x:1:function:f",
                         "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}], "End": true},
                "Caught": {"Type": "Succeed"}
            }
        }))
        .unwrap();
        let execution = service.start_execution(&machine, "run", &json!({})).unwrap();
        let ended = execution.ended().await;
        assert_eq!((ended.status, ended.error.clone(), seconds(&ended)), (Status::TimedOut, None, 25));
        service.redrive_execution(execution.arn()).unwrap();
        assert_eq!(seconds(&execution.ended().await), 50);
    });
}

// API Reference, StartExecution: idempotent while it runs with the same input; otherwise ExecutionAlreadyExists, for 90
// days after its end.
#[test]
fn a_name_is_used_once() {
    simulate(async {
        let service = idle();
        let machine = machine(wait(5));
        let start = |name: &str, input: &Value| service.start_execution(&machine, name, input);
        let first = start("a", &json!({"n": 1})).unwrap();
        let again = start("a", &json!({"n": 1})).unwrap();
        assert!(Rc::ptr_eq(&first, &again));
        let taken = Err(StartError::ExecutionAlreadyExists { name: "a".to_owned() });
        assert_eq!(start("a", &json!({"n": 2})).map(|_| ()), taken);
        first.ended().await;
        assert_eq!(start("a", &json!({"n": 1})).map(|_| ()), taken);
        sleep(90 * 24 * 3600 + 1).await;
        assert!(start("a", &json!({"n": 1})).is_ok());
    });
}

#[test]
fn names_and_inputs_that_aws_refuses_are_refused() {
    simulate(async {
        let service = idle();
        let machine = machine(wait(1));
        for name in ["", "a b", "a/b", "a*", &"x".repeat(81)] {
            assert!(matches!(service.start_execution(&machine, name, &json!({})), Err(StartError::InvalidName { .. })));
        }
        assert!(matches!(
            service.start_execution(&machine, "big", &json!("x".repeat(262_144))),
            Err(StartError::InvalidExecutionInput { bytes: 262_146 })
        ));
    });
}

// "Automating Step Functions event delivery with EventBridge": input and output are texts, times are milliseconds.
#[test]
fn the_status_change_has_the_shape_of_aws() {
    let ended = run_states(json!({"P": {"Type": "Pass", "End": true}}), json!({"n": 1}));
    let detail = ended.event_detail();
    assert_eq!(detail["status"], "SUCCEEDED");
    assert_eq!(detail["input"], r#"{"n":1}"#);
    assert_eq!(detail["output"], r#"{"n":1}"#);
    assert_eq!(detail["startDate"], START_MS);
    assert_eq!(detail["name"], "run");
    assert_eq!(detail["error"], Value::Null);
}

/// Nobody would wait for the end of an execution whose world panicked: the simulation ends with it.
#[test]
#[should_panic(expected = "on purpose")]
fn a_world_that_panics_ends_the_simulation() {
    simulate(async {
        let service = linked_service(|_, links| {
            let executions = links.executions.clone();
            async move {
                assert!(executions.all().is_empty(), "on purpose");
                Ok(TaskAnswer::Payload(json!({})))
            }
        });
        let machine = machine(json!({"T": {"Type": "Task", "Resource": "arn:aws:lambda:x:1:function:f", "End": true}}));
        run(&service, &machine, json!({})).await
    });
}
