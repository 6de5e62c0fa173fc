//! Takes the members of a structure of JSON one by one. What is left at the end is refused by name, so that nobody believes in
//! a setting that had no effect.

use std::collections::BTreeMap;

use chrono::DateTime;
use reveille_instance_model::{ApiError, Change, Time};
use serde_json::{Map, Value};

use crate::{
    constraints::{small, whole, wrong_type},
    wire::WireError,
};

/// The members of a structure that were not asked for yet.
pub(crate) struct Members {
    pub(crate) map: Map<String, Value>,
}

impl Members {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, WireError> {
        // AWS treats an empty body like an empty structure.
        let body = if body.is_empty() { b"{}".as_slice() } else { body };
        match serde_json::from_slice(body) {
            Ok(Value::Object(map)) => Ok(Self { map }),
            Ok(_) => Err(WireError::Serialization("The body is not a JSON object.".to_owned())),
            Err(error) => Err(WireError::Serialization(format!("The body is not JSON: {error}."))),
        }
    }

    fn take(&mut self, member: &str) -> Option<Value> {
        self.map.remove(member).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&mut self, member: &str) -> Result<Option<String>, WireError> {
        match self.take(member) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong_type(member, "a string")),
        }
    }

    pub(crate) fn required(&mut self, member: &str) -> Result<String, WireError> {
        self.text(member)?.ok_or_else(|| missing(member))
    }

    /// One of the values that `parse` knows; the model's check has refused every other.
    pub(crate) fn choice<T>(
        &mut self,
        member: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, WireError> {
        let Some(text) = self.text(member)? else { return Ok(None) };
        let unknown = || ApiError::constraint(&text, &small(member), "Member must satisfy enum value set").into();
        parse(&text).map(Some).ok_or_else(unknown)
    }

    pub(crate) fn number(&mut self, member: &str) -> Result<Option<u32>, WireError> {
        let Some(value) = self.take(member) else { return Ok(None) };
        let number = whole(&value).and_then(|number| u32::try_from(number).ok());
        number.map(Some).ok_or_else(|| wrong_type(member, "a whole number in range"))
    }

    fn flag(&mut self, member: &str) -> Result<bool, WireError> {
        match self.take(member) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(wrong_type(member, "a boolean")),
        }
    }

    pub(crate) fn time(&mut self, member: &str) -> Result<Option<Time>, WireError> {
        let Some(value) = self.take(member) else { return Ok(None) };
        let seconds = value.as_f64().ok_or_else(|| wrong_type(member, "a time in seconds"))?;
        // To the millisecond, as times are shown: a double cannot say more of them exactly.
        #[expect(clippy::cast_possible_truncation, reason = "a float cast saturates, and the range is checked next")]
        let millis = (seconds * 1e3).round() as i64;
        DateTime::from_timestamp_millis(millis).map(Some).ok_or_else(|| wrong_type(member, "a time in range"))
    }

    fn list(&mut self, member: &str) -> Result<Option<Vec<Value>>, WireError> {
        match self.take(member) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(_) => Err(wrong_type(member, "a list")),
        }
    }

    pub(crate) fn texts(&mut self, member: &str) -> Result<Option<Vec<String>>, WireError> {
        let Some(list) = self.list(member)? else { return Ok(None) };
        let text = |value| match value {
            Value::String(text) => Ok(text),
            _ => Err(wrong_type(member, "a list of strings")),
        };
        list.into_iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    fn structures(&mut self, member: &str) -> Result<Option<Vec<Self>>, WireError> {
        let Some(list) = self.list(member)? else { return Ok(None) };
        let structure = |value| match value {
            Value::Object(map) => Ok(Self { map }),
            _ => Err(wrong_type(member, "a list of structures")),
        };
        list.into_iter().map(structure).collect::<Result<_, _>>().map(Some)
    }

    pub(crate) fn tags(&mut self) -> Result<BTreeMap<String, String>, WireError> {
        let mut tags = BTreeMap::new();
        for mut tag in self.structures("Tags")?.unwrap_or_default() {
            if tags.insert(tag.required("Key")?, tag.required("Value")?).is_some() {
                // AWS's words, seen in a public thread.
                return Err(ApiError::Invalid { message: "Duplicate tag key".to_owned() }.into());
            }
            tag.end()?;
        }
        Ok(tags)
    }

    /// The content of the one script of a hook.
    pub(crate) fn script(&mut self, hook: &str) -> Result<Option<String>, WireError> {
        // The model allows one at most.
        let Some(mut script) = self.structures(hook)?.unwrap_or_default().pop() else { return Ok(None) };
        let content = script.text("Content")?;
        script.end()?;
        Ok(content)
    }

    pub(crate) fn imds_version(&mut self) -> Result<Option<String>, WireError> {
        let member = "InstanceMetadataServiceConfiguration";
        let mut service = match self.take(member) {
            None => return Ok(None),
            Some(Value::Object(map)) => Self { map },
            Some(_) => return Err(wrong_type(member, "a structure")),
        };
        let version = service.required("MinimumInstanceMetadataServiceVersion")?;
        service.end()?;
        Ok(Some(version))
    }

    /// A change of something that can be taken away by a member of its own.
    fn change<T>(&mut self, new: (&str, Option<T>), away: &str) -> Result<Change<T>, WireError> {
        match (new.1, self.flag(away)?) {
            (Some(_), true) => {
                let message = format!("{} and {away} exclude each other. Give one of them.", new.0);
                Err(ApiError::Invalid { message }.into())
            }
            (Some(new), false) => Ok(Change::Set(new)),
            (None, true) => Ok(Change::Remove),
            (None, false) => Ok(Change::Keep),
        }
    }

    pub(crate) fn changed_text(&mut self, member: &str, away: &str) -> Result<Change<String>, WireError> {
        let new = self.text(member)?;
        self.change((member, new), away)
    }

    pub(crate) fn changed_texts(&mut self, member: &str, away: &str) -> Result<Change<Vec<String>>, WireError> {
        let new = self.texts(member)?;
        self.change((member, new), away)
    }

    /// Refuses what was not asked for.
    pub(crate) fn end(self) -> Result<(), WireError> {
        let Some(member) = self.map.keys().next() else { return Ok(()) };
        let message = format!("The member '{member}' is not supported by this service. Remove it.");
        Err(ApiError::Invalid { message }.into())
    }
}

/// The answer to a required member that is missing.
pub(crate) fn missing(member: &str) -> WireError {
    let violation = ApiError::violation(Some("null"), &small(member), "Member must not be null");
    ApiError::Invalid { message: format!("1 validation error detected: {violation}") }.into()
}
