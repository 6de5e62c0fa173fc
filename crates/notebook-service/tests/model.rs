//! The service against AWS's own service model, as the installed botocore ships it (`make setup`): a request that breaks one
//! constraint is refused, whichever constraint it is, and valid requests of each shape are accepted. The cases are made from
//! the model, so that its next member is covered too.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::{env, fs, path::PathBuf, process::Command as Process, time::Duration};

use regex::Regex;
use reveille_instance_model::{
    Command, CreateConfig, CreateInstance, InstanceSettings, NotebookInstanceStatus, Operation,
};
use serde_json::{Map, Value, json};
use support::TestService;

const FOLDER: &str = env!("CARGO_MANIFEST_DIR");
const ROLE: &str = "arn:aws:iam::000000000000:role/notebooks";
const ARN: &str = "arn:aws:sagemaker:us-east-1:000000000000:notebook-instance/stopped";

/// The Python of `make setup`, if it is there. It has to be where `make test` says that the tools are.
fn python() -> Option<PathBuf> {
    let python = PathBuf::from(FOLDER).join("../../.venv/bin/python");
    if python.is_file() {
        return Some(python);
    }
    assert!(env::var_os("REVEILLE_AWS_CLI").is_none(), "{} is missing; run make setup", python.display());
    eprintln!("skipped: there is no .venv with AWS's service model; run make setup");
    None
}

