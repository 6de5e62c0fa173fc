//! A stack deployed from a release, by the commands of docs/deploy.md, where nothing that compiles can be found; and a run on it.

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use reveille_e2e_tests::{LocalAws, Notebook, until};
use reveille_release::{Architecture, Parts, Programs, assemble};
use serde_json::Value;

use crate::Scenario;

pub const ALL: &[Scenario] =
    &[("release::what_was_released_is_deployed_without_a_compiler_and_is_updated_under_a_run", |h, w| {
        h.block_on(deployed_and_updated(w));
    })];

/// The folder of a release that was made, if these scenarios are to begin with it.
const DIST: &str = "REVEILLE_DIST";

/// What the documented commands need. None of it compiles, links or packages.
const COMMANDS: [&str; 3] = ["sha256sum", "cat", "cut"];

/// A release of what this world's stack was deployed from: the same programs and templates as those of `make release`, but built for tests.
pub fn released(world: &LocalAws, folder: &Path, version: &str, output: &str) {
    let artifacts = world.local().directory().join("artifacts");
    let programs = folder.join(version);
    fs::create_dir_all(&programs).unwrap();
    for name in ["bootstrap", "reveille-runner"] {
        // Other bytes for each version, behind what is loaded of a program.
        let program = [fs::read(artifacts.join(name)).unwrap(), version.into()].concat();
        fs::write(programs.join(name), program).unwrap();
    }
    // The command is released, and not deployed.
    symlink("/bin/true", programs.join("reveille")).unwrap();
    let engine = folder.join("reveille-engine-0000000000000000-cp310-x86_64.zip");
    // An archive without files: this world's instances have papermill.
    fs::write(&engine, [b"PK\x05\x06".as_slice(), &[0; 18]].concat()).unwrap();
    let parts = Parts {
        root: world.local().project().root().to_owned(),
        version: version.to_owned(),
        revision: "a test".to_owned(),
        built_with: "cargo test".to_owned(),
        programs: vec![Programs { architecture: Architecture::X86, folder: programs }],
        engine,
        source: None,
    };
    assemble(&parts, &folder.join(output)).unwrap_or_else(|error| panic!("{error}"));
}

/// The release to begin with: the one of `make release`, where `make test-release` names it, and otherwise one of this version. Gives the words
/// with which it is shown.
pub fn first_released(world: &LocalAws, folder: &Path, version: &str) -> String {
    let dist = folder.join("dist");
    match env::var_os(DIST) {
        Some(made) => copied(Path::new(&made), &dist),
        None => released(world, folder, version, "dist"),
    }
    let manifest = fs::read(dist.join("manifest.json")).unwrap_or_else(|error| panic!("{}: {error}", dist.display()));
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    format!("{} ({})", manifest["version"].as_str().unwrap(), manifest["revision"].as_str().unwrap())
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{DIST}={}: {error}", from.display())).flatten() {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// A shell that finds the aws command, and otherwise hardly anything.
pub struct Shell<'a> {
    world: &'a LocalAws,
    pub folder: PathBuf,
    path: PathBuf,
    /// The stack that is deployed in it; its instance has that name too.
    stack: &'static str,
    /// Variables besides those of the local AWS.
    variables: Vec<(&'static str, &'static str)>,
}

impl<'a> Shell<'a> {
    pub fn new(world: &'a LocalAws, folder: &Path, stack: &'static str) -> Self {
        let path = folder.join("bin");
        fs::create_dir(&path).unwrap();
        let shell = Self { world, folder: folder.to_owned(), path, stack, variables: Vec::new() };
        shell.finds("aws", &world.local().project().tools().join("aws"));
        for name in COMMANDS {
            shell.finds(name, &Path::new("/usr/bin").join(name));
        }
        shell
    }

    /// Puts one more program into its path.
    pub fn finds(&self, name: &str, program: &Path) {
        symlink(program, self.path.join(name)).unwrap();
    }

    /// Sets a variable for what is typed.
    pub fn knows(&mut self, name: &'static str, value: &'static str) {
        self.variables.push((name, value));
    }

    /// What a command prints that succeeds.
    pub async fn types(&self, command: &str) -> String {
        self.tried(command).await.unwrap_or_else(|said| panic!("{command}: {said}"))
    }

    /// What a command prints; of one that fails, what it says.
    pub async fn tried(&self, command: &str) -> Result<String, String> {
        let mut bash = tokio::process::Command::new("/bin/bash");
        bash.args(["-c", command]).current_dir(&self.folder).env_clear();
        bash.envs(self.world.local().environment()).env("PATH", &self.path).env("HOME", &self.folder);
        bash.envs(self.variables.iter().copied());
        let output = bash.stdin(Stdio::null()).output().await.expect("bash is there");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let printed = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        if output.status.success() { Ok(printed) } else { Err(said) }
    }

