//! Step Functions' executions: those that there are, and what the command starts.

use chrono::TimeDelta;
use reveille_domain::{InstanceName, RunId, layout::AttemptRef};
use serde_json::{Value, json};

use super::{BUCKET, MACHINE, at, before, instances, lab, missing, objects::layout, of, seconds};
use crate::stub::StubCall;

/// An execution.
pub struct WorldExecution {
    pub machine: &'static str,
    pub name: String,
    pub notebook: String,
    pub instance: String,
    pub status: &'static str,
    pub started: &'static str,
    pub stopped: Option<&'static str>,
    /// Seconds that its notebook took.
    pub took: i64,
    /// The state that it entered last.
    pub state: &'static str,
    /// Of an upload: the object's key.
    pub key: Option<String>,
    /// The error and the cause that the execution itself has; such a one has no records.
    pub why: Option<(&'static str, String)>,
    /// Somebody redrove it.
    pub redriven: bool,
}

const DEFINITION: &str = include_str!("../../../../../statemachines/notebook_run.asl.json");

/// The newest first.
pub fn executions() -> Vec<WorldExecution> {
    let orders = |name: &str, file: &str| WorldExecution {
        key: Some(format!("orders/2026/11/{file}.csv")),
        ..WorldExecution::of(name, "pipelines/orders/import-orders.ipynb", "nightly")
    };
    let sales = |name: &str| WorldExecution::of(name, "reports/daily-sales.ipynb", "nightly");
    vec![
        WorldExecution {
            started: "2026-11-27T09:21:00Z",
            state: "AwaitRun",
            ..orders("orders-europe-west-6f1f0c2a", "27/europe-west")
        },
        WorldExecution { started: "2026-11-27T09:10:00Z", state: "AwaitRun", ..sales("daily-sales-20261127T091000") },
        WorldExecution {
            status: "SUCCEEDED",
            started: "2026-11-26T09:10:00Z",
            stopped: Some("2026-11-26T09:41:00Z"),
            took: 1_505,
            ..sales("daily-sales-20261126T091000")
        },
        WorldExecution {
            status: "SUCCEEDED",
            started: "2026-11-26T08:10:00Z",
            stopped: Some("2026-11-26T08:21:00Z"),
            took: 252,
            ..orders("orders-europe-west-5e02b1d7", "26/europe-west")
        },
        WorldExecution {
            status: "FAILED",
            started: "2026-11-25T07:40:00Z",
            stopped: Some("2026-11-25T07:52:30Z"),
            took: 134,
            ..orders("orders-europe-east-2d9c77e1", "25/europe-east")
        },
        WorldExecution {
            status: "ABORTED",
            started: "2026-11-24T13:00:00Z",
            stopped: Some("2026-11-24T13:31:00Z"),
            took: 1_700,
            state: "AwaitRun",
            ..WorldExecution::of("monthly-summary-by-hand", "reports/monthly/management-summary.ipynb", "reports")
        },
    ]
}

/// What a command started, at once at its end: a screen waits for nothing.
pub fn started(call: &StubCall<'_>) -> Vec<WorldExecution> {
    let of = |body: Value| {
        let input: Value = serde_json::from_str(body["input"].as_str().unwrap()).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let is_there = instances::is_there(input["instance"].as_str().unwrap());
        WorldExecution {
            status: if is_there { "SUCCEEDED" } else { "FAILED" },
            started: "2026-11-27T09:04:00Z",
            stopped: Some(if is_there { "2026-11-27T09:29:00Z" } else { "2026-11-27T09:04:05Z" }),
            took: 1_172,
            ..WorldExecution::of(&text(&body["name"]), &text(&input["notebook"]), &text(&input["instance"]))
        }
    };
    before(call, "StartExecution").map(of).collect()
}

/// What came before the first cell of an execution that ended, in seconds since its start.
const STATES: [(&str, i64); 6] = [
    ("AdmitRun", 1),
    ("CheckInstance", 3),
    ("StartInstance", 5),
    ("WaitForInstance", 8),
    ("AwaitRun", 200),
    ("VerifyStopped", 480),
];

impl WorldExecution {
    /// One that is under way.
    pub fn of(name: &str, notebook: &str, instance: &str) -> Self {
        Self {
            machine: MACHINE,
            name: name.to_owned(),
            notebook: notebook.to_owned(),
            instance: instance.to_owned(),
            status: "RUNNING",
            started: "",
            stopped: None,
            took: 0,
            state: "IsConcluded",
            key: None,
            why: None,
            redriven: false,
        }
    }

