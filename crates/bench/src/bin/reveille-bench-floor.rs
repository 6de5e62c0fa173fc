//! The floor of a cold start: the Lambda runtime API and one DescribeNotebookInstance by hand, over blocking sockets
//! and rustls, without an SDK and without a signature. What our function takes above it is what the SDK, the runtime
//! and our own code cost.

use std::error::Error;
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::Arc;

use reveille_bench::http::{self, Message};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

const RUNTIME: &str = "/2018-06-01/runtime/invocation";

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("reveille-bench-floor: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves invocations until the runtime API closes the connection.
fn serve() -> Result<(), Box<dyn Error>> {
    let address = std::env::var("AWS_LAMBDA_RUNTIME_API")?;
    let endpoint = std::env::var("AWS_ENDPOINT_URL_SAGEMAKER")?;
    let host = [("Host", address.as_str())];
    let stream = TcpStream::connect(&address)?;
    stream.set_nodelay(true)?;
    let mut api = BufReader::new(stream);
    loop {
        http::write(api.get_mut(), &format!("GET {RUNTIME}/next HTTP/1.1"), &host, b"")?;
        let Some(invocation) = http::read(&mut api)? else { return Ok(()) };
        let id = invocation.header("lambda-runtime-aws-request-id").ok_or("the invocation has no id")?;
        let answer = handle(&endpoint, &invocation.body)?;
        let post = format!("POST {RUNTIME}/{id}/response HTTP/1.1");
        http::write(api.get_mut(), &post, &host, answer.to_string().as_bytes())?;
        http::read(&mut api)?;
    }
}

fn handle(endpoint: &str, payload: &[u8]) -> Result<Value, Box<dyn Error>> {
    let payload: Value = serde_json::from_slice(payload)?;
    let instance = payload.pointer("/run/instance").ok_or("the payload names no instance")?;
    let request = json!({ "NotebookInstanceName": instance });
    let (scheme, address) = endpoint.split_once("://").ok_or("the endpoint is no URL")?;
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let answer = if scheme == "https" {
        let (name, _) = address.rsplit_once(':').ok_or("the endpoint has no port")?;
        let connection = ClientConnection::new(Arc::new(tls()?), ServerName::try_from(name.to_owned())?)?;
        describe(StreamOwned::new(connection, stream), address, &request)?
    } else {
        describe(stream, address, &request)?
    };
    let seen: Value = serde_json::from_slice(&answer.body)?;
    let decision = match seen.get("NotebookInstanceStatus").and_then(Value::as_str) {
        Some("Stopped") => "start",
        Some("InService") => "ready",
        _ => "wait",
    };
    Ok(json!({ "decision": decision }))
}

fn describe(stream: impl Read + Write, host: &str, request: &Value) -> Result<Message, Box<dyn Error>> {
    let mut stream = BufReader::new(stream);
    let headers = [
        ("Host", host),
        ("Content-Type", "application/x-amz-json-1.1"),
        ("X-Amz-Target", "SageMaker.DescribeNotebookInstance"),
    ];
    http::write(stream.get_mut(), "POST / HTTP/1.1", &headers, request.to_string().as_bytes())?;
    let answer = http::read(&mut stream)?.ok_or("the endpoint closed the connection")?;
    if answer.target() == "200" { Ok(answer) } else { Err(format!("the endpoint answered {}", answer.start).into()) }
}

fn tls() -> Result<ClientConfig, Box<dyn Error>> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(std::env::var("AWS_CA_BUNDLE")?)? {
        roots.add(root?)?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    Ok(builder.with_safe_default_protocol_versions()?.with_root_certificates(roots).with_no_client_auth())
}