    pub async fn output(&self, name: &str) -> String {
        self.output_of(self.stack, name).await
    }

    /// An output of a stack.
    pub async fn output_of(&self, stack: &str, name: &str) -> String {
        let query = format!("Stacks[0].Outputs[?OutputKey=='{name}'].OutputValue");
        let describe = format!("aws cloudformation describe-stacks --stack-name {stack}");
        self.types(&format!("{describe} --query \"{query}\" --output text")).await
    }

    /// An instance with the stack's name, whose runs are in the stack's bucket: this local AWS has another stack's in its scripts.
    pub async fn instance(&self, notebook: &Notebook) {
        let settings = format!("REVEILLE_BUCKET='{}'\n", self.output("RunsBucketName").await);
        self.world.local().create_instance_with_commands(self.stack, &settings).await.expect("the instance is created");
        self.world.put_notebook(self.stack, "run.ipynb", notebook);
    }

    /// The execution of a run of that notebook, once a runner has taken it: from then on the notebook executes.
    pub async fn starts_a_run(&self) -> String {
        let (machine, stack) = (self.output("StateMachineArn").await, self.stack);
        let start = format!(
            "aws --endpoint-url \"$AWS_ENDPOINT_URL\" stepfunctions start-execution --state-machine-arn {machine} \
             --input '{{\"instance\": \"{stack}\", \"notebook\": \"run.ipynb\"}}' --query executionArn --output text"
        );
        let execution = self.types(&start).await;
        let list = format!("aws s3 ls s3://{}/runs/{stack}/ --recursive", self.output("RunsBucketName").await);
        // There is nothing to list at first, which is an error.
        let claimed = async || self.tried(&list).await.ok().filter(|listed| listed.contains("/claim.json"));
        until("a runner to take the run", claimed).await;
        execution
    }

    /// The definition of the stack's state machine.
    pub async fn definition(&self) -> String {
        let machine = self.output("StateMachineArn").await;
        let describe = "aws --endpoint-url \"$AWS_ENDPOINT_URL\" stepfunctions describe-state-machine --output text --query definition";
        self.types(&format!("{describe} --state-machine-arn {machine}")).await
    }
}

/// The example's parameters, and polls that suit a local instance.
fn parameters(dist: &Path) -> String {
    let mut example: Value = serde_json::from_slice(&fs::read(dist.join("parameters.json")).unwrap()).unwrap();
    let more = ["StartPollSeconds=1", "StopPollSeconds=1", "HeartbeatSeconds=30"];
    example.as_array_mut().unwrap().extend(more.map(Value::from));
    example.to_string()
}

async fn deployed_and_updated(world: &LocalAws) {
    let folder = tempfile::tempdir().unwrap();
    let dist = folder.path().join("dist");
    first_released(world, folder.path(), "0.0.1");
    let shell = Shell::new(world, folder.path(), "released");
    let compilers =
        shell.types("for tool in cargo rustc cc gcc ld sam zip python3; do command -v $tool; done; true").await;
    assert_eq!(compilers, "", "nothing compiles here");
    fs::write(folder.path().join("mine.json"), parameters(&dist)).unwrap();

    shell.types("cd dist && sha256sum --check --quiet SHA256SUMS").await;
    shell.types("aws s3 mb s3://my-artifacts").await;
    shell.types("aws s3 cp dist/ s3://my-artifacts/reveille/ --recursive").await;
    shell.types(DEPLOY).await;
    values_arrived(&shell).await;

    let bucket = shell.output("RunsBucketName").await;
    let engine = shell.types(&format!("aws s3 ls s3://{bucket}/artifacts/reveille-engine-")).await;
    assert!(engine.contains("reveille-engine-"), "papermill's archive is there too: {engine}");
    let cells = ["print('from a release')", Notebook::GATE, "print('after the update')"];
    shell.instance(&Notebook::of(&cells)).await;
    let execution = shell.starts_a_run().await;
    let before = (code(&shell).await, shell.output("RunnerKey").await);
    updated(world, &shell).await;
    let after = (code(&shell).await, shell.output("RunnerKey").await);
    assert!(after.0 != before.0 && after.1 != before.1, "the functions and the runner are the new ones: {before:?}");
    let counts = shell.types(&format!("aws s3 cp s3://{bucket}/runner.sha256 - | cat")).await;
    let (sha256, file) = counts.split_once("  ").expect("a line as sha256sum prints it");
    assert_eq!((format!("artifacts/{file}"), sha256), (after.1, &*shell.output("RunnerSha256").await));
    world.open_gate("released");

    let outcome = ended(world, &execution).await;
    assert_eq!(outcome["status"], "SUCCEEDED", "{outcome}");
    assert_eq!(outcome["runnerVersion"], reveille_domain::VERSION, "{outcome}");
    let notebook = outcome["outputs"]["notebook"].as_str().unwrap_or_else(|| panic!("{outcome}")).to_owned();
    assert!(notebook.starts_with(&format!("s3://{bucket}/runs/released/")), "{notebook}");
    let executed = shell.types(&format!("aws s3 cp {notebook} - | cat")).await;
    assert!(executed.contains("from a release") && executed.contains("after the update"), "{executed}");
    world.assert_at_rest("released", 1).await;
}

