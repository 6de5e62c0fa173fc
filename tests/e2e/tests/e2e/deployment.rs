//! What runs here is what users deploy.

use reveille_e2e_tests::LocalAws;
use serde_json::Value;

use crate::Scenario;

pub const ALL: &[Scenario] =
    &[("deployment::what_is_deployed_is_the_template", |h, w| h.block_on(deployed_is_the_template(w)))];

/// The engine's own copy of the template is the checkout's, but for the locations of the artifacts.
async fn deployed_is_the_template(world: &LocalAws) {
    let output = tokio::process::Command::new(world.local().project().tools().join("aws"))
        .args(["cloudformation", "get-template", "--stack-name", "reveille", "--template-stage", "Original"])
        .args(["--query", "TemplateBody", "--output", "json"])
        .envs(world.local().environment())
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let body: Value = serde_json::from_slice(&output.stdout).unwrap();
    let deployed = match body.as_str() {
        Some(text) => reveille_contract_tests::parse_template(text),
        None => body,
    };
    let mut deployed = without_locations(deployed);
    let mut ours = without_locations(reveille_contract_tests::template("infra/template.yaml"));
    for section in ["Parameters", "Conditions", "Rules", "Resources", "Outputs", "Globals"] {
        assert_eq!(deployed[section].take(), ours[section].take(), "{section}");
    }
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
