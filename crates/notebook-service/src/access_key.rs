//! The access key of one start of the local AWS.

use std::{fmt, io};

use crate::uuid;

/// What a key begins with, so that whoever finds one somewhere knows that it opens nothing on AWS.
const PREFIX: &str = "REVEILLELOCAL";

/// The access key of one start of the local AWS. Every request's credential must name it.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey(String);

impl AccessKey {
    /// A new one.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn random() -> io::Result<Self> {
        // 122 random bits: nobody guesses them.
        let random = uuid::fresh()?.replace('-', "").to_ascii_uppercase();
        Ok(Self(format!("{PREFIX}{random}")))
    }

    /// What `AWS_ACCESS_KEY_ID` is set to.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::AccessKey;

    #[test]
    fn each_key_is_another_and_is_not_shown() {
        let (one, other) = (AccessKey::random().unwrap(), AccessKey::random().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.as_str().len(), super::PREFIX.len() + 32);
        assert!(one.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric()), "a client signs with it as it is");
        assert!(!format!("{one:?}").contains(one.as_str()));
    }
}
