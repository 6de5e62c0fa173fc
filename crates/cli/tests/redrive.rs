//! `reveille rerun` against a Step Functions that can redrive, which the local AWS cannot: a stub that answers as AWS documents it, and
//! notes what it is asked.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Output},
    sync::{Arc, Mutex},
    thread,
};

const ARN: &str = "arn:aws:states:us-east-1:1:execution:m:daily";

/// What the execution is, and what Step Functions has against a redrive.
#[derive(Clone, Copy)]
struct Story {
    redrivable: &'static str,
    refusal: Option<&'static str>,
}

struct Stub {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    fn start(story: Story) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, asked) = (format!("http://{}", listener.local_addr().unwrap()), Arc::default());
        let notes = Arc::clone(&asked);
        // Ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let notes = Arc::clone(&notes);
                thread::spawn(move || serve(&stream.unwrap(), story, &notes));
            }
        });
        Self { address, asked }
    }

    fn reveille(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reveille"));
        command.args(arguments).env("AWS_ENDPOINT_URL", &self.address).env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", "a").env("AWS_SECRET_ACCESS_KEY", "b").env_remove("AWS_PROFILE");
        command.output().unwrap()
    }

    fn asked(&self, what: &str) -> Vec<String> {
        self.asked.lock().unwrap().iter().filter(|call| call.starts_with(what)).cloned().collect()
    }
}

/// Requests of one connection.
fn serve(stream: &TcpStream, story: Story, notes: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut first, mut target, mut length) = (String::new(), String::new(), 0);
        if reader.read_line(&mut first).unwrap_or_default() == 0 {
            return;
        }
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let line = line.trim_end();
            match line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value)) {
                Some((name, value)) if name == "x-amz-target" => value.clone_into(&mut target),
                Some((name, value)) if name == "content-length" => length = value.parse().unwrap(),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let body = String::from_utf8(body).unwrap();
        let asked = target.rsplit('.').next().unwrap_or_default();
        notes.lock().unwrap().push(format!("{asked} {body}"));
        let redriven = notes.lock().unwrap().iter().any(|call| call.starts_with("RedriveExecution"));
        let (status, answer) = answer(story, asked, &first, redriven && story.refusal.is_none());
        let length = answer.len();
        let mut stream = stream;
        if write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{answer}").is_err() {
            return;
        }
    }
}

fn answer(story: Story, asked: &str, first: &str, redriven: bool) -> (u16, String) {
    let described = |status: &str, count: u32| {
        let (redrivable, input) = (story.redrivable, r#"{\"instance\": \"a\", \"notebook\": \"daily.ipynb\"}"#);
        format!(
            r#"{{"executionArn": "{ARN}", "stateMachineArn": "m", "name": "daily", "status": "{status}", "startDate": 1, "stopDate": 2,
            "input": "{input}", "error": "NotebookFailed", "redriveCount": {count}, "redriveStatus": "{redrivable}",
            "redriveStatusReason": "it is older than 14 days."}}"#
        )
    };
    match (asked, story.refusal) {
        ("DescribeExecution", _) => (200, if redriven { described("RUNNING", 1) } else { described("FAILED", 0) }),
        ("RedriveExecution", None) => (200, r#"{"redriveDate": 3}"#.to_owned()),
        ("RedriveExecution", Some(said)) => (
            400,
            format!(r#"{{"__type": "com.amazonaws.swf.service.v2#ExecutionNotRedrivable", "message": "{said}"}}"#),
        ),
        ("StartExecution", _) => (200, format!(r#"{{"executionArn": "{ARN}", "startDate": 1}}"#)),
        _ if first.starts_with("GET ") => {
            (200, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>".to_owned())
        }
        _ => (200, STACK.to_owned()),
    }
}

const STACK: &str = "<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>reveille</StackName>\
<CreationTime>2026-01-01T00:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus><Outputs>\
<member><OutputKey>StateMachineArn</OutputKey><OutputValue>m</OutputValue></member>\
<member><OutputKey>RunsBucketName</OutputKey><OutputValue>b</OutputValue></member>\
</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>";

#[test]
fn a_failed_run_is_redriven_where_nothing_changes() {
    let stub = Stub::start(Story { redrivable: "REDRIVABLE", refusal: None });
    let output = stub.reveille(&["rerun", ARN, "--detach"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("the same run and input, as its next attempt"), "{said}");
    assert_eq!(stub.asked("RedriveExecution").len(), 1);
    assert!(stub.asked("RedriveExecution")[0].contains(ARN));
    assert_eq!(stub.asked("StartExecution"), Vec::<String>::new());
}

#[test]
fn whatever_cannot_be_redriven_is_a_new_run_and_says_why() {
    let refusal = Some("Execution is not redrivable now");
    for (story, arguments, redrives, why) in [
        (Story { redrivable: "NOT_REDRIVABLE", refusal: None }, &[][..], 0, "it is older than 14 days"),
        (Story { redrivable: "REDRIVABLE", refusal }, &[], 1, "Execution is not redrivable now"),
        (Story { redrivable: "REDRIVABLE", refusal: None }, &["-p", "day", "1"], 0, "its parameters change"),
        (Story { redrivable: "REDRIVABLE", refusal: None }, &["--new"], 0, "--new asks for one"),
    ] {
        let stub = Stub::start(story);
        let output = stub.reveille(&[&["rerun", ARN, "--detach"], arguments].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(said.contains("a new run, because") && said.contains(why), "{said}");
        assert_eq!((stub.asked("RedriveExecution").len(), stub.asked("StartExecution").len()), (redrives, 1), "{why}");
    }
}
