//! A network with a proxy in it: an endpoint that stands for AWS under names that only the proxy knows, and the proxy, which
//! writes down what it was asked for. Blocking streams on free ports of 127.0.0.1, until the process ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The endpoint's name. No resolver knows it, so what reaches the endpoint came through the proxy.
pub const HOST: &str = "s3.reveille-test.invalid";

/// First lines of requests.
pub type ProxyLog = Arc<Mutex<Vec<String>>>;

pub struct Network {
    /// Where the proxy listens.
    pub proxy: u16,
    /// What the proxy was asked: the request line, and `Proxy-Authorization` where there was one.
    pub asked: ProxyLog,
    /// Where the endpoint listens, without TLS.
    pub endpoint: u16,
    /// What reached the endpoint.
    pub reached: ProxyLog,
    /// The authority of the endpoint's certificate.
    pub authority_pem: String,
}

impl Network {
    pub fn new() -> Self {
        let (authority_pem, tls) = certificates();
        let (asked, reached) = (ProxyLog::default(), ProxyLog::default());
        let endpoint = listen({
            let reached = Arc::clone(&reached);
            move |stream| answer(stream, &reached)
        });
        let with_tls = listen({
            let reached = Arc::clone(&reached);
            move |stream| {
                let tls = ServerConnection::new(Arc::clone(&tls)).unwrap();
                answer(StreamOwned::new(tls, stream), &reached)
            }
        });
        let proxy = listen({
            let asked = Arc::clone(&asked);
            move |stream| relay(stream, &asked, endpoint, with_tls)
        });
        Self { proxy, asked, endpoint, reached, authority_pem }
    }
}

fn listen(serve: impl Fn(TcpStream) -> std::io::Result<()> + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            // A connection that breaks is a client that ended.
            thread::spawn(move || serve(stream));
        }
    });
    port
}

/// A head: its first line, and the rest of its lines. None of the requests here has a body.
fn head(stream: &mut impl BufRead) -> std::io::Result<Option<Vec<String>>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.trim_end() {
            "" => return Ok(Some(lines)),
            line => lines.push(line.to_owned()),
        }
    }
}

/// Answers as S3 does where there is no such object, and as the instance's metadata does.
fn answer(stream: impl Read + Write, reached: &ProxyLog) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(lines) = head(&mut stream)? {
        reached.lock().unwrap().push(lines[0].clone());
        let path = lines[0].split(' ').nth(1).unwrap_or_default();
        let credentials = "/latest/meta-data/iam/security-credentials/";
        let (status, body) = if path == "/latest/api/token" {
            ("200 OK", "a-token")
        } else if path == credentials {
            ("200 OK", "the-role")
        } else if path.starts_with(credentials) {
            let body = r#"{"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "AKIDMETADATA", "SecretAccessKey": "s", "Token": "t", "LastUpdated": "2026-01-01T00:00:00Z", "Expiration": "2037-01-01T00:00:00Z"}"#;
            ("200 OK", body)
        } else {
            (
                "404 Not Found",
                "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>",
            )
        };
        let lifetime = "x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n";
        // In one piece: TCP holds a second one back until the first is acknowledged, 40 ms later.
        let answer = format!("HTTP/1.1 {status}\r\n{lifetime}Content-Length: {}\r\n\r\n{body}", body.len());
        stream.get_mut().write_all(answer.as_bytes())?;
        stream.get_mut().flush()?;
    }
    Ok(())
}

/// What a forward proxy does: CONNECT opens a tunnel, a request with a whole URL is passed on.
fn relay(stream: TcpStream, asked: &ProxyLog, endpoint: u16, with_tls: u16) -> std::io::Result<()> {
    let mut from_client = BufReader::new(stream.try_clone()?);
    let mut to_client = stream;
    let Some(lines) = head(&mut from_client)? else { return Ok(()) };
    let authorization = lines.iter().find(|line| line.to_ascii_lowercase().starts_with("proxy-authorization:"));
    let authorization = authorization.map(|line| format!(" [{line}]")).unwrap_or_default();
    asked.lock().unwrap().push(format!("{}{}", lines[0], authorization));
    let tunnel = lines[0].starts_with("CONNECT ");
    let mut origin = TcpStream::connect(("127.0.0.1", if tunnel { with_tls } else { endpoint }))?;
    if tunnel {
        to_client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    } else {
        origin.write_all(format!("{}\r\n\r\n", lines.join("\r\n")).as_bytes())?;
    }
    let mut back = (origin.try_clone()?, to_client);
    let answers = thread::spawn(move || {
        let copied = std::io::copy(&mut back.0, &mut back.1);
        let _closed = back.1.shutdown(Shutdown::Both);
        copied
    });
    std::io::copy(&mut from_client, &mut origin)?;
    origin.shutdown(Shutdown::Write)?;
    answers.join().expect("the copy does not panic").map(|_| ())
}

fn certificates() -> (String, Arc<ServerConfig>) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_key = KeyPair::generate().unwrap();
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let mut leaf = CertificateParams::new([HOST.to_owned()]).unwrap();
    leaf.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().unwrap();
    let certificate = leaf.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![certificate.into()], key))
        .unwrap();
    (authority_pem, Arc::new(server))
}
