//! Where a notebook comes from: a path below the instance's notebook folder, or one S3 object. What cannot be either is refused when
//! the run is admitted: nobody should pay for an instance to be told of a slip of the pen.

use serde::{Deserialize, Serialize};

use crate::limits::{MAX_FILE_NAME_BYTES, MAX_KEY_BYTES, MAX_NOTEBOOK_BYTES};
use crate::shown::quoted;

/// Where the notebook comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum NotebookSource {
    /// A path relative to the instance's notebook folder: no empty, `.` or `..` part, so that it cannot leave it.
    Path(String),
    /// One S3 object.
    S3 {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
}

impl NotebookSource {
    /// Reads `folder/notebook.ipynb` or `s3://bucket/key.ipynb`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the value.
    pub fn parse(text: &str) -> Result<Self, String> {
        check_characters(text)?;
        let source = Self::stored(text)?;
        match &source {
            Self::Path(path) => check_path(path)?,
            Self::S3 { bucket, key } => {
                check_object(bucket, key).map_err(|problem| format!("{} {problem}", quoted(text)))?;
            }
        }
        Ok(source)
    }

    /// What the name is without URL encoding, if it looks encoded: as an address of the console or an event of S3's own notifications
    /// has it. A key may look so and be right; so it is only told where there is no such notebook.
    #[must_use]
    pub fn without_url_encoding(&self) -> Option<Self> {
        let (text, decoded) = match self {
            Self::Path(path) => (path, Self::Path(url_decoded(path)?)),
            Self::S3 { bucket, key } => {
                (key, Self::S3 { bucket: bucket.clone(), key: url_decoded(&key.replace('+', " "))? })
            }
        };
        let name = match &decoded {
            Self::Path(name) | Self::S3 { key: name, .. } => name,
        };
        (name != text && Self::parse(&decoded.to_string()).is_ok()).then_some(decoded)
    }

    /// Reads what was recorded. Only what keeps a path in its folder is asked for: a record may be older than a rule.
    fn stored(text: &str) -> Result<Self, String> {
        if let Some(uri) = text.strip_prefix(S3) {
            return match uri.split_once('/') {
                Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() => {
                    Ok(Self::S3 { bucket: bucket.to_owned(), key: key.to_owned() })
                }
                _ => Err(format!("{} is not an S3 URI of the form s3://bucket/key.ipynb", quoted(text))),
            };
        }
        if text.contains("://") || text.contains('\\') {
            return Err(format!("{} {NEITHER}", quoted(text)));
        }
        if let Some(below) =
            text.strip_prefix(NOTEBOOK_FOLDER).filter(|below| !below.starts_with('/') && Self::stored(below).is_ok())
        {
            return Err(format!("{} begins with the notebook folder: write {}", quoted(text), quoted(below)));
        }
        if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(format!(
                "{} must be a path below the notebook folder, with no leading or trailing slash and no empty, '.' or '..' part",
                quoted(text)
            ));
        }
        Ok(Self::Path(text.to_owned()))
    }
}

/// A text whose `%20` and the like are the bytes that they stand for; none where these are no text.
fn url_decoded(text: &str) -> Option<String> {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let digits = piece.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if let Some(digits) = digits {
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            bytes.extend_from_slice(&piece.as_bytes()[2..]);
        } else {
            bytes.push(b'%');
            bytes.extend_from_slice(piece.as_bytes());
        }
    }
    String::from_utf8(bytes).ok()
}

const S3: &str = "s3://";
/// Of every notebook instance. Paths are given below it.
const NOTEBOOK_FOLDER: &str = "/home/ec2-user/SageMaker/";
const NEITHER: &str = "is neither a path below the notebook folder nor a URI of the form s3://bucket/key.ipynb";

/// What holds for both.
fn check_characters(text: &str) -> Result<(), String> {
    if text.chars().any(char::is_control) {
        return Err(format!("{} has a control character", quoted(text)));
    }
    if text.contains("{{") {
        return Err(format!("{} has a placeholder; placeholders are for parameters only", quoted(text)));
    }
    if text.starts_with(char::is_whitespace) {
        return Err(format!("{} begins with a space", quoted(text)));
    }
    // By its text: a path's own reading would take `a.ipynb/` for a file.
    let Some(stem) = text.strip_suffix(".ipynb") else {
        return Err(format!("{} does not end in .ipynb", quoted(text)));
    };
    if stem.is_empty() || stem.ends_with('/') {
        return Err(format!("{} has no name before .ipynb", quoted(text)));
    }
    Ok(())
}

