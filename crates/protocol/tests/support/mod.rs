#![allow(dead_code, reason = "each test of a step uses a part of it")]
//! A bucket with conditional writes, a stopped instance, and one answer of StartNotebookInstance.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use reveille_domain::layout::{AttemptRef, Layout};
use reveille_domain::ports::{
    AnswerTask, Call, CallError, CallErrorKind, Clock, DeleteObject, DescribeExecution, DescribeNotebookInstance,
    DescribeWholeExecution, EndedExecution, EndedList, EndedPage, ExecutionEnding, ExecutionSeen, ExecutionStatus,
    GetAnswer, GetObject, InstanceStatus, ListEndedExecutions, ListObjects, Nonces, Observation, PublishEvent,
    PutAnswer, PutCondition, PutObject, StartAnswer, StartNotebookInstance, StopAnswer, StopNotebookInstance,
    TokenAnswer,
};
use reveille_domain::records::{Claim, Claimant, Lease, LeaseState};
use reveille_domain::{Failure, InstanceName};
use reveille_protocol::Stack;
use serde_json::Value;
use tokio::sync::Notify;

mod bucket;
pub mod runner;

pub struct StepWorld {
    pub objects: RefCell<BTreeMap<String, Vec<u8>>>,
    pub answer: Call<StartAnswer>,
    pub nonces: Cell<u32>,
    pub starts: Cell<u32>,
    pub events: Cell<u32>,
    /// What PutEvents answers.
    pub publishing: Call<()>,
    /// Calls that fail.
    pub faults: RefCell<Vec<StepFault>>,
    /// Calls that take so many seconds: the action, a part of the key, and the time.
    pub slow: RefCell<Vec<(&'static str, String, i64)>>,
    /// Whether writes take effect and their answers are lost: the SDK's second try finds its condition broken.
    pub loses_answers: Cell<bool>,
    /// Seconds that passed since `now()`.
    pub passed: Cell<i64>,
    /// What was sent to task tokens: a failure, or none for a success.
    pub answers: RefCell<Vec<Option<Failure>>>,
    /// Details of the events that were published.
    pub published: RefCell<Vec<Value>>,
    /// Stops that were accepted; they take no time.
    pub stops: Cell<u32>,
    /// Lines of the log.
    pub log: RefCell<Vec<String>>,
    /// How often a runner killed what an earlier one had left.
    pub kills: Cell<u32>,
    /// Notebooks that were executed.
    pub executed: Cell<u32>,
    /// What is written while a notebook is executed.
    pub during: Option<(String, Vec<u8>)>,
    /// Another.
    pub and_during: Option<(String, Vec<u8>)>,
    /// Whether notebooks go on until they are ended.
    pub endless: Cell<bool>,
    /// Files that were uploaded.
    pub uploaded: RefCell<Vec<String>>,
    /// Sleeps until the runner's world ends.
    pub sleeps_left: Cell<u32>,
    /// The runner's world ended.
    pub over: Notify,
    /// The executions that Step Functions knows, newest start first, and when each ended.
    pub executions: RefCell<Vec<(ExecutionSeen, DateTime<Utc>)>>,
    /// Executions on a page of a list.
    pub page_size: Cell<usize>,
    /// Seconds that a Describe takes.
    pub describing: Cell<i64>,
    /// Instances that were described.
    pub described: RefCell<Vec<String>>,
    /// Prefixes that were listed, and up to how many keys.
    pub lists: RefCell<Vec<(String, usize)>>,
    /// The status of the instance, and the seconds after `now()` at which it entered it.
    pub status: Cell<(InstanceStatus, i64)>,
    /// Calls until the function is cut off.
    pub calls_left: Cell<Option<u32>>,
    /// What a look at cuts off the function each time: instances and executions.
    pub poison: RefCell<BTreeSet<String>>,
    /// The function was cut off.
    pub cut: Notify,
}

impl StepWorld {
    /// Where Start answers this.
    pub fn answering(answer: Call<StartAnswer>) -> Self {
        Self {
            objects: RefCell::default(),
            answer,
            nonces: Cell::default(),
            starts: Cell::default(),
            events: Cell::default(),
            publishing: Ok(()),
            faults: RefCell::default(),
            slow: RefCell::default(),
            loses_answers: Cell::default(),
            passed: Cell::default(),
            answers: RefCell::default(),
            published: RefCell::default(),
            stops: Cell::default(),
            log: RefCell::default(),
            kills: Cell::default(),
            executed: Cell::default(),
            during: None,
            and_during: None,
            endless: Cell::default(),
            uploaded: RefCell::default(),
            sleeps_left: Cell::new(100),
            over: Notify::new(),
            executions: RefCell::default(),
            page_size: Cell::new(1_000),
            describing: Cell::default(),
            described: RefCell::default(),
            lists: RefCell::default(),
            status: Cell::new((InstanceStatus::Stopped, 0)),
            calls_left: Cell::default(),
            poison: RefCell::default(),
            cut: Notify::new(),
        }
    }

