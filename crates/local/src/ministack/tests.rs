//! The shim, proven with a tiny machine of its own: nothing of the product takes part.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use aws_credential_types::Credentials;
use aws_sdk_sfn::{error::ProvideErrorMetadata, types::ExecutionStatus};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{AccessKey, Files, Ministack, SHIM_FILES};
use crate::{Clients, environment, package, processes, tools};

/// Runs an execution that waits for its token, which its function writes into a file.
const FUNCTION: &str = r#"#!/usr/bin/env python3
import json, os, pathlib, urllib.request
api = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
while True:
    with urllib.request.urlopen(f"{api}/next") as answer:
        request, event = answer.headers["Lambda-Runtime-Aws-Request-Id"], json.load(answer)
    if event["execution"].startswith("refused"):
        path, body = f"{request}/error", {"errorType": "Refused", "errorMessage": "not today"}
    else:
        ticket = pathlib.Path(os.environ["TMPDIR"], event["execution"])
        ticket.with_suffix(".part").write_text(event["token"])
        ticket.with_suffix(".part").rename(ticket)
        path, body = f"{request}/response", {}
    urllib.request.urlopen(urllib.request.Request(f"{api}/{path}", json.dumps(body).encode())).close()
"#;
/// Long, so that a busy machine beats in time.
const HEARTBEAT: Duration = Duration::from_secs(6);

fn definition() -> String {
    json!({
        "QueryLanguage": "JSONata",
        "StartAt": "Await",
        "States": {"Await": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
            "TimeoutSeconds": 60,
            "HeartbeatSeconds": format!("{{% {} %}}", HEARTBEAT.as_secs()),
            "Arguments": {"FunctionName": "waits", "Payload": {
                "execution": "{% $states.context.Execution.Name %}",
                "token": "{% $states.context.Task.Token %}",
            }},
            "End": true,
        }},
    })
    .to_string()
}

