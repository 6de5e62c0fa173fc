//! The history of the runs that ended, read: an index in the keys of the stack's bucket (decision 0056).
//!
//! A look lists the folders of the orders that fit, each sorted, and lays them beside each other. What it costs depends on what is
//! asked for, not on how many runs there were. It never writes, and what it finds is only which runs fit: what became of them is
//! told by their executions and records.

use std::collections::VecDeque;

use aws_sdk_sfn::types::ExecutionStatus;
use chrono::{DateTime, Utc};
use futures_util::future::try_join_all;
use reveille_domain::history::{Entry, Group, HistoryPlace, NotebookName, Order, backwards, notebooks};

use super::{Account, past::status_of};
use crate::error::CliError;

/// Keys of one request: the most that S3 gives.
const PAGE: usize = 1_000;
/// Requests behind the first of each folder: ten thousand entries.
const MOST_PAGES: usize = 10;
/// Requests for the names of notebooks.
const MOST_PAGES_OF_NAMES: usize = 5;
/// Notebooks whose folders are listed beside each other. Of more, the runs of all are looked through.
const MOST_NOTEBOOKS: usize = 24;

/// What is looked for. All of it must fit.
#[derive(Clone, Debug, Default)]
pub(super) struct Sought {
    /// How its execution ended.
    pub(super) status: Option<ExecutionStatus>,
    pub(super) instance: Option<String>,
    /// A part of the notebook's name.
    pub(super) notebook: Option<String>,
    /// It started then or later.
    pub(super) since: Option<DateTime<Utc>>,
    /// It started then or earlier.
    pub(super) until: Option<DateTime<Utc>>,
}

impl Sought {
    /// Whether a run may be one of them. Of a notebook whose name was cut that cannot be denied.
    fn fits(&self, entry: &Entry) -> bool {
        let status = self.status.as_ref().is_none_or(|status| status_of(entry.execution_status()) == *status);
        let instance = self.instance.as_ref().is_none_or(|name| entry.at.instance == *name);
        let named = |text: &String| entry.notebook.as_ref().is_some_and(|name| name.may_hold(text));
        status && instance && self.notebook.as_ref().is_none_or(named)
    }

    fn is_too_old(&self, entry: &Entry) -> bool {
        self.since.is_some_and(|since| entry.started < since)
    }

    fn groups(&self) -> &'static [Group] {
        match self.status {
            None => &Group::ALL,
            Some(ExecutionStatus::Succeeded) => &[Group::Ok],
            Some(_) => &[Group::Failed],
        }
    }
}

/// A folder, as far as it was listed.
struct Folder {
    prefix: String,
    /// The key behind which the next page begins.
    after: String,
    read: VecDeque<Entry>,
    is_over: bool,
}

impl Folder {
    fn new(prefix: String, until: Option<DateTime<Utc>>) -> Self {
        let after = format!("{prefix}{}", until.map(backwards).unwrap_or_default());
        Self { prefix, after, read: VecDeque::new(), is_over: false }
    }

    fn is_to_be_read(&self) -> bool {
        self.read.is_empty() && !self.is_over
    }

    /// Reads on.
    async fn turn(&mut self, account: &Account, size: usize) -> Result<(), CliError> {
        let call = account.s3.list_objects_v2().bucket(&account.layout.bucket).prefix(&self.prefix);
        let call = call.start_after(&self.after).max_keys(i32::try_from(size).unwrap_or(i32::MAX));
        let listed = call.send().await;
        let listed =
            listed.map_err(|error| CliError::asked(format!("list {}", account.place(&self.prefix)), &error))?;
        let keys: Vec<&str> = listed.contents().iter().filter_map(|object| object.key()).collect();
        // What nobody of ours wrote is no entry.
        self.read.extend(keys.iter().filter_map(|key| Entry::read(&self.prefix, key)));
        self.is_over = listed.is_truncated() != Some(true);
        match keys.last() {
            Some(last) => (*last).clone_into(&mut self.after),
            None => self.is_over = true,
        }
        Ok(())
    }
}

/// Where an entry is in every order.
fn place(entry: &Entry) -> (String, &str) {
    (backwards(entry.started), entry.at.run.as_str())
}

/// Takes the newest entry out of folders that were read so far that each has its next one.
fn next(folders: &mut [Folder]) -> Option<Entry> {
    let heads = folders.iter_mut().filter(|folder| !folder.read.is_empty());
    heads.min_by(|a, b| place(&a.read[0]).cmp(&place(&b.read[0])))?.read.pop_front()
}

/// A look through the history, which goes on as far as it is asked to.
pub(super) struct Look<'a> {
    account: &'a Account,
    sought: Sought,
    folders: Vec<Folder>,
    /// Requests that it may still make.
    left: usize,
    /// What was taken out last: another attempt of the run may come next.
    latest: Option<Entry>,
    is_over: bool,
    is_cut: bool,
}

