//! The account, region and stack that a command works on.

use std::time::{Duration, SystemTime};

use aws_config::{
    BehaviorVersion, Region, SdkConfig, profile::ProfileFileCredentialsProvider, provider_config::ProviderConfig,
    timeout::TimeoutConfig,
};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError};
use aws_sdk_cloudformation::types::{Stack, StackStatus};
use chrono::{DateTime, Utc};
use reveille_domain::{layout::Layout, shown};

use crate::{error::CliError, stack::StackArguments};

/// The longest wait for an answer to begin: none of these calls takes a second, but a local AWS on a busy machine may take several.
const ANSWER: Duration = Duration::from_mins(1);

/// Clients, and the stack's own things.
pub(crate) struct Account {
    pub(crate) sfn: aws_sdk_sfn::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) sagemaker: aws_sdk_sagemaker::Client,
    pub(crate) state_machine: String,
    pub(crate) layout: Layout,
    pub(crate) region: String,
    /// For the clients that few commands need.
    pub(super) config: SdkConfig,
    name: String,
    stack: Stack,
}

impl Account {
    /// Reads the standard environment and files, checks that there are credentials, and looks the stack up.
    ///
    /// # Errors
    /// No region, no credentials, no such stack, or a stack that is not ours.
    pub(crate) async fn of(arguments: &StackArguments) -> Result<Self, CliError> {
        Self::on(configured(arguments).await?.config, arguments).await
    }

    /// Looks the stack up where region and credentials are known.
    ///
    /// # Errors
    /// No such stack, or one that is not ours.
    pub(crate) async fn on(config: SdkConfig, arguments: &StackArguments) -> Result<Self, CliError> {
        let region = config.region().map(ToString::to_string).ok_or(CliError::NoRegion)?;
        let stack = stack(&aws_sdk_cloudformation::Client::new(&config), &arguments.stack, &region).await?;
        let output = |name| output(&stack, &arguments.stack, name);
        Ok(Self {
            state_machine: output("StateMachineArn")?,
            layout: Layout {
                bucket: output("RunsBucketName")?,
                prefix: parameter(&stack, "RunsPrefix").unwrap_or_default(),
            },
            sfn: aws_sdk_sfn::Client::new(&config),
            s3: s3_of(&config),
            sagemaker: aws_sdk_sagemaker::Client::new(&config),
            region,
            config,
            name: arguments.stack.clone(),
            stack,
        })
    }

    /// An output of the stack that not every command needs.
    ///
    /// # Errors
    /// A stack of an earlier version, or none of ours.
    pub(crate) fn output(&self, name: &'static str) -> Result<String, CliError> {
        output(&self.stack, &self.name, name)
    }

    /// The stack's own name: a person may have given its ARN.
    pub(crate) fn stack_name(&self) -> &str {
        self.stack.stack_name().unwrap_or(&self.name)
    }

    /// CloudFormation's word for the stack's status, and its reason.
    pub(crate) fn stack_status(&self) -> (&str, Option<&str>) {
        (self.stack.stack_status().map_or("", StackStatus::as_str), self.stack.stack_status_reason())
    }

    /// When the stack was made.
    pub(crate) fn stack_made(&self) -> Option<DateTime<Utc>> {
        self.stack.creation_time().and_then(reveille_aws::millis)
    }

    /// When the stack was made or updated last.
    pub(crate) fn stack_changed(&self) -> Option<DateTime<Utc>> {
        self.stack.last_updated_time().and_then(reveille_aws::millis).max(self.stack_made())
    }

    /// What a parameter of the stack is set to; one of a later version is missing.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        parameter(&self.stack, name)
    }
}

/// S3, which a local AWS has under the paths of one host only.
pub(super) fn s3_of(config: &SdkConfig) -> aws_sdk_s3::Client {
    let custom = config.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
    aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(config).force_path_style(custom).build())
}

/// The status of a stack that may not be ours, and its reason.
///
/// # Errors
/// There is none, or AWS refuses to say.
pub(crate) async fn status_of(config: &SdkConfig, name: &str) -> Result<(String, Option<String>), CliError> {
    let region = config.region().map(ToString::to_string).ok_or(CliError::NoRegion)?;
    let stack = stack(&aws_sdk_cloudformation::Client::new(config), name, &region).await?;
    let status = stack.stack_status().map_or("", StackStatus::as_str).to_owned();
    Ok((status, stack.stack_status_reason))
}

/// Where the command is, and as whom, before any stack is looked at.
pub(crate) struct Configured {
    pub(crate) config: SdkConfig,
    /// When the credentials end, if they do.
    pub(crate) expires: Option<SystemTime>,
}

