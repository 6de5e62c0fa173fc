//! Where each record is in the stack's bucket. The only place that builds S3 keys.

use serde::{Deserialize, Serialize};

use crate::ids::{InstanceName, RunId};

/// The bucket and prefix of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The bucket's name.
    pub bucket: String,
    /// Empty, or ends with `/`.
    pub prefix: String,
}

/// One attempt of a run on an instance: what every record of the attempt is named by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AttemptRef {
    /// The instance's folder: its name, or [`INVALID_INSTANCE`].
    pub instance: String,
    /// The run.
    pub run: RunId,
    /// The attempt, from 1.
    pub attempt: u32,
}

/// The folder of runs whose request named no valid instance. No instance can have this name.
pub const INVALID_INSTANCE: &str = "_invalid";

impl Layout {
    /// The record that answers an event.
    #[must_use]
    pub fn trigger(&self, key: &str) -> String {
        format!("{}triggers/{key}.json", self.prefix)
    }

    /// A run's request.
    #[must_use]
    pub fn request(&self, instance: &str, run: &RunId) -> String {
        [&self.prefix, "runs/", instance, "/", run.as_str(), "/request.json"].concat()
    }

    /// The folder of an attempt, ending with `/`.
    #[must_use]
    pub fn attempt(&self, at: &AttemptRef) -> String {
        self.in_attempt(at, "")
    }

    /// A key of an attempt's folder. Keys are put together many times in each run, and in one piece.
    fn in_attempt(&self, at: &AttemptRef, name: &str) -> String {
        let attempt = at.attempt.to_string();
        [&self.prefix, "runs/", &at.instance, "/", at.run.as_str(), "/", &attempt, "/", name].concat()
    }

    /// The fence of an attempt.
    #[must_use]
    pub fn claim(&self, at: &AttemptRef) -> String {
        self.in_attempt(at, "claim.json")
    }

    /// Cell i of n.
    #[must_use]
    pub fn progress(&self, at: &AttemptRef) -> String {
        self.in_attempt(at, "progress.json")
    }

    /// The only verdict.
    #[must_use]
    pub fn report(&self, at: &AttemptRef) -> String {
        self.in_attempt(at, "report.json")
    }

    /// The recorded outcome.
    #[must_use]
    pub fn outcome(&self, at: &AttemptRef) -> String {
        self.in_attempt(at, "outcome.json")
    }

    /// The folder of what an attempt's notebook has left so far, ending with `/`. Not below the attempt: nobody who lists a
    /// run meets these objects, and the bucket deletes them by their prefix.
    #[must_use]
    pub fn live(&self, at: &AttemptRef) -> String {
        format!("{}live/{}/{}/{}/", self.prefix, at.instance, at.run, at.attempt)
    }

    /// A piece of the log, by the place of its first byte in the whole log: keys are listed in the log's order.
    #[must_use]
    pub fn live_log(&self, at: &AttemptRef, from: u64) -> String {
        format!("{}log-{from:012}.txt", self.live(at))
    }

    /// The place in the log of the piece that is under a key; `None`: no piece can be there.
    #[must_use]
    pub fn place_of_live_log(&self, at: &AttemptRef, key: &str) -> Option<u64> {
        let digits = key.strip_prefix(&self.live(at))?.strip_prefix("log-")?.strip_suffix(".txt")?;
        let are_digits = digits.len() >= 12 && digits.bytes().all(|byte| byte.is_ascii_digit());
        if are_digits { digits.parse().ok() } else { None }
    }

    /// The notebook as far as it was saved.
    #[must_use]
    pub fn live_notebook(&self, at: &AttemptRef) -> String {
        self.live(at) + "partial.ipynb"
    }

    /// The folder of an instance's queue, ending with `/`.
    #[must_use]
    pub fn inbox(&self, instance: &InstanceName) -> String {
        [&self.prefix, "inbox/", instance.as_str(), "/"].concat()
    }

    /// A run's place in the queue.
    #[must_use]
    pub fn ticket(&self, instance: &InstanceName, run: &RunId) -> String {
        [&self.prefix, "inbox/", instance.as_str(), "/", run.as_str()].concat()
    }

    /// The run whose ticket is under a key of the instance's inbox; `None`: no ticket can be there. Whatever an object
    /// says of itself, its key decides whose ticket it is.
    #[must_use]
    pub fn run_of_ticket(&self, instance: &InstanceName, key: &str) -> Option<RunId> {
        let name = key.strip_prefix(&self.prefix)?.strip_prefix("inbox/")?.strip_prefix(instance.as_str())?;
        RunId::parse(name.strip_prefix('/')?)
    }

