//! The sweeper's triggers, as the template has them: a timer, and the status-change events of executions that did not
//! succeed. Both call the deployed `sweep`; an event may be lost or come twice.

use std::rc::Rc;
use std::time::Duration;

use reveille_asl::interpreter::{Description, Status};
use reveille_asl::simulated;
use reveille_domain::InputText;
use reveille_domain::ports::{
    Call, DescribeWholeExecution, EndedExecution, EndedList, EndedPage, ExecutionEnding, ExecutionSeen,
    ExecutionStatus, ListEndedExecutions,
};
use serde_json::{Value, json};

use super::ledger::Hindrance;
use super::ports::{About, Ports};
use super::{World, functions, pass_ms, time};
use crate::fault::Fault;
use crate::schedule::{Action, Step};

/// The template's `SweepSchedule`.
pub const SWEEPS_EVERY_MS: i64 = 300_000;
const EVERY: Duration = Duration::from_millis(SWEEPS_EVERY_MS.unsigned_abs());
/// EventBridge passes an event on within this.
const EVENT_MS: u64 = 3_000;
/// Events of each hundred that are lost (they are best effort), and that come twice.
const LOST: u8 = 5;
const TWICE: u8 = 5;
/// Executions on a page of a list: so few that pages are turned.
const PAGE: usize = 2;

/// ListExecutions is eventually consistent: an end is listed this much later.
const LISTED_AFTER_MS: i64 = 10_000;

impl World {
    /// The timer.
    pub(crate) async fn sweep(self: Rc<Self>) {
        loop {
            simulated::sleep(EVERY).await;
            self.release(json!({}));
        }
    }

    /// An execution ended.
    pub(super) fn tell_sweeper(self: &Rc<Self>, execution: &Description) {
        if !self.sweeps() || matches!(execution.status, Status::Running | Status::Succeeded) {
            return;
        }
        if self.chance(LOST) {
            self.ledger.hindered(self.now_ms(), Hindrance::Function);
            return self.fired(Fault::EndingEventLost, &execution.name);
        }
        let times = if self.chance(TWICE) { 2 } else { 1 };
        for _ in 0..times {
            let (world, detail) = (Rc::clone(self), execution.event_detail());
            simulated::spawn(async move {
                pass_ms(world.pick(100, EVENT_MS)).await;
                world.release(detail);
            });
        }
    }

    fn release(self: &Rc<Self>, payload: Value) {
        let world = Rc::clone(self);
        simulated::spawn(async move {
            let how = world.invocation_trouble(Step::Sweep);
            let subject = match &world.choices {
                None => "the sweeper".to_owned(),
                Some(choices) => format!("sweep {}", choices.count("sweep")),
            };
            // What it could not do, the next one does: the timer comes again.
            drop(functions::invoked(&world, Step::Sweep, how, payload, &subject).await);
            if let Some(choices) = &world.choices {
                choices.forget(&subject);
            }
        });
    }
}

impl DescribeWholeExecution for Ports {
    async fn describe_whole_execution(&self, execution_arn: &str) -> Call<Option<ExecutionSeen>> {
        let owned = execution_arn.to_owned();
        let about = About::new(Action::DescribeExecution, "states:DescribeExecution", execution_arn);
        self.call(about, move |world| Ok(world.service().execution(&owned).map(|execution| seen(execution.describe()))))
            .await
    }
}

impl ListEndedExecutions for Ports {
    async fn list_ended_executions(&self, list: EndedList, page: Option<&str>, size: usize) -> Call<Option<EndedPage>> {
        let about = About::new(Action::DescribeExecution, "states:ListExecutions", "the state machine");
        let from: usize = page.and_then(|page| page.parse().ok()).unwrap_or_default();
        self.call(about, move |world| {
            let service = world.service();
            let listed = world.ledger.each_execution(|known| {
                let execution = service.execution(&known.arn)?;
                let ending = match execution.status() {
                    Status::Aborted => ExecutionEnding::Aborted,
                    Status::TimedOut => ExecutionEnding::TimedOut,
                    Status::Failed => ExecutionEnding::Failed,
                    Status::Running | Status::Succeeded => return None,
                };
                let shown_by_now = known.ended_ms.is_some_and(|at| world.now_ms() - at >= LISTED_AFTER_MS);
                let redriven = execution.redrive_count() > 0;
                let wanted = shown_by_now && ending == list.ending && (!list.redriven || redriven);
                wanted.then(|| EndedExecution {
                    arn: known.arn.to_string(),
                    started_at: time(execution.start_ms()),
                    ended_at: known.ended_ms.map(time),
                })
            });
            let to = listed.len().min(from + size.min(PAGE));
            let executions = listed[from.min(to)..to].to_vec();
            Ok(Some(EndedPage { executions, next: (to < listed.len()).then(|| to.to_string()) }))
        })
        .await
    }
}

fn seen(execution: Description) -> ExecutionSeen {
    ExecutionSeen {
        status: match execution.status {
            Status::Running => ExecutionStatus::Running,
            Status::Succeeded => ExecutionStatus::Succeeded,
            Status::Failed => ExecutionStatus::Failed,
            Status::TimedOut => ExecutionStatus::TimedOut,
            Status::Aborted => ExecutionStatus::Aborted,
        },
        execution: reveille_domain::records::Execution {
            arn: execution.execution_arn.to_string(),
            name: execution.name,
            start_time: time(execution.start_ms),
            redrive_count: execution.redrive_count,
        },
        input: InputText::from(&execution.input),
        error: execution.error,
        cause: execution.cause,
    }
}
