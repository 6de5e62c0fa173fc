#![allow(dead_code, reason = "each test of the runner uses a part of it")]
//! A world in which every call takes its time, on a paused clock: what a runner does in minutes and hours.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reveille_domain::layout::{AttemptRef, Layout};
use reveille_domain::ports::{
    AnswerTask, AskedToEnd, Call, Cells, Clock, ExecuteNotebook, ExecutedNotebook, FindLeftNotebook, Jupyter,
    KillLeftovers, LeftNotebook, Log, Nonces, OutputFile, PersonSeen, RunningNotebook, SeePerson, SendTaskHeartbeat,
    Sleep, StopAnswer, StopNotebookInstance, TokenAnswer, UploadFile,
};
use reveille_domain::records::{Claim, Claimant, Lease, LeaseState, Request, Ticket};
use reveille_domain::{Code, Failure, InstanceName, RunId};
use reveille_protocol::runner::{Identity, Runner};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;

#[path = "../support/bucket.rs"]
mod bucket;
pub mod live;
mod outside;
pub mod played;
mod records;

/// What every call takes.
const LATENCY: Duration = Duration::from_millis(25);

/// A claim of an attempt, of the beginning.
pub fn claim(by: Claimant, of: &AttemptRef, boot_id: Option<&str>) -> Claim {
    bucket::claim(by, of, boot_id, Slow::time_of(Duration::ZERO))
}

