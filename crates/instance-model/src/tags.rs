//! Tags of instances and lifecycle configurations: how they are kept, and how many there may be.

use std::collections::BTreeMap;

use crate::ApiError;

/// The most tags of one resource.
const MAX_TAGS: usize = 50;
/// Tags by the ARN of their resource.
pub(crate) type TagBook = BTreeMap<String, BTreeMap<String, String>>;

/// Checks how many tags one resource has: the two together, when tags are added to others.
pub(crate) fn check_count(tags: &BTreeMap<String, String>) -> Result<(), ApiError> {
    if tags.len() <= MAX_TAGS {
        return Ok(());
    }
    let message = format!("{} tags are more than the {MAX_TAGS} that a resource can have. Remove some.", tags.len());
    Err(ApiError::Invalid { message })
}
