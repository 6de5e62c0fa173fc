//! The places in S3 that the parameters of a run name, and whether a notebook that writes there would write files that a rule takes.

use serde_json::{Map, Value};

use super::Watched;

/// How programs write a place in S3.
const SCHEMES: [&str; 3] = ["s3://", "s3a://", "s3n://"];

/// The first parameter, with its text, that names a place among the files which are taken. `reads` are parameters of which a person says that
/// the notebook only reads there, and `started_by` is the file that the run is about.
pub(super) fn named<'a>(
    taken: &Watched,
    parameters: &'a Map<String, Value>,
    reads: &[String],
    started_by: (&str, &str),
) -> Option<(&'a str, &'a str)> {
    let mut all = Vec::new();
    for (name, value) in parameters {
        strings(name, value, &mut all);
    }
    // A notebook puts a bucket and a key together that it gets as two parameters.
    let has_bucket = all.iter().any(|(_, text)| *text == taken.bucket);
    all.into_iter().filter(|(name, _)| !reads.iter().any(|read| read == name)).find(|(_, text)| {
        let place = place(text).or_else(|| plain(text, taken, has_bucket));
        place.is_some_and(|place| place != started_by && is_among(taken, place))
    })
}

/// The bucket and the key of a URI or of an ARN.
fn place(text: &str) -> Option<(&str, &str)> {
    let of_uri = SCHEMES.iter().find_map(|scheme| {
        let (start, rest) = text.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    let of_arn = || text.strip_prefix("arn:")?.split_once(":s3:::").map(|(_, place)| place);
    let place = of_uri.or_else(of_arn)?;
    Some(place.split_once('/').unwrap_or((place, "")))
}

/// The bucket and the key of a text that has no scheme: `bucket/key`, or a key whose bucket is another parameter.
fn plain<'a>(text: &'a str, taken: &'a Watched, has_bucket: bool) -> Option<(&'a str, &'a str)> {
    let bucket = taken.bucket.as_str();
    if let Some(key) = text.strip_prefix(bucket).and_then(|rest| rest.strip_prefix('/')) {
        return Some((bucket, key));
    }
    let key = text.trim_start_matches('/');
    // Where every key is taken, every word would be one.
    let is_key = key.contains('/') || (!taken.suffix.is_empty() && key.ends_with(&taken.suffix));
    (has_bucket && is_key && !text.contains("://")).then_some((bucket, key))
}

/// Whether the place is a file that is taken, or a folder with such files.
fn is_among(taken: &Watched, (bucket, key): (&str, &str)) -> bool {
    if bucket != taken.bucket {
        return false;
    }
    // In a folder, and in a bucket, the notebook may give its files any ending. Many write a folder without its slash.
    let folder = if key.is_empty() || key.ends_with('/') { key.to_owned() } else { format!("{key}/") };
    taken.take(bucket, key) || (!is_file(key) && folder.starts_with(&taken.prefix))
}

/// Whether the last part of a key has an ending, as a file's name has it; a version such as `v1.2` has none.
fn is_file(key: &str) -> bool {
    let last = key.rsplit('/').next().unwrap_or_default();
    let ending = last.rsplit_once('.').filter(|(stem, _)| !stem.is_empty());
    ending.is_some_and(|(_, ending)| ending.contains(|sign: char| sign.is_ascii_alphabetic()))
}

/// Every text in a parameter, with the parameter's name.
fn strings<'a>(name: &'a str, value: &'a Value, found: &mut Vec<(&'a str, &'a str)>) {
    match value {
        Value::String(text) => found.push((name, text)),
        Value::Array(items) => items.iter().for_each(|item| strings(name, item, found)),
        Value::Object(fields) => fields.values().for_each(|field| strings(name, field, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::named;
    use crate::triggers::Watched;

    fn is_named(taken: (&str, &str, &str), parameters: &Value) -> bool {
        let taken = Watched::new(taken.0, taken.1, taken.2).unwrap();
        let key = taken.example();
        named(&taken, parameters.as_object().unwrap(), &[], (&taken.bucket, &key)).is_some()
    }

    /// Notebooks write f"{target}/x.csv".
    #[test]
    fn a_folder_is_one_without_its_slash_too() {
        for (target, is_among) in [
            ("s3://in-1/orders", true),
            ("s3://in-1/orders/done", true),
            ("s3://in-1/orders/.tmp", true),
            ("s3://in-1/orders/v1.2", true),
            ("s3a://in-1/orders/done", true),
            ("S3N://in-1/orders/done/", true),
            ("arn:aws:s3:::in-1/orders/done", true),
            ("in-1/orders/done", true),
            ("in-1/orders/out.csv", true),
            ("s3://in-1/orders/out.parquet", false),
            ("s3://in-1/orders.d", false),
            ("s3://in-1/done", false),
            ("s3://in-10/orders/done", false),
            ("in-10/orders/done", false),
            ("in-1", false),
            ("orders/done", false),
            ("https://in-1/orders/done", false),
            ("é", false),
        ] {
            assert_eq!(is_named(("in-1", "orders/", ".csv"), &json!({"target": target})), is_among, "{target}");
        }
    }

    #[test]
    fn a_bucket_and_a_key_may_be_two_parameters() {
        let with = |more: &str| json!({"bucket": "in-1", "key": "orders/example.csv", "to": more});
        for (more, is_among) in [
            ("orders/done", true),
            ("/orders/done/", true),
            ("orders/out.csv", true),
            ("orders/out.parquet", false),
            ("done/", false),
            ("full", false),
            ("s3://elsewhere/orders/", false),
        ] {
            assert_eq!(is_named(("in-1", "orders/", ".csv"), &with(more)), is_among, "{more}");
        }
        let everything = |more: &str| json!({"bucket": "in-1", "key": "example", "mode": more});
        assert!(is_named(("in-1", "", ""), &everything("done/")));
        assert!(!is_named(("in-1", "", ""), &everything("full")), "a word is no key");
    }
}
