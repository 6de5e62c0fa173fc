//! The history: an index of the runs that ended, in the keys of empty objects. One LIST tells of a thousand runs.
//!
//! Owns what an entry says, the keys under which it stands, and how they are read. An entry is made of what never changes about
//! an outcome, so whoever writes it writes the same keys. It never decides anything: the outcome is the truth, and an entry that
//! is missing is made anew from it.
//!
//! Each order is a folder, `history/all/`, `history/instance/<name>/` and `history/notebook/<name>/`, and has a folder for each
//! [`Group`]. Behind it come the time, the run, the attempt and the facts. The time counts backwards, so that S3 lists the newest
//! run first.

use chrono::{DateTime, Utc};

use crate::error::Code;
use crate::ids::{InstanceName, RunId, sha256_hex};
use crate::input::NotebookSource;
use crate::layout::{AttemptRef, Layout};
use crate::records::{Outcome, Rest, RunStatus};
use crate::text::InputText;

mod place;
mod words;

pub use place::{HistoryPass, HistoryPlace};
pub use words::trigger;
use words::{NONE, cut, decoded, encoded};

/// Times are counted back from here: a day in 2286, the last of thirteen digits.
const LAST_MS: i64 = 9_999_999_999_999;
/// Bytes of a notebook's name in a key, encoded. A key has 1,024, and the names of instance and run, the trigger and the facts need 500.
const MAX_NAME: usize = 200;
/// Bytes of a trigger, encoded.
const MAX_TRIGGER: usize = 120;
/// Stands before the hash of a name that was cut. No encoded name holds it.
const HASH: &str = "!-";

/// How a run ended, as coarse as the folders of an order.
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

    /// The group of a status.
    #[must_use]
    pub const fn of(status: RunStatus) -> Self {
        match status {
            RunStatus::Succeeded | RunStatus::Skipped => Self::Ok,
            RunStatus::Failed | RunStatus::Aborted => Self::Failed,
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
            Self::Notebook(name) => format!("{}{}/{group}/", notebooks(layout), name.0),
        }
    }
}

/// The folder that has a folder for each notebook, ending with `/`.
#[must_use]
pub fn notebooks(layout: &Layout) -> String {
    format!("{}notebook/", layout.history())
}

/// A notebook's name in a key: encoded, and cut with a hash of the whole behind it where it is too long.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotebookName(String);

impl NotebookName {
    /// The name of a notebook.
    #[must_use]
    pub fn of(notebook: &str) -> Self {
        let whole = encoded(notebook);
        if whole.len() <= MAX_NAME {
            return Self(whole);
        }
        let hash = &sha256_hex(notebook.as_bytes())[..16];
        Self(format!("{}{HASH}{hash}", cut(&whole, MAX_NAME - HASH.len() - hash.len())))
    }

    /// The name that a folder below [`notebooks`] has.
    #[must_use]
    pub fn of_folder(layout: &Layout, folder: &str) -> Option<Self> {
        let name = folder.strip_prefix(&notebooks(layout))?.strip_suffix('/')?;
        (!name.is_empty() && !name.contains('/')).then(|| Self(name.to_owned()))
    }

    /// The notebook, or how it begins, and whether that is all.
    #[must_use]
    pub fn notebook(&self) -> (String, bool) {
        match self.0.split_once(HASH) {
            Some((begin, _)) => (decoded(begin), false),
            None => (decoded(&self.0), true),
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
    /// The failure's code; none also where this version does not know it.
    pub code: Option<Code>,
    /// What became of the instance.
    pub instance_after: Rest,
    /// When its outcome was made.
    pub concluded: DateTime<Utc>,
    /// The notebook, if the input was valid.
    pub notebook: Option<NotebookName>,
    /// What started it, in a few words; a long one is cut, and ends with `…`.
    pub trigger: String,
}

impl Entry {
    /// The entry of an outcome, whose execution had this input.
    #[must_use]
    pub fn of(outcome: &Outcome, at: &AttemptRef, started: DateTime<Utc>, input: &InputText) -> Self {
        let notebook = outcome.notebook.as_ref().map(NotebookSource::to_string);
        Self {
            at: at.clone(),
            started: to_the_millisecond(started),
            status: outcome.status,
            code: outcome.code,
            instance_after: outcome.instance_after,
            concluded: to_the_millisecond(outcome.concluded_at),
            notebook: notebook.as_deref().map(NotebookName::of),
            trigger: words::trigger_of(input),
        }
    }

    /// The instance, if the input named one.
    #[must_use]
    pub fn instance(&self) -> Option<InstanceName> {
        InstanceName::parse(&self.at.instance).ok()
    }

    /// The keys under which it stands, the one that is written last behind the others: where that is, the others are.
    ///
    /// A later attempt stands in both groups. Whoever lists only one then sees that what was there before is no longer so.
    #[must_use]
    pub fn keys(&self, layout: &Layout) -> Vec<String> {
        let own = Group::of(self.status);
        let groups: Vec<Group> = Group::ALL.into_iter().filter(|group| *group == own || self.at.attempt > 1).collect();
        let mut orders = vec![Order::Instance(self.at.instance.clone())];
        orders.extend(self.notebook.clone().map(Order::Notebook));
        orders.push(Order::All);
        let tail = self.tail();
        let mut keys: Vec<String> =
            orders.iter().flat_map(|order| groups.iter().map(|group| order.folder(layout, *group) + &tail)).collect();
        let last = self.last_key(layout);
        keys.retain(|key| *key != last);
        keys.push(last);
        keys
    }

    /// The key that is written last.
    #[must_use]
    pub fn last_key(&self, layout: &Layout) -> String {
        Order::All.folder(layout, Group::of(self.status)) + &self.tail()
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
            self.notebook.as_ref().map_or(NONE, |name| name.0.as_str()),
            &cut_trigger(&self.trigger),
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
            code: Code::parse(code),
            instance_after: words::rest_of(after)?,
            concluded: DateTime::from_timestamp_millis(concluded.parse().ok()?)?,
            notebook: (notebook != NONE).then(|| NotebookName(notebook.to_owned())),
            trigger: decoded(trigger),
        })
    }
}

fn cut_trigger(trigger: &str) -> String {
    let whole = encoded(trigger);
    if whole.len() <= MAX_TRIGGER {
        return whole;
    }
    let sign = encoded("…");
    format!("{}{sign}", cut(&whole, MAX_TRIGGER - sign.len()))
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