impl Look<'_> {
    /// Whether it ended before the history did, because it would have read too much.
    pub(super) const fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Whether there is nothing behind what was answered.
    pub(super) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// The next runs that may fit, the newest first. Fewer than so many: it ended.
    pub(super) async fn next(&mut self, most: usize) -> Result<Vec<Entry>, CliError> {
        let mut found = Vec::new();
        while found.len() < most && !self.is_over && !self.is_cut {
            if !self.read_on().await? {
                self.is_cut = true;
                break;
            }
            let entry = next(&mut self.folders).filter(|entry| !self.sought.is_too_old(entry));
            let is_same = match (&self.latest, &entry) {
                (Some(before), Some(entry)) => before.at.run == entry.at.run,
                _ => false,
            };
            if is_same {
                // Attempts of one run stand together, and the last one counts.
                let attempt = |entry: &Option<Entry>| entry.as_ref().map(|entry| entry.at.attempt);
                if attempt(&self.latest) > attempt(&entry) {
                    continue;
                }
            } else {
                found.extend(self.latest.take().filter(|entry| self.sought.fits(entry)));
            }
            self.is_over = entry.is_none();
            self.latest = entry;
        }
        Ok(found)
    }

    /// Reads on where nothing is left of what was read: what comes next may be there. `false`: that would be too much.
    async fn read_on(&mut self) -> Result<bool, CliError> {
        while let Some(folder) = self.folders.iter_mut().find(|folder| folder.is_to_be_read()) {
            if self.left == 0 {
                return Ok(false);
            }
            self.left -= 1;
            folder.turn(self.account, PAGE).await?;
        }
        Ok(true)
    }
}

impl Account {
    /// How the history stands, if it has every run that ended, but for the latest: it may not be there yet, or the stack may have none.
    pub(super) async fn whole_history(&self) -> Option<HistoryPlace> {
        // Whoever may not read this is told what executions tell.
        let place: Result<Option<HistoryPlace>, CliError> = self.record(&self.layout.history_place()).await;
        place.ok().flatten().filter(|place| place.is_trusted(Utc::now()))
    }

    /// Begins a look for so many runs.
    pub(super) async fn look(&self, sought: Sought, most: usize) -> Result<Look<'_>, CliError> {
        let orders = self.orders(&sought).await?;
        let groups = sought.groups();
        let prefixes = orders.iter().flat_map(|order| groups.iter().map(|group| order.folder(&self.layout, *group)));
        let mut folders: Vec<Folder> = prefixes.map(|prefix| Folder::new(prefix, sought.until)).collect();
        // A little more than is wanted: a run that was repeated is there more than once.
        let first = most.saturating_add(most / 4 + 8).min(PAGE);
        try_join_all(folders.iter_mut().map(|folder| folder.turn(self, first))).await?;
        Ok(Look { account: self, sought, folders, left: MOST_PAGES, latest: None, is_over: false, is_cut: false })
    }

    /// The orders to list: of notebooks, if few names fit; otherwise the instance's, or that of all.
    async fn orders(&self, sought: &Sought) -> Result<Vec<Order>, CliError> {
        let names = match &sought.notebook {
            Some(text) => self.notebook_names(text).await?,
            None => None,
        };
        Ok(match names {
            Some(names) => names.into_iter().map(Order::Notebook).collect(),
            None => vec![sought.instance.clone().map_or(Order::All, Order::Instance)],
        })
    }

    /// The notebooks whose name may hold a text; `None`: they are too many.
    async fn notebook_names(&self, text: &str) -> Result<Option<Vec<NotebookName>>, CliError> {
        let folder = notebooks(&self.layout);
        let (mut names, mut token) = (Vec::new(), None);
        for _ in 0..MOST_PAGES_OF_NAMES {
            let call = self.s3.list_objects_v2().bucket(&self.layout.bucket).prefix(&folder).delimiter("/");
            let listed = call.set_continuation_token(token.take()).send().await;
            let listed = listed.map_err(|error| CliError::asked(format!("list {}", self.place(&folder)), &error))?;
            let folders = listed.common_prefixes().iter().filter_map(|prefix| prefix.prefix());
            let listed_names = folders.filter_map(|folder| NotebookName::of_folder(&self.layout, folder));
            names.extend(listed_names.filter(|name| name.may_hold(text)));
            if names.len() > MOST_NOTEBOOKS {
                return Ok(None);
            }
            match listed.next_continuation_token() {
                Some(next) => token = Some(next.to_owned()),
                None => return Ok(Some(names)),
            }
        }
        Ok(None)
    }
}
