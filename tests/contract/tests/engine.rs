//! The engine's pins: everything that names them, or the archive of them, says the same.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use reveille_contract_tests::{read, template};
use reveille_domain::layout::Layout;

#[test]
fn the_instance_may_read_the_archive_that_its_runner_asks_for() {
    let layout = Layout { bucket: "${RunsBucket}".to_owned(), prefix: "${RunsPrefix}".to_owned() };
    let archive = format!("arn:${{AWS::Partition}}:s3:::${{RunsBucket}}/{}", layout.artifact("reveille-engine-*"));
    let policy = &template("infra/instance.yaml")["Resources"]["RunnerPolicy"]["Properties"]["PolicyDocument"];
    let readable = policy["Statement"].as_array().unwrap().iter().any(|statement| {
        let resources = statement["Resource"].as_array().map(Vec::as_slice).unwrap_or_default();
        statement["Action"] == "s3:GetObject" && resources.iter().any(|resource| resource["Fn::Sub"] == archive)
    });
    assert!(readable, "infra/instance.yaml allows s3:GetObject on {archive}");
    assert!(
        read("crates/notebook/wheelhouse.py").contains("NAME = \"reveille-engine-{fingerprint}-{abi}-{machine}.zip\"")
    );
}

/// The documents name versions for people; people act on them.
#[test]
fn the_documents_name_the_versions_that_are_supported() {
    let supported = read("crates/notebook/requirements.in");
    let supported: Vec<&str> = supported.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert_eq!(supported.len(), 3);
    for document in ["docs/deploy.md", "crates/notebook/README.md"] {
        let text = read(document);
        for specification in &supported {
            assert!(text.contains(specification), "{document} names {specification}");
        }
    }
}
