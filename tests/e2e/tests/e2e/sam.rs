//! A release that the SAM CLI deploys, changes and deletes, by the commands of docs/release.md.

use std::{fs, path::PathBuf};

use reveille_contract_tests::{functions, template};
use reveille_e2e_tests::{LocalAws, Notebook};

use crate::Scenario;
use crate::release::{Shell, ended, released, values_arrived};

pub const ALL: &[Scenario] = &[
    ("sam::a_release_is_deployed_changed_under_a_run_and_deleted", |h, w| h.block_on(deployed_and_deleted(w))),
    ("sam::a_release_is_packaged_to_be_published", |h, w| h.block_on(packaged(w))),
];

/// The stack, and the instance of its run.
const STACK: &str = "by-sam";
/// As docs/release.md has it.
const DEPLOY: &str = "sam deploy --template-file dist/template.yaml --config-file \"$PWD/samconfig.toml\"";
/// What lists what a stack made, by its name in the names.
const LISTS: [(&str, &str); 9] = [
    ("functions", "lambda list-functions --query Functions[].FunctionName"),
    ("state machines", "stepfunctions list-state-machines --query stateMachines[].name"),
    ("rules", "events list-rules --query Rules[].Name"),
    ("queues", "sqs list-queues --query QueueUrls"),
    ("topics", "sns list-topics --query Topics[].TopicArn"),
    ("roles", "iam list-roles --query Roles[].RoleName"),
    ("parameters", "ssm describe-parameters --query Parameters[].Name"),
    ("logs", "logs describe-log-groups --query logGroups[].logGroupName"),
    ("stacks", "cloudformation list-stacks --query StackSummaries[?StackStatus!='DELETE_COMPLETE'].StackName"),
];

/// The SAM CLI, where `make sam` or `make test` installs it.
fn sam() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/sam-venv/bin/sam"))
}

/// Why the scenarios of this file are not run, if they are not.
pub fn skipped() -> Option<String> {
    (!sam().is_file()).then(|| "SAM scenarios are left out: `make sam` installs the SAM CLI, and runs them".to_owned())
}

/// A folder with a release of that version, and a shell in it that finds the SAM CLI.
fn shell<'a>(world: &'a LocalAws, folder: &tempfile::TempDir, version: &str) -> Shell<'a> {
    released(world, folder.path(), version, "dist");
    let mut shell = Shell::new(world, folder.path(), STACK);
    shell.finds("sam", &sam());
    // Nothing about whoever runs the tests is told to anybody.
    shell.knows("SAM_CLI_TELEMETRY", "0");
    shell
}

/// The copy of the example, as its reader changes it: the bucket, and parameters. The stack's name is another here, because the local AWS has one
/// of that name, and polls suit a local instance.
fn configure(shell: &Shell<'_>, heartbeat: u32) {
    let example = fs::read_to_string(shell.folder.join("dist/samconfig.toml")).unwrap();
    let mine = example
        .replace("my-artifacts", "sam-artifacts")
        .replace("stack_name = \"reveille\"", &format!("stack_name = \"{STACK}\""))
        .replace(
            "\n]",
            &format!("\n  'StartPollSeconds=1',\n  'StopPollSeconds=1',\n  'HeartbeatSeconds={heartbeat}',\n]"),
        );
    assert!(mine.contains("sam-artifacts") && mine.contains(STACK) && mine.contains("'HeartbeatSeconds="), "{mine}");
    fs::write(shell.folder.join("samconfig.toml"), mine).unwrap();
}

