//! Who is served by the local AWS: clients with its access key, and neither web pages nor other users.

use std::{fs, os::unix::fs::MetadataExt, path::Path, time::Duration};

use reveille_e2e_tests::LocalAws;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::Scenario;

pub const ALL: &[Scenario] = &[
    ("guard::pages_and_strangers_are_refused", |h, w| h.block_on(refused(w))),
    ("guard::clients_with_the_access_key_are_served", |h, w| h.block_on(served(w))),
    ("guard::runtime_apis_of_functions_serve_no_page", |h, w| h.block_on(runtime_apis(w))),
    ("guard::the_access_key_is_nowhere_where_others_read", |h, w| h.block_on(hidden(w))),
];

/// An answer comes at once; a busy machine is given its time.
const PATIENCE: Duration = Duration::from_mins(1);
/// A function that nobody made.
pub const FUNCTION: &str = r#"{"FunctionName":"planted","Runtime":"provided.al2023","Role":"arn:aws:iam::000000000000:role/x","Handler":"x","Code":{"ZipFile":"UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA=="}}"#;

/// A fault on any instance.
const FAULT: &str = r#"{"kind":"quota"}"#;

/// One raw request; the status and the whole answer.
async fn raw(address: &str, request: &str) -> (u16, String) {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A refused request's body is not read: the connection may end with a reset, after the answer. One that asked
        // to be a web socket may stay open.
        let upgrade = request.contains("Connection: Upgrade");
        while !(upgrade && answer.windows(4).any(|end| end == b"\r\n\r\n"))
            && stream.read_buf(&mut answer).await.is_ok_and(|read| read > 0)
        {}
        String::from_utf8_lossy(&answer).into_owned()
    };
    let answer = timeout(PATIENCE, exchange).await.unwrap_or_else(|_| panic!("no answer to {request}"));
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no HTTP answer to {request}: {answer}")), answer)
}