/// Reads the standard environment and files, and checks that there are credentials.
///
/// # Errors
/// No region, or no credentials.
pub(crate) async fn configured(arguments: &StackArguments) -> Result<Configured, CliError> {
    let timeouts = TimeoutConfig::builder().read_timeout(ANSWER).build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(reveille_aws::http_client())
        .timeout_config(timeouts);
    if let Some(profile) = &arguments.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &arguments.region {
        loader = loader.region(Region::new(region.clone()));
    }
    let mut config = loader.load().await;
    if let Some(profile) = &arguments.profile {
        config = with_credentials_of(profile, &config);
    }
    // A variable that is set to nothing sets none.
    if config.region().is_none_or(|region| region.as_ref().is_empty()) {
        return Err(CliError::NoRegion);
    }
    // Otherwise the first call fails, in words about the SDK's own endpoints.
    let is_label = |sign: char| sign.is_ascii_alphanumeric() || sign == '-';
    if let Some(region) = config.region().map(AsRef::as_ref).filter(|region: &&str| !region.chars().all(is_label)) {
        return Err(CliError::Usage(format!(
            "{} is not the name of a region, such as eu-central-1",
            shown::quoted(region)
        )));
    }
    let profile = arguments.profile.clone().or_else(|| std::env::var("AWS_PROFILE").ok());
    let credentials = match config.credentials_provider() {
        Some(provider) => provider.provide_credentials().await,
        None => Err(CredentialsError::not_loaded_no_source()),
    };
    match credentials {
        Ok(credentials) => Ok(Configured { config, expires: credentials.expiry() }),
        Err(error) => Err(super::credentials::missing(&error, profile.as_deref()).await),
    }
}

/// The same with the credentials of a profile that a person named: in the chain of providers, credentials in the environment come before it.
fn with_credentials_of(profile: &str, config: &SdkConfig) -> SdkConfig {
    // For a profile that takes on a role, or has its credentials from the machine's.
    let how =
        ProviderConfig::empty().with_http_client(reveille_aws::http_client()).with_region(config.region().cloned());
    let how = match config.sleep_impl() {
        Some(sleep) => how.with_sleep_impl(sleep),
        None => how,
    };
    let provider = ProfileFileCredentialsProvider::builder().profile_name(profile).configure(&how).build();
    config.to_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build()
}

/// The names of the first hundred stacks or so (a page, which is one call) that are ours, each with its status.
pub(crate) async fn stack_names(arguments: &StackArguments) -> Result<Vec<(String, String)>, CliError> {
    ours(&aws_sdk_cloudformation::Client::new(&configured(arguments).await?.config)).await
}

/// That there is no stack of this name. Whoever may ask for it is told which there are.
pub(crate) async fn no_stack(client: &aws_sdk_cloudformation::Client, name: &str, region: &str) -> CliError {
    let ours = ours(client).await.unwrap_or_default().into_iter().map(|(name, _)| name).collect();
    CliError::NoStack { stack: name.to_owned(), region: region.to_owned(), ours }
}

async fn ours(client: &aws_sdk_cloudformation::Client) -> Result<Vec<(String, String)>, CliError> {
    let described =
        client.describe_stacks().send().await.map_err(|error| CliError::asked("list the stacks", &error))?;
    let ours = described.stacks.unwrap_or_default().into_iter().filter_map(|stack| {
        output(&stack, "", "StateMachineArn").and_then(|_| output(&stack, "", "RunsBucketName")).ok()?;
        let status = stack.stack_status.map(|status| status.as_str().to_owned());
        Some((stack.stack_name?, status.unwrap_or_default()))
    });
    Ok(ours.collect())
}

async fn stack(client: &aws_sdk_cloudformation::Client, name: &str, region: &str) -> Result<Stack, CliError> {
    let described = match client.describe_stacks().stack_name(name).send().await {
        Ok(described) => described.stacks.unwrap_or_default().into_iter().next(),
        // DescribeStacks has no error of its own for it: ValidationError, "Stack with id NAME does not exist".
        Err(error) if error.as_service_error().is_some_and(|error| error.meta().code() == Some("ValidationError")) => {
            None
        }
        Err(error) => return Err(CliError::asked(format!("describe the stack {name}"), &error)),
    };
    match described {
        Some(stack) => Ok(stack),
        None => Err(no_stack(client, name, region).await),
    }
}

/// An output of a stack, by the name that a person gave the stack.
fn output(stack: &Stack, named: &str, output: &'static str) -> Result<String, CliError> {
    let found = stack.outputs().iter().find(|found| found.output_key() == Some(output));
    let value = found.and_then(|found| found.output_value()).map(str::to_owned);
    value.ok_or_else(|| CliError::NotOurStack { stack: named.to_owned(), output })
}

fn parameter(stack: &Stack, name: &str) -> Option<String> {
    let found = stack.parameters().iter().find(|parameter| parameter.parameter_key() == Some(name));
    found.and_then(|parameter| parameter.parameter_value()).map(str::to_owned)
}
