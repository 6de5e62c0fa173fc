//! Records that are not what their key says: which kinds there are, how one is damaged, and what to do about it.
//!
//! An unreadable record is evidence, not a refused call: it stays unreadable however often it is read. A record whose
//! content names another run, attempt or instance than its key is foreign, and is treated the same: never believed.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Code, Failure};
use crate::ids::InstanceName;
use crate::layout::INVALID_INSTANCE;
use crate::limits::MAX_RECORD_BYTES;
use crate::records::{Claim, Lease, Outcome, Progress, Report, Request, Ticket, TriggerRecord};

/// The kinds of records in the stack's bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// `triggers/<key>.json`.
    Trigger,
    /// `request.json`.
    Request,
    /// `claim.json`.
    Claim,
    /// `progress.json`.
    Progress,
    /// `report.json`.
    Report,
    /// `outcome.json`.
    Outcome,
    /// `inbox/<instance>/<run>`.
    Ticket,
    /// `leases/<instance>.json`.
    Lease,
    /// `sweeper.json`.
    Sweeper,
}

impl RecordKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Trigger,
        Self::Request,
        Self::Claim,
        Self::Progress,
        Self::Report,
        Self::Outcome,
        Self::Ticket,
        Self::Lease,
        Self::Sweeper,
    ];
}

/// A record: it knows its kind, and under which key it may be.
pub trait Record: Serialize + DeserializeOwned {
    /// Its kind.
    const KIND: RecordKind;

    /// The end of the key that the content names; `None` where the content names nothing that a key tells.
    fn key_end(&self) -> Option<String>;

    /// What in the content belongs to another key, in words; `None` if nothing does.
    fn foreign_to(&self, key: &str) -> Option<String> {
        let end = self.key_end()?;
        // A key without a prefix begins where the end's first `/` would be.
        let is_its_own = key.ends_with(&end) || end.strip_prefix('/') == Some(key);
        (!is_its_own).then(|| format!("…{end}"))
    }
}

impl Record for TriggerRecord {
    const KIND: RecordKind = RecordKind::Trigger;

    fn key_end(&self) -> Option<String> {
        // Its key is a hash of the event, which the record does not repeat.
        None
    }
}

impl Record for Request {
    const KIND: RecordKind = RecordKind::Request;

    fn key_end(&self) -> Option<String> {
        Some(format!("/runs/{}/{}/request.json", self.instance, self.run))
    }
}

impl Record for Claim {
    const KIND: RecordKind = RecordKind::Claim;

    fn key_end(&self) -> Option<String> {
        let at = self.attempt.as_ref()?;
        Some(format!("/runs/{}/{}/{}/claim.json", at.instance, at.run, at.attempt))
    }
}

impl Record for Progress {
    const KIND: RecordKind = RecordKind::Progress;

    fn key_end(&self) -> Option<String> {
        None
    }
}

impl Record for Report {
    const KIND: RecordKind = RecordKind::Report;

    fn key_end(&self) -> Option<String> {
        Some(format!("/{}/{}/report.json", self.run, self.attempt))
    }

    fn foreign_to(&self, key: &str) -> Option<String> {
        let end = self.key_end()?;
        if !key.ends_with(&end) {
            return Some(format!("…{end}"));
        }
        // The outputs lie beside their report: any other place is another attempt's, and its files another notebook's.
        let folder = key.rsplit_once('/').map_or("", |(folder, _)| folder);
        let beside = |uri: &str| uri.rsplit_once('/').is_some_and(|(at, _)| at.ends_with(&format!("/{folder}")));
        self.outputs.values().find(|uri| !beside(uri)).cloned()
    }
}

impl Record for Outcome {
    const KIND: RecordKind = RecordKind::Outcome;

    fn key_end(&self) -> Option<String> {
        let instance = self.instance.as_ref().map_or(INVALID_INSTANCE, InstanceName::as_str);
        Some(format!("/runs/{instance}/{}/{}/outcome.json", self.run, self.attempt))
    }
}

impl Record for Ticket {
    const KIND: RecordKind = RecordKind::Ticket;

    fn key_end(&self) -> Option<String> {
        let inbox = self.instance.as_ref().map_or(String::new(), |instance| format!("/inbox/{instance}"));
        Some(format!("{inbox}/{}", self.run))
    }
}

impl Record for Lease {
    const KIND: RecordKind = RecordKind::Lease;

