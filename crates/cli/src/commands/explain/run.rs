//! `reveille explain RUN`: the chain of facts from the event to what became of the instance.

mod attempts;
mod facts;

use chrono::{TimeDelta, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use reveille_domain::{
    limits::LONGEST_EXECUTION,
    records::{Outcome, Phase},
};
use serde_json::{Value, json};

use super::{answer, chain, tell_next};
use crate::{
    arguments::{ExplainArguments, Format},
    clients::{AT_ONCE, Account, Ending, Execution, Run, RunName, may_be_forgotten, unless_forgotten},
    commands::{show, stage::stage},
    error::CliError,
    exit::Exit,
    ui::{json, terminal::Terminal},
};

use facts::Told;

/// A wait that is worth a word.
const WORTH: TimeDelta = TimeDelta::seconds(5);
/// Runs that are looked at for those that a run waited for: each costs some calls.
const MOST: usize = 200;

pub(super) async fn run(terminal: &Terminal, arguments: &ExplainArguments, name: &RunName) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let (run, past) = account.run_and_past(name).await?;
    let told = Box::pin(told(&account, &run, past.map(|past| past.input).ok())).await?;
    let facts = chain::sorted(facts::all(&told));
    let next = show::next(&run, show::log_says_something(&account, &run).await);
    if arguments.format.output == Format::Json {
        // A run that goes on has not waited to the end yet.
        let is_complete = run.outcome.as_ref().map(|_| told.waited_for.bound.is_none());
        let more = json!({"run": json::run(&run), "code": run.code(), "isComplete": is_complete});
        Terminal::result(&answer(&facts, &next, more));
        return Ok(Exit::Done);
    }
    for line in show::title(terminal, &run) {
        terminal.line(&line);
    }
    for line in chain::lines(terminal, &facts) {
        terminal.line(&line);
    }
    if let Some(code) = run.code() {
        terminal.line("");
        terminal.lines(&format!(
            "{code}: {} (docs/errors/{code}.md, or: {})",
            super::code::about(code),
            terminal.command(&format!("reveille explain {code}"))
        ));
    }
    tell_next(terminal, &next);
    Ok(Exit::Done)
}

/// Everything that says something of a run.
async fn told<'a>(account: &Account, run: &'a Run, input: Option<String>) -> Result<Told<'a>, CliError> {
    let input = input.and_then(|input| serde_json::from_str::<Value>(&input).ok()).unwrap_or_default();
    // What it forgot, its records say in part.
    let entered = if run.is_past() { Vec::new() } else { account.entered(&run.execution.arn).await? };
    let request = match &run.instance {
        Some(instance) if run.at.is_some() => readable(account.request(instance, &run.id).await)?,
        _ => None,
    };
    let attempts = match &run.at {
        Some(at) => attempts::of(account, at).await?,
        None => Vec::new(),
    };
    let held_by = match run.ending {
        Ending::Duplicate => account.output_of(&run.execution.arn).await?["heldBy"].as_str().map(str::to_owned),
        _ => None,
    };
    let stage = match run.ending {
        Ending::Running => Some(stage(account, run).await?.words()),
        _ => None,
    };
    let waited_for = waited_for(account, run).await?;
    Ok(Told { run, event: input["event"].clone(), entered, request, attempts, held_by, stage, waited_for })
}

/// A damaged record says nothing; `reveille show` and `logs` would name it.
fn readable<T>(read: Result<Option<T>, CliError>) -> Result<Option<T>, CliError> {
    match read {
        Err(CliError::Record { .. }) => Ok(None),
        read => read,
    }
}

/// The runs whose notebooks ran on the instance while this one stood in the queue.
async fn waited_for(account: &Account, run: &Run) -> Result<WaitedFor, CliError> {
    let queued = run.outcome.as_ref().and_then(|outcome| outcome.phases.queued);
    let Some(queued) = queued.filter(|queued| queued.ended_at - queued.started_at > WORTH) else {
        return Ok(WaitedFor::default());
    };
    let mut search = Search { queued, own: &run.execution.arn, listed: 0, found: Vec::new(), is_full: false };
    let is_cut = account.executions(None, |execution| search.is_over(execution)).await?;
    let is_cut = is_cut || search.is_full || may_be_forgotten(queued.started_at, Utc::now());
    let bound = is_cut.then_some(search.listed);
    let look = async |execution: Execution| unless_forgotten(account.run(&execution).await);
    let looks = stream::iter(search.found).map(look).buffered(AT_ONCE);
    let others: Vec<Run> = looks.try_filter_map(async |run| Ok(run)).try_collect().await?;
    let running = |outcome: &Outcome| outcome.phases.running.filter(|it| overlap(it, &queued));
    let mut runs: Vec<(String, Phase)> = others
        .iter()
        .filter(|other| other.instance == run.instance)
        .filter_map(|other| Some((other.id.to_string(), running(other.outcome.as_ref()?)?)))
        .collect();
    runs.sort_by_key(|(_, phase)| phase.started_at);
    Ok(WaitedFor { runs, bound })
}

