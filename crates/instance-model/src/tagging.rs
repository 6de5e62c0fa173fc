//! The operations on tags.

use std::collections::BTreeMap;

use crate::tags::check_count;
use crate::{Account, ApiError, Response};

impl Account {
    fn tags_of(&mut self, arn: &str) -> Result<&mut BTreeMap<String, String>, ApiError> {
        // That an unknown resource is answered like an unknown instance is inferred.
        self.tags.get_mut(arn).ok_or(ApiError::RecordNotFound)
    }

    pub(crate) fn add_tags(&mut self, arn: &str, new: BTreeMap<String, String>) -> Result<Response, ApiError> {
        let tags = self.tags_of(arn)?;
        let mut merged = tags.clone();
        merged.extend(new);
        check_count(&merged)?;
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
