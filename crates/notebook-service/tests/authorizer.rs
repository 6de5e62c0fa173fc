//! What a role may do is asked of the local AWS, before anything is done.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use axum::{Router, routing::post};
use reveille_instance_model::NotebookInstanceStatus;
use serde_json::{Value, json};
use support::TestService;
use tokio::net::TcpListener;

const ROLE: &str = "arn:aws:iam::000000000000:role/steps";

/// A local AWS on a port of its own that lets roles describe and nothing else. Tells its address.
async fn lets_describe() -> String {
    let decide = async |asked: String| {
        let asked: Value = serde_json::from_str(&asked).unwrap();
        let (role, action) = (asked["role"].as_str().unwrap(), asked["action"].as_str().unwrap());
        let may = action == "sagemaker:DescribeNotebookInstance";
        let denied =
            (!may).then(|| format!("User: {role} may not {action} on {}", asked["resource"].as_str().unwrap()));
        json!({"denied": denied}).to_string()
    };
    serves(Router::new().route("/_reveille/authorize", post(decide))).await
}

async fn serves(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

async fn asking(authorizer: String) -> TestService {
    let mut config = support::config();
    config.authorizer = Some(authorizer);
    let world = TestService::with(config).await;
    world.create("nightly", "true");
    world.reaches("nightly", NotebookInstanceStatus::InService).await;
    world
}

/// A call of a role, or of a person.
async fn call(world: &TestService, operation: &str, role: Option<&str>) -> (u16, Value) {
    let token = role.map(|role| format!("x-amz-security-token: {role}\r\n")).unwrap_or_default();
    let body = r#"{"NotebookInstanceName":"nightly"}"#;
    let (_, status, text) = world
        .raw(&format!(
            "POST / HTTP/1.1\r\nhost: {}\r\n{}x-amz-target: SageMaker.{operation}\r\n{token}connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            world.address(),
            world.credential(),
            body.len(),
        ))
        .await;
    (status, serde_json::from_str(&text).unwrap())
}

#[tokio::test]
async fn a_role_does_what_it_may_and_is_denied_the_rest() {
    let world = asking(lets_describe().await).await;
    assert_eq!(call(&world, "DescribeNotebookInstance", Some(ROLE)).await.0, 200);
    let (status, error) = call(&world, "StopNotebookInstance", Some(ROLE)).await;
    assert_eq!((status, &error["__type"]), (400, &json!("AccessDeniedException")));
    let arn = "arn:aws:sagemaker:us-east-1:000000000000:notebook-instance/nightly";
    assert_eq!(error["message"], format!("User: {ROLE} may not sagemaker:StopNotebookInstance on {arn}"));
    assert_eq!(world.status("nightly"), Some(NotebookInstanceStatus::InService));
    // Whoever has the key and no role is not asked about.
    assert_eq!(call(&world, "StopNotebookInstance", None).await.0, 200);
    world.end().await;
}

#[tokio::test]
async fn where_nobody_answers_nothing_is_allowed() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let nonsense = serves(Router::new().route("/_reveille/authorize", post(async || "yes"))).await;
    for authorizer in [closed, nonsense] {
        let world = asking(authorizer.clone()).await;
        let (status, error) = call(&world, "StopNotebookInstance", Some(ROLE)).await;
        assert_eq!((status, &error["__type"]), (503, &json!("ServiceUnavailable")), "{error}");
        assert!(error["message"].as_str().unwrap().contains(&authorizer), "{error}");
        assert_eq!(world.status("nightly"), Some(NotebookInstanceStatus::InService));
        world.end().await;
    }
}
