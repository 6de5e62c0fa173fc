//! Filters, order and pages of the two List operations.

use std::cmp::Ordering;

use chrono::SubsecRound;

use crate::{ApiError, ConfigView, InstanceView, NotebookInstanceStatus, Time};

/// AWS's default page.
const DEFAULT_PAGE: usize = 10;

/// A time as answers show it, to the millisecond. Filters and orders compare these: whoever asks for what was created after
/// a time that he was shown does not get what was created at it.
#[must_use]
pub fn shown(time: Time) -> Time {
    time.trunc_subsecs(3)
}

/// What instances are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InstanceSort {
    #[default]
    Name,
    CreationTime,
    /// By state.
    Status,
}

/// What lifecycle configurations are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConfigSort {
    #[default]
    Name,
    CreationTime,
    /// By the time of the last change.
    LastModifiedTime,
}

/// A request for a page. `Default` asks for the first ten by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery<Sort> {
    /// Only names that contain this.
    pub name_contains: Option<String>,
    /// Only those created before.
    pub created_before: Option<Time>,
    /// Only those created after.
    pub created_after: Option<Time>,
    /// Only those changed before.
    pub modified_before: Option<Time>,
    /// Only those changed after.
    pub modified_after: Option<Time>,
    /// The order.
    pub sort_by: Sort,
    /// From the largest to the smallest.
    pub descending: bool,
    /// At most this many; ten unless given.
    pub max_results: Option<u32>,
    /// Where the page before ended.
    pub next_token: Option<String>,
}

/// What only instances can be chosen by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceFilter {
    /// Only instances in this state.
    pub status: Option<NotebookInstanceStatus>,
    /// Only instances whose lifecycle configuration's name contains this.
    pub config_contains: Option<String>,
    /// Only instances whose default Git repository contains this.
    pub default_repository_contains: Option<String>,
    /// Only instances that have this additional Git repository.
    pub additional_repository: Option<String>,
}

impl InstanceFilter {
    pub(crate) fn wants(&self, view: &InstanceView) -> bool {
        let settings = &view.settings;
        let has = |repository: &String| settings.additional_code_repositories.contains(repository);
        self.status.is_none_or(|status| view.status == status)
            && contains(self.config_contains.as_ref(), settings.lifecycle_config.as_deref())
            && contains(self.default_repository_contains.as_ref(), settings.default_code_repository.as_deref())
            && self.additional_repository.as_ref().is_none_or(has)
    }
}

fn contains(part: Option<&String>, whole: Option<&str>) -> bool {
    part.is_none_or(|part| whole.is_some_and(|whole| whole.contains(part.as_str())))
}

/// A page of answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The answers.
    pub items: Vec<T>,
    /// Set when there are more.
    pub next_token: Option<String>,
}

/// What can be listed: in an order of its own.
pub(crate) trait Listed {
    type Sort: Copy;
    fn name(&self) -> &str;
    fn created(&self) -> Time;
    fn modified(&self) -> Time;
    /// Which of two comes first in this order, apart from their names.
    fn order(&self, other: &Self, by: Self::Sort) -> Ordering;
}

impl Listed for InstanceView {
    type Sort = InstanceSort;
    fn name(&self) -> &str {
        &self.name
    }
    fn created(&self) -> Time {
        shown(self.created)
    }
    fn modified(&self) -> Time {
        shown(self.modified)
    }
    fn order(&self, other: &Self, by: InstanceSort) -> Ordering {
        match by {
            InstanceSort::Name => Ordering::Equal,
            InstanceSort::CreationTime => self.created().cmp(&other.created()),
            InstanceSort::Status => self.status.as_str().cmp(other.status.as_str()),
        }
    }
}

impl Listed for ConfigView {
    type Sort = ConfigSort;
    fn name(&self) -> &str {
        &self.name
    }
    fn created(&self) -> Time {
        shown(self.created)
    }
    fn modified(&self) -> Time {
        shown(self.modified)
    }
    fn order(&self, other: &Self, by: ConfigSort) -> Ordering {
        match by {
            ConfigSort::Name => Ordering::Equal,
            ConfigSort::CreationTime => self.created().cmp(&other.created()),
            ConfigSort::LastModifiedTime => self.modified().cmp(&other.modified()),
        }
    }
}

impl<Sort: Copy> ListQuery<Sort> {
    fn wants(&self, item: &impl Listed) -> bool {
        contains(self.name_contains.as_ref(), Some(item.name()))
            && self.created_before.is_none_or(|time| item.created() < shown(time))
            && self.created_after.is_none_or(|time| item.created() > shown(time))
            && self.modified_before.is_none_or(|time| item.modified() < shown(time))
            && self.modified_after.is_none_or(|time| item.modified() > shown(time))
    }

    /// The page of these items that was asked for.
    pub(crate) fn page<T: Listed<Sort = Sort>>(&self, all: impl Iterator<Item = T>) -> Result<Page<T>, ApiError> {
        let size = self.max_results.map_or(DEFAULT_PAGE, |size| size as usize);
        let mut items: Vec<T> = all.filter(|item| self.wants(item)).collect();
        items.sort_by(|a, b| {
            let order = a.order(b, self.sort_by).then_with(|| a.name().cmp(b.name()));
            if self.descending { order.reverse() } else { order }
        });
        let start = match &self.next_token {
            None => 0,
            Some(token) => token.parse::<usize>().map_err(|_| invalid_token())?,
        };
        let total = items.len();
        let items: Vec<T> = items.into_iter().skip(start).take(size).collect();
        let end = start.saturating_add(size);
        Ok(Page { items, next_token: (end < total).then(|| end.to_string()) })
    }
}

/// The answer to a token that this service never gave. AWS's words are not known.
fn invalid_token() -> ApiError {
    ApiError::Invalid { message: "Invalid pagination token.".to_owned() }
}
