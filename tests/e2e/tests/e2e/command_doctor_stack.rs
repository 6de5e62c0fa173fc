//! `reveille doctor` on a stack of its own, where faults are planted that other scenarios would trip over. docs/testing.md says which faults of
//! AWS are imitated here, and how.

use std::{collections::BTreeMap, path::Path};

use chrono::{TimeDelta, Utc};
use reveille_e2e_tests::LocalAws;
use serde_json::{Value, json};

use crate::Scenario;
use crate::command::{ended, reveille};
use crate::command_doctor::{doctor, doctor_with, found};
use crate::release::released;
use crate::stacks::{aws, outputs_of, queue, typed};

pub const ALL: &[Scenario] =
    &[("command_doctor_stack::what_is_wrong_with_a_stack_is_found", |h, w| h.block_on(own_stack(w)))];

const STACK: &str = "doctored";
/// Its name does not fit the stack's `InstanceNames`.
const ON: &str = "undoctored";
const BUCKET: &str = "doctored-runs";

/// The stack, and what it gives.
struct Doctored<'a> {
    world: &'a LocalAws,
    outputs: BTreeMap<String, String>,
}

impl Doctored<'_> {
    async fn look(&self) -> Vec<Value> {
        doctor(self.world, &[ON, "--stack", STACK]).await.0
    }

    async fn look_with(&self, environment: &[(&str, &str)]) -> Vec<Value> {
        doctor_with(self.world, &["--stack", STACK], environment).await.0
    }

    /// The name that CloudFormation gave to a part.
    async fn part(&self, logical: &str) -> String {
        let describe = format!("cloudformation describe-stack-resource --stack-name {STACK} --logical-resource-id");
        let query = "--query StackResourceDetail.PhysicalResourceId";
        aws(self.world, &format!("{describe} {logical} {query}")).await.as_str().unwrap().to_owned()
    }
}

async fn own_stack(world: &LocalAws) {
    let folder = tempfile::tempdir().unwrap();
    released(world, folder.path(), "0.0.1", "dist");
    let dist = folder.path().join("dist").display().to_string();
    for bucket in [BUCKET, "doctored-artifacts"] {
        aws(world, &format!("s3api create-bucket --bucket {bucket}")).await;
    }
    // Unlike the aws command's, it does not look every 30 s only.
    let deploy = ["deploy", "--release", &dist, "--stack", STACK, "--artifacts-bucket", "doctored-artifacts", "--yes"];
    let adopted = format!("ExistingRunsBucket={BUCKET}");
    let parameters = ["-p", &adopted, "-p", "PublishProgress=true", "-p", "InstanceNames=doctored-*"];
    ended(&reveille(world, &[&deploy[..], &parameters].concat()).await, 0);
    world.local().create_instance_in_subnet(ON, "subnet-1", "").await.expect("the instance is created");
    let doctored = Doctored { world, outputs: outputs_of(world, STACK).await };

    bucket_without_events(&doctored).await;
    stack_and_its_background(&doctored, folder.path()).await;
    triggers(&doctored).await;
    let findings = doctored.look().await;
    found(&findings, Some(ON), "instanceName", "fail", "InstanceNames is doctored-*");
    found(&findings, Some(ON), "network", "warn", "docs/instance.md");
    found(&findings, Some(ON), "startPermissions", "warn", "InstancesInVpc=true");
    where_one_is(&doctored, folder.path()).await;

    let failed = reveille(world, &[&deploy[..], &["-p", "ExistingRunsBucket=there-is-no-such-bucket"]].concat()).await;
    ended(&failed, 1);
    found(&doctored.look().await, None, "stackStatus", "warn", "describe-stack-events");
    let machine = &doctored.outputs["StateMachineArn"];
    aws(world, &format!("stepfunctions delete-state-machine --state-machine-arn {machine}")).await;
    typed(world, &format!("aws s3 rb --force s3://{BUCKET}")).await;
    let findings = doctored.look().await;
    found(&findings, None, "stateMachine", "fail", "so no run can start");
    found(&findings, None, "bucket", "fail", "does not exist any more");
    typed(world, &format!("aws cloudformation delete-stack --stack-name {STACK}")).await;
}

