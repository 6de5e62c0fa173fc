//! Which role calls what. Owns the notes; never decides who may call.
//!
//! What runs on an instance gets the ARN of the instance's role as its session token, and so do functions of a local AWS:
//! whoever signs a request says with it which role makes it. A person's requests have no such token and are not noted.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use axum::http::HeaderMap;
use serde::Deserialize;

/// The variable of the access key.
pub(crate) const KEY_VARIABLE: &str = "AWS_ACCESS_KEY_ID";
/// The variable that says whose credentials a program has.
pub(crate) const TOKEN_VARIABLE: &str = "AWS_SESSION_TOKEN";
const TOKEN_HEADER: &str = "x-amz-security-token";
/// Different calls that are noted, so that a flood of invented names cannot fill the memory.
const LIMIT: usize = 10_000;

/// A call that a role made, in the words of IAM.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct RoleCall {
    /// The ARN of the role, or the name of a service that acts by itself: `events.amazonaws.com`.
    pub role: String,
    /// The action: `sagemaker:StopNotebookInstance`.
    pub action: String,
    /// The ARN of what it was on, or `*`.
    pub resource: String,
    /// What AWS sends along for conditions of policies: `events:source`, and its value.
    #[serde(default)]
    pub context: BTreeMap<String, String>,
}

/// The different calls so far.
#[derive(Default)]
pub(crate) struct RoleCalls(Mutex<BTreeSet<RoleCall>>);

/// The role that makes a request. Another token is somebody's secret.
pub(crate) fn of(headers: &HeaderMap) -> Option<&str> {
    let token = headers.get(TOKEN_HEADER).and_then(|value| value.to_str().ok());
    token.filter(|token| token.starts_with("arn:") && token.contains(":role/"))
}

impl RoleCalls {
    pub(crate) fn note(&self, role: &str, action: &str, resource: &str) {
        let [role, action, resource] = [role, action, resource].map(str::to_owned);
        self.add(RoleCall { role, action, resource, context: BTreeMap::new() });
    }

    fn add(&self, call: RoleCall) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() < LIMIT {
            calls.insert(call);
        } else if calls.len() == LIMIT && !calls.contains(&call) {
            // No policy grants this, so whoever reads the notes sees that they are not all.
            let (action, resource) = ("reveille:unknown".to_owned(), "too many calls".to_owned());
            calls.insert(RoleCall { role: call.role, action, resource, context: BTreeMap::new() });
        }
    }

    pub(crate) fn all(&self) -> Vec<RoleCall> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{LIMIT, RoleCall, RoleCalls};

    #[test]
    fn notes_that_are_not_all_say_so() {
        let (calls, role) = (RoleCalls::default(), "arn:aws:iam::000000000000:role/x");
        let call = |number: usize| RoleCall {
            role: role.to_owned(),
            action: "sagemaker:DescribeNotebookInstance".to_owned(),
            resource: number.to_string(),
            context: BTreeMap::new(),
        };
        let unknown = || calls.all().into_iter().filter(|call| call.action == "reveille:unknown").collect::<Vec<_>>();
        (0..LIMIT).for_each(|number| calls.add(call(number)));
        calls.add(call(0));
        assert_eq!(unknown(), [], "all are there");
        (LIMIT..LIMIT + 2).for_each(|number| calls.add(call(number)));
        let [unknown] = unknown().try_into().unwrap();
        assert_eq!((unknown.role.as_str(), unknown.resource.as_str()), (role, "too many calls"));
        assert_eq!(calls.all().len(), LIMIT + 1);
    }
}