    pub fn arn(&self) -> String {
        arn(self.machine, &self.name)
    }

    pub fn run(&self) -> RunId {
        RunId::of(&self.name, &self.arn(), at(self.started))
    }

    pub fn named(name: &str) -> Self {
        executions().into_iter().find(|it| it.name == name).unwrap()
    }

    fn bucket(&self) -> &'static str {
        if self.is_of_lab() { lab::BUCKET } else { BUCKET }
    }

    fn is_of_lab(&self) -> bool {
        self.machine == lab::MACHINE
    }

    fn listed(&self) -> Value {
        let mut all = json!({"executionArn": self.arn(), "name": self.name, "stateMachineArn": self.machine,
            "status": self.status, "startDate": seconds(self.started)});
        if let Some(stopped) = self.stopped {
            all["stopDate"] = json!(seconds(stopped));
        }
        all
    }

    fn described(&self) -> Value {
        let mut all = self.listed();
        let mut input =
            json!({"instance": self.instance, "notebook": self.notebook, "parameters": {"day": "2026-11-26"}});
        if let Some(key) = &self.key {
            let event_at = (at(self.started) - TimeDelta::seconds(4)).to_rfc3339();
            input["event"] = json!({"source": "aws.s3", "detail-type": "Object Created", "time": event_at, "detail":
                {"bucket": {"name": "acme-incoming"}, "object": {"key": key}}});
        }
        if self.status == "FAILED" {
            all["error"] = self.outcome()["code"].clone();
        }
        if let Some((error, cause)) = &self.why {
            (all["error"], all["cause"]) = ((*error).into(), cause.as_str().into());
        }
        all["input"] = input.to_string().into();
        if self.status == "SUCCEEDED" {
            all["output"] = self.outcome().to_string().into();
        }
        if self.redriven {
            (all["redriveCount"], all["redriveDate"]) = (1.into(), seconds("2026-11-27T09:30:00Z").into());
        }
        all["redriveStatus"] = "REDRIVABLE".into();
        if ["RUNNING", "SUCCEEDED"].contains(&self.status) {
            all["redriveStatus"] = "NOT_REDRIVABLE".into();
            all["redriveStatusReason"] = format!("Execution is {} and cannot be redriven", self.status).into();
        }
        all
    }

    /// Its only attempt.
    pub fn attempt(&self) -> AttemptRef {
        AttemptRef { instance: self.instance.clone(), run: self.run(), attempt: 1 }
    }

