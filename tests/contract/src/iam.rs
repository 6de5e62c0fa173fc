//! docs/iam.md from the templates: each role, what it may do to what, and why. What has no reason here panics, so that nobody
//! grants anything without saying what for.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::transform::transformed;
use crate::{deployer, read};

/// Where the page is.
pub const PAGE: &str = "docs/iam.md";

/// The templates that make roles.
pub const TEMPLATES: [&str; 2] = ["infra/template.yaml", "infra/instance.yaml"];

/// A role of a template.
pub struct Role {
    /// Its logical name.
    pub name: String,
    pub properties: Value,
    /// What it may do, each with the parameter that asks for it, if it is off until then.
    pub statements: Vec<(Value, Option<String>)>,
    /// What it may not do, whatever else allows it.
    pub denied: Vec<Value>,
}

/// Every role of a template, with the policies beside it.
#[must_use]
pub fn roles(path: &str) -> Vec<Role> {
    let template = transformed(path);
    let resources = template["Resources"].as_object().expect("resources");
    let of_type = |kind: &'static str| resources.iter().filter(move |(_, resource)| resource["Type"] == kind);
    let mut roles = Vec::new();
    for (name, role) in of_type("AWS::IAM::Role") {
        let mut statements: Vec<(Value, Option<String>)> = Vec::new();
        for policy in role["Properties"]["Policies"].as_array().into_iter().flatten() {
            statements.extend(listed(&template, &policy["PolicyDocument"], None));
        }
        let managed = role["Properties"]["ManagedPolicyArns"].to_string();
        for (policy, body) in of_type("AWS::IAM::ManagedPolicy").chain(of_type("AWS::IAM::Policy")) {
            let own = json!({"Ref": name});
            // A role that a parameter makes is listed where that parameter is set.
            let lists = |listed: &Value| *listed == own || listed["Fn::If"][1] == own;
            let listed_here = body["Properties"]["Roles"].as_array().is_some_and(|roles| roles.iter().any(lists));
            if listed_here || managed.contains(&json!({"Ref": policy}).to_string()) {
                let parameter = condition(&template, body);
                statements.extend(listed(&template, &body["Properties"]["PolicyDocument"], parameter.as_ref()));
            }
        }
        let (denied, statements): (Vec<_>, Vec<_>) =
            statements.into_iter().partition(|(statement, _)| statement["Effect"] == "Deny");
        let denied = denied.into_iter().map(|(statement, parameter)| {
            assert!(parameter.is_none(), "{name}: the page says of no denial that a parameter turns it on");
            statement
        });
        let denied = denied.collect();
        roles.push(Role { name: name.clone(), properties: role["Properties"].clone(), statements, denied });
    }
    roles
}

/// The parameter behind a resource's condition.
fn condition(template: &Value, resource: &Value) -> Option<String> {
    resource["Condition"].as_str().map(|name| parameter_of(&template["Conditions"][name]))
}

fn parameter_of(condition: &Value) -> String {
    let text = condition.to_string();
    text.split("\"Ref\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a parameter").to_owned()
}

fn listed(template: &Value, document: &Value, parameter: Option<&String>) -> Vec<(Value, Option<String>)> {
    let statements = document["Statement"].as_array().expect("statements").iter();
    statements
        .map(|statement| match statement["Fn::If"].as_array() {
            Some(branches) => {
                let condition = &template["Conditions"][branches[0].as_str().expect("a condition")];
                (branches[1].clone(), Some(parameter_of(condition)))
            }
            None => (statement.clone(), parameter.cloned()),
        })
        .collect()
}

/// Each text of a policy's `Action` or `Resource`, with `${Name}` for what the stack knows.
#[must_use]
pub fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::String(text) => vec![text.clone()],
        other => vec![resource(other)],
    }
}

/// A resource as the page writes it.
fn resource(value: &Value) -> String {
    if let Some(text) = value["Fn::Sub"].as_str() {
        return text.to_owned();
    }
    if let Some(name) = value["Ref"].as_str() {
        return format!("${{{name}}}");
    }
    if let Some(parts) = value["Fn::GetAtt"].as_array() {
        return format!("${{{}}}", parts[0].as_str().expect("a name"));
    }
    if let Some(parts) = value["Fn::Join"].as_array() {
        return texts(&parts[1]).concat();
    }
    panic!("{value}: the page cannot write this resource")
}