struct World {
    // Dropped first.
    ministack: Ministack,
    clients: Clients,
    key: AccessKey,
    machine: String,
    variables: BTreeMap<String, String>,
    folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tools_folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin");
        let disk = folder.path().join("ministack");
        let key = AccessKey::random().unwrap();
        let (ministack, endpoint, variables) = environment::on_free_ports(async |port, _| {
            let endpoint = Ministack::endpoint(port);
            let mut variables = environment::clients(&endpoint, &endpoint, &key);
            variables.insert("PATH".to_owned(), environment::path(&tools_folder));
            let files = Files { folder: &disk, kept: false };
            let ministack = Ministack::start(&tools_folder.join("python"), files, port, &key, &variables).await?;
            Ok((ministack, endpoint, variables))
        })
        .await
        .unwrap();
        let clients = Clients::new(&endpoint, &endpoint, &key);
        let (bootstrap, archive) = (folder.path().join("bootstrap"), folder.path().join("waits.zip"));
        fs::write(&bootstrap, FUNCTION).unwrap();
        package::archive(&bootstrap, "bootstrap", &archive).unwrap();
        let zip = format!("fileb://{}", archive.display());
        let arguments = [
            "lambda",
            "create-function",
            "--function-name",
            "waits",
            "--runtime",
            "provided.al2023",
            "--handler",
            "x",
            "--role",
            "arn:aws:iam::000000000000:role/x",
            "--zip-file",
            &zip,
        ];
        tools::run(&tools_folder.join("aws"), &arguments, &variables, folder.path()).await.unwrap();
        let machine = clients.sfn.create_state_machine().name("m").definition(definition());
        let machine = machine.role_arn("arn:aws:iam::000000000000:role/x").send().await.unwrap();
        let machine = machine.state_machine_arn;
        Self { ministack, clients, key, machine, variables, folder }
    }

    /// What the aws command prints, as whoever runs the local AWS.
    async fn aws(&self, arguments: &[&str]) -> String {
        let aws = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin/aws");
        tools::run(&aws, arguments, &self.variables, self.folder.path()).await.unwrap()
    }

    /// Clients whose requests are made by a role.
    fn as_role(&self, role: &str) -> (aws_sdk_s3::Client, aws_sdk_sfn::Client) {
        let credentials = || Credentials::new(self.key.as_str(), "local", Some(role.to_owned()), None, "local");
        let s3 = self.clients.s3.config().to_builder().credentials_provider(credentials()).build();
        let sfn = self.clients.sfn.config().to_builder().credentials_provider(credentials()).build();
        (aws_sdk_s3::Client::from_conf(s3), aws_sdk_sfn::Client::from_conf(sfn))
    }

    async fn start(&self, name: &str) -> String {
        let started = self.clients.sfn.start_execution().state_machine_arn(&self.machine).name(name).send().await;
        started.unwrap().execution_arn
    }

    async fn token(&self, execution: &str) -> String {
        let file = self.folder.path().join("ministack").join(execution);
        for _ in 0..12_000 {
            if let Ok(token) = fs::read_to_string(&file) {
                return token;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("the function of {execution} was not called");
    }

    /// Status, error, and how long it took from now.
    async fn end(&self, arn: &str) -> (ExecutionStatus, Option<String>, Duration) {
        let since = Instant::now();
        while since.elapsed() < Duration::from_mins(2) {
            let seen = self.clients.sfn.describe_execution().execution_arn(arn).send().await.unwrap();
            if seen.status != ExecutionStatus::Running {
                return (seen.status, seen.error, since.elapsed());
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("{arn} did not end");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn silent_tickets_fail_and_beaten_ones_live() {
    let world = World::new().await;
    let sfn = &world.clients.sfn;

    let silent = world.start("silent").await;
    let (status, error, took) = world.end(&silent).await;
    assert_eq!((status, error.as_deref()), (ExecutionStatus::Failed, Some("States.Timeout")));
    assert!(took >= HEARTBEAT, "failed after {took:?}, before the heartbeat of {HEARTBEAT:?} was over");

    let beaten = world.start("beaten").await;
    let token = world.token("beaten").await;
    for _ in 0..20 {
        sleep(HEARTBEAT / 10).await;
        sfn.send_task_heartbeat().task_token(&token).send().await.unwrap();
    }
    sfn.send_task_success().task_token(&token).output("{\"ok\": true}").send().await.unwrap();
    assert_eq!(world.end(&beaten).await.0, ExecutionStatus::Succeeded, "beaten for twice its heartbeat");

    let refused = world.start("refused").await;
    let (status, error, _) = world.end(&refused).await;
    assert_eq!((status, error.as_deref()), (ExecutionStatus::Failed, Some("Refused")), "the function's own error");

    what_roles_call_is_noted(&world).await;
    roles_may_what_their_policies_allow(&world).await;

    let (pid, marker) = (world.ministack.child().id().unwrap(), world.ministack.marker.clone());
    assert!(processes::marked(&marker).len() >= 2, "ministack and a warm function");
    world.ministack.stop().await.unwrap();
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    assert_eq!(processes::marked(&marker), []);
}

/// Somebody may take its port while it starts.
#[tokio::test(flavor = "current_thread")]
async fn a_port_that_somebody_has_is_told_from_other_failures() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let tools_folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin");
    let (endpoint, key) = (Ministack::endpoint(port), AccessKey::random().unwrap());
    let variables = environment::clients(&endpoint, &endpoint, &key);
    let files = Files { folder: folder.path(), kept: false };
    let started = Ministack::start(&tools_folder.join("python"), files, port, &key, &variables).await;
    let error = started.err().unwrap();
    assert!(error.is_port_taken(), "{error}");
}

#[tokio::test(flavor = "current_thread")]
async fn one_that_hangs_is_noticed() {
    let world = World::new().await;
    let pid = Pid::from_raw(world.ministack.child().id().unwrap().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    let broken = world.ministack.ended_or_silent(Duration::ZERO, 2).await.to_string();
    assert!(broken.starts_with("ministack is running, but did not answer 2 requests in a row"), "{broken}");

    kill_process(pid, Signal::CONT).unwrap();
    let watched = timeout(Duration::from_secs(1), world.ministack.ended_or_silent(Duration::ZERO, u32::MAX)).await;
    assert!(watched.is_err(), "it answers again: {watched:?}");
    world.ministack.stop().await.unwrap();
}

/// What its files decide by themselves.
#[test]
fn the_parts_of_the_shim_decide_as_they_should() {
    let folder = tempfile::tempdir().unwrap();
    let test = ("shim_test.py", include_str!("../../shim/shim_test.py"));
    for (name, text) in SHIM_FILES.into_iter().chain([test]) {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin/python");
    let output = std::process::Command::new(python).arg(folder.path().join("shim_test.py")).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("\nOK\n"), "{told}");
}

/// As IAM would be asked, also for what AWS asks besides; and nothing of whoever has no role.
async fn what_roles_call_is_noted(world: &World) {
    let role = "arn:aws:iam::000000000000:role/some/reader";
    let s3 = &world.clients.s3;
    let (as_role, sfn) = world.as_role(role);
    s3.create_bucket().bucket("notes").send().await.unwrap();
    let put = as_role.put_object().bucket("notes").key("a b/ü.json").send().await.unwrap();
    as_role.get_object().bucket("notes").key("missing").send().await.unwrap_err();
    let delete = as_role.delete_object().bucket("notes").key("a b/ü.json").if_match(put.e_tag().unwrap());
    delete.send().await.unwrap();
    sfn.list_executions().state_machine_arn(&world.machine).send().await.unwrap();

    // One that is being written is no error, and is read when it is whole.
    let half = File::options().append(true).open(&world.ministack.calls).and_then(|mut file| file.write_all(b"{\"ro"));
    half.unwrap();
    let calls = world.ministack.calls().unwrap();
    let of = |role: &str| {
        let mut of: Vec<(&str, &str)> = calls
            .iter()
            .filter(|call| call.role == role)
            .map(|call| (call.action.as_str(), call.resource.as_str()))
            .collect();
        of.sort_unstable();
        of
    };
    let expected = [
        ("s3:DeleteObject", "arn:aws:s3:::notes/a b/ü.json"),
        // Of the change on a condition, and of the object that is missing.
        ("s3:GetObject", "arn:aws:s3:::notes/a b/ü.json"),
        ("s3:GetObject", "arn:aws:s3:::notes/missing"),
        ("s3:ListBucket", "arn:aws:s3:::notes"),
        ("s3:PutObject", "arn:aws:s3:::notes/a b/ü.json"),
        ("states:ListExecutions", world.machine.as_str()),
    ];
    assert_eq!(of(role), expected);
    assert_eq!(of("arn:aws:iam::000000000000:role/x"), [("lambda:InvokeFunction", "waits")], "the state machine's");
    // Services take roles; whoever has none is in no note.
    let services: BTreeSet<&str> =
        calls.iter().map(|call| call.role.as_str()).filter(|role| !role.contains(":role/")).collect();
    assert_eq!(services, BTreeSet::from(["lambda.amazonaws.com", "states.amazonaws.com"]), "{calls:?}");
}

/// As AWS would answer, also about what is not there; a boundary counts, and a role that nobody limit is not held against anything.
async fn roles_may_what_their_policies_allow(world: &World) {
    let name = "limited";
    let policy = |actions: &[&str], resources: &[&str]| {
        let statement = json!({"Effect": "Allow", "Action": actions, "Resource": resources});
        json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
    };
    let boundary = policy(&["s3:*"], &["*"]);
    let limit = world.aws(&["iam", "create-policy", "--policy-name", "boundary", "--policy-document", &boundary]).await;
    let limit: Value = serde_json::from_str(&limit).unwrap();
    let trust = json!({"Version": "2012-10-17", "Statement": []}).to_string();
    let limit = limit["Policy"]["Arn"].as_str().unwrap();
    let of_role = ["--role-name", name];
    let make = ["iam", "create-role", "--assume-role-policy-document", &trust, "--permissions-boundary", limit];
    world.aws(&[&make[..], &of_role].concat()).await;
    let objects = ["s3:PutObject", "s3:GetObject", "states:ListExecutions"];
    let grants = policy(&objects, &["arn:aws:s3:::held/mine/*", &world.machine]);
    let put = ["iam", "put-role-policy", "--policy-name", "own", "--policy-document", &grants];
    world.aws(&[&put[..], &of_role].concat()).await;
    world.clients.s3.create_bucket().bucket("held").send().await.unwrap();
    world.clients.s3.put_object().bucket("held").key("other").send().await.unwrap();

    let (s3, sfn) = world.as_role(&format!("arn:aws:iam::000000000000:role/{name}"));
    s3.put_object().bucket("held").key("mine/a").send().await.unwrap();
    s3.get_object().bucket("held").key("mine/a").send().await.unwrap();
    let put = s3.put_object().bucket("held").key("other").send().await.unwrap_err().into_service_error();
    assert_eq!(put.code(), Some("AccessDenied"), "{put:?}");
    assert!(
        put.message().unwrap().contains("not authorized to perform: s3:PutObject on resource: arn:aws:s3:::held/other")
    );
    let missing = s3.get_object().bucket("held").key("mine/b").send().await.unwrap_err().into_service_error();
    assert_eq!(missing.code(), Some("AccessDenied"), "nobody learns that it is missing: {missing:?}");
    assert!(missing.message().unwrap().contains("s3:ListBucket"), "{missing:?}");
    let list = sfn.list_executions().state_machine_arn(&world.machine).send().await.unwrap_err().into_service_error();
    assert_eq!(list.code(), Some("AccessDeniedException"), "the boundary has no Step Functions: {list:?}");

    let (unknown, _) = world.as_role("arn:aws:iam::000000000000:role/nobody-made-it");
    unknown.get_object().bucket("held").key("other").send().await.unwrap();
    let missing = unknown.get_object().bucket("held").key("b").send().await.unwrap_err().into_service_error();
    assert_eq!(missing.code(), Some("NoSuchKey"), "{missing:?}");
}