    /// The outcome of one that ended.
    pub fn outcome(&self) -> Value {
        let phase = |from: i64, seconds: i64| {
            let started = at(self.started) + TimeDelta::seconds(from);
            json!({"startedAt": started, "endedAt": started + TimeDelta::seconds(seconds), "seconds": seconds})
        };
        let layout = layout(self.bucket());
        let output = |name: &str| layout.uri(&(layout.attempt(&self.attempt()) + name));
        let mut all = json!({"run": self.run(), "attempt": 1, "status": self.status, "instance": self.instance,
            "notebook": self.notebook, "instanceAfter": "atRest", "executionArn": self.arn(), "redriveCount": 0,
            "outputs": {"notebook": output("output.ipynb"), "html": output("output.html"), "log": output("log.txt")},
            "phases": {"starting": phase(5, 190), "queued": phase(195, 2), "running": phase(197, self.took)},
            "admittedAt": self.started, "concludedAt": self.stopped});
        match self.status {
            "FAILED" if !instances::is_there(&self.instance) => {
                let failure = InstanceName::parse(&self.instance).map(|name| name.not_found());
                all["code"] = "InstanceNotFound".into();
                all["failure"] = json!(failure.ok());
                (all["instanceAfter"], all["outputs"], all["phases"]) = ("notTouched".into(), json!({}), json!({}));
            }
            "FAILED" if self.is_of_lab() => {
                all["code"] = "NotebookFailed".into();
                all["failure"] = lab::failure();
            }
            "FAILED" => {
                all["code"] = "NotebookFailed".into();
                all["failure"] = json!({"code": "NotebookFailed",
                    "message": "Cell 7 of 12 raised KeyError: 'order_id'. The output notebook has all outputs until then.",
                    "evidence": {"cell": {"number": 7, "errorName": "KeyError", "errorValue": "'order_id'", "tracebackTail": [
                        "KeyError                                  Traceback (most recent call last)",
                        "Cell In[7], line 1",
                        "----> 1 orders = orders.merge(customers, on=\"order_id\", how=\"left\", validate=\"many_to_one\")",
                        "KeyError: 'order_id'"]}}});
            }
            "ABORTED" => {
                all["code"] = "Cancelled".into();
                all["failure"] =
                    json!({"code": "Cancelled", "message": "The execution was stopped by ana: wrong month."});
                all["outputs"] = json!({});
            }
            _ => {}
        }
        all
    }
}

/// The definition with the functions of the stack.
fn deployed() -> String {
    DEFINITION.replace("Arn}", "").replace("${", "arn:aws:lambda:us-east-1:111122223333:function:reveille-")
}

fn arn(machine: &str, name: &str) -> String {
    format!("{}:{name}", machine.replace("stateMachine", "execution"))
}

/// All that there are, as the calls before have left them.
fn all(call: &StubCall<'_>) -> Vec<WorldExecution> {
    let redriven: Vec<Value> = before(call, "RedriveExecution").collect();
    let all = started(call).into_iter().chain(executions()).chain(lab::executions());
    let now = |it: WorldExecution| {
        if redriven.iter().any(|body| body["executionArn"] == it.arn().as_str()) {
            WorldExecution { status: "RUNNING", stopped: None, redriven: true, ..it }
        } else {
            it
        }
    };
    all.map(now).collect()
}

pub fn answer(call: &StubCall<'_>, body: &Value) -> Option<(u16, String)> {
    let all = || all(call).into_iter();
    let named = || all().find(|it| body["executionArn"] == it.arn().as_str());
    Some(match call.action {
        "StartExecution" => {
            let arn = arn(body["stateMachineArn"].as_str()?, body["name"].as_str()?);
            of(&json!({"executionArn": arn, "startDate": seconds("2026-11-27T09:04:00Z")}))
        }
        "RedriveExecution" => of(&json!({"redriveDate": seconds("2026-11-27T09:30:00Z")})),
        "ListExecutions" => {
            let of_machine = all().filter(|it| body["stateMachineArn"] == it.machine);
            let wanted = of_machine.filter(|it| body["statusFilter"].is_null() || body["statusFilter"] == it.status);
            of(&json!({"executions": wanted.map(|it| it.listed()).collect::<Vec<_>>()}))
        }
        "DescribeExecution" => named().map_or_else(
            || missing("ExecutionDoesNotExist", "Execution Does Not Exist"),
            |execution| of(&execution.described()),
        ),
        "GetExecutionHistory" => {
            let execution = named()?;
            let entered = |(state, after): (&str, i64)| {
                json!({"id": 9, "type": "TaskStateEntered", "timestamp": seconds(execution.started) + after,
                    "stateEnteredEventDetails": {"name": state}})
            };
            let last = (execution.state, 0);
            let newest_first = body["reverseOrder"] == true;
            let events = if newest_first { vec![entered(last)] } else { STATES.map(entered).to_vec() };
            of(&json!({"events": events}))
        }
        "DescribeStateMachine" => {
            of(&json!({"stateMachineArn": MACHINE, "status": "ACTIVE", "name": "reveille-NotebookRun",
            "roleArn": "r", "type": "STANDARD", "creationDate": 1, "definition": deployed()}))
        }
        _ => return None,
    })
}