/// The world.
pub struct Slow {
    pub layout: Layout,
    pub objects: RefCell<BTreeMap<String, Vec<u8>>>,
    began: Instant,
    /// When each token was last beaten, or given; only of tickets in the inbox.
    beaten: RefCell<BTreeMap<String, Instant>>,
    /// The longest time between two beats of a ticket in the inbox.
    pub longest_gap: Cell<Duration>,
    /// How long a notebook takes.
    pub notebook: Cell<Duration>,
    pub executed: Cell<u32>,
    /// From when on the listing never answers.
    pub list_hangs_after: Cell<Duration>,
    /// Lease writes that fail once there is a report.
    pub failing_leases: Cell<u32>,
    /// From when and until when leases cannot be written.
    pub unwritable_lease: Cell<(Duration, Duration)>,
    /// Until when the reports of this run cannot be put.
    pub failing_report: Cell<(&'static str, Duration)>,
    /// Until when a person is seen at work; nothing tells of them afterwards.
    pub person_until: Cell<Duration>,
    /// Whether Jupyter gives no answer, and how often it was asked.
    pub jupyter_is_silent: Cell<bool>,
    pub looks: Cell<u32>,
    /// Beats that are under way, and the most that were.
    pub beating: Cell<(usize, usize)>,
    /// The tokens that were answered.
    pub answered: RefCell<Vec<String>>,
    /// Tokens under which nobody waits.
    pub gone: RefCell<BTreeSet<String>>,
    pub stopped: Cell<Option<Duration>>,
    pub calls: Cell<u64>,
    /// The executions that are running, by ARN.
    pub running: RefCell<BTreeSet<String>>,
    pub log: RefCell<Vec<String>>,
    /// When the machine asks the runner to end.
    pub asked_at: Cell<Duration>,
    /// When it ended then.
    pub left_at: Cell<Option<Duration>>,
    /// How long the end of a notebook takes then, and how it had ended.
    pub ending: RefCell<(Duration, Option<Failure>)>,
    /// What an earlier runner left.
    pub left: RefCell<Option<LeftNotebook>>,
    /// Files that were uploaded, and what each upload takes.
    pub uploaded: RefCell<Vec<String>>,
    pub upload_takes: Cell<Duration>,
    /// What is uploaded while a notebook runs.
    pub shown: live::Shown,
    nonces: Cell<u32>,
}

fn start() -> DateTime<Utc> {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

pub fn nightly() -> InstanceName {
    InstanceName::parse("nightly").unwrap()
}

impl Slow {
    /// A boot of ours with this many runs in its inbox.
    pub fn with_runs(runs: u32, heartbeat_seconds: u32, queue_seconds: u32) -> Self {
        let world = Self {
            layout: Layout { bucket: "b".into(), prefix: String::new() },
            objects: RefCell::default(),
            began: Instant::now(),
            beaten: RefCell::default(),
            longest_gap: Cell::default(),
            notebook: Cell::new(Duration::from_mins(1)),
            executed: Cell::default(),
            list_hangs_after: Cell::new(Duration::MAX),
            failing_leases: Cell::default(),
            unwritable_lease: Cell::default(),
            failing_report: Cell::default(),
            person_until: Cell::default(),
            jupyter_is_silent: Cell::default(),
            looks: Cell::default(),
            beating: Cell::default(),
            answered: RefCell::default(),
            gone: RefCell::default(),
            stopped: Cell::default(),
            calls: Cell::default(),
            running: RefCell::default(),
            log: RefCell::default(),
            asked_at: Cell::new(Duration::MAX),
            left_at: Cell::default(),
            ending: RefCell::new((Duration::ZERO, Some(Failure::new(Code::Cancelled, "The notebook was ended.")))),
            left: RefCell::default(),
            uploaded: RefCell::default(),
            upload_takes: Cell::default(),
            shown: live::Shown::default(),
            nonces: Cell::default(),
        };
        let starter = RunId::from_key("r-00000");
        let intent = Lease::starting(&starter, "n".into(), None, start());
        world.put_record(&world.layout.lease(&nightly()), &Lease { state: LeaseState::Open, certain: true, ..intent });
        for number in 0..runs {
            // The first was admitted first, and waits as long as it must.
            let queue_seconds = if number == 0 { 86_400 } else { queue_seconds };
            world.add_run(number, heartbeat_seconds, queue_seconds);
        }
        world
    }

    pub fn add_run(&self, number: u32, heartbeat_seconds: u32, queue_seconds: u32) {
        let ticket = self.ticket(number, heartbeat_seconds, queue_seconds);
        let request: Request = serde_json::from_value(json!({
            "run": ticket.run, "executionArn": "arn", "admittedAt": start(), "instance": "nightly",
            "notebook": "a.ipynb", "parameters": {},
            "limits": {"startSeconds": 60, "queueSeconds": 60, "runSeconds": 60, "stopSeconds": 60},
            "whenBusy": "queue", "onRunnerLost": "fail",
        }))
        .unwrap();
        self.put_record(&self.layout.request("nightly", &ticket.run), &request);
        self.put_record(&self.layout.ticket(&nightly(), &ticket.run), &ticket);
        self.beaten.borrow_mut().insert(ticket.task_token, Instant::now());
    }

    pub fn ticket(&self, number: u32, heartbeat_seconds: u32, queue_seconds: u32) -> Ticket {
        Ticket {
            run: RunId::from_key(&format!("r-{number:05}")),
            attempt: 1,
            instance: Some(nightly()),
            execution_arn: "arn".into(),
            admitted_at: start() + TimeDelta::milliseconds(number.into()),
            queued_at: self.now(),
            heartbeat_seconds,
            queue_seconds,
            live_output_seconds: self.shown.every.get(),
            request_sha256: None,
            task_token: format!("token-{number:05}"),
        }
    }

    pub fn put_record(&self, key: &str, record: &impl Serialize) {
        self.objects.borrow_mut().insert(key.to_owned(), serde_json::to_vec(record).unwrap());
    }

    pub fn record(&self, key: &str) -> Option<Value> {
        self.objects.borrow().get(key).map(|body| serde_json::from_slice(body).unwrap())
    }

    pub fn report(&self, number: u32) -> Option<Value> {
        let run = RunId::from_key(&format!("r-{number:05}"));
        self.record(&self.layout.report(&AttemptRef { instance: "nightly".into(), run, attempt: 1 }))
    }

    /// The time on this world's clock so long after its beginning.
    pub fn time_of(elapsed: Duration) -> DateTime<Utc> {
        start() + TimeDelta::from_std(elapsed).unwrap()
    }

    /// Lets a runner serve for so long.
    pub async fn serve(&self, lasting: Duration) {
        let me = Identity { instance: nightly(), boot_id: "boot".into() };
        let layout = self.layout.clone();
        let runner = Runner::bind(&layout, self, &me).await;
        tokio::select! {
            () = runner.serve() => self.left_at.set(Some(self.began.elapsed())),
            () = tokio::time::sleep(lasting) => {}
        }
        for (token, last) in self.beaten.borrow().iter() {
            self.note_gap(token, *last);
        }
    }

    fn note_gap(&self, token: &str, last: Instant) {
        if !self.gone.borrow().contains(token) {
            self.longest_gap.set(self.longest_gap.get().max(last.elapsed()));
        }
    }

    async fn call(&self) {
        self.calls.set(self.calls.get() + 1);
        tokio::time::sleep(LATENCY).await;
    }

    fn answer(&self, token: &str) -> TokenAnswer {
        if let Some(last) = self.beaten.borrow_mut().remove(token) {
            self.note_gap(token, last);
        }
        self.answered.borrow_mut().push(token.to_owned());
        TokenAnswer::Accepted
    }
}

impl Clock for Slow {
    fn now(&self) -> DateTime<Utc> {
        start() + TimeDelta::from_std(self.began.elapsed()).unwrap()
    }
}

impl Sleep for Slow {
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

impl Nonces for Slow {
    fn nonce(&self) -> String {
        self.nonces.set(self.nonces.get() + 1);
        self.nonces.get().to_string()
    }
}

impl AnswerTask for Slow {
    async fn send_task_success(&self, token: &str, _: &Value) -> Call<TokenAnswer> {
        self.call().await;
        Ok(self.answer(token))
    }

    async fn send_task_failure(&self, token: &str, _: &Failure) -> Call<TokenAnswer> {
        self.call().await;
        Ok(self.answer(token))
    }
}

impl SendTaskHeartbeat for Slow {
    async fn send_task_heartbeat(&self, token: &str) -> Call<TokenAnswer> {
        let (now, most) = self.beating.get();
        self.beating.set((now + 1, most.max(now + 1)));
        self.call().await;
        self.beating.set((self.beating.get().0 - 1, self.beating.get().1));
        if self.gone.borrow().contains(token) {
            return Ok(TokenAnswer::Gone);
        }
        let mut beaten = self.beaten.borrow_mut();
        if let Some(last) = beaten.get_mut(token) {
            self.note_gap(token, *last);
            *last = Instant::now();
        }
        Ok(TokenAnswer::Accepted)
    }
}

impl StopNotebookInstance for Slow {
    async fn stop_notebook_instance(&self, _: &InstanceName) -> Call<StopAnswer> {
        self.call().await;
        if self.stopped.get().is_none() {
            self.stopped.set(Some(self.began.elapsed()));
        }
        Ok(StopAnswer::Accepted)
    }
}

impl UploadFile for Slow {
    async fn upload_file(&self, key: &str, _: &Path, _: &str) -> Call<()> {
        self.call().await;
        tokio::time::sleep(self.upload_takes.get()).await;
        self.uploaded.borrow_mut().push(key.to_owned());
        Ok(())
    }
}

impl KillLeftovers for Slow {
    async fn kill_leftovers(&self) {}
}

impl FindLeftNotebook for Slow {
    async fn find_left_notebook(&self) -> Option<LeftNotebook> {
        self.left.borrow().clone()
    }
}

impl AskedToEnd for Slow {
    async fn asked_to_end(&self) {
        match self.began.checked_add(self.asked_at.get()) {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }
}

impl Log for Slow {
    fn log(&self, message: &str) {
        self.log.borrow_mut().push(format!("{:?} {message}", self.began.elapsed()));
    }
}

impl SeePerson for Slow {
    async fn see_person(&self) -> PersonSeen {
        self.looks.set(self.looks.get() + 1);
        let busy = self.began.elapsed() < self.person_until.get();
        // Whoever leaves shuts the server down.
        let jupyter = match (self.jupyter_is_silent.get(), busy) {
            (true, _) => Jupyter::Silent,
            (false, true) => Jupyter::Answered,
            (false, false) => Jupyter::NoServer,
        };
        PersonSeen { busy, last_active: None, ahead: None, jupyter }
    }
}

/// A notebook that succeeds at its time.
pub struct Sleeping {
    at: Instant,
    ending: (Duration, Option<Failure>),
    cells: live::Counting,
}

/// What a notebook left.
pub fn files() -> Vec<OutputFile> {
    [("notebook", "output.ipynb"), ("log", "log.txt")]
        .map(|(name, file_name)| OutputFile { name, file_name, path: file_name.into(), content_type: "text/plain" })
        .into()
}

impl RunningNotebook for Sleeping {
    type Live = live::SlowPrinting;

    fn cells(&self) -> Cells {
        self.cells.now()
    }

    fn live(&self) -> live::SlowPrinting {
        live::SlowPrinting::default()
    }

    async fn finish(&mut self) -> ExecutedNotebook {
        tokio::time::sleep_until(self.at).await;
        ExecutedNotebook::default()
    }

    async fn end(self) -> ExecutedNotebook {
        ExecutedNotebook::default()
    }

    async fn end_soon(self) -> ExecutedNotebook {
        let (takes, failure) = self.ending;
        tokio::time::sleep(takes).await;
        ExecutedNotebook { failure, files: files(), ..ExecutedNotebook::default() }
    }
}

impl ExecuteNotebook for Slow {
    type Running = Sleeping;

    async fn execute_notebook(&self, _: &Request, _: u32) -> Sleeping {
        self.executed.set(self.executed.get() + 1);
        Sleeping {
            at: Instant::now() + self.notebook.get(),
            ending: self.ending.borrow().clone(),
            cells: self.shown.cells(),
        }
    }
}
