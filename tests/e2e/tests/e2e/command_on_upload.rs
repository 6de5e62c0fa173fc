//! The `reveille` command: rules on uploads, read back by another client than the one that makes them, and one that fires.

use reveille_e2e_tests::{LocalAws, Notebook, until};
use serde_json::{Value, json};

use crate::Scenario;
use crate::command::{answered, complained, ended, refused, reveille, said};
use crate::stacks::{Queue, aws, outputs, queue};

pub const ALL: &[Scenario] = &[
    ("command_on_upload::a_rule_is_made_and_a_file_starts_its_run", |h, w| h.block_on(from_add_to_remove(w))),
    ("command_on_upload::a_wildcard_says_which_files_start_a_run", |h, w| h.block_on(by_wildcard(w))),
    ("command_on_upload::a_bucket_that_tells_others_goes_on_telling_them", |h, w| h.block_on(bucket_is_fixed(w))),
    ("command_on_upload::what_is_typed_wrong_makes_nothing", |h, w| h.block_on(typed_wrong(w))),
];

const ON: &str = "command-upload";
const NAME: &str = "new-orders";

async fn from_add_to_remove(world: &LocalAws) {
    let notebook = Notebook::of(&["print('got', source)"]).with_parameters("source = None");
    world.instance_with(ON, &notebook).await;
    let bucket = world.local().trigger_bucket();
    let add = ["on-upload", "add", "run.ipynb", "--on", ON, "--bucket", bucket, "--name", NAME];
    let keys = ["--prefix", "shop/", "--suffix", ".csv", "-p", "source", "s3://{{ bucket }}/{{ key }}"];
    let made = reveille(world, &[&add[..], &keys].concat()).await;
    ended(&made, 0);
    let screen = said(&made);
    let summary = format!("{NAME}: run.ipynb on {ON}\n  files       s3://{bucket}/shop/*.csv\n  parameters  source\n");
    assert!(screen.starts_with(&summary), "{screen}");
    assert!(screen.contains(&format!("Next: reveille on-upload test s3://{bucket}/shop/example.csv")), "{screen}");
    is_on_the_stack(world, bucket).await;

    // Which keys, before a file lands, and what the run would have.
    let tested = |key: String| async move {
        let test = reveille(world, &["on-upload", "test", &key, "--bucket", bucket, "--output", "json"]).await;
        let rules: Value = serde_json::from_slice(&test.stdout).unwrap_or_else(|_| panic!("no JSON: {}", said(&test)));
        let mine = rules.as_array().unwrap().iter().find(|rule| rule["name"] == NAME).expect("it is tested").clone();
        (test.status.code(), mine)
    };
    let (code, matched) = tested("shop/a b.csv".to_owned()).await;
    assert_eq!((code, &matched["starts"]), (Some(0), &json!(true)), "{matched}");
    assert_eq!(matched["parameters"], json!({"source": format!("s3://{bucket}/shop/a b.csv")}));
    for (key, why) in [("shop/a.txt", "does not end with .csv"), ("elsewhere/a.csv", "does not begin with shop/")] {
        let (code, missed) = tested(key.to_owned()).await;
        assert_eq!((code, &missed["starts"]), (Some(5), &json!(false)), "{missed}");
        assert!(missed["why"].as_str().unwrap().contains(why), "{missed}");
    }

    let paused = reveille(world, &["on-upload", "pause", NAME]).await;
    ended(&paused, 0);
    let (code, missed) = tested("shop/a.csv".to_owned()).await;
    assert_eq!(code, Some(5), "{missed}");
    assert!(missed["why"].as_str().unwrap().contains("it is paused"), "{missed}");
    let state = aws(world, &format!("events describe-rule --name {NAME} --query State")).await;
    assert_eq!(state, "DISABLED");
    for word in ["is on\n", "is already on\n"] {
        let resumed = reveille(world, &["on-upload", "resume", NAME]).await;
        ended(&resumed, 0);
        assert!(said(&resumed).contains(word), "{}", said(&resumed));
    }
    world.put_object(bucket, "shop/a b.txt", b"a").await;
    world.put_object(bucket, "shop/a b.csv", b"a,b\n").await;
    let run = until("the file's run", async || world.executions_of(ON).await.pop()).await;
    run.assert_succeeded(ON).await;
    assert_eq!(run.input().await["event"]["detail"]["object"]["key"], "shop/a b.csv");
    assert!(run.text(ON, "1/output.ipynb").await.unwrap().contains("/shop/a b.csv"));
    assert_eq!(world.executions_of(ON).await.len(), 1);

    let listed = answered(world, &["on-upload", "list", NAME]).await;
    assert_eq!(
        listed,
        json!([{"name": NAME, "enabled": true, "madeByCommand": true, "notebook": "run.ipynb", "instance": ON, "bucket": bucket,
            "prefix": "shop/", "suffix": ".csv", "wildcard": null, "problem": null}])
    );
    let table = said(&reveille(world, &["on-upload", "list"]).await);
    let line = table.lines().find(|line| line.starts_with(NAME)).expect("the rule has a line");
    assert!(line.contains(&format!(" {bucket}/shop/*.csv")), "{table}");

    let taken = reveille(world, &[&add[..], &keys].concat()).await;
    ended(&taken, 2);
    assert!(complained(&taken).contains("a rule new-orders already exists"), "{}", complained(&taken));
    let removed = reveille(world, &["on-upload", "remove", NAME]).await;
    ended(&removed, 0);
    assert_eq!(said(&removed), format!("removed {summary}"));
    let left = aws(world, &format!("events list-rules --name-prefix {NAME}")).await;
    assert_eq!(left["Rules"], json!([]));
    ended(&reveille(world, &["on-upload", "remove", NAME]).await, 5);

    // The stack's own trigger is in the list, and is not the command's to remove.
    let all = answered(world, &["on-upload", "list"]).await;
    let of_stack = all.as_array().unwrap().iter().find(|rule| rule["prefix"] == "incoming/").expect("the stack's own");
    let refused = reveille(world, &["on-upload", "remove", of_stack["name"].as_str().unwrap()]).await;
    ended(&refused, 1);
    assert!(complained(&refused).contains("was not made with"), "{}", complained(&refused));
}

