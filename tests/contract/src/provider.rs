//! What AWS publishes of each type of resource, as cfn-lint brings it along: the schema of its properties, whether it takes tags, and
//! what CloudFormation's handlers call as whoever deploys.
//!
//! - Owns: reading that.
//! - Never: asks AWS.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::root;

/// Its folder in the project's own environment, whatever Python that has.
fn schemas() -> PathBuf {
    let libraries = root().join(".venv/lib");
    let pythons = std::fs::read_dir(&libraries).into_iter().flatten().flatten();
    let folders = pythons.map(|python| python.path().join("site-packages/cfnlint/data/schemas"));
    let found = folders.filter(|folder| folder.is_dir()).max();
    found.unwrap_or_else(|| panic!("no cfn-lint in {}: run `make setup`", libraries.display()))
}

/// What was read, by type: a schema is large.
static READ: Mutex<BTreeMap<String, &'static Value>> = Mutex::new(BTreeMap::new());

fn json(file: &Path) -> Value {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The schema of a type, as it is in us-east-1; `None` for a resource of one's own (`Custom::...`).
///
/// # Panics
/// AWS has no such type, or the tools are not installed.
#[must_use]
pub fn schema(kind: &str) -> Option<&'static Value> {
    if kind.starts_with("Custom::") {
        return None;
    }
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    let found = read.entry(kind.to_owned()).or_insert_with(|| {
        let folder = schemas();
        let all = json(&folder.join("providers/us-east-1.json"));
        let name = all[kind].as_str().unwrap_or_else(|| panic!("cfn-lint knows no {kind}"));
        // Some twenty, for as long as a test runs.
        Box::leak(Box::new(json(&folder.join(format!("resources/{name}.json")))))
    });
    Some(*found)
}

/// What CloudFormation calls to make, read, change and delete a resource of this type: `s3:CreateBucket`. What it calls to list all
/// of an account is left out, as a deployment does not.
#[must_use]
pub fn calls(schema: &Value) -> BTreeSet<String> {
    let handlers = ["create", "read", "update", "delete"].map(|handler| &schema["handlers"][handler]["permissions"]);
    let listed = handlers.into_iter().filter_map(Value::as_array).flatten();
    listed.map(|call| call.as_str().expect("a call is a text").to_owned()).collect()
}

/// The property that takes a resource's tags, if it takes any.
#[must_use]
pub fn tag_property(schema: &Value) -> Option<&str> {
    let tagging = &schema["tagging"];
    (tagging["taggable"] == true).then(|| tagging["tagProperty"].as_str()?.strip_prefix("/properties/")).flatten()
}