    /// Puts a record, as JSON.
    pub fn put(&self, key: &str, record: &impl serde::Serialize) {
        self.objects.borrow_mut().insert(key.to_owned(), serde_json::to_vec(record).unwrap());
    }

    /// The objects beside the history, by their keys.
    pub fn records(&self) -> BTreeMap<String, Vec<u8>> {
        let objects = self.objects.borrow();
        let records = objects.iter().filter(|(key, _)| !key.starts_with("history"));
        records.map(|(key, body)| (key.clone(), body.clone())).collect()
    }

    /// The one execution that Step Functions knows; it ended just now.
    pub fn only(&self, seen: ExecutionSeen) {
        *self.executions.borrow_mut() = vec![(seen, now())];
    }

    /// A call: does not return where the function is cut off at it.
    async fn call(&self) {
        if let Some(left) = self.calls_left.get() {
            if left == 0 {
                self.cut_off().await;
            }
            self.calls_left.set(Some(left - 1));
        }
    }

    async fn cut_off(&self) {
        self.cut.notify_one();
        std::future::pending::<()>().await;
    }

    async fn meet(&self, name: &str) {
        if self.poison.borrow().contains(name) {
            self.cut_off().await;
        }
    }

    fn pass(&self) {
        self.passed.set(self.passed.get() + self.describing.get());
    }

    /// Takes its time, if it is slow. Whoever else lets time pass meanwhile is served, too.
    async fn slowly(&self, action: &'static str, key: &str) {
        let seconds =
            self.slow.borrow().iter().find(|(of, part, _)| *of == action && key.contains(part)).map(|it| it.2);
        let end = self.passed.get() + seconds.unwrap_or_default();
        while self.passed.get() < end {
            self.passed.set(self.passed.get() + 1);
            tokio::task::yield_now().await;
        }
    }

