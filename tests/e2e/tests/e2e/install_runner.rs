//! The runner that travels inside the stack: what is wrong with a release fails its stack, with a reason, and leaves nothing half made.

use std::fs;

use reveille_e2e_tests::LocalAws;
use serde_json::Value;

use crate::Scenario;
use crate::release::{Shell, released};

pub const ALL: &[Scenario] =
    &[("install_runner::a_release_that_is_damaged_fails_and_the_runner_that_was_there_stays", |h, w| {
        h.block_on(installed(w));
    })];

const STACK: &str = "installed";
const PLACE: &str = "s3://install-artifacts/reveille/";

/// Deploys what is in `dist`; an error is what CloudFormation says of the resource.
async fn deploy(shell: &Shell<'_>) -> Result<(), String> {
    let command = format!(
        "aws cloudformation deploy --stack-name {STACK} --template-file dist/template.yaml --s3-bucket install-artifacts \
         --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND --parameter-overrides ArtifactsBucket=install-artifacts"
    );
    if shell.tried(&command).await.is_ok() {
        return Ok(());
    }
    let failed = "StackEvents[?LogicalResourceId=='InstalledRunner'&&ends_with(ResourceStatus,'_FAILED')].ResourceStatusReason | [0]";
    let events =
        format!("aws cloudformation describe-stack-events --stack-name {STACK} --query \"{failed}\" --output text");
    Err(shell.types(&events).await)
}

async fn status(shell: &Shell<'_>) -> String {
    let describe = format!("aws cloudformation describe-stacks --stack-name {STACK}");
    shell.types(&format!("{describe} --query 'Stacks[0].StackStatus' --output text")).await
}

/// The runner's file in the release.
fn runner(shell: &Shell<'_>) -> String {
    let names = fs::read_dir(shell.folder.join("dist")).unwrap().flatten().map(|entry| entry.file_name());
    let mut names = names.map(|name| name.into_string().unwrap());
    names.find(|name| name.starts_with("reveille-runner-")).expect("a release has a runner")
}

/// The buckets that the stack made.
async fn buckets(shell: &Shell<'_>) -> Vec<String> {
    let list = format!("aws s3api list-buckets --query \"Buckets[?starts_with(Name, '{STACK}-')].Name\" --output json");
    let names: Value = serde_json::from_str(&shell.types(&list).await).unwrap();
    names.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

async fn installed(world: &LocalAws) {
    let folder = tempfile::tempdir().unwrap();
    released(world, folder.path(), "0.1.1", "dist");
    let shell = Shell::new(world, folder.path(), STACK);
    shell.types("aws s3 mb s3://install-artifacts").await;
    shell.types(&format!("aws s3 cp dist/ {PLACE} --recursive")).await;
    let first = runner(&shell);

    shell.types(&format!("aws s3 cp dist/template.yaml {PLACE}{first}")).await;
    let wrong = deploy(&shell).await.unwrap_err();
    assert!(wrong.contains(&format!("{PLACE}{first} is not the file of this release: its SHA-256 is ")), "{wrong}");
    assert!(wrong.contains("Copy the release there, and deploy again: aws s3 cp dist/"), "{wrong}");
    fails_whole(&shell).await;

    shell.types(&format!("aws s3 cp dist/{first} {PLACE}{first}")).await;
    deploy(&shell).await.unwrap();
    let bucket = buckets(&shell).await.pop().expect("the stack's bucket");
    let counts = format!("aws s3 cp s3://{bucket}/runner.sha256 - | cat");
    let before = shell.types(&counts).await;
    assert!(before.ends_with(&format!("  {first}")), "{before}");

    put_back(world, &shell, &bucket, &first).await;
    assert_eq!(shell.types(&counts).await, before);

    released(world, folder.path(), "0.1.2", "dist");
    let second = runner(&shell);
    shell.types(&format!("aws s3 cp dist/ {PLACE} --recursive")).await;
    shell.types(&format!("aws s3 rm {PLACE}{second}")).await;
    // The old release is gone as well: going back to it asks for nothing but what is installed.
    shell.types(&format!("aws s3 rm {PLACE}{first}")).await;
    let missing = deploy(&shell).await.unwrap_err();
    assert!(missing.contains(&format!("There is no {PLACE}{second}, ")), "{missing}");
    assert_eq!(status(&shell).await, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(shell.types(&counts).await, before, "the old runner counts");

    shell.types(&format!("aws cloudformation delete-stack --stack-name {STACK}")).await;
    shell.types(&format!("aws cloudformation wait stack-delete-complete --stack-name {STACK}")).await;
    let left = shell.types(&format!("aws s3 ls s3://{bucket}/artifacts/")).await;
    assert!(left.contains(&first), "instances that are up may still look: {left}");
    assert_eq!(shell.types(&counts).await, before);
}

/// Somebody changed what instances start with. A deployment without a change leaves it so; the commands of the error's page put it back.
async fn put_back(world: &LocalAws, shell: &Shell<'_>, bucket: &str, runner: &str) {
    let record = format!("s3://{bucket}/runner.sha256");
    let file = format!("s3://{bucket}/artifacts/{runner}");
    for place in [&record, &file] {
        shell.types(&format!("echo evil | aws s3 cp - {place}")).await;
    }
    // The command refuses to deploy nothing, and no resource has failed.
    assert_eq!(deploy(shell).await, Err("None".to_owned()));
    assert_eq!(shell.types(&format!("aws s3 cp {record} - | cat")).await, "evil", "nothing calls the installer");
    let page = world.local().project().root().join("docs/errors/RunnerSilent.md");
    let page = fs::read_to_string(page).unwrap();
    let section = page.split("### To put the runner back\n").nth(1).expect("the section");
    let commands = section.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).expect("its commands");
    shell.types(&commands.replace("--stack-name reveille ", &format!("--stack-name {STACK} "))).await;
    let sum = shell.types(&format!("aws s3 cp {file} - | sha256sum | cut -d ' ' -f 1")).await;
    let says = shell.types(&format!("aws s3 cp {record} - | cat")).await;
    assert_eq!(says, format!("{sum}  {runner}"), "the script takes it, and it is the file");
}

/// Of a first creation that failed nothing is left, and it can be tried again.
async fn fails_whole(shell: &Shell<'_>) {
    assert_eq!(status(shell).await, "ROLLBACK_COMPLETE");
    assert_eq!(buckets(shell).await, Vec::<String>::new(), "an empty bucket goes");
    shell.types(&format!("aws cloudformation delete-stack --stack-name {STACK}")).await;
    shell.types(&format!("aws cloudformation wait stack-delete-complete --stack-name {STACK}")).await;
}
