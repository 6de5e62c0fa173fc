//! The function that CloudFormation calls, as a process, with the requests that AWS's documents describe ("Custom resource request
//! objects" and "response objects"): it answers each at its address, and says in its log nothing of that address.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod support;

use std::time::Duration;

use reveille_domain::ids::sha256_hex;
use serde_json::{Value, json};
use support::{Bootstrap, FakeAws, FakeRuntimeApi};

const MINUTE: Duration = Duration::from_mins(1);
const RUNNER: &str = "reveille-runner-1.0.0-x86_64-0123";
const ENGINE: &str = "reveille-engine-0123-cp310-x86_64.zip";
const COUNTS: &str = "team/runner.sha256";

struct World {
    aws: FakeAws,
    api: FakeRuntimeApi,
    bootstrap: Bootstrap,
}

fn content(name: &str) -> Vec<u8> {
    // More than one piece of a body.
    name.repeat(20_000).into_bytes()
}

fn sum(name: &str) -> String {
    sha256_hex(&content(name))
}

impl World {
    fn new() -> Self {
        let (aws, api) = (FakeAws::listen(), FakeRuntimeApi::listen());
        for name in [RUNNER, ENGINE] {
            aws.objects.lock().unwrap().insert(format!("release/r/1/{name}"), content(name));
        }
        let bootstrap = Bootstrap::start_with("install_runner", api.address, &aws, |command| {
            command.env("REVEILLE_PREFIX", "team/");
        });
        Self { aws, api, bootstrap }
    }

    fn request(&self, kind: &str) -> Value {
        json!({
            "RequestType": kind,
            "ResponseURL": format!("http://{}/response/1?X-Amz-Signature=secret%2Fsecret&X-Amz-Expires=7200", self.aws.address),
            "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/reveille/guid",
            "RequestId": "unique-1",
            "ResourceType": "Custom::InstalledRunner",
            "LogicalResourceId": "InstalledRunner",
            "ResourceProperties": {
                "ServiceToken": "arn:function", "Bucket": "release", "Prefix": "r/1/", "To": "s3://bucket/team/",
                "Runner": RUNNER, "RunnerSha256": sum(RUNNER), "Engine": ENGINE, "EngineSha256": sum(ENGINE),
            },
        })
    }

    /// Sends a request; the invocation's path and the answer at the address.
    fn asked(&mut self, request: &Value) -> (String, Value) {
        self.api.invoke(request.to_string(), MINUTE);
        let path = self.api.post().path;
        let answer = self.aws.answers.lock().unwrap().pop().expect("CloudFormation is answered");
        assert_eq!(answer.start, "PUT /response/1?X-Amz-Signature=secret%2Fsecret&X-Amz-Expires=7200 HTTP/1.1");
        assert_eq!(answer.header("content-type"), None, "it was not signed, so S3 would refuse it");
        assert!(answer.body.len() <= 4_096, "{} bytes", answer.body.len());
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer["PhysicalResourceId"], "reveille-runner", "the same each time");
        // Looks for secrets too.
        self.bootstrap.log();
        (path, answer)
    }

    fn object(&self, key: &str) -> Option<Vec<u8>> {
        self.aws.objects.lock().unwrap().get(key).cloned()
    }

    /// A creation that must fail: the reason.
    fn refused(&mut self, request: &Value) -> String {
        let before = self.aws.objects.lock().unwrap().clone();
        let (path, answer) = self.asked(request);
        assert!(path.ends_with("/response"), "the invocation itself went well: {path}");
        assert_eq!(answer["Status"], "FAILED");
        assert_eq!(answer["RequestId"], request["RequestId"]);
        assert!(*self.aws.objects.lock().unwrap() == before, "nothing was written");
        answer["Reason"].as_str().expect("a reason").to_owned()
    }
}

