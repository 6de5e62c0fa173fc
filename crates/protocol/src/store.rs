//! Records in S3, typed: read, put once, compare-and-swap. The only locks of the protocol.

use reveille_domain::ports::{DeleteObject, GetObject, PutAnswer, PutCondition, PutObject};
use reveille_domain::{Code, Failure};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A record with the entity tag it was read under.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored<T> {
    /// The record.
    pub record: T,
    /// Its entity tag.
    pub etag: String,
}

/// Reads a record.
///
/// # Errors
/// The call's failure, or `Internal` when what stands there is no such record.
pub async fn read<T: DeserializeOwned>(ports: &impl GetObject, key: &str) -> Result<Option<Stored<T>>, Failure> {
    let Some(object) = ports.get_object(key).await? else { return Ok(None) };
    let record = serde_json::from_slice(&object.body).map_err(|error| {
        Failure::new(
            Code::Internal,
            format!(
                "The record {key} is not readable ({error}). Another program or another version wrote it: restore or remove it, then redrive the execution."
            ),
        )
    })?;
    Ok(Some(Stored { record, etag: object.etag }))
}

/// Puts a record if none stands there. `false`: one stands already, which may be our own when an answer was lost.
///
/// # Errors
/// The call's failure.
pub async fn put_once<T: Serialize>(ports: &impl PutObject, key: &str, record: &T) -> Result<bool, Failure> {
    Ok(write(ports, key, record, PutCondition::IfAbsent).await?.is_some())
}

/// Puts a record over whatever stands there.
///
/// # Errors
/// The call's failure.
pub async fn put<T: Serialize>(ports: &impl PutObject, key: &str, record: &T) -> Result<(), Failure> {
    write(ports, key, record, PutCondition::Always).await.map(|_| ())
}

/// Puts a record over the one that was read under the entity tag, or where none stood. `None`: it changed meanwhile.
///
/// # Errors
/// The call's failure.
pub async fn swap<T: Serialize>(
    ports: &impl PutObject,
    key: &str,
    record: &T,
    etag: Option<&str>,
) -> Result<Option<String>, Failure> {
    let condition = etag.map_or(PutCondition::IfAbsent, |etag| PutCondition::IfMatch(etag.to_owned()));
    write(ports, key, record, condition).await
}

/// Removes the record that was read under the entity tag. `false`: it changed meanwhile, or is gone.
///
/// # Errors
/// The call's failure.
pub async fn remove(ports: &impl DeleteObject, key: &str, etag: &str) -> Result<bool, Failure> {
    Ok(ports.delete_object(key, etag).await?)
}

async fn write<T: Serialize>(
    ports: &impl PutObject,
    key: &str,
    record: &T,
    condition: PutCondition,
) -> Result<Option<String>, Failure> {
    let body = serde_json::to_vec(record).map_err(|error| {
        Failure::new(Code::Internal, format!("The record {key} cannot be written as JSON: {error}."))
    })?;
    match ports.put_object(key, body, condition).await? {
        PutAnswer::Written(etag) => Ok(Some(etag)),
        PutAnswer::ConditionFailed => Ok(None),
    }
}
