//! Filters, order and pages of the two List operations.

use crate::{ApiError, ConfigView, InstanceView, Status, Time};

/// AWS's default page.
const DEFAULT_PAGE: usize = 10;
/// AWS's largest page.
const MAX_PAGE: u32 = 100;

/// What to sort by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// By name.
    #[default]
    Name,
    /// By the time of creation.
    CreationTime,
    /// By state (instances only).
    Status,
    /// By the time of the last change (configurations only).
    LastModifiedTime,
}

/// A request for a page. `Default` asks for the first ten by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Only names that contain this.
    pub name_contains: Option<String>,
    /// Only instances in this state.
    pub status: Option<Status>,
    /// Only instances whose configuration's name contains this.
    pub config_contains: Option<String>,
    /// Only those created before.
    pub created_before: Option<Time>,
    /// Only those created after.
    pub created_after: Option<Time>,
    /// Only those changed before.
    pub modified_before: Option<Time>,
    /// Only those changed after.
    pub modified_after: Option<Time>,
    /// The order.
    pub sort_by: SortBy,
    /// From the largest to the smallest.
    pub descending: bool,
    /// At most this many: 1 to 100.
    pub max_results: Option<u32>,
    /// Where the page before ended.
    pub next_token: Option<String>,
}

/// A page of answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The answers.
    pub items: Vec<T>,
    /// Set when there are more.
    pub next_token: Option<String>,
}

/// What both kinds of listed things have.
pub(crate) trait Listed {
    fn name(&self) -> &str;
    fn created(&self) -> Time;
    fn modified(&self) -> Time;
    fn status(&self) -> Option<Status>;
    fn config(&self) -> Option<&str>;
}

impl Listed for InstanceView {
    fn name(&self) -> &str {
        &self.name
    }
    fn created(&self) -> Time {
        self.created
    }
    fn modified(&self) -> Time {
        self.modified
    }
    fn status(&self) -> Option<Status> {
        Some(self.status)
    }
    fn config(&self) -> Option<&str> {
        self.settings.lifecycle_config.as_deref()
    }
}

impl Listed for ConfigView {
    fn name(&self) -> &str {
        &self.name
    }
    fn created(&self) -> Time {
        self.created
    }
    fn modified(&self) -> Time {
        self.modified
    }
    fn status(&self) -> Option<Status> {
        None
    }
    fn config(&self) -> Option<&str> {
        None
    }
}

impl ListQuery {
    fn wants(&self, item: &impl Listed) -> bool {
        let contains = |part: &Option<String>, whole: Option<&str>| {
            part.as_ref().is_none_or(|part| whole.is_some_and(|whole| whole.contains(part.as_str())))
        };
        contains(&self.name_contains, Some(item.name()))
            && contains(&self.config_contains, item.config())
            && self.status.is_none_or(|status| item.status() == Some(status))
            && self.created_before.is_none_or(|time| item.created() < time)
            && self.created_after.is_none_or(|time| item.created() > time)
            && self.modified_before.is_none_or(|time| item.modified() < time)
            && self.modified_after.is_none_or(|time| item.modified() > time)
    }

    fn sort(&self, items: &mut [impl Listed]) {
        items.sort_by(|a, b| {
            let order = match self.sort_by {
                SortBy::Name => a.name().cmp(b.name()),
                SortBy::CreationTime => a.created().cmp(&b.created()),
                SortBy::Status => a.status().map(Status::as_str).cmp(&b.status().map(Status::as_str)),
                SortBy::LastModifiedTime => a.modified().cmp(&b.modified()),
            };
            let order = order.then_with(|| a.name().cmp(b.name()));
            if self.descending { order.reverse() } else { order }
        });
    }

    /// The page of these items that was asked for.
    pub(crate) fn page<T: Listed>(&self, all: impl Iterator<Item = T>) -> Result<Page<T>, ApiError> {
        let size = match self.max_results {
            None => DEFAULT_PAGE,
            Some(size @ 1..=MAX_PAGE) => size as usize,
            Some(size) => {
                return Err(ApiError::constraint(
                    Some(&size.to_string()),
                    "maxResults",
                    "Member must be between 1 and 100",
                ));
            }
        };
        let start = match &self.next_token {
            None => 0,
            Some(token) => token
                .parse::<usize>()
                .map_err(|_| ApiError::Invalid { message: "Invalid pagination token.".to_owned() })?,
        };
        let mut items: Vec<T> = all.filter(|item| self.wants(item)).collect();
        self.sort(&mut items);
        let total = items.len();
        let items: Vec<T> = items.into_iter().skip(start).take(size).collect();
        let end = start.saturating_add(size);
        Ok(Page { items, next_token: (end < total).then(|| end.to_string()) })
    }
}