#[test]
fn a_creation_brings_both_files_and_then_says_which_runner_counts() {
    let mut world = World::new();
    let request = world.request("Create");
    let (_, answer) = world.asked(&request);
    let data = json!({
        "RunnerKey": format!("artifacts/{RUNNER}"), "RunnerSha256": sum(RUNNER), "EngineKey": format!("artifacts/{ENGINE}"),
    });
    let expected = json!({
        "Status": "SUCCESS", "PhysicalResourceId": "reveille-runner", "StackId": request["StackId"], "RequestId": "unique-1",
        "LogicalResourceId": "InstalledRunner", "Data": data,
    });
    assert_eq!(answer, expected);
    for name in [RUNNER, ENGINE] {
        assert!(world.object(&format!("artifacts/{name}")) == Some(content(name)), "{name}");
    }
    let line = format!("{}  {RUNNER}\n", sum(RUNNER));
    assert_eq!(world.object(COUNTS), Some(line.clone().into_bytes()), "a line as sha256sum prints it");

    // What is there already is not asked of the release's bucket again: going back works where the old release is gone.
    world.aws.objects.lock().unwrap().retain(|key, _| !key.starts_with("release/") && key != COUNTS);
    let mut update = world.request("Update");
    update["PhysicalResourceId"] = json!("reveille-runner");
    assert_eq!(world.asked(&update).1["Status"], "SUCCESS");
    assert_eq!(world.object(COUNTS), Some(line.into_bytes()));
}

#[test]
fn what_somebody_put_in_its_place_is_overwritten() {
    let mut world = World::new();
    world.aws.objects.lock().unwrap().insert(format!("artifacts/{RUNNER}"), b"evil".to_vec());
    let mut request = world.request("Create");
    request["ResourceProperties"]["Engine"] = json!("none");
    let (_, answer) = world.asked(&request);
    assert_eq!((&answer["Status"], &answer["Data"]["EngineKey"]), (&json!("SUCCESS"), &json!("none")));
    assert!(world.object(&format!("artifacts/{RUNNER}")) == Some(content(RUNNER)));
    assert_eq!(world.object(&format!("artifacts/{ENGINE}")), None);
}

#[test]
fn a_release_that_is_not_whole_is_refused_before_anything_is_written() {
    let mut world = World::new();
    // An update, so that there is something to be kept.
    world.aws.objects.lock().unwrap().insert(COUNTS.to_owned(), b"the old one".to_vec());
    let request = world.request("Update");
    world.aws.objects.lock().unwrap().insert(format!("release/r/1/{RUNNER}"), b"half of it".to_vec());
    let reason = world.refused(&request);
    let wrong = format!(
        "s3://release/r/1/{RUNNER} is not the file of this release: its SHA-256 is {}",
        sha256_hex(b"half of it")
    );
    assert!(reason.contains(&wrong) && reason.contains(&sum(RUNNER)), "{reason}");
    assert!(reason.ends_with("deploy again: aws s3 cp dist/ s3://release/r/1/ --recursive"), "{reason}");

    world.aws.objects.lock().unwrap().remove(&format!("release/r/1/{RUNNER}"));
    let reason = world.refused(&request);
    assert!(reason.starts_with(&format!("There is no s3://release/r/1/{RUNNER}, ")), "{reason}");
}

#[test]
fn what_is_denied_is_named_with_the_permission() {
    let denied = |(key, action): (String, &str)| {
        let mut world = World::new();
        world.aws.denied.lock().unwrap().insert(key.clone());
        let (_, answer) = world.asked(&world.request("Create"));
        let reason = answer["Reason"].as_str().expect("a reason");
        assert!(reason.contains(&format!("{action} on s3://")) && reason.contains("was denied"), "{reason}");
        assert!(reason.contains(key.rsplit('/').next().unwrap()) && reason.contains("Grant"), "{reason}");
        assert_eq!(world.object(COUNTS), None, "no runner counts that is not there");
    };
    // Each is tried again for some seconds, because a new role is not known everywhere at once.
    std::thread::scope(|scope| {
        scope.spawn(|| denied((format!("release/r/1/{RUNNER}"), "s3:GetObject")));
        scope.spawn(|| denied((format!("artifacts/{ENGINE}"), "s3:GetObject")));
        denied((COUNTS.to_owned(), "s3:PutObject"));
    });
}

