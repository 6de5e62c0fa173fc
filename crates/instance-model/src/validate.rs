//! Rules between the members of a request, and between a request and what there is.
//!
//! What each member may look like by itself (lengths, patterns, values) is the wire's to check; names are checked here too,
//! because everything is kept under them.

use crate::{ApiError, InstanceSettings};

/// The longest name of an instance or configuration.
const MAX_NAME: usize = 63;
/// The one platform that can still be started: Amazon Linux 2 instances can be neither created nor restarted since
/// 1 July 2026.
const PLATFORM: &str = "notebook-al2023-v1";

/// `[a-zA-Z0-9](-*[a-zA-Z0-9])*`, at most 63 characters.
pub(crate) fn name(value: &str, member: &str) -> Result<(), ApiError> {
    if value.len() > MAX_NAME {
        return Err(ApiError::constraint(value, member, "Member must have length less than or equal to 63"));
    }
    let ends = value.starts_with(char::is_alphanumeric) && value.ends_with(char::is_alphanumeric);
    let inner = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if ends && inner {
        return Ok(());
    }
    Err(ApiError::constraint(
        value,
        member,
        "Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9])*",
    ))
}

/// The settings of a new instance, or of one after an update.
pub(crate) fn settings(settings: &InstanceSettings) -> Result<(), ApiError> {
    let invalid = |message: String| Err(ApiError::Invalid { message });
    // "You can set the value of this parameter to Disabled only if you set a value for the SubnetId parameter." AWS's
    // words for the refusal are not known.
    if settings.direct_internet_access == "Disabled" && settings.subnet_id.is_none() {
        return invalid("DirectInternetAccess can be Disabled only with a SubnetId. Give a SubnetId.".to_owned());
    }
    if settings.platform != PLATFORM {
        // Seen in a public thread.
        return invalid(format!("Platform identifier ({}) is not supported for this service.", settings.platform));
    }
    Ok(())
}

/// A volume can grow and not shrink, as the API reference has it. AWS's words for the refusal are not known.
pub(crate) fn volume(old_gb: u32, new_gb: u32) -> Result<(), ApiError> {
    if new_gb >= old_gb {
        return Ok(());
    }
    let message = format!("The volume has {old_gb} GB and cannot shrink to {new_gb} GB. Give at least {old_gb}.");
    Err(ApiError::Invalid { message })
}
