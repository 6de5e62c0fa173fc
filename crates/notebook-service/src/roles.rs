//! Which role calls what. Owns the notes; never decides who may call.
//!
//! What runs on an instance gets the ARN of the instance's role as its session token, and so do functions of a local AWS:
//! whoever signs a request says with it which role makes it. A person's requests have no such token and are not noted.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use axum::http::HeaderMap;
use reveille_instance_model::Operation;
use serde::Deserialize;

/// The variable that says whose credentials a program has.
pub(crate) const TOKEN_VARIABLE: &str = "AWS_SESSION_TOKEN";
const TOKEN_HEADER: &str = "x-amz-security-token";
/// Different calls that are noted, so that a flood of invented names cannot fill the memory.
const LIMIT: usize = 10_000;

/// A call that a role made, in the words of IAM.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct RoleCall {
    /// The ARN of the role.
    pub role: String,
    /// The action: `sagemaker:StopNotebookInstance`.
    pub action: String,
    /// The ARN of what it was on, or `*`.
    pub resource: String,
}

/// The different calls so far.
#[derive(Default)]
pub(crate) struct RoleCalls(Mutex<BTreeSet<RoleCall>>);

impl RoleCalls {
    pub(crate) fn note(&self, headers: &HeaderMap, operation: Operation, resource: String) {
        let token = headers.get(TOKEN_HEADER).and_then(|value| value.to_str().ok());
        // Another token is somebody's secret.
        let Some(role) = token.filter(|token| token.starts_with("arn:") && token.contains(":role/")) else { return };
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() < LIMIT {
            calls.insert(RoleCall { role: role.to_owned(), action: format!("sagemaker:{operation}"), resource });
        }
    }

    pub(crate) fn all(&self) -> Vec<RoleCall> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
