//! The world as the runner sees it: its clock goes on while it sleeps, its notebooks end at once.

use std::path::Path;
use std::time::Duration;

use reveille_domain::layout::AttemptRef;
use reveille_domain::ports::{
    AskedToEnd, Call, Cells, ExecuteNotebook, ExecutedNotebook, FindLeftNotebook, InstanceStatus, Jupyter,
    KillLeftovers, LeftNotebook, LiveBody, Log, OutputFile, PersonSeen, RunningNotebook, SeePerson, SendTaskHeartbeat,
    Sleep, StartAnswer, TokenAnswer, UploadFile, UploadLive,
};
use reveille_domain::records::{self, Lease, LeaseState, Request, Ticket};
use reveille_domain::{InstanceName, RunId};
use reveille_protocol::runner::{Identity, Runner};
use serde_json::json;

use super::{StepWorld, block_on, now, stack};

/// The run that waits in the inbox.
pub fn attempt() -> AttemptRef {
    AttemptRef { instance: "nightly".into(), run: execution().run(), attempt: 1 }
}

/// The execution that waits.
pub fn execution() -> records::Execution {
    records::Execution { arn: "arn".into(), name: "r".into(), start_time: now(), redrive_count: 0 }
}

/// A world in which a run waits on an instance that was started for it.
pub fn waiting_run() -> StepWorld {
    let world = StepWorld::answering(Ok(StartAnswer::Accepted));
    let at = attempt();
    let layout = stack().layout;
    let instance = InstanceName::parse(&at.instance).unwrap();
    let lease = Lease { state: LeaseState::Open, certain: true, ..Lease::starting(&at.run, "n".into(), None, now()) };
    let ticket = Ticket {
        run: at.run.clone(),
        attempt: 1,
        instance: None,
        execution_arn: "arn".into(),
        admitted_at: now(),
        queued_at: now(),
        heartbeat_seconds: 300,
        queue_seconds: 7_200,
        live_output_seconds: 0,
        request_sha256: None,
        task_token: "token".into(),
    };
    world.status.set((InstanceStatus::InService, 0));
    world.put(&layout.lease(&instance), &lease);
    world.put(&layout.ticket(&instance, &at.run), &ticket);
    world.put(&layout.request(&at.instance, &at.run), &request(&at.run));
    world
}

/// What the run was asked for.
pub fn request(run: &RunId) -> Request {
    serde_json::from_value(json!({
        "run": run, "executionArn": "arn", "admittedAt": now(), "instance": "nightly", "notebook": "a.ipynb",
        "parameters": {}, "limits": {"startSeconds": 60, "queueSeconds": 60, "runSeconds": 60, "stopSeconds": 60}, "whenBusy": "queue", "onRunnerLost": "fail",
    }))
    .unwrap()
}

/// Lets a runner serve until it has slept as often as the world allows.
pub fn serve(world: &StepWorld) {
    world.sleeps_left.set(100);
    let me = Identity { instance: InstanceName::parse("nightly").unwrap(), boot_id: "boot".into() };
    let layout = stack().layout;
    block_on(async {
        let runner = Runner::bind(&layout, world, &me).await;
        tokio::select! {
            () = runner.serve() => panic!("nobody asked it to end"),
            () = world.over.notified() => {}
        }
    });
}

impl Sleep for StepWorld {
    async fn sleep(&self, duration: Duration) {
        let left = self.sleeps_left.get().checked_sub(1);
        let Some(left) = left.filter(|_| self.status.get().0 == InstanceStatus::InService) else {
            self.over.notify_one();
            return std::future::pending().await;
        };
        self.sleeps_left.set(left);
        // A second at a time: who sleeps for long must not make the time of those pass who sleep beside it.
        let end = self.passed.get() + i64::try_from(duration.as_secs()).unwrap().max(1);
        while self.passed.get() < end {
            self.passed.set(self.passed.get() + 1);
            tokio::task::yield_now().await;
        }
    }
}

impl SendTaskHeartbeat for StepWorld {
    async fn send_task_heartbeat(&self, _: &str) -> Call<TokenAnswer> {
        Ok(TokenAnswer::Accepted)
    }
}

impl Log for StepWorld {
    fn log(&self, message: &str) {
        self.log.borrow_mut().push(message.to_owned());
    }
}

impl SeePerson for StepWorld {
    async fn see_person(&self) -> PersonSeen {
        PersonSeen { busy: false, last_active: None, ahead: None, jupyter: Jupyter::NoServer }
    }
}

impl KillLeftovers for StepWorld {
    async fn kill_leftovers(&self) {
        self.kills.set(self.kills.get() + 1);
    }
}

impl UploadFile for StepWorld {
    async fn upload_file(&self, key: &str, _: &Path, _: &str) -> Call<()> {
        self.fail("s3:PutObject", key)?;
        self.uploaded.borrow_mut().push(key.to_owned());
        Ok(())
    }
}

impl UploadLive for StepWorld {
    async fn upload_live(&self, _: &str, _: LiveBody<'_>) -> Call<()> {
        Ok(())
    }
}

/// A notebook that ends at once, with success; or (`endless`) when it is ended, and leaves its outputs.
pub struct EndedNotebook {
    endless: bool,
}

impl RunningNotebook for EndedNotebook {
    type Live = ();

    fn live(&self) {}

    fn cells(&self) -> Cells {
        Cells::default()
    }

    async fn finish(&mut self) -> ExecutedNotebook {
        if self.endless { std::future::pending().await } else { ExecutedNotebook::default() }
    }

    async fn end(self) -> ExecutedNotebook {
        let file = |name, file_name: &'static str| OutputFile {
            name,
            file_name,
            path: file_name.into(),
            content_type: "text/plain",
        };
        ExecutedNotebook {
            files: vec![file("notebook", "output.ipynb"), file("log", "log.txt")],
            source_sha256: Some("ab".repeat(32)),
            ..ExecutedNotebook::default()
        }
    }

    async fn end_soon(self) -> ExecutedNotebook {
        self.end().await
    }
}

impl FindLeftNotebook for StepWorld {
    async fn find_left_notebook(&self) -> Option<LeftNotebook> {
        None
    }
}

impl AskedToEnd for StepWorld {
    async fn asked_to_end(&self) {
        std::future::pending::<()>().await;
    }
}

impl ExecuteNotebook for StepWorld {
    type Running = EndedNotebook;

    async fn execute_notebook(&self, _: &Request, _: u32) -> EndedNotebook {
        self.executed.set(self.executed.get() + 1);
        let written = [&self.during, &self.and_during].into_iter().flatten();
        self.objects.borrow_mut().extend(written.cloned());
        EndedNotebook { endless: self.endless.get() }
    }
}