async fn deployed_and_deleted(world: &LocalAws) {
    let folder = tempfile::tempdir().unwrap();
    let shell = shell(world, &folder, "0.2.1");
    configure(&shell, 30);
    let valid = shell.types("sam validate --lint --template-file dist/template.yaml").await;
    assert!(valid.contains("is a valid SAM Template"), "{valid}");
    // docs/release.md: "`sam build` has nothing to build either, and says so".
    let built = shell.types("sam build --template-file dist/template.yaml 2>&1").await;
    let functions = functions(&template("infra/template.yaml")).len();
    assert_eq!(built.matches("It will not be built").count(), functions, "each function: {built}");
    shell.types("aws s3 mb s3://sam-artifacts").await;
    shell.types("aws s3 cp dist/ s3://sam-artifacts/reveille/ --recursive").await;
    shell.types(DEPLOY).await;
    values_arrived(&shell).await;
    let bucket = shell.output("RunsBucketName").await;

    shell.instance(&Notebook::of(&["print('by sam')", Notebook::GATE])).await;
    let execution = shell.starts_a_run().await;
    assert!(shell.definition().await.contains("{% 30 %}"), "the parameter is in the definition");
    configure(&shell, 31);
    shell.types(DEPLOY).await;
    assert!(shell.definition().await.contains("{% 31 %}"), "the changed parameter is in the definition");
    values_arrived(&shell).await;
    world.open_gate(STACK);
    let outcome = ended(world, &execution).await;
    assert_eq!(outcome["status"], "SUCCEEDED", "{outcome}");
    world.assert_at_rest(STACK, 1).await;

    for (what, made) in made(&shell).await {
        assert!(!made.is_empty(), "the stack has no {what}: what would be left of them is not seen");
    }
    let unchanged = shell.tried(DEPLOY).await.unwrap_err();
    assert!(unchanged.contains("No changes to deploy"), "{unchanged}");
    shell.types(&format!("sam delete --no-prompts --region us-east-1 --stack-name {STACK}")).await;
    for (what, left) in made(&shell).await {
        assert!(left.is_empty(), "of the stack's {what} are left: {left:?}");
    }
    let kept = shell.types(&format!("aws s3 ls s3://{bucket}/runs/{STACK}/ --recursive")).await;
    assert!(kept.contains("/outcome.json"), "what a run left is kept: {kept}");
    let release = shell.types("aws s3 ls s3://sam-artifacts/reveille/").await;
    assert!(release.contains("reveille-runner-") && release.contains("functions-"), "the release is kept: {release}");
}

/// What there is of the stack, by what it is.
async fn made(shell: &Shell<'_>) -> Vec<(&'static str, Vec<String>)> {
    let mut made = Vec::new();
    for (what, list) in LISTS {
        let named =
            shell.types(&format!("aws --endpoint-url \"$AWS_ENDPOINT_URL\" {} --output text", quoted(list))).await;
        made.push((what, named.split_whitespace().filter(|name| name.contains(STACK)).map(str::to_owned).collect()));
    }
    made
}

/// Its last word is a query, in which a shell would find patterns.
fn quoted(list: &str) -> String {
    let (command, query) = list.rsplit_once(' ').expect("a query");
    format!("{command} \"{query}\"")
}

/// What `sam publish` hands to the Serverless Application Repository: places that are literal, the licence and the page.
async fn packaged(world: &LocalAws) {
    let folder = tempfile::tempdir().unwrap();
    let shell = shell(world, &folder, "0.2.2");
    let valid = shell.types("sam validate --lint --template-file dist/serverlessrepo.yaml").await;
    assert!(valid.contains("is a valid SAM Template"), "{valid}");
    shell.types("aws s3 mb s3://sam-published").await;
    shell
        .types("sam package --template-file dist/serverlessrepo.yaml --s3-bucket sam-published --output-template-file packaged.yaml")
        .await;
    let text = fs::read_to_string(shell.folder.join("packaged.yaml")).unwrap();
    let template = reveille_contract_tests::parse_template(&text);
    let application = &template["Metadata"]["AWS::ServerlessRepo::Application"];
    assert_eq!(application["SemanticVersion"], reveille_domain::VERSION, "{application}");
    let mut places = vec![&application["LicenseUrl"], &application["ReadmeUrl"]];
    for resource in template["Resources"].as_object().unwrap().values() {
        match resource["Type"].as_str() {
            Some("AWS::Serverless::Function") => places.push(&resource["Properties"]["CodeUri"]),
            Some("AWS::Serverless::StateMachine") => {
                let place = &resource["Properties"]["DefinitionUri"];
                places.extend([&place["Bucket"], &place["Key"]]);
            }
            _ => {}
        }
    }
    assert!(places.len() > 10, "{places:?}");
    for place in &places {
        assert!(place.is_string(), "a place with intrinsics: {place}");
    }
    for uploaded in places.iter().filter_map(|place| place.as_str()).filter(|place| place.starts_with("s3://")) {
        shell.types(&format!("aws s3 cp {uploaded} - | cat > /dev/null")).await;
    }
}