/// EventBridge here, and the command by itself, agree on which keys match.
async fn by_wildcard(world: &LocalAws) {
    const ON: &str = "command-wildcard";
    const NAME: &str = "daily-orders";
    let notebook = Notebook::of(&["print('got', source)"]).with_parameters("source = None");
    world.instance_with(ON, &notebook).await;
    let bucket = world.local().trigger_bucket();
    let add = ["on-upload", "add", "run.ipynb", "--on", ON, "--bucket", bucket, "--name", NAME];
    let keys = ["--wildcard", "depot/*/daily-*.csv", "-p", "source", "s3://{{ bucket }}/{{ key }}"];
    let made = reveille(world, &[&add[..], &keys].concat()).await;
    ended(&made, 0);
    assert!(said(&made).contains(&format!("files       s3://{bucket}/depot/*/daily-*.csv\n")), "{}", said(&made));
    for (key, code, why) in [
        ("depot/north/daily-1.csv", 0, ""),
        ("depot/a/b/daily-.csv", 0, ""),
        ("depot/north/weekly-1.csv", 5, "does not match depot/*/daily-*.csv"),
        ("depot/daily-1.csv", 5, "does not match depot/*/daily-*.csv"),
    ] {
        let test = reveille(world, &["on-upload", "test", key, "--bucket", bucket, "--output", "json"]).await;
        let rules: Value = serde_json::from_slice(&test.stdout).unwrap_or_else(|_| panic!("no JSON: {}", said(&test)));
        let mine = rules.as_array().unwrap().iter().find(|rule| rule["name"] == NAME).expect("it is tested").clone();
        assert_eq!(mine["starts"], code == 0, "{key}: {mine}");
        assert!(mine["why"].as_str().unwrap_or_default().contains(why), "{key}: {mine}");
    }
    let listed = answered(world, &["on-upload", "list"]).await;
    let mine = listed.as_array().unwrap().iter().find(|rule| rule["name"] == NAME).expect("it is listed").clone();
    assert_eq!(mine["wildcard"], "depot/*/daily-*.csv", "{mine}");
    world.put_object(bucket, "depot/north/weekly-1.csv", b"1").await;
    world.put_object(bucket, "depot/north/daily-1.csv", b"1").await;
    let run = until("the file's run", async || world.executions_of(ON).await.pop()).await;
    run.assert_succeeded(ON).await;
    assert_eq!(run.input().await["event"]["detail"]["object"]["key"], "depot/north/daily-1.csv");
    assert_eq!(world.executions_of(ON).await.len(), 1);
    ended(&reveille(world, &["on-upload", "remove", NAME]).await, 0);
}

async fn is_on_the_stack(world: &LocalAws, bucket: &str) {
    let outputs = outputs(world).await;
    let targets = aws(world, &format!("events list-targets-by-rule --rule {NAME}")).await["Targets"].clone();
    assert_eq!(targets.as_array().unwrap().len(), 1, "{targets}");
    let target = &targets[0];
    assert_eq!(target["Arn"], outputs["StateMachineArn"]);
    assert_eq!(target["RoleArn"], outputs["EventsRoleArn"]);
    assert_eq!(target["DeadLetterConfig"]["Arn"], outputs["UndeliveredEventsArn"]);
    let rule = aws(world, &format!("events describe-rule --name {NAME}")).await;
    assert_eq!(rule["State"], "ENABLED");
    let pattern: Value = serde_json::from_str(rule["EventPattern"].as_str().unwrap()).unwrap();
    assert_eq!(pattern["detail"]["bucket"]["name"], json!([bucket]));
    let tags = aws(world, &format!("events list-tags-for-resource --resource-arn {}", rule["Arn"])).await;
    assert!(
        tags["Tags"].as_array().unwrap().contains(&json!({"Key": "reveille:stack", "Value": "reveille"})),
        "{tags}"
    );
}

