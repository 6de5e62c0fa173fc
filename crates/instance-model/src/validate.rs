//! The constraints of the service model on what a request says.

use crate::{ApiError, InstanceSettings};

/// The longest name of an instance or configuration.
const MAX_NAME: usize = 63;
/// The sizes of a volume in GB.
const VOLUME_GB: std::ops::RangeInclusive<u32> = 5..=16_384;
/// Platforms that can still be started: Amazon Linux 2 instances can be neither created nor
/// restarted since 1 July 2026.
const PLATFORM: &str = "notebook-al2023-v1";

/// `[a-zA-Z0-9](-*[a-zA-Z0-9])*`, at most 63 characters.
pub(crate) fn name(value: &str, member: &str) -> Result<(), ApiError> {
    if value.len() > MAX_NAME {
        return Err(ApiError::constraint(Some(value), member, "Member must have length less than or equal to 63"));
    }
    let ends = value.starts_with(char::is_alphanumeric) && value.ends_with(char::is_alphanumeric);
    let inner = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if ends && inner {
        return Ok(());
    }
    Err(ApiError::constraint(
        Some(value),
        member,
        "Member must satisfy regular expression pattern: ^[a-zA-Z0-9](-*[a-zA-Z0-9])*",
    ))
}

/// The shape of an instance type. AWS checks a list of some 190 that grows every month; the shape
/// does not age.
fn instance_type(value: &str) -> Result<(), ApiError> {
    let mut parts = value.split('.');
    let word = |part: Option<&str>| {
        part.is_some_and(|part| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        })
    };
    if parts.next() == Some("ml") && word(parts.next()) && word(parts.next()) && parts.next().is_none() {
        return Ok(());
    }
    Err(ApiError::constraint(
        Some(value),
        "instanceType",
        "Member must satisfy enum value set: [ml.t3.medium, ml.t3.large, ...]",
    ))
}

fn role(value: &str) -> Result<(), ApiError> {
    let pattern =
        "Member must satisfy regular expression pattern: ^arn:aws[a-z\\-]*:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+$";
    let account_and_name = value
        .strip_prefix("arn:aws")
        .and_then(|rest| rest.split_once(":iam::"))
        .and_then(|(_, rest)| rest.split_once(":role/"));
    let good = account_and_name.is_some_and(|(account, name)| {
        account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty()
    });
    if good && value.len() <= 2048 {
        return Ok(());
    }
    Err(ApiError::constraint(Some(value), "roleArn", pattern))
}

fn one_of(value: &str, member: &str, allowed: &[&str]) -> Result<(), ApiError> {
    if allowed.contains(&value) {
        return Ok(());
    }
    let set = allowed.join(", ");
    Err(ApiError::constraint(Some(value), member, &format!("Member must satisfy enum value set: [{set}]")))
}

/// The settings of a new instance, or of one after an update.
pub(crate) fn settings(settings: &InstanceSettings) -> Result<(), ApiError> {
    instance_type(&settings.instance_type)?;
    role(&settings.role_arn)?;
    if let Some(config) = &settings.lifecycle_config {
        name(config, "lifecycleConfigName")?;
    }
    if !VOLUME_GB.contains(&settings.volume_gb) {
        return Err(ApiError::constraint(
            Some(&settings.volume_gb.to_string()),
            "volumeSizeInGB",
            "Member must be between 5 and 16384",
        ));
    }
    one_of(&settings.root_access, "rootAccess", &["Enabled", "Disabled"])?;
    one_of(&settings.direct_internet_access, "directInternetAccess", &["Enabled", "Disabled"])?;
    one_of(
        &settings.imds_version,
        "instanceMetadataServiceConfiguration.minimumInstanceMetadataServiceVersion",
        &["1", "2"],
    )?;
    platform(&settings.platform)
}

/// AWS's words for a retired platform are not known; these are ours.
fn platform(value: &str) -> Result<(), ApiError> {
    let known = ["notebook-al1-v1", "notebook-al2-v1", "notebook-al2-v2", "notebook-al2-v3", PLATFORM];
    one_of(value, "platformIdentifier", &known)?;
    if value == PLATFORM {
        return Ok(());
    }
    Err(ApiError::Invalid { message: format!("Platform {value} has reached its end of life. Use {PLATFORM}.") })
}