#[test]
fn a_deletion_removes_nothing_whatever_is_in_it() {
    let mut world = World::new();
    world.asked(&world.request("Create"));
    let before = world.aws.objects.lock().unwrap().clone();
    let mut request = world.request("Delete");
    for properties in [request["ResourceProperties"].clone(), Value::Null, json!("odd")] {
        request["ResourceProperties"] = properties;
        let (_, answer) = world.asked(&request);
        assert_eq!(answer["Status"], "SUCCESS");
        assert!(*world.aws.objects.lock().unwrap() == before);
    }
}

#[test]
fn what_is_no_request_is_answered_where_it_can_be() {
    let mut world = World::new();
    let mut odd = world.request("Create");
    odd["RequestType"] = json!(7);
    assert!(world.refused(&odd).contains("no Create, Update or Delete"));
    for (name, value) in
        [("Bucket", json!("../x")), ("Runner", json!(["a"])), ("RunnerSha256", json!("x".repeat(100_000)))]
    {
        let mut odd = world.request("Create");
        odd["ResourceProperties"][name] = value;
        let reason = world.refused(&odd);
        assert!(reason.contains(name) && reason.ends_with("Deploy the template of a release."), "{reason}");
    }
    let mut bare = world.request("Create");
    bare["ResourceProperties"] = json!(5);
    bare["StackId"] = json!({});
    assert!(world.refused(&bare).contains("is missing"));

    // Nobody to be answered: the invocation fails.
    for payload in ["", "5", "{}", "{\"ResponseURL\": 5}", "\u{0}"] {
        world.api.invoke(payload, MINUTE);
        let post = world.api.post();
        assert!(post.path.ends_with("/error") && post.error().1.contains("without an address"), "{post:?}");
    }
    let mut plain = world.request("Delete");
    plain["ResponseURL"] = json!("http://example.com/response/1?X-Amz-Signature=secret");
    world.api.invoke(plain.to_string(), MINUTE);
    let post = world.api.post();
    assert!(post.error().1.contains("it is not HTTPS") && !post.error().1.contains("secret"), "{post:?}");
    world.bootstrap.log();
}

#[test]
fn an_answer_is_sent_again_for_as_long_as_that_may_help() {
    let mut world = World::new();
    world.aws.answer_statuses.lock().unwrap().extend([503, 500]);
    let (path, answer) = world.asked(&world.request("Create"));
    assert_eq!((answer["Status"].as_str(), world.aws.answers.lock().unwrap().len()), (Some("SUCCESS"), 2));
    assert!(path.ends_with("/response"));
    world.aws.answers.lock().unwrap().clear();

    // An address that is over stays over. The invocation fails, so that Lambda sends it again.
    world.aws.answer_statuses.lock().unwrap().extend([403, 403, 403, 403, 403, 403]);
    let (path, _) = world.asked(&world.request("Create"));
    assert!(path.ends_with("/error"));
    assert_eq!(world.aws.answers.lock().unwrap().len(), 0, "once");
    let line = world.bootstrap.log().pop().unwrap();
    assert!(line["message"].as_str().unwrap().contains("it answered HTTP 403"), "{line}");
}

#[test]
fn when_the_time_is_over_cloudformation_is_still_told() {
    let mut world = World::new();
    let request = world.request("Create");
    // Less than what is kept back for the answer: nothing is begun.
    world.api.invoke(request.to_string(), Duration::from_secs(20));
    world.api.post();
    let answer = world.aws.answers.lock().unwrap().pop().expect("an answer");
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    assert!(answer["Reason"].as_str().unwrap().starts_with("The function ran out of time"), "{answer}");
    assert_eq!(world.object(COUNTS), None);
}