const DEPLOY: &str = "aws cloudformation deploy --stack-name released --template-file dist/template.yaml --s3-bucket my-artifacts \
                      --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND --parameter-overrides file://mine.json";

/// The code of one of the functions.
async fn code(shell: &Shell<'_>) -> String {
    let functions = "aws --endpoint-url \"$AWS_ENDPOINT_URL\" lambda list-functions --output text --query";
    let query = "\"Functions[?starts_with(FunctionName, 'released-VerifyStopped')].CodeSha256\"";
    let code = shell.types(&format!("{functions} {query}")).await;
    assert!(!code.is_empty(), "the function is there");
    code
}

/// The next release over the one that is deployed: other functions, and another definition.
async fn updated(world: &LocalAws, shell: &Shell<'_>) {
    released(world, &shell.folder, "0.0.2", "dist");
    let dist = shell.folder.join("dist");
    let definition = fs::read_dir(&dist).unwrap().flatten().map(|entry| entry.path());
    let definition = definition.into_iter().find(|path| path.to_string_lossy().ends_with(".asl.json")).unwrap();
    let text = fs::read_to_string(&definition).unwrap();
    let changed = text.replacen("\"Comment\": \"", "\"Comment\": \"The next version. ", 1);
    assert_ne!(changed, text);
    fs::write(&definition, changed).unwrap();
    shell.types("aws s3 cp dist/ s3://my-artifacts/reveille/ --recursive").await;
    shell.types(DEPLOY).await;
    assert!(shell.definition().await.contains("The next version."), "the definition is the new one");
}

/// Spaces and braces of the example's values are in the stack as they are in the file.
pub async fn values_arrived(shell: &Shell<'_>) {
    let rules = "aws --endpoint-url \"$AWS_ENDPOINT_URL\" events list-rules --query 'Rules[].[Name,ScheduleExpression]' --output text";
    let rules = shell.types(rules).await;
    let rule = rules
        .lines()
        .find(|line| line.starts_with(shell.stack) && line.ends_with("cron(0 6 ? * MON-FRI *)"))
        .unwrap_or_else(|| panic!("no such schedule: {rules}"));
    let name = rule.split('\t').next().unwrap();
    let targets =
        format!("aws --endpoint-url \"$AWS_ENDPOINT_URL\" events list-targets-by-rule --rule {name} --output json");
    let targets: Value = serde_json::from_str(&shell.types(&targets).await).unwrap();
    let input = targets["Targets"][0]["InputTransformer"]["InputTemplate"].as_str().unwrap();
    for value in [
        r#""parameters": {"day": "{{ date }}", "regions": ["eu", "us"]}"#,
        r#""notebook": "reports/daily report.ipynb""#,
        r#""limits": {"runSeconds": 3600, "startSeconds": 1800}"#,
    ] {
        assert!(input.contains(value), "{value} is not in {input}");
    }
}

/// The output of an execution that succeeds.
pub async fn ended(world: &LocalAws, execution: &str) -> Value {
    let answer = until_ended(world, execution).await;
    match answer.status().as_str() {
        "SUCCEEDED" => serde_json::from_str(answer.output().expect("an output")).unwrap(),
        other => panic!("{other}: {:?} {:?}", answer.error(), answer.cause()),
    }
}

/// The status, the error and the cause of an execution that failed.
pub async fn stopped(world: &LocalAws, execution: &str) -> (String, String, String) {
    let answer = until_ended(world, execution).await;
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    (answer.status().as_str().to_owned(), text(answer.error()), text(answer.cause()))
}

async fn until_ended(world: &LocalAws, execution: &str) -> DescribeExecutionOutput {
    loop {
        let call = world.local().clients().sfn.describe_execution().execution_arn(execution);
        let answer = call.send().await.expect("the execution is there");
        if answer.status().as_str() != "RUNNING" {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}