    /// The instance and the run whose ticket a key is; `None`: it is none.
    #[must_use]
    pub fn ticket_of_key(&self, key: &str) -> Option<(InstanceName, RunId)> {
        let (instance, run) = key.strip_prefix(&self.prefix)?.strip_prefix("inbox/")?.split_once('/')?;
        Some((InstanceName::parse(instance).ok()?, RunId::parse(run)?))
    }

    /// The attempt whose claim a key is; `None`: it is none.
    #[must_use]
    pub fn claim_of_key(&self, key: &str) -> Option<AttemptRef> {
        let rest = key.strip_prefix(&self.prefix)?.strip_prefix("runs/")?;
        let [instance, run, attempt, "claim.json"] = rest.split('/').collect::<Vec<_>>()[..] else { return None };
        let instance = InstanceName::parse(instance).ok()?.as_str().to_owned();
        let at = AttemptRef { instance, run: RunId::parse(run)?, attempt: attempt.parse().ok()? };
        // One number has one text: "01" and "+1" name other keys.
        (self.claim(&at) == key).then_some(at)
    }

    /// Whose boot it is.
    #[must_use]
    pub fn lease(&self, instance: &InstanceName) -> String {
        [&self.prefix, "leases/", instance.as_str(), ".json"].concat()
    }

    /// The folder of all leases, ending with `/`.
    #[must_use]
    pub fn leases(&self) -> String {
        format!("{}leases/", self.prefix)
    }

    /// How far the sweeper came.
    #[must_use]
    pub fn sweeper(&self) -> String {
        format!("{}sweeper.json", self.prefix)
    }

    /// The folder of the index of runs that ended, ending with `/`.
    #[must_use]
    pub fn history(&self) -> String {
        format!("{}history/", self.prefix)
    }

    /// How far the sweeper came with that index.
    #[must_use]
    pub fn history_place(&self) -> String {
        format!("{}history.json", self.prefix)
    }

    /// Which runner instances start with: a line as sha256sum prints it, with a name of [`Self::artifact`].
    #[must_use]
    pub fn runner(&self) -> String {
        format!("{}runner.sha256", self.prefix)
    }

    /// The folder of an instance's runs, ending with `/`.
    #[must_use]
    pub fn runs(&self, instance: &str) -> String {
        format!("{}runs/{instance}/", self.prefix)
    }

    /// The folder of a run, ending with `/`.
    #[must_use]
    pub fn run(&self, instance: &str, run: &RunId) -> String {
        format!("{}{run}/", self.runs(instance))
    }

    /// A file that a person or a pipeline uploads for the instances. Not below the prefix: stacks that share a bucket share it.
    #[must_use]
    pub fn artifact(&self, name: &str) -> String {
        format!("artifacts/{name}")
    }

