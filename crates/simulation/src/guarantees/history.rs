//! G6: the history lists each run that ended, once, as its newest outcome has it.

use std::collections::BTreeMap;

use reveille_domain::RunId;
use reveille_domain::history::{Entry, Group, Order, execution_status};
use reveille_domain::layout::AttemptRef;
use reveille_domain::records::Outcome;

use super::newest_outcome;
use crate::world::ledger::Started;
use crate::world::{World, is_of_second_stack};

/// Checks it.
pub(super) fn check(world: &World, executions: &[Started]) {
    let broken = |what: String| world.ledger.violation("G6", world.now_ms(), what);
    let mut lists = Lists { world, read: BTreeMap::new() };
    for entry in Group::ALL.into_iter().flat_map(|group| lists.all(group)) {
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
        let newest = lists.newest(&Order::All, &Group::ALL, &at);
        orders.extend(newest.iter().filter_map(|entry| entry.notebook.clone()).map(Order::Notebook));
        if outcome.notebook.is_some() && orders.len() < 3 {
            broken(format!("{}: no entry names its notebook", at.run));
        }
        for order in orders {
            let listed = lists.newest(&order, &Group::ALL, &at);
            let is_right =
                listed.len() == 1 && listed.iter().all(|entry| (&entry.at, entry.status) == (&at, outcome.status));
            if !is_right {
                broken(format!("{} is to be in {order:?} once, as {:?}: {listed:?}", at.run, outcome.status));
            }
        }
        check_groups(&mut lists, &at, &outcome);
    }
}

/// Whoever lists one group sees the newest entry there, or an older one in no group but its own.
fn check_groups(lists: &mut Lists<'_>, at: &AttemptRef, outcome: &Outcome) {
    for group in Group::ALL {
        let shown = lists.newest(&Order::All, &[group], at);
        let stale = shown.iter().any(|entry| entry.at.attempt < at.attempt);
        let own = Group::of(execution_status(outcome.status, outcome.code.is_some()));
        if stale || group == own && shown.is_empty() {
            let what = format!("{}: who lists {group:?} sees {shown:?}, and it is {:?}", at.run, outcome.status);
            lists.world.ledger.violation("G6", lists.world.now_ms(), what);
        }
    }
}

/// What the folders of the history list, by run. Each is read once: a queue has thousands.
struct Lists<'w> {
    world: &'w World,
    read: BTreeMap<String, BTreeMap<RunId, Vec<Entry>>>,
}

impl Lists<'_> {
    fn folder(&mut self, order: &Order, group: Group) -> &BTreeMap<RunId, Vec<Entry>> {
        let (world, folder) = (self.world, order.folder(&self.world.stack.layout, group));
        self.read.entry(folder).or_insert_with_key(|folder| {
            let mut by_run: BTreeMap<RunId, Vec<Entry>> = BTreeMap::new();
            for entry in world.bucket.list(folder, None, usize::MAX).iter().filter_map(|key| Entry::read(folder, key)) {
                by_run.entry(entry.at.run.clone()).or_default().push(entry);
            }
            by_run
        })
    }

    fn all(&mut self, group: Group) -> Vec<Entry> {
        self.folder(&Order::All, group).values().flatten().cloned().collect()
    }

    /// The different entries of a run's latest attempt.
    fn newest(&mut self, order: &Order, groups: &[Group], at: &AttemptRef) -> Vec<Entry> {
        let mut found: Vec<Entry> = Vec::new();
        for group in groups {
            for entry in self.folder(order, *group).get(&at.run).into_iter().flatten() {
                if !found.contains(entry) {
                    found.push(entry.clone());
                }
            }
        }
        let latest = found.iter().map(|entry| entry.at.attempt).max();
        found.retain(|entry| Some(entry.at.attempt) == latest);
        found
    }
}
