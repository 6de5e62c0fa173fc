//! `reveille doctor` on what another version left: a stack with other outputs, parts and definition, and what its runs and leases say. A small
//! stack imitates it: its state machine ends as its input says.

use chrono::Utc;
use reveille_domain::{RunId, records::Lease};
use reveille_e2e_tests::{LocalAws, until};
use serde_json::{Value, json};

use crate::Scenario;
use crate::command_doctor::{doctor, found};
use crate::stacks::{aws, outputs_of, typed};

pub const ALL: &[Scenario] = &[("command_doctor_versions::what_another_version_left_is_found", |h, w| {
    h.block_on(another_version(w));
})];

/// The stack, and its instance.
const STACK: &str = "doctor-older";

async fn another_version(world: &LocalAws) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("template.json");
    std::fs::write(&file, template().to_string()).unwrap();
    let deploy =
        format!("aws cloudformation deploy --stack-name {STACK} --capabilities CAPABILITY_IAM --template-file");
    typed(world, &format!("{deploy} {}", file.display())).await;
    let outputs = outputs_of(world, STACK).await;
    instance(world).await;
    runs(world, &outputs["StateMachineArn"]).await;
    // Whose boot it is, says a run that is gone.
    let lease = Lease::starting(&RunId::from_key("gone-1"), "n".to_owned(), None, Utc::now());
    let lease = serde_json::to_vec(&lease).unwrap();
    world.put_object(&outputs["RunsBucketName"], &format!("leases/{STACK}.json"), &lease).await;

    let (findings, code) = doctor(world, &[STACK, "--stack", STACK]).await;
    assert_eq!(code, 3);
    found(&findings, None, "stackOutputs", "warn", "docs/upgrade.md");
    found(&findings, None, "stackParts", "fail", "the stack has no AdmitRunFunction");
    found(&findings, Some(STACK), "runnerVersion", "warn", "used runner 0.0.9");
    found(&findings, Some(STACK), "papermill", "fail", "docs/errors/Internal.md#causes");
    found(&findings, Some(STACK), "network", "fail", "no runner took its newest run");
    found(&findings, Some(STACK), "inUse", "warn", "cannot tell whether gone-1");

    let sagemaker = &world.local().clients().sagemaker;
    sagemaker.stop_notebook_instance().notebook_instance_name(STACK).send().await.unwrap();
    world.until_status(STACK, "Stopped").await;
    typed(world, &format!("aws cloudformation delete-stack --stack-name {STACK}")).await;
}

fn template() -> Value {
    let fails = json!({"Variable": "$.fails", "IsPresent": true, "Next": "Failed"});
    let definition = json!({"StartAt": "AsItSays", "States": {
        "AsItSays": {"Type": "Choice", "Choices": [fails], "Default": "Succeeded"},
        "Failed": {"Type": "Fail", "ErrorPath": "$.fails.error", "CausePath": "$.fails.cause"},
        "Succeeded": {"Type": "Pass", "InputPath": "$.outcome", "End": true},
    }});
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    json!({
        "Resources": {
            "RunsBucket": {"Type": "AWS::S3::Bucket"},
            "NotebookRunRole": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}},
            "NotebookRun": {"Type": "AWS::StepFunctions::StateMachine", "Properties": {
                "RoleArn": {"Fn::GetAtt": ["NotebookRunRole", "Arn"]}, "DefinitionString": definition.to_string()}},
        },
        "Outputs": {
            "StateMachineArn": {"Value": {"Ref": "NotebookRun"}},
            "RunsBucketName": {"Value": {"Ref": "RunsBucket"}},
        },
    })
}

/// On, in a subnet, and without a script that would start today's runner.
async fn instance(world: &LocalAws) {
    let create =
        format!("sagemaker create-notebook-instance --notebook-instance-name {STACK} --instance-type ml.t3.medium");
    let role = "--role-arn arn:aws:iam::000000000000:role/doctor-older";
    let subnet = "--subnet-id subnet-1 --direct-internet-access Disabled";
    typed(world, &format!("aws {create} {role} {subnet}")).await;
    world.until_status(STACK, "InService").await;
}

/// What ran there, the oldest first: a run by an older runner, one without papermill, and one that no runner took.
async fn runs(world: &LocalAws, machine: &str) {
    let outcome = json!({"run": "daily-1", "attempt": 1, "status": "SUCCEEDED", "runnerVersion": "0.0.9", "outputs": {}, "phases": {},
        "instanceAfter": "atRest", "executionArn": "arn", "redriveCount": 0, "concludedAt": Utc::now()});
    let failed = |error: &str, message: &str| {
        let cause = json!({"errorType": error, "errorMessage": message}).to_string();
        json!({"fails": {"error": error, "cause": cause}})
    };
    for (name, ends) in [
        ("older", json!({"outcome": outcome})),
        ("no-papermill", failed("Internal", "papermill does not work on notebook instance doctor-older")),
        ("silent", failed("RunnerSilent", "No runner on notebook instance doctor-older picked up the run.")),
    ] {
        let mut input = json!({"instance": STACK, "notebook": "run.ipynb"});
        input.as_object_mut().unwrap().extend(ends.as_object().unwrap().clone());
        let start = format!("stepfunctions start-execution --state-machine-arn {machine} --name {name}");
        let execution = aws(world, &format!("{start} --input '{input}' --query executionArn")).await;
        let describe = format!("stepfunctions describe-execution --execution-arn {}", execution.as_str().unwrap());
        let ended = async || (!aws(world, &format!("{describe} --query stopDate")).await.is_null()).then_some(());
        until("an execution that ends by itself", ended).await;
        // Lists order them by their second.
        tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    }
}
