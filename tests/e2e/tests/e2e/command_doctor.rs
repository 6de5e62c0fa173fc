//! `reveille doctor`: nothing is found where all is in order, and each fault is found where one thing is broken at a time.

use std::process::{Output, Stdio};

use aws_sdk_sagemaker::types::NotebookInstanceLifecycleHook;
use aws_smithy_types::base64;
use reveille_e2e_tests::{LocalAws, Notebook};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::Scenario;
use crate::command::{complained, ended, reveille, said};
use crate::stacks::aws;

pub const ALL: &[Scenario] = &[
    // One after the other: both look at the one bucket of the stack.
    ("command_doctor::a_stack_in_order_has_no_findings_and_a_broken_one_has", |h, w| {
        h.block_on(in_order(w));
        h.block_on(stack_broken(w));
        h.block_on(roles_broken(w));
    }),
    ("command_doctor::what_is_wrong_with_an_instance_is_found", |h, w| h.block_on(instance_broken(w))),
    ("command_doctor::what_is_wrong_with_a_trigger_is_found", |h, w| h.block_on(trigger_broken(w))),
];

/// What doctor found, and its exit code.
pub async fn doctor(world: &LocalAws, arguments: &[&str]) -> (Vec<Value>, i32) {
    let output = reveille(world, &[&["doctor", "--output", "json"], arguments].concat()).await;
    read(&output)
}

/// The same with variables of one's own.
pub async fn doctor_with(world: &LocalAws, arguments: &[&str], variables: &[(&str, &str)]) -> (Vec<Value>, i32) {
    let mut command = Command::new(world.local().project().binary("reveille"));
    command.args(["doctor", "--output", "json"]).args(arguments).envs(world.local().environment());
    command.envs(variables.iter().copied()).stdin(Stdio::null()).kill_on_drop(true);
    read(&command.output().await.expect("the command is built with the workspace"))
}

fn read(output: &Output) -> (Vec<Value>, i32) {
    let findings = serde_json::from_slice(&output.stdout);
    let findings = findings.unwrap_or_else(|_| panic!("no JSON: {}{}", said(output), complained(output)));
    (findings, output.status.code().unwrap())
}

/// Those about one thing.
fn about<'a>(findings: &'a [Value], name: &str) -> Vec<&'a Value> {
    findings.iter().filter(|finding| finding["about"] == name).collect()
}

/// Asserts that a check about a thing ended so, and that its sentence or its cure says this.
#[track_caller]
pub fn found(findings: &[Value], name: Option<&str>, check: &str, verdict: &str, said: &str) {
    let its = |finding: &&Value| finding["about"].as_str() == name && finding["check"] == check;
    let [one] = findings.iter().filter(its).collect::<Vec<_>>()[..] else { panic!("{check}: {findings:#?}") };
    let words = format!("{} {}", one["what"].as_str().unwrap(), one["cure"].as_str().unwrap_or_default());
    assert!(one["verdict"] == verdict && words.contains(said), "{check} {verdict} {said:?}: {one:#}");
}

async fn in_order(world: &LocalAws) {
    const ON: &str = "doctor-well";
    const RULE: &str = "doctor-well-rule";
    let notebook = Notebook::of(&["print(source)"]).with_parameters("source = None");
    world.instance_with(ON, &notebook).await;
    let bucket = world.local().trigger_bucket();
    let add = ["on-upload", "add", "run.ipynb", "--on", ON, "--bucket", bucket, "--name", RULE, "--prefix", "well/"];
    ended(&reveille(world, &[&add[..], &["-p", "source", "s3://{{ bucket }}/{{ key }}"]].concat()).await, 0);
    ended(&reveille(world, &["run", "run.ipynb", "--on", ON, "-p", "source", "a"]).await, 0);

    let (findings, _) = doctor(world, &[ON]).await;
    // Other scenarios have triggers and messages of their own.
    let mine = |finding: &&Value| match finding["about"].as_str() {
        Some(name) => [ON, RULE].contains(&name),
        None => !["undelivered", "sweepFailures", "triggers"].contains(&finding["check"].as_str().unwrap()),
    };
    let mine: Vec<&Value> = findings.iter().filter(mine).collect();
    let bad: Vec<&&Value> = mine.iter().filter(|finding| finding["verdict"] != "ok").collect();
    assert!(bad.is_empty(), "{bad:#?}");
    for check in [
        "credentials",
        "clock",
        "stackStatus",
        "stackParts",
        "definition",
        "permissions",
        "sweeperRules",
        "sweeper",
        "bucket",
    ] {
        assert!(mine.iter().any(|finding| finding["check"] == check), "{check}: {mine:#?}");
    }
    for check in [
        "onStartScript",
        "scriptStack",
        "runner",
        "runnerVersion",
        "instancePermissions",
        "platform",
        "lease",
        "network",
    ] {
        found(&findings, Some(ON), check, "ok", "");
    }
    for check in ["triggerState", "triggerTarget", "triggerInput", "triggerInstance", "triggerLoop", "triggerBucket"] {
        found(&findings, Some(RULE), check, "ok", "");
    }
    // Without a name, the instances of triggers and runs are looked at.
    let (all, _) = doctor(world, &[]).await;
    found(&all, Some(ON), "instance", "ok", "Stopped");
    let screen = said(&reveille(world, &["doctor", ON]).await);
    assert!(screen.contains(&format!("ok          {ON}: its on-start script is this version's\n")), "{screen}");
    ended(&reveille(world, &["on-upload", "remove", RULE]).await, 0);
}

