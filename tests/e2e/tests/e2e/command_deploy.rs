//! The `reveille` command: a stack from a release, changed, and deleted; and deployments that fail.

use std::{fs, path::Path};

use reveille_e2e_tests::LocalAws;
use serde_json::{Value, json};

use crate::Scenario;
use crate::command::{answered, complained, ended, refused, reveille, said};
use crate::release::first_released;
use crate::stacks::{aws, deploy, typed};

pub const ALL: &[Scenario] = &[
    ("command_deploy::a_release_is_deployed_changed_and_deleted", |h, w| h.block_on(from_deploy_to_destroy(w))),
    ("command_deploy::a_first_deployment_that_fails_leaves_nothing", |h, w| h.block_on(failed(w))),
];

const BUCKET: &str = "command-artifacts";

/// A release in a folder, as an argument, and the words with which it is shown.
fn dist(world: &LocalAws, folder: &Path) -> (String, String) {
    let release = first_released(world, folder, "0.0.1");
    (folder.join("dist").display().to_string(), release)
}

async fn status(world: &LocalAws, stack: &str) -> Option<String> {
    let stacks = aws(world, "cloudformation list-stacks").await;
    let found = stacks["StackSummaries"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["StackName"] == stack && it["StackStatus"] != "DELETE_COMPLETE");
    found.map(|it| it["StackStatus"].as_str().unwrap().to_owned())
}

async fn change_sets(world: &LocalAws, stack: &str) -> usize {
    let sets = aws(world, &format!("cloudformation list-change-sets --stack-name {stack}")).await;
    let sets = sets["Summaries"].as_array().unwrap();
    sets.iter().filter(|set| set["ExecutionStatus"] == "AVAILABLE").count()
}

async fn from_deploy_to_destroy(world: &LocalAws) {
    let folder = tempfile::tempdir().unwrap();
    let (dist, release) = dist(world, folder.path());
    let stack = "command-deployed";
    let again = ["deploy", "--release", &dist, "--stack", stack];
    let first = [&again[..], &["--artifacts-bucket", BUCKET, "-p", "StartPollSeconds=1"]].concat();

    // Nothing is made before it can be: no bucket, a wrong parameter, nobody who answers.
    refused(world, &first, 2, "nobody can answer here, so nothing was changed").await;
    let yes = [&first[..], &["--yes"]].concat();
    refused(world, &yes, 5, "aws s3 mb s3://command-artifacts").await;
    aws(world, &format!("s3api create-bucket --bucket {BUCKET}")).await;
    refused(world, &[&yes[..], &["-p", "InstanceName=nightly"]].concat(), 2, "did you mean InstanceNames?").await;
    let wrong = [&yes[..], &["-p", "InstanceNames=Nightly"]].concat();
    refused(world, &wrong, 2, "InstanceNames=Nightly is refused: it must match").await;
    let incomplete = [&yes[..], &["-p", "ScheduleExpression=rate(1 hour)"]].concat();
    refused(world, &incomplete, 1, "ScheduleInstance is needed with ScheduleExpression").await;
    assert_eq!(status(world, stack).await, None);

    // Only shown, and taken back: no stack, no change set, no copy of the template.
    let shown = reveille(world, &[&first[..], &["--dry-run"]].concat()).await;
    ended(&shown, 0);
    let screen = said(&shown);
    let made_from = format!("The stack command-deployed in us-east-1 is made from release {release}:\n");
    assert!(screen.starts_with(&made_from), "{screen}");
    assert!(screen.contains("\n  StartPollSeconds  1\n"), "{screen}");
    let functions = screen.lines().find(|line| line.starts_with("add") && line.contains("Lambda::Function"));
    assert!(functions.is_some_and(|line| line.contains("AdmitRunFunction, ")), "{screen}");
    assert_eq!(status(world, stack).await, None);
    let there = aws(world, &format!("s3api list-objects-v2 --bucket {BUCKET}")).await;
    assert!(there.get("Contents").is_none(), "{there}");

    let made = reveille(world, &yes).await;
    ended(&made, 0);
    let screen = said(&made);
    assert!(screen.contains("CREATE_COMPLETE"), "{screen}");
    assert!(screen.contains("✓ command-deployed is CREATE_COMPLETE after "), "{screen}");
    assert!(screen.ends_with("Next: reveille attach INSTANCE --stack command-deployed\n"), "{screen}");
    assert!(screen.contains("\n  RunnerKey"), "the runner is installed: {screen}");
    let bucket = changed(world, &again, stack, &release).await;
    deleted(world, stack, &bucket).await;
}

