//! Files of a release: looked at and copied from bucket to bucket, without being held.
//!
//! Owns that a copy is of the very bytes that were hashed. Never decides which file is right.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{MetadataDirective, TaggingDirective};
use reveille_domain::ids::hex;
use reveille_domain::ports::{Call, CallError, CallErrorKind};
use sha2::{Digest, Sha256};

use crate::answer::{call_error, service_error};
use crate::clients::Aws;
use crate::s3::{cut_off, etag, within};

/// S3 copies some hundred megabytes in seconds; the timeouts of small calls do not fit.
const COPY_TIMEOUT: std::time::Duration = std::time::Duration::from_mins(1);

/// What is under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredArtifact {
    /// A file.
    File {
        /// In lower-case hexadecimal digits.
        sha256: String,
        /// By which it is known to be the same later.
        etag: String,
    },
    /// No object.
    Missing,
    /// An object of more bytes than any of ours.
    TooLarge,
}

impl Aws {
    /// Reads an object of any bucket, and keeps nothing of it but its SHA-256.
    ///
    /// # Errors
    /// The call's failure, or that of reading the body to its end.
    pub async fn artifact(&self, bucket: &str, key: &str, max_bytes: u64) -> Call<StoredArtifact> {
        const ACTION: &str = "s3:GetObject";
        let resource = format!("s3://{bucket}/{key}");
        let mut answer = match self.s3().get_object().bucket(bucket).key(key).send().await {
            Ok(answer) => answer,
            Err(error) if matches!(service_error(&error), Some(("NoSuchKey", _))) => {
                return Ok(StoredArtifact::Missing);
            }
            Err(error) => return Err(call_error(ACTION, &resource, &error)),
        };
        let etag = etag(ACTION, &resource, answer.e_tag())?;
        let (mut hash, mut read) = (Sha256::new(), 0_u64);
        let announced = answer.content_length().and_then(|bytes| u64::try_from(bytes).ok());
        if announced.is_some_and(|bytes| bytes > max_bytes) {
            return Ok(StoredArtifact::TooLarge);
        }
        let failed = |message: String| CallError {
            kind: CallErrorKind::NoAnswer,
            action: ACTION,
            resource: resource.clone(),
            message,
        };
        while let Some(chunk) = answer.body.next().await {
            let chunk = chunk.map_err(|error| failed(cut_off(&error)))?;
            read += chunk.len() as u64;
            if read > max_bytes {
                return Ok(StoredArtifact::TooLarge);
            }
            hash.update(&chunk);
        }
        if let Some(bytes) = announced.filter(|bytes| *bytes != read) {
            return Err(failed(format!("the object's body ended early: {read} bytes of {bytes}")));
        }
        Ok(StoredArtifact::File { sha256: hex(&hash.finalize()), etag })
    }

    /// Copies an object to the stack's bucket, if it still is the one with this entity tag; tells whether it was. S3 puts the copy
    /// in place as a whole, or not at all. Metadata and tags stay behind: to copy tags would need permissions on them.
    ///
    /// # Errors
    /// The call's failure.
    pub async fn copy_artifact(&self, bucket: &str, key: &str, entity_tag: &str, to: &str) -> Call<bool> {
        let copy = self
            .s3()
            .copy_object()
            .copy_source(format!("{bucket}/{key}"))
            .copy_source_if_match(entity_tag)
            .bucket(&self.layout.bucket)
            .key(to)
            .content_type("application/octet-stream")
            .metadata_directive(MetadataDirective::Replace)
            .tagging_directive(TaggingDirective::Replace)
            .customize()
            .config_override(within(COPY_TIMEOUT));
        match copy.send().await {
            Ok(_) => Ok(true),
            Err(error) if matches!(service_error(&error), Some(("PreconditionFailed" | "NoSuchKey", _))) => Ok(false),
            Err(error) => Err(call_error("s3:PutObject", &self.layout.uri(to), &error)),
        }
    }

    /// Puts a line of text into the stack's bucket.
    ///
    /// # Errors
    /// The call's failure.
    pub async fn put_text(&self, key: &str, text: String) -> Call<()> {
        let put = self.s3().put_object().bucket(&self.layout.bucket).key(key).content_type("text/plain");
        let put = put.body(ByteStream::from(text.into_bytes())).send().await;
        put.map(|_| ()).map_err(|error| call_error("s3:PutObject", &self.layout.uri(key), &error))
    }
}
