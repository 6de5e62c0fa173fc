//! From the JSON of a request to a command of the model.

use std::collections::BTreeMap;

use reveille_instance_model::{
    ApiError, Command, ConfigSort, CreateConfig, CreateInstance, InstanceFilter, InstanceSettings, InstanceSort,
    ListQuery, NotebookInstanceStatus, Operation, UpdateInstance,
};

use crate::{
    constraints,
    members::{Members, missing},
    wire::WireError,
};

const INSTANCE: &str = "NotebookInstanceName";
const CONFIG: &str = "NotebookInstanceLifecycleConfigName";

/// The command that a request asks for.
pub(crate) fn command(operation: Operation, body: &[u8]) -> Result<Command, WireError> {
    let mut members = Members::parse(body)?;
    constraints::check(operation, &members.map)?;
    let from = &mut members;
    let command = match operation {
        Operation::CreateNotebookInstance => Command::CreateInstance(create_instance(from)?),
        Operation::DescribeNotebookInstance => Command::DescribeInstance { name: from.required(INSTANCE)? },
        Operation::ListNotebookInstances => {
            Command::ListInstances(list_query(from, instance_sort)?, instance_filter(from)?)
        }
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
        Operation::ListNotebookInstanceLifecycleConfigs => Command::ListConfigs(list_query(from, config_sort)?),
        Operation::AddTags => Command::AddTags { arn: from.required("ResourceArn")?, tags: from.tags()? },
        Operation::ListTags => {
            // All tags of a resource (at most fifty) fit on one page, which holds fifty at least: no token was ever given.
            from.number("MaxResults")?;
            if from.text("NextToken")?.is_some() {
                return Err(ApiError::Invalid { message: "Invalid pagination token.".to_owned() }.into());
            }
            Command::ListTags { arn: from.required("ResourceArn")? }
        }
        Operation::DeleteTags => {
            let keys = from.texts("TagKeys")?.ok_or_else(|| missing("TagKeys"))?;
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
        ip_address_type: from.text("IpAddressType")?.unwrap_or(defaults.ip_address_type),
        accelerator_types: from.texts("AcceleratorTypes")?.unwrap_or_default(),
        default_code_repository: from.text("DefaultCodeRepository")?,
        additional_code_repositories: from.texts("AdditionalCodeRepositories")?.unwrap_or_default(),
        ..defaults
    };
    Ok(CreateInstance { name, settings, tags: from.tags()? })
}

fn update_instance(from: &mut Members) -> Result<UpdateInstance, WireError> {
    Ok(UpdateInstance {
        name: from.required(INSTANCE)?,
        instance_type: from.text("InstanceType")?,
        role_arn: from.text("RoleArn")?,
        lifecycle_config: from.changed_text("LifecycleConfigName", "DisassociateLifecycleConfig")?,
        volume_gb: from.number("VolumeSizeInGB")?,
        root_access: from.text("RootAccess")?,
        platform: from.text("PlatformIdentifier")?,
        imds_version: from.imds_version()?,
        ip_address_type: from.text("IpAddressType")?,
        accelerator_types: from.changed_texts("AcceleratorTypes", "DisassociateAcceleratorTypes")?,
        default_code_repository: from.changed_text("DefaultCodeRepository", "DisassociateDefaultCodeRepository")?,
        additional_code_repositories: from
            .changed_texts("AdditionalCodeRepositories", "DisassociateAdditionalCodeRepositories")?,
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

fn instance_sort(text: &str) -> Option<InstanceSort> {
    match text {
        "Name" => Some(InstanceSort::Name),
        "CreationTime" => Some(InstanceSort::CreationTime),
        "Status" => Some(InstanceSort::Status),
        _ => None,
    }
}

fn config_sort(text: &str) -> Option<ConfigSort> {
    match text {
        "Name" => Some(ConfigSort::Name),
        "CreationTime" => Some(ConfigSort::CreationTime),
        "LastModifiedTime" => Some(ConfigSort::LastModifiedTime),
        _ => None,
    }
}

fn descending(text: &str) -> Option<bool> {
    match text {
        "Ascending" => Some(false),
        "Descending" => Some(true),
        _ => None,
    }
}

fn instance_filter(from: &mut Members) -> Result<InstanceFilter, WireError> {
    Ok(InstanceFilter {
        status: from.choice("StatusEquals", NotebookInstanceStatus::parse)?,
        config_contains: from.text("NotebookInstanceLifecycleConfigNameContains")?,
        default_repository_contains: from.text("DefaultCodeRepositoryContains")?,
        additional_repository: from.text("AdditionalCodeRepositoryEquals")?,
    })
}

fn list_query<Sort: Default>(
    from: &mut Members,
    sort: impl Fn(&str) -> Option<Sort>,
) -> Result<ListQuery<Sort>, WireError> {
    Ok(ListQuery {
        name_contains: from.text("NameContains")?,
        created_before: from.time("CreationTimeBefore")?,
        created_after: from.time("CreationTimeAfter")?,
        modified_before: from.time("LastModifiedTimeBefore")?,
        modified_after: from.time("LastModifiedTimeAfter")?,
        sort_by: from.choice("SortBy", sort)?.unwrap_or_default(),
        descending: from.choice("SortOrder", descending)?.unwrap_or_default(),
        max_results: from.number("MaxResults")?,
        next_token: from.text("NextToken")?,
    })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use reveille_instance_model::Change;

    use super::*;

    #[test]
    fn a_tag_key_is_given_once() {
        let body = r#"{"ResourceArn":"arn:aws:sagemaker:us-east-1:000000000000:x","Tags":[{"Key":"a","Value":"1"},{"Key":"a","Value":"2"}]}"#;
        assert_eq!(refused(Operation::AddTags, body), "Duplicate tag key");
        command(Operation::AddTags, body.replacen("\"a\"", "\"A\"", 1).as_bytes()).unwrap();
    }

    #[test]
    fn a_time_is_read_as_it_is_shown() {
        let query = |body: &str| match command(Operation::ListNotebookInstances, body.as_bytes()).unwrap() {
            Command::ListInstances(query, _) => query.created_after.unwrap(),
            other => panic!("{other:?}"),
        };
        for millis in [1_800_000_000_000_i64, 1_764_104_123_457, 1_764_104_123_001, 999] {
            let time = DateTime::from_timestamp_millis(millis).unwrap();
            let shown = crate::responses::seconds(time);
            assert_eq!(query(&format!(r#"{{"CreationTimeAfter":{shown}}}"#)), time);
        }
    }

    #[test]
    fn each_list_has_its_own_orders() {
        let sorted = |operation, by: &str| command(operation, format!(r#"{{"SortBy":"{by}"}}"#).as_bytes()).is_ok();
        let (instances, configs) = (Operation::ListNotebookInstances, Operation::ListNotebookInstanceLifecycleConfigs);
        assert!(sorted(instances, "Status") && !sorted(configs, "Status"));
        assert!(sorted(configs, "LastModifiedTime") && !sorted(instances, "LastModifiedTime"));
        let body = br#"{"StatusEquals":"Stopped"}"#;
        assert!(command(instances, body).is_ok() && command(configs, body).is_err());
    }

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
            (r#"{"NotebookInstanceName": 5}"#, "'notebookInstanceName' is not a string"),
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
        assert_eq!(change(""), Ok(Change::Keep));
        assert_eq!(change(r#","LifecycleConfigName":"c""#), Ok(Change::Set("c".to_owned())));
        assert_eq!(change(r#","DisassociateLifecycleConfig":true"#), Ok(Change::Remove));
        assert_eq!(change(r#","LifecycleConfigName":"c","DisassociateLifecycleConfig":true"#), Err(()));
    }

    #[test]
    fn times_are_seconds_with_a_fraction() {
        let body = br#"{"CreationTimeAfter": 1700000000.25, "MaxResults": 7}"#;
        let Ok(Command::ListInstances(query, _)) = command(Operation::ListNotebookInstances, body) else {
            panic!("not a list");
        };
        assert_eq!(query.created_after.unwrap().timestamp_millis(), 1_700_000_000_250);
        assert_eq!(query.max_results, Some(7));
    }
}
