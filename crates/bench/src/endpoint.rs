//! Stands for AWS: answers DescribeNotebookInstance, and GetObject with NoSuchKey, over http and over https.
//! Counts the calls, so that it shows what a program did in its time. Never checks signatures.

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;

use crate::error::Error;
use crate::http::{self, Message};

/// The instance that is described.
pub const INSTANCE: &str = "bench";

/// How AWS is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// As AWS is.
    Https,
    /// Without TLS, to see what TLS costs.
    Http,
}

impl Scheme {
    /// As in a URL.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
        }
    }
}

/// Calls since the last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calls {
    /// `DescribeNotebookInstance`.
    pub describes: u32,
    /// Every other call.
    pub others: u32,
}

#[derive(Debug, Default)]
struct Counters {
    describes: AtomicU32,
    others: AtomicU32,
}

/// Where one service is answered. Each has ports of its own, so that no connection serves two services: AWS's hosts
/// differ as well.
#[derive(Clone, Copy, Debug)]
pub struct ServiceAddresses {
    /// With TLS.
    pub https: SocketAddr,
    /// Without.
    pub http: SocketAddr,
}

impl ServiceAddresses {
    fn listen(counters: &Arc<Counters>, tls: &Arc<ServerConfig>) -> Result<Self, Error> {
        Ok(Self { https: serve(counters, Some(Arc::clone(tls)))?, http: serve(counters, None)? })
    }

    /// For `AWS_ENDPOINT_URL_<service>`.
    #[must_use]
    pub fn url(&self, scheme: Scheme) -> String {
        let address = match scheme {
            Scheme::Https => self.https,
            Scheme::Http => self.http,
        };
        format!("{}://{address}", scheme.name())
    }
}

/// The endpoint, until the process ends.
#[derive(Debug)]
pub struct BenchEndpoint {
    /// Amazon SageMaker.
    pub sagemaker: ServiceAddresses,
    /// Amazon S3.
    pub s3: ServiceAddresses,
    counters: Arc<Counters>,
}

impl BenchEndpoint {
    /// Listens on free ports of 127.0.0.1.
    ///
    /// # Errors
    /// [`Error::Own`] when there are none.
    pub fn listen(tls: &Arc<ServerConfig>) -> Result<Self, Error> {
        let counters = Arc::new(Counters::default());
        let sagemaker = ServiceAddresses::listen(&counters, tls)?;
        let s3 = ServiceAddresses::listen(&counters, tls)?;
        Ok(Self { sagemaker, s3, counters })
    }

    /// The calls since the last time this was asked.
    #[must_use]
    pub fn take_calls(&self) -> Calls {
        Calls {
            describes: self.counters.describes.swap(0, Ordering::Relaxed),
            others: self.counters.others.swap(0, Ordering::Relaxed),
        }
    }
}

fn serve(counters: &Arc<Counters>, tls: Option<Arc<ServerConfig>>) -> Result<SocketAddr, Error> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(Error::own("listening"))?;
    let address = listener.local_addr().map_err(Error::own("listening"))?;
    let counters = Arc::clone(counters);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let counters = Arc::clone(&counters);
            let tls = tls.clone();
            // A connection that breaks is a program that ended: what it was to do is judged by its answer.
            thread::spawn(move || connection(stream, tls, &counters));
        }
    });
    Ok(address)
}

fn connection(stream: TcpStream, tls: Option<Arc<ServerConfig>>, counters: &Counters) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    match tls {
        None => answer_all(stream, counters),
        Some(config) => {
            let tls = ServerConnection::new(config).map_err(std::io::Error::other)?;
            answer_all(StreamOwned::new(tls, stream), counters)
        }
    }
}

fn answer_all(stream: impl Read + Write, counters: &Counters) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = http::read(&mut stream)? {
        let describe = is_describe(&request);
        let counter = if describe { &counters.describes } else { &counters.others };
        counter.fetch_add(1, Ordering::Relaxed);
        let (status, content_type, body) = if describe { described() } else { no_such_key() };
        let headers = [("Content-Type", content_type), ("x-amzn-RequestId", "6a2c7f9e-0000-4000-8000-000000000000")];
        http::write(stream.get_mut(), status, &headers, body.as_bytes())?;
    }
    Ok(())
}

fn is_describe(request: &Message) -> bool {
    request.header("x-amz-target") == Some("SageMaker.DescribeNotebookInstance")
}

/// An instance that is starting: with it CheckInstance answers "wait".
fn described() -> (&'static str, &'static str, String) {
    let body = json!({
        "NotebookInstanceArn": format!("arn:aws:sagemaker:us-east-1:123456789012:notebook-instance/{INSTANCE}"),
        "NotebookInstanceName": INSTANCE,
        "NotebookInstanceStatus": "Pending",
        "InstanceType": "ml.t3.medium",
        "Url": format!("{INSTANCE}.notebook.us-east-1.sagemaker.aws"),
        "RoleArn": "arn:aws:iam::123456789012:role/notebooks",
        "CreationTime": 1_700_000_000.125,
        "LastModifiedTime": 1_700_000_100.25,
        "NotebookInstanceLifecycleConfigName": "reveille",
        "DirectInternetAccess": "Enabled",
        "VolumeSizeInGB": 5,
        "RootAccess": "Enabled",
        "PlatformIdentifier": "notebook-al2023-v1",
    });
    ("HTTP/1.1 200 OK", "application/x-amz-json-1.1", body.to_string())
}

fn no_such_key() -> (&'static str, &'static str, String) {
    let body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>";
    ("HTTP/1.1 404 Not Found", "application/xml", body.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificates;

    #[test]
    fn calls_are_answered_and_counted() {
        let endpoint = BenchEndpoint::listen(&certificates::make().unwrap().server).unwrap();
        let mut stream = BufReader::new(TcpStream::connect(endpoint.sagemaker.http).unwrap());
        let target = [("X-Amz-Target", "SageMaker.DescribeNotebookInstance")];
        http::write(stream.get_mut(), "POST / HTTP/1.1", &target, b"{}").unwrap();
        let answer = http::read(&mut stream).unwrap().unwrap();
        assert_eq!(answer.target(), "200");
        assert!(String::from_utf8(answer.body).unwrap().contains("\"NotebookInstanceStatus\":\"Pending\""));
        http::write(stream.get_mut(), "GET /bucket/key HTTP/1.1", &[], b"").unwrap();
        assert_eq!(http::read(&mut stream).unwrap().unwrap().target(), "404");
        assert_eq!(endpoint.take_calls(), Calls { describes: 1, others: 1 });
        assert_eq!(endpoint.take_calls(), Calls { describes: 0, others: 0 });
    }
}
