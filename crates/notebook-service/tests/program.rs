//! The program: what it prints, what it refuses, and that it takes everything down with it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use reveille_notebook_service::processes_of_boot;

const PROGRAM: &str = env!("CARGO_BIN_EXE_notebook_service");

fn post((address, key): (&str, &str), operation: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(stream, "POST / HTTP/1.1\r\nhost: {address}\r\nauthorization: AWS4-HMAC-SHA256 Credential={key}/x\r\nconnection: close\r\nx-amz-target: SageMaker.{operation}\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn it_prints_its_endpoint_and_kills_every_process_when_it_is_terminated() {
    let directory = std::env::temp_dir().join(format!("reveille-program-{}", std::process::id()));
    let mut program = Command::new(PROGRAM)
        .arg("--dir")
        .arg(&directory)
        .args(["--path", "/usr/bin:/bin", "--env", "GREETING=hello"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines().map(Result::unwrap);
    let (line, key) = (lines.next().unwrap(), lines.next().unwrap());
    let key = key.strip_prefix("AWS_ACCESS_KEY_ID=").unwrap();
    let address = line.trim().strip_prefix("http://127.0.0.1:").map(|port| format!("127.0.0.1:{port}")).unwrap();
    let address = (address.as_str(), key);

    // echo $GREETING; setsid sleep 60 &
    let config = r#"{"NotebookInstanceLifecycleConfigName":"c","OnStart":[{"Content":"ZWNobyAkR1JFRVRJTkc7IHNldHNpZCBzbGVlcCA2MCAmCg=="}]}"#;
    assert!(post(address, "CreateNotebookInstanceLifecycleConfig", config).starts_with("HTTP/1.1 200"));
    let create = r#"{"NotebookInstanceName":"n","InstanceType":"ml.t3.medium","RoleArn":"arn:aws:iam::000000000000:role/r","LifecycleConfigName":"c"}"#;
    assert!(post(address, "CreateNotebookInstance", create).starts_with("HTTP/1.1 200"));
    let begun = Instant::now();
    while !post(address, "DescribeNotebookInstance", r#"{"NotebookInstanceName":"n"}"#).contains("InService") {
        assert!(begun.elapsed() < Duration::from_mins(5));
        std::thread::sleep(Duration::from_millis(20));
    }
    let root = fs::canonicalize(&directory).unwrap().join("instances/n");
    let boot = fs::read_to_string(root.join("proc/sys/kernel/random/boot_id")).unwrap();
    assert!(!processes_of_boot(&root, boot.trim()).unwrap().is_empty());
    assert_eq!(fs::read_to_string(directory.join("logs/n/LifecycleConfigOnStart")).unwrap(), "hello\n");

    let killed = Command::new("kill").arg(program.id().to_string()).status().unwrap();
    assert!(killed.success());
    assert!(program.wait().unwrap().success());
    assert_eq!(processes_of_boot(&root, boot.trim()).unwrap(), Vec::<i32>::new());
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn it_says_what_is_wrong_with_its_arguments() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let directory = std::env::temp_dir().join(format!("reveille-arguments-{}", std::process::id()));
    let folder = directory.to_str().unwrap();
    for (arguments, part) in [
        (["--port", "1"].as_slice(), "--dir is missing"),
        (&["--dir"], "--dir needs a value"),
        (&["--fly", "x"], "unknown option --fly"),
        (&["--port", "x"], "x is no port"),
        (&["--env", "x"], "NAME=VALUE"),
        (&["--dir", "/proc/nowhere"], "cannot be used"),
        (&["--dir", folder, "--port", &port], "cannot be bound"),
    ] {
        let output = Command::new(PROGRAM).args(arguments).output().unwrap();
        assert!(!output.status.success());
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains(part), "{message}");
    }
    fs::remove_dir_all(directory).unwrap();
}
