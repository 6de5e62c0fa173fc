//! One configuration, one HTTP client, and a client for each service, made when it is first used.

use std::cell::OnceCell;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_types::region::Region;
use chrono::{DateTime, TimeDelta, Utc};
use reveille_domain::layout::Layout;

use crate::calls::Calls;
use crate::http;

/// Longer than any of our calls takes when AWS is well, and short enough for two tries within a function's 30 s.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(12);
/// One try; a connection that stalls is given up for a new one.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// A TCP and TLS handshake within a region takes milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The SDK's own default of three tries, stated because it bounds the time of a step.
const TRIES: u32 = 3;

/// Where credentials come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// The environment, as Lambda gives them: walking the chain would cost a millisecond of each cold start.
    Environment,
    /// The default chain: environment, profile, container, instance metadata.
    Chain,
}

/// AWS, as far as the protocol needs it.
#[derive(Debug)]
pub struct Aws {
    config: SdkConfig,
    /// The stack's bucket and prefix: every record's key is relative to this bucket.
    pub(crate) layout: Layout,
    pub(crate) event_bus: String,
    pub(crate) state_machine: String,
    calls: Calls,
    s3: OnceCell<aws_sdk_s3::Client>,
    sagemaker: OnceCell<aws_sdk_sagemaker::Client>,
    sfn: OnceCell<aws_sdk_sfn::Client>,
    events: OnceCell<aws_sdk_eventbridge::Client>,
}

impl Aws {
    /// Reads the standard environment. `region` is used where the environment names none.
    pub async fn from_env(credentials: Credentials, region: Option<String>, layout: Layout, event_bus: String) -> Self {
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http::client())
            .retry_config(RetryConfig::standard().with_max_attempts(TRIES))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_TIMEOUT)
                    .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                    .operation_timeout(OPERATION_TIMEOUT)
                    .build(),
            );
        if credentials == Credentials::Environment {
            loader = loader.credentials_provider(EnvironmentVariableCredentialsProvider::new());
        }
        let named = std::env::var("AWS_REGION").or_else(|_| std::env::var("AWS_DEFAULT_REGION")).ok();
        if let Some(region) = named.or(region) {
            loader = loader.region(Region::new(region));
        }
        Self::new(loader.load().await, layout, event_bus)
    }

    pub(crate) fn new(config: SdkConfig, layout: Layout, event_bus: String) -> Self {
        Self {
            config,
            layout,
            event_bus,
            state_machine: String::new(),
            calls: Calls::default(),
            s3: OnceCell::new(),
            sagemaker: OnceCell::new(),
            sfn: OnceCell::new(),
            events: OnceCell::new(),
        }
    }

    /// The same, knowing the stack's state machine.
    #[must_use]
    pub fn with_state_machine(mut self, arn: String) -> Self {
        self.state_machine = arn;
        self
    }

    /// The stack's bucket and prefix.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The calls that have no answer yet, in words, for who gives a step up.
    #[must_use]
    pub fn calls_under_way(&self) -> Vec<String> {
        self.calls.under_way()
    }

    /// How far AWS's clock is ahead of this machine's, as far as answers have told; negative where it is behind.
    #[must_use]
    pub fn clock_offset(&self) -> TimeDelta {
        self.calls.offset()
    }

    /// What AWS's clock shows when this machine's shows this.
    #[must_use]
    pub fn by_awss_clock(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        at.checked_add_signed(self.clock_offset()).unwrap_or(at)
    }

    /// Forgets the calls of a step that was given up.
    pub fn forget_calls(&self) {
        self.calls.forget();
    }

    /// The one HTTP client, with the authorities and the proxies of all services.
    pub(crate) fn http_client(&self) -> Option<aws_smithy_runtime_api::client::http::SharedHttpClient> {
        self.config.http_client()
    }

    /// Amazon S3.
    pub fn s3(&self) -> &aws_sdk_s3::Client {
        self.s3.get_or_init(|| {
            let custom = self.config.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
            let config = aws_sdk_s3::config::Builder::from(&self.config)
                // An endpoint that is not AWS's own has no host name for each bucket.
                .force_path_style(custom)
                .interceptor(self.calls.clone())
                .request_checksum_calculation(aws_sdk_s3::config::RequestChecksumCalculation::WhenRequired)
                .response_checksum_validation(aws_sdk_s3::config::ResponseChecksumValidation::WhenRequired)
                .build();
            aws_sdk_s3::Client::from_conf(config)
        })
    }

    /// Amazon SageMaker.
    pub fn sagemaker(&self) -> &aws_sdk_sagemaker::Client {
        self.sagemaker.get_or_init(|| {
            let config = aws_sdk_sagemaker::config::Builder::from(&self.config).interceptor(self.calls.clone());
            aws_sdk_sagemaker::Client::from_conf(config.build())
        })
    }

    /// AWS Step Functions.
    pub fn sfn(&self) -> &aws_sdk_sfn::Client {
        self.sfn.get_or_init(|| {
            let config = aws_sdk_sfn::config::Builder::from(&self.config).interceptor(self.calls.clone());
            aws_sdk_sfn::Client::from_conf(config.build())
        })
    }

    /// Amazon EventBridge.
    pub fn events(&self) -> &aws_sdk_eventbridge::Client {
        self.events.get_or_init(|| {
            let config = aws_sdk_eventbridge::config::Builder::from(&self.config).interceptor(self.calls.clone());
            aws_sdk_eventbridge::Client::from_conf(config.build())
        })
    }
}
