//! What AWS is asked. Gives the domain's own types; never prints.

/// Things that are looked at together: each takes one to three calls of some ten milliseconds.
pub(crate) const AT_ONCE: usize = 16;

mod account;
mod again;
mod artifacts;
mod attached;
mod attempts;
mod bucket_events;
pub(crate) mod checkup;
mod credentials;
mod entries;
mod eventually;
mod executions;
mod history;
mod instances;
mod listed;
mod live;
mod outputs;
mod past;
mod patience;
mod queue;
mod recorded;
mod records;
mod rules;
mod run;
mod schedules;
mod stacks;
pub(crate) mod states;
mod target;
mod undelivered;

pub(crate) use account::{Account, configured, stack_names, status_of};
pub(crate) use again::{Past, Redrivable};
pub(crate) use artifacts::{Artifacts, as_base64};
pub(crate) use attached::{Attach, SageMaker, Script, is_for};
pub(crate) use executions::{Execution, REMEMBERED, RunName, may_be_forgotten};
pub(crate) use history::{Entered, Put, StartedBy};
pub(crate) use instances::{Holder, Holds, Instance};
pub(crate) use listed::{ListedRuns, WantedRuns};
pub(crate) use live::{Piece, Uploaded};
pub(crate) use outputs::ToCome;
pub(crate) use patience::unless_forgotten;
pub(crate) use queue::{Coming, Learnt, Place, Took};
pub(crate) use rules::{DEFAULT_BUS, NewRule, Rule};
pub(crate) use run::{Damaged, Ending, Run};
#[cfg(test)]
pub(crate) use schedules::MAX_ATTEMPTS;
pub(crate) use schedules::{Added, MAX_AGE_SECONDS, NewSchedule, Schedule};
pub(crate) use stacks::{
    Change, ChangeSet, Effect, Event, Given, NewChangeSet, Prepared, StackFacts, StackResource, Stacks, TemplateAt,
};
pub(crate) use target::TargetSettings;
#[cfg(test)]
pub(crate) use undelivered::of_test as undelivered_of_test;
pub(crate) use undelivered::{MOST as MOST_UNDELIVERED, Source, Undelivered};