/// A queue is told of the bucket's new objects: it still is, and so is EventBridge.
async fn bucket_is_fixed(world: &LocalAws) {
    world.instance("command-fixes").await;
    let bucket = "command-told";
    aws(world, &format!("s3api create-bucket --bucket {bucket}")).await;
    let Queue { url, arn: queue } = queue(world, "command-told").await;
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage", "Resource": queue}]});
    let policy = json!({"Policy": policy.to_string()});
    aws(world, &format!("sqs set-queue-attributes --queue-url {url} --attributes '{policy}'")).await;
    let told = json!({"QueueConfigurations": [{"Id": "theirs", "QueueArn": queue, "Events": ["s3:ObjectCreated:*"]}]});
    let put =
        format!("s3api put-bucket-notification-configuration --bucket {bucket} --notification-configuration '{told}'");
    aws(world, &put).await;

    let add = ["on-upload", "add", "run.ipynb", "--on", "command-fixes", "--bucket", bucket, "--name", "fixes"];
    let refused = reveille(world, &add).await;
    ended(&refused, 3);
    assert!(complained(&refused).contains("add --fix-bucket"), "{}", complained(&refused));
    let get = format!("s3api get-bucket-notification-configuration --bucket {bucket}");
    let before = aws(world, &get).await;
    assert!(before.get("EventBridgeConfiguration").is_none(), "{before}");
    let rules = aws(world, "events list-rules --name-prefix fixes").await;
    assert_eq!(rules["Rules"], json!([]), "no rule that nothing reaches");

    let made = reveille(world, &[&add[..], &["--fix-bucket"]].concat()).await;
    ended(&made, 0);
    assert!(complained(&made).contains("its other notification is unchanged"), "{}", complained(&made));
    let after = aws(world, &get).await;
    assert!(after.get("EventBridgeConfiguration").is_some(), "{after}");
    assert_eq!(after["QueueConfigurations"], before["QueueConfigurations"]);
    ended(&reveille(world, &["on-upload", "remove", "fixes"]).await, 0);
}

async fn typed_wrong(world: &LocalAws) {
    world.instance("command-not-on").await;
    let bucket = world.local().trigger_bucket();
    let runs = world.local().bucket();
    let add = |arguments: &[&str]| {
        let start = ["on-upload", "add", "run.ipynb", "--on", "command-not-on", "--name", "mistaken"];
        [&start[..], arguments].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let target = format!("target=s3://{bucket}/mine/out/");
    let s3 = format!("s3://{bucket}/");
    for (arguments, code, sentence) in [
        (add(&["--bucket", bucket, "--prefix", "a*"]), 2, "without an asterisk"),
        (add(&["--bucket", &s3]), 2, "is not a bucket's name"),
        (add(&["--bucket", runs]), 2, "the stack writes the outputs of its runs to"),
        (add(&["--bucket", bucket, "--prefix", "mine/", "-p", &target]), 2, "runs would start runs for ever"),
        (add(&["--bucket", bucket, "-p", "a", "<x>"]), 2, "`<` cannot be in"),
        (add(&["--bucket", bucket, "-p", "a={{ nonsense }}"]), 2, "nonsense"),
        (add(&["--bucket", "there-is-no-such-bucket"]), 5, "there is no bucket there-is-no-such-bucket"),
        (add(&["--bucket", bucket, "--stack", "no-such-stack"]), 5, "there is no stack no-such-stack"),
        (add(&[]), 2, "--bucket"),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        refused(world, &arguments, code, sentence).await;
    }
    let nowhere =
        ["on-upload", "add", "run.ipynb", "--on", "no-such-instance", "--name", "mistaken", "--bucket", bucket];
    refused(world, &nowhere, 5, "there is no notebook instance no-such-instance").await;
    for verb in ["list", "pause", "resume", "remove"] {
        refused(world, &["on-upload", verb, "no-such-one"], 5, "this stack has no rule no-such-one").await;
        refused(world, &["on-upload", verb, "a/b"], 2, "a rule's name has").await;
    }
    refused(world, &["on-upload", "test", "s3://in-1/"], 2, "a key has").await;
    refused(world, &["on-upload", "test", "s3://in-1/a", "--bucket", "in-2"], 2, "give one of them").await;
    let made = aws(world, "events list-rules --name-prefix mistaken").await;
    assert_eq!(made["Rules"], json!([]), "a mistake makes nothing");
}