/// A bucket that was there before the stack, which turns nothing on there. The cure keeps what the bucket tells others.
async fn bucket_without_events(stack: &Doctored<'_>) {
    let world = stack.world;
    let theirs = queue(world, "doctored-theirs").await;
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage", "Resource": theirs.arn}]});
    let policy = json!({"Policy": policy.to_string()});
    aws(world, &format!("sqs set-queue-attributes --queue-url {} --attributes '{policy}'", theirs.url)).await;
    let told =
        json!({"QueueConfigurations": [{"Id": "theirs", "QueueArn": theirs.arn, "Events": ["s3:ObjectCreated:*"]}]});
    let put = format!("s3api put-bucket-notification-configuration --bucket {BUCKET} --notification-configuration");
    let get = format!("s3api get-bucket-notification-configuration --bucket {BUCKET}");
    for before in [json!({}), told] {
        aws(world, &format!("{put} '{before}'")).await;
        let before = aws(world, &get).await;
        let findings = stack.look().await;
        found(&findings, None, "bucketEvents", "fail", "it is yours (ExistingRunsBucket)");
        let finding = findings.iter().find(|finding| finding["check"] == "bucketEvents").unwrap();
        typed(world, finding["cure"].as_str().unwrap()).await;
        let after = aws(world, &get).await;
        assert!(after.get("EventBridgeConfiguration").is_some(), "{after}");
        assert_eq!(after["QueueConfigurations"], before["QueueConfigurations"]);
        found(&stack.look().await, None, "bucketEvents", "ok", "QUEUED and RUNNING");
    }
}

async fn stack_and_its_background(stack: &Doctored<'_>, folder: &Path) {
    let world = stack.world;
    let findings = stack.look().await;
    for check in ["definition", "sweepFailures", "undeliveredNotifications", "undelivered"] {
        found(&findings, None, check, "ok", "");
    }
    let timer = stack.part("SweepFunctionTimer").await;
    aws(world, &format!("events disable-rule --name {timer}")).await;
    for (rule, said) in [
        ("NotifyRule", "nobody is told when runs end"),
        ("PublishProgressFunctionRecordCreated", "no QUEUED and RUNNING events are published"),
    ] {
        let name = stack.part(rule).await;
        let targets = aws(world, &format!("events list-targets-by-rule --rule {name} --query Targets[].Id")).await;
        let id = targets[0].as_str().expect("a target");
        aws(world, &format!("events remove-targets --rule {name} --ids {id}")).await;
        let its: Vec<Value> = stack.look().await;
        let its: Vec<Value> = its.into_iter().filter(|it| it["what"].as_str().unwrap().contains(rule)).collect();
        found(&its, None, "notifyRule", "fail", said);
    }
    for queue in ["SweepFailuresUrl", "UndeliveredNotificationsUrl", "UndeliveredEventsUrl"] {
        let url = &stack.outputs[queue];
        aws(world, &format!("sqs send-message --queue-url {url} --message-body '{{}}'")).await;
    }
    let machine = &stack.outputs["StateMachineArn"];
    let describe = format!("stepfunctions describe-state-machine --state-machine-arn {machine} --query definition");
    let mut definition: Value = serde_json::from_str(aws(world, &describe).await.as_str().unwrap()).unwrap();
    definition["Comment"] = "somebody changed it".into();
    let file = folder.join("definition.json");
    std::fs::write(&file, definition.to_string()).unwrap();
    let update = format!("stepfunctions update-state-machine --state-machine-arn {machine}");
    aws(world, &format!("{update} --definition file://{}", file.display())).await;

    let findings = stack.look().await;
    let sweeper: Vec<Value> = findings.iter().filter(|it| it["verdict"] != "ok").cloned().collect();
    found(&sweeper, None, "sweeperRules", "fail", &format!("aws events enable-rule --name {timer}"));
    found(&findings, None, "sweepFailures", "warn", "1 call");
    found(&findings, None, "undeliveredNotifications", "warn", "1 notification");
    found(&findings, None, "undelivered", "fail", "reveille undelivered");
    found(&findings, None, "definition", "warn", "first difference is at Comment");
}