fn check_path(path: &str) -> Result<(), String> {
    if path.len() > MAX_NOTEBOOK_BYTES {
        return Err(format!(
            "{} is {} bytes long; at most {MAX_NOTEBOOK_BYTES} are accepted",
            quoted(path),
            path.len()
        ));
    }
    let first = path.split('/').next().unwrap_or_default();
    // `s3:/b/x.ipynb`, `C:/x.ipynb`, `arn:aws:s3:::b/x.ipynb`: a slip in a URI, and never a folder that somebody made.
    let lower = first.to_ascii_lowercase();
    if lower.ends_with(':')
        || ["s3:", "arn:", "http:", "https:", "file:"].iter().any(|scheme| lower.starts_with(scheme))
    {
        return Err(format!("{} {NEITHER}", quoted(path)));
    }
    if first == "~" {
        return Err(format!(
            "{} begins with ~, which has no meaning here: give a path below the notebook folder",
            quoted(path)
        ));
    }
    if let Some(long) = path.split('/').find(|part| part.len() > MAX_FILE_NAME_BYTES) {
        return Err(format!(
            "{} has a part of {} bytes; a file's name has at most {MAX_FILE_NAME_BYTES}",
            quoted(path),
            long.len()
        ));
    }
    Ok(())
}

fn check_object(bucket: &str, key: &str) -> Result<(), String> {
    if let Some(rule) = broken_rule(bucket) {
        return Err(format!("names no bucket: {} {rule}", quoted(bucket)));
    }
    if key.len() > MAX_KEY_BYTES {
        return Err(format!("has a key of {} bytes; an S3 key has at most {MAX_KEY_BYTES}", key.len()));
    }
    if key.split('/').any(|part| matches!(part, "." | "..")) {
        return Err("has a '.' or '..' part in its key, which clients of S3 resolve in different ways".to_owned());
    }
    Ok(())
}

/// Ends of the names of S3's hosts. S3 would let somebody name a bucket so; whoever types it means the bucket before it.
const HOSTS: [&str; 2] = [".amazonaws.com", ".amazonaws.com.cn"];

/// The rule that a bucket's name breaks: Amazon S3 user guide, "General purpose bucket naming rules". Endings that it reserves for access
/// points and directory buckets are fine, because an object can be read through those; nothing can be read by the others.
fn broken_rule(name: &str) -> Option<&'static str> {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    if !(3..=63).contains(&bytes.len()) {
        return Some("does not have 3 to 63 characters");
    }
    if !bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.')) {
        return Some("has a character that is not a lower-case letter, a digit, a hyphen or a period");
    }
    if !edge(bytes.first()) || !edge(bytes.last()) {
        return Some("does not begin and end with a letter or a digit");
    }
    if name.contains("..") {
        return Some("has two periods in a row");
    }
    if name.split('.').count() == 4 && name.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Some("looks like an IP address");
    }
    if ["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|start| name.starts_with(start)) {
        return Some("begins with a prefix that no bucket name may have (xn--, sthree-, amzn-s3-demo-)");
    }
    if HOSTS.iter().any(|end| name.ends_with(end)) {
        return Some("is the address of a host of AWS: write the bucket's name alone");
    }
    [".mrap", "--table-s3"]
        .iter()
        .any(|end| name.ends_with(end))
        .then_some("ends with a suffix that no bucket name may have (.mrap, --table-s3)")
}

impl TryFrom<String> for NotebookSource {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::stored(&text)
    }
}

impl From<NotebookSource> for String {
    fn from(source: NotebookSource) -> Self {
        source.to_string()
    }
}

impl std::fmt::Display for NotebookSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(path) => f.write_str(path),
            Self::S3 { bucket, key } => write!(f, "s3://{bucket}/{key}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::cases;

    #[test]
    fn what_is_neither_a_path_nor_an_object_is_refused() {
        for (bad, why) in cases::bad_notebooks() {
            let problem = NotebookSource::parse(&bad).unwrap_err();
            assert!(problem.contains(why), "{bad}: {problem}");
            assert!(problem.chars().count() < 400, "{problem}");
        }
        for good in cases::good_notebooks() {
            assert_eq!(NotebookSource::parse(&good).unwrap().to_string(), good);
        }
    }

    #[test]
    fn a_name_that_looks_url_encoded_is_told_without() {
        for (given, meant) in [
            ("my%20notebook.ipynb", Some("my notebook.ipynb")),
            ("s3://bucket/my+d%C3%A9but%2Fx.ipynb", Some("s3://bucket/my début/x.ipynb")),
            ("a+b.ipynb", None),
            ("100%.ipynb", None),
            ("100%zz%é.ipynb", None),
            ("%ff.ipynb", None),
            ("a%0ab.ipynb", None),
            ("%2e%2e/x.ipynb", None),
            ("s3://bucket/x.ipynb", None),
        ] {
            let without = NotebookSource::parse(given).unwrap().without_url_encoding();
            assert_eq!(without.map(|name| name.to_string()).as_deref(), meant, "{given}");
        }
    }

    /// A request that was recorded by an older version is read, and still cannot leave its folder.
    #[test]
    fn what_was_recorded_is_read() {
        for old in ["s3:/b/x.ipynb", "s3://-a.-/x.ipynb", "~/x.ipynb", "a.ipynb"] {
            let read: NotebookSource = serde_json::from_value(old.into()).unwrap();
            assert_eq!(read.to_string(), old);
        }
        for hostile in ["../a.ipynb", "/etc/a.ipynb", "a/../../b.ipynb", ""] {
            assert!(serde_json::from_value::<NotebookSource>(hostile.into()).is_err(), "{hostile}");
        }
    }
}
