//! Commands whose call arrives and whose answer is lost: nobody knows what became of it, so the command says so, and how to find out.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod stub;

use stub::{STACK, Stub, StubAnswer, StubCall, fault, without_records};

const ARN: &str = "arn:aws:states:us-east-1:1:execution:m:daily";

/// What the AWS of a test does with the calls that change something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Changes {
    /// The connection is closed after the call was read.
    Lost,
    /// A fault of the service's own.
    Fault,
    /// The first answer is lost, and the change was made: the second call meets it.
    Done,
    /// It answers, and whatever is read afterwards is lost.
    ThenLost,
}

fn stub(changes: Changes, status: &'static str) -> Stub {
    Stub::start(move |call| answer(changes, status, call))
}

fn answer(changes: Changes, status: &str, call: &StubCall<'_>) -> StubAnswer {
    let (verb, path) = call.first.split_once(' ').unwrap();
    let of_schedules = path.starts_with("/schedules/");
    let is_change = ["StartExecution", "RedriveExecution", "StopExecution"].contains(&call.action)
        || of_schedules && ["POST", "PUT", "DELETE"].contains(&verb);
    let before = call.before.iter().filter(|asked| asked.starts_with(call.action)).count();
    let made =
        call.before.iter().any(|asked| asked.starts_with("StartExecution") || asked.starts_with("POST /schedules/"));
    match changes {
        Changes::Lost if is_change => return None,
        Changes::Fault if is_change => return Some(fault("InternalServerException")),
        Changes::Done if is_change && before == 0 => return None,
        Changes::Done if call.action == "RedriveExecution" => return Some(fault("ExecutionNotRedrivable")),
        Changes::Done if verb == "DELETE" => return Some(fault("ResourceNotFoundException")),
        Changes::ThenLost if made && !is_change => return None,
        _ => {}
    }
    let redriven = call.before.iter().any(|asked| asked.starts_with("RedriveExecution"));
    let status = if redriven { "RUNNING" } else { status };
    let body = match call.action {
        "DescribeExecution" => format!(
            r#"{{"executionArn": "{ARN}", "stateMachineArn": "m", "name": "daily", "status": "{status}", "startDate": 1, "stopDate": 2,
            "input": "{{\"instance\": \"a\", \"notebook\": \"daily.ipynb\"}}", "redriveStatus": "REDRIVABLE"}}"#
        ),
        "DescribeNotebookInstance" => r#"{"NotebookInstanceStatus": "Stopped"}"#.to_owned(),
        "StartExecution" => format!(r#"{{"executionArn": "{ARN}", "startDate": 1}}"#),
        _ if of_schedules && verb == "GET" => SCHEDULE.to_owned(),
        _ if path.starts_with("/schedules?") => {
            r#"{"Schedules": [{"Name": "nightly", "Target": {"Arn": "arn:aws:states:us-east-1:1:stateMachine:m"}}]}"#
                .to_owned()
        }
        _ if of_schedules => r#"{"ScheduleArn": "a"}"#.to_owned(),
        _ if verb == "GET" => return Some(without_records(call.first)),
        _ => STACK.to_owned(),
    };
    Some((200, body))
}

const SCHEDULE: &str = r#"{"Name": "nightly", "State": "ENABLED", "ScheduleExpression": "rate(1 days)", "FlexibleTimeWindow": {"Mode": "OFF"},
    "Target": {"Arn": "arn:aws:states:us-east-1:1:stateMachine:m", "RoleArn": "r", "Input": "{}"}}"#;

const ADD: [&str; 9] = ["schedule", "add", "daily.ipynb", "--on", "a", "--rate", "1 day", "--name", "nightly"];

#[test]
fn a_lost_answer_is_told_with_what_may_have_happened_and_how_to_find_out() {
    for (arguments, status, maybe, find_out) in [
        (&ADD[..], "", "the schedule nightly may have been made", "reveille schedule list nightly"),
        (&["schedule", "remove", "nightly"], "", "nightly may have been removed", "reveille schedule list nightly"),
        (&["schedule", "pause", "nightly"], "", "nightly may have been paused", "reveille schedule list nightly"),
        (
            &["run", "daily.ipynb", "--on", "a", "--detach"],
            "",
            "the run may have been started",
            "reveille show daily-20",
        ),
        (&["rerun", ARN, "--new", "--detach"], "FAILED", "the run may have been started", "reveille show daily-20"),
        (&["rerun", ARN, "--detach"], "FAILED", "may have been redriven", "reveille show daily"),
        (&["cancel", ARN], "RUNNING", "may have been stopped", "reveille show daily"),
    ] {
        for changes in [Changes::Lost, Changes::Fault] {
            let output = stub(changes, status).reveille(arguments);
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
            let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(
                said.contains("AWS's answer was lost (") && said.contains(maybe) && said.contains(find_out),
                "{said}"
            );
        }
    }
}

#[test]
fn a_schedule_whose_instance_is_gone_is_not_on() {
    let stub = Stub::start(|call| {
        if call.action == "DescribeNotebookInstance" {
            return Some((400, r#"{"__type": "ValidationException", "message": "RecordNotFound"}"#.to_owned()));
        }
        let input = r#"{\"instance\": \"a\", \"notebook\": \"daily.ipynb\"}"#;
        let answered = answer(Changes::Done, "", call)?;
        Some((answered.0, answered.1.replace(r#""Input": "{}""#, &format!(r#""Input": "{input}""#))))
    });
    let output = stub.reveille(&["schedule", "list"]);
    let (table, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(table.lines().nth(1).unwrap().contains("broken"), "{table}");
    assert!(
        said.contains("there is no notebook instance a") && said.contains("reveille schedule remove nightly"),
        "{said}"
    );
}

/// The SDK asks again when an answer is lost. That the change is there then is no failure, and no reason for another one.
#[test]
fn a_change_that_the_second_call_meets_is_made_once() {
    let redrive = stub(Changes::Done, "FAILED");
    let output = redrive.reveille(&["rerun", ARN, "--detach"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!((redrive.asked("RedriveExecution").len(), redrive.asked("StartExecution").len()), (2, 0));
    let remove = stub(Changes::Done, "");
    let output = remove.reveille(&["schedule", "remove", "nightly"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(remove.asked("DELETE ").len(), 2);
}

#[test]
fn a_change_that_was_made_is_told_even_if_what_comes_after_it_fails() {
    for (arguments, done, next) in [
        (&ADD[..], "the schedule nightly was made, but", "reveille schedule list nightly"),
        (
            &["run", "daily.ipynb", "--on", "a", "--detach"],
            "the run was started, but",
            "reveille watch arn:aws:states:",
        ),
    ] {
        let output = stub(Changes::ThenLost, "RUNNING").reveille(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(done) && said.contains(next), "{said}");
    }
}
