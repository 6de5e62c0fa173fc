//! The `reveille` command: an instance that somebody has gets the runner, runs a notebook, keeps its own script, and is itself again afterwards.

use reveille_e2e_tests::{LocalAws, Notebook};
use serde_json::Value;

use crate::Scenario;
use crate::command::{answered, ended, refused, reveille, said};
use crate::stacks::{aws, typed};

pub const ALL: &[Scenario] =
    &[("command_attach::an_instance_gets_the_runner_and_is_itself_again", |h, w| h.block_on(attached(w)))];

const NAME: &str = "command-attached";
const OWN: &str = "command-own";
const STACK: &str = "reveille-command-attached";

/// As somebody has it: a role, and a script with an option in its first line that ends by itself, with what is no script behind it.
async fn made_by_hand(world: &LocalAws) {
    let script = "#!/bin/bash -e\nmkdir -p \"$REVEILLE_ROOT/var/log\"\necho own >>\"$REVEILLE_ROOT/var/log/own.log\"\nexit 0\nThat's all.\n";
    let file = world.local().directory().join("own-script.sh");
    std::fs::write(&file, script).unwrap();
    let hook = format!("Content=$(base64 -w0 '{}')", file.display());
    typed(world, &format!("aws sagemaker create-notebook-instance-lifecycle-config --notebook-instance-lifecycle-config-name {OWN} --on-start \"{hook}\"")).await;
    let trust = r#"{"Version":"2012-10-17","Statement":[]}"#;
    typed(world, &format!("aws iam create-role --role-name {NAME} --assume-role-policy-document '{trust}'")).await;
    let create = format!(
        "aws sagemaker create-notebook-instance --notebook-instance-name {NAME} --instance-type ml.t3.medium \
         --platform-identifier notebook-al2023-v1 --role-arn arn:aws:iam::000000000000:role/{NAME} --lifecycle-config-name {OWN}"
    );
    typed(world, &create).await;
    world.until_status(NAME, "InService").await;
}

async fn configuration(world: &LocalAws) -> String {
    let describe = format!("aws sagemaker describe-notebook-instance --notebook-instance-name {NAME}");
    typed(world, &format!("{describe} --query NotebookInstanceLifecycleConfigName --output text")).await
}

async fn policies(world: &LocalAws) -> usize {
    let list = aws(world, &format!("iam list-attached-role-policies --role-name {NAME}")).await;
    list["AttachedPolicies"].as_array().unwrap().len()
}

async fn attached(world: &LocalAws) {
    made_by_hand(world).await;
    let attach = ["attach", NAME, "--yes"];
    refused(world, &["attach", NAME], 2, "nobody can answer here").await;
    refused(world, &["attach", "command-atached", "--yes"], 5, "did you mean command-attached?").await;
    // Nobody's session is stopped, and nothing is made that would wait for it.
    refused(world, &attach, 1, "command-attached is InService").await;
    let stacks = aws(world, "cloudformation describe-stacks --query Stacks[].StackName").await;
    assert!(!stacks.as_array().unwrap().contains(&STACK.into()), "{stacks}");
    typed(world, &format!("aws sagemaker stop-notebook-instance --notebook-instance-name {NAME}")).await;
    world.until_status(NAME, "Stopped").await;

    let shown = reveille(world, &["attach", NAME, "--dry-run"]).await;
    ended(&shown, 0);
    let screen = said(&shown);
    for part in [
        "\n  stack                reveille-command-attached (is made)\n",
        "\n  configuration        command-own -> reveille-command-attached\n",
        "\n  its on-start script  goes on: it runs first, in a shell of its own",
        "\n  role                 command-attached gets the runner's policy\n",
    ] {
        assert!(screen.contains(part), "{part}: {screen}");
    }
    assert_eq!((configuration(world).await, policies(world).await), (OWN.into(), 0));
    let made = reveille(world, &attach).await;
    ended(&made, 0);
    let screen = said(&made);
    assert!(
        screen.contains("✓ command-attached has the lifecycle configuration reveille-command-attached"),
        "{screen}"
    );
    assert!(screen.ends_with("Next: reveille doctor command-attached\n"), "{screen}");
    assert_eq!((configuration(world).await, policies(world).await), (STACK.into(), 1));
    // Once more changes nothing.
    let again = reveille(world, &attach).await;
    ended(&again, 0);
    assert!(said(&again).contains("has everything already"), "{}", said(&again));
    let answer = answered(world, &attach).await;
    assert_eq!((&answer["attaches"], &answer["lifecycleConfiguration"]), (&false.into(), &STACK.into()), "{answer}");

    let doctor = reveille(world, &["doctor", NAME, "--output", "json"]).await;
    let findings: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    for check in ["lifecycleConfiguration", "onStartScript", "scriptSize", "scriptStack", "runner", "platform"] {
        let finding = findings.as_array().unwrap().iter().find(|it| it["check"] == check && it["about"] == NAME);
        assert_eq!(finding.map(|it| &it["verdict"]), Some(&"ok".into()), "{check}: {findings}");
    }
    world.put_notebook(NAME, "run.ipynb", &Notebook::of(&["print('attached')"]));
    let run = world.run(NAME).await;
    run.assert_succeeded(NAME).await;
    let log = world.local().service().machine(NAME).root().join("var/log/own.log");
    let own = std::fs::read_to_string(log).expect("the own script ran");
    assert!(own.lines().count() >= 1, "{own}");

    // `attached` of the stack `reveille-command` leads to a stack of the same name.
    let others = ["detach", "attached", "--stack", "reveille-command", "--yes"];
    refused(world, &others, 1, "is that of another instance, command-attached").await;
    let answer = answered(world, &["detach", NAME, "--yes"]).await;
    assert_eq!((&answer["lifecycleConfiguration"], &answer["deletesStack"]), (&OWN.into(), &true.into()), "{answer}");
    assert_eq!((configuration(world).await, policies(world).await), (OWN.into(), 0));
    let stacks = aws(world, "cloudformation describe-stacks --query Stacks[].StackName").await;
    assert!(!stacks.as_array().unwrap().contains(&STACK.into()), "{stacks}");
    let again = reveille(world, &["detach", NAME, "--yes"]).await;
    ended(&again, 0);
    assert!(said(&again).contains("has no runner of this stack"), "{}", said(&again));
}
