//! From an answer of the model to JSON.

use std::collections::BTreeMap;

use reveille_instance_model::{ConfigView, InstanceView, Page, Response, Time, shown};
use serde_json::{Map, Value, json};

/// A timestamp: seconds since 1970 with a fraction.
pub(crate) fn seconds(time: Time) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "2^53 milliseconds are 285,000 years")]
    let seconds = shown(time).timestamp_millis() as f64 / 1000.0;
    json!(seconds)
}

fn put(map: &mut Map<String, Value>, member: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        map.insert(member.to_owned(), value.into());
    }
}

fn put_list(map: &mut Map<String, Value>, member: &str, values: &[String]) {
    put(map, member, (!values.is_empty()).then(|| values.to_vec()));
}

fn structure<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members.into_iter().map(|(member, value)| (member.to_owned(), value)).collect()
}

/// The members that a summary and a description share.
fn summary(view: &InstanceView) -> Map<String, Value> {
    let mut map = structure([
        ("NotebookInstanceName", json!(view.name)),
        ("NotebookInstanceArn", json!(view.arn)),
        ("NotebookInstanceStatus", json!(view.status.as_str())),
        ("InstanceType", json!(view.settings.instance_type)),
        ("CreationTime", seconds(view.created)),
        ("LastModifiedTime", seconds(view.modified)),
        ("Url", json!(url(view))),
    ]);
    put(&mut map, "NotebookInstanceLifecycleConfigName", view.settings.lifecycle_config.clone());
    put(&mut map, "DefaultCodeRepository", view.settings.default_code_repository.clone());
    put_list(&mut map, "AdditionalCodeRepositories", &view.settings.additional_code_repositories);
    map
}

fn url(view: &InstanceView) -> String {
    let region = view.arn.split(':').nth(3).unwrap_or_default();
    format!("{}.notebook.{region}.sagemaker.aws", view.name.to_ascii_lowercase())
}

fn description(view: &InstanceView) -> Map<String, Value> {
    let mut map = summary(view);
    let settings = &view.settings;
    put(&mut map, "FailureReason", view.failure_reason.clone());
    put(&mut map, "SubnetId", settings.subnet_id.clone());
    put(&mut map, "KmsKeyId", settings.kms_key_id.clone());
    put_list(&mut map, "SecurityGroups", &settings.security_groups);
    put_list(&mut map, "AcceleratorTypes", &settings.accelerator_types);
    map.extend(structure([
        ("RoleArn", json!(settings.role_arn)),
        ("VolumeSizeInGB", json!(settings.volume_gb)),
        ("PlatformIdentifier", json!(settings.platform)),
        ("IpAddressType", json!(settings.ip_address_type)),
        ("RootAccess", json!(settings.root_access)),
        ("DirectInternetAccess", json!(settings.direct_internet_access)),
        (
            "InstanceMetadataServiceConfiguration",
            json!({"MinimumInstanceMetadataServiceVersion": settings.imds_version}),
        ),
    ]));
    map
}

fn config_summary(view: &ConfigView) -> Map<String, Value> {
    structure([
        ("NotebookInstanceLifecycleConfigName", json!(view.name)),
        ("NotebookInstanceLifecycleConfigArn", json!(view.arn)),
        ("CreationTime", seconds(view.created)),
        ("LastModifiedTime", seconds(view.modified)),
    ])
}

fn config(view: &ConfigView) -> Map<String, Value> {
    let hook = |content: &Option<String>| content.as_ref().map(|content| json!([{"Content": content}]));
    let mut map = config_summary(view);
    put(&mut map, "OnCreate", hook(&view.on_create));
    put(&mut map, "OnStart", hook(&view.on_start));
    map
}

fn page<T>(member: &str, page: &Page<T>, item: impl Fn(&T) -> Map<String, Value>) -> Value {
    let items: Vec<Map<String, Value>> = page.items.iter().map(item).collect();
    let mut map = structure([(member, json!(items))]);
    put(&mut map, "NextToken", page.next_token.clone());
    Value::Object(map)
}

fn tags(tags: &BTreeMap<String, String>) -> Value {
    let tags: Vec<Value> = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    json!({"Tags": tags})
}

/// The body of an answer.
pub(crate) fn json(response: &Response) -> Value {
    match response {
        Response::Empty => json!({}),
        Response::InstanceArn(arn) => json!({"NotebookInstanceArn": arn}),
        Response::Instance(view) => Value::Object(description(view)),
        Response::Instances(found) => page("NotebookInstances", found, summary),
        Response::ConfigArn(arn) => json!({"NotebookInstanceLifecycleConfigArn": arn}),
        Response::Config(view) => Value::Object(config(view)),
        Response::Configs(found) => page("NotebookInstanceLifecycleConfigs", found, config_summary),
        Response::Tags(found) => tags(found),
    }
}
