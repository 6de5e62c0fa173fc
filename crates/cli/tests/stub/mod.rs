//! An AWS that a test makes up: it answers each call as the test says, or closes the connection, and notes what it is asked.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    process::{Command, Output},
    sync::{Arc, Mutex},
    thread,
};

use reveille_contract_tests::schemas::command;

/// A call: the action that the header names (`StartExecution`), or the first line (`POST /schedules/a HTTP/1.1`), and the body.
pub struct StubCall<'a> {
    pub action: &'a str,
    pub first: &'a str,
    pub body: &'a str,
    /// Who signed it, as the header says.
    pub authorization: &'a str,
    /// The calls before it, as `asked` gives them.
    pub before: &'a [String],
}

/// Status and body; `None`: the call was read, and its answer is lost.
pub type StubAnswer = Option<(u16, String)>;

pub struct Stub {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    pub fn start(answer: impl Fn(&StubCall<'_>) -> StubAnswer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, asked) = (format!("http://{}", listener.local_addr().unwrap()), Arc::default());
        let (notes, answer) = (Arc::clone(&asked), Arc::new(answer));
        // Ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (notes, answer) = (Arc::clone(&notes), Arc::clone(&answer));
                thread::spawn(move || serve(&stream.unwrap(), &*answer, &notes));
            }
        });
        Self { address, asked }
    }

    /// Runs the command. JSON that it writes fits its schema.
    pub fn reveille(&self, arguments: &[&str]) -> Output {
        let output = self.command(env!("CARGO_BIN_EXE_reveille"), arguments).output().unwrap();
        if let Some(answer) = command::answer(arguments, &output.stdout) {
            assert_eq!(
                command::faults(&[answer]),
                Vec::<String>::new(),
                "{arguments:?}: its schema is in tests/contract/src/schemas/command"
            );
        }
        output
    }

    /// Runs the command at a terminal of 80 columns, where a person answers a question once. What both write is in the standard output.
    pub fn at_a_terminal(&self, question: &str, answer: &str, arguments: &[&str]) -> Output {
        const PERSON: &str = r"
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[3], sys.argv[3:])
shown = b''
answered = False
while True:
    try:
        part = os.read(terminal, 4096)
    except OSError:
        break
    if not part:
        break
    shown += part
    if sys.argv[1].encode() in shown and not answered:
        answered = True
        os.write(terminal, sys.argv[2].encode())
sys.stdout.write(shown.decode())
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
";
        let of_person = ["-c", PERSON, question, answer, env!("CARGO_BIN_EXE_reveille")];
        self.command("python3", &[&of_person[..], arguments].concat()).output().unwrap()
    }

    /// A program whose AWS this is.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).env("AWS_ENDPOINT_URL", &self.address).env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", "a").env("AWS_SECRET_ACCESS_KEY", "b").env_remove("AWS_PROFILE");
        command
    }

    /// The calls of an action, each with its body.
    pub fn asked(&self, what: &str) -> Vec<String> {
        self.asked.lock().unwrap().iter().filter(|call| call.starts_with(what)).cloned().collect()
    }
}

/// Requests of one connection.
fn serve(stream: &TcpStream, answer: &dyn Fn(&StubCall<'_>) -> StubAnswer, notes: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut first, mut target, mut authorization, mut length) = (String::new(), String::new(), String::new(), 0);
        if reader.read_line(&mut first).unwrap_or_default() == 0 {
            return;
        }
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let line = line.trim_end();
            match line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value)) {
                Some((name, value)) if name == "x-amz-target" => value.clone_into(&mut target),
                Some((name, value)) if name == "authorization" => value.clone_into(&mut authorization),
                Some((name, value)) if name == "content-length" => length = value.parse().unwrap(),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let body = String::from_utf8(body).unwrap();
        let named = target.rsplit('.').next().unwrap_or_default();
        let action = if named.is_empty() { first.trim_end() } else { named };
        let before = notes.lock().unwrap().clone();
        notes.lock().unwrap().push(format!("{action} {body}"));
        let call = StubCall { action, first: &first, body: &body, authorization: &authorization, before: &before };
        let Some((status, answer)) = answer(&call) else {
            let _ = stream.shutdown(Shutdown::Both);
            return;
        };
        let length = answer.len();
        let mut stream = stream;
        // In one piece: TCP holds a second one back until the first is acknowledged, 40 ms later.
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{answer}");
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// An error of a service's own, or a refusal.
pub fn fault(name: &str) -> (u16, String) {
    let status = if name.starts_with("Internal") { 500 } else { 400 };
    (status, format!(r#"{{"__type": "{name}", "message": "{name} it is"}}"#))
}

/// The stack's state machine.
pub const MACHINE: &str = "arn:aws:states:us-east-1:1:stateMachine:m";

/// What DescribeStacks answers.
pub const STACK: &str = "<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>reveille</StackName>\
<CreationTime>2026-01-01T00:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus><Outputs>\
<member><OutputKey>StateMachineArn</OutputKey><OutputValue>arn:aws:states:us-east-1:1:stateMachine:m</OutputValue></member>\
<member><OutputKey>RunsBucketName</OutputKey><OutputValue>b</OutputValue></member>\
<member><OutputKey>SchedulerRoleArn</OutputKey><OutputValue>r</OutputValue></member>\
<member><OutputKey>UndeliveredEventsArn</OutputKey><OutputValue>q</OutputValue></member>\
<member><OutputKey>EventsRoleArn</OutputKey><OutputValue>r</OutputValue></member>\
<member><OutputKey>EventBus</OutputKey><OutputValue>default</OutputValue></member>\
<member><OutputKey>UndeliveredEventsUrl</OutputKey><OutputValue>http://queue/q</OutputValue></member>\
</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>";

/// What a bucket answers that has no record of any run.
pub fn without_records(first: &str) -> (u16, String) {
    let is_object = first.split(['?', ' ']).nth(1).is_some_and(|path| path.strip_suffix(".json").is_some());
    if is_object { (404, "<Error><Code>NoSuchKey</Code></Error>".to_owned()) } else { (200, EMPTY.to_owned()) }
}

/// A bucket with nothing in it.
pub const EMPTY: &str = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
