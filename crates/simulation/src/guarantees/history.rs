//! G6: the history lists each run that ended, once, as its newest outcome has it.

use std::collections::BTreeSet;

use reveille_domain::history::{Entry, Group, Order, execution_status};
use reveille_domain::layout::AttemptRef;
use reveille_domain::records::Outcome;

use super::newest_outcome;
use crate::world::ledger::Started;
use crate::world::{World, is_of_second_stack};

/// Checks it.
pub(super) fn check(world: &World, executions: &[Started]) {
    let broken = |what: String| world.ledger.violation("G6", world.now_ms(), what);
    let entries = entries(world, &Order::All, None);
    for entry in &entries {
        let outcome: Option<Outcome> = world.bucket.record(&world.stack.layout.outcome(&entry.at));
        if outcome.is_none_or(|outcome| (outcome.status, outcome.code) != (entry.status, entry.code)) {
            broken(format!("{} is not what its outcome says: {entry:?}", entry.at.run));
        }
    }
    // A sweep that is cut off does not come to the history, which is its last part; and where everything is chosen, the last sweep may be.
    if !world.sweeps() || world.schedule.sweeps_cut_off.is_some() || world.choices.is_some() {
        return;
    }
    for execution in executions.iter().filter(|known| !is_of_second_stack(&known.arn)) {
        let Some((at, outcome)) = newest_outcome(world, execution) else { continue };
        let mut orders = vec![Order::All, Order::Instance(at.instance.clone())];
        let newest = newest(&entries, &at);
        orders.extend(newest.iter().filter_map(|entry| entry.notebook.clone()).map(Order::Notebook));
        if outcome.notebook.is_some() && orders.len() < 3 {
            broken(format!("{}: no entry names its notebook", at.run));
        }
        for order in orders {
            let listed = newest_of(world, &order, &at);
            let is_right =
                listed.len() == 1 && listed.iter().all(|entry| (&entry.at, entry.status) == (&at, outcome.status));
            if !is_right {
                broken(format!("{} is to be in {order:?} once, as {:?}: {listed:?}", at.run, outcome.status));
            }
        }
        check_groups(world, &at, &outcome);
    }
}

/// Whoever lists one group sees the newest entry there, or an older one in no group but its own.
fn check_groups(world: &World, at: &AttemptRef, outcome: &Outcome) {
    for group in Group::ALL {
        let shown = newest(&entries(world, &Order::All, Some(group)), at);
        let stale = shown.iter().any(|entry| entry.at.attempt < at.attempt);
        let own = Group::of(execution_status(outcome.status, outcome.code.is_some()));
        if stale || group == own && shown.is_empty() {
            let what = format!("{}: who lists {group:?} sees {shown:?}, and it is {:?}", at.run, outcome.status);
            world.ledger.violation("G6", world.now_ms(), what);
        }
    }
}

fn newest_of(world: &World, order: &Order, at: &AttemptRef) -> Vec<Entry> {
    newest(&entries(world, order, None), at)
}

/// The different entries of a run's latest attempt.
fn newest(entries: &[Entry], at: &AttemptRef) -> Vec<Entry> {
    let of_run = || entries.iter().filter(|entry| entry.at.run == at.run);
    let latest = of_run().map(|entry| entry.at.attempt).max();
    let mut seen = BTreeSet::new();
    of_run().filter(|entry| Some(entry.at.attempt) == latest && seen.insert(format!("{entry:?}"))).cloned().collect()
}

fn entries(world: &World, order: &Order, of: Option<Group>) -> Vec<Entry> {
    let groups = Group::ALL.into_iter().filter(|group| of.is_none_or(|of| of == *group));
    let folders = groups.map(|group| order.folder(&world.stack.layout, group));
    let read = |folder: String| {
        let keys = world.bucket.list(&folder, None, usize::MAX);
        keys.into_iter().filter_map(move |key| Entry::read(&folder, &key))
    };
    folders.flat_map(read).collect()
}
