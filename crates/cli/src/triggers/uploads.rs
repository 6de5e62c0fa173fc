//! What a rule on uploads takes, whoever made it, as far as its pattern tells without EventBridge.

use serde_json::Value;

use super::Watched;

/// What stands for files, and for names, that only EventBridge can tell.
pub(super) const OWN: &str = "(by a pattern of its own)";

/// The files of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Uploads {
    /// If the pattern says them by one bucket, one prefix and one suffix.
    watched: Option<Watched>,
    /// Whether the pattern says that alone, in the words of `add` and of the templates: then a key can be judged without EventBridge.
    is_exact: bool,
    /// The buckets that the pattern names.
    buckets: Vec<String>,
    /// Whether it may take files of other buckets too.
    takes_others: bool,
}

impl Uploads {
    /// `None`: the rule takes no upload, whatever file lands.
    pub(crate) fn read(pattern: &Value, input: &Value) -> Option<Self> {
        may_take_uploads(pattern).then(|| {
            let watched = Watched::read(pattern, input);
            let names = pattern.pointer("/detail/bucket/name").and_then(Value::as_array);
            Self {
                is_exact: watched.as_ref().is_some_and(|watched| watched.pattern() == *pattern),
                watched,
                buckets: names.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
                takes_others: names.is_none_or(|names| !names.iter().all(Value::is_string)),
            }
        })
    }

    /// As far as a bucket, a prefix and a suffix tell it.
    pub(crate) const fn watched(&self) -> Option<&Watched> {
        self.watched.as_ref()
    }

    /// Those that the pattern names.
    pub(crate) fn buckets(&self) -> &[String] {
        &self.buckets
    }

    /// Whether files of a bucket may be among them.
    pub(crate) fn may_be_in(&self, bucket: &str) -> bool {
        self.takes_others || self.buckets.iter().any(|named| named == bucket)
    }

    /// Why a file is not among them, where that is certain without EventBridge. Without a bucket, of the rule's own.
    pub(crate) fn why_not(&self, bucket: Option<&str>, key: &str) -> Option<String> {
        self.watched.as_ref().filter(|_| self.is_exact)?.why_not(bucket, key)
    }

    /// As people write it: `s3://in/orders/*.csv`.
    pub(crate) fn shown(&self) -> String {
        match (&self.watched, self.buckets.as_slice()) {
            (Some(watched), _) => watched.shown(),
            (None, []) => OWN.to_owned(),
            (None, buckets) => {
                let buckets: Vec<String> = buckets.iter().map(|bucket| format!("s3://{bucket}/")).collect();
                format!("{} {OWN}", buckets.join(", "))
            }
        }
    }

    /// A bucket and a key, for an example.
    pub(crate) fn example(&self) -> (String, String) {
        let some = |text: &str| text.to_owned();
        self.watched.as_ref().map_or_else(
            || (self.buckets.first().cloned().unwrap_or_else(|| some("bucket")), some("example")),
            |watched| (watched.bucket.clone(), watched.example()),
        )
    }
}

impl From<Watched> for Uploads {
    fn from(watched: Watched) -> Self {
        Self { buckets: vec![watched.bucket.clone()], takes_others: false, is_exact: true, watched: Some(watched) }
    }
}