    fn key_end(&self) -> Option<String> {
        let busy = self.busy.as_ref().map(|busy| busy.instance.as_str());
        let instance = self.instance.as_ref().map(InstanceName::as_str).or(busy)?;
        Some(format!("/leases/{instance}.json"))
    }
}

/// How a record is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It is larger than any record that Reveille writes, and was not read.
    TooLarge,
    /// It is no JSON, or JSON of another form. Says where, never what: the content may be a token or a parameter.
    Malformed {
        /// The line, from 1.
        line: usize,
        /// The column, from 0.
        column: usize,
        /// Whether it is JSON at all, as far as it was read.
        is_json: bool,
    },
    /// It is a record, but its content belongs to another key; the words say which.
    Foreign(String),
    /// It is a record of that very run, but not the one that was recorded: its SHA-256 is another.
    Replaced,
}

impl Damage {
    /// What the parser met.
    #[must_use]
    pub fn of(error: &serde_json::Error) -> Self {
        let is_json = match error.classify() {
            serde_json::error::Category::Data => true,
            serde_json::error::Category::Syntax
            | serde_json::error::Category::Eof
            | serde_json::error::Category::Io => false,
        };
        Self::Malformed { line: error.line(), column: error.column(), is_json }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(f, "is larger than {MAX_RECORD_BYTES} bytes, and Reveille's records never are"),
            Self::Malformed { line: 1, column: 0, is_json: false } => f.write_str("is empty"),
            Self::Malformed { line, column, is_json: false } => {
                write!(f, "is not valid JSON (line {line}, column {column})")
            }
            Self::Malformed { line, column, is_json: true } => {
                write!(f, "is JSON, but not a record of this kind (line {line}, column {column})")
            }
            Self::Replaced => {
                f.write_str("is not the one that Reveille recorded: its SHA-256 differs, so somebody replaced it")
            }
            Self::Foreign(owner) => write!(f, "belongs to something else: its content names {owner}"),
        }
    }
}

/// A record that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// What it should be.
    pub kind: RecordKind,
    /// Where it is.
    pub key: String,
    /// The entity tag that it was read under: under another one it is another object, and worth another look.
    pub etag: String,
    /// What is wrong with it.
    pub damage: Damage,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The record {} {}.", self.key, self.damage)
    }
}

impl Unreadable {
    /// What to do, and what removing this very record means.
    #[must_use]
    pub fn advice(&self) -> String {
        match self.kind {
            RecordKind::Trigger => {
                "It says which execution answers the event. If you remove it, the next execution for this event runs the notebook, even if another one already did. Check that first, then remove the record and redrive the execution.".to_owned()
            }
            RecordKind::Request => {
                "It says what the run was asked for. Remove it and redrive the execution: AdmitRun then writes it again from the execution's input.".to_owned()
            }
            RecordKind::Claim => {
                "It keeps the notebook from running twice, so leave it where it is. A redrive of the execution runs the notebook as the next attempt, which has a claim of its own.".to_owned()
            }
            RecordKind::Progress => {
                "It only shows how far the notebook is, and can be removed.".to_owned()
            }
            RecordKind::Report => {
                "It should say how the notebook ended, so look at the run's other files to find that out. Leave the record where it is: a redrive of the execution runs the notebook again as the next attempt.".to_owned()
            }
            RecordKind::Outcome => {
                "It should say how this attempt ended, as the event did. Remove it and redrive the execution: the outcome is then recorded, and the notebook is not run again.".to_owned()
            }
            RecordKind::Ticket => {
                "It is the run's place in the queue. It can be removed: an execution that still waits writes it again after a heartbeat.".to_owned()
            }
            RecordKind::Sweeper => {
                "It only says how far the sweeper got, and can be removed.".to_owned()
            }
            RecordKind::Lease => {
                let name = self.instance().unwrap_or("NAME");
                format!(
                    "It says that Reveille started notebook instance {name}; without it nobody stops the instance. First make sure that the instance is stopped (aws sagemaker stop-notebook-instance --notebook-instance-name {name}), then remove the record."
                )
            }
        }
    }

    /// The instance that a lease's key names.
    fn instance(&self) -> Option<&str> {
        let (_, name) = self.key.rsplit_once('/')?;
        name.strip_suffix(".json")
    }
}

impl From<Unreadable> for Failure {
    fn from(unreadable: Unreadable) -> Self {
        Self::new(Code::Internal, format!("{unreadable} {}", unreadable.advice()))
    }
}

#[cfg(test)]
mod tests;