/// The runs whose notebooks ran while a run stood in the queue.
#[derive(Clone, Debug, Default)]
struct WaitedFor {
    runs: Vec<(String, Phase)>,
    /// How many executions were looked at, if others may be among those that it waited for.
    bound: Option<usize>,
}

/// The search for executions that were there while a run stood in the queue, among all, the newest first.
struct Search<'a> {
    queued: Phase,
    own: &'a str,
    listed: usize,
    found: Vec<Execution>,
    /// There may be more than those that were found.
    is_full: bool,
}

impl Search<'_> {
    /// Takes the next execution; `true`: no further one is needed. (One that began earlier than any can live was there only if somebody redrove it.)
    fn is_over(&mut self, execution: Execution) -> bool {
        if execution.started < self.queued.started_at - LONGEST_EXECUTION {
            return true;
        }
        let was_there = execution.started < self.queued.ended_at
            && execution.stopped.is_none_or(|stopped| stopped > self.queued.started_at);
        if was_there && execution.arn != self.own {
            self.is_full = self.found.len() == MOST;
            if self.is_full {
                return true;
            }
            self.found.push(execution);
        }
        self.listed += 1;
        false
    }
}

/// Whether two phases have a moment in common.
fn overlap(one: &Phase, other: &Phase) -> bool {
    one.started_at < other.ended_at && other.started_at < one.ended_at
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};
    use reveille_domain::{limits::LONGEST_EXECUTION, records::Phase};

    use super::{MOST, Search, overlap};
    use crate::clients::{Execution, Run};

    #[test]
    fn phases_overlap_where_they_have_a_moment_in_common() {
        let now = Utc::now();
        let phase = |from, to| Phase::between(now + TimeDelta::seconds(from), now + TimeDelta::seconds(to));
        for (one, other, both) in
            [((0, 10), (5, 15), true), ((0, 10), (10, 20), false), ((0, 30), (10, 20), true), ((0, 5), (6, 9), false)]
        {
            assert_eq!(overlap(&phase(one.0, one.1), &phase(other.0, other.1)), both, "{one:?} {other:?}");
        }
    }

    #[test]
    fn the_search_ends_where_nobody_can_have_been_there() {
        let now = Utc::now();
        let queued = Phase::between(now, now + TimeDelta::minutes(10));
        let mut search = Search { queued, own: "own", listed: 0, found: Vec::new(), is_full: false };
        let execution = |arn: &str, started, stopped: Option<_>| Execution {
            arn: arn.to_owned(),
            started,
            stopped,
            ..Run::of_test("a.ipynb").execution
        };
        let minutes = |minutes| now + TimeDelta::minutes(minutes);
        for (arn, started, stopped, found) in [
            ("came later", 11, Some(12), 0),
            ("own", -1, Some(20), 0),
            ("was there", 5, Some(7), 1),
            ("goes on", -9, None, 2),
            ("had ended", -9, Some(-1), 2),
        ] {
            assert!(!search.is_over(execution(arn, minutes(started), stopped.map(minutes))), "{arn}");
            assert_eq!(search.found.len(), found, "{arn}");
        }
        assert!(search.is_over(execution("too old", now - LONGEST_EXECUTION - TimeDelta::seconds(1), None)));
        assert!(!search.is_full && search.listed == 5);
        let over = (0..MOST).map(|_| search.is_over(execution("was there", minutes(5), None))).collect::<Vec<_>>();
        assert!(over[..MOST - 2].iter().all(|over| !over) && over[MOST - 2..].iter().all(|over| *over));
        assert!(search.is_full && search.found.len() == MOST);
    }
}
