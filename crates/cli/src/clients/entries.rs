//! The history of the runs that ended, read: an index in the keys of the stack's bucket (decision 0056).
//!
//! A look lists the folders of the orders that fit, each sorted, and lays them beside each other. What it costs depends on what is
//! asked for, not on how many runs there were. It never writes, and what it finds is only which runs fit: what became of them is
//! told by their executions and records.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use futures_util::future::try_join_all;
use reveille_domain::{
    history::{Entry, Group, HistoryPlace, NotebookName, Order, backwards, notebooks},
    records::RunStatus,
};

use super::Account;
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
    /// The statuses that fit; none: every one.
    pub(super) statuses: Option<Vec<RunStatus>>,
    pub(super) instance: Option<String>,
    /// A part of the notebook's name.
    pub(super) notebook: Option<String>,
    /// It started then or later.
    pub(super) since: Option<DateTime<Utc>>,
    /// It started then or earlier.
    pub(super) until: Option<DateTime<Utc>>,
    pub(super) most: usize,
}

/// What was found, the newest start first.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) entries: Vec<Entry>,
    /// Whether the look ended before it had enough, because it would have read too much.
    pub(super) is_cut: bool,
}

impl Sought {
    fn fits(&self, entry: &Entry) -> bool {
        let status = self.statuses.as_ref().is_none_or(|statuses| statuses.contains(&entry.status));
        let instance = self.instance.as_ref().is_none_or(|name| entry.at.instance == *name);
        let named = |text: &String| entry.notebook.as_ref().is_some_and(|name| name.notebook().0.contains(text));
        status && instance && self.notebook.as_ref().is_none_or(named)
    }

    fn is_too_old(&self, entry: &Entry) -> bool {
        self.since.is_some_and(|since| entry.started < since)
    }

    fn groups(&self) -> impl Iterator<Item = Group> {
        let wanted = |group: &Group| {
            self.statuses.as_ref().is_none_or(|statuses| statuses.iter().any(|status| Group::of(*status) == *group))
        };
        Group::ALL.into_iter().filter(wanted)
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

impl Account {
    /// Whether every run that ended is in the history, but for the latest: it may not be there yet, or the stack may have none.
    pub(super) async fn has_whole_history(&self) -> bool {
        // Whoever may not read this is told what executions tell.
        let place: Result<Option<HistoryPlace>, CliError> = self.record(&self.layout.history_place()).await;
        place.ok().flatten().is_some_and(|place| place.is_whole)
    }

    /// The runs of the history that fit, the newest first.
    pub(super) async fn entries(&self, sought: &Sought) -> Result<Found, CliError> {
        let orders = self.orders(sought).await?;
        let prefixes = orders.iter().flat_map(|order| sought.groups().map(|group| order.folder(&self.layout, group)));
        let mut folders: Vec<Folder> = prefixes.map(|prefix| Folder::new(prefix, sought.until)).collect();
        // A little more than is wanted: a run that was repeated is there more than once.
        let first = sought.most.saturating_add(sought.most / 4 + 8).min(PAGE);
        try_join_all(folders.iter_mut().map(|folder| folder.turn(self, first))).await?;
        let mut found = Found::default();
        let (mut latest, mut left) = (None::<Entry>, MOST_PAGES);
        while found.entries.len() < sought.most {
            if !self.read_on(&mut folders, &mut left).await? {
                found.is_cut = true;
                break;
            }
            let entry = next(&mut folders).filter(|entry| !sought.is_too_old(entry));
            match (&latest, &entry) {
                // Attempts of one run stand together, and the last one counts.
                (Some(before), Some(entry)) if before.at.run == entry.at.run => {
                    if before.at.attempt > entry.at.attempt {
                        continue;
                    }
                }
                _ => found.entries.extend(latest.take().filter(|entry| sought.fits(entry))),
            }
            if entry.is_none() {
                break;
            }
            latest = entry;
        }
        Ok(found)
    }

    /// Reads on where nothing is left of what was read: what comes next may be there. `false`: that would be too much.
    async fn read_on(&self, folders: &mut [Folder], left: &mut usize) -> Result<bool, CliError> {
        while let Some(folder) = folders.iter_mut().find(|folder| folder.is_to_be_read()) {
            if *left == 0 {
                return Ok(false);
            }
            *left -= 1;
            folder.turn(self, PAGE).await?;
        }
        Ok(true)
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

    /// The notebooks whose name holds a text; `None`: they are too many.
    async fn notebook_names(&self, text: &str) -> Result<Option<Vec<NotebookName>>, CliError> {
        let folder = notebooks(&self.layout);
        let (mut names, mut token) = (Vec::new(), None);
        for _ in 0..MOST_PAGES_OF_NAMES {
            let call = self.s3.list_objects_v2().bucket(&self.layout.bucket).prefix(&folder).delimiter("/");
            let listed = call.set_continuation_token(token.take()).send().await;
            let listed = listed.map_err(|error| CliError::asked(format!("list {}", self.place(&folder)), &error))?;
            let folders = listed.common_prefixes().iter().filter_map(|prefix| prefix.prefix());
            let listed_names = folders.filter_map(|folder| NotebookName::of_folder(&self.layout, folder));
            names.extend(listed_names.filter(|name| name.notebook().0.contains(text)));
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
