//! The `reveille` command: schedules, read back by another client than the one that makes them. That one such fires is in `stacks`: a unit
//! test holds the command's input to that of the small stack.

use reveille_e2e_tests::LocalAws;
use serde_json::{Value, json};

use crate::Scenario;
use crate::command::{answered, complained, ended, refused, reveille, said};
use crate::stacks::{aws, outputs};

pub const ALL: &[Scenario] = &[
    ("command_schedule::a_schedule_is_made_listed_paused_and_removed", |h, w| h.block_on(from_add_to_remove(w))),
    ("command_schedule::what_is_typed_wrong_makes_nothing", |h, w| h.block_on(typed_wrong(w))),
];

const ON: &str = "command-schedule";

async fn got(world: &LocalAws, name: &str) -> Value {
    aws(world, &format!("scheduler get-schedule --name {name}")).await
}

async fn listed(world: &LocalAws, name: &str) -> Value {
    let listed = answered(world, &["schedule", "list", name]).await;
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    listed[0].clone()
}

async fn from_add_to_remove(world: &LocalAws) {
    world.instance(ON).await;
    // Far ahead, so that it starts nothing beside the other scenarios; and in a January, so that Berlin's clock is CET.
    let made = reveille(
        world,
        &[
            "schedule",
            "add",
            "reports/daily.ipynb",
            "--on",
            ON,
            "--cron",
            "0 8 ? * MON-FRI *",
            "--zone",
            "Europe/Berlin",
            "--start",
            "2099-01-01T00:00",
            "--name",
            "nightly-report",
            "-p",
            "day",
            "{{ date }}",
            "-p",
            "n",
            "7",
        ],
    )
    .await;
    ended(&made, 0);
    let screen = said(&made);
    let summary =
        format!("nightly-report: reports/daily.ipynb on {ON}\n  when  cron(0 8 ? * MON-FRI *) in Europe/Berlin\n");
    assert!(screen.starts_with(&summary), "{screen}");
    assert_eq!(screen.matches(" Jan 2099, 08:00 CET").count(), 5, "{screen}");
    assert!(screen.contains("Thu 1 Jan 2099, 08:00 CET"), "{screen}");

    let whole = got(world, "nightly-report").await;
    is_on_the_stack(world, &whole["Target"]).await;
    assert_eq!(
        (&whole["State"], &whole["ScheduleExpression"], &whole["ScheduleExpressionTimezone"]),
        (&json!("ENABLED"), &json!("cron(0 8 ? * MON-FRI *)"), &json!("Europe/Berlin"))
    );

    let row = listed(world, "nightly-report").await;
    assert_eq!(
        (&row["enabled"], &row["notebook"], &row["instance"]),
        (&json!(true), &json!("reports/daily.ipynb"), &json!(ON))
    );
    assert_eq!(row["next"][0], "2099-01-01T07:00:00.000Z", "{row}");
    let table = reveille(world, &["schedule", "list"]).await;
    ended(&table, 0);
    let table = said(&table);
    let line = table.lines().find(|line| line.starts_with("nightly-report ")).expect("the schedule has a line");
    assert!(line.contains(" on ") && line.contains("Thu 1 Jan 2099, 08:00 CET"), "{table}");

    for (verb, state, word) in [("pause", "DISABLED", "paused"), ("resume", "ENABLED", "on")] {
        let turned = reveille(world, &["schedule", verb, "nightly-report"]).await;
        ended(&turned, 0);
        assert!(said(&turned).starts_with(&format!("nightly-report is {word}\n")), "{}", said(&turned));
        let times = if verb == "resume" { 5 } else { 0 };
        assert_eq!(said(&turned).matches("08:00 CET").count(), times, "{}", said(&turned));
        let now = got(world, "nightly-report").await;
        assert_eq!(now["State"], state);
        for kept in ["Target", "ScheduleExpression", "ScheduleExpressionTimezone", "StartDate", "FlexibleTimeWindow"] {
            assert_eq!(now[kept], whole[kept], "{verb} changes nothing else");
        }
        let row = listed(world, "nightly-report").await;
        assert_eq!(row["enabled"], verb == "resume", "{row}");
        assert_eq!(row["next"].as_array().unwrap().len(), times, "{row}");
        let again = reveille(world, &["schedule", verb, "nightly-report"]).await;
        ended(&again, 0);
        assert!(said(&again).contains(&format!("is already {word}")), "{}", said(&again));
    }

    let taken = ["schedule", "add", "a.ipynb", "--on", ON, "--rate", "1 day", "--name", "nightly-report"];
    let taken = reveille(world, &taken).await;
    ended(&taken, 2);
    assert!(complained(&taken).contains("a schedule nightly-report already exists"), "{}", complained(&taken));

    let removed = reveille(world, &["schedule", "remove", "nightly-report"]).await;
    ended(&removed, 0);
    assert!(said(&removed) == format!("removed {summary}"), "{}", said(&removed));
    let left = aws(world, "scheduler list-schedules --name-prefix nightly-report").await;
    assert_eq!(left["Schedules"], json!([]));
    let gone = reveille(world, &["schedule", "remove", "nightly-report"]).await;
    ended(&gone, 5);
    let yearly = ["schedule", "add", "a.ipynb", "--on", ON, "--rate", "365 days", "--name", "yearly"];
    let made = answered(world, &yearly).await;
    assert_eq!((&made["name"], &made["expression"]), (&json!("yearly"), &json!("rate(365 days)")));
    ended(&reveille(world, &["schedule", "remove", "yearly"]).await, 0);
}

