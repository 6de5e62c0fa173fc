//! The real adapters against a server that answers what no AWS service answers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::region::Region;
use reveille_domain::InstanceName;
use reveille_domain::layout::Layout;
use reveille_domain::ports::{
    AnswerTask, CallError, CallErrorKind, DeleteObject, DescribeExecution, DescribeNotebookInstance,
    DescribeWholeExecution, GetObject, ListEndedExecutions, ListObjects, PublishEvent, PutCondition, PutObject,
    SendTaskHeartbeat, StartNotebookInstance, StopNotebookInstance, UploadFile,
};
use serde_json::json;

use crate::{Aws, http};

/// Answers every request with the same bytes, and closes the connection.
struct Stub {
    address: SocketAddr,
    answer: Arc<Mutex<String>>,
}

impl Stub {
    fn listen() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(Mutex::new(String::new()));
        let given = Arc::clone(&answer);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that went away is no trouble of the stub's.
                serve(stream, &given.lock().unwrap().clone()).ok();
            }
        });
        Self { address, answer }
    }

    fn aws(&self) -> Aws {
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("id", "key", None, None, "test")))
            .endpoint_url(format!("http://{}", self.address))
            // The pauses between tries are the SDK's own.
            .retry_config(RetryConfig::disabled())
            .http_client(http::client())
            .build();
        let layout = Layout { bucket: "bucket".to_owned(), prefix: String::new() };
        Aws::new(config, layout, "default".to_owned()).with_state_machine("arn:machine".to_owned())
    }
}

fn serve(stream: TcpStream, answer: &str) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    stream.read_exact(&mut vec![0; length])?;
    stream.get_mut().write_all(answer.as_bytes())
}

const CALLS: [&str; 15] = [
    "get",
    "put",
    "delete",
    "list",
    "upload",
    "download",
    "describe",
    "start",
    "stop",
    "success",
    "heartbeat",
    "is_running",
    "whole",
    "ended",
    "publish",
];

async fn call(aws: &Aws, name: &str) -> Result<String, CallError> {
    let instance = InstanceName::parse("nightly").unwrap();
    let shown = |answer: &dyn std::fmt::Debug| format!("{answer:?}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    Ok(match name {
        "get" => {
            aws.get_object("key").await?;
            String::new()
        }
        "put" => shown(&aws.put_object("key", b"{}".to_vec(), PutCondition::IfAbsent).await?),
        "delete" => shown(&aws.delete_object("key", "etag").await?),
        "list" => shown(&aws.list_objects("", 10).await?),
        "upload" => shown(&aws.upload_file("key", &file, "text/plain").await?),
        "download" => shown(&aws.download("bucket", "key", &file, 1_000).await?),
        "describe" => shown(&aws.describe_notebook_instance(&instance).await?),
        "start" => shown(&aws.start_notebook_instance(&instance).await?),
        "stop" => shown(&aws.stop_notebook_instance(&instance).await?),
        "success" => shown(&aws.send_task_success("token", &json!({})).await?),
        "heartbeat" => shown(&aws.send_task_heartbeat("token").await?),
        "is_running" => shown(&aws.is_running("arn:x").await?),
        "whole" => shown(&aws.describe_whole_execution("arn:x").await?),
        "ended" => shown(&aws.list_ended_executions(reveille_domain::ports::EndedList::ALL[0], None, 10).await?),
        "publish" => shown(&aws.publish_event("type", &json!({})).await?),
        other => panic!("no call {other}"),
    })
}

