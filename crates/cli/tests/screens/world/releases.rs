//! A bucket with a release in it, from which a stack is deployed.

use serde_json::json;
use sha2::{Digest, Sha256};

use super::objects::{AskedObject, no_such_key};
use crate::stub::StubCall;

const BUCKET: &str = "acme-releases";
const FOLDER: &str = "reveille-0.3.0/";
const TEMPLATE: &str = include_str!("../../../../../infra/template.yaml");
/// Their bytes are never asked for.
const OTHERS: [&str; 2] = ["functions-0.3.0-x86_64-8c1f0a7d53b2.zip", "reveille-runner-0.3.0-x86_64-40d6e5b1c977"];

pub fn answer(call: &StubCall<'_>) -> Option<(u16, String)> {
    let asked = AskedObject::of(call)?;
    if asked.bucket != BUCKET {
        return None;
    }
    let Some(file) = asked.key.strip_prefix(FOLDER) else { return Some(no_such_key()) };
    Some(match file {
        "manifest.json" => (200, manifest()),
        "template.yaml" => (200, TEMPLATE.to_owned()),
        file if OTHERS.contains(&file) => (200, String::new()),
        _ => no_such_key(),
    })
}

fn manifest() -> String {
    let sum =
        |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let file = |name: &str, bytes: &[u8]| json!({"name": name, "bytes": bytes.len(), "sha256": sum(bytes)});
    let mut files = vec![file("template.yaml", TEMPLATE.as_bytes())];
    files.extend(OTHERS.map(|name| file(name, b"")));
    json!({"manifest": 1, "version": "0.3.0", "revision": "5f3c9d1e7a2b4c6d8e0f", "files": files}).to_string()
}
