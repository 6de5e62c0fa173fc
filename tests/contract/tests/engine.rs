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
    for document in ["docs/instance.md", "crates/notebook/README.md"] {
        let text = read(document);
        for specification in &supported {
            assert!(text.contains(specification), "{document} names {specification}");
        }
    }
}

/// What a text must not hide in a message is written twice, in two languages.
#[test]
fn the_driver_drops_the_characters_that_the_domain_hides() {
    let source = read("crates/notebook/src/driver/reveille_driver/texts.py");
    let (_, after) = source.split_once("HIDDEN = re.compile(").unwrap();
    let (text, _) = after.split_once("\n)").unwrap();
    let class: String = text.split('"').skip(1).step_by(2).collect();
    let mut code_points = class.trim_matches(['[', ']']).split('\\').skip(1).map(|escape| {
        let escape = escape.trim_end();
        let (digits, width) = (
            &escape[1..],
            match &escape[..1] {
                "x" => 2,
                "u" => 4,
                _ => 8,
            },
        );
        (u32::from_str_radix(&digits[..width], 16).unwrap(), &digits[width..] == "-")
    });
    let mut dropped = Vec::new();
    while let Some((first, is_range)) = code_points.next() {
        let last = if is_range { code_points.next().unwrap().0 } else { first };
        dropped.extend(first..=last);
    }
    let kept = ['\n', '\t'];
    let hidden: Vec<u32> = ('\0'..=char::MAX)
        .filter(|character| reveille_domain::shown::is_hidden(*character) && !kept.contains(character))
        .map(u32::from)
        .collect();
    assert_eq!(dropped, hidden);
}
