//! `reveille explain RUN`: the chain of facts from the event to what became of the instance.

mod attempts;
mod facts;

use chrono::TimeDelta;
use futures_util::{StreamExt, TryStreamExt, stream};
use reveille_domain::records::{Outcome, Phase};
use serde_json::{Value, json};

use super::{answer, chain, tell_next};
use crate::{
    arguments::{ExplainArguments, Format},
    clients::{AT_ONCE, Account, Ending, Execution, Run, RunName},
    commands::{show, stage::stage},
    error::CliError,
    exit::Exit,
    ui::{json, terminal::Terminal},
};

use facts::Told;

/// A wait that is worth a word.
const WORTH: TimeDelta = TimeDelta::seconds(5);
/// Executions that are looked at for those that a run waited for: those that began before its wait ended.
const MOST: usize = 200;

pub(super) async fn run(terminal: &Terminal, arguments: &ExplainArguments, name: &RunName) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let (run, past) = account.run_and_past(name).await?;
    let told = Box::pin(told(&account, &run, past.map(|past| past.input).ok())).await?;
    let facts = chain::sorted(facts::all(&told));
    let next = show::next(&run, show::log_says_something(&account, &run).await);
    if arguments.format.output == Format::Json {
        Terminal::result(&answer(&facts, &next, json!({"run": json::run(&run), "code": run.code()})));
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
            "{code}: {} (docs/errors/{code}.md, or: reveille explain {code})",
            super::code::about(code)
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
async fn waited_for(account: &Account, run: &Run) -> Result<Vec<(String, Phase)>, CliError> {
    let queued = run.outcome.as_ref().and_then(|outcome| outcome.phases.queued);
    let Some(queued) = queued.filter(|queued| queued.ended_at - queued.started_at > WORTH) else {
        return Ok(Vec::new());
    };
    let (mut candidates, mut looked_at) = (Vec::new(), 0);
    let take = |execution: Execution| {
        // Those that came later are no reason to see fewer of those that count.
        if execution.started >= queued.ended_at {
            return false;
        }
        looked_at += 1;
        if execution.arn != run.execution.arn && execution.stopped.is_none_or(|stopped| stopped > queued.started_at) {
            candidates.push(execution);
        }
        looked_at >= MOST
    };
    account.executions(None, take).await?;
    let look = async |execution: Execution| account.run(&execution).await;
    let others: Vec<Run> = stream::iter(candidates).map(look).buffered(AT_ONCE).try_collect().await?;
    let running = |outcome: &Outcome| outcome.phases.running.filter(|it| overlap(it, &queued));
    let mut found: Vec<(String, Phase)> = others
        .iter()
        .filter(|other| other.instance == run.instance)
        .filter_map(|other| Some((other.id.to_string(), running(other.outcome.as_ref()?)?)))
        .collect();
    found.sort_by_key(|(_, phase)| phase.started_at);
    Ok(found)
}

/// Whether two phases have a moment in common.
fn overlap(one: &Phase, other: &Phase) -> bool {
    one.started_at < other.ended_at && other.started_at < one.ended_at
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};
    use reveille_domain::records::Phase;

    use super::overlap;

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
}
