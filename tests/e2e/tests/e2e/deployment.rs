//! What runs here is what users deploy.

use std::collections::BTreeSet;
use std::fs;

use reveille_e2e_tests::LocalAws;
use reveille_local::ARCHITECTURE;
use serde_json::{Value, json};

use crate::Scenario;
use crate::stacks::{aws, outputs_of, typed};

pub const ALL: &[Scenario] = &[
    ("deployment::what_is_deployed_is_the_template", |h, w| h.block_on(deployed_is_the_template(w))),
    ("deployment::a_stack_has_what_its_conditions_say", |h, w| h.block_on(conditions_hold(w))),
];

/// The engine's own copy of the template is the checkout's, but for the locations of the artifacts.
async fn deployed_is_the_template(world: &LocalAws) {
    let mut deployed = without_locations(deployed(world).await);
    let mut ours = without_locations(reveille_contract_tests::template("infra/template.yaml"));
    for section in ["Parameters", "Conditions", "Rules", "Resources", "Outputs", "Globals"] {
        assert_eq!(deployed[section].take(), ours[section].take(), "{section}");
    }
}

/// The template of the stack of these tests.
async fn deployed(world: &LocalAws) -> Value {
    let get = "cloudformation get-template --stack-name reveille --template-stage Original --query TemplateBody";
    match aws(world, get).await {
        Value::String(text) => reveille_contract_tests::parse_template(&text),
        body => body,
    }
}

/// What is only made if it is asked for.
const OPTIONAL: [&str; 5] =
    ["InstallRunnerFunction", "InstalledRunner", "PublishProgressFunction", "ObjectCreatedRule", "NotificationMail"];

/// As `sam build` and `sam deploy` deploy a checkout (docs/release.md): its template names no runner, and asks for nothing more.
async fn conditions_hold(world: &LocalAws) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("template.json");
    let mut template = deployed(world).await;
    for part in ["Runner", "Engine"] {
        template["Mappings"]["Release"][part] = json!({"File": "none", "Sha256": "none"});
    }
    fs::write(&file, template.to_string()).unwrap();
    aws(world, "s3api create-bucket --bucket checkout-artifacts").await;
    let deploy = format!(
        "aws cloudformation deploy --cli-read-timeout 0 --stack-name checkout --template-file {} --s3-bucket checkout-artifacts \
         --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND --parameter-overrides Architecture={}",
        file.display(),
        ARCHITECTURE,
    );
    typed(world, &deploy).await;
    let resources = aws(
        world,
        "cloudformation list-stack-resources --stack-name checkout --query StackResourceSummaries[].LogicalResourceId",
    )
    .await;
    let resources: BTreeSet<&str> = resources.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert!(resources.contains("AdmitRunFunction"), "{resources:?}");
    for optional in OPTIONAL {
        assert!(!resources.contains(optional), "{optional} is in {resources:?}");
    }
    assert!(!outputs_of(world, "checkout").await.contains_key("RunnerKey"), "no runner was installed");

    // What a change is about is told before it is made: `reveille deploy` shows it.
    let change = "cloudformation create-change-set --stack-name checkout --change-set-name more --use-previous-template \
                  --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND --parameters ParameterKey=PublishProgress,ParameterValue=true";
    aws(world, change).await;
    let changes = aws(world, "cloudformation describe-change-set --stack-name checkout --change-set-name more --query Changes[].ResourceChange").await;
    let added: BTreeSet<&str> = changes
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["Action"] == "Add")
        .map(|it| it["LogicalResourceId"].as_str().unwrap())
        .collect();
    let expected = OPTIONAL.into_iter().filter(|name| added.contains(name)).collect::<Vec<_>>();
    assert_eq!(expected, ["PublishProgressFunction"], "{added:?}");
    typed(world, "aws cloudformation delete-stack --stack-name checkout").await;
    typed(world, "aws cloudformation wait stack-delete-complete --stack-name checkout").await;
}

fn without_locations(mut template: Value) -> Value {
    for (_, resource) in template["Resources"].as_object_mut().unwrap() {
        for location in ["CodeUri", "DefinitionUri"] {
            if let Some(properties) = resource["Properties"].as_object_mut() {
                properties.remove(location);
            }
        }
    }
    template
}
