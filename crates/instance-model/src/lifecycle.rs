//! Lifecycle configurations: one script for each hook.

use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{ApiError, Time};

/// When a script runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// Once, at the first boot, before `OnStart`.
    OnCreate,
    /// At every boot.
    OnStart,
}

impl Hook {
    /// The name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OnCreate => "OnCreate",
            Self::OnStart => "OnStart",
        }
    }

    /// The name of its log stream below the instance's name.
    #[must_use]
    pub const fn log_stream(self) -> &'static str {
        match self {
            Self::OnCreate => "LifecycleConfigOnCreate",
            Self::OnStart => "LifecycleConfigOnStart",
        }
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptResult {
    /// Exit status 0.
    Succeeded,
    /// Any other end: a non-zero exit status, a signal, or it could not be run at all.
    Failed,
}

/// A script, as given and decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Script {
    pub(crate) base64: String,
    pub(crate) bytes: Arc<[u8]>,
}

impl Script {
    /// Checks and decodes what the API was given. `member` names it in errors.
    pub(crate) fn decode(base64: &str, member: &str) -> Result<Self, ApiError> {
        // Wrapped base64 (`base64` without -w0) is common and accepted.
        let compact: String = base64.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let bytes = STANDARD.decode(compact).map_err(|error| ApiError::Invalid {
            message: format!("The content at '{member}' is not base64 ({error}). Encode the script with base64."),
        })?;
        Ok(Self { base64: base64.to_owned(), bytes: bytes.into() })
    }
}

/// A lifecycle configuration, as the API describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigView {
    pub name: String,
    pub arn: String,
    /// The base64 content of the `OnCreate` script.
    pub on_create: Option<String>,
    /// The base64 content of the `OnStart` script.
    pub on_start: Option<String>,
    /// When it was created.
    pub created: Time,
    /// When it was changed last.
    pub modified: Time,
}

#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) on_create: Option<Script>,
    pub(crate) on_start: Option<Script>,
    pub(crate) created: Time,
    pub(crate) modified: Time,
}

impl Config {
    pub(crate) fn view(&self, name: &str, arn: String) -> ConfigView {
        let content = |script: &Option<Script>| script.as_ref().map(|script| script.base64.clone());
        ConfigView {
            name: name.to_owned(),
            arn,
            on_create: content(&self.on_create),
            on_start: content(&self.on_start),
            created: self.created,
            modified: self.modified,
        }
    }
}
