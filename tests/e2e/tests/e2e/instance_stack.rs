//! `infra/instance.yaml` as a stack: its instance runs notebooks with the role, the policy and the script of the template.

use reveille_e2e_tests::{LocalAws, Notebook, until};
use reveille_instance_model::Command;

use crate::Scenario;
use crate::stacks::{deploy, typed};

pub const ALL: &[Scenario] =
    &[("instance_stack::an_instance_of_the_template_runs_a_notebook", |h, w| h.block_on(runs(w)))];

const NAME: &str = "of-the-template";

async fn described(world: &LocalAws, member: &str) -> String {
    let describe = format!("aws sagemaker describe-notebook-instance --notebook-instance-name {NAME}");
    typed(world, &format!("{describe} --query {member} --output text")).await
}

async fn runs(world: &LocalAws) {
    let local = world.local();
    let parameters =
        format!("InstanceName={NAME} RunsBucket={} 'OnStartCommands=export PIP_MARK=set' ", local.bucket());
    deploy(world, NAME, "instance.yaml", &format!("{parameters} --capabilities CAPABILITY_IAM")).await;
    assert_eq!(world.status(NAME).await, "InService", "a creation waits for the first boot");
    // A boot reads the bucket and calls the services: they answer while CloudFormation waits for it.
    let log = local.service().machine(NAME).root().join("var/log/reveille-on-start.log");
    let log = std::fs::read_to_string(log).expect("the on-start log");
    assert!(log.contains("the runner is ready"), "{log}");
    let settings = "[InstanceType,VolumeSizeInGB,RootAccess,NotebookInstanceLifecycleConfigName]";
    assert_eq!(described(world, settings).await, format!("ml.t3.medium\t20\tEnabled\treveille-{NAME}"));
    let version = "InstanceMetadataServiceConfiguration.MinimumInstanceMetadataServiceVersion";
    assert_eq!(described(world, version).await, "2");
    world.by_hand(Command::Stop { name: NAME.to_owned() });
    world.until_status(NAME, "Stopped").await;

    world.put_notebook(NAME, "run.ipynb", &Notebook::of(&["import os\nassert os.environ['PIP_MARK'] == 'set'"]));
    let run = world.run(NAME).await;
    run.assert_succeeded(NAME).await;
    world.assert_at_rest(NAME, 1).await;
    let calls = local.role_calls().unwrap();
    let role = format!(":role/{NAME}-Role-");
    assert!(calls.iter().any(|call| call.role.contains(&role) && call.action == "states:SendTaskSuccess"));

    let update = format!("{parameters} RootAccess=Disabled --capabilities CAPABILITY_IAM");
    deploy(world, NAME, "instance.yaml", &update).await;
    assert_eq!(described(world, "[RootAccess,NotebookInstanceStatus]").await, "Disabled\tStopped");
    typed(world, &format!("aws cloudformation delete-stack --stack-name {NAME}")).await;
    world.until_status(NAME, "Gone").await;
    let list = "aws sagemaker list-notebook-instance-lifecycle-configs --query 'NotebookInstanceLifecycleConfigs[].NotebookInstanceLifecycleConfigName' --output text";
    until("the lifecycle configuration to be gone", async || (!typed(world, list).await.contains(NAME)).then_some(()))
        .await;
}
