//! Records and files in Amazon S3.

use std::path::Path;

use aws_sdk_s3::primitives::ByteStream;
use reveille_domain::limits::MAX_RECORD_BYTES;
use reveille_domain::ports::{
    Call, CallError, CallErrorKind, DeleteObject, GetAnswer, GetObject, ListObjects, LiveBody, Object, PutAnswer,
    PutCondition, PutObject, UploadFile, UploadLive,
};
use tokio::io::AsyncWriteExt;

use crate::answer::{call_error, chain, incomplete, service_error};
use crate::clients::Aws;

/// A single PutObject takes up to 5 GB, and the timeouts of small calls do not fit large files.
const UPLOAD_TIMEOUT: std::time::Duration = std::time::Duration::from_mins(15);

/// S3 answers 409 to a conditional write while another one of the same key is in flight, and asks for it to be sent again
/// ("How to prevent object overwrites with conditional writes"). Others' writes are over in milliseconds. The SDK does not
/// repeat it by itself.
const CONFLICT_TRIES: u32 = 4;
/// Before the second try; it grows.
const CONFLICT_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// `ListObjectsV2` gives at most so many keys at once.
const MAX_KEYS_A_PAGE: usize = 1_000;

/// The entity tag, with which S3 answers every read and write of an object.
pub(crate) fn etag(action: &'static str, resource: &str, etag: Option<&str>) -> Call<String> {
    etag.map(str::to_owned).ok_or_else(|| incomplete(action, resource, "an entity tag"))
}

/// An object of which not all arrived.
pub(crate) fn cut_off(error: &dyn std::error::Error) -> String {
    format!("the object's body ended early: {}", chain(error))
}

impl GetObject for Aws {
    async fn get_object(&self, key: &str) -> Call<GetAnswer> {
        const ACTION: &str = "s3:GetObject";
        let resource = self.layout.uri(key);
        let mut answer = match self.s3().get_object().bucket(&self.layout.bucket).key(key).send().await {
            Ok(answer) => answer,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(aws_sdk_s3::operation::get_object::GetObjectError::is_no_such_key) =>
            {
                return Ok(GetAnswer::Nothing);
            }
            Err(error) => return Err(call_error(ACTION, &resource, &error)),
        };
        let failed = |kind, message: String| CallError { kind, action: ACTION, resource: resource.clone(), message };
        let etag = etag(ACTION, &resource, answer.e_tag())?;
        let announced = answer.content_length().and_then(|length| usize::try_from(length).ok());
        if announced.is_some_and(|length| length > MAX_RECORD_BYTES) {
            return Ok(GetAnswer::TooLarge { etag });
        }
        // Whatever was announced, no more than this is kept.
        let mut body = Vec::with_capacity(announced.unwrap_or_default());
        while let Some(chunk) = answer.body.next().await {
            let chunk = chunk.map_err(|error| failed(CallErrorKind::NoAnswer, cut_off(&error)))?;
            if body.len() + chunk.len() > MAX_RECORD_BYTES {
                return Ok(GetAnswer::TooLarge { etag });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(GetAnswer::Object(Object { body, etag }))
    }
}

impl PutObject for Aws {
    async fn put_object(&self, key: &str, body: Vec<u8>, condition: PutCondition) -> Call<PutAnswer> {
        let (unless, only_if) = match condition {
            PutCondition::Always => (None, None),
            PutCondition::IfAbsent => (Some("*".to_owned()), None),
            PutCondition::IfMatch(etag) => (None, Some(etag)),
        };
        let mut tries = 1;
        let answer = loop {
            let call = self.s3().put_object().bucket(&self.layout.bucket).key(key).content_type("application/json");
            let call = call.set_if_none_match(unless.clone()).set_if_match(only_if.clone());
            let answer = Box::pin(call.body(ByteStream::from(body.clone())).send()).await;
            if tries == CONFLICT_TRIES || !answer.as_ref().is_err_and(|error| is_conflict(service_error(error))) {
                break answer;
            }
            tokio::time::sleep(CONFLICT_PAUSE * tries).await;
            tries += 1;
        };
        match answer {
            Ok(answer) => etag("s3:PutObject", &self.layout.uri(key), answer.e_tag()).map(PutAnswer::Written),
            // Another object is there (412), or none is (404): either way not the one that was meant.
            Err(error) if is_condition_failure(service_error(&error)) => Ok(PutAnswer::ConditionFailed),
            Err(error) => Err(call_error("s3:PutObject", &self.layout.uri(key), &error)),
        }
    }
}

impl DeleteObject for Aws {
    async fn delete_object(&self, key: &str, etag: &str) -> Call<bool> {
        match self.s3().delete_object().bucket(&self.layout.bucket).key(key).if_match(etag).send().await {
            Ok(_) => Ok(true),
            Err(error) if is_condition_failure(service_error(&error)) => Ok(false),
            Err(error) => Err(call_error("s3:DeleteObject", &self.layout.uri(key), &error)),
        }
    }
}

fn is_conflict(error: Option<(&str, &str)>) -> bool {
    matches!(error, Some(("ConditionalRequestConflict" | "OperationAborted", _)))
}

fn is_condition_failure(error: Option<(&str, &str)>) -> bool {
    matches!(error, Some(("PreconditionFailed" | "NoSuchKey" | "NotFound", _)))
}

impl ListObjects for Aws {
    async fn list_objects_after(&self, prefix: &str, after: Option<&str>, limit: usize) -> Call<Vec<String>> {
        let mut keys = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let left = limit.saturating_sub(keys.len()).clamp(1, MAX_KEYS_A_PAGE);
            let answer = self
                .s3()
                .list_objects_v2()
                .bucket(&self.layout.bucket)
                .prefix(prefix)
                .max_keys(i32::try_from(left).unwrap_or(i32::MAX))
                .set_start_after(after.map(str::to_owned))
                .set_continuation_token(next)
                .send()
                .await
                .map_err(|error| call_error("s3:ListBucket", &self.layout.uri(prefix), &error))?;
            keys.extend(answer.contents().iter().filter_map(|object| object.key()).map(str::to_owned));
            next = answer.next_continuation_token().map(str::to_owned);
            if keys.len() >= limit || next.is_none() {
                keys.truncate(limit);
                return Ok(keys);
            }
        }
    }
}

impl UploadFile for Aws {
    async fn upload_file(&self, key: &str, path: &Path, content_type: &str) -> Call<()> {
        let body = file(&self.layout.uri(key), path).await?;
        self.upload(key, body, content_type).await
    }
}

impl UploadLive for Aws {
    async fn upload_live(&self, key: &str, body: LiveBody<'_>) -> Call<()> {
        let (body, content_type) = match body {
            LiveBody::Printed(text) => (ByteStream::from(text.to_vec()), "text/plain; charset=utf-8"),
            LiveBody::Notebook(saved) => (file(&self.layout.uri(key), &saved.path).await?, "application/x-ipynb+json"),
        };
        self.upload(key, body, content_type).await
    }
}

async fn file(resource: &str, path: &Path) -> Call<ByteStream> {
    ByteStream::from_path(path).await.map_err(|error| CallError {
        kind: CallErrorKind::Refused,
        action: "s3:PutObject",
        resource: resource.to_owned(),
        message: format!("{} cannot be read: {error}", path.display()),
    })
}

/// What takes longer than small calls may.
pub(crate) fn within(time: std::time::Duration) -> aws_sdk_s3::config::Builder {
    let timeouts = aws_config::timeout::TimeoutConfig::builder();
    let timeouts = timeouts.operation_attempt_timeout(time).operation_timeout(time).build();
    aws_sdk_s3::config::Builder::new().timeout_config(timeouts)
}

impl Aws {
    async fn upload(&self, key: &str, body: ByteStream, content_type: &str) -> Call<()> {
        const ACTION: &str = "s3:PutObject";
        let resource = self.layout.uri(key);
        self.s3()
            .put_object()
            .bucket(&self.layout.bucket)
            .key(key)
            .content_type(content_type)
            .body(body)
            .customize()
            .config_override(within(UPLOAD_TIMEOUT))
            .send()
            .await
            .map_err(|error| call_error(ACTION, &resource, &error))
            .and_then(|answer| etag(ACTION, &resource, answer.e_tag()).map(|_| ()))
    }
}

/// What came of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Downloaded {
    /// The file is there.
    Done,
    /// There is no such object.
    Missing,
    /// There is no such bucket.
    NoBucket,
    /// The bucket is in another region.
    OtherRegion,
    /// It is archived, and must be restored before it can be read.
    Archived,
    /// It is larger than the limit.
    TooLarge,
}

