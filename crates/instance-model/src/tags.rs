//! Tags of instances and lifecycle configurations.

use std::collections::BTreeMap;

use crate::{Account, ApiError, Response};

/// The most tags of one resource.
const MAX_TAGS: usize = 50;
/// The longest key and the longest value.
const MAX_KEY: usize = 128;
const MAX_VALUE: usize = 256;

/// Tags by the ARN of their resource.
pub(crate) type TagBook = BTreeMap<String, BTreeMap<String, String>>;

/// Checks tags of a request.
pub(crate) fn check(tags: &BTreeMap<String, String>) -> Result<(), ApiError> {
    if tags.len() > MAX_TAGS {
        return Err(ApiError::constraint(
            Some(&format!("{} tags", tags.len())),
            "tags",
            "Member must have length less than or equal to 50",
        ));
    }
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > MAX_KEY {
            return Err(ApiError::constraint(
                Some(key),
                "tags.member.key",
                "Member must have length between 1 and 128",
            ));
        }
        if value.chars().count() > MAX_VALUE {
            return Err(ApiError::constraint(
                Some(value),
                "tags.member.value",
                "Member must have length less than or equal to 256",
            ));
        }
    }
    Ok(())
}

impl Account {
    fn tags_of(&mut self, arn: &str) -> Result<&mut BTreeMap<String, String>, ApiError> {
        // That an unknown resource is answered like an unknown instance is inferred.
        self.tags.get_mut(arn).ok_or(ApiError::RecordNotFound)
    }

    pub(crate) fn add_tags(&mut self, arn: &str, new: BTreeMap<String, String>) -> Result<Response, ApiError> {
        check(&new)?;
        let tags = self.tags_of(arn)?;
        let mut merged = tags.clone();
        merged.extend(new);
        check(&merged)?;
        tags.clone_from(&merged);
        Ok(Response::Tags(merged))
    }

    pub(crate) fn list_tags(&mut self, arn: &str) -> Result<Response, ApiError> {
        self.tags_of(arn).map(|tags| Response::Tags(tags.clone()))
    }

    pub(crate) fn delete_tags(&mut self, arn: &str, keys: &[String]) -> Result<Response, ApiError> {
        let tags = self.tags_of(arn)?;
        tags.retain(|key, _| !keys.contains(key));
        Ok(Response::Empty)
    }
}
