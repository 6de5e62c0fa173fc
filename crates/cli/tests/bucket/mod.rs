//! A bucket that a test makes up: its objects, by their keys.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::BTreeSet;

/// What S3 answers a call on the stack's bucket; `None`: it is no such call.
pub fn answer(first: &str, objects: &[(String, String)]) -> Option<(u16, String)> {
    let path = first.strip_prefix("GET ")?.split_whitespace().next()?;
    let (place, query) = path.split_once('?').unwrap_or((path, ""));
    if query.contains("list-type=2") {
        return Some((200, list(query, objects.iter().map(|(key, _)| key.as_str()))));
    }
    let key = plain(place.strip_prefix("/b/")?);
    let found = objects.iter().find(|(known, _)| *known == key);
    Some(
        found
            .map_or_else(|| (404, "<Error><Code>NoSuchKey</Code></Error>".to_owned()), |(_, body)| (200, body.clone())),
    )
}

/// An answer to ListObjectsV2: the folders below a prefix, or the keys.
pub fn list<'a>(query: &str, keys: impl Iterator<Item = &'a str>) -> String {
    let field = |name: &str| {
        let value = query.split('&').find_map(|part| part.strip_prefix(&format!("{name}="))).unwrap_or_default();
        plain(value)
    };
    let (prefix, after) = (field("prefix"), field("start-after"));
    let keys = keys.filter(|key| key.starts_with(&prefix) && **key > *after);
    let folder = |key: &str| key[prefix.len()..].find('/').map(|end| key[..=prefix.len() + end].to_owned());
    let lines: BTreeSet<String> = if field("delimiter").is_empty() {
        keys.map(|key| {
            format!("<Contents><Key>{key}</Key><LastModified>2026-11-27T09:20:00Z</LastModified></Contents>")
        })
        .collect()
    } else {
        keys.filter_map(folder).map(|it| format!("<CommonPrefixes><Prefix>{it}</Prefix></CommonPrefixes>")).collect()
    };
    format!("<ListBucketResult>{}</ListBucketResult>", lines.into_iter().collect::<String>())
}

/// A key as a request has it, as it is.
pub fn plain(text: &str) -> String {
    text.replace("%2F", "/").replace("%20", " ")
}