fn run(python: PathBuf, arguments: &[&str]) -> String {
    let output = Process::new(python).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_table_is_what_the_model_says() {
    let Some(python) = python() else { return };
    let script = format!("{FOLDER}/constraints.py");
    let table = fs::read_to_string(format!("{FOLDER}/src/constraints/table.rs")).unwrap();
    assert!(run(python, &[&script, "--print"]) == table, "src/constraints/table.rs is old; run make constraints");
}

struct Model(Value);

impl Model {
    fn read() -> Option<Self> {
        let read = "import botocore, gzip, os\n\
            print(gzip.open(os.path.dirname(botocore.__file__) + '/data/sagemaker/2017-07-24/service-2.json.gz', 'rt').read())";
        python().map(|python| Self(serde_json::from_str(&run(python, &["-c", read])).unwrap()))
    }

    fn input(&self, operation: Operation) -> &str {
        self.0["operations"][operation.as_str()]["input"]["shape"].as_str().unwrap()
    }

    fn shape(&self, name: &str) -> &Value {
        &self.0["shapes"][name]
    }

    fn members(&self, structure: &str) -> Vec<(String, String)> {
        let members = self.shape(structure)["members"].as_object().unwrap();
        members.iter().map(|(name, member)| (name.clone(), member["shape"].as_str().unwrap().to_owned())).collect()
    }

    fn requires(&self, structure: &str, member: &str) -> bool {
        self.shape(structure)["required"].as_array().is_some_and(|all| all.contains(&json!(member)))
    }

    /// Values of a shape that are valid, also for what there is in the world of these tests.
    fn valid(&self, name: &str) -> Vec<Value> {
        let shape = self.shape(name);
        let item = |shape: &Value| shape["member"]["shape"].as_str().unwrap().to_owned();
        match shape["type"].as_str().unwrap() {
            "structure" => vec![self.request(name)],
            "list" => {
                let values = self.valid(&item(shape));
                let empty = if shape["min"].as_u64().unwrap_or(0) == 0 { vec![json!([])] } else { vec![] };
                [empty, values.into_iter().map(|value| json!([value])).collect()].concat()
            }
            "integer" => {
                let min = shape["min"].as_i64().unwrap();
                vec![json!(min), json!(shape["max"].as_i64().unwrap_or(min + 1))]
            }
            "boolean" => vec![json!(true), json!(false)],
            "timestamp" => vec![json!(1_764_104_123), json!(1_764_104_123.25), json!(0)],
            "string" if !shape["enum"].is_null() => shape["enum"].as_array().unwrap().clone(),
            "string" => texts(name),
            other => panic!("{name} is a {other}: give valid and broken values of that type"),
        }
    }

    /// A request with the required members only.
    fn request(&self, structure: &str) -> Value {
        let members = self.members(structure).into_iter().filter(|(name, _)| self.requires(structure, name));
        members.map(|(name, shape)| (name, self.valid(&shape)[0].clone())).collect::<Map<_, _>>().into()
    }

    /// Values of a shape that break one constraint each, with what is broken.
    fn broken(&self, name: &str) -> Vec<(String, Value)> {
        let shape = self.shape(name);
        let bound = |word: &str| shape[word].as_i64();
        let sample = || self.valid(name).pop().unwrap();
        let mut broken: Vec<(String, Value)> = Vec::new();
        let mut add = |what: &str, value: Value| broken.push((format!("{name}: {what}"), value));
        let kind = shape["type"].as_str().unwrap();
        for (other, value) in [("string", json!("x")), ("integer", json!(7)), ("boolean", json!(true))]
            .into_iter()
            .chain([("list", json!(["x"])), ("structure", json!({"x": "y"})), ("fraction", json!(7.5))])
        {
            let same = other == kind || (kind == "timestamp" && matches!(other, "integer" | "fraction"));
            if !same {
                add(&format!("a {other}"), value);
            }
        }
        match kind {
            "structure" => {
                for (member, inner) in self.members(name) {
                    let with = |value: Option<&Value>| {
                        let mut request = self.request(name);
                        match value {
                            Some(value) => request[&member] = value.clone(),
                            None => drop(request.as_object_mut().unwrap().remove(&member)),
                        }
                        request
                    };
                    if self.requires(name, &member) {
                        add(&format!("no {member}"), with(None));
                        add(&format!("null as {member}"), with(Some(&Value::Null)));
                    }
                    for (what, value) in self.broken(&inner) {
                        add(&format!("{member}: {what}"), with(Some(&value)));
                    }
                }
            }
            "list" => {
                let item = shape["member"]["shape"].as_str().unwrap();
                let one = self.valid(item)[0].clone();
                let many = |count: i64| Value::from(vec![one.clone(); usize::try_from(count).unwrap()]);
                if let Some(min) = bound("min").filter(|min| *min > 0) {
                    add("too few", many(min - 1));
                }
                if let Some(max) = bound("max") {
                    add("too many", many(max + 1));
                }
                add("null in it", json!([null]));
                for (what, value) in self.broken(item) {
                    add(&what, json!([value]));
                    add(&format!("second: {what}"), json!([one, value]));
                }
            }
            "integer" => {
                if let Some(min) = bound("min") {
                    add("too little", json!(min - 1));
                }
                if let Some(max) = bound("max") {
                    add("too much", json!(max + 1));
                }
                add("64 bits", json!(i64::MAX));
            }
            "string" if !shape["enum"].is_null() => {
                add("another value", json!("Nonsense"));
                add("another case", json!(sample().as_str().unwrap().to_ascii_uppercase() + "X"));
                add("no value", json!(""));
            }
            "string" => {
                let sample = sample().as_str().unwrap().to_owned();
                if let Some(max) = bound("max") {
                    add("too long", json!(sample.clone() + &"1".repeat(usize::try_from(max).unwrap())));
                }
                if let Some(min) = bound("min").filter(|min| *min > 0) {
                    add("too short", json!(sample[..usize::try_from(min).unwrap() - 1]));
                }
                if let Some(pattern) = shape["pattern"].as_str() {
                    let pattern = Regex::new(&format!(r"\A(?:{pattern})\z")).unwrap();
                    let line = format!("{sample}\n");
                    for value in ["", "*", "a b", "-", "\u{1f980}", "x;rm -rf /", &line, &format!("*{sample}")] {
                        if !pattern.is_match(value) {
                            add(&format!("{value:?}"), json!(value));
                        }
                    }
                }
            }
            _ => {}
        }
        broken
    }
}

/// Texts that a pattern or a length binds cannot be made up: each such shape has its samples here.
fn texts(shape: &str) -> Vec<Value> {
    let texts: &[&str] = match shape {
        "NotebookInstanceName" => &["stopped"],
        "NotebookInstanceLifecycleConfigName" => &["wake"],
        "NotebookInstanceNameContains" | "NotebookInstanceLifecycleConfigNameContains" => &["a", "-", "wake-9"],
        "CodeRepositoryContains" => &["x", "git-9"],
        "CodeRepositoryNameOrUrl" => &["tools", "https://example.com/a/b.git"],
        "NotebookInstanceLifecycleConfigContent" => &["ZXhpdCAw", "ZXhp\ndCAw\n"],
        "RoleArn" => &["arn:aws-cn:iam::123456789012:role/service/x", ROLE],
        "KmsKeyId" => &["", "alias/a", "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab"],
        "SubnetId" => &["subnet-0a1"],
        "SecurityGroupId" => &["sg-0a1"],
        "PlatformIdentifier" => &["notebook-al2023-v1"],
        "MinimumInstanceMetadataServiceVersion" => &["1", "2"],
        "NextToken" => &["0"],
        "ResourceArn" => &[ARN],
        "TagKey" => &["team", "Gr\u{f6}\u{df}e: a/b=c+d-e@f", "\u{65e5}\u{672c}"],
        "TagValue" => &["", "a b", "\u{e9}"],
        other => panic!("{other} is new in the model: give valid samples of it"),
    };
    texts.iter().map(|text| json!(text)).collect()
}

/// A stopped instance with a lifecycle configuration; what is asked for happens at once.
async fn world() -> TestService {
    let mut config = support::config();
    config.timings.pending = Duration::ZERO;
    config.timings.updating = Duration::ZERO;
    config.timings.deleting = Duration::ZERO;
    config.timings.stopping = Duration::ZERO;
    config.timings.shutdown = Duration::ZERO;
    let world = TestService::with(config).await;
    make(&world, "stopped", "wake");
    world.reaches("stopped", NotebookInstanceStatus::InService).await;
    world.stop("stopped");
    world.reaches("stopped", NotebookInstanceStatus::Stopped).await;
    world
}

fn make(world: &TestService, instance: &str, config: &str) {
    let new = CreateConfig { name: config.to_owned(), ..CreateConfig::default() };
    world.service.apply("test", Command::CreateConfig(new)).unwrap();
    let settings = InstanceSettings::new("ml.t3.medium", ROLE);
    let new = CreateInstance { name: instance.to_owned(), settings, tags: [].into() };
    world.service.apply("test", Command::CreateInstance(new)).unwrap();
}

#[tokio::test]
async fn a_request_that_breaks_one_constraint_is_refused_and_changes_nothing() {
    let Some(model) = Model::read() else { return };
    let world = world().await;
    let before = (world.service.names(), world.service.snapshot("stopped"));
    let (mut sent, mut accepted) = (0, Vec::new());
    for operation in Operation::ALL {
        for (what, body) in model.broken(model.input(operation)) {
            let (status, answer) = world.api(operation.as_str(), &body.to_string()).await;
            sent += 1;
            let message = answer["message"].as_str().unwrap_or_default();
            let named = match answer["__type"].as_str() {
                Some("ValidationException") => message.contains("validation error"),
                Some("SerializationException") => message.contains("is not a"),
                _ => false,
            };
            // A body that is no structure at all, and one that misses nothing but has a member nobody knows.
            let unknown = message.contains("'x' is not supported");
            if status != 400 || !(named || unknown) {
                accepted.push(format!("{operation} {what}: {status} {answer}"));
            }
        }
    }
    assert!(sent > 800, "only {sent} cases were made");
    assert!(accepted.is_empty(), "{} of {sent}:\n{}", accepted.len(), accepted.join("\n"));
    assert_eq!((world.service.names(), world.service.snapshot("stopped")), before);
    world.end().await;
}

#[tokio::test]
async fn valid_requests_of_each_shape_are_accepted() {
    let Some(model) = Model::read() else { return };
    let world = world().await;
    let (mut sent, mut refused) = (0, Vec::new());
    for operation in Operation::ALL {
        let input = model.input(operation);
        let mut requests = vec![model.request(input)];
        for (member, shape) in model.members(input) {
            for value in model.valid(&shape) {
                let mut request = model.request(input);
                request[&member] = value;
                requests.push(request);
            }
        }
        for mut request in requests {
            sent += 1;
            prepare(&world, operation, &mut request, sent).await;
            let (status, answer) = world.api(operation.as_str(), &request.to_string()).await;
            // A token for a list of tags is never given, because one page holds them all.
            let no_token = operation == Operation::ListTags && !request["NextToken"].is_null();
            if status != 200 && !no_token {
                refused.push(format!("{operation} {request}: {status} {answer}"));
            }
        }
    }
    assert!(sent > 400, "only {sent} cases were made");
    assert!(refused.is_empty(), "{} of {sent}:\n{}", refused.len(), refused.join("\n"));
    world.end().await;
}

/// Brings about what the request needs: a free name, or something to stop or delete.
async fn prepare(world: &TestService, operation: Operation, request: &mut Value, number: usize) {
    let (instance, config) = (format!("n-{number}"), format!("c-{number}"));
    match operation {
        Operation::CreateNotebookInstance => {
            request["NotebookInstanceName"] = json!(instance);
            if request["DirectInternetAccess"] == "Disabled" {
                request["SubnetId"] = json!("subnet-1");
            }
        }
        Operation::StartNotebookInstance | Operation::StopNotebookInstance | Operation::DeleteNotebookInstance => {
            request["NotebookInstanceName"] = json!(instance);
            make(world, &instance, &config);
            world.reaches(&instance, NotebookInstanceStatus::InService).await;
            if operation != Operation::StopNotebookInstance {
                world.stop(&instance);
                world.reaches(&instance, NotebookInstanceStatus::Stopped).await;
            }
        }
        Operation::CreateNotebookInstanceLifecycleConfig => {
            request["NotebookInstanceLifecycleConfigName"] = json!(config);
        }
        Operation::DeleteNotebookInstanceLifecycleConfig => {
            make(world, &instance, &config);
            request["NotebookInstanceLifecycleConfigName"] = json!(config);
        }
        _ => {}
    }
}
