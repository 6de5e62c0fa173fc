//! A bucket's settings, and what is known of one object without reading it.

use std::fmt::Write;

use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use chrono::{DateTime, Utc};
use reveille_lifecycle::named_runner;
use sha2::{Digest, Sha256};

use super::{Known, ask};
use crate::{
    clients::{Account, executions::time},
    error::CliError,
};

/// More than any runner has; a larger object is not read.
const MOST: i64 = 256 * 1024 * 1024;

/// A bucket's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BucketFacts {
    /// Its region; `None`: there is no such bucket.
    pub(crate) place: Known<Option<String>>,
    /// Whether everything that would make it public is blocked.
    pub(crate) blocks_public: Known<bool>,
    pub(crate) keeps_versions: Known<bool>,
    /// Where they are needed.
    pub(crate) events: Option<Known<BucketEvents>>,
}

/// Whether the events of a bucket reach the rules of the stack's region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BucketEvents {
    Reach,
    /// It does not send them.
    AreNotSent,
    /// There is no such bucket, or it is in another region.
    Cannot(String),
}

/// An object, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heading {
    pub(crate) at: Option<DateTime<Utc>>,
    pub(crate) bytes: i64,
}

impl Account {
    /// The settings of the stack's own bucket. `publishes`: the stack needs its events.
    pub(crate) async fn bucket_facts(&self, publishes: bool) -> BucketFacts {
        let events = async {
            if !publishes {
                return None;
            }
            Some(ask("s3:GetBucketNotification", self.bucket_events(&self.layout.bucket)).await)
        };
        let (place, blocks_public, keeps_versions, events) = tokio::join!(
            ask("s3:ListBucket", self.place_of_bucket()),
            ask("s3:GetBucketPublicAccessBlock", self.blocks_public()),
            ask("s3:GetBucketVersioning", self.keeps_versions()),
            events,
        );
        BucketFacts { place, blocks_public, keeps_versions, events }
    }

    async fn place_of_bucket(&self) -> Result<Option<String>, CliError> {
        let head = match self.s3.head_bucket().bucket(&self.layout.bucket).send().await {
            Ok(head) => head,
            Err(error) => {
                let status = error.raw_response().map(|response| response.status().as_u16());
                return match status {
                    Some(404) => Ok(None),
                    // A HEAD has no body that could say it.
                    Some(403) => Err(refused("look for the bucket")),
                    // Somewhere else; the header says where.
                    Some(301) => Ok(error
                        .raw_response()
                        .and_then(|response| response.headers().get("x-amz-bucket-region"))
                        .map(str::to_owned)),
                    _ => Err(CliError::asked("look for the bucket", &error)),
                };
            }
        };
        Ok(Some(head.bucket_region.unwrap_or_else(|| self.region.clone())))
    }

    async fn blocks_public(&self) -> Result<bool, CliError> {
        match self.s3.get_public_access_block().bucket(&self.layout.bucket).send().await {
            Ok(got) => Ok(got.public_access_block_configuration.is_some_and(|it| {
                [it.block_public_acls, it.ignore_public_acls, it.block_public_policy, it.restrict_public_buckets]
                    .iter()
                    .all(|on| *on == Some(true))
            })),
            Err(error) if error.code() == Some("NoSuchPublicAccessBlockConfiguration") => Ok(false),
            Err(error) => Err(CliError::asked("read what the bucket blocks", &error)),
        }
    }

    async fn keeps_versions(&self) -> Result<bool, CliError> {
        let got = self.s3.get_bucket_versioning().bucket(&self.layout.bucket).send().await;
        let got = got.map_err(|error| CliError::asked("read whether the bucket keeps versions", &error))?;
        Ok(got.status.is_some_and(|status| status.as_str() == "Enabled"))
    }

    /// Whether the events of any bucket reach the stack's rules.
    pub(crate) async fn bucket_events(&self, bucket: &str) -> Result<BucketEvents, CliError> {
        match self.sends_events(bucket).await {
            Ok(true) => Ok(BucketEvents::Reach),
            Ok(false) => Ok(BucketEvents::AreNotSent),
            Err(CliError::NotThere(problem) | CliError::NotNow(problem)) => Ok(BucketEvents::Cannot(problem)),
            Err(error) => Err(error),
        }
    }

    /// An object of the stack's bucket; `None`: it is not there.
    pub(crate) async fn heading(&self, key: &str) -> Result<Option<Heading>, CliError> {
        match self.s3.head_object().bucket(&self.layout.bucket).key(key).send().await {
            Ok(head) => {
                Ok(Some(Heading { at: head.last_modified.map(time), bytes: head.content_length.unwrap_or_default() }))
            }
            Err(error) => match error.raw_response().map(|response| response.status().as_u16()) {
                Some(404) => Ok(None),
                Some(403) => Err(refused("look for the object")),
                _ => Err(CliError::asked("look for the object", &error)),
            },
        }
    }

    /// The SHA-256 of an object's content, in hexadecimal digits; `None`: it is not there. S3 knows it only of what was uploaded with it, and
    /// then whoever uploaded it said so; the content says it of any.
    pub(crate) async fn sha256(&self, key: &str) -> Result<Option<String>, CliError> {
        let Some(heading) = self.heading(key).await? else { return Ok(None) };
        if heading.bytes > MOST {
            let problem = format!("it has {} bytes, far more than a runner has", heading.bytes);
            return Err(CliError::Record { key: key.to_owned(), problem });
        }
        let got = self.s3.get_object().bucket(&self.layout.bucket).key(key).send().await;
        let mut got = got.map_err(|error| CliError::asked("read the runner", &error))?;
        let mut hash = Sha256::new();
        while let Some(bytes) = got.body.next().await {
            let bytes = bytes.map_err(|error| CliError::Record { key: key.to_owned(), problem: error.to_string() })?;
            hash.update(&bytes);
        }
        let mut digits = String::new();
        for byte in hash.finalize() {
            // A String takes everything.
            let _ = write!(digits, "{byte:02x}");
        }
        Ok(Some(digits))
    }

    /// The runner that the stack's record names, by its key and its SHA-256; `None`: there is no such record, or it names none.
    pub(crate) async fn installed_runner(&self) -> Result<Option<(String, String)>, CliError> {
        let key = self.layout.runner();
        // A record has one line.
        if self.heading(&key).await?.is_none_or(|heading| heading.bytes > 999) {
            return Ok(None);
        }
        let got = self.s3.get_object().bucket(&self.layout.bucket).key(&key).send().await;
        let got = got.map_err(|error| CliError::asked("read which runner the stack installed", &error))?;
        let record = got.body.collect().await.map_err(|error| CliError::Record { key, problem: error.to_string() })?;
        Ok(named_runner(&String::from_utf8_lossy(&record.into_bytes())))
    }

    /// The instances on which runs of this stack left records.
    pub(crate) async fn instances_with_records(&self) -> Result<Vec<String>, CliError> {
        let folder = format!("{}runs/", self.layout.prefix);
        let call = self.s3.list_objects_v2().bucket(&self.layout.bucket).prefix(&folder).delimiter("/");
        let listed = call.send().await.map_err(|error| CliError::asked("list the records of runs", &error))?;
        let folders = listed.common_prefixes().iter().filter_map(|it| it.prefix()?.strip_prefix(&folder));
        Ok(folders.filter_map(|name| name.strip_suffix('/')).map(str::to_owned).collect())
    }
}

fn refused(action: &'static str) -> CliError {
    CliError::Refused { action: action.into(), message: "403".to_owned() }
}