fn request(line: &str, headers: &[String], body: &str) -> String {
    let headers = headers.iter().fold(String::new(), |all, header| all + header + "\r\n");
    format!("{line} HTTP/1.1\r\n{headers}Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// The addresses of both services: host and port.
pub fn addresses(world: &LocalAws) -> [String; 2] {
    ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SAGEMAKER"]
        .map(|name| world.local().environment()[name].replace("http://", ""))
}

pub fn key(world: &LocalAws) -> &str {
    &world.local().environment()["AWS_ACCESS_KEY_ID"]
}

fn credential(key: &str, service: &str) -> String {
    format!(
        "Authorization: AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=00"
    )
}

/// Each way in that there was, against each service.
async fn refused(world: &LocalAws) {
    let key = key(world);
    let bucket = world.local().trigger_bucket();
    for address in addresses(world) {
        let port = address.rsplit(':').next().unwrap();
        let host = format!("Host: {address}");
        let right = credential(key, "s3");
        let at = |headers: &[&str]| headers.iter().map(|&header| header.to_owned()).collect::<Vec<_>>();
        let put = format!("PUT /{bucket}/planted.csv");
        let put = put.as_str();
        let presigned = format!("PUT /{bucket}/planted.csv?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=");
        let create = "POST /2015-03-31/functions";
        let start = "X-Amz-Target: AWSStepFunctions.StartExecution";
        let preflight = ["Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: authorization"];
        let cases = [
            // Pages: of this machine, of a file, of the service itself; with the key, which no page knows.
            (put, at(&[&host, &right, "Origin: http://127.0.0.1:8080"])),
            (put, at(&[&host, &right, "Origin: null"])),
            (put, at(&[&host, &right, &format!("Origin: http://{address}")])),
            (put, at(&[&host, &right, "Sec-Fetch-Site: cross-site"])),
            (put, at(&[&host, &right, "Sec-Fetch-Site: same-origin"])),
            ("GET /_ministack/health", at(&[&host, &right, "Sec-Fetch-Site: same-site"])),
            ("OPTIONS /", at(&[&host, "Origin: http://127.0.0.1:8080", preflight[0], preflight[1]])),
            // What a form or a fetch sends without a preflight.
            (create, at(&[&host, "Content-Type: text/plain"])),
            ("POST /2015-03-31/functions/planted/invocations", at(&[&host, "Content-Type: text/plain"])),
            ("POST /", at(&[&host, "Content-Type: text/plain", start])),
            ("POST /?Action=CreateStack", at(&[&host, "Content-Type: application/x-www-form-urlencoded"])),
            // A name that points to this machine.
            (put, at(&[&format!("Host: rebound.example:{port}"), &right])),
            (put, at(&[&format!("Host: {bucket}.s3.localhost:{port}"), &right])),
            (put, at(&[&format!("Host: localhost:{port}"), &right])),
            (put, at(&[&format!("Host: localhost.evil:{port}"), &right])),
            (put, at(&[&format!("Host: 127.0.0.1.nip.io:{port}"), &right])),
            (put, at(&[&format!("Host: [::1]:{port}"), &right])),
            (put, at(&[&host, &right, "ORIGIN: http://127.0.0.1:8080"])),
            (put, at(&["Host: 127.0.0.1", &right])),
            (put, at(&["Host: 127.0.0.1:1", &right])),
            (put, at(&[&format!("Host: 127.0.0.1.:{port}"), &right])),
            (put, at(&[&format!("Host: 127.1:{port}"), &right])),
            (put, at(&[&format!("Host: 0.0.0.0:{port}"), &right])),
            (put, at(&[&format!("Host: 2130706433:{port}"), &right])),
            (put, at(&[&format!("Host: [::ffff:127.0.0.1]:{port}"), &right])),
            (put, at(&[&format!("Host: {address}."), &right])),
            (put, at(&[&format!("Host: user@{address}"), &right])),
            (put, at(&[&host, &right, "sec-fetch-site: None"])),
            (put, at(&[&host, &right, "Sec-Fetch-Site: none, cross-site"])),
            (put, at(&[&host, &right, "Sec-Fetch-Site: none", "Sec-Fetch-Site: cross-site"])),
            (put, at(&[&host, &right, "Origin:"])),
            // Another user: without a credential, with the one of each such service, with an earlier start's.
            (put, at(&[&host])),
            (put, at(&[&host, &credential("local", "s3")])),
            (put, at(&[&host, &credential("000000000000", "s3")])),
            (put, at(&[&host, &credential("", "s3")])),
            (put, at(&[&host, &credential(&key.to_lowercase(), "s3")])),
            (put, at(&[&host, &credential(&format!("{key}0"), "s3")])),
            (put, at(&[&host, &format!("Authorization: Basic {key}")])),
            (&format!("{presigned}other%2F20260101%2Fus-east-1%2Fs3%2Faws4_request"), at(&[&host])),
            (&format!("{put}?AWSAccessKeyId=other"), at(&[&host])),
            // What needs no credential in ministack.
            ("POST /_ministack/reset", at(&[&host])),
            ("GET /_ministack/health", at(&[&host])),
            ("GET /_localstack/health", at(&[&host])),
            ("POST /_reveille/faults", at(&[&host])),
            ("GET /_reveille/instances", at(&[&host])),
        ];
        for (line, headers) in cases {
            let body = if line.ends_with("/faults") { FAULT } else { FUNCTION };
            let sent = request(line, &headers, body);
            let (status, answer) = raw(&address, &sent).await;
            assert_eq!(status, 403, "{sent}\n\n{answer}");
            let answer = answer.to_lowercase();
            assert!(!answer.contains("access-control"), "no page may read it: {answer}");
            assert!(!answer.contains(&key.to_lowercase()), "{answer}");
        }
        malformed(&address, put, &right).await;
        let websocket = request(
            "GET /_aws/execute-api/x/y",
            &at(&[
                &host,
                "Upgrade: websocket",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            ]),
            "",
        );
        let (status, answer) =
            raw(&address, &websocket.replace("Connection: close\r\nContent-Length: 0", "Connection: Upgrade")).await;
        assert_eq!(status, 403, "{answer}");
    }
    // Nothing of it was done.
    let listed = world.local().clients().s3.list_objects_v2().bucket(bucket).prefix("planted").send().await.unwrap();
    assert_eq!(listed.key_count(), Some(0));
    let functions = aws(world, &["lambda", "list-functions", "--query", "Functions[].FunctionName"]).await;
    assert!(!functions.contains("planted"), "{functions}");
    let armed = world.local().service().faults();
    // Others arm theirs on instances of their own.
    assert!(armed.iter().all(|fault| fault.fault.instance.is_some()), "{armed:?}");
}

/// Requests that name no host, two, or another one in their target; and the key where no credential is expected.
async fn malformed(address: &str, put: &str, right: &str) {
    let path = put.trim_start_matches("PUT ");
    let host = format!("Host: {address}");
    let scope = "20260101%2Fus-east-1%2Fs3%2Faws4_request";
    let key = right.split_once("Credential=").and_then(|(_, rest)| rest.split('/').next()).unwrap();
    let form = format!("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={key}%2F{scope}");
    let rebound = "Host: rebound.example".to_owned();
    let of = |headers: &[&String]| headers.iter().map(|&header| header.clone()).collect::<Vec<_>>();
    let right = right.to_owned();
    for sent in [
        request(put, &of(&[&right]), "x"),
        request(put, &of(&[&right]), "x").replace("HTTP/1.1", "HTTP/1.0"),
        request(put, &of(&[&host, &rebound, &right]), "x"),
        request(put, &of(&[&rebound, &host, &right]), "x"),
        request(put, &of(&[&host, &host, &right]), "x"),
        request(&format!("PUT http://rebound.example{path}"), &of(&[&rebound, &right]), "x"),
        request(&format!("PUT http://{address}{path}"), &of(&[&rebound, &right]), "x"),
        request(put, &of(&[&host]), &form),
        request(
            &format!("POST {path}"),
            &of(&[&host, &"Content-Type: application/x-www-form-urlencoded".to_owned()]),
            &form,
        ),
        request(&format!("{put}?x-amz-credential={key}%2F{scope}"), &of(&[&host]), "x"),
        request(put, &of(&[&host, &format!("Cookie: X-Amz-Credential={key}/{scope}")]), "x"),
    ] {
        let (status, answer) = raw(address, &sent).await;
        // What is no HTTP is refused before anybody looks at it.
        assert!(status == 403 || status == 400, "{sent}\n\n{answer}");
        assert!(!answer.to_lowercase().contains("access-control"), "{answer}");
    }
}

/// With the key: in the header, presigned, as a person who types an address.
async fn served(world: &LocalAws) {
    let (key, bucket) = (key(world), world.local().trigger_bucket());
    let [address, sagemaker] = addresses(world);
    let host = format!("Host: {address}");
    let signed = request("GET /_ministack/health", &[host.clone(), credential(key, "s3")], "");
    assert_eq!(raw(&address, &signed).await.0, 200);
    let put = world.local().clients().s3.put_object().bucket(bucket).key("guard/hello");
    put.body(b"hello".to_vec().into()).send().await.unwrap();
    let presigned = aws(world, &["s3", "presign", &format!("s3://{bucket}/guard/hello")]).await;
    let path = presigned.trim().strip_prefix(&format!("http://{address}")).unwrap();
    let typed = request(&format!("GET {path}"), &[host, "Sec-Fetch-Site: none".to_owned()], "");
    let (status, answer) = raw(&address, &typed).await;
    assert!(status == 200 && answer.ends_with("hello"), "{answer}");
    let host = format!("Host: {sagemaker}");
    let faults = request("GET /_reveille/faults", &[host, credential(key, "sagemaker")], "");
    assert_eq!(raw(&sagemaker, &faults).await.0, 200);

    // A client shows its user why it is refused, whatever the service's protocol is.
    for command in [
        ["s3api", "list-buckets"],
        ["lambda", "list-functions"],
        ["cloudformation", "list-stacks"],
        ["sagemaker", "list-notebook-instances"],
        ["stepfunctions", "list-state-machines"],
    ] {
        let output = command_output(world, &command, "an-earlier-start").await;
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{command:?}");
        assert!(
            words.contains("AccessDenied") && words.contains("each start has a key of its own"),
            "{command:?}: {words}"
        );
    }
}

/// Each function's runtime API listens on a port of its own, and the protocol has no credential.
async fn runtime_apis(world: &LocalAws) {
    let state_machine = world.local().state_machine();
    let started = world.local().clients().sfn.start_execution().state_machine_arn(state_machine).input("{}");
    // Whatever becomes of it, a function was started for it, and is kept warm.
    let arn = started.send().await.unwrap().execution_arn;
    let begun = tokio::time::Instant::now();
    while world.local().clients().sfn.describe_execution().execution_arn(&arn).send().await.unwrap().status.as_str()
        == "RUNNING"
    {
        assert!(begun.elapsed() < 2 * PATIENCE, "{arn} does not end");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let addresses = runtime_addresses(world);
    assert!(!addresses.is_empty(), "a function is kept warm");
    for address in addresses {
        let next = "GET /2018-06-01/runtime/invocation/next";
        for headers in [
            vec![format!("Host: {address}"), "Origin: http://127.0.0.1:8080".to_owned()],
            vec![format!("Host: {address}"), "Sec-Fetch-Site: cross-site".to_owned()],
            vec!["Host: rebound.example".to_owned()],
        ] {
            // A function that was replaced in between is gone, with its port.
            if TcpStream::connect(&address).await.is_err() {
                continue;
            }
            let (status, answer) = raw(&address, &request(next, &headers, "")).await;
            assert_eq!(status, 403, "{headers:?}: {answer}");
        }
    }
}

/// The runtime APIs of this local AWS's functions; others may run on this machine.
fn runtime_addresses(world: &LocalAws) -> Vec<String> {
    let ours = format!("AWS_ENDPOINT_URL={}", world.local().environment()["AWS_ENDPOINT_URL"]);
    let environments = fs::read_dir("/proc").unwrap().flatten();
    let environments = environments.filter_map(|entry| fs::read(entry.path().join("environ")).ok());
    environments
        .filter_map(|text| {
            let text = String::from_utf8(text).ok()?;
            let api = text.split('\0').find_map(|pair| pair.strip_prefix("AWS_LAMBDA_RUNTIME_API="))?;
            text.split('\0').any(|pair| pair == ours).then(|| api.to_owned())
        })
        .collect()
}

/// No file that others may read and no command line, both of which every user sees, has the key.
async fn hidden(world: &LocalAws) {
    let key = key(world).as_bytes();
    let directory = world.local().directory();
    assert_eq!(fs::metadata(directory).unwrap().mode() & 0o777, 0o700);
    let mut readable = Vec::new();
    files_with(directory, key, &mut readable);
    assert_eq!(readable, Vec::<String>::new(), "files with the key");
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        assert!(!holds(&line, key), "{}: {}", entry.path().display(), String::from_utf8_lossy(&line));
    }
    let output =
        command_output(world, &["sts", "get-caller-identity"], &world.local().environment()["AWS_ACCESS_KEY_ID"]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn holds(content: &[u8], needle: &[u8]) -> bool {
    content.windows(needle.len()).any(|window| window == needle)
}

/// The files below a folder that hold it and that others may read.
fn files_with(folder: &Path, needle: &[u8], found: &mut Vec<String>) {
    // What other scenarios remove meanwhile is not there.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            files_with(&entry.path(), needle, found);
        } else if metadata.is_file() && metadata.mode() & 0o077 != 0 {
            // Programs and archives are large, and made before there is a key.
            let content =
                if metadata.len() < 1 << 20 { fs::read(entry.path()).unwrap_or_default() } else { Vec::new() };
            if holds(&content, needle) {
                found.push(entry.path().display().to_string());
            }
        }
    }
}

pub async fn aws(world: &LocalAws, arguments: &[&str]) -> String {
    let output = command_output(world, arguments, key(world)).await;
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn command_output(world: &LocalAws, arguments: &[&str], key: &str) -> std::process::Output {
    let mut command = tokio::process::Command::new(world.local().project().tools().join("aws"));
    command.args(arguments).envs(world.local().environment()).env("AWS_ACCESS_KEY_ID", key);
    command.output().await.unwrap()
}
