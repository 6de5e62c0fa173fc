//! A client that we did not write: the `aws` command drives the service. It is looked for in
//! `REVEILLE_AWS_CLI` and on the path; without it there is nothing to test, and the test says so.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::{env, path::PathBuf, process::Output};

use reveille_instance_model::{FaultKind, InstanceFault, NotebookInstanceStatus};
use serde_json::Value;
use support::TestService;
use tokio::process::Command;

fn aws() -> Option<PathBuf> {
    if let Some(named) = env::var_os("REVEILLE_AWS_CLI") {
        return Some(named.into());
    }
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join("aws")).find(|file| file.is_file())
}

struct Cli<'a> {
    program: PathBuf,
    world: &'a TestService,
}

impl Cli<'_> {
    async fn call(&self, arguments: &[&str]) -> Output {
        let world = self.world;
        Command::new(&self.program)
            .args(["sagemaker", "--output", "json", "--endpoint-url", &world.service.endpoint()])
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", &world.directory)
            .env("AWS_ACCESS_KEY_ID", world.service.access_key().as_str())
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            // Version 1 of the command knows only this one.
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_PAGER", "")
            .env("AWS_MAX_ATTEMPTS", "1")
            .output()
            .await
            .unwrap()
    }

    async fn ok(&self, arguments: &[&str]) -> Value {
        let output = self.call(arguments).await;
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        if text.trim().is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
    }

    async fn refused(&self, arguments: &[&str]) -> String {
        let output = self.call(arguments).await;
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}

#[tokio::test]
async fn the_aws_command_drives_an_instance_through_its_life() {
    let Some(program) = aws() else {
        eprintln!("skipped: there is no aws command; set REVEILLE_AWS_CLI");
        return;
    };
    let world = TestService::new().await;
    let cli = Cli { program, world: &world };
    let hook = "Content=IyEvYmluL2Jhc2gKZWNobyBnb29kIG1vcm5pbmcK";
    let config = ["--notebook-instance-lifecycle-config-name", "wake"];
    let made = [["create-notebook-instance-lifecycle-config", "--on-start"].as_slice(), &[hook], &config].concat();
    let made = cli.ok(&made).await;
    assert!(made["NotebookInstanceLifecycleConfigArn"].as_str().unwrap().ends_with("/wake"));
    let name = ["--notebook-instance-name", "nightly"];
    let on = |verb| [[verb].as_slice(), &name].concat();
    let create = [
        on("create-notebook-instance").as_slice(),
        &["--instance-type", "ml.t3.medium", "--role-arn", "arn:aws:iam::000000000000:role/notebooks"],
        &["--lifecycle-config-name", "wake", "--tags", "Key=team,Value=a b"],
    ]
    .concat();
    cli.ok(&create).await;
    // The command's own waiter polls every 30 seconds; the state comes much sooner.
    world.reaches("nightly", NotebookInstanceStatus::InService).await;
    cli.ok(&[["wait", "notebook-instance-in-service"].as_slice(), &name].concat()).await;
    let view = cli.ok(&on("describe-notebook-instance")).await;
    assert_eq!(view["NotebookInstanceStatus"], "InService");
    assert_eq!(view["NotebookInstanceLifecycleConfigName"], "wake");
    // Version 1 of the command prints what it got, version 2 a date.
    let modified = &view["LastModifiedTime"];
    assert!(modified.is_f64() || modified.as_str().is_some_and(|date| date.starts_with("20")), "{view}");
    assert_eq!(world.log("nightly"), "good morning\n");
    let arn = view["NotebookInstanceArn"].as_str().unwrap();
    let tags = cli.ok(&["list-tags", "--resource-arn", arn]).await;
    assert_eq!(tags["Tags"][0]["Value"], "a b");

    let stuck = world.service.arm(InstanceFault::once(FaultKind::StuckStopping)).unwrap();
    cli.ok(&on("stop-notebook-instance")).await;
    let error = cli.refused(&on("start-notebook-instance")).await;
    let text = format!(
        "An error occurred (ValidationException) when calling the StartNotebookInstance operation: Status (Stopping) not in ([Stopped, Failed]). Unable to transition to (Pending) for Notebook Instance ({arn})."
    );
    assert!(error.contains(&text), "{error}");
    assert_eq!(world.service.clear_faults(Some(stuck)), 1);
    world.reaches("nightly", NotebookInstanceStatus::Stopped).await;
    let list = cli.ok(&["list-notebook-instances", "--status-equals", "Stopped"]).await;
    assert_eq!(list["NotebookInstances"].as_array().unwrap().len(), 1);
    cli.ok(&on("delete-notebook-instance")).await;
    cli.ok(&[["wait", "notebook-instance-deleted"].as_slice(), &name].concat()).await;
    let error = cli.refused(&on("describe-notebook-instance")).await;
    assert!(error.contains("RecordNotFound"), "{error}");
    let error = cli.refused(&["list-endpoints"]).await;
    assert!(error.contains("ListEndpoints"), "{error}");
    let calls = world.service.calls("nightly").unwrap();
    assert!(calls.log().all(|call| call.caller.starts_with("aws-cli/")));
    world.end().await;
}
