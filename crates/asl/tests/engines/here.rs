//! The interpreter, in the world of a scenario.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use reveille_asl::interpreter::{Callbacks, ExecutionClock, Machine, Service, TaskAnswer, TaskCall, TaskError, Tasks};
use reveille_asl::simulated;
use serde_json::{Value, json};

use crate::other_engine::FUNCTION_ERROR;

/// Runs a scenario: status, error, output, the states, and the calls with their payloads.
pub fn run(scenario: &Value) -> Value {
    let arn = "arn:aws:states:us-east-1:123456789012:stateMachine:engines";
    let definition = &scenario["definition"];
    let machine = Rc::new(Machine::compile(arn, definition).unwrap_or_else(|error| panic!("{error}: {definition}")));
    simulated::block_on(async {
        let calls: Rc<RefCell<Vec<Value>>> = Rc::default();
        let answers = scenario["answers"].as_object().into_iter().flatten();
        let answers = answers.map(|(name, all)| (name.clone(), all.as_array().unwrap().iter().cloned().collect()));
        let answers = RefCell::new(answers.collect());
        let service = Service::linked(ExecutionClock::starting_at(0), 1, |links| Scripted {
            answers,
            calls: Rc::clone(&calls),
            callbacks: links.callbacks,
        });
        let execution = service.start_execution(&machine, "engines", &scenario["input"]).unwrap();
        let ended = execution.ended().await;
        let trace: Vec<String> = execution.trace().iter().map(ToString::to_string).collect();
        let calls = calls.take();
        json!({
            "status": ended.status.as_str(), "error": ended.error, "output": ended.output, "trace": trace, "calls": calls
        })
    })
}

struct Scripted {
    answers: RefCell<BTreeMap<String, VecDeque<Value>>>,
    calls: Rc<RefCell<Vec<Value>>>,
    callbacks: Callbacks,
}

impl Scripted {
    /// The next answer of a function; the last one stays.
    fn answer(&self, name: &str, payload: &Value) -> Value {
        let mut answers = self.answers.borrow_mut();
        match answers.get_mut(name) {
            None if payload["fail"] == true => json!({"error": FUNCTION_ERROR, "message": "on purpose"}),
            None => json!({"payload": payload}),
            Some(answers) if answers.len() > 1 => answers.pop_front().unwrap(),
            Some(answers) => answers[0].clone(),
        }
    }
}

impl Tasks for Scripted {
    async fn invoke(&self, call: TaskCall) -> Result<TaskAnswer, TaskError> {
        let name = call.function_name.as_deref().unwrap_or_default();
        let name = name.rsplit(':').next().unwrap_or_default();
        let mut shown = call.payload.clone();
        if let Some(parts) = shown.as_object_mut() {
            parts.retain(|part, _| !matches!(part.as_str(), "execution" | "taskToken"));
        }
        self.calls.borrow_mut().push(json!([name, shown]));
        let answer = self.answer(name, &call.payload);
        if let Some(then) = answer["then"].as_array() {
            let token = call.payload["taskToken"].as_str().unwrap().to_owned();
            simulated::spawn(work(self.callbacks.clone(), token, then.clone()));
        }
        match answer["error"].as_str() {
            Some(error) => Err(TaskError::of_function(error, answer["message"].as_str().unwrap())),
            None => Ok(TaskAnswer::Payload(answer.get("payload").cloned().unwrap_or_else(|| json!({})))),
        }
    }
}

/// What the worker does.
async fn work(callbacks: Callbacks, token: String, deeds: Vec<Value>) {
    for deed in deeds {
        let wait = deed["wait"].as_f64().unwrap_or(0.3);
        simulated::sleep(Duration::from_secs_f64(wait)).await;
        let done = match (&deed["success"], deed["failure"].as_str()) {
            (Value::Null, None) => callbacks.send_task_heartbeat(&token),
            (Value::Null, failure) => callbacks.send_task_failure(&token, failure, deed["cause"].as_str()),
            (success, _) => callbacks.send_task_success(&token, &success.to_string()),
        };
        // As in the engine, a worker that comes too late is not heard.
        let _ = done;
    }
}
