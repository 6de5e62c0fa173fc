//! The history: an index of the runs that ended, in the keys of empty objects. One LIST tells of a thousand runs.
//!
//! Owns what an entry says, the keys under which it stands, and how they are read. An entry is made of what never changes: of
//! the outcome, and of its execution's start and input. So whoever writes it writes the same keys. It never decides anything: the
//! outcome is the truth, and an entry that is missing is made anew from it.
//!
//! Keys are read by whoever may list the bucket, each instance's role too. So an entry says no more than what lists need.
//!
//! Each order is a folder, `history/all/`, `history/instance/<name>/` and `history/notebook/<name>/`, and has a folder for each
//! [`Group`]. Behind it come the time, the run, the attempt and the facts. The time counts backwards, so that S3 lists the newest
//! run first.

use chrono::{DateTime, Utc};

use crate::error::Code;
use crate::ids::{InstanceName, RunId};
use crate::input;
use crate::layout::{AttemptRef, Layout};
use crate::ports::ExecutionStatus;
use crate::records::{Outcome, Rest, RunStatus};
use crate::text::InputText;

mod name;
mod place;
mod words;

pub use name::{NotebookName, notebooks};
pub use place::{HistoryMissed, HistoryPass, HistoryPlace};
use words::NONE;
pub use words::TriggerKind;

/// Times are counted back from here: a day in 2286, the last of thirteen digits.
const LAST_MS: i64 = 9_999_999_999_999;

/// The status of the execution that ended with an outcome of this status, with a code or without. The outcome's is the
/// notebook's: an execution whose instance was not seen to stop fails all the same.
#[must_use]
pub const fn execution_status(status: RunStatus, has_code: bool) -> ExecutionStatus {
    match (status, has_code) {
        (RunStatus::Succeeded | RunStatus::Skipped, false) => ExecutionStatus::Succeeded,
        (RunStatus::Succeeded | RunStatus::Skipped, true) | (RunStatus::Failed, _) => ExecutionStatus::Failed,
        (RunStatus::Aborted, _) => ExecutionStatus::Aborted,
    }
}

/// How a run's execution ended, as coarse as the folders of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// It succeeded, or there was nothing to do.
    Ok,
    /// It failed, or was stopped.
    Failed,
}

impl Group {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ok, Self::Failed];

    /// The group of an execution that ended so.
    #[must_use]
    pub const fn of(status: ExecutionStatus) -> Self {
        match status {
            ExecutionStatus::Succeeded => Self::Ok,
            ExecutionStatus::Running
            | ExecutionStatus::Failed
            | ExecutionStatus::TimedOut
            | ExecutionStatus::Aborted => Self::Failed,
        }
    }

    const fn folder(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
        }
    }
}

/// An order of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// All runs.
    All,
    /// Those of an instance's folder of records.
    Instance(String),
    /// Those of a notebook, by its name in a key: see [`NotebookName`].
    Notebook(NotebookName),
}

impl Order {
    /// The folder of a group, ending with `/`.
    #[must_use]
    pub fn folder(&self, layout: &Layout, group: Group) -> String {
        let (history, group) = (layout.history(), group.folder());
        match self {
            Self::All => format!("{history}all/{group}/"),
            Self::Instance(name) => format!("{history}instance/{name}/{group}/"),
            Self::Notebook(name) => format!("{}{}/{group}/", notebooks(layout), name.part()),
        }
    }
}

/// One run that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its records: of its last attempt.
    pub at: AttemptRef,
    /// When its execution started, to the millisecond.
    pub started: DateTime<Utc>,
    /// How it ended.
    pub status: RunStatus,
    /// Whether its outcome has a code.
    pub has_code: bool,
    /// The code; none also where this version does not know it.
    pub code: Option<Code>,
    /// What became of the instance.
    pub instance_after: Rest,
    /// When its outcome was made.
    pub concluded: DateTime<Utc>,
    /// The notebook, if the input named one, even if the rest of it was invalid.
    pub notebook: Option<NotebookName>,
    /// What kind of thing started it.
    pub trigger: TriggerKind,
}