/// Gives an instance another on-start script, made of the one that it should have.
async fn script(world: &LocalAws, instance: &str, name: &str, change: impl Fn(&str) -> String) {
    let sagemaker = &world.local().clients().sagemaker;
    let ours = sagemaker.describe_notebook_instance_lifecycle_config();
    let ours = ours.notebook_instance_lifecycle_config_name("reveille").send().await.unwrap();
    let content = base64::decode(ours.on_start()[0].content().unwrap()).unwrap();
    let changed = base64::encode(change(&String::from_utf8(content).unwrap()));
    let hook = NotebookInstanceLifecycleHook::builder().content(changed).build();
    let made = sagemaker.create_notebook_instance_lifecycle_config();
    made.notebook_instance_lifecycle_config_name(name).on_start(hook).send().await.unwrap();
    let update = sagemaker.update_notebook_instance().notebook_instance_name(instance);
    update.lifecycle_config_name(name).send().await.unwrap();
    world.until_status(instance, "Stopped").await;
}

async fn instance_broken(world: &LocalAws) {
    const ON: &str = "doctor-ill";
    world.instance_with(ON, &Notebook::of(&["1"])).await;
    let look = async || doctor(world, &[ON]).await;
    let ill = async |check: &str, verdict: &str, said: &str| {
        let (findings, code) = look().await;
        found(&findings, Some(ON), check, verdict, said);
        if verdict == "fail" {
            assert_eq!(code, 3, "{findings:#?}");
        }
    };
    ended(&reveille(world, &["run", "run.ipynb", "--on", ON, "--kernel", "julia"]).await, 10);
    ill("kernel", "fail", "kernel julia").await;
    ill("papermill", "ok", "").await;
    ended(&reveille(world, &["run", "run.ipynb", "--on", ON]).await, 0);
    ill("kernel", "ok", "no notebook lacked").await;
    script(world, ON, "doctor-foreign", |_| "#!/bin/bash\ntrue\n".to_owned()).await;
    ill("onStartScript", "fail", "is not Reveille's").await;
    script(world, ON, "doctor-windows", |ours| ours.replace('\n', "\r\n")).await;
    ill("onStartScript", "fail", "CRLF").await;
    script(world, ON, "doctor-older", |ours| ours.replace("FETCH_TRIES=3", "FETCH_TRIES=2")).await;
    ill("onStartScript", "warn", "docs/deploy.md").await;
    // Base64 takes four characters for three.
    let long = |ours: &str| {
        let comment = "#".repeat((16_384 / 4 * 3 - 60_usize).saturating_sub(ours.len()));
        ours.replacen("set -u\n", &format!("{comment}\nset -u\n"), 1)
    };
    script(world, ON, "doctor-long", long).await;
    ill("scriptSize", "warn", "OnStartCommands").await;
    script(world, ON, "doctor-elsewhere", |ours| ours.replace("REVEILLE_BUCKET='", "REVEILLE_BUCKET='other-")).await;
    ill("scriptStack", "fail", "RunsBucket=").await;
    let pinned = |ours: &str, key: &str| {
        let with_key = ours.replace("RUNNER_KEY=''", &format!("RUNNER_KEY='{key}'"));
        with_key.replace("RUNNER_SHA256=''", &format!("RUNNER_SHA256='{}'", "0".repeat(64)))
    };
    script(world, ON, "doctor-no-runner", |ours| pinned(ours, "artifacts/none")).await;
    ill("runner", "fail", "artifacts/none is not there").await;
    script(world, ON, "doctor-checksum", |ours| pinned(ours, &world.local().outputs()["RunnerKey"])).await;
    ill("runner", "fail", "find out who wrote that object").await;
    // A role that somebody made by hand, and forgot to give the runner's policy.
    let trust = r#"{"Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}]}"#;
    let made =
        aws(world, &format!("iam create-role --role-name doctor-bare --assume-role-policy-document '{trust}'")).await;
    let role = made["Role"]["Arn"].as_str().unwrap();
    let update = world.local().clients().sagemaker.update_notebook_instance().notebook_instance_name(ON);
    update.role_arn(role).send().await.unwrap();
    world.until_status(ON, "Stopped").await;
    ill("instancePermissions", "fail", "may not s3:GetObject on arn:aws:s3:::").await;
    ill("instancePermissions", "fail", "attach the policy of infra/instance.yaml").await;

    let sagemaker = &world.local().clients().sagemaker;
    let detach = sagemaker.update_notebook_instance().notebook_instance_name(ON).disassociate_lifecycle_config(true);
    detach.send().await.unwrap();
    world.until_status(ON, "Stopped").await;
    ill("lifecycleConfiguration", "fail", "LifecycleConfigMissing").await;

    // A record that nobody can read.
    let lease = format!("{}leases/{ON}.json", world.local().prefix());
    world.put_object(world.local().bucket(), &lease, b"{").await;
    ill("lease", "fail", "aws s3 rm s3://").await;
    let delete = world.local().clients().s3.delete_object().bucket(world.local().bucket()).key(&lease);
    delete.send().await.unwrap();
    ill("lease", "ok", "").await;

    let (findings, code) = doctor(world, &["doctor-nowhere"]).await;
    assert_eq!(code, 3);
    found(&findings, Some("doctor-nowhere"), "instance", "fail", "reveille instances");
    assert_eq!(about(&findings, "doctor-nowhere").len(), 1, "nothing else is said of what is not there");
}