    /// Fails if a fault waits for this call.
    fn fail(&self, action: &'static str, key: &str) -> Call<()> {
        let mut faults = self.faults.borrow_mut();
        let Some(fault) =
            faults.iter_mut().find(|fault| fault.action == action && key.contains(fault.key_end) && fault.times > 0)
        else {
            return Ok(());
        };
        fault.times -= 1;
        Err(CallError { kind: fault.kind, action, resource: key.to_owned(), message: "a fault".to_owned() })
    }
}

/// A call that fails, a number of times.
pub struct StepFault {
    pub action: &'static str,
    pub key_end: &'static str,
    /// How it fails.
    pub kind: CallErrorKind,
    /// How often.
    pub times: u32,
}

/// The stack of the tests.
pub fn stack() -> Stack {
    Stack {
        layout: Layout { bucket: "b".into(), prefix: String::new() },
        heartbeat_seconds: 300,
        live_output_seconds: 5,
        max_waiting_runs: 3,
    }
}

/// Lets a step run to its end.
pub fn block_on<T>(step: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(step)
}

/// The one time of these tests.
pub fn now() -> DateTime<Utc> {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

/// An earlier claim of an attempt.
pub fn claim(by: Claimant, of: &AttemptRef, boot_id: Option<&str>) -> Claim {
    bucket::claim(by, of, boot_id, now())
}

impl Clock for StepWorld {
    fn now(&self) -> DateTime<Utc> {
        now() + TimeDelta::seconds(self.passed.get())
    }
}

impl Nonces for StepWorld {
    fn nonce(&self) -> String {
        self.nonces.set(self.nonces.get() + 1);
        self.nonces.get().to_string()
    }
}

impl DescribeNotebookInstance for StepWorld {
    async fn describe_notebook_instance(&self, name: &InstanceName) -> Call<Option<Observation>> {
        self.call().await;
        self.meet(name.as_str()).await;
        self.pass();
        self.described.borrow_mut().push(name.to_string());
        let (status, since) = self.status.get();
        Ok(Some(Observation {
            status,
            failure_reason: None,
            last_modified: Some(now() + TimeDelta::seconds(since)),
            lifecycle_config: Some("reveille".into()),
        }))
    }
}

impl StartNotebookInstance for StepWorld {
    async fn start_notebook_instance(&self, _: &InstanceName) -> Call<StartAnswer> {
        // The intent is written before the effect.
        let lease: Lease = serde_json::from_slice(&self.objects.borrow()["leases/nightly.json"]).unwrap();
        assert_eq!(lease.state, LeaseState::Starting);
        self.starts.set(self.starts.get() + 1);
        self.answer.clone()
    }
}

impl GetObject for StepWorld {
    async fn get_object(&self, key: &str) -> Call<GetAnswer> {
        self.call().await;
        self.slowly("s3:GetObject", key).await;
        self.fail("s3:GetObject", key)?;
        Ok(bucket::get(&self.objects.borrow(), key))
    }
}

impl PutObject for StepWorld {
    async fn put_object(&self, key: &str, body: Vec<u8>, condition: PutCondition) -> Call<PutAnswer> {
        self.call().await;
        self.slowly("s3:PutObject", key).await;
        self.fail("s3:PutObject", key)?;
        let answer = bucket::put(&mut self.objects.borrow_mut(), key, body, condition);
        Ok(if self.loses_answers.get() { PutAnswer::ConditionFailed } else { answer })
    }
}

impl DeleteObject for StepWorld {
    async fn delete_object(&self, key: &str, expected: &str) -> Call<bool> {
        self.call().await;
        self.fail("s3:DeleteObject", key)?;
        Ok(bucket::delete(&mut self.objects.borrow_mut(), key, expected))
    }
}

impl PublishEvent for StepWorld {
    async fn publish_event(&self, _: &str, detail: &Value) -> Call<()> {
        self.call().await;
        self.events.set(self.events.get() + 1);
        self.published.borrow_mut().push(detail.clone());
        self.publishing.clone()
    }
}

impl ListObjects for StepWorld {
    async fn list_objects_after(&self, prefix: &str, after: Option<&str>, limit: usize) -> Call<Vec<String>> {
        self.call().await;
        self.fail("s3:ListBucket", prefix)?;
        self.lists.borrow_mut().push((prefix.to_owned(), limit));
        Ok(bucket::keys_after(&self.objects.borrow(), prefix, after, limit))
    }
}

impl StopNotebookInstance for StepWorld {
    async fn stop_notebook_instance(&self, name: &InstanceName) -> Call<StopAnswer> {
        self.call().await;
        self.fail("sagemaker:StopNotebookInstance", name.as_str())?;
        if self.status.get().0 != InstanceStatus::InService {
            return Ok(StopAnswer::WrongStatus("Status (Stopped) not in ([InService]).".to_owned()));
        }
        self.status.set((InstanceStatus::Stopped, self.passed.get()));
        self.stops.set(self.stops.get() + 1);
        Ok(StopAnswer::Accepted)
    }
}

impl DescribeExecution for StepWorld {
    async fn is_running(&self, arn: &str) -> Call<bool> {
        self.call().await;
        let known = self.executions.borrow();
        Ok(known.iter().any(|(seen, _)| seen.execution.arn == arn && seen.status == ExecutionStatus::Running))
    }
}

impl DescribeWholeExecution for StepWorld {
    async fn describe_whole_execution(&self, arn: &str) -> Call<Option<ExecutionSeen>> {
        self.call().await;
        self.meet(arn).await;
        self.pass();
        let known = self.executions.borrow();
        Ok(known.iter().find(|(seen, _)| seen.execution.arn == arn).map(|(seen, _)| seen.clone()))
    }
}

impl ListEndedExecutions for StepWorld {
    async fn list_ended_executions(&self, list: EndedList, page: Option<&str>, size: usize) -> Call<Option<EndedPage>> {
        let status = match list.ending {
            ExecutionEnding::Aborted => ExecutionStatus::Aborted,
            ExecutionEnding::TimedOut => ExecutionStatus::TimedOut,
            ExecutionEnding::Failed => ExecutionStatus::Failed,
        };
        self.page(page, size, |seen| seen.status == status && (!list.redriven || seen.execution.redrive_count > 0))
            .await
    }

    async fn list_executions(&self, redriven: bool, page: Option<&str>, size: usize) -> Call<Option<EndedPage>> {
        self.page(page, size, |seen| !redriven || seen.execution.redrive_count > 0).await
    }
}

impl StepWorld {
    async fn page(
        &self,
        page: Option<&str>,
        size: usize,
        is_listed: impl Fn(&ExecutionSeen) -> bool,
    ) -> Call<Option<EndedPage>> {
        self.call().await;
        self.fail("states:ListExecutions", page.unwrap_or_default())?;
        let known = self.executions.borrow();
        let ended = |(seen, ended): &(ExecutionSeen, DateTime<Utc>)| EndedExecution {
            arn: seen.execution.arn.clone(),
            started_at: seen.execution.start_time,
            ended_at: (seen.status != ExecutionStatus::Running).then_some(*ended),
        };
        let listed: Vec<EndedExecution> = known.iter().filter(|(seen, _)| is_listed(seen)).map(ended).collect();
        // Step Functions forgets its pages.
        let Ok(from) = page.unwrap_or("0").parse::<usize>() else { return Ok(None) };
        let to = listed.len().min(from + size.min(self.page_size.get()));
        let next = (to < listed.len()).then(|| to.to_string());
        Ok(Some(EndedPage { executions: listed[from.min(to)..to].to_vec(), next }))
    }
}

impl AnswerTask for StepWorld {
    async fn send_task_success(&self, _: &str, _: &Value) -> Call<TokenAnswer> {
        self.answers.borrow_mut().push(None);
        Ok(TokenAnswer::Accepted)
    }

    async fn send_task_failure(&self, _: &str, failure: &Failure) -> Call<TokenAnswer> {
        self.answers.borrow_mut().push(Some(failure.clone()));
        Ok(TokenAnswer::Accepted)
    }
}
