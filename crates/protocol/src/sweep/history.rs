//! The history, kept whole: what ended and is not in it is entered.
//!
//! A pass goes through the executions from the newest on, a page at a time, and lists the history beside them: what is in both
//! costs two requests for a thousand. The first pass goes back as far as Step Functions knows, and so enters the runs of earlier
//! versions; a later one goes back to what ended since an hour before the one before. A sweep does as much of it as it has time for after
//! everything else, and describes so few executions that nobody else's calls are throttled; the next one goes on behind that.
//!
//! Nothing else depends on it, so it has a place of its own (`history.json`), and what goes wrong here is the last thing that a
//! sweep tells of.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use reveille_domain::history::{Entry, Group, HistoryPass, HistoryPlace, Order, backwards};
use reveille_domain::limits::{MAX_HISTORY_DESCRIBED, MAX_HISTORY_PAGES, SWEEP_PAGE};
use reveille_domain::ports::{
    Clock, DescribeWholeExecution, EndedExecution, ExecutionStatus, GetAnswer, GetObject, ListEndedExecutions,
    ListObjects, PutCondition, PutObject,
};
use reveille_domain::{Failure, RunId, input};

use super::swept::{self, Swept};
use crate::last_attempt::last_attempt;
use crate::stack::Stack;
use crate::{history, own, store};

mod decide;

use decide::{ended, is_over, next_pass, run_of, wanted};

/// Goes on with the pass that is under way, or begins one, until the time is over.
pub async fn keep_whole<P>(stack: &Stack, ports: &P, end: DateTime<Utc>, swept: &mut Swept)
where
    P: Clock + GetObject + PutObject + ListObjects + DescribeWholeExecution + ListEndedExecutions,
{
    if ports.now() >= end {
        return;
    }
    let before = match place(stack, ports).await {
        Ok(place) => place,
        Err(failure) => return swept.failed(failure),
    };
    let after = go_on(stack, ports, before.clone(), end, swept).await;
    if after == before {
        return;
    }
    let written = serde_json::to_vec(&after).unwrap_or_default();
    if let Err(error) = ports.put_object(&stack.layout.history_place(), written, PutCondition::Always).await {
        swept.failed(error);
    }
}

/// The place; the beginning is as good as any.
async fn place<P: GetObject>(stack: &Stack, ports: &P) -> Result<HistoryPlace, Failure> {
    Ok(match ports.get_object(&stack.layout.history_place()).await? {
        GetAnswer::Object(object) => serde_json::from_slice(&object.body).unwrap_or_default(),
        GetAnswer::Nothing | GetAnswer::TooLarge { .. } => HistoryPlace::default(),
    })
}

async fn go_on<P>(
    stack: &Stack,
    ports: &P,
    mut place: HistoryPlace,
    end: DateTime<Utc>,
    swept: &mut Swept,
) -> HistoryPlace
where
    P: Clock + GetObject + PutObject + ListObjects + DescribeWholeExecution + ListEndedExecutions,
{
    let unchanged = place.clone();
    let mut pass = place.pass.take().unwrap_or_else(|| next_pass(&place, ports.now()));
    let mut is_idle = place.is_whole && unchanged.pass.is_none();
    let mut left = MAX_HISTORY_DESCRIBED;
    for _ in 0..MAX_HISTORY_PAGES {
        if ports.now() >= end {
            break;
        }
        let page = match ports.list_executions(pass.redriven, pass.page.as_deref(), SWEEP_PAGE).await {
            Ok(Some(page)) => page,
            // The page is no longer known. What was entered is in the history, so the way to it is short.
            Ok(None) => {
                pass = HistoryPass { page: None, after: None, ..pass };
                continue;
            }
            Err(error) => {
                swept.failed(error);
                break;
            }
        };
        let wanted = wanted(&pass, &page.executions);
        is_idle &= wanted.is_empty();
        let Some(looked_at) = look_at(stack, ports, &pass, &wanted, (end, &mut left), swept).await else { break };
        if looked_at.is_some_and(|last| wanted.last().is_some_and(|end| end.arn != last)) {
            pass.after = looked_at.map(str::to_owned).or(pass.after);
            break;
        }
        if let Some(next) = page.next.filter(|_| !is_over(&pass, &page.executions)) {
            pass = HistoryPass { page: Some(next), after: None, ..pass };
        } else if pass.redriven {
            // Nothing ended: there is nothing to write down.
            return if is_idle { unchanged } else { ended(&pass) };
        } else {
            pass = HistoryPass { redriven: true, page: None, after: None, ..pass };
        }
    }
    HistoryPlace { pass: Some(pass), ..place }
}

