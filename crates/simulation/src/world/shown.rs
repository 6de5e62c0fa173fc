//! What Step Functions shows of executions: its lists and descriptions are eventually consistent, so that a start, an end or a
//! redrive may show late, and a list may change while its pages are turned.

use std::rc::Rc;

use reveille_asl::interpreter::{Status, StepFunctionsExecution};
use reveille_domain::InputText;
use reveille_domain::ports::{
    Call, DescribeExecution, DescribeWholeExecution, EndedExecution, EndedList, EndedPage, ExecutionEnding,
    ExecutionSeen, ExecutionStatus, ListEndedExecutions,
};

use super::ledger::Hindrance;
use super::ports::{About, Ports};
use super::turns::Turn;
use super::{SECOND, World, time};
use crate::fault::Fault;
use crate::lies::Lie;
use crate::schedule::Action;

/// Executions on a page of a list: so few that pages are turned.
const PAGE: usize = 2;
/// A list usually shows what was so long ago at most.
const LISTED_AFTER_MS: i64 = 10_000;
/// One list in so many is much later, up to so long.
const LATE_LISTS: u64 = 8;
const LISTED_LATE_MS: i64 = 200_000;
/// One description in so many is of up to so long ago.
const LATE_DESCRIPTIONS: u64 = 8;
const DESCRIBED_LATE_MS: i64 = 5_000;
/// The token of one page in so many is no longer known.
const FORGOTTEN_PAGES: u64 = 40;

impl World {
    /// A number for this moment, from a source of its own: what else is drawn for a seed stays what it was.
    pub(super) fn of_this_moment(&self, what: u64) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.schedule.seed ^ self.now_ms().unsigned_abs().rotate_left(20) ^ what)
    }

    /// What a description of an execution says now.
    fn described(&self, arn: &str) -> Option<Rc<Turn>> {
        let mut random = self.of_this_moment(1);
        let lags = self.choices.is_none() && random.u64(0..LATE_DESCRIPTIONS) == 0;
        let lag_ms = if lags { random.i64(0..=DESCRIBED_LATE_MS) } else { 0 };
        let [shown, now] = self.turns.as_of_both(arn, [self.now_ms() - lag_ms, self.now_ms()]);
        if shown != now {
            self.ledger.hindered(self.now_ms(), Hindrance::Function);
            self.fired(Fault::ExecutionShownLate, arn);
        }
        shown
    }

    /// How old what a list shows is.
    fn listed_after_ms(&self) -> i64 {
        if self.choices.is_some() {
            return LISTED_AFTER_MS;
        }
        let mut random = self.of_this_moment(2);
        if random.u64(0..LATE_LISTS) == 0 { random.i64(0..=LISTED_LATE_MS) } else { random.i64(0..=LISTED_AFTER_MS) }
    }

    /// The ARNs of what is listed, and when each ended.
    fn list(&self, list: EndedList, of_second_stack: bool) -> Vec<(Rc<str>, Option<i64>)> {
        let shown_ms = self.now_ms() - self.listed_after_ms();
        let mut is_late = false;
        let listed = self.ledger.each_execution(|known| {
            if is_of_second_stack(&known.arn) != of_second_stack {
                return None;
            }
            let [turn, now] = self.turns.as_of_both(&known.arn, [shown_ms, self.now_ms()]);
            is_late |= turn != now;
            let turn = turn?;
            let ending = match turn.status {
                Status::Aborted => ExecutionEnding::Aborted,
                Status::TimedOut => ExecutionEnding::TimedOut,
                Status::Failed => ExecutionEnding::Failed,
                Status::Running | Status::Succeeded => return None,
            };
            let wanted = ending == list.ending && (!list.redriven || turn.redrive_count > 0);
            wanted.then(|| (Rc::clone(&known.arn), Some(turn.at_ms)))
        });
        if is_late {
            self.ledger.hindered(self.now_ms(), Hindrance::Function);
            self.fired(Fault::ExecutionsListedLate, "");
        }
        listed
    }

    /// The same of every execution, however it ended: one that runs has no end.
    fn list_all(&self, redriven: bool, of_second_stack: bool) -> Vec<(Rc<str>, Option<i64>)> {
        if self.lie == Some(Lie::NothingIsMissing) {
            return Vec::new();
        }
        let shown_ms = self.now_ms() - self.listed_after_ms();
        self.ledger.each_execution(|known| {
            let turn = self.turns.as_of(&known.arn, shown_ms)?;
            let wanted = is_of_second_stack(&known.arn) == of_second_stack && (!redriven || turn.redrive_count > 0);
            let ended_ms = (turn.status != Status::Running).then_some(turn.at_ms);
            wanted.then(|| (Rc::clone(&known.arn), ended_ms))
        })
    }
}

