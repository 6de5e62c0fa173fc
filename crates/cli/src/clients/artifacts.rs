//! The bucket from which CloudFormation reads a release: what is there, and what is put there.

use aws_config::SdkConfig;
use aws_sdk_s3::{
    Client,
    error::ProvideErrorMetadata,
    operation::{get_object::GetObjectError, head_object::HeadObjectError},
    primitives::ByteStream,
    types::{ChecksumAlgorithm, ChecksumMode},
};
use aws_smithy_types::base64;

use super::account::s3_of;
use crate::error::CliError;

/// A folder of a bucket.
pub(crate) struct Artifacts {
    s3: Client,
    endpoint: Option<String>,
    region: String,
    pub(crate) bucket: String,
    /// Empty, or ends with a slash.
    pub(crate) prefix: String,
}

/// An object, as far as S3 tells without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) bytes: u64,
    /// In base64, if it was put with one.
    pub(crate) sha256: Option<String>,
}

/// Hexadecimal digits, as a manifest has them, in base64, as S3 has them; `None`: they are none.
pub(crate) fn as_base64(sha256: &str) -> Option<String> {
    let pair = |at: usize| u8::from_str_radix(sha256.get(at..at + 2)?, 16).ok();
    (sha256.len() == 64).then(|| (0..64).step_by(2).map(pair).collect::<Option<Vec<u8>>>())?.map(base64::encode)
}

impl Artifacts {
    pub(crate) fn new(config: &SdkConfig, region: &str, bucket: &str, prefix: &str) -> Self {
        Self {
            s3: s3_of(config),
            endpoint: std::env::var("AWS_ENDPOINT_URL_S3").ok().or_else(|| config.endpoint_url().map(str::to_owned)),
            region: region.to_owned(),
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        }
    }

    /// Where CloudFormation finds an object.
    pub(crate) fn url(&self, name: &str) -> String {
        let Self { bucket, prefix, region, .. } = self;
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let host = match &self.endpoint {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None => format!("https://s3.{region}.{suffix}"),
        };
        format!("{host}/{bucket}/{prefix}{name}")
    }

    pub(crate) fn uri(&self, name: &str) -> String {
        format!("s3://{}/{}{name}", self.bucket, self.prefix)
    }

    /// What is there under a name.
    ///
    /// # Errors
    /// AWS refuses to say. Of a file that is not there, it does so to whoever may not list the bucket.
    pub(crate) async fn stored(&self, name: &str) -> Result<Option<Stored>, CliError> {
        let call = self.s3.head_object().bucket(&self.bucket).key(self.key(name));
        match call.checksum_mode(ChecksumMode::Enabled).send().await {
            Ok(head) => Ok(Some(Stored {
                bytes: head.content_length.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default(),
                sha256: head.checksum_sha256,
            })),
            Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => Ok(None),
            // This answer has no body, and so no code.
            Err(error) if error.raw_response().is_some_and(|answer| answer.status().as_u16() == 403) => {
                Err(CliError::Refused {
                    action: format!("look for {}", self.uri(name)).into(),
                    message:
                        "S3 gives no reason, and answers so for a file that is not there, too, without s3:ListBucket"
                            .to_owned(),
                })
            }
            Err(error) => Err(CliError::asked(format!("look for {}", self.uri(name)), &error)),
        }
    }

    /// What is stored under a name, whole.
    ///
    /// # Errors
    /// AWS refuses, or the bytes do not arrive.
    pub(crate) async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, CliError> {
        let call = self.s3.get_object().bucket(&self.bucket).key(self.key(name));
        let got = match call.send().await {
            Ok(got) => got,
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => return Ok(None),
            Err(error) => {
                return Err(self.no_bucket(error.code(), CliError::asked(format!("read {}", self.uri(name)), &error)));
            }
        };
        let bytes = got.body.collect().await;
        let bytes = bytes.map_err(|error| CliError::Asked {
            action: format!("read {}", self.uri(name)).into(),
            message: error.to_string(),
        })?;
        Ok(Some(bytes.into_bytes().to_vec()))
    }

    /// Puts bytes under a name. S3 refuses them if they arrive as others.
    ///
    /// # Errors
    /// AWS refuses, or there is no such bucket.
    pub(crate) async fn put(&self, name: &str, bytes: Vec<u8>, sha256: Option<String>) -> Result<(), CliError> {
        let call = self.s3.put_object().bucket(&self.bucket).key(self.key(name)).body(ByteStream::from(bytes));
        let call = call.set_checksum_algorithm(sha256.is_some().then_some(ChecksumAlgorithm::Sha256));
        let put = call.set_checksum_sha256(sha256).send().await;
        put.map(|_| ()).map_err(|error| {
            self.no_bucket(error.code(), CliError::asked(format!("copy to {}", self.uri(name)), &error))
        })
    }

    /// Takes away what was put under a name.
    ///
    /// # Errors
    /// AWS refuses.
    pub(crate) async fn remove(&self, name: &str) -> Result<(), CliError> {
        let removed = self.s3.delete_object().bucket(&self.bucket).key(self.key(name)).send().await;
        removed.map(|_| ()).map_err(|error| CliError::asked(format!("remove {}", self.uri(name)), &error))
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn no_bucket(&self, code: Option<&str>, error: CliError) -> CliError {
        let (bucket, region) = (&self.bucket, &self.region);
        match code {
            Some("NoSuchBucket") => CliError::NotThere(format!(
                "there is no bucket {bucket}; to make it: aws s3 mb s3://{bucket} --region {region}"
            )),
            Some("PermanentRedirect") => CliError::Missing(format!(
                "the bucket {bucket} is not in {region}: CloudFormation and Lambda read a release from a bucket in the stack's region; to make one: aws s3 mb s3://NAME --region {region}"
            )),
            _ => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::as_base64;

    #[test]
    fn a_checksum_is_written_as_s3_has_it() {
        // Of nothing.
        let sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(as_base64(sha256).unwrap(), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        for wrong in ["", "e3", &sha256.replace('e', "x"), &format!("{sha256}00")] {
            assert_eq!(as_base64(wrong), None, "{wrong}");
        }
    }
}
