//! From the JSON of a request to a command of the model. Members that this service does not know are
//! refused by name, so that nobody believes in a setting that had no effect.

use std::collections::BTreeMap;

use chrono::DateTime;
use reveille_instance_model::{
    ApiError, Command, CreateConfig, CreateInstance, InstanceSettings, LifecycleChange, ListQuery, Operation, SortBy,
    Status, Time, UpdateInstance,
};
use serde_json::{Map, Value};

use crate::http::WireError;

/// The members of a structure that were not asked for yet.
struct Members {
    map: Map<String, Value>,
}

/// AWS's messages name members with a small first letter.
fn small(member: &str) -> String {
    let mut chars = member.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

fn wrong_type(member: &str, wanted: &str) -> WireError {
    WireError::Serialization(format!("The member '{member}' is not {wanted}."))
}

impl Members {
    fn parse(body: &[u8]) -> Result<Self, WireError> {
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

    fn text(&mut self, member: &str) -> Result<Option<String>, WireError> {
        match self.take(member) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong_type(member, "a string")),
        }
    }

    fn required(&mut self, member: &str) -> Result<String, WireError> {
        self.text(member)?.ok_or_else(|| ApiError::missing(&small(member)).into())
    }

    fn number(&mut self, member: &str) -> Result<Option<u32>, WireError> {
        let Some(value) = self.take(member) else { return Ok(None) };
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        number.map(Some).ok_or_else(|| wrong_type(member, "a whole number in range"))
    }

    fn flag(&mut self, member: &str) -> Result<bool, WireError> {
        match self.take(member) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(wrong_type(member, "a boolean")),
        }
    }

    fn time(&mut self, member: &str) -> Result<Option<Time>, WireError> {
        let Some(value) = self.take(member) else { return Ok(None) };
        let seconds = value.as_f64().ok_or_else(|| wrong_type(member, "a time in seconds"))?;
        #[expect(clippy::cast_possible_truncation, reason = "a float cast saturates, and the range is checked next")]
        let micros = (seconds * 1e6) as i64;
        DateTime::from_timestamp_micros(micros).map(Some).ok_or_else(|| wrong_type(member, "a time in range"))
    }

    fn list(&mut self, member: &str) -> Result<Option<Vec<Value>>, WireError> {
        match self.take(member) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(_) => Err(wrong_type(member, "a list")),
        }
    }

    fn texts(&mut self, member: &str) -> Result<Option<Vec<String>>, WireError> {
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

    fn tags(&mut self) -> Result<BTreeMap<String, String>, WireError> {
        let mut tags = BTreeMap::new();
        for mut tag in self.structures("Tags")?.unwrap_or_default() {
            tags.insert(tag.required("Key")?, tag.required("Value")?);
            tag.end()?;
        }
        Ok(tags)
    }

    /// The content of the one script of a hook.
    fn script(&mut self, hook: &str) -> Result<Option<String>, WireError> {
        let mut scripts = self.structures(hook)?.unwrap_or_default();
        if scripts.len() > 1 {
            let constraint = "Member must have length less than or equal to 1";
            return Err(ApiError::constraint(Some("[...]"), &small(hook), constraint).into());
        }
        let Some(mut script) = scripts.pop() else { return Ok(None) };
        let content = script.text("Content")?;
        script.end()?;
        Ok(content)
    }

    fn imds_version(&mut self) -> Result<Option<String>, WireError> {
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

    /// Refuses what was not asked for.
    fn end(self) -> Result<(), WireError> {
        let Some(member) = self.map.keys().next() else { return Ok(()) };
        let message = format!("The member '{member}' is not supported by this service. Remove it.");
        Err(ApiError::Invalid { message }.into())
    }
}

const INSTANCE: &str = "NotebookInstanceName";
const CONFIG: &str = "NotebookInstanceLifecycleConfigName";

/// The command that a request asks for.
pub(crate) fn command(operation: Operation, body: &[u8]) -> Result<Command, WireError> {
    let mut members = Members::parse(body)?;
    let from = &mut members;
    let command = match operation {
        Operation::CreateNotebookInstance => Command::CreateInstance(create_instance(from)?),
        Operation::DescribeNotebookInstance => Command::DescribeInstance { name: from.required(INSTANCE)? },
        Operation::ListNotebookInstances => Command::ListInstances(list_query(from)?),
        Operation::StartNotebookInstance => Command::Start { name: from.required(INSTANCE)? },
        Operation::StopNotebookInstance => Command::Stop { name: from.required(INSTANCE)? },
        Operation::UpdateNotebookInstance => Command::Update(update_instance(from)?),
        Operation::DeleteNotebookInstance => Command::Delete { name: from.required(INSTANCE)? },
        Operation::CreateNotebookInstanceLifecycleConfig => {
            let tags = from.tags()?;
            Command::CreateConfig(CreateConfig { tags, ..config(from)? })
        }
        Operation::DescribeNotebookInstanceLifecycleConfig => Command::DescribeConfig { name: from.required(CONFIG)? },
        Operation::UpdateNotebookInstanceLifecycleConfig => Command::UpdateConfig(config(from)?),
        Operation::DeleteNotebookInstanceLifecycleConfig => Command::DeleteConfig { name: from.required(CONFIG)? },
        Operation::ListNotebookInstanceLifecycleConfigs => Command::ListConfigs(list_query(from)?),
        Operation::AddTags => Command::AddTags { arn: from.required("ResourceArn")?, tags: from.tags()? },
        Operation::ListTags => {
            // All tags of a resource (at most fifty) fit on one page.
            from.number("MaxResults")?;
            Command::ListTags { arn: from.required("ResourceArn")? }
        }
        Operation::DeleteTags => {
            let keys = from.texts("TagKeys")?.ok_or_else(|| ApiError::missing("tagKeys"))?;
            Command::DeleteTags { arn: from.required("ResourceArn")?, keys }
        }
    };
    members.end()?;
    Ok(command)
}

fn create_instance(from: &mut Members) -> Result<CreateInstance, WireError> {
    let name = from.required(INSTANCE)?;
    let defaults = InstanceSettings::new(from.required("InstanceType")?, from.required("RoleArn")?);
    let settings = InstanceSettings {
        lifecycle_config: from.text("LifecycleConfigName")?,
        volume_gb: from.number("VolumeSizeInGB")?.unwrap_or(defaults.volume_gb),
        platform: from.text("PlatformIdentifier")?.unwrap_or(defaults.platform),
        root_access: from.text("RootAccess")?.unwrap_or(defaults.root_access),
        direct_internet_access: from.text("DirectInternetAccess")?.unwrap_or(defaults.direct_internet_access),
        imds_version: from.imds_version()?.unwrap_or(defaults.imds_version),
        subnet_id: from.text("SubnetId")?,
        security_groups: from.texts("SecurityGroupIds")?.unwrap_or_default(),
        kms_key_id: from.text("KmsKeyId")?,
        ..defaults
    };
    Ok(CreateInstance { name, settings, tags: from.tags()? })
}

fn update_instance(from: &mut Members) -> Result<UpdateInstance, WireError> {
    let config = from.text("LifecycleConfigName")?;
    let lifecycle_config = match (config, from.flag("DisassociateLifecycleConfig")?) {
        (Some(_), true) => {
            let message =
                "LifecycleConfigName and DisassociateLifecycleConfig exclude each other. Give one of them.".to_owned();
            return Err(ApiError::Invalid { message }.into());
        }
        (Some(config), false) => LifecycleChange::Set(config),
        (None, true) => LifecycleChange::Remove,
        (None, false) => LifecycleChange::Keep,
    };
    Ok(UpdateInstance {
        name: from.required(INSTANCE)?,
        instance_type: from.text("InstanceType")?,
        role_arn: from.text("RoleArn")?,
        lifecycle_config,
        volume_gb: from.number("VolumeSizeInGB")?,
        root_access: from.text("RootAccess")?,
        platform: from.text("PlatformIdentifier")?,
        imds_version: from.imds_version()?,
    })
}

fn config(from: &mut Members) -> Result<CreateConfig, WireError> {
    Ok(CreateConfig {
        name: from.required(CONFIG)?,
        on_create: from.script("OnCreate")?,
        on_start: from.script("OnStart")?,
        tags: BTreeMap::new(),
    })
}

fn list_query(from: &mut Members) -> Result<ListQuery, WireError> {
    let enumeration = |value: &str, member| {
        WireError::from(ApiError::constraint(
            Some(value),
            member,
            "Member must satisfy enum value set: those of the API reference",
        ))
    };
    let status = from.text("StatusEquals")?;
    let status =
        status.map(|name| Status::parse(&name).ok_or_else(|| enumeration(&name, "statusEquals"))).transpose()?;
    let sort_by = match from.text("SortBy")?.as_deref() {
        None | Some("Name") => SortBy::Name,
        Some("CreationTime") => SortBy::CreationTime,
        Some("Status") => SortBy::Status,
        Some("LastModifiedTime") => SortBy::LastModifiedTime,
        Some(other) => return Err(enumeration(other, "sortBy")),
    };
    let descending = match from.text("SortOrder")?.as_deref() {
        None | Some("Ascending") => false,
        Some("Descending") => true,
        Some(other) => return Err(enumeration(other, "sortOrder")),
    };
    Ok(ListQuery {
        name_contains: from.text("NameContains")?,
        status,
        config_contains: from.text("NotebookInstanceLifecycleConfigNameContains")?,
        created_before: from.time("CreationTimeBefore")?,
        created_after: from.time("CreationTimeAfter")?,
        modified_before: from.time("LastModifiedTimeBefore")?,
        modified_after: from.time("LastModifiedTimeAfter")?,
        sort_by,
        descending,
        max_results: from.number("MaxResults")?,
        next_token: from.text("NextToken")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(operation: Operation, body: &str) -> String {
        match command(operation, body.as_bytes()).unwrap_err() {
            WireError::Api(error) => error.to_string(),
            WireError::Serialization(message) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_missing_member_is_named_as_aws_names_it() {
        assert_eq!(
            refused(Operation::StartNotebookInstance, "{}"),
            "1 validation error detected: Value null at 'notebookInstanceName' failed to satisfy constraint: Member must not be null"
        );
        assert_eq!(
            refused(Operation::StartNotebookInstance, ""),
            refused(Operation::StartNotebookInstance, "{\"NotebookInstanceName\": null}")
        );
    }

    #[test]
    fn what_is_no_structure_or_has_the_wrong_type_is_refused() {
        for (body, part) in [
            ("[]", "not a JSON object"),
            ("{", "not JSON"),
            (r#"{"NotebookInstanceName": 5}"#, "'NotebookInstanceName' is not a string"),
        ] {
            let message = refused(Operation::StartNotebookInstance, body);
            assert!(message.contains(part), "{message}");
        }
        let body = r#"{"NotebookInstanceLifecycleConfigName":"c","OnStart":[{"Content":"x"},{"Content":"y"}]}"#;
        let message = refused(Operation::CreateNotebookInstanceLifecycleConfig, body);
        assert!(message.contains("'onStart'"), "{message}");
        for body in [
            r#"{"MaxResults": -1}"#,
            r#"{"CreationTimeAfter": "x"}"#,
            r#"{"CreationTimeAfter": 1e300}"#,
            r#"{"SortBy":"Age"}"#,
            r#"{"SortOrder":"Up"}"#,
            r#"{"StatusEquals":"Off"}"#,
        ] {
            refused(Operation::ListNotebookInstances, body);
        }
    }

    #[test]
    fn an_unknown_member_is_refused_by_name() {
        let message = refused(Operation::StopNotebookInstance, r#"{"NotebookInstanceName":"a","Force":true}"#);
        assert!(message.contains("'Force'"), "{message}");
        let body = r#"{"NotebookInstanceLifecycleConfigName":"c","OnStart":[{"Contents":"x"}]}"#;
        let message = refused(Operation::CreateNotebookInstanceLifecycleConfig, body);
        assert!(message.contains("'Contents'"), "{message}");
    }

    #[test]
    fn an_update_says_what_becomes_of_the_lifecycle_configuration() {
        let change = |rest: &str| {
            let body = format!(r#"{{"NotebookInstanceName":"a"{rest}}}"#);
            match command(Operation::UpdateNotebookInstance, body.as_bytes()) {
                Ok(Command::Update(update)) => Ok(update.lifecycle_config),
                Ok(other) => panic!("{other:?}"),
                Err(_) => Err(()),
            }
        };
        assert_eq!(change(""), Ok(LifecycleChange::Keep));
        assert_eq!(change(r#","LifecycleConfigName":"c""#), Ok(LifecycleChange::Set("c".to_owned())));
        assert_eq!(change(r#","DisassociateLifecycleConfig":true"#), Ok(LifecycleChange::Remove));
        assert_eq!(change(r#","LifecycleConfigName":"c","DisassociateLifecycleConfig":true"#), Err(()));
    }

    #[test]
    fn times_are_seconds_with_a_fraction() {
        let body = br#"{"CreationTimeAfter": 1700000000.25, "MaxResults": 7}"#;
        let Ok(Command::ListInstances(query)) = command(Operation::ListNotebookInstances, body) else {
            panic!("not a list");
        };
        assert_eq!(query.created_after.unwrap().timestamp_millis(), 1_700_000_000_250);
        assert_eq!(query.max_results, Some(7));
    }
}
