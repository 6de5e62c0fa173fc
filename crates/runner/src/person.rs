//! What the instance's own Jupyter server tells of a person, in the domain's words.

use reveille_domain::ports::PersonSeen;
use reveille_engine::activity::{Activity, Unreachable};

/// Reads the server's answer. A refused connection means that there is no server, so nobody's session; anything else
/// that went wrong means that nobody knows.
pub fn seen(answer: Result<Activity, Unreachable>) -> PersonSeen {
    match answer {
        Ok(activity) if activity.busy_kernels > 0 => PersonSeen::Busy,
        Ok(activity) => PersonSeen::LastActive(activity.last_activity),
        Err(unreachable) if unreachable.reason.contains("Connection refused") => PersonSeen::NoServer,
        Err(_) => PersonSeen::Unknown,
    }
}