/// A rule on what the stack's own runs write, which is off so that it starts nothing, and a schedule whose event does not name its zone.
async fn triggers(stack: &Doctored<'_>) {
    const RULE: &str = "doctored-loop";
    const SCHEDULE: &str = "doctored-day";
    let world = stack.world;
    let machine = &stack.outputs["StateMachineArn"];
    let pattern =
        json!({"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"bucket": {"name": [BUCKET]}}});
    aws(world, &format!("events put-rule --name {RULE} --state DISABLED --event-pattern '{pattern}'")).await;
    let input = json!({"instance": ON, "notebook": "run.ipynb"}).to_string();
    let target =
        json!([{"Id": "NotebookRun", "Arn": machine, "RoleArn": stack.outputs["EventsRoleArn"], "Input": input}]);
    aws(world, &format!("events put-targets --rule {RULE} --targets '{target}'")).await;
    let event = json!({"source": "aws.scheduler", "detail-type": "Scheduled Event", "time": "<aws.scheduler.scheduled-time>",
        "resources": ["<aws.scheduler.schedule-arn>"]});
    let input = json!({"instance": ON, "notebook": "run.ipynb", "parameters": {"day": "{{ date }}"}, "event": event})
        .to_string();
    let target = json!({"Arn": machine, "RoleArn": stack.outputs["SchedulerRoleArn"], "Input": input});
    let when = "--schedule-expression 'cron(0 6 1 1 ? 2099)' --schedule-expression-timezone Europe/Berlin";
    let create = format!("scheduler create-schedule --name {SCHEDULE} {when} --flexible-time-window Mode=OFF");
    aws(world, &format!("{create} --target '{target}'")).await;

    let findings = stack.look().await;
    found(&findings, Some(RULE), "triggerLoop", "fail", "each run would start the next, for ever");
    found(&findings, Some(SCHEDULE), "triggerTimes", "warn", "its event lacks its time zone");
    aws(world, &format!("scheduler delete-schedule --name {SCHEDULE}")).await;
    aws(world, &format!("events remove-targets --rule {RULE} --ids NotebookRun")).await;
    aws(world, &format!("events delete-rule --name {RULE}")).await;
}

/// No region; a clock that is wrong; and a role that may look at the stack, and at nothing that is in it.
async fn where_one_is(stack: &Doctored<'_>, folder: &Path) {
    let world = stack.world;
    let findings = stack.look_with(&[("AWS_REGION", ""), ("AWS_DEFAULT_REGION", "")]).await;
    found(&findings, None, "region", "fail", "--region");

    // Two hours later the sweeper, which nobody calls any more, has been silent for two hours.
    let clock = folder.join("clock.so");
    let source = world.local().project().root().join("crates/cli/tests/screens/clock.c");
    let at = (Utc::now() + TimeDelta::hours(2)).timestamp();
    let made = format!("cc -shared -fPIC -DAT={at} -o {} {}", clock.display(), source.display());
    typed(world, &made).await;
    let findings = stack.look_with(&[("LD_PRELOAD", clock.to_str().unwrap())]).await;
    found(&findings, None, "clock", "fail", "ahead of AWS's");
    found(&findings, None, "sweeper", "fail", "docs/operations.md#sweepersilent");

    let trust = json!({"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]});
    let create = format!("iam create-role --role-name doctored-guest --assume-role-policy-document '{trust}'");
    let role = aws(world, &create).await["Role"]["Arn"].as_str().unwrap().to_owned();
    let may = json!({"Statement": [{"Effect": "Allow", "Action": "cloudformation:DescribeStacks", "Resource": "*"}]});
    let put = "iam put-role-policy --role-name doctored-guest --policy-name look";
    aws(world, &format!("{put} --policy-document '{may}'")).await;
    let findings = stack.look_with(&[("AWS_SESSION_TOKEN", &role)]).await;
    let denied = |check: &str, permission: &str| {
        let about =
            |it: &&Value| it["check"] == check && it["permission"].as_str().is_some_and(|it| it.contains(permission));
        findings.iter().filter(about).cloned().collect::<Vec<_>>()
    };
    found(&denied("triggers", "ListRuleNamesByTarget"), None, "triggers", "notChecked", "you may not ask");
    found(&denied("instances", "ListNotebookInstances"), None, "instances", "notChecked", "you may not ask");
}