fn shown(resource: &str) -> String {
    let names = [
        ("${AWS::Partition}", "aws"),
        ("${AWS::Region}", "REGION"),
        ("${AWS::AccountId}", "ACCOUNT"),
        ("${RunsBucketParameter.Value}", "RUNS-BUCKET"),
        ("${RunsBucket}", "RUNS-BUCKET"),
        ("${RunsPrefix}", ""),
        ("${NotebookRun.Name}", "NotebookRun"),
    ];
    let text = names.iter().fold(resource.to_owned(), |text, (name, value)| text.replace(name, value));
    text.replace("${", "").replace('}', "")
}

/// Why an action on a resource is granted. The order matters: the first that fits.
const REASONS: &[(&str, &str, &str)] = &[
    ("s3:GetObject", "triggers/", "sees whether an event was answered"),
    ("s3:PutObject", "triggers/", "notes who answers an event, once"),
    ("s3:GetObject", "inbox/", "reads who waits on the instance"),
    ("s3:PutObject", "inbox/", "puts a run into the instance's queue"),
    ("s3:DeleteObject", "inbox/", "takes a run out of the queue"),
    ("s3:GetObject", "leases/", "reads whose boot it is"),
    ("s3:PutObject", "leases/", "notes whose boot it is"),
    ("s3:DeleteObject", "leases/", "removes the note once the instance was seen to have stopped"),
    ("s3:GetObject", "sweeper.json", "reads how far the last sweep came"),
    ("s3:PutObject", "sweeper.json", "notes how far this sweep came"),
    ("s3:GetObject", "history.json", "reads how far the last sweep came with the history"),
    ("s3:PutObject", "history.json", "notes how far this sweep came with the history"),
    ("s3:PutObject", "history/", "enters a run that ended into the history"),
    ("s3:PutObject", "claim.json", "claims an attempt, so that nobody else runs it"),
    ("s3:PutObject", "report.json", "reports how an attempt went"),
    ("s3:PutObject", "progress.json", "says which cell runs"),
    ("s3:PutObject", "output.", "keeps the run's output"),
    ("s3:PutObject", "log.txt", "keeps the run's log"),
    ("s3:PutObject", "live/", "shows what a notebook has left so far"),
    ("s3:GetObject", "runs/", "reads the records of runs"),
    ("s3:PutObject", "request.json", "records what a run was asked for"),
    ("s3:PutObject", "outcome.json", "records how a run ended"),
    ("s3:GetObject", "artifacts/reveille-engine", "reads papermill's archive, for instances without a way to PyPI"),
    ("s3:GetObject", "runner.sha256", "asks which runner the stack installed"),
    ("s3:PutObject", "runner.sha256", "says which runner instances start with"),
    ("s3:GetObject", "ArtifactsBucket}/${ArtifactsPrefix}", "reads the release, to compare checksums and to copy"),
    ("s3:PutObject", "artifacts/", "copies the runner and papermill's archive, once for each release"),
    ("s3:GetObject", "artifacts/reveille-runner", "reads the runner, and compares its checksum"),
    ("s3:ListBucket", "ArtifactsBucket", "without it a file of the release that is missing is answered as denied"),
    ("s3:GetObject", "ReadBucket", "reads what your notebooks read"),
    ("s3:ListBucket", "ReadBucket", "lists what your notebooks read"),
    ("s3:ListBucket", "", "lists queues and records; without it a missing record is answered as denied"),
    ("sagemaker:DescribeNotebookInstance", "", "sees the instance's status"),
    ("sagemaker:StartNotebookInstance", "", "starts the instance for a run"),
    ("sagemaker:StopNotebookInstance", "", "stops the instance after its last run"),
    ("states:SendTaskHeartbeat", "", "says that the run is alive; the token says which run"),
    ("states:SendTask", "", "ends the wait for a run; the token says which run"),
    ("states:DescribeExecution", "", "sees whether the execution of a run still runs"),
    ("states:ListExecutions", "", "finds executions that ended without an outcome, or are not in the history"),
    ("states:StartExecution", "", "starts a run"),
    ("sqs:SendMessage", "", "keeps what could not be delivered"),
    ("events:PutEvents", "", "publishes how a run ended, or how far it is"),
    ("lambda:InvokeFunction", "", "calls the six functions of the states"),
    ("iam:PassRole", "", "starts instances whose start asks for it"),
    ("ec2:", "", "starts instances in a subnet of yours"),
    ("kms:CreateGrant", "", "starts instances whose volume has a key of yours"),
    ("kms:Decrypt", "ArtifactsKeyArn", "reads a release that your key encrypts"),
    ("kms:Decrypt", "", "reads records that your key encrypts"),
    ("kms:GenerateDataKey", "", "writes records that your key encrypts"),
    ("secretsmanager:GetSecretValue", "", "starts instances that have a private Git repository"),
    ("logs:", "", "writes logs"),
];

