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

/// The profiles of whoever signs in by IAM Identity Center, in both of their forms, and of one that takes on a role from there.
const SSO: &str = "[profile legacy]\nsso_start_url = https://corp.test/start\nsso_region = eu-west-1\nsso_account_id = 1\nsso_role_name = R\n\
    [profile work]\nsso_session = corp\nsso_account_id = 1\nsso_role_name = R\n\
    [profile chained]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = work\n\
    [sso-session corp]\nsso_start_url = https://corp.test/start\nsso_region = eu-west-1\n\
    [profile orphan]\nsso_session = nowhere\nsso_account_id = 1\nsso_role_name = R\n\
    [profile program]\ncredential_process = sh -c 'echo no luck >&2; exit 3'\n";
/// Where the token of the session `corp` is: the SHA-1 of its name.
const TOKEN: &str = "ee0bfd2552fbd840c02cc48b6e823320543c450f.json";

/// Without a network: nothing is asked before a person is told to sign in.
#[test]
fn whoever_is_not_signed_in_is_told_how_to_sign_in() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join(".aws/sso/cache");
    fs::create_dir_all(&cache).unwrap();
    fs::write(folder.path().join(".aws/config"), SSO).unwrap();
    let complains = |profile: &str, by_variable: bool| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_reveille"));
        command.env_clear().env("HOME", folder.path()).env("PATH", std::env::var_os("PATH").unwrap());
        command.args(["runs", "--region", "eu-west-1"]).env("AWS_EC2_METADATA_DISABLED", "true");
        if by_variable {
            command.env("AWS_PROFILE", profile)
        } else {
            command.args(["--profile", profile])
        };
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(4), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        said
    };
    let sign_in = |profile: &str| {
        for by_variable in [true, false] {
            let said = complains(profile, by_variable);
            assert!(said.contains(&format!("the profile {profile} signs in by IAM Identity Center (SSO)")), "{said}");
            assert!(said.trim_end().ends_with(&format!("To sign in: aws sso login --profile {profile}")), "{said}");
        }
    };
    for profile in ["legacy", "work"] {
        sign_in(profile);
    }
    // The aws command signs in to no profile that has its credentials from another.
    assert!(complains("chained", true).trim_end().ends_with("To sign in: aws sso login --profile work"));
    let ended = r#"{"accessToken": "t", "expiresAt": "2020-01-01T00:00:00Z", "region": "eu-west-1", "startUrl": "https://corp.test/start"}"#;
    for token in [ended, "damaged", "{}"] {
        fs::write(cache.join(TOKEN), token).unwrap();
        sign_in("work");
    }
    assert!(complains("orphan", false).contains("sso-session named `nowhere`"));
    let program = complains("program", false);
    assert!(program.contains("the program that the profile program runs for its credentials"), "{program}");
    assert!(program.contains("no luck"), "{program}");
}

/// A program's credentials are used as any others.
#[test]
fn a_profile_may_run_a_program_for_its_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    let keys = r#"{"Version": 1, "AccessKeyId": "OFPROGRAM", "SecretAccessKey": "s"}"#;
    fs::write(folder.path().join("keys.json"), keys).unwrap();
    let program =
        format!("[profile program]\ncredential_process = cat {}\n", folder.path().join("keys.json").display());
    fs::write(&config, program).unwrap();
    let (signed, signatures) = mpsc::channel();
    let stub = Stub::start(move |call| {
        signed.send(call.authorization.to_owned()).unwrap();
        Some((200, if call.action == "ListExecutions" { r#"{"executions": []}"#.to_owned() } else { STACK.to_owned() }))
    });
    let mut command = stub.command(env!("CARGO_BIN_EXE_reveille"), &["runs", "--profile", "program"]);
    let output = command.env("AWS_CONFIG_FILE", &config).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(signatures.try_iter().all(|it| it.contains("Credential=OFPROGRAM/")));
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
