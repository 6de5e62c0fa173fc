//! SDK clients of the local AWS, for whoever drives it: tests, the demo. What is deployed makes its own.

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_http_client::Builder;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_types::{SdkConfig, region::Region};
use reveille_notebook_service::AccessKey;

use crate::environment::{REGION, SECRET_KEY};

/// A client for each service of the local AWS.
#[derive(Clone, Debug)]
pub struct Clients {
    /// Amazon S3.
    pub s3: aws_sdk_s3::Client,
    /// AWS Step Functions.
    pub sfn: aws_sdk_sfn::Client,
    /// Amazon EventBridge.
    pub events: aws_sdk_eventbridge::Client,
    /// Amazon SageMaker: the notebook instance service.
    pub sagemaker: aws_sdk_sagemaker::Client,
}

impl Clients {
    /// Clients for two endpoints, reached over plain HTTP.
    pub(crate) fn new(aws: &str, sagemaker: &str, key: &AccessKey) -> Self {
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static(REGION))
            .endpoint_url(aws)
            .http_client(Builder::new().build_http())
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                key.as_str(),
                SECRET_KEY,
                None,
                None,
                "local",
            )))
            .build();
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
        let notebooks = aws_sdk_sagemaker::config::Builder::from(&config).endpoint_url(sagemaker).build();
        Self {
            s3: aws_sdk_s3::Client::from_conf(s3),
            sfn: aws_sdk_sfn::Client::new(&config),
            events: aws_sdk_eventbridge::Client::new(&config),
            sagemaker: aws_sdk_sagemaker::Client::from_conf(notebooks),
        }
    }
}