/// The stack's state machine, role and queue; and the input, with an event that Scheduler's words are put into.
async fn is_on_the_stack(world: &LocalAws, target: &Value) {
    let outputs = outputs(world).await;
    assert_eq!(target["Arn"], outputs["StateMachineArn"]);
    assert_eq!(target["RoleArn"], outputs["SchedulerRoleArn"]);
    assert_eq!(target["DeadLetterConfig"]["Arn"], outputs["UndeliveredEventsArn"]);
    let input: Value = serde_json::from_str(target["Input"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&input["instance"], &input["notebook"], &input["parameters"]),
        (&json!(ON), &json!("reports/daily.ipynb"), &json!({"day": "{{ date }}", "n": 7}))
    );
    assert_eq!(input["event"]["time"], "<aws.scheduler.scheduled-time>");
    assert_eq!(input["event"]["detail"]["timeZone"], "Europe/Berlin");
}

async fn typed_wrong(world: &LocalAws) {
    world.instance("command-unscheduled").await;
    let good = ["--on", "command-unscheduled", "--name", "wrong"];
    for (arguments, code, sentence) in [
        (&["--cron", "0 8 * * 1-5"][..], 2, "write: --cron '0 8 ? * MON-FRI *'"),
        (&["--cron", "0 8 1 * 1"], 2, "--cron '0 8 1 * ? *' and --cron '0 8 ? * MON *'"),
        (&["--rate", "30 seconds"], 2, "write: --rate '1 minute'"),
        (&["--at", "2001-01-01T00:00"], 2, "has passed; give a time in the future, such as --at 20"),
        (&["--rate", "1 day", "--start", "2001-01-01T00:00"], 2, "the next time in the same rhythm"),
        (&["--rate", "1 day", "--zone", "berlin"], 2, "write: --zone Europe/Berlin"),
        (&["--rate", "1 day", "--zone", "Mars/Olympus"], 2, "there is no such time zone"),
        (&["--rate", "1 day", "-p", "key={{ key }}"], 2, "parameters.key"),
        (&["--rate", "1 day", "--stack", "no-such-stack"], 5, "there is no stack no-such-stack"),
        (&[], 2, "--cron"),
    ] {
        let typed = [&["schedule", "add", "run.ipynb"], &good[..], arguments].concat();
        refused(world, &typed, code, sentence).await;
    }
    let add = |on: &'static str| ["schedule", "add", "run.ipynb", "--name", "wrong", "--rate", "1 day", "--on", on];
    refused(world, &add("no-such-instance"), 5, "there is no notebook instance no-such-instance").await;
    refused(world, &add("no_instance"), 2, "is not a notebook instance name").await;
    for verb in ["list", "pause", "resume", "remove"] {
        refused(world, &["schedule", verb, "no-such-one"], 5, "this stack has no schedule no-such-one").await;
        refused(world, &["schedule", verb, "a/b"], 2, "a schedule's name has").await;
    }
    let made = aws(world, "scheduler list-schedules --name-prefix wrong").await;
    assert_eq!(made["Schedules"], json!([]), "a mistake makes nothing");
}
