//! Records in S3, typed: read, put once, compare-and-swap. The only locks of the protocol.
//!
//! A refused call and an unreadable record are different errors. The one says nothing of the record, and is tried again; the
//! other is evidence that stays, and each caller decides what it means to it.

use reveille_domain::ids::sha256_hex;
use reveille_domain::ports::{
    Call, CallError, CallErrorKind, DeleteObject, GetAnswer, GetObject, Object, PutAnswer, PutCondition, PutObject,
};
use reveille_domain::{Code, Damage, Failure, RETRIED, Record, Unreadable};

/// A record with the entity tag it was read under.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored<T> {
    /// The record.
    pub record: T,
    /// Its entity tag.
    pub etag: String,
}

/// Why a record was not read, or not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The call failed. It says nothing of the record.
    Call(CallError),
    /// Something is there that is no such record.
    Unreadable(Unreadable),
    /// Others changed the record at every try of a compare-and-swap.
    Contended {
        /// The record's key.
        key: String,
        /// How often it was tried.
        tries: u32,
    },
}

impl From<CallError> for StoreError {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

/// For callers to whom all three end the step.
impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Call(error) => error.into(),
            StoreError::Unreadable(unreadable) => unreadable.into(),
            StoreError::Contended { key, tries } => Self::new(
                Code::ServiceUnavailable,
                format!("The record {key} changed at each of {tries} tries to change it. {RETRIED}"),
            ),
        }
    }
}

/// In a log: the sentence alone.
impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Failure::from(self.clone()).fmt(f)
    }
}

/// Reads a record.
///
/// # Errors
/// The call's, or `Unreadable` when what is there is no such record, or belongs to another key.
pub async fn read<T: Record>(ports: &impl GetObject, key: &str) -> Result<Option<Stored<T>>, StoreError> {
    match fetch::<T>(ports, key).await? {
        Some(object) => parse(key, object).map(Some),
        None => Ok(None),
    }
}

/// Reads a record with the SHA-256 of its bytes, lower-case hex.
///
/// # Errors
/// Those of [`read`].
pub async fn read_hashed<T: Record>(
    ports: &impl GetObject,
    key: &str,
) -> Result<Option<(Stored<T>, String)>, StoreError> {
    let Some(object) = fetch::<T>(ports, key).await? else { return Ok(None) };
    let sha256 = sha256_hex(&object.body);
    Ok(Some((parse(key, object)?, sha256)))
}

/// Reads a record whose SHA-256 is known, if it is.
///
/// # Errors
/// Those of [`read`]; `Unreadable` also when it is another record than the known one.
pub async fn read_known<T: Record>(
    ports: &impl GetObject,
    key: &str,
    known: Option<&str>,
) -> Result<Option<Stored<T>>, StoreError> {
    match read_hashed(ports, key).await? {
        Some((stored, sha256)) if known.is_some_and(|known| known != sha256) => {
            Err(unreadable::<T>(key, stored.etag, Damage::Replaced))
        }
        read => Ok(read.map(|(stored, _)| stored)),
    }
}

fn unreadable<T: Record>(key: &str, etag: String, damage: Damage) -> StoreError {
    StoreError::Unreadable(Unreadable { kind: T::KIND, key: key.to_owned(), etag, damage })
}

async fn fetch<T: Record>(ports: &impl GetObject, key: &str) -> Result<Option<Object>, StoreError> {
    match ports.get_object(key).await? {
        GetAnswer::Nothing => Ok(None),
        GetAnswer::TooLarge { etag } => Err(unreadable::<T>(key, etag, Damage::TooLarge)),
        GetAnswer::Object(object) => Ok(Some(object)),
    }
}

fn parse<T: Record>(key: &str, Object { body, etag }: Object) -> Result<Stored<T>, StoreError> {
    let record: T = match serde_json::from_slice(&body) {
        Ok(record) => record,
        Err(error) => return Err(unreadable::<T>(key, etag, Damage::of(&error))),
    };
    match record.foreign_to(key) {
        Some(owner) => Err(unreadable::<T>(key, etag, Damage::Foreign(owner))),
        None => Ok(Stored { record, etag }),
    }
}

/// What was read, for callers to whom an unreadable record is evidence: it counts as none, and is kept beside.
///
/// # Errors
/// A call's, or `Contended`.
pub fn or_evidence<T>(
    read: Result<Option<Stored<T>>, StoreError>,
    evidence: &mut Vec<Unreadable>,
) -> Result<Option<Stored<T>>, StoreError> {
    match read {
        Ok(stored) => Ok(stored),
        Err(StoreError::Unreadable(unreadable)) => {
            evidence.push(unreadable);
            Ok(None)
        }
        Err(error @ (StoreError::Call(_) | StoreError::Contended { .. })) => Err(error),
    }
}

/// Whether something is under the key, readable or not.
///
/// # Errors
/// A call's, or `Contended`.
pub async fn exists<T: Record>(ports: &impl GetObject, key: &str) -> Result<bool, StoreError> {
    let mut unreadable = Vec::new();
    let record = or_evidence(read::<T>(ports, key).await, &mut unreadable)?;
    Ok(record.is_some() || !unreadable.is_empty())
}

/// Puts a record if there is none. `false`: there is one already, which may be our own when an answer was lost.
///
/// # Errors
/// The call's.
pub async fn put_once<T: Record>(ports: &impl PutObject, key: &str, record: &T) -> Call<bool> {
    Ok(write(ports, key, record, PutCondition::IfAbsent).await?.is_some())
}

/// Puts a record over whatever is there.
///
/// # Errors
/// The call's.
pub async fn put<T: Record>(ports: &impl PutObject, key: &str, record: &T) -> Call<()> {
    write(ports, key, record, PutCondition::Always).await.map(|_| ())
}

/// Puts a record over the one that was read under the entity tag, or where there was none. `None`: it changed meanwhile.
///
/// # Errors
/// The call's.
pub async fn swap<T: Record>(
    ports: &impl PutObject,
    key: &str,
    record: &T,
    etag: Option<&str>,
) -> Call<Option<String>> {
    let condition = etag.map_or(PutCondition::IfAbsent, |etag| PutCondition::IfMatch(etag.to_owned()));
    write(ports, key, record, condition).await
}

/// Removes the record that was read under the entity tag. `false`: it changed meanwhile, or is gone.
///
/// # Errors
/// The call's.
pub async fn remove(ports: &impl DeleteObject, key: &str, etag: &str) -> Call<bool> {
    ports.delete_object(key, etag).await
}

/// SHA-256 of the bytes that are written for a record, lower-case hex.
///
/// # Errors
/// `Refused`, when it cannot be written as JSON.
pub fn sha256_of<T: Record>(key: &str, record: &T) -> Call<String> {
    body(key, record).map(|body| sha256_hex(&body))
}

fn body<T: Record>(key: &str, record: &T) -> Call<Vec<u8>> {
    serde_json::to_vec(record).map_err(|error| CallError {
        kind: CallErrorKind::Refused,
        action: "s3:PutObject",
        resource: key.to_owned(),
        message: format!("it cannot be written as JSON: {error}"),
    })
}

async fn write<T: Record>(
    ports: &impl PutObject,
    key: &str,
    record: &T,
    condition: PutCondition,
) -> Call<Option<String>> {
    match ports.put_object(key, body(key, record)?, condition).await? {
        PutAnswer::Written(etag) => Ok(Some(etag)),
        PutAnswer::ConditionFailed => Ok(None),
    }
}
