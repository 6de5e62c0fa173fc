//! The wire: the API's protocol and the admin endpoint, by raw HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use reveille_instance_model::{FaultKind, InstanceFault, NotebookInstanceStatus};
use serde_json::{Value, json};
use support::TestService;

const CREATE: &str = r#"{"NotebookInstanceName":"nightly","InstanceType":"ml.t3.medium","RoleArn":"arn:aws:iam::000000000000:role/notebooks","Tags":[{"Key":"team","Value":"a"}]}"#;
const NAMED: &str = r#"{"NotebookInstanceName":"nightly"}"#;
const ARN: &str = "arn:aws:sagemaker:us-east-1:000000000000:notebook-instance/nightly";

async fn ok(world: &TestService, operation: &str, body: &str) -> Value {
    let (status, value) = world.api(operation, body).await;
    assert_eq!(status, 200, "{operation}: {value}");
    value
}

async fn refused(world: &TestService, operation: &str, body: &str) -> (u16, String, String) {
    let (status, value) = world.api(operation, body).await;
    let text = |field: &str| value[field].as_str().unwrap().to_owned();
    (status, text("__type"), text("message"))
}

#[tokio::test]
async fn an_instance_lives_from_create_to_delete() {
    let world = TestService::new().await;
    // So that Pending is seen however slowly we look.
    let stuck = world.service.arm(InstanceFault::once(FaultKind::StuckPending)).unwrap();
    assert_eq!(ok(&world, "CreateNotebookInstance", CREATE).await, json!({"NotebookInstanceArn": ARN}));
    let view = ok(&world, "DescribeNotebookInstance", NAMED).await;
    assert_eq!(view["NotebookInstanceStatus"], "Pending");
    assert_eq!(world.service.clear_faults(Some(stuck)), 1);
    assert_eq!(view["PlatformIdentifier"], "notebook-al2023-v1");
    let created = view["CreationTime"].as_f64().unwrap();
    assert!(created > 1.7e9 && created < 1e11, "seconds, not milliseconds: {created}");
    world.reaches("nightly", NotebookInstanceStatus::InService).await;

    let (status, code, message) = refused(&world, "StartNotebookInstance", NAMED).await;
    assert_eq!((status, code.as_str()), (400, "ValidationException"));
    assert_eq!(
        message,
        format!(
            "Status (InService) not in ([Stopped, Failed]). Unable to transition to (Pending) for Notebook Instance ({ARN})."
        )
    );
    assert_eq!(ok(&world, "StopNotebookInstance", NAMED).await, json!({}));
    world.reaches("nightly", NotebookInstanceStatus::Stopped).await;
    let list = ok(&world, "ListNotebookInstances", r#"{"StatusEquals":"Stopped"}"#).await;
    assert_eq!(list["NotebookInstances"][0]["NotebookInstanceName"], "nightly");
    let update = r#"{"NotebookInstanceName":"nightly","InstanceType":"ml.m5.xlarge"}"#;
    assert_eq!(ok(&world, "UpdateNotebookInstance", update).await, json!({}));
    world.reaches("nightly", NotebookInstanceStatus::Stopped).await;
    ok(&world, "DeleteNotebookInstance", NAMED).await;
    let begun = tokio::time::Instant::now();
    while world.status("nightly").is_some() {
        assert!(begun.elapsed() < support::PATIENCE);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let error = refused(&world, "DescribeNotebookInstance", NAMED).await;
    assert_eq!(error, (400, "ValidationException".to_owned(), "RecordNotFound".to_owned()));
    world.end().await;
}

#[tokio::test]
async fn configurations_and_tags_are_served() {
    let world = TestService::new().await;
    let named = r#"{"NotebookInstanceLifecycleConfigName":"wake"}"#;
    let create = r#"{"NotebookInstanceLifecycleConfigName":"wake","OnStart":[{"Content":"ZXhpdCAw"}]}"#;
    let made = ok(&world, "CreateNotebookInstanceLifecycleConfig", create).await;
    let arn = made["NotebookInstanceLifecycleConfigArn"].as_str().unwrap().to_owned();
    let view = ok(&world, "DescribeNotebookInstanceLifecycleConfig", named).await;
    assert_eq!(view["OnStart"], json!([{"Content": "ZXhpdCAw"}]));
    assert!(view.get("OnCreate").is_none());
    let change = r#"{"NotebookInstanceLifecycleConfigName":"wake","OnStart":[{"Content":"ZXhpdCAx"}]}"#;
    ok(&world, "UpdateNotebookInstanceLifecycleConfig", change).await;
    let list = ok(&world, "ListNotebookInstanceLifecycleConfigs", "{}").await;
    assert_eq!(list["NotebookInstanceLifecycleConfigs"][0]["NotebookInstanceLifecycleConfigArn"], arn);

    let tags = json!({"ResourceArn": arn, "Tags": [{"Key": "a", "Value": "1"}]}).to_string();
    assert_eq!(ok(&world, "AddTags", &tags).await["Tags"], json!([{"Key": "a", "Value": "1"}]));
    let keys = json!({"ResourceArn": arn, "TagKeys": ["a"]}).to_string();
    assert_eq!(ok(&world, "DeleteTags", &keys).await, json!({}));
    let resource = json!({"ResourceArn": arn}).to_string();
    assert_eq!(ok(&world, "ListTags", &resource).await, json!({"Tags": []}));

    ok(&world, "DeleteNotebookInstanceLifecycleConfig", named).await;
    let (_, code, message) = refused(&world, "DescribeNotebookInstanceLifecycleConfig", named).await;
    assert_eq!(code, "ValidationException");
    assert!(message.starts_with("Unable to describe Notebook Instance Lifecycle Config"), "{message}");
    world.end().await;
}

#[tokio::test]
async fn what_is_not_understood_is_refused() {
    let world = TestService::new().await;
    let (status, code, message) = refused(&world, "CreateTrainingJob", "{}").await;
    assert_eq!((status, code.as_str()), (400, "UnknownOperationException"));
    assert!(message.contains("CreateTrainingJob"), "{message}");
    let (status, code, _) = refused(&world, "StartNotebookInstance", "{]").await;
    assert_eq!((status, code.as_str()), (400, "SerializationException"));
    let (status, code, message) = refused(&world, "StartNotebookInstance", "{}").await;
    assert_eq!((status, code.as_str()), (400, "ValidationException"));
    assert!(message.contains("'notebookInstanceName'"), "{message}");
    let large = format!("{{\"NotebookInstanceName\":\"{}\"}}", "x".repeat(300_000));
    let (status, code, _) = refused(&world, "StartNotebookInstance", &large).await;
    assert_eq!((status, code.as_str()), (413, "RequestEntityTooLargeException"));
    let (status, _) = world.http("GET /somewhere", "").await;
    assert_eq!(status, 404);
    world.end().await;
}

#[tokio::test]
async fn faults_are_armed_listed_and_cleared() {
    let world = TestService::new().await;
    ok(&world, "CreateNotebookInstance", CREATE).await;
    world.reaches("nightly", NotebookInstanceStatus::InService).await;
    let fault = r#"{"kind":"server-error","operation":"StopNotebookInstance","afterEffect":true,"instance":"nightly"}"#;
    let (status, armed) = world.http("POST /_reveille/faults", fault).await;
    assert_eq!((status, &armed), (200, &json!({"id": 1})));
    let (status, code, _) = refused(&world, "StopNotebookInstance", NAMED).await;
    assert_eq!((status, code.as_str()), (500, "InternalFailure"));
    world.reaches("nightly", NotebookInstanceStatus::Stopped).await;
    let (_, listed) = world.http("GET /_reveille/faults", "").await;
    assert_eq!(listed["faults"][0]["fired"], 1);

    let throttle = r#"{"kind":"throttle","untilCleared":true}"#;
    world.http("POST /_reveille/faults", throttle).await;
    let error = refused(&world, "StartNotebookInstance", NAMED).await;
    assert_eq!(error, (400, "ThrottlingException".to_owned(), "Rate exceeded".to_owned()));
    let cleared = world.http("DELETE /_reveille/faults/2", "").await;
    assert_eq!(cleared, (200, json!({"cleared": 1})));
    ok(&world, "StartNotebookInstance", NAMED).await;
    assert_eq!(world.http("DELETE /_reveille/faults", "").await, (200, json!({"cleared": 1})));
    for path in ["2", "x"] {
        let (status, _) = world.http(&format!("DELETE /_reveille/faults/{path}"), "").await;
        assert_eq!(status, 404);
    }
    for (body, part) in [(r#"{"kind":"quota","count":1}"#, "`count`"), ("", "kind"), (r#"{"kind":"x"}"#, "'x'")] {
        let (status, error) = world.http("POST /_reveille/faults", body).await;
        assert_eq!(status, 400);
        assert!(error["message"].as_str().unwrap().contains(part), "{error}");
    }
    world.end().await;
}

#[tokio::test]
async fn the_truth_about_instances_and_their_calls_is_shown() {
    let world = TestService::new().await;
    ok(&world, "CreateNotebookInstance", CREATE).await;
    world.reaches("nightly", NotebookInstanceStatus::InService).await;
    refused(&world, "StartNotebookInstance", NAMED).await;
    refused(&world, "StopNotebookInstance", r#"{"NotebookInstanceName":"ghost"}"#).await;
    let (status, facts) = world.http("GET /_reveille/instances", "").await;
    assert_eq!(status, 200);
    let ghost = &facts["instances"][0];
    assert_eq!((&ghost["name"], &ghost["exists"]), (&json!("ghost"), &json!(false)));
    let nightly = &facts["instances"][1];
    assert_eq!(nightly["status"], "InService");
    assert_eq!(nightly["bootId"].as_str(), world.service.boot_id("nightly").as_deref());
    assert_eq!(nightly["calls"]["counts"]["StartNotebookInstance"], json!({"accepted": 0, "refused": 1}));
    let last = &nightly["calls"]["log"][1];
    assert_eq!(last["caller"], "raw-test");
    assert_eq!((&last["operation"], &last["outcome"]), (&json!("StartNotebookInstance"), &json!("refused")));
    assert_eq!(world.http("GET /_reveille/health", "").await.0, 200);
    world.end().await;
}

/// Only what stands for a role is noted: another token is somebody's secret.
#[tokio::test]
async fn the_calls_of_roles_are_noted_and_no_token_else() {
    let world = TestService::new().await;
    ok(&world, "CreateNotebookInstance", CREATE).await;
    let call = async |operation: &str, token: &str| {
        let (address, credential) = (world.address(), world.credential());
        let headers = format!("{credential}x-amz-target: SageMaker.{operation}\r\nx-amz-security-token: {token}\r\n");
        let length = NAMED.len();
        let request = format!(
            "POST / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{NAMED}"
        );
        world.raw(&request).await.1
    };
    let role = "arn:aws:iam::000000000000:role/path/notebooks";
    assert_eq!(call("DescribeNotebookInstance", "IQoJb3JpZ2luX2VjE").await, 200);
    for _ in 0..2 {
        assert_eq!(call("DescribeNotebookInstance", role).await, 200);
    }
    // Refused, but asked of IAM all the same.
    assert_eq!(call("DeleteNotebookInstance", role).await, 400);
    let noted: Vec<[String; 3]> =
        world.service.role_calls().into_iter().map(|call| [call.role, call.action, call.resource]).collect();
    let of_the_role = |action: &str| [role.to_owned(), format!("sagemaker:{action}"), ARN.to_owned()];
    assert_eq!(noted, ["DeleteNotebookInstance", "DescribeNotebookInstance"].map(of_the_role));
    world.end().await;
}

/// What each kind of request that is not ours looks like: the request line's end, its headers, the answer's status.
#[tokio::test]
async fn neither_pages_nor_foreign_hosts_nor_strangers_are_served() {
    let world = TestService::new().await;
    let (address, credential) = (world.address(), world.credential());
    let key = world.service.access_key().as_str();
    let host = format!("host: {address}\r\n");
    let port = address.rsplit(':').next().unwrap();
    let other = credential.replace(key, "REVEILLELOCAL00000000000000000000000000000000");
    let fault = r#"{"kind":"quota","untilCleared":true}"#;
    let requests = [
        ("POST /_reveille/faults", format!("{host}{credential}origin: http://127.0.0.1:8080\r\n")),
        ("POST /_reveille/faults", format!("{host}{credential}origin: null\r\ncontent-type: text/plain\r\n")),
        ("POST /_reveille/faults", format!("{host}{credential}origin: http://{address}\r\n")),
        ("POST /_reveille/faults", format!("{host}{credential}Sec-Fetch-Site: same-site\r\n")),
        ("POST /_reveille/faults", format!("{host}{credential}sec-fetch-site: same-origin\r\n")),
        ("POST /_reveille/faults", format!("{host}{credential}sec-fetch-site: none\r\nsec-fetch-site: cross-site\r\n")),
        ("POST /_reveille/faults", format!("host: rebound.example:{port}\r\n{credential}")),
        ("POST /_reveille/faults", format!("{host}{credential}ORIGIN: http://{address}\r\n")),
        ("POST /_reveille/faults", format!("{host}{credential}origin:\r\n")),
        ("POST /_reveille/faults", format!("{host}{credential}SEC-FETCH-SITE: NONE\r\n")),
        ("POST /_reveille/faults", format!("host: localhost.evil:{port}\r\n{credential}")),
        ("POST /_reveille/faults", format!("host: 127.0.0.1.nip.io:{port}\r\n{credential}")),
        ("POST /_reveille/faults", format!("host: [::1]:{port}\r\n{credential}")),
        ("POST /_reveille/faults", format!("host: 127.1:{port}\r\n{credential}")),
        ("POST /_reveille/faults", format!("host: {address}.evil\r\n{credential}")),
        ("POST /_reveille/faults", format!("host: user@{address}\r\n{credential}")),
        ("POST /_reveille/faults", format!("host: 127.0.0.1\r\n{credential}")),
        ("POST /_reveille/faults", format!("host: 127.0.0.1:1\r\n{credential}")),
        ("POST /_reveille/faults", format!("{host}host: rebound.example\r\n{credential}")),
        ("POST /_reveille/faults", credential.clone()),
        ("POST /_reveille/faults", host.clone()),
        ("POST /_reveille/faults", format!("{host}content-type: text/plain\r\n")),
        ("POST /_reveille/faults", format!("{host}{other}")),
        ("POST /_reveille/faults?X-Amz-Credential=other%2F20260101", host.clone()),
        ("DELETE /_reveille/faults", host.clone()),
        ("GET /_reveille/instances", host.clone()),
        ("GET /_reveille/health", host.clone()),
        ("GET /elsewhere", host.clone()),
        ("PUT /_reveille/faults", host.clone()),
        ("OPTIONS /", format!("{host}origin: http://127.0.0.1:8080\r\naccess-control-request-method: POST\r\n")),
        ("POST /", format!("{host}x-amz-target: SageMaker.ListNotebookInstances\r\n")),
    ];
    let length = fault.len();
    for (line, headers) in &requests {
        let request =
            format!("{line} HTTP/1.1\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n{fault}");
        let (head, status, body) = world.raw(&request).await;
        // A request with two hosts, or none, may be refused by the HTTP library before us.
        assert!(status == 403 || (status == 400 && !headers.starts_with(&host)), "{request}\n{head}\n{body}");
        assert!(!head.to_lowercase().contains("access-control"), "{head}");
        assert!(!body.contains(key), "{body}");
    }
    assert_eq!(world.service.faults(), [], "none was armed");

    let (_, shown) = world.http("GET /_reveille/instances", "").await;
    assert_eq!(shown, json!({"instances": []}));
    let presigned = format!("POST /_reveille/faults?X-Amz-Credential={key}%2F20260101%2Fus-east-1 HTTP/1.1\r\n");
    let typed =
        format!("{presigned}{host}sec-fetch-site: none\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    let (_, status, body) = world.raw(&format!("{typed}{fault}")).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(world.service.faults().len(), 1);
    world.end().await;
}
