//! `reveille deploy` and `destroy` where CloudFormation and S3 answer as the local AWS never does: of other people's change sets, of a stack that is
//! half gone, and while somebody presses Ctrl-C.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod stub;

use std::{
    fs,
    path::Path,
    process::{Output, Stdio},
    sync::{Mutex, mpsc},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use stub::{EMPTY, STACK, Stub, StubCall, fault};

const TEMPLATE: &str = "Description: 'Reveille: a test'\nParameters:\n  ArtifactsBucket:\n    Type: String\n  ArtifactsPrefix:\n    Type: String\n    Default: reveille/\n";
const NO_STACK: &str = "<ErrorResponse><Error><Code>ValidationError</Code><Message>Stack with id reveille does not exist</Message></Error></ErrorResponse>";

type Answer = (u16, String);

/// What CloudFormation is asked for, by the query protocol.
fn is(call: &StubCall<'_>, action: &str) -> bool {
    call.body.contains(&format!("Action={action}&"))
}

fn asked(stub: &Stub, action: &str) -> usize {
    stub.asked("POST").iter().filter(|call| call.contains(&format!("Action={action}&"))).count()
}

/// How often it was asked before this call.
fn before(call: &StubCall<'_>, action: &str) -> usize {
    call.before.iter().filter(|asked| asked.contains(&format!("Action={action}&"))).count()
}

fn result(action: &str, content: &str) -> Answer {
    (200, format!("<{action}Response><{action}Result>{content}</{action}Result></{action}Response>"))
}

/// A stack that has a status and, of its outputs, these.
fn stack(status: &str, outputs: &[&str]) -> String {
    let output =
        |name: &&str| format!("<member><OutputKey>{name}</OutputKey><OutputValue>{name}</OutputValue></member>");
    let outputs = outputs.iter().map(output).collect::<Vec<_>>().concat();
    format!(
        "<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>reveille</StackName><StackId>id</StackId>\
         <CreationTime>2026-01-01T00:00:00Z</CreationTime><StackStatus>{status}</StackStatus><Description>Reveille: a test</Description>\
         <Outputs>{outputs}</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
    )
}

fn change_sets(names: &[&str]) -> Answer {
    let member = |name: &&str| {
        format!(
            "<member><ChangeSetName>{name}</ChangeSetName><ChangeSetId>{name}</ChangeSetId><StackId>id</StackId></member>"
        )
    };
    result(
        "ListChangeSets",
        &format!("<Summaries>{}</Summaries>", names.iter().map(member).collect::<Vec<_>>().concat()),
    )
}

/// What most calls are answered.
fn usual(call: &StubCall<'_>) -> Answer {
    if is(call, "GetTemplate") {
        return result("GetTemplate", r#"<TemplateBody>{"Resources": {}}</TemplateBody>"#);
    }
    if is(call, "CreateChangeSet") {
        return result("CreateChangeSet", "<Id>made</Id><StackId>id</StackId>");
    }
    if is(call, "DescribeChangeSet") {
        let change = "<Changes><member><Type>Resource</Type><ResourceChange><Action>Add</Action><LogicalResourceId>Queue</LogicalResourceId><ResourceType>AWS::SQS::Queue</ResourceType></ResourceChange></member></Changes>";
        return result("DescribeChangeSet", &format!("<Status>CREATE_COMPLETE</Status>{change}"));
    }
    if is(call, "DescribeStackEvents") {
        return result("DescribeStackEvents", "<StackEvents/>");
    }
    for action in ["ListStackResources", "ListImports", "DeleteChangeSet", "DeleteStack", "ExecuteChangeSet"] {
        if is(call, action) {
            return result(action, "");
        }
    }
    let answer = match call.action {
        "ListExecutions" => json!({"executions": []}),
        "ListNotebookInstances" => json!({"NotebookInstances": []}),
        "ListRuleNamesByTarget" => json!({"RuleNames": []}),
        _ if call.first.contains("/schedules") => json!({"Schedules": []}),
        _ if call.first.starts_with("HEAD") => return (404, String::new()),
        _ if call.first.starts_with("GET ") => return (200, EMPTY.to_owned()),
        _ if call.body.contains("Action=") => return (200, STACK.to_owned()),
        _ => return (200, String::new()),
    };
    (200, answer.to_string())
}

fn said(output: &Output, code: i32) -> String {
    let said = String::from_utf8_lossy(&output.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

/// A release that is whole.
fn release(folder: &Path) -> String {
    let files = [
        ("template.yaml", TEMPLATE, sha256(TEMPLATE)),
        ("README.md", "read me\n", sha256("read me\n")),
        ("functions.zip", "PK", sha256("PK")),
    ];
    let listed: Vec<Value> = files
        .iter()
        .map(|(name, content, sha256)| {
            // As a release names what is in it.
            let name =
                if *name == "functions.zip" { format!("functions-{}.zip", &sha256[..12]) } else { (*name).to_owned() };
            fs::write(folder.join(&name), content).unwrap();
            json!({"name": name, "bytes": content.len(), "sha256": sha256})
        })
        .collect();
    let manifest = json!({"manifest": 1, "version": "0.0.1", "revision": "a test", "files": listed});
    fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
    fs::write(folder.join("SHA256SUMS"), "sums\n").unwrap();
    folder.display().to_string()
}

fn sha256(content: &str) -> String {
    use sha2::{Digest, Sha256};
    let digits = |byte: u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap());
    Sha256::digest(content).iter().copied().flat_map(digits).collect()
}

fn deploy(folder: &str) -> [&str; 6] {
    ["deploy", "--release", folder, "--artifacts-bucket", "artifacts", "--yes"]
}

#[test]
fn what_somebody_else_prepared_is_neither_deployed_over_nor_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let folder = release(folder.path());
    let stub = Stub::start(|call| {
        Some(match () {
            () if is(call, "DescribeStacks") => (200, stack("REVIEW_IN_PROGRESS", &[])),
            () if is(call, "ListChangeSets") => change_sets(&["reveille-20260101T000000000", "cdk-deploy-change-set"]),
            () if is(call, "CreateChangeSet") || is(call, "DeleteStack") => (400, NO_STACK.to_owned()),
            () => usual(call),
        })
    });
    for arguments in [&deploy(&folder)[..], &["destroy", "--yes"]] {
        let said = said(&stub.reveille(arguments), 1);
        assert!(said.contains("the change set cdk-deploy-change-set; ask them"), "{said}");
    }
    assert_eq!((asked(&stub, "CreateChangeSet"), asked(&stub, "DeleteStack")), (0, 0));
    // Nothing is under way there, either.
    let said = said(&stub.reveille(&["deploy", "--follow"]), 1);
    assert!(said.contains("nothing is under way on the stack reveille: it is REVIEW_IN_PROGRESS"), "{said}");
}

/// The first deployment, only shown, while somebody else has these change sets on the new stack. Whether the stack was deleted.
fn is_taken_back_with_the_stack(others: &'static [&'static str]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let folder = release(folder.path());
    let stub = Stub::start(|call| {
        Some(match () {
            () if is(call, "DescribeStacks") && before(call, "CreateChangeSet") == 0 => (400, NO_STACK.to_owned()),
            () if is(call, "DescribeStacks") => (200, stack("REVIEW_IN_PROGRESS", &[])),
            () if is(call, "ListChangeSets") => change_sets(others),
            () => usual(call),
        })
    });
    let shown = stub.reveille(&[&deploy(&folder)[..5], &["--dry-run"]].concat());
    said(&shown, 0);
    assert_eq!((asked(&stub, "DeleteChangeSet"), asked(&stub, "ExecuteChangeSet")), (1, 0));
    asked(&stub, "DeleteStack") == 1
}

#[test]
fn the_empty_stack_goes_only_if_nobody_else_means_to_use_it() {
    // The one that was deleted is listed for a moment more.
    assert!(is_taken_back_with_the_stack(&[]) && is_taken_back_with_the_stack(&["made"]));
    for theirs in [&["reveille-20260101T000000000"][..], &["made", "theirs"]] {
        assert!(!is_taken_back_with_the_stack(theirs), "{theirs:?}");
    }
}

/// Runs a command, and presses Ctrl-C while the call is answered.
fn interrupted(
    arguments: &[&str],
    at: impl Fn(&StubCall<'_>) -> bool + Send + Sync + 'static,
    new: bool,
) -> (Stub, Output) {
    let (begins, began) = mpsc::channel();
    let (go_on, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let stub = Stub::start(move |call| {
        if at(call) {
            begins.send(()).unwrap();
            wait.lock().unwrap().recv().unwrap();
        }
        Some(match () {
            () if new && is(call, "DescribeStacks") => (400, NO_STACK.to_owned()),
            () if is(call, "DescribeStacks") => (200, stack("DELETE_FAILED", &[])),
            () => usual(call),
        })
    });
    let mut command = stub.command(env!("CARGO_BIN_EXE_reveille"), arguments);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    began.recv().unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    // The signal is there; the command sees it when it has its answer.
    std::thread::sleep(std::time::Duration::from_millis(300));
    go_on.send(()).unwrap();
    let output = child.wait_with_output().unwrap();
    (stub, output)
}

#[test]
fn ctrl_c_during_the_last_file_begins_no_deployment_and_says_what_was_copied() {
    let folder = tempfile::tempdir().unwrap();
    let folder = release(folder.path());
    let last = |call: &StubCall<'_>| call.first.starts_with("PUT") && call.first.contains("manifest.json");
    let (stub, output) = interrupted(&deploy(&folder), last, true);
    let said = said(&output, 130);
    assert_eq!((asked(&stub, "ExecuteChangeSet"), asked(&stub, "DeleteChangeSet")), (0, 1));
    let copied = format!("functions-{}.zip, template.yaml, README.md, SHA256SUMS, manifest.json", &sha256("PK")[..12]);
    assert!(
        said.contains(&format!("was not changed, but these files were copied to s3://artifacts/reveille/: {copied}")),
        "{said}"
    );
    // Nobody sees the release by its manifest before all of it is there.
    let puts: Vec<String> = stub.asked("PUT");
    assert!(puts.last().unwrap().contains("manifest.json"), "{puts:?}");
}

#[test]
fn ctrl_c_before_a_deletion_begins_deletes_nothing() {
    let (stub, output) = interrupted(&["destroy", "--yes"], |call| is(call, "DescribeStackEvents"), false);
    said(&output, 130);
    assert_eq!(asked(&stub, "DeleteStack"), 0);
}

#[test]
fn who_may_not_list_the_bucket_can_deploy() {
    let folder = tempfile::tempdir().unwrap();
    let folder = release(folder.path());
    let stub = Stub::start(|call| {
        Some(match () {
            () if is(call, "DescribeStacks") => (400, NO_STACK.to_owned()),
            () if call.first.starts_with("HEAD") => (403, String::new()),
            // Far enough.
            () if is(call, "ExecuteChangeSet") => (400, NO_STACK.to_owned()),
            () => usual(call),
        })
    });
    said(&stub.reveille(&deploy(&folder)), 1);
    // The copy of the template, and five files.
    assert_eq!((stub.asked("PUT").len(), asked(&stub, "ExecuteChangeSet")), (6, 1));
}

/// A stack of which a deletion has left what `outputs` says, and no state machine.
fn half_gone(status: &'static str, outputs: &'static [&'static str]) -> Stub {
    Stub::start(move |call| {
        Some(match () {
            () if is(call, "DescribeStacks") => {
                let status = if before(call, "DeleteStack") == 0 { status } else { "DELETE_COMPLETE" };
                (200, stack(status, outputs))
            }
            () if is(call, "DescribeStackEvents") && before(call, "DeleteStack") > 0 => result(
                "DescribeStackEvents",
                "<StackEvents><member><EventId>e</EventId><StackId>id</StackId><PhysicalResourceId>id</PhysicalResourceId>\
             <ResourceType>AWS::CloudFormation::Stack</ResourceType><ResourceStatus>DELETE_COMPLETE</ResourceStatus></member></StackEvents>",
            ),
            () if call.action == "ListExecutions" => fault("StateMachineDoesNotExist"),
            // The bus with the name of its output.
            () if call.action == "ListRuleNamesByTarget" && call.body.contains(r#""EventBus""#) => {
                fault("ResourceNotFoundException")
            }
            () => usual(call),
        })
    })
}

#[test]
fn a_stack_that_is_half_gone_can_be_deleted() {
    let stub = half_gone("DELETE_FAILED", &["StateMachineArn", "RunsBucketName", "EventBus"]);
    said(&stub.reveille(&["destroy", "--yes"]), 0);
    assert_eq!(asked(&stub, "DeleteStack"), 1);
    for outputs in [&[][..], &["StateMachineArn", "RunsBucketName"]] {
        let stub = half_gone("CREATE_COMPLETE", outputs);
        let refused = said(&stub.reveille(&["destroy", "--yes"]), 1);
        assert!(refused.contains("has no output ") && refused.contains("add --force"), "{refused}");
        // A program is told the same.
        let shown = stub.reveille(&["destroy", "--dry-run", "--output", "json"]);
        said(&shown, 1);
        let answer: Value = serde_json::from_slice(&shown.stdout).unwrap();
        assert!(answer["objection"].as_str().unwrap().contains("add --force"), "{answer}");
        assert_eq!((answer["notChecked"].as_array().unwrap().len(), asked(&stub, "DeleteStack")), (1, 0));
        let forced = stub.reveille(&["destroy", "--yes", "--force"]);
        said(&forced, 0);
        assert!(String::from_utf8_lossy(&forced.stdout).contains("Not checked: its "), "{forced:?}");
    }
}

/// Its events are all that says why.
#[test]
fn what_a_creation_that_failed_left_stays_until_the_next_attachment_was_checked() {
    let stub = Stub::start(|call| {
        Some(match () {
            () if is(call, "DescribeStacks") && call.body.contains("reveille-nightly") => {
                let parameters = [("InstanceName", "nightly"), ("RunsBucket", "RunsBucketName"), ("RunsPrefix", "")];
                let parameter = |(name, value): (&str, &str)| {
                    format!(
                        "<member><ParameterKey>{name}</ParameterKey><ParameterValue>{value}</ParameterValue></member>"
                    )
                };
                let described =
                    stack("ROLLBACK_COMPLETE", &[]).replace("Reveille: a test", "A notebook instance for Reveille");
                let parameters = parameters.map(parameter).concat();
                (200, described.replace("<Outputs>", &format!("<Parameters>{parameters}</Parameters><Outputs>")))
            }
            () if is(call, "DescribeStacks") => (200, stack("CREATE_COMPLETE", &["StateMachineArn", "RunsBucketName"])),
            () if call.action == "DescribeNotebookInstance" => {
                (400, json!({"__type": "ValidationException", "message": "RecordNotFound"}).to_string())
            }
            () => usual(call),
        })
    });
    let said = said(&stub.reveille(&["attach", "nightly", "--yes"]), 5);
    assert!(said.contains("there is no notebook instance nightly"), "{said}");
    assert_eq!(asked(&stub, "DeleteStack"), 0);
}

/// A file as the aws command reads it; what is typed takes precedence.
#[test]
fn parameters_come_from_a_file_of_the_aws_command() {
    let folder = tempfile::tempdir().unwrap();
    let release = release(folder.path());
    let file = folder.path().join("parameters.json");
    let shown = file.display().to_string();
    let stub = Stub::start(|call| {
        Some(match () {
            () if is(call, "DescribeStacks") && before(call, "CreateChangeSet") == 0 => (400, NO_STACK.to_owned()),
            () if is(call, "DescribeStacks") => (200, stack("REVIEW_IN_PROGRESS", &[])),
            () if is(call, "ListChangeSets") => change_sets(&[]),
            () => usual(call),
        })
    });
    let deploys = |more: &[&str]| {
        let all = ["deploy", "--release", &release, "--parameters-file", &shown, "--dry-run"];
        stub.reveille(&[&all[..], more].concat())
    };
    fs::write(&file, r#"[{"ParameterKey": "ArtifactsBucket", "ParameterValue": "of-file"}, {"ParameterKey": "ArtifactsPrefix", "ParameterValue": "p/"}]"#).unwrap();
    said(&deploys(&[]), 0);
    said(&deploys(&["-p", "ArtifactsPrefix=typed/"]), 0);
    let made: Vec<String> =
        stub.asked("POST").into_iter().filter(|call| call.contains("Action=CreateChangeSet&")).collect();
    assert!(made[0].contains("=of-file&") && made[0].contains("=p%2F"), "{}", made[0]);
    assert!(
        made[1].contains("=of-file&") && made[1].contains("=typed%2F") && !made[1].contains("=p%2F"),
        "{}",
        made[1]
    );
    fs::write(&file, r#"{"Parameters": {"ArtifactsBucket": 7}}"#).unwrap();
    let refused = said(&deploys(&[]), 2);
    assert!(refused.contains("parameters.json: Parameters.ArtifactsBucket must be a string in quotes"), "{refused}");
}

#[test]
fn a_run_that_began_meanwhile_keeps_the_stack() {
    let stub = Stub::start(|call| {
        Some(match () {
            () if is(call, "DescribeStacks") => {
                (200, stack("CREATE_COMPLETE", &["StateMachineArn", "RunsBucketName", "EventBus"]))
            }
            () if call.action == "ListExecutions" && call.before.iter().any(|it| it.starts_with("ListExecutions")) => {
                let run = json!({"executionArn": "arn:aws:states:us-east-1:1:execution:m:daily-1", "stateMachineArn": "m", "name": "daily-1", "status": "RUNNING", "startDate": 1});
                (200, json!({"executions": [run]}).to_string())
            }
            () if is(call, "DeleteStack") => (400, NO_STACK.to_owned()),
            () => usual(call),
        })
    });
    let said = said(&stub.reveille(&["destroy", "--yes"]), 1);
    assert!(said.contains("nothing was deleted: runs are under way") && said.contains("reveille cancel "), "{said}");
    assert_eq!(asked(&stub, "DeleteStack"), 0);
}
