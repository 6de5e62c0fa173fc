//! `--profile` where the environment holds credentials too: the profile is the one that a person named.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod stub;

use std::{fs, sync::mpsc};

use stub::{STACK, Stub};

#[test]
fn a_profile_that_is_named_comes_before_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials");
    fs::write(&file, "[work]\naws_access_key_id = OFWORK\naws_secret_access_key = s\n[empty]\n").unwrap();
    let (signed, signatures) = mpsc::channel();
    let stub = Stub::start(move |call| {
        signed.send(call.authorization.to_owned()).unwrap();
        Some((200, if call.action == "ListExecutions" { r#"{"executions": []}"#.to_owned() } else { STACK.to_owned() }))
    });
    let runs = |arguments: &[&str]| {
        let mut command = stub.command(env!("CARGO_BIN_EXE_reveille"), &[&["runs"], arguments].concat());
        command.env("AWS_SHARED_CREDENTIALS_FILE", &file).env("AWS_CONFIG_FILE", folder.path().join("none"));
        command.output().unwrap()
    };
    for profile in ["nosuch", "empty"] {
        let output = runs(&["--profile", profile]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(4), "{said}");
        assert!(said.contains(&format!("the profile {profile} has no AWS credentials, or does not exist")), "{said}");
    }
    assert_eq!(signatures.try_iter().count(), 0, "nothing was asked as somebody else");
    for (arguments, key) in [(&["--profile", "work"][..], "OFWORK"), (&[], "a")] {
        assert_eq!(runs(arguments).status.code(), Some(0));
        let signatures: Vec<String> = signatures.try_iter().collect();
        assert!(signatures.len() >= 2, "the stack and its executions: {signatures:?}");
        assert!(signatures.iter().all(|it| it.contains(&format!("Credential={key}/"))), "{signatures:?}");
    }
}

#[test]
fn what_is_no_error_code_is_told_also_where_aws_cannot_be_asked() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_reveille"));
    command.args(["explain", "NotebookFaild"]).env_clear().env("HOME", folder.path());
    let output = command.env("AWS_EC2_METADATA_DISABLED", "true").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("NotebookFaild is not an error code (to list them: reveille explain)"), "{said}");
    assert!(said.contains("no region is set"), "{said}");
}