    /// `s3://bucket/key`.
    #[must_use]
    pub fn uri(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// docs/output.md and the roles' policies name these places.
    #[test]
    fn each_record_has_its_place_below_the_prefix() {
        let instance = InstanceName::parse("nightly").unwrap();
        let run = RunId::from_key("daily-1");
        let at = AttemptRef { instance: "nightly".into(), run: run.clone(), attempt: 2 };
        for prefix in ["", "team/"] {
            let layout = Layout { bucket: "b".into(), prefix: prefix.into() };
            for (key, expected) in [
                (layout.trigger("s3-1"), "triggers/s3-1.json"),
                (layout.runs("nightly"), "runs/nightly/"),
                (layout.run("nightly", &run), "runs/nightly/daily-1/"),
                (layout.request("nightly", &run), "runs/nightly/daily-1/request.json"),
                (layout.attempt(&at), "runs/nightly/daily-1/2/"),
                (layout.claim(&at), "runs/nightly/daily-1/2/claim.json"),
                (layout.progress(&at), "runs/nightly/daily-1/2/progress.json"),
                (layout.report(&at), "runs/nightly/daily-1/2/report.json"),
                (layout.outcome(&at), "runs/nightly/daily-1/2/outcome.json"),
                (layout.live_notebook(&at), "live/nightly/daily-1/2/partial.ipynb"),
                (layout.inbox(&instance), "inbox/nightly/"),
                (layout.ticket(&instance, &run), "inbox/nightly/daily-1"),
                (layout.leases(), "leases/"),
                (layout.lease(&instance), "leases/nightly.json"),
                (layout.sweeper(), "sweeper.json"),
                (layout.history(), "history/"),
                (layout.history_place(), "history.json"),
                (layout.runner(), "runner.sha256"),
            ] {
                assert_eq!(key, format!("{prefix}{expected}"));
            }
            assert_eq!(layout.artifact("runner.tar"), "artifacts/runner.tar", "stacks that share a bucket share it");
            assert_eq!(layout.uri(&layout.sweeper()), format!("s3://b/{prefix}sweeper.json"));
        }
    }

    #[test]
    fn a_key_of_the_inbox_names_its_run_or_none() {
        for prefix in ["", "team/"] {
            let layout = Layout { bucket: "b".into(), prefix: prefix.into() };
            let instance = InstanceName::parse("nightly").unwrap();
            let run = RunId::from_key("daily-1");
            assert_eq!(layout.run_of_ticket(&instance, &layout.ticket(&instance, &run)), Some(run));
            let stray =
                ["inbox/nightly/", "inbox/nightly/a/b", "inbox/nightly/a/", "inbox/nightly", "inbox/nightly2/r"];
            let odd = ["inbox/nightly/..", "inbox/nightly/.", "inbox/nightly/a b", "inbox/nightly/a\u{1b}[2J"];
            for key in stray.into_iter().chain(odd) {
                assert_eq!(layout.run_of_ticket(&instance, &format!("{prefix}{key}")), None, "{key}");
            }
        }
        let layout = Layout { bucket: "b".into(), prefix: "team/".into() };
        let instance = InstanceName::parse("nightly").unwrap();
        assert_eq!(layout.run_of_ticket(&instance, "inbox/nightly/daily-1"), None, "another stack's");
    }

    #[test]
    fn a_key_says_whose_ticket_or_claim_it_is() {
        let (instance, run) = (InstanceName::parse("nightly").unwrap(), RunId::from_key("daily-1"));
        let at = AttemptRef { instance: "nightly".into(), run: run.clone(), attempt: 12 };
        for prefix in ["", "team/"] {
            let layout = Layout { bucket: "b".into(), prefix: prefix.into() };
            let (ticket, claim) = (layout.ticket(&instance, &run), layout.claim(&at));
            assert_eq!(layout.ticket_of_key(&ticket), Some((instance.clone(), run.clone())));
            assert_eq!(layout.claim_of_key(&claim), Some(at.clone()));
            assert_eq!((layout.ticket_of_key(&claim), layout.claim_of_key(&ticket)), (None, None));
            for key in ["inbox/nightly/", "inbox/nightly/a/b", "inbox/night_ly/a", "inbox/a", "outbox/nightly/a"] {
                assert_eq!(layout.ticket_of_key(&format!("{prefix}{key}")), None, "{key}");
            }
            for attempt in ["", "x", "-1", "+1", "01", "4294967296", "1/2"] {
                let key = format!("{prefix}runs/nightly/daily-1/{attempt}/claim.json");
                assert_eq!(layout.claim_of_key(&key), None, "{key}");
            }
            for key in ["runs/_invalid/r/1/claim.json", "runs/nightly/../1/claim.json", "runs/nightly/r/1/report.json"]
            {
                assert_eq!(layout.claim_of_key(&format!("{prefix}{key}")), None, "{key}");
            }
        }
        let layout = Layout { bucket: "b".into(), prefix: "team/".into() };
        assert_eq!(layout.ticket_of_key("inbox/nightly/daily-1"), None, "another stack's");
        assert_eq!(layout.claim_of_key("runs/nightly/daily-1/1/claim.json"), None, "another stack's");
    }

    #[test]
    fn a_piece_of_a_log_has_its_place_in_its_key() {
        let layout = Layout { bucket: "b".into(), prefix: "team/".into() };
        let at = AttemptRef { instance: "nightly".into(), run: RunId::from_key("daily-1"), attempt: 2 };
        let key = layout.live_log(&at, 1_048_576);
        assert_eq!(key, "team/live/nightly/daily-1/2/log-000001048576.txt");
        assert!(key < layout.live_log(&at, 2_000_000) && key > layout.live_log(&at, 0), "in the log's order");
        assert_eq!(layout.place_of_live_log(&at, &key), Some(1_048_576));
        for none in
            ["log-1.txt", "log-00000000000x.txt", "log-000000000001.txt.bak", "partial.ipynb", "log-+00000000001.txt"]
        {
            assert_eq!(layout.place_of_live_log(&at, &(layout.live(&at) + none)), None, "{none}");
        }
        assert_eq!(layout.place_of_live_log(&AttemptRef { attempt: 1, ..at }, &key), None, "another attempt's");
    }
}
