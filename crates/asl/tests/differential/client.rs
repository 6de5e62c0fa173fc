//! The local engine, over HTTP: state machines, executions, and the one function that the machines call.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::AgreedEnding;

/// The function that the machines call.
pub const FUNCTION: &str = "asl-differential-echo";

/// What the engine reports when a Python handler raises, whatever it raises.
pub const FUNCTION_ERROR: &str = "Runtime.HandlerError";

const HANDLER: &str = "def handler(event, context):\n    if event.get('fail'):\n        raise Exception('on purpose')\n    return event\n";

/// An execution of these machines takes moments; the engine is stuck when one takes this long.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often the engine is asked whether an execution has ended.
const POLL: Duration = Duration::from_millis(20);

/// A local AWS.
pub struct StepFunctionsLocal {
    host: String,
}

impl StepFunctionsLocal {
    /// The engine at `http://HOST:PORT`, with the function in it.
    pub fn at(endpoint: &str) -> Self {
        let host = endpoint.strip_prefix("http://").expect("ASL_ENDPOINT is http://HOST:PORT").trim_end_matches('/');
        let engine = Self { host: host.to_owned() };
        let function = json!({
            "FunctionName": FUNCTION, "Runtime": "python3.11", "Handler": "index.handler", "Timeout": 30,
            "Role": "arn:aws:iam::000000000000:role/differential",
            "Code": {"ZipFile": base64(&zip("index.py", HANDLER.as_bytes()))}
        });
        let (status, body) = engine.post("/2015-03-31/functions", None, &function);
        assert!(status < 300 || status == 409, "the engine takes no function: {status} {body}");
        engine
    }

    /// Runs a machine to its end.
    pub fn run(&self, name: &str, definition: &Value, input: &Value) -> AgreedEnding {
        let created = self.states(
            "CreateStateMachine",
            &json!({
                "name": name, "definition": definition.to_string(), "roleArn": "arn:aws:iam::000000000000:role/differential"
            }),
        );
        let start = json!({"stateMachineArn": created["stateMachineArn"], "name": name, "input": input.to_string()});
        let started = self.states("StartExecution", &start);
        let execution = json!({"executionArn": started["executionArn"]});
        let begun = std::time::Instant::now();
        loop {
            let described = self.states("DescribeExecution", &execution);
            let text = |field: &str| described[field].as_str().map(str::to_owned);
            if described["status"] != "RUNNING" {
                let output = text("output").and_then(|output| serde_json::from_str(&output).ok());
                return AgreedEnding { status: text("status").unwrap(), error: text("error"), output };
            }
            assert!(begun.elapsed() < PATIENCE, "the engine does not end {name}");
            std::thread::sleep(POLL);
        }
    }

    fn states(&self, operation: &str, body: &Value) -> Value {
        let (status, answer) = self.post("/", Some(operation), body);
        assert_eq!(status, 200, "{operation}: {answer}");
        serde_json::from_str(&answer).unwrap()
    }

    fn post(&self, path: &str, operation: Option<&str>, body: &Value) -> (u16, String) {
        let body = body.to_string();
        let (target, service) = match operation {
            Some(operation) => (format!("X-Amz-Target: AWSStepFunctions.{operation}\r\n"), "states"),
            None => (String::new(), "lambda"),
        };
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/x-amz-json-1.0\r\n\
             {target}Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, \
             SignedHeaders=host, Signature=none\r\nContent-Length: {length}\r\n\r\n{body}",
            host = self.host,
            length = body.len()
        );
        let mut stream = TcpStream::connect(&self.host).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("an HTTP status");
        (status, body.to_owned())
    }
}

/// A ZIP archive of one file, stored (APPNOTE.TXT, 4.3.6).
fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let (size, length) = (u32::try_from(content.len()).unwrap(), u16::try_from(name.len()).unwrap());
    let mut entry = Vec::new();
    for number in [20_u16, 0, 0, 0, 0x21] {
        entry.extend(number.to_le_bytes());
    }
    for number in [crc32(content), size, size] {
        entry.extend(number.to_le_bytes());
    }
    entry.extend(length.to_le_bytes());
    entry.extend(0_u16.to_le_bytes());
    let mut archive = [b"PK\x03\x04".as_slice(), &entry, name.as_bytes(), content].concat();
    let directory = u32::try_from(archive.len()).unwrap();
    let mut central = [b"PK\x01\x02".as_slice(), &20_u16.to_le_bytes(), &entry].concat();
    // Comment length, disk, internal attributes; external attributes (a file, readable by all), offset of the entry.
    central.extend([0_u8; 6]);
    central.extend((0o100_644_u32 << 16).to_le_bytes());
    central.extend(0_u32.to_le_bytes());
    central.extend(name.as_bytes());
    let central_size = u32::try_from(central.len()).unwrap();
    archive.extend(central);
    archive.extend(b"PK\x05\x06");
    for number in [0_u16, 0, 1, 1] {
        archive.extend(number.to_le_bytes());
    }
    archive.extend(central_size.to_le_bytes());
    archive.extend(directory.to_le_bytes());
    archive.extend(0_u16.to_le_bytes());
    archive
}

fn crc32(content: &[u8]) -> u32 {
    !content.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

fn base64(content: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in content.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}