/// What is not given is kept, what is given is shown, and what does not change changes nothing. Gives the runs bucket.
async fn changed(world: &LocalAws, deploy: &[&str], stack: &str, release: &str) -> String {
    let same = reveille(world, &[deploy, &["--yes"]].concat()).await;
    ended(&same, 0);
    let same = said(&same);
    assert!(same.contains(&format!("has release {release} already: nothing changes")), "{same}");

    let update = [deploy, &["--yes", "-p", "MaxWaitingRuns", "7"]].concat();
    let updated = reveille(world, &[&update[..], &["--output", "json"]].concat()).await;
    ended(&updated, 0);
    let answer: Value = serde_json::from_slice(&updated.stdout).unwrap();
    assert_eq!(answer["status"], "UPDATE_COMPLETE", "{answer}");
    assert_eq!(answer["parameters"], json!([{"name": "MaxWaitingRuns", "before": "1000", "after": "7"}]));
    let changes = answer["changes"].as_array().unwrap();
    assert!(changes.iter().any(|it| it["resource"] == "AwaitRunFunction" && it["change"] == "change"), "{answer}");
    let parameters =
        aws(world, &format!("cloudformation describe-stacks --stack-name {stack} --query Stacks[0].Parameters")).await;
    let value = |name: &str| {
        parameters.as_array().unwrap().iter().find(|it| it["ParameterKey"] == name).unwrap()["ParameterValue"].clone()
    };
    assert_eq!((value("StartPollSeconds"), value("MaxWaitingRuns")), ("1".into(), "7".into()));
    assert_eq!(change_sets(world, stack).await, 0);

    // A file that is not what the manifest says.
    let manifest = Path::new(deploy[2]).join("manifest.json");
    let functions = fs::read_dir(deploy[2])
        .unwrap()
        .flatten()
        .find(|it| it.file_name().to_string_lossy().starts_with("functions-"));
    let functions = functions.unwrap().path();
    let whole = fs::read(&functions).unwrap();
    fs::write(&functions, &whole[1..]).unwrap();
    refused(world, &update, 3, "the release is not whole: functions-").await;
    fs::write(&functions, whole).unwrap();
    fs::rename(&manifest, manifest.with_extension("away")).unwrap();
    refused(world, &update, 2, "is no release").await;
    // The same from the bucket.
    let from = format!("s3://{BUCKET}/reveille/");
    let same = reveille(world, &["deploy", "--release", &from, "--stack", stack, "--yes"]).await;
    ended(&same, 0);
    assert!(said(&same).contains("nothing changes"), "{}", said(&same));
    answer["outputs"]["RunsBucketName"].as_str().unwrap().to_owned()
}

async fn deleted(world: &LocalAws, stack: &str, bucket: &str) {
    deploy(world, "command-alarms", "alarms.yaml", &format!("Stack={stack}")).await;
    let destroy = ["destroy", "--stack", stack];
    refused(world, &destroy, 2, "nobody can answer here").await;
    let yes = [&destroy[..], &["--yes"]].concat();
    refused(world, &yes, 1, "aws cloudformation delete-stack --stack-name command-alarms").await;
    typed(world, "aws cloudformation delete-stack --stack-name command-alarms").await;
    typed(world, "aws cloudformation wait stack-delete-complete --stack-name command-alarms").await;
    refused(world, &["destroy", "--stack", "command-alarms", "--yes"], 5, "there is no stack command-alarms").await;

    let shown = reveille(world, &[&destroy[..], &["--dry-run"]].concat()).await;
    ended(&shown, 0);
    let screen = said(&shown);
    assert!(screen.contains(&format!("✓ The bucket {bucket} is kept")), "{screen}");
    let lines = |word: &str| screen.lines().filter(|line| line.starts_with(word)).collect::<Vec<_>>().join("\n");
    assert!(lines("keep").contains("RunsBucket") && lines("remove").contains("AdmitRunFunction"), "{screen}");
    let gone = reveille(world, &yes).await;
    ended(&gone, 0);
    let screen = said(&gone);
    assert!(screen.contains("✓ command-deployed is deleted after "), "{screen}");
    assert!(screen.contains(&format!("aws s3 rb s3://{bucket}")), "{screen}");
    assert_eq!(status(world, stack).await, None);
    aws(world, &format!("s3api head-bucket --bucket {bucket}")).await;
    ended(&reveille(world, &yes).await, 5);
}

async fn failed(world: &LocalAws) {
    let folder = tempfile::tempdir().unwrap();
    let (dist, _) = dist(world, folder.path());
    let (stack, bucket) = ("command-fails", "command-fails-artifacts");
    aws(world, &format!("s3api create-bucket --bucket {bucket}")).await;
    let deploy = ["deploy", "--release", &dist, "--stack", stack, "--artifacts-bucket", bucket, "--yes"];
    let failed = reveille(world, &[&deploy[..], &["-p", "ExistingRunsBucket=there-is-no-such-bucket"]].concat()).await;
    ended(&failed, 1);
    let sentence = complained(&failed);
    assert!(sentence.contains("the deployment failed. InstalledRunner ("), "{sentence}");
    assert!(sentence.contains("there-is-no-such-bucket"), "{sentence}");
    assert!(sentence.contains("The stack command-fails is ROLLBACK_COMPLETE"), "{sentence}");
    assert_eq!(status(world, stack).await.as_deref(), Some("ROLLBACK_COMPLETE"));
    refused(world, &[&deploy[..7], &["--dry-run"]].concat(), 1, "left by a first creation that failed").await;

    // With --yes what is left of it goes first.
    let made = reveille(world, &deploy).await;
    ended(&made, 0);
    assert_eq!(status(world, stack).await.as_deref(), Some("CREATE_COMPLETE"));
    // An update that fails is rolled back, and says so.
    let failed = reveille(world, &[&deploy[..], &["-p", "ExistingRunsBucket=there-is-no-such-bucket"]].concat()).await;
    ended(&failed, 1);
    assert!(
        complained(&failed).contains("The stack command-fails is UPDATE_ROLLBACK_COMPLETE: all is as it was before"),
        "{}",
        complained(&failed)
    );
    let answer = answered(world, &["destroy", "--stack", stack, "--yes"]).await;
    assert_eq!((&answer["stack"], &answer["runs"]), (&stack.into(), &serde_json::json!([])), "{answer}");
}
