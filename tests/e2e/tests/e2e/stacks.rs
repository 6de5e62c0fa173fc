//! The small stacks of triggers, deployed as whoever uses them types it, and a run through each.

use std::time::Duration;

use reveille_e2e_tests::{Notebook, Run, World};
use serde_json::json;

use crate::Scenario;

pub const ALL: &[Scenario] = &[
    ("stacks::an_upload_starts_a_run_and_its_success_the_next", |h, w| h.block_on(upload_and_next(w))),
    ("stacks::a_schedule_of_scheduler_starts_a_run", |h, w| h.block_on(schedule(w))),
];

/// What bash prints of a command that succeeds.
async fn typed(world: &World, command: &str) -> String {
    let output = world.type_in(command).await;
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn deploy(world: &World, stack: &str, template: &str, parameters: &str) {
    let command = format!(
        "aws cloudformation deploy --stack-name {stack} --template-file infra/{template} --parameter-overrides {parameters}"
    );
    typed(world, &command).await;
}

/// Waits for an execution of a notebook on an instance.
async fn execution_of<'a>(world: &'a World, instance: &str, notebook: &str) -> Run<'a> {
    loop {
        for run in world.executions_of(instance).await {
            if run.input().await["notebook"] == notebook {
                return run;
            }
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

async fn upload_and_next(world: &World) {
    world.instance("chained").await;
    let first = Notebook::of(&["print(source)"]).with_parameters("source = None");
    world.put_notebook("chained", "first.ipynb", &first);
    let second = Notebook::of(&["print('day', day)"]).with_parameters("day = None");
    world.put_notebook("chained", "second.ipynb", &second);
    let bucket = world.local().trigger_bucket();
    let upload = format!("Bucket={bucket} Prefix=chain/ Suffix=.csv Instance=chained Notebook=first.ipynb");
    deploy(world, "chain-upload", "trigger-upload.yaml", &upload).await;
    let next = "AfterInstance=chained AfterNotebook=first.ipynb Instance=chained Notebook=second.ipynb";
    deploy(world, "chain-run", "trigger-run.yaml", &format!("{next} 'Parameters={{\"day\": \"{{{{ date }}}}\"}}'"))
        .await;

    world.put_object(bucket, "chain/a.txt", b"a").await;
    world.put_object(bucket, "chain/a b.csv", b"a,b\n1,2\n").await;
    let first = execution_of(world, "chained", "first.ipynb").await;
    first.assert_succeeded("chained").await;
    let request = first.record("chained", "request.json").await.unwrap();
    assert_eq!(request["parameters"], json!({"source": format!("s3://{bucket}/chain/a b.csv")}));
    let next = execution_of(world, "chained", "second.ipynb").await;
    next.assert_succeeded("chained").await;
    let mut input = next.input().await;
    assert_eq!(input["event"]["detail"]["executionArn"], first.arn);
    let day = input["event"]["time"].as_str().unwrap()[..10].to_owned();
    assert!(next.text("chained", "1/output.ipynb").await.unwrap().contains(&format!("day {day}")));

    // ConcludeRun, tried again, publishes again: EventBridge gives that event another id.
    input["event"]["id"] = "published-again".into();
    let again = world.start_execution(&input).await.ended().await;
    assert_eq!((again.status.as_str(), &again.output["heldBy"]), ("SUCCEEDED", &json!(next.arn)));

    deploy(world, "chain-upload", "trigger-upload.yaml", &format!("{upload} State=DISABLED")).await;
    let rule = "aws cloudformation describe-stacks --stack-name chain-upload --query 'Stacks[0].Outputs[0].OutputValue' --output text";
    let state =
        typed(world, &format!("aws events describe-rule --name \"$({rule})\" --query State --output text")).await;
    assert_eq!(state, "DISABLED", "the trigger is paused");
    world.until_status("chained", "Stopped").await;
}

async fn schedule(world: &World) {
    let notebook = Notebook::of(&["print('due', due)"]).with_parameters("due = None");
    world.instance_with("by-scheduler", &notebook).await;
    let due = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%S").to_string();
    let parameters = format!(
        "'ScheduleExpression=at({due})' TimeZone=UTC Instance=by-scheduler Notebook=run.ipynb 'Parameters={{\"due\": \"{{{{ time }}}}\"}}'"
    );
    deploy(world, "once", "trigger-schedule.yaml", &parameters).await;
    let run = execution_of(world, "by-scheduler", "run.ipynb").await;
    run.assert_succeeded("by-scheduler").await;
    let input = run.input().await;
    assert_eq!(input["event"]["time"], format!("{due}Z"));
    let schedule = input["event"]["resources"][0].as_str().unwrap();
    assert!(schedule.contains(":schedule/default/once-"), "{schedule}");
    assert!(run.text("by-scheduler", "1/output.ipynb").await.unwrap().contains(&format!("due {due}Z")));

    let again = world.start_execution(&input).await.ended().await;
    assert_eq!((again.status.as_str(), &again.output["heldBy"]), ("SUCCEEDED", &json!(run.arn)));
    world.assert_at_rest("by-scheduler", 1).await;
}