/// The role of the function that copies the runner: it is called when a stack is deployed, and nobody deploys this one meanwhile.
async fn roles_broken(world: &LocalAws) {
    const POLICY: &str = "InstallRunnerFunctionRolePolicy0";
    let role = aws(
        world,
        "cloudformation describe-stack-resource --stack-name reveille --logical-resource-id InstallRunnerFunctionRole",
    )
    .await["StackResourceDetail"]["PhysicalResourceId"]
        .as_str()
        .unwrap()
        .to_owned();
    let permissions = async || {
        let (findings, _) = doctor(world, &["doctor-nowhere"]).await;
        findings.into_iter().filter(|it| it["check"] == "permissions" && it["verdict"] != "ok").collect::<Vec<_>>()
    };
    let ill = async |said: &[&str]| {
        let findings = permissions().await;
        for said in said.iter().chain([&role.as_str()]) {
            found(&findings, None, "permissions", "fail", said);
        }
    };
    assert_eq!(permissions().await, Vec::<Value>::new());

    let boundary = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "NotAction": "s3:PutObject", "Resource": "*"}]}"#;
    let made =
        aws(world, &format!("iam create-policy --policy-name doctor-boundary --policy-document '{boundary}'")).await;
    let boundary = made["Policy"]["Arn"].as_str().unwrap();
    aws(world, &format!("iam put-role-permissions-boundary --role-name {role} --permissions-boundary {boundary}"))
        .await;
    ill(&[
        "may not s3:PutObject on arn:aws:s3:::",
        "artifacts/reveille-runner",
        "permissions boundary",
        "iam get-role",
    ])
    .await;
    let screen = said(&reveille(world, &["doctor", "doctor-nowhere"]).await);
    assert!(screen.contains(&format!("fail        the role {role} (of the function")), "{screen}");
    aws(world, &format!("iam delete-role-permissions-boundary --role-name {role}")).await;
    assert_eq!(permissions().await, Vec::<Value>::new());

    // Somebody empties its policy.
    let named = format!("--role-name {role} --policy-name {POLICY}");
    let policy = aws(world, &format!("iam get-role-policy {named}")).await["PolicyDocument"].clone();
    let nothing =
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]});
    aws(world, &format!("iam put-role-policy {named} --policy-document '{nothing}'")).await;
    ill(&["s3:PutObject", "s3:ListBucket", "None of the role's policies allows it", "docs/iam.md"]).await;
    aws(world, &format!("iam put-role-policy {named} --policy-document '{policy}'")).await;
    assert_eq!(permissions().await, Vec::<Value>::new());
}

