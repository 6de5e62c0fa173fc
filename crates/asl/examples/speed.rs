//! How many executions of a machine with some twenty transitions the interpreter runs in a second, on one thread:
//! `cargo run --locked --release -p reveille-asl --example speed [-- EXECUTIONS]`.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]
#![allow(clippy::expect_used, reason = "the machine is written here")]

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use reveille_asl::interpreter::{ExecutionClock, Machine, Service, Status, TaskAnswer, TaskCall, TaskError, Tasks};
use serde_json::{Value, json};

/// Enough for a steady figure, in some seconds.
const DEFAULT_EXECUTIONS: u32 = 10_000;

/// A world that says "wait" four times, then "ready", and fails every tenth call once.
#[derive(Default)]
struct World {
    calls: Cell<u32>,
}

impl Tasks for World {
    async fn invoke(&self, call: TaskCall) -> Result<TaskAnswer, TaskError> {
        self.calls.set(self.calls.get() + 1);
        if self.calls.get().is_multiple_of(10) {
            return Err(TaskError::of_function("Throttled", "rate exceeded"));
        }
        let polls = call.payload["polls"].as_i64().unwrap_or(0);
        let answer = if polls < 4 { "wait" } else { "ready" };
        Ok(TaskAnswer::Payload(json!({"answer": answer, "instance": "research-1", "detail": {"polls": polls}})))
    }
}

/// Polls until it is ready, then does three more tasks: 3 + 4 x 3 + 3 + 4 states.
fn machine() -> Value {
    let retry = json!([{
        "ErrorEquals": ["Throttled", "Lambda.TooManyRequestsException"], "IntervalSeconds": 2, "MaxAttempts": 6,
        "BackoffRate": 2, "MaxDelaySeconds": 60, "JitterStrategy": "FULL"
    }]);
    let task = |name: &str, next: &str| {
        json!({
            "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "TimeoutSeconds": 60, "Retry": retry,
            "Arguments": {"FunctionName": name, "Payload": {
                "execution": "{% $states.context.Execution.Id %}", "run": "{% $run %}", "polls": "{% $polls %}",
                "redrives": "{% $exists($states.context.Execution.RedriveCount) ? $states.context.Execution.RedriveCount : 0 %}"
            }},
            "Assign": {"last": "{% $merge([$last, $states.result.Payload]) %}"},
            "Output": "{% $states.result.Payload %}",
            "Catch": [{"ErrorEquals": ["States.ALL"], "Assign": {"last": "{% $states.errorOutput %}"}, "Next": "Conclude"}],
            "Next": next
        })
    };
    json!({
        "QueryLanguage": "JSONata", "StartAt": "Begin",
        "States": {
            "Begin": {"Type": "Pass", "Assign": {"run": "{% $states.input.run %}", "polls": 0, "last": {}}, "Next": "Admit"},
            "Admit": task("admit", "Check"),
            "Check": task("check", "Decide"),
            "Decide": {"Type": "Choice", "Default": "Pause", "Choices": [
                {"Condition": "{% $states.input.answer = 'ready' and $polls >= 4 %}", "Next": "Work"}
            ]},
            "Pause": {"Type": "Wait", "Seconds": "{% 5 + $polls %}", "Assign": {"polls": "{% $polls + 1 %}"}, "Next": "Check"},
            "Work": task("work", "Verify"),
            "Verify": task("verify", "Conclude"),
            "Conclude": {"Type": "Pass", "Output": {"run": "{% $run %}", "last": "{% $last %}"}, "Next": "Done"},
            "Done": {"Type": "Succeed"}
        }
    })
}

fn main() {
    let executions = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(DEFAULT_EXECUTIONS);
    let arn = "arn:aws:states:eu-west-1:123456789012:stateMachine:speed";
    let machine = Rc::new(Machine::compile(arn, &machine()).expect("the machine compiles"));
    let input =
        json!({"run": {"instance": "research-1", "notebook": "a/b.ipynb", "parameters": {"alpha": 0.1, "n": 5}}});
    let begun = Instant::now();
    let mut entered = 0.0;
    let mut failed = 0;
    for seed in 0..executions {
        let service_run = async {
            let service = Service::new(World::default(), ExecutionClock::starting_at(0), u64::from(seed));
            let execution = service.start_execution(&machine, "run", &input).expect("it starts");
            let ended = execution.ended().await;
            (ended.status, execution.trace().iter().map(|_| 1.0).sum::<f64>())
        };
        let (status, trace) = reveille_asl::simulated::block_on(service_run);
        entered += trace;
        failed += u32::from(status != Status::Succeeded);
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{executions} executions, {:.1} states each, in {seconds:.2} s: {:.0} executions/s, {:.0} states/s; {failed} failed",
        entered / f64::from(executions),
        f64::from(executions) / seconds,
        entered / seconds
    );
}
