//! The records of runs in the stack's bucket.

use aws_sdk_s3::operation::get_object::GetObjectError;
use reveille_domain::{
    InstanceName, RunId,
    layout::AttemptRef,
    records::{Claim, Lease, Outcome, Progress, Report, Request},
};
use serde::de::DeserializeOwned;

use super::{Account, Run};
use crate::error::CliError;

/// The largest record that is read: an outcome has at most 64 KiB of evidence, a request 64 KiB of input.
const MAX_RECORD: i64 = 1024 * 1024;

impl Account {
    pub(crate) async fn outcome(&self, at: &AttemptRef) -> Result<Option<Outcome>, CliError> {
        self.record(&self.layout.outcome(at)).await
    }

    /// The report of an attempt; one of another attempt is somebody else's writing.
    pub(crate) async fn report(&self, at: &AttemptRef) -> Result<Option<Report>, CliError> {
        let report: Option<Report> = self.record(&self.layout.report(at)).await?;
        Ok(report.filter(|report| report.run == at.run && report.attempt == at.attempt))
    }

    pub(crate) async fn claim(&self, at: &AttemptRef) -> Result<Option<Claim>, CliError> {
        self.record(&self.layout.claim(at)).await
    }

    pub(crate) async fn progress(&self, at: &AttemptRef) -> Result<Option<Progress>, CliError> {
        self.record(&self.layout.progress(at)).await
    }

    pub(crate) async fn request(&self, instance: &str, run: &RunId) -> Result<Option<Request>, CliError> {
        self.record(&self.layout.request(instance, run)).await
    }

    /// What stands as an instance's lease.
    pub(crate) async fn lease(&self, instance: &InstanceName) -> Result<Option<Lease>, CliError> {
        self.record(&self.layout.lease(instance)).await
    }

    /// Whose boot an instance is on, if any of ours. No step believes the lease of another instance, so that is none that can be read.
    pub(crate) async fn believed_lease(&self, instance: &InstanceName) -> Result<Option<Lease>, CliError> {
        let key = self.layout.lease(instance);
        let lease = self.lease(instance).await?;
        match lease.as_ref().and_then(|lease| lease.instance.as_ref()).filter(|other| *other != instance) {
            Some(other) => {
                Err(CliError::Record { key, problem: format!("it is the lease of another instance, {other}") })
            }
            None => Ok(lease),
        }
    }

    /// Where in S3 a key or a folder of the stack's bucket is.
    pub(super) fn place(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.layout.bucket)
    }

    /// An object of the stack's bucket, if it is there and no larger than that.
    pub(crate) async fn object(&self, key: &str, most: i64) -> Result<Option<Vec<u8>>, CliError> {
        let got = match self.s3.get_object().bucket(&self.layout.bucket).key(key).send().await {
            Ok(got) => got,
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => return Ok(None),
            Err(error) => return Err(CliError::asked(format!("read {}", self.place(key)), &error)),
        };
        if got.content_length().is_some_and(|bytes| bytes > most) {
            return Err(CliError::Record { key: key.to_owned(), problem: format!("it is larger than {most} bytes") });
        }
        let body = got.body.collect().await;
        let body = body.map_err(|error| CliError::Record { key: key.to_owned(), problem: error.to_string() })?;
        Ok(Some(body.to_vec()))
    }

    /// A record, if it is there. One that cannot be read is an error: it is not the same as none.
    pub(super) async fn record<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, CliError> {
        let Some(body) = self.object(key, MAX_RECORD).await? else { return Ok(None) };
        let read = serde_json::from_slice(&body);
        read.map(Some).map_err(|error| CliError::Record { key: key.to_owned(), problem: error.to_string() })
    }

    /// The key of an output that the run kept, if it lies in the stack's bucket: an outcome that names another place is not followed.
    pub(crate) fn key_of<'a>(&self, run: &'a Run, output: &str) -> Option<&'a str> {
        run.outcome
            .as_ref()?
            .outputs
            .get(output)?
            .strip_prefix("s3://")?
            .strip_prefix(&self.layout.bucket)?
            .strip_prefix('/')
    }
}