async fn trigger_broken(world: &LocalAws) {
    const ON: &str = "doctor-trigger";
    const RULE: &str = "doctor-rule";
    world.instance(ON).await;
    let bucket = "doctor-in";
    aws(world, &format!("s3api create-bucket --bucket {bucket}")).await;
    let add = ["on-upload", "add", "run.ipynb", "--on", ON, "--bucket", bucket, "--name", RULE, "--fix-bucket"];
    ended(&reveille(world, &add).await, 0);
    let ill = async |check: &str, verdict: &str, said: &str| {
        let (findings, _) = doctor(world, &[ON]).await;
        found(&findings, Some(RULE), check, verdict, said);
    };
    ended(&reveille(world, &["on-upload", "pause", RULE]).await, 0);
    ill("triggerState", "warn", "reveille on-upload resume doctor-rule").await;
    ended(&reveille(world, &["on-upload", "resume", RULE]).await, 0);
    let none = "--notification-configuration '{}'";
    aws(world, &format!("s3api put-bucket-notification-configuration --bucket {bucket} {none}")).await;
    ill("triggerBucket", "fail", "does not send its events").await;
    // Somebody makes the target by hand.
    let machine = world.local().state_machine();
    let role = aws(world, &format!("events list-targets-by-rule --rule {RULE}")).await["Targets"][0]["RoleArn"].clone();
    let mut target = json!([{"Id": "NotebookRun", "Arn": machine, "RoleArn": role, "Input": json!({"instance": "doctor-gone", "notebook": "run.txt"}).to_string()}]);
    aws(world, &format!("events put-targets --rule {RULE} --targets '{target}'")).await;
    ill("triggerTarget", "warn", "is lost").await;
    ill("triggerInput", "fail", ".ipynb").await;
    ill("triggerInstance", "fail", "doctor-gone does not exist").await;
    target[0].as_object_mut().unwrap().remove("Input");
    aws(world, &format!("events put-targets --rule {RULE} --targets '{target}'")).await;
    ill("triggerInput", "fail", "InvalidRequest").await;
    ended(&reveille(world, &["on-upload", "remove", RULE]).await, 0);
}

async fn stack_broken(world: &LocalAws) {
    let ill = async |check: &str, verdict: &str, said: &str| {
        let (findings, _) = doctor(world, &["doctor-nowhere"]).await;
        found(&findings, None, check, verdict, said);
    };
    let runs = world.local().bucket();
    aws(world, &format!("s3api put-bucket-versioning --bucket {runs} --versioning-configuration Status=Suspended"))
        .await;
    ill("bucketVersions", "warn", "put-bucket-versioning").await;
    aws(world, &format!("s3api put-bucket-versioning --bucket {runs} --versioning-configuration Status=Enabled")).await;
    ill("bucketVersions", "ok", "").await;
    aws(world, &format!("s3api delete-public-access-block --bucket {runs}")).await;
    ill("bucketPublic", "warn", "put-public-access-block").await;
    let all = "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true";
    let block = "--public-access-block-configuration";
    aws(world, &format!("s3api put-public-access-block --bucket {runs} {block} {all}")).await;
    ill("bucketPublic", "ok", "").await;

    let (findings, code) = doctor(world, &["--stack", "no-such-stack"]).await;
    assert_eq!(code, 3);
    found(&findings, None, "stack", "fail", "list-stacks");
    let (findings, code) = doctor_with(world, &[], &[("AWS_ACCESS_KEY_ID", "somebody-elses")]).await;
    assert_eq!(code, 4);
    found(&findings, None, "credentials", "fail", "sign in again");
}
