//! The runner: one process on the instance, for as long as its boot. It serves the instance's inbox, and closes a
//! boot of ours when nothing is left to do.
//!
//! - Order of effects for a run: lease `busy`, claim, execute, upload, report, lease `open`, answer the token, remove
//!   the ticket. Whatever dies in between, the claim fences the attempt and the report is the only verdict.
//! - A failing call is logged and tried again; nothing but the end of the boot ends the runner.
//! - It never decides: `reveille_domain::runner` does.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reveille_domain::InstanceName;
use reveille_domain::layout::{AttemptRef, Layout};
use reveille_domain::person::Signs;
use reveille_domain::ports::{
    AnswerTask, Cells, Clock, DeleteObject, ExecuteNotebook, GetObject, KillLeftovers, ListObjects, Log, Nonces,
    PutObject, SeePerson, SendTaskHeartbeat, Sleep, StopNotebookInstance, UploadFile,
};
use reveille_domain::records::Report;

use crate::store::StoreError;

mod attempt;
mod bind;
mod close;
mod queue;

/// Everything the runner needs of the outside.
pub trait RunnerPorts:
    Clock
    + Sleep
    + Nonces
    + ListObjects
    + GetObject
    + PutObject
    + DeleteObject
    + AnswerTask
    + SendTaskHeartbeat
    + StopNotebookInstance
    + ExecuteNotebook
    + UploadFile
    + KillLeftovers
    + SeePerson
    + Log
{
}

impl<P> RunnerPorts for P where
    P: Clock
        + Sleep
        + Nonces
        + ListObjects
        + GetObject
        + PutObject
        + DeleteObject
        + AnswerTask
        + SendTaskHeartbeat
        + StopNotebookInstance
        + ExecuteNotebook
        + UploadFile
        + KillLeftovers
        + SeePerson
        + Log
{
}

/// Between two looks at an empty inbox on a boot of ours, which is idle for seconds: 3,600 LIST requests cost two cents.
const POLL: Duration = Duration::from_secs(1);
/// The same on a person's boot, which may be idle for days.
const PERSONS_POLL: Duration = Duration::from_secs(5);
/// After a call that failed.
const ERROR_PAUSE: Duration = Duration::from_secs(3);
/// Between two looks at Jupyter and the lease on an idle boot.
const LOOK_EVERY: TimeDelta = TimeDelta::seconds(10);

/// Who this runner is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The instance it runs on.
    pub instance: InstanceName,
    /// The kernel's boot id.
    pub boot_id: String,
}

/// What the runner knows of its boot.
#[derive(Clone, Debug)]
struct Boot {
    /// Fresh for each runner process: its claims are told from those of an earlier process of the same boot.
    nonce: String,
    /// Whether the boot is ours; a person's is served and never stopped.
    ours: bool,
    bound_at: DateTime<Utc>,
    served: bool,
    /// Whether the run that started this boot is known never to come.
    given_up: bool,
    last_beat: Option<DateTime<Utc>>,
    next_look: DateTime<Utc>,
    person: Signs,
    /// The attempt that this process began to execute last: it is never executed again, whatever its claim says.
    begun: Option<AttemptRef>,
    /// Its report, until it stands in S3.
    pending: Option<Report>,
    /// How far the notebook at hand is.
    cells: Cells,
}

/// The runner.
pub struct Runner<'a, P> {
    layout: &'a Layout,
    ports: &'a P,
    me: &'a Identity,
    boot: Boot,
}

/// What a turn of the loop was.
enum Turn {
    /// Something was done: look again at once.
    Again,
    /// Nothing to do: wait a little.
    Pause,
}

impl<'a, P: RunnerPorts> Runner<'a, P> {
    /// Ends what an earlier process left, and finds out whose boot this is. Tries until it knows: until then the
    /// runner does nothing at all.
    pub async fn bind(layout: &'a Layout, ports: &'a P, me: &'a Identity) -> Self {
        ports.kill_leftovers().await;
        let ours = loop {
            match bind::bind(layout, ports, me).await {
                Ok(ours) => break ours,
                // Without a lease nobody knows whose boot this is; reading it again would not tell.
                Err(StoreError::Unreadable(unreadable)) => {
                    ports.log(&unreadable.to_string());
                    break false;
                }
                Err(error @ (StoreError::Call(_) | StoreError::Contended { .. })) => {
                    ports.log(&format!("binding this boot failed and is tried again: {error}"));
                    ports.sleep(ERROR_PAUSE).await;
                }
            }
        };
        ports.log(if ours { "this boot is ours" } else { "this boot is a person's: it is served, and never stopped" });
        let now = ports.now();
        let boot = Boot {
            nonce: ports.nonce(),
            ours,
            bound_at: now,
            served: false,
            given_up: false,
            last_beat: None,
            next_look: now,
            person: Signs::default(),
            begun: None,
            pending: None,
            cells: Cells::default(),
        };
        Self { layout, ports, me, boot }
    }

    /// Serves the inbox until the boot ends and this process with it.
    pub async fn serve(mut self) -> std::convert::Infallible {
        loop {
            match self.turn().await {
                Ok(Turn::Again) => {}
                Ok(Turn::Pause) => self.ports.sleep(if self.boot.ours { POLL } else { PERSONS_POLL }).await,
                Err(failure) => {
                    self.ports.log(&format!("a turn of the runner failed and is tried again: {failure}"));
                    self.ports.sleep(ERROR_PAUSE).await;
                }
            }
        }
    }

    async fn turn(&mut self) -> Result<Turn, StoreError> {
        let queue = self.read_queue().await?;
        // What the beats removed must not be looked at again.
        let queue = if self.beat(&queue).await { self.read_queue().await? } else { queue };
        self.put_pending().await;
        if self.expire(&queue, None).await? {
            return Ok(Turn::Again);
        }
        match queue.first() {
            Some(first) => self.serve_first(first).await,
            None if self.boot.ours => self.idle().await,
            None => Ok(Turn::Pause),
        }
    }
}