pub(crate) fn why(action: &str, resource: &str) -> &'static str {
    let fits = |(known, on, _): &&(&str, &str, &'static str)| action.starts_with(known) && resource.contains(on);
    let reason = REASONS.iter().find(fits);
    reason.unwrap_or_else(|| panic!("{action} on {resource} has no reason: give it one in tests/contract/src/iam.rs")).2
}

fn table(text: &mut String, role: &Role) {
    text.push_str("| action | on | why |\n| --- | --- | --- |\n");
    // Resources of one action and one reason share a row.
    let mut rows: Vec<(String, String, Vec<String>)> = Vec::new();
    for (statement, parameter) in &role.statements {
        for action in texts(&statement["Action"]) {
            for on in texts(&statement["Resource"]) {
                let mut reason = why(&action, &on).to_owned();
                if let Some(parameter) = parameter {
                    write!(reason, " (only with `{parameter}`)").unwrap();
                }
                let on = format!("`{}`", shown(&on));
                match rows.iter_mut().find(|row| row.0 == action && row.1 == reason) {
                    Some(row) if !row.2.contains(&on) => row.2.push(on),
                    Some(_) => {}
                    None => rows.push((action.clone(), reason, vec![on])),
                }
            }
        }
    }
    for (action, reason, on) in rows {
        writeln!(text, "| `{action}` | {} | {reason} |", on.join("<br>")).unwrap();
    }
}

/// What each role is, by its logical name.
const ROLES: &[(&str, &str)] = &[
    ("AdmitRunFunctionRole", "the function that checks an input and records the request"),
    ("AwaitRunFunctionRole", "the function that puts a run before the runner"),
    ("CheckInstanceFunctionRole", "the function that looks at the instance"),
    ("ConcludeRunFunctionRole", "the function that records the outcome"),
    ("EventsRole", "EventBridge, for the rules that start runs"),
    ("InstallRunnerFunctionRole", "the function that brings a release's runner into the runs bucket"),
    ("NotebookRunRole", "the state machine"),
    (
        "PublishProgressFunctionRole",
        "the function that publishes that a run waits or runs, if `PublishProgress` is true",
    ),
    ("Role", "a notebook instance: the runner, and every notebook and person on it"),
    ("SchedulerRole", "EventBridge Scheduler, for the schedules that start runs"),
    ("StartInstanceFunctionRole", "the function that starts the instance"),
    ("SweepFunctionRole", "the function that finishes what an ended execution could not"),
    ("VerifyStoppedFunctionRole", "the function that stops the instance and sees it stopped"),
];

pub(crate) fn who(role: &str) -> &'static str {
    let known = ROLES.iter().find(|(name, _)| *name == role);
    known.unwrap_or_else(|| panic!("{role} is not described in tests/contract/src/iam.rs")).1
}

#[must_use]
pub fn page() -> String {
    let mut text = read("tests/contract/src/iam.head.txt");
    for path in TEMPLATES {
        for role in roles(path) {
            writeln!(text, "\n### {}\n\nOf {} (`{path}`).\n", role.name, who(&role.name)).unwrap();
            if role.properties["ManagedPolicyArns"].to_string().contains("AWSLambdaBasicExecutionRole") {
                let denied: Vec<String> = role.denied.iter().flat_map(|denied| texts(&denied["Action"])).collect();
                writeln!(
                    text,
                    "Besides AWS's own `AWSLambdaBasicExecutionRole`, by which a function writes its logs (but `{}` is denied):\n",
                    denied.join("`, `")
                )
                .unwrap();
            }
            table(&mut text, &role);
        }
    }
    text.push_str(&read("tests/contract/src/iam.deployer.txt"));
    text.push_str(&deployer::table());
    text.push_str(&read("tests/contract/src/iam.tail.txt"));
    text
}