impl DescribeExecution for Ports {
    async fn is_running(&self, execution_arn: &str) -> Call<bool> {
        let owned = execution_arn.to_owned();
        self.call(About::new(Action::DescribeExecution, "states:DescribeExecution", execution_arn), move |world| {
            let runs = world.described(&owned).is_some_and(|turn| turn.status == Status::Running);
            Ok(runs || world.waits_in_a_queue(&owned))
        })
        .await
    }
}

impl DescribeWholeExecution for Ports {
    async fn describe_whole_execution(&self, execution_arn: &str) -> Call<Option<ExecutionSeen>> {
        let owned = execution_arn.to_owned();
        let about = About::new(Action::DescribeExecution, "states:DescribeExecution", execution_arn);
        self.call(about, move |world| {
            let execution = world.service().execution(&owned);
            Ok(world.described(&owned).zip(execution).map(|(turn, execution)| seen(&execution, &turn)))
        })
        .await
    }
}

impl ListEndedExecutions for Ports {
    async fn list_ended_executions(&self, list: EndedList, page: Option<&str>, size: usize) -> Call<Option<EndedPage>> {
        self.page(page, size, move |world, of_second_stack| world.list(list, of_second_stack)).await
    }

    async fn list_executions(&self, redriven: bool, page: Option<&str>, size: usize) -> Call<Option<EndedPage>> {
        self.page(page, size, move |world, of_second_stack| world.list_all(redriven, of_second_stack)).await
    }
}

impl Ports {
    /// A page of a list.
    async fn page(
        &self,
        page: Option<&str>,
        size: usize,
        list: impl Fn(&World, bool) -> Vec<(Rc<str>, Option<i64>)> + 'static,
    ) -> Call<Option<EndedPage>> {
        let about = About::new(Action::DescribeExecution, "states:ListExecutions", "the state machine");
        let of_second_stack = self.actor.stream.starts_with(SECOND);
        let from: Option<usize> = page.and_then(|page| page.parse().ok());
        self.call(about, move |world| {
            let forgotten = world.choices.is_none() && world.of_this_moment(3).u64(0..FORGOTTEN_PAGES) == 0;
            if from.is_some() && forgotten {
                world.fired(Fault::PageForgotten, "");
                return Ok(None);
            }
            let (from, listed) = (from.unwrap_or_default(), list(world, of_second_stack));
            let to = listed.len().min(from + size.min(PAGE));
            let service = world.service();
            let ended = |(arn, ended_ms): &(Rc<str>, Option<i64>)| {
                let started_at = time(service.execution(arn)?.start_ms());
                Some(EndedExecution { arn: arn.to_string(), started_at, ended_at: ended_ms.map(time) })
            };
            let executions = listed[from.min(to)..to].iter().filter_map(ended).collect();
            Ok(Some(EndedPage { executions, next: (to < listed.len()).then(|| to.to_string()) }))
        })
        .await
    }
}

/// Whether an execution is the second stack's.
pub(crate) fn is_of_second_stack(arn: &str) -> bool {
    arn.rsplit(':').next().is_some_and(|name| name.starts_with(SECOND))
}

fn seen(execution: &StepFunctionsExecution, turn: &Turn) -> ExecutionSeen {
    ExecutionSeen {
        status: match turn.status {
            Status::Running => ExecutionStatus::Running,
            Status::Succeeded => ExecutionStatus::Succeeded,
            Status::Failed => ExecutionStatus::Failed,
            Status::TimedOut => ExecutionStatus::TimedOut,
            Status::Aborted => ExecutionStatus::Aborted,
        },
        execution: reveille_domain::records::Execution {
            arn: execution.arn().to_string(),
            name: execution.name().to_owned(),
            start_time: time(execution.start_ms()),
            redrive_count: turn.redrive_count,
        },
        input: InputText::from(execution.input()),
        error: turn.error.clone(),
        cause: turn.cause.clone(),
    }
}