fn answers(status: &str, headers: &[&str], body: &str) -> String {
    let headers = headers.iter().fold(String::new(), |all, header| all + header + "\r\n");
    // The stub closes each connection: a client that was not told so may use it again.
    format!("HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

const HTML: &str = "Content-Type: text/html; charset=utf-8";
const PAGE: &str = "<!DOCTYPE html>\n<html><title>Squid\u{7} says no</title></html>";

#[tokio::test]
async fn what_is_not_awss_is_told_as_such_by_every_call() {
    let stub = Stub::listen();
    let aws = stub.aws();
    let page = r#"that begin "<!DOCTYPE html> <html><title>Squid says no"#;
    let on_the_way = "a proxy or gateway on the way";
    let cases: [(String, &[&str]); 14] = [
        (answers("200 OK", &[HTML], PAGE), &["HTTP 200", "text/html", on_the_way]),
        (answers("502 Bad Gateway", &[HTML], PAGE), &["HTTP 502", "text/html", page, on_the_way]),
        (answers("503 Service Unavailable", &[HTML], PAGE), &["HTTP 503", "text/html", page, on_the_way]),
        (answers("407 Proxy Authentication Required", &[HTML], PAGE), &["HTTP 407", "text/html", page, on_the_way]),
        (answers("403 Forbidden", &[HTML], PAGE), &["HTTP 403", page, on_the_way]),
        (
            answers("404 Not Found", &["Content-Type: text/plain"], "no such host"),
            &["HTTP 404", "no such host", on_the_way],
        ),
        (answers("403 Forbidden", &[], ""), &["HTTP 403 with an empty body", on_the_way]),
        (answers("500 Internal Server Error", &[], ""), &["HTTP 500 with an empty body", on_the_way]),
        (
            answers("302 Found", &["Location: https://login.example/?next=x", HTML], PAGE),
            &["HTTP 302, a redirect to https://login.example/", on_the_way],
        ),
        (
            answers("307 Temporary Redirect", &["Location: https://elsewhere.example/"], ""),
            &["HTTP 307, a redirect to", on_the_way],
        ),
        (answers("200 OK", &[], ""), &["on the way"]),
        (format!("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 99\r\n\r\n{PAGE}"), &[]),
        ("hello".to_owned(), &[]),
        (String::new(), &[]),
    ];
    for (answer, expected) in cases {
        stub.answer.lock().unwrap().clone_from(&answer);
        for name in CALLS {
            // A 204 and a 200 without a body are all that S3 answers to a deletion.
            let error = match call(&aws, name).await {
                Err(error) => error,
                Ok(taken) => panic!("{name} took {answer:?} for {taken}"),
            };
            assert_eq!(error.kind, CallErrorKind::NoAnswer, "{name}: {answer:?}: {error}");
            for words in expected {
                assert!(error.message.contains(words), "{name}: {answer:?}: {error} should say {words:?}");
            }
            assert!(error.message.len() > 20 && error.message.len() < 600, "{name}: {error}");
            assert!(
                !error.message.contains(char::is_control) && !error.message.contains("no message"),
                "{name}: {error}"
            );
            assert_eq!(aws.calls_under_way(), Vec::<String>::new());
        }
    }
}

/// A page without a type, and an answer that ends early, of the calls that read the body.
#[tokio::test]
async fn a_body_that_is_not_the_services_is_no_success() {
    let stub = Stub::listen();
    let aws = stub.aws();
    let cut = "HTTP/1.1 200 OK\r\nx-amzn-RequestId: 1\r\nETag: \"e\"\r\nContent-Length: 99\r\n\r\n{\"input\": \"secret";
    let ended_early = answers("200 OK", &["x-amzn-RequestId: 1"], "{\"input\": \"secret");
    for (answer, calls) in [
        (answers("200 OK", &[], PAGE), &CALLS[..]),
        (
            answers("200 OK", &["Content-Type: text/plain"], "OK"),
            &["put", "list", "start", "stop", "success", "is_running", "publish"][..],
        ),
        (cut.to_owned(), &["get", "download", "list", "describe", "start", "whole", "publish"][..]),
        (ended_early, &["list", "describe", "is_running", "whole", "ended", "publish"][..]),
        (answers("200 OK", &["x-amzn-RequestId: 1"], "{}"), &["describe", "is_running", "whole", "publish"][..]),
    ] {
        stub.answer.lock().unwrap().clone_from(&answer);
        for name in calls {
            let error = call(&aws, name).await.expect_err(&format!("{name} took {answer:?}"));
            assert_eq!(error.kind, CallErrorKind::NoAnswer, "{name}: {answer:?}: {error}");
            assert!(!error.message.contains("secret"), "{name}: {error}");
        }
    }
}

/// Of AWS itself, an answer without a code is told by its status.
#[tokio::test]
async fn awss_own_answers_keep_their_kind() {
    let stub = Stub::listen();
    let aws = stub.aws();
    let json = "Content-Type: application/x-amz-json-1.1";
    for (answer, kind, words) in [
        (
            answers("403 Forbidden", &["x-amzn-RequestId: 1", "x-amz-request-id: 1"], ""),
            CallErrorKind::AccessDenied,
            "HTTP 403 with an empty body",
        ),
        (answers("500 Internal Server Error", &["x-amz-request-id: 1"], ""), CallErrorKind::NoAnswer, "HTTP 500"),
        (answers("429 Too Many Requests", &[], ""), CallErrorKind::Throttled, "HTTP 429"),
        (
            answers("400 Bad Request", &[json], r#"{"__type": "AccessDeniedException", "message": "not you"}"#),
            CallErrorKind::AccessDenied,
            "AccessDeniedException: not you",
        ),
    ] {
        stub.answer.lock().unwrap().clone_from(&answer);
        let error = call(&aws, "describe").await.unwrap_err();
        assert_eq!(error.kind, kind, "{answer:?}: {error}");
        assert!(error.message.contains(words), "{error}");
    }
    stub.answer.lock().unwrap().clone_from(&answers("200 OK", &["x-amzn-RequestId: 1"], ""));
    assert_eq!(call(&aws, "start").await.unwrap(), "Accepted");
    stub.answer.lock().unwrap().clone_from(&answers("200 OK", &["ETag: \"e\"", HTML, "x-amz-request-id: 1"], PAGE));
    assert_eq!(call(&aws, "download").await.unwrap(), "Done");
}

#[tokio::test]
async fn a_call_that_has_no_answer_yet_is_named() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let stub = Stub { address: listener.local_addr().unwrap(), answer: Arc::default() };
    let aws = stub.aws();
    {
        let mut waiting = std::pin::pin!(aws.get_object("key"));
        while aws.calls_under_way().is_empty() {
            let moment = std::time::Duration::from_millis(20);
            assert!(tokio::time::timeout(moment, &mut waiting).await.is_err(), "nobody answers");
        }
    }
    let calls = aws.calls_under_way();
    assert!(calls.len() == 1 && calls[0].starts_with("S3 GetObject for "), "{calls:?}");
    aws.forget_calls();
    assert!(aws.calls_under_way().is_empty());
}