/// Enters those of a page that are not in the history. Answers the last one up to which all were looked at; `None`: the place
/// is not to change.
async fn look_at<'a, P>(
    stack: &Stack,
    ports: &P,
    pass: &HistoryPass,
    wanted: &[&'a EndedExecution],
    (end, left): (DateTime<Utc>, &mut usize),
    swept: &mut Swept,
) -> Option<Option<&'a str>>
where
    P: Clock + GetObject + PutObject + ListObjects + DescribeWholeExecution,
{
    let known = match known(stack, ports, wanted).await {
        Ok(known) => known,
        Err(failure) => {
            swept.failed(failure);
            return None;
        }
    };
    // Of a run that was redriven, an entry may be of an earlier attempt.
    let is_missing = |ended: &&&EndedExecution| pass.redriven || !known.contains(&run_of(ended));
    let missing: Vec<&EndedExecution> = wanted.iter().filter(is_missing).copied().collect();
    let allowed = &missing[..missing.len().min(*left)];
    let looked = swept::each(ports, allowed, end, |ended| enter_ended(stack, ports, &ended.arn)).await;
    let done = looked.len();
    *left -= done;
    let failures: Vec<Failure> = looked.into_iter().filter_map(Result::err).collect();
    let is_failed = !failures.is_empty();
    for failure in failures {
        swept.failed(failure);
    }
    // A later pass looks back for an hour, the first one never again.
    if is_failed && pass.since.is_none() {
        return None;
    }
    match missing.get(done) {
        None => Some(wanted.last().map(|last| last.arn.as_str())),
        Some(_) if done == 0 => None,
        Some(_) => Some(Some(missing[done - 1].arn.as_str())),
    }
}

/// The runs of the history that started when these did.
async fn known<P: ListObjects>(
    stack: &Stack,
    ports: &P,
    wanted: &[&EndedExecution],
) -> Result<BTreeSet<RunId>, Failure> {
    let mut known = BTreeSet::new();
    let started = || wanted.iter().map(|ended| ended.started_at);
    let (Some(newest), Some(oldest)) = (started().max(), started().min()) else { return Ok(known) };
    for group in Group::ALL {
        let folder = Order::All.folder(&stack.layout, group);
        let mut after = format!("{folder}{}", backwards(newest));
        for _ in 0..MAX_HISTORY_PAGES {
            let keys = ports.list_objects_after(&folder, Some(&after), SWEEP_PAGE).await?;
            let entries: Vec<Entry> = keys.iter().filter_map(|key| Entry::read(&folder, key)).collect();
            let is_behind = entries.last().is_some_and(|entry| entry.started < oldest);
            known.extend(entries.into_iter().map(|entry| entry.at.run));
            match keys.into_iter().nth(SWEEP_PAGE - 1).filter(|_| !is_behind) {
                Some(last) => after = last,
                None => break,
            }
        }
    }
    Ok(known)
}

/// Enters an execution that ended, if it has an outcome.
async fn enter_ended<P>(stack: &Stack, ports: &P, arn: &str) -> Result<(), Failure>
where
    P: Clock + GetObject + PutObject + ListObjects + DescribeWholeExecution,
{
    let Some(seen) = ports.describe_whole_execution(arn).await? else { return Ok(()) };
    if seen.status == ExecutionStatus::Running {
        return Ok(());
    }
    let instance = input::instance_of(&seen.input);
    let at = last_attempt(stack, ports, &seen, instance.as_ref()).await?;
    // An engine may show another start time than its context object. Its runs are listed as far as Step Functions knows them.
    if at.run != seen.execution.run() {
        return Ok(());
    }
    // Something else in the outcome's place is nothing to be listed.
    let outcome = store::or_evidence(own::outcome(&stack.layout, ports, &at, arn).await, &mut Vec::new())?;
    let Some(outcome) = outcome else { return Ok(()) };
    let entry = Entry::of(&outcome.record, &at, seen.execution.start_time, &seen.input);
    if !ports.list_objects(&entry.last_key(&stack.layout), 1).await?.is_empty() {
        return Ok(());
    }
    history::enter(&stack.layout, ports, &entry, DateTime::<Utc>::MAX_UTC).await?;
    Ok(())
}