impl Entry {
    /// The entry of an outcome, whose execution had this input.
    #[must_use]
    pub fn of(outcome: &Outcome, at: &AttemptRef, started: DateTime<Utc>, input: &InputText) -> Self {
        Self {
            at: at.clone(),
            started: to_the_millisecond(started),
            status: outcome.status,
            has_code: outcome.code.is_some(),
            code: outcome.code,
            instance_after: outcome.instance_after,
            concluded: to_the_millisecond(outcome.concluded_at),
            notebook: input::notebook_of(input).as_deref().map(NotebookName::of),
            trigger: TriggerKind::of(input),
        }
    }

    /// The instance, if the input named one.
    #[must_use]
    pub fn instance(&self) -> Option<InstanceName> {
        InstanceName::parse(&self.at.instance).ok()
    }

    /// How its execution ended.
    #[must_use]
    pub const fn execution_status(&self) -> ExecutionStatus {
        execution_status(self.status, self.has_code)
    }

    const fn group(&self) -> Group {
        Group::of(self.execution_status())
    }

    /// The keys under which it stands, the one that is written last behind the others: where that is, the others are.
    ///
    /// A later attempt stands in both groups. Whoever lists only one then sees that what was there before is no longer so.
    #[must_use]
    pub fn keys(&self, layout: &Layout) -> Vec<String> {
        let own = self.group();
        let others = Group::ALL.into_iter().filter(|group| *group != own && self.at.attempt > 1);
        let groups: Vec<Group> = others.chain([own]).collect();
        let mut orders = vec![Order::Instance(self.at.instance.clone())];
        orders.extend(self.notebook.clone().map(Order::Notebook));
        orders.push(Order::All);
        let tail = self.tail();
        orders.iter().flat_map(|order| groups.iter().map(|group| order.folder(layout, *group) + &tail)).collect()
    }

    /// Whether its key in this group of all runs is the one that is written last. Where only another is, some may be missing.
    #[must_use]
    pub fn is_last_in(&self, group: Group) -> bool {
        self.group() == group
    }

    /// The key that is written last.
    #[must_use]
    pub fn last_key(&self, layout: &Layout) -> String {
        Order::All.folder(layout, self.group()) + &self.tail()
    }

    fn tail(&self) -> String {
        let Self { at, .. } = self;
        let (time, attempt) = (backwards(self.started), at.attempt.to_string());
        let concluded = self.concluded.timestamp_millis().to_string();
        let parts: [&str; 10] = [
            &time,
            at.run.as_str(),
            &attempt,
            words::status(self.status),
            self.code.map_or(NONE, Code::as_str),
            words::rest(self.instance_after),
            &concluded,
            &at.instance,
            self.notebook.as_ref().map_or(NONE, NotebookName::part),
            self.trigger.word(),
        ];
        parts.join("/")
    }

    /// Reads the entry of a key in the folder of an order and a group; `None`: no entry can be there.
    #[must_use]
    pub fn read(folder: &str, key: &str) -> Option<Self> {
        let parts: Vec<&str> = key.strip_prefix(folder)?.split('/').collect();
        let [time, run, attempt, status, code, after, concluded, instance, notebook, trigger] = parts[..] else {
            return None;
        };
        let at = AttemptRef { instance: instance.to_owned(), run: RunId::parse(run)?, attempt: attempt.parse().ok()? };
        Some(Self {
            at,
            started: DateTime::from_timestamp_millis(LAST_MS - time.parse::<i64>().ok()?)?,
            status: words::status_of(status)?,
            has_code: code != NONE,
            code: Code::parse(code),
            instance_after: words::rest_of(after)?,
            concluded: DateTime::from_timestamp_millis(concluded.parse().ok()?)?,
            notebook: (notebook != NONE).then(|| NotebookName::of_part(notebook)),
            trigger: TriggerKind::of_word(trigger),
        })
    }
}

/// A time as keys have it: thirteen digits, fewer the later it is.
#[must_use]
pub fn backwards(at: DateTime<Utc>) -> String {
    format!("{:013}", (LAST_MS - at.timestamp_millis()).clamp(0, LAST_MS))
}

fn to_the_millisecond(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at.timestamp_millis()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
