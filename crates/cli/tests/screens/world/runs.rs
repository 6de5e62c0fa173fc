//! Step Functions' executions.

use chrono::TimeDelta;
use reveille_domain::{RunId, layout::AttemptRef};
use serde_json::{Value, json};

use super::{MACHINE, at, missing, objects::layout, of, seconds};

/// An execution.
pub struct WorldExecution {
    pub name: &'static str,
    pub notebook: &'static str,
    pub instance: &'static str,
    pub status: &'static str,
    pub started: &'static str,
    pub stopped: Option<&'static str>,
    /// Seconds that its notebook took.
    pub took: i64,
    /// The state that it entered last.
    pub state: &'static str,
}

const DEFINITION: &str = include_str!("../../../../../statemachines/notebook_run.asl.json");

/// The newest first.
pub const ALL: [WorldExecution; 6] = [
    WorldExecution {
        name: "orders-europe-west-6f1f0c2a",
        notebook: "pipelines/orders/import-orders.ipynb",
        instance: "nightly",
        status: "RUNNING",
        started: "2026-11-27T09:21:00Z",
        stopped: None,
        took: 0,
        state: "AwaitRun",
    },
    WorldExecution {
        name: "daily-sales-20261127T091000",
        notebook: "reports/daily-sales.ipynb",
        instance: "nightly",
        status: "RUNNING",
        started: "2026-11-27T09:10:00Z",
        stopped: None,
        took: 0,
        state: "AwaitRun",
    },
    WorldExecution {
        name: "daily-sales-20261126T091000",
        notebook: "reports/daily-sales.ipynb",
        instance: "nightly",
        status: "SUCCEEDED",
        started: "2026-11-26T09:10:00Z",
        stopped: Some("2026-11-26T09:41:00Z"),
        took: 1_505,
        state: "IsConcluded",
    },
    WorldExecution {
        name: "orders-europe-west-5e02b1d7",
        notebook: "pipelines/orders/import-orders.ipynb",
        instance: "nightly",
        status: "SUCCEEDED",
        started: "2026-11-26T08:10:00Z",
        stopped: Some("2026-11-26T08:21:00Z"),
        took: 252,
        state: "IsConcluded",
    },
    WorldExecution {
        name: "orders-europe-east-2d9c77e1",
        notebook: "pipelines/orders/import-orders.ipynb",
        instance: "nightly",
        status: "FAILED",
        started: "2026-11-25T07:40:00Z",
        stopped: Some("2026-11-25T07:52:30Z"),
        took: 134,
        state: "IsConcluded",
    },
    WorldExecution {
        name: "monthly-summary-by-hand",
        notebook: "reports/monthly/management-summary.ipynb",
        instance: "reports",
        status: "ABORTED",
        started: "2026-11-24T13:00:00Z",
        stopped: Some("2026-11-24T13:31:00Z"),
        took: 1_700,
        state: "AwaitRun",
    },
];

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
    pub fn arn(&self) -> String {
        format!("{}:{}", MACHINE.replace("stateMachine", "execution"), self.name)
    }

    pub fn run(&self) -> RunId {
        RunId::of(self.name, &self.arn(), at(self.started))
    }

    pub fn named(name: &str) -> &'static Self {
        ALL.iter().find(|it| it.name == name).unwrap()
    }

    fn listed(&self) -> Value {
        let mut all = json!({"executionArn": self.arn(), "name": self.name, "stateMachineArn": MACHINE,
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
        if self.name.starts_with("orders") {
            let event_at = (at(self.started) - TimeDelta::seconds(4)).to_rfc3339();
            input["event"] = json!({"source": "aws.s3", "detail-type": "Object Created", "time": event_at, "detail":
                {"bucket": {"name": "acme-incoming"}, "object": {"key": "orders/2026/11/25/europe-east.csv"}}});
        }
        if self.status == "FAILED" {
            all["error"] = "NotebookFailed".into();
        }
        all["input"] = input.to_string().into();
        if self.status == "SUCCEEDED" {
            all["output"] = self.outcome().to_string().into();
        }
        all
    }

    /// Its only attempt.
    pub fn attempt(&self) -> AttemptRef {
        AttemptRef { instance: self.instance.to_owned(), run: self.run(), attempt: 1 }
    }

    /// The outcome of one that ended.
    pub fn outcome(&self) -> Value {
        let phase = |from: i64, seconds: i64| {
            let started = at(self.started) + TimeDelta::seconds(from);
            json!({"startedAt": started, "endedAt": started + TimeDelta::seconds(seconds), "seconds": seconds})
        };
        let layout = layout();
        let output = |name: &str| layout.uri(&(layout.attempt(&self.attempt()) + name));
        let mut all = json!({"run": self.run(), "attempt": 1, "status": self.status, "instance": self.instance,
            "notebook": self.notebook, "instanceAfter": "atRest", "executionArn": self.arn(), "redriveCount": 0,
            "outputs": {"notebook": output("output.ipynb"), "html": output("output.html"), "log": output("log.txt")},
            "phases": {"starting": phase(5, 190), "queued": phase(195, 2), "running": phase(197, self.took)},
            "admittedAt": self.started, "concludedAt": self.stopped});
        match self.status {
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

pub fn answer(action: &str, body: &Value) -> Option<(u16, String)> {
    let named = || ALL.iter().find(|it| body["executionArn"] == it.arn().as_str());
    Some(match action {
        "ListExecutions" => {
            let wanted = |it: &&WorldExecution| body["statusFilter"].is_null() || body["statusFilter"] == it.status;
            of(&json!({"executions": ALL.iter().filter(wanted).map(WorldExecution::listed).collect::<Vec<_>>()}))
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
