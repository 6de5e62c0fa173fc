//! `reveille instances` where a record in the stack's bucket is damaged, or gone.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod stub;

use reveille_domain::{InstanceName, RunId, records::Lease};
use serde_json::{Value, json};
use stub::{EMPTY, STACK, Stub, StubCall};

/// The instance `a` has a report that is damaged, `b` a request, `d` a lease, `e` the lease of another instance, and `c` none of these.
fn answer(call: &StubCall<'_>) -> (u16, String) {
    let path = call.first.split_whitespace().nth(1).unwrap();
    let instance = |name: &str| json!({"NotebookInstanceName": name, "NotebookInstanceArn": name, "NotebookInstanceStatus": "InService"});
    match call.action {
        "ListNotebookInstances" => {
            let all = ["a", "b", "c", "d", "e"].map(instance);
            (200, json!({"NotebookInstances": all}).to_string())
        }
        _ if path.contains("leases/d.json") => (200, "{".to_owned()),
        _ if path.contains("leases/") => {
            let mut lease = Lease::starting(&RunId::from_key("daily-1"), "n".to_owned(), None, chrono::Utc::now());
            lease.instance = path.contains("leases/e.json").then(|| InstanceName::parse("a").unwrap());
            (200, serde_json::to_string(&lease).unwrap())
        }
        _ if path.contains("/a/") && path.contains("report.json") => (200, "{".to_owned()),
        _ if path.contains("/b/") && path.contains("request.json") => (200, "nonsense".to_owned()),
        _ if path.contains(".json") => (404, "<Error><Code>NoSuchKey</Code></Error>".to_owned()),
        _ if call.first.starts_with("GET ") => (200, EMPTY.to_owned()),
        _ => (200, STACK.to_owned()),
    }
}

#[test]
fn one_damaged_record_hides_no_other_instance() {
    let stub = Stub::start(|call| Some(answer(call)));
    let output = stub.reveille(&["instances", "--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 5, "{listed:?}");
    for instance in &listed[3..] {
        let why = instance["why"].as_str().unwrap();
        assert!(why.starts_with("its lease cannot be read, so nobody stops it: reveille explain Internal"), "{why}");
    }
    for instance in &listed[..3] {
        assert!(
            instance["why"].as_str().unwrap().starts_with("Reveille cannot tell whether daily-1 uses it"),
            "{instance}"
        );
    }
    for damaged in ["report.json", "request.json"] {
        assert!(stub.asked("GET ").iter().any(|asked| asked.contains(damaged)), "{damaged} is read");
    }
}