/// Whether the source that a pattern asks for may be S3. Only EventBridge can tell for certain.
fn may_take_uploads(pattern: &Value) -> bool {
    let may_be = |field: &str, value: &str| {
        let values = pattern[field].as_array();
        values.is_some_and(|values| values.iter().any(|one| one.is_object() || *one == value))
    };
    if !pattern.is_object() {
        // One that fires by the clock has none.
        return false;
    }
    match pattern.get("source") {
        Some(_) => may_be("source", "aws.s3"),
        None => pattern.get("detail-type").is_none() || may_be("detail-type", "Object Created"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Uploads;

    fn on(bucket: &Value, key: &Value) -> Value {
        let mut pattern = json!({"source": ["aws.s3"], "detail-type": ["Object Created"]});
        pattern["detail"] = json!({"bucket": {"name": bucket}});
        if !key.is_null() {
            pattern["detail"]["object"] = json!({"key": key});
        }
        pattern
    }

    fn read(pattern: &Value) -> Uploads {
        Uploads::read(pattern, &Value::Null).unwrap()
    }

    #[test]
    fn rules_that_others_made_are_read_as_far_as_they_tell() {
        for (bucket, key, shown) in [
            (json!(["in"]), json!([{"wildcard": "a/*.csv"}]), "s3://in/a/*.csv"),
            (json!(["in"]), json!([{"prefix": "a"}]), "s3://in/a*"),
            (json!(["in"]), json!([{"suffix": ".csv"}]), "s3://in/*.csv"),
            (json!(["in"]), json!([{"suffix": "*"}]), "s3://in/**"),
            (json!(["in"]), json!(null), "s3://in/*"),
            (json!(["in"]), json!("nonsense"), "s3://in/ (by a pattern of its own)"),
            (json!(["in"]), json!([{"prefix": "a/"}, {"prefix": "b/"}]), "s3://in/ (by a pattern of its own)"),
            (json!(["in"]), json!([{"wildcard": "a/*/b/*.csv"}]), "s3://in/a/*/b/*.csv"),
            (json!(["in"]), json!([{"wildcard": "a.csv"}]), "s3://in/ (by a pattern of its own)"),
            (json!(["in"]), json!([{"wildcard": "a/\\**"}]), "s3://in/ (by a pattern of its own)"),
            (json!(["in"]), json!([{"anything-but": {"prefix": "a/"}}]), "s3://in/ (by a pattern of its own)"),
            (json!(["in"]), json!([{"suffix": {"equals-ignore-case": ".csv"}}]), "s3://in/ (by a pattern of its own)"),
            (json!(["in"]), json!(["a.csv"]), "s3://in/ (by a pattern of its own)"),
            (json!(["in-1", "in-2"]), json!([{"prefix": "a/"}]), "s3://in-1/, s3://in-2/ (by a pattern of its own)"),
            (json!([{"prefix": "data-"}]), json!([{"prefix": "a/"}]), "(by a pattern of its own)"),
        ] {
            assert_eq!(read(&on(&bucket, &key)).shown(), shown);
        }
        let any = read(&json!({"source": ["aws.s3"]}));
        assert_eq!((any.shown().as_str(), any.may_be_in("in")), ("(by a pattern of its own)", true));
        let some = |names: Value| read(&on(&names, &json!([{"prefix": "a/"}]))).may_be_in("in-3");
        assert!(some(json!(["in-1", {"prefix": "in-"}])) && !some(json!(["in-1", "in-2"])));
        let either = json!({"source": ["aws.s3"], "detail": {"$or": [{"bucket": {"name": ["in"]}}, {"reason": ["CopyObject"]}]}});
        assert_eq!(read(&either).shown(), "(by a pattern of its own)");
    }

    /// Of all others EventBridge is asked.
    #[test]
    fn a_key_is_judged_only_by_a_pattern_of_our_own() {
        let ours = on(&json!(["in"]), &json!([{"wildcard": "a/*.csv"}]));
        assert_eq!(read(&ours).why_not(Some("other"), "a/b.csv").unwrap(), "it watches the bucket in");
        assert_eq!(read(&ours).why_not(Some("in"), "b.csv").unwrap(), "the key does not begin with a/");
        assert_eq!(read(&ours).why_not(None, "a/b.txt").unwrap(), "the key does not end with .csv");
        assert_eq!(read(&ours).why_not(Some("in"), "a/b.csv"), None);
        let between = on(&json!(["in"]), &json!([{"wildcard": "a/*/b/*.csv"}]));
        assert_eq!(read(&between).why_not(Some("in"), "a/c.csv").unwrap(), "the key does not match a/*/b/*.csv");
        assert_eq!(read(&between).why_not(Some("in"), "a/1/b/c.csv"), None);
        let mut with_more = ours.clone();
        with_more["detail"]["reason"] = json!(["CopyObject"]);
        let mut without_type = ours;
        without_type.as_object_mut().unwrap().remove("detail-type");
        for pattern in [
            with_more,
            without_type,
            on(&json!(["in-1", "in-2"]), &json!([{"prefix": "a/"}])),
            on(&json!(["in"]), &json!([{"prefix": "a/"}, {"prefix": "b/"}])),
            on(&json!(["in"]), &json!([{"wildcard": "a/\\**"}])),
            json!({"account": ["111122223333"]}),
        ] {
            assert_eq!(read(&pattern).why_not(Some("elsewhere"), "x"), None, "{pattern}");
        }
    }

    /// One that starts our runs is listed, whatever its pattern asks for.
    #[test]
    fn a_rule_that_may_take_uploads_is_one() {
        for pattern in [
            json!({"source": ["aws.s3"]}),
            json!({"source": ["aws.ec2", "aws.s3"]}),
            json!({"source": [{"prefix": "aws."}]}),
            json!({"detail-type": ["Object Created"]}),
            json!({"account": ["111122223333"]}),
            json!({"$or": [{"source": ["aws.s3"]}, {"source": ["mine"]}]}),
        ] {
            assert!(Uploads::read(&pattern, &Value::Null).is_some(), "{pattern}");
        }
        for pattern in [
            Value::Null,
            json!({"source": ["reveille"]}),
            json!({"source": ["aws.sagemaker"], "account": ["111122223333"]}),
            json!({"detail-type": ["Notebook Run Status Change"]}),
        ] {
            assert!(Uploads::read(&pattern, &Value::Null).is_none(), "{pattern}");
        }
    }
}
