//! The bootstrap, as a process, against a runtime API that hands out what can go wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Bootstrap, FakeAws, FakeRuntimeApi, PATIENCE, TRACE_ID};

const MINUTE: Duration = Duration::from_mins(1);

fn arguments(input: &str, more: &str) -> String {
    format!(
        r#"{{"execution": {{"arn": "arn:x:nightly", "name": "nightly", "startTime": "2026-11-23T10:00:00Z", "redriveCount": 0}}, "input": {input}, "attempt": 1{more}}}"#
    )
}

fn admit(input: &str) -> String {
    arguments(input, "")
}

/// As the state machine concludes a run whose admission was refused.
fn conclude(input: &str) -> String {
    arguments(
        input,
        r#", "error": {"state": "AdmitRun", "error": "InvalidRequest", "cause": "{\"errorMessage\": \"refused\"}"}"#,
    )
}

fn with_parameter(value: &str) -> String {
    format!(r#"{{"instance": "payroll", "notebook": "a.ipynb", "parameters": {{"x": {value}}}}}"#)
}

fn deep() -> String {
    format!("{}{}", "[".repeat(126), "]".repeat(126))
}

#[test]
fn an_initialisation_that_fails_is_told() {
    let aws = FakeAws::listen();
    for (handler, variable, value, words) in [
        ("no_such_function", None, None, "_HANDLER is \"no_such_function\"; it must be one of admit_run"),
        ("admit_run", Some("REVEILLE_BUCKET"), None, "REVEILLE_BUCKET is not set"),
        ("admit_run", Some("REVEILLE_EVENT_BUS"), Some(""), "REVEILLE_EVENT_BUS is not set"),
        ("admit_run", Some("REVEILLE_PREFIX"), Some("a"), "must be empty or end with '/'"),
        ("admit_run", Some("REVEILLE_HEARTBEAT_SECONDS"), Some("soon"), "must be a number from"),
        (
            "await_run",
            Some("REVEILLE_MAX_WAITING_RUNS"),
            Some("0"),
            "REVEILLE_MAX_WAITING_RUNS is \"0\"; it must be a number from 1 to 5000",
        ),
        ("sweep", Some("REVEILLE_STATE_MACHINE"), None, "REVEILLE_STATE_MACHINE is not set"),
        ("", None, None, "_HANDLER is \"\""),
    ] {
        let api = FakeRuntimeApi::listen();
        let mut bootstrap = Bootstrap::start_with(handler, api.address, &aws, |command| {
            match (variable, value) {
                (Some(name), Some(value)) => command.env(name, value),
                (Some(name), None) => command.env_remove(name),
                (None, _) => command,
            };
        });
        let post = api.post();
        assert_eq!(post.path, "/init/error", "{handler} {variable:?}");
        assert!(post.error().0 == "Internal" && post.error().1.contains(words), "{post:?} should say {words}");
        assert!(!bootstrap.ended().success());
        let log = bootstrap.log();
        assert_eq!((log.len(), &log[0]["level"], &log[0]["code"]), (1, &json!("ERROR"), &json!("Internal")));
        assert!(log[0]["message"].as_str().unwrap().contains(words), "{log:?}");
    }
}

#[test]
fn without_a_runtime_api_the_log_says_so() {
    let aws = FakeAws::listen();
    let api = FakeRuntimeApi::listen();
    let mut bootstrap = Bootstrap::start_with("admit_run", api.address, &aws, |command| {
        command.env_remove("AWS_LAMBDA_RUNTIME_API");
    });
    assert!(!bootstrap.ended().success());
    assert!(bootstrap.log()[0]["message"].as_str().unwrap().contains("inside AWS Lambda only"));
}

/// One process is given everything in turn: none of it may be the last thing that it answers.
#[test]
fn every_payload_is_answered_with_a_code() {
    let aws = FakeAws::listen();
    let mut api = FakeRuntimeApi::listen();
    let mut bootstrap = Bootstrap::start("admit_run", api.address, &aws);
    let huge = with_parameter(&format!("\"secret{}\"", "x".repeat(6 * 1024 * 1024)));
    let invalid_utf8 = [admit("\"").into_bytes(), b"\xff\xfe".to_vec(), b"\"".to_vec()].concat();
    let cases: Vec<(Vec<u8>, &str, &str)> = vec![
        (Vec::new(), "Internal", "arguments it does not know"),
        (b"not JSON".to_vec(), "Internal", "arguments it does not know"),
        (b"[]".to_vec(), "Internal", "arguments it does not know"),
        (b"null".to_vec(), "Internal", "arguments it does not know"),
        (b"\"secret\"".to_vec(), "Internal", "arguments it does not know"),
        (b"{}".to_vec(), "Internal", "missing field `execution`"),
        (deep().into_bytes(), "Internal", "arguments it does not know"),
        (invalid_utf8, "InvalidRequest", "it is not UTF-8"),
        (admit(&huge).into_bytes(), "InvalidRequest", "at most 65536 are accepted"),
        (
            admit(&with_parameter("1e400")).into_bytes(),
            "InvalidRequest",
            "parameters.x: a number is larger than any double",
        ),
        (
            admit(&with_parameter(r#""secret\ud800""#)).into_bytes(),
            "InvalidRequest",
            "parameters.x: a string has half of a surrogate pair",
        ),
        (
            admit(&with_parameter(&deep())).into_bytes(),
            "InvalidRequest",
            "parameters.x: it is nested more than 64 levels deep",
        ),
        (admit(&with_parameter("NaN")).into_bytes(), "InvalidRequest", "parameters.x: NaN and Infinity are not JSON"),
        (
            admit(&with_parameter("18446744073709551616")).into_bytes(),
            "InvalidRequest",
            "parameters.x: a whole number is beyond",
        ),
        (
            admit(r#"{"instance": "a", "instance": "b"}"#).into_bytes(),
            "InvalidRequest",
            "instance: a field is written twice",
        ),
        (admit("null").into_bytes(), "InvalidRequest", "must be a JSON object"),
        (admit("\"secret\"").into_bytes(), "InvalidRequest", "must be a JSON object"),
        (admit("5").into_bytes(), "InvalidRequest", "must be a JSON object"),
    ];
    let count = cases.len();
    for (payload, code, words) in cases {
        let id = api.invoke(payload, MINUTE);
        let post = api.post();
        assert_eq!(post.path, format!("/invocation/{id}/error"));
        assert_eq!(post.error().0, code, "{post:?}");
        assert!(post.error().1.contains(words), "{post:?} should say {words}");
        assert!(!post.error().1.contains("secret") && post.error().1.len() < 1_000, "{post:?}");
        let kept = |name: &str| post.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        assert_eq!(
            (kept("lambda-runtime-invocation-id"), kept("lambda-runtime-function-error-type")),
            (Some("7"), Some(code))
        );
    }
    assert!(aws.objects.lock().unwrap().is_empty(), "nothing was recorded");
    let id = api.invoke(admit(&with_parameter("[9007199254740991, 5e-324, -0.0, \"\u{1f600}\"]")), MINUTE);
    let post = api.post();
    assert_eq!((post.path, &post.body["decision"]), (format!("/invocation/{id}/response"), &json!("admitted")));
    assert!(bootstrap.is_running());
    let log = bootstrap.log();
    assert_eq!(log.len(), count + 1);
    for (number, line) in log.iter().enumerate() {
        let about = (&line["step"], &line["requestId"], &line["traceId"]);
        assert_eq!(about, (&json!("admit_run"), &json!(format!("request-{}", number + 1)), &json!(TRACE_ID)));
    }
    assert_eq!((&log[count]["decision"], &log[count]["execution"]), (&json!("admitted"), &json!("arn:x:nightly")));
}

#[test]
fn a_run_is_concluded_whatever_its_input_is() {
    for (input, folder) in [
        (with_parameter("1e400"), "payroll"),
        (with_parameter(r#""secret\ud800""#), "payroll"),
        (with_parameter(&deep()), "payroll"),
        (with_parameter("[NaN, -Infinity, 1e-999]"), "payroll"),
        (with_parameter(&format!("\"{}\"", "x".repeat(6 * 1024 * 1024))), "payroll"),
        (with_parameter("01 'a"), "payroll"),
        (format!(r#"{{"x": {}, "instance": "payroll"}}"#, deep()), "payroll"),
        (r#"{"instance": "../payroll"}"#.to_owned(), "_invalid"),
        ("null".to_owned(), "_invalid"),
        ("5".to_owned(), "_invalid"),
        ("\"secret\"".to_owned(), "_invalid"),
        ("NaN".to_owned(), "_invalid"),
        ("[[".to_owned() + "]]", "_invalid"),
    ] {
        let aws = FakeAws::listen();
        let mut api = FakeRuntimeApi::listen();
        let bootstrap = Bootstrap::start("conclude_run", api.address, &aws);
        api.invoke(conclude(&input), MINUTE);
        let post = api.post();
        assert_eq!(post.error(), ("InvalidRequest", "refused"), "{input:.100}");
        let objects = aws.objects.lock().unwrap();
        let under = |start: String| objects.iter().filter(move |(key, _)| key.starts_with(&start)).collect::<Vec<_>>();
        let records = under(format!("runs/{folder}/nightly-"));
        let [(key, outcome)] = records[..] else { panic!("{input:.100}: {records:?}") };
        assert!(key.ends_with("/1/outcome.json"), "{input:.100}: {key}");
        assert_eq!(under("history/all/failed/".to_owned()).len(), 1, "{input:.100}: it is in the history");
        let outcome: Value = serde_json::from_slice(outcome).unwrap();
        assert_eq!(
            (&outcome["status"], &outcome["code"]),
            (&json!("FAILED"), &json!("InvalidRequest")),
            "{input:.100}"
        );
        assert_eq!(aws.events.lock().unwrap().len(), 1, "{input:.100}");
        assert_eq!(bootstrap.log().len(), 1);
    }
}

#[test]
fn the_invocations_time_bounds_its_calls() {
    let aws = FakeAws::listen();
    let mut api = FakeRuntimeApi::listen();
    let bootstrap = Bootstrap::start("admit_run", api.address, &aws);
    // Past its deadline: nothing is begun.
    for time in [Duration::ZERO, Duration::from_millis(500)] {
        api.invoke(admit(&with_parameter("1")), time);
        let post = api.post();
        assert_eq!(post.error().0, "ServiceUnavailable", "{post:?}");
        assert!(post.error().1.contains("did nothing"), "{post:?}");
        assert_eq!(*aws.requests.lock().unwrap(), 0);
    }
    // S3 hangs and three seconds are left.
    *aws.hangs.lock().unwrap() = true;
    api.invoke(admit(&with_parameter("1")), Duration::from_secs(3));
    let post = api.post();
    assert_eq!(post.error().0, "ServiceUnavailable", "{post:?}");
    for words in
        ["admit_run ran out of time", "no answer yet to S3 PutObject for", "Reveille retries this automatically."]
    {
        assert!(post.error().1.contains(words), "{post:?} should say {words}");
    }
    // The next invocation of the same process is not held up by what was given up.
    *aws.hangs.lock().unwrap() = false;
    api.invoke(admit(&with_parameter("1")), MINUTE);
    assert_eq!(api.post().body["decision"], "admitted");
    assert_eq!(bootstrap.log().len(), 4);
}

#[test]
fn concluding_that_runs_out_of_time_ends_in_no_runs_code() {
    let aws = FakeAws::listen();
    let mut api = FakeRuntimeApi::listen();
    let _bootstrap = Bootstrap::start("conclude_run", api.address, &aws);
    *aws.hangs.lock().unwrap() = true;
    api.invoke(conclude("{}"), Duration::from_secs(2));
    let post = api.post();
    assert_eq!(post.error().0, "OutcomeNotRecorded", "{post:?}");
    assert!(post.error().1.contains("(ServiceUnavailable): conclude_run ran out of time"), "{post:?}");
    *aws.hangs.lock().unwrap() = false;
}

#[test]
fn an_environment_that_is_ended_answers_first() {
    let aws = FakeAws::listen();
    let mut api = FakeRuntimeApi::listen();
    let mut bootstrap = Bootstrap::start("admit_run", api.address, &aws);
    *aws.hangs.lock().unwrap() = true;
    api.invoke(admit(&with_parameter("1")), MINUTE);
    let end = Instant::now() + PATIENCE;
    while *aws.requests.lock().unwrap() == 0 {
        assert!(Instant::now() < end, "the step calls S3");
        std::thread::sleep(Duration::from_millis(20));
    }
    bootstrap.terminate();
    let post = api.post();
    assert_eq!(post.error().0, "ServiceUnavailable", "{post:?}");
    assert!(
        post.error().1.contains("Lambda ended the environment while admit_run ran in it (no answer yet to S3"),
        "{post:?}"
    );
    assert!(bootstrap.ended().success());
    assert_eq!(bootstrap.log()[0]["requestId"], "request-1");
    *aws.hangs.lock().unwrap() = false;

    let mut idle = Bootstrap::start("admit_run", api.address, &aws);
    api.invoke(admit("5"), MINUTE);
    api.post();
    idle.terminate();
    assert!(idle.ended().success());
    assert!(api.is_quiet());
}

#[test]
fn an_answer_that_lambda_refuses_is_told_to_the_caller() {
    let aws = FakeAws::listen();
    let mut api = FakeRuntimeApi::listen();
    let mut bootstrap = Bootstrap::start("admit_run", api.address, &aws);
    for status in [413, 400, 403] {
        api.answer_with(&[status]);
        let id = api.invoke(admit(&with_parameter("1")), MINUTE);
        assert_eq!(api.post().path, format!("/invocation/{id}/response"));
        let post = api.post();
        assert_eq!((post.path.as_str(), post.error().0), (&*format!("/invocation/{id}/error"), "Internal"));
        assert!(post.error().1.contains(&format!("with HTTP {status}")), "{post:?}");
        let line = bootstrap.log().pop().unwrap();
        assert_eq!((&line["requestId"], &line["code"]), (&json!(id), &json!("Internal")));
    }
    // Too late, or itself an error: there is nobody to tell, and the next one is served.
    api.answer_with(&[410]);
    api.invoke(admit(&with_parameter("1")), MINUTE);
    api.post();
    api.answer_with(&[400]);
    api.invoke(admit("5"), MINUTE);
    api.post();
    assert!(api.is_quiet());
    assert!(bootstrap.is_running());
    // A state that the runtime API does not recover from.
    api.answer_with(&[500]);
    let id = api.invoke(admit(&with_parameter("1")), MINUTE);
    api.post();
    assert!(!bootstrap.ended().success());
    assert!(api.is_quiet());
    let log = bootstrap.log();
    assert!(log.iter().any(|line| line["requestId"] == id && line["level"] == "ERROR"), "{log:?}");
    assert!(log.last().unwrap()["message"].as_str().unwrap().contains("does not recover from: HTTP 500"), "{log:?}");
}

#[test]
fn a_runtime_api_that_goes_away_ends_the_function() {
    let aws = FakeAws::listen();
    let mut api = FakeRuntimeApi::listen();
    let mut bootstrap = Bootstrap::start("admit_run", api.address, &aws);
    api.invoke(admit("5"), MINUTE);
    api.post();
    api.go_away();
    assert!(!bootstrap.ended().success());
    let log = bootstrap.log();
    let message = log.last().unwrap()["message"].as_str().unwrap();
    assert!(message.contains("does not answer /invocation/next"), "{message}");
}

const CHILD: &str = "a_function_that_panics";

/// The process of the next test: a real loop, around a step that panics.
#[test]
#[ignore = "the process of another test"]
fn a_function_that_panics() {
    use reveille_functions::{RuntimeApi, last_words, serve};
    last_words::install();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut api = RuntimeApi::from_env().unwrap();
    let ended = runtime.block_on(serve(&mut api, async |invocation, _| match &invocation.payload[..] {
        b"literal" => panic!("a literal"),
        b"formatted" => panic!("{} of secret things", invocation.request_id),
        _ => Ok("{}".to_owned()),
    }));
    panic!("it served until {ended:?}");
}

#[test]
fn a_panic_is_answered_and_logged() {
    let aws = FakeAws::listen();
    for (payload, words) in [("literal", "(a literal)"), ("formatted", "(its text may hold data)")] {
        let mut api = FakeRuntimeApi::listen();
        api.invoke("fine", MINUTE);
        let id = api.invoke(payload, MINUTE);
        let this = std::env::current_exe().unwrap();
        let mut child = Bootstrap::run(&this, "", api.address, &aws, |command| {
            command.args(["--exact", CHILD, "--ignored", "--nocapture"]);
        });
        assert_eq!(api.post().path, "/invocation/request-1/response");
        let post = api.post();
        assert_eq!((post.path.as_str(), post.error().0), (&*format!("/invocation/{id}/error"), "Internal"));
        assert!(post.error().1.contains("The function panicked at functions/tests/bootstrap.rs:"), "{post:?}");
        assert!(post.error().1.contains(words) && !post.error().1.contains("secret"), "{post:?}");
        assert_eq!(child.ended().code(), Some(101));
        let line = child.lines_of_json().pop().unwrap();
        assert_eq!(
            (&line["requestId"], &line["traceId"], &line["code"]),
            (&json!(id), &json!(TRACE_ID), &json!("Internal"))
        );
    }
}
