//! S3, as far as the protocol uses it: strongly consistent, with conditional writes. An entity tag is a hash of the
//! body, as on S3, so that two equal bodies have the same.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::ops::Bound;

use reveille_domain::ports::{Object, PutAnswer, PutCondition};
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

    /// Writes under a condition.
    pub fn put(&self, key: &str, body: Vec<u8>, condition: &PutCondition) -> PutAnswer {
        let mut objects = self.0.borrow_mut();
        let stands = objects.get(key);
        let holds = match condition {
            PutCondition::Always => true,
            PutCondition::IfAbsent => stands.is_none(),
            PutCondition::IfMatch(wanted) => stands.is_some_and(|object| object.etag == *wanted),
        };
        if !holds {
            return PutAnswer::ConditionFailed;
        }
        let tag = etag(&body);
        objects.insert(key.to_owned(), Object { body, etag: tag.clone() });
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

    /// Adds every object to a state's number; an entity tag stands for the body.
    pub fn tell(&self, hasher: &mut impl Hasher) {
        for (key, object) in self.0.borrow().iter() {
            (key, &object.etag).hash(hasher);
        }
    }

    /// The record of that key, if it can be read.
    #[must_use]
    pub fn record<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        serde_json::from_slice(&self.0.borrow().get(key)?.body).ok()
    }
}

/// FNV-1a over words of eight bytes, each of which is turned into all others: a tag must tell bodies apart, and withstand
/// nobody.
fn etag(body: &[u8]) -> String {
    let (words, rest) = body.as_chunks::<8>();
    let mix = |hash: u64, word: u64| {
        let mixed = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 32)
    };
    let hash = words.iter().fold(body.len() as u64, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let hash = rest.iter().fold(hash, |hash, byte| mix(hash, u64::from(*byte)));
    format!("{hash:016x}")
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