impl Aws {
    /// Downloads one object of any bucket to a file, up to `max_bytes`.
    ///
    /// # Errors
    /// The call's failure, or that of writing the file.
    pub async fn download(&self, bucket: &str, key: &str, path: &Path, max_bytes: u64) -> Call<Downloaded> {
        const ACTION: &str = "s3:GetObject";
        let resource = format!("s3://{bucket}/{key}");
        let failed = |kind, message: String| CallError { kind, action: ACTION, resource: resource.clone(), message };
        let mut answer = match self.s3().get_object().bucket(bucket).key(key).send().await {
            Ok(answer) => answer,
            Err(error) if matches!(service_error(&error), Some(("NoSuchKey", _))) => return Ok(Downloaded::Missing),
            Err(error) if matches!(service_error(&error), Some(("NoSuchBucket", _))) => {
                return Ok(Downloaded::NoBucket);
            }
            Err(error) if matches!(service_error(&error), Some(("InvalidObjectState", _))) => {
                return Ok(Downloaded::Archived);
            }
            Err(error) if names_other_region(service_error(&error)) => return Ok(Downloaded::OtherRegion),
            Err(error) => return Err(call_error(ACTION, &resource, &error)),
        };
        etag(ACTION, &resource, answer.e_tag())?;
        let mut file = tokio::fs::File::create(path)
            .await
            .map_err(|error| failed(CallErrorKind::Refused, format!("{}: {error}", path.display())))?;
        let mut written = 0;
        while let Some(chunk) = answer.body.next().await {
            let chunk = chunk.map_err(|error| failed(CallErrorKind::NoAnswer, cut_off(&error)))?;
            written += chunk.len() as u64;
            if written > max_bytes {
                return Ok(Downloaded::TooLarge);
            }
            file.write_all(&chunk)
                .await
                .map_err(|error| failed(CallErrorKind::Refused, format!("{}: {error}", path.display())))?;
        }
        file.flush().await.map_err(|error| failed(CallErrorKind::Refused, format!("{}: {error}", path.display())))?;
        Ok(Downloaded::Done)
    }
}

/// What S3 answers to a request that was sent to another region than the bucket's, or signed for another (Amazon S3 API
/// Reference, "Error responses").
fn names_other_region(error: Option<(&str, &str)>) -> bool {
    matches!(error, Some(("PermanentRedirect" | "TemporaryRedirect" | "Redirect" | "AuthorizationHeaderMalformed", _)))
}
