#![allow(dead_code, reason = "each test of a step uses a part of it")]
//! A bucket with conditional writes, an instance at rest, and one answer of StartNotebookInstance.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use reveille_domain::layout::Layout;
use reveille_domain::ports::{
    AnswerTask, Call, CallError, CallErrorKind, Clock, DeleteObject, DescribeExecution, DescribeNotebookInstance,
    DescribeWholeExecution, ExecutionSeen, GetObject, InstanceStatus, ListEndedExecutions, ListObjects, Nonces, Object,
    Observation, PublishEvent, PutAnswer, PutCondition, PutObject, StartAnswer, StartNotebookInstance, StopAnswer,
    StopNotebookInstance, TokenAnswer,
};
use reveille_domain::records::{Lease, LeaseState};
use reveille_domain::{Failure, InstanceName};
use reveille_protocol::Stack;
use serde_json::Value;

/// The world of a step.
pub struct World {
    pub objects: RefCell<BTreeMap<String, Vec<u8>>>,
    pub answer: Call<StartAnswer>,
    pub nonces: Cell<u32>,
    pub starts: Cell<u32>,
    pub events: Cell<u32>,
    /// What PutEvents answers.
    pub publishing: Call<()>,
    /// Keys that end so cannot be read.
    pub unreadable: Option<&'static str>,
    /// The one execution that Step Functions knows.
    pub execution: Option<ExecutionSeen>,
}

impl World {
    /// Where Start answers this.
    pub fn answering(answer: Call<StartAnswer>) -> Self {
        let (objects, nonces, starts, events) = Default::default();
        Self { objects, answer, nonces, starts, events, publishing: Ok(()), unreadable: None, execution: None }
    }
}

/// The stack of the tests.
pub fn stack() -> Stack {
    Stack { layout: Layout { bucket: "b".into(), prefix: String::new() }, heartbeat_seconds: 300 }
}

/// Lets a step run to its end.
pub fn block_on<T>(step: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(step)
}

/// The one time of these tests.
pub fn now() -> DateTime<Utc> {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

/// Two bodies have one tag only if they are equal: the nonces make every write another body.
fn etag(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

impl Clock for World {
    fn now(&self) -> DateTime<Utc> {
        now()
    }
}

impl Nonces for World {
    fn nonce(&self) -> String {
        self.nonces.set(self.nonces.get() + 1);
        self.nonces.get().to_string()
    }
}

impl DescribeNotebookInstance for World {
    async fn describe_notebook_instance(&self, _: &InstanceName) -> Call<Option<Observation>> {
        Ok(Some(Observation {
            status: InstanceStatus::Stopped,
            failure_reason: None,
            last_modified: Some(now()),
            lifecycle_config: Some("reveille".into()),
        }))
    }
}

impl StartNotebookInstance for World {
    async fn start_notebook_instance(&self, _: &InstanceName) -> Call<StartAnswer> {
        // The intent stands before the effect.
        let lease: Lease = serde_json::from_slice(&self.objects.borrow()["leases/nightly.json"]).unwrap();
        assert_eq!(lease.state, LeaseState::Starting);
        self.starts.set(self.starts.get() + 1);
        self.answer.clone()
    }
}

impl GetObject for World {
    async fn get_object(&self, key: &str) -> Call<Option<Object>> {
        if self.unreadable.is_some_and(|end| key.ends_with(end)) {
            return Err(CallError {
                kind: CallErrorKind::AccessDenied,
                action: "s3:GetObject",
                resource: key.to_owned(),
                message: "AccessDenied: Access Denied".to_owned(),
            });
        }
        Ok(self.objects.borrow().get(key).map(|body| Object { body: body.clone(), etag: etag(body) }))
    }
}

impl PutObject for World {
    async fn put_object(&self, key: &str, body: Vec<u8>, condition: PutCondition) -> Call<PutAnswer> {
        let stands = self.objects.borrow().get(key).map(|body| etag(body));
        let holds = match condition {
            PutCondition::Always => true,
            PutCondition::IfAbsent => stands.is_none(),
            PutCondition::IfMatch(expected) => stands == Some(expected),
        };
        if !holds {
            return Ok(PutAnswer::ConditionFailed);
        }
        let written = etag(&body);
        self.objects.borrow_mut().insert(key.to_owned(), body);
        Ok(PutAnswer::Written(written))
    }
}

impl DeleteObject for World {
    async fn delete_object(&self, key: &str, expected: &str) -> Call<bool> {
        let holds = self.objects.borrow().get(key).is_some_and(|body| etag(body) == expected);
        if holds {
            self.objects.borrow_mut().remove(key);
        }
        Ok(holds)
    }
}

impl PublishEvent for World {
    async fn publish_event(&self, _: &str, _: &Value) -> Call<()> {
        self.events.set(self.events.get() + 1);
        self.publishing.clone()
    }
}

impl ListObjects for World {
    async fn list_objects(&self, prefix: &str, limit: usize) -> Call<Vec<String>> {
        Ok(self.objects.borrow().keys().filter(|key| key.starts_with(prefix)).take(limit).cloned().collect())
    }
}

impl StopNotebookInstance for World {
    async fn stop_notebook_instance(&self, _: &InstanceName) -> Call<StopAnswer> {
        Ok(StopAnswer::WrongStatus("Status (Stopped) not in ([InService]).".to_owned()))
    }
}

impl DescribeExecution for World {
    async fn is_running(&self, _: &str) -> Call<bool> {
        Ok(false)
    }
}

impl DescribeWholeExecution for World {
    async fn describe_whole_execution(&self, _: &str) -> Call<Option<ExecutionSeen>> {
        Ok(self.execution.clone())
    }
}

impl ListEndedExecutions for World {
    async fn list_ended_executions(&self, _: DateTime<Utc>, _: usize) -> Call<Vec<String>> {
        Ok(self.execution.iter().map(|seen| seen.execution.arn.clone()).collect())
    }
}

impl AnswerTask for World {
    async fn send_task_success(&self, _: &str, _: &Value) -> Call<TokenAnswer> {
        Ok(TokenAnswer::Accepted)
    }

    async fn send_task_failure(&self, _: &str, _: &Failure) -> Call<TokenAnswer> {
        Ok(TokenAnswer::Accepted)
    }
}
