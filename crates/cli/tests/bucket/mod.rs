//! A bucket that a test makes up: its objects, by their keys.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::BTreeSet;

/// What S3 answers a call on the stack's bucket; `None`: it is no such call.
pub fn answer(first: &str, objects: &[(String, String)]) -> Option<(u16, String)> {
    let path = first.strip_prefix("GET ")?.split_whitespace().next()?;
    if path.contains("list-type=2") {
        return Some((200, list(path, objects)));
    }
    let key = path.split('?').next()?.strip_prefix("/b/")?.replace("%2F", "/");
    let found = objects.iter().find(|(known, _)| *known == key);
    Some(
        found
            .map_or_else(|| (404, "<Error><Code>NoSuchKey</Code></Error>".to_owned()), |(_, body)| (200, body.clone())),
    )
}

/// Folders below a prefix, or the keys.
fn list(path: &str, objects: &[(String, String)]) -> String {
    let query = |name: &str| {
        let value = path.split(['?', '&']).find_map(|part| part.strip_prefix(&format!("{name}="))).unwrap_or_default();
        value.replace("%2F", "/")
    };
    let (prefix, after) = (query("prefix"), query("start-after"));
    let keys = objects.iter().map(|(key, _)| key).filter(|key| key.starts_with(&prefix) && **key > after);
    let folder = |key: &String| key[prefix.len()..].find('/').map(|end| key[..=prefix.len() + end].to_owned());
    let lines: BTreeSet<String> = if query("delimiter").is_empty() {
        keys.map(|key| {
            format!("<Contents><Key>{key}</Key><LastModified>2026-11-27T09:20:00Z</LastModified></Contents>")
        })
        .collect()
    } else {
        keys.filter_map(folder).map(|it| format!("<CommonPrefixes><Prefix>{it}</Prefix></CommonPrefixes>")).collect()
    };
    format!("<ListBucketResult>{}</ListBucketResult>", lines.into_iter().collect::<String>())
}
