//! S3, as far as the protocol uses it: strongly consistent, with conditional writes. An entity tag is a hash of the
//! body, as on S3, so that two equal bodies have the same.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::ops::Bound;

use reveille_domain::limits::MAX_RECORD_BYTES;
use reveille_domain::ports::{GetAnswer, Object, PutAnswer, PutCondition};
use serde::de::DeserializeOwned;

/// The objects by key.
#[derive(Default)]
pub struct Bucket(RefCell<BTreeMap<String, Object>>);

impl Bucket {
    /// The object of that key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Object> {
        self.0.borrow().get(key).cloned()
    }

    /// What a reader of records gets: of an object that is larger than any record, its tag alone.
    #[must_use]
    pub fn answer(&self, key: &str) -> GetAnswer {
        match self.0.borrow().get(key) {
            None => GetAnswer::Nothing,
            Some(object) if object.body.len() > MAX_RECORD_BYTES => GetAnswer::TooLarge { etag: object.etag.clone() },
            Some(object) => GetAnswer::Object(object.clone()),
        }
    }

    /// The tag of the object of that key.
    #[must_use]
    pub fn etag_of(&self, key: &str) -> Option<String> {
        self.0.borrow().get(key).map(|object| object.etag.clone())
    }

    /// Whether there is an object of that key.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.0.borrow().contains_key(key)
    }

    /// Writes under a condition.
    pub fn put(&self, key: &str, body: Vec<u8>, condition: &PutCondition) -> PutAnswer {
        let mut objects = self.0.borrow_mut();
        let stands = objects.get_mut(key);
        let holds = match condition {
            PutCondition::Always => true,
            PutCondition::IfAbsent => stands.is_none(),
            PutCondition::IfMatch(wanted) => stands.as_ref().is_some_and(|object| object.etag == *wanted),
        };
        if !holds {
            return PutAnswer::ConditionFailed;
        }
        let tag = etag(&body);
        let object = Object { body, etag: tag.clone() };
        match stands {
            Some(stands) => *stands = object,
            None => drop(objects.insert(key.to_owned(), object)),
        }
        PutAnswer::Written(tag)
    }

    /// Removes the very object.
    pub fn delete(&self, key: &str, wanted: &str) -> bool {
        let mut objects = self.0.borrow_mut();
        let is_it = objects.get(key).is_some_and(|object| object.etag == wanted);
        if is_it {
            objects.remove(key);
        }
        is_it
    }

    /// The keys that start with the prefix, from behind a key on.
    #[must_use]
    pub fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Vec<String> {
        let objects = self.0.borrow();
        let from = match after.filter(|after| *after > prefix) {
            Some(after) => (Bound::Excluded(after), Bound::Unbounded),
            None => (Bound::Included(prefix), Bound::Unbounded),
        };
        let keys = objects.range::<str, _>(from).map(|(key, _)| key);
        keys.take_while(|key| key.starts_with(prefix)).take(limit).cloned().collect()
    }

    /// Adds every object that decides something to a state's number; an entity tag stands for the body.
    pub fn tell(&self, hasher: &mut impl Hasher) {
        for (key, object) in self.0.borrow().iter().filter(|(key, _)| decides(key)) {
            (key, &object.etag).hash(hasher);
        }
    }

    /// The record of that key, if it can be read.
    #[must_use]
    pub fn record<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let objects = self.0.borrow();
        let object = objects.get(key).filter(|object| object.body.len() <= MAX_RECORD_BYTES)?;
        serde_json::from_slice(&object.body).ok()
    }
}

/// Whether what stands there decides anything: the history does not.
pub fn decides(key: &str) -> bool {
    !key.contains("history")
}

/// Of a body that is larger than any record, its tag is made from so many bytes: nobody reads the rest.
const TAGGED_OF_LARGE: usize = 4_096;

/// FNV-1a over words of eight bytes, each of which is turned into all others: a tag must tell bodies apart, and withstand
/// nobody.
fn etag(body: &[u8]) -> String {
    let length = body.len() as u64;
    let body = if body.len() > MAX_RECORD_BYTES { &body[..TAGGED_OF_LARGE] } else { body };
    let (words, rest) = body.as_chunks::<8>();
    let mix = |hash: u64, word: u64| {
        let mixed = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 32)
    };
    let hash = words.iter().fold(length, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let hash = rest.iter().fold(hash, |hash, byte| mix(hash, u64::from(*byte)));
    let digit = |at: u32| char::from_digit(((hash >> (4 * at)) & 0xf) as u32, 16).unwrap_or('0');
    (0..16).rev().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_those_of_s3() {
        let bucket = Bucket::default();
        let put = |body: &str, condition| bucket.put("k", body.into(), &condition);
        let PutAnswer::Written(first) = put("a", PutCondition::IfAbsent) else { panic!() };
        assert_eq!(put("b", PutCondition::IfAbsent), PutAnswer::ConditionFailed);
        let PutAnswer::Written(second) = put("b", PutCondition::IfMatch(first.clone())) else { panic!() };
        assert_eq!(put("c", PutCondition::IfMatch(first.clone())), PutAnswer::ConditionFailed);
        assert!(!bucket.delete("k", &first));
        assert!(bucket.delete("k", &second));
        assert!(!bucket.delete("k", &second));
        assert_eq!(put("a", PutCondition::IfMatch(first)), PutAnswer::ConditionFailed, "it is gone");
    }

    #[test]
    fn keys_are_listed_by_their_prefix_in_order() {
        let bucket = Bucket::default();
        for key in ["a/2", "a/1", "b/1", "a"] {
            bucket.put(key, Vec::new(), &PutCondition::Always);
        }
        assert_eq!(bucket.list("a/", None, 10), ["a/1", "a/2"]);
        assert_eq!(bucket.list("a/", None, 1), ["a/1"]);
        assert_eq!(bucket.list("a/", Some("a/1"), 10), ["a/2"]);
    }
}
