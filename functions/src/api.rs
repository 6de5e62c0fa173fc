//! The runtime API's four calls (version 2018-06-01), over one connection that is kept.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::http::response::Parts;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use lambda_runtime::Diagnostic;
use reveille_domain::Failure;
use reveille_domain::limits::FUNCTION_TIMEOUT;
use tokio::net::TcpStream;

/// What every path begins with.
pub(crate) const PREFIX: &str = "/2018-06-01/runtime";
/// The header by which Lambda tells the answer of an invocation that timed out from that of the next; it is sent back.
pub(crate) const INVOCATION_ID: &str = "lambda-runtime-invocation-id";
/// What names the kind of an error; Lambda reads the code in the body.
pub(crate) const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
/// Characters of an id that are kept: Lambda's have 36, X-Ray's under 100.
const MAX_ID_CHARS: usize = 256;
/// A Step Functions cause holds 32,768 characters, its JSON included.
const MAX_ERROR_CHARS: usize = 16_000;

#[derive(Debug)]
pub struct LambdaInvocation {
    /// Lambda's id of it.
    pub request_id: String,
    /// X-Ray's, if there is one.
    pub trace_id: Option<String>,
    /// The value of [`INVOCATION_ID`].
    pub(crate) echo: Option<String>,
    /// What it was called with: JSON, one hopes.
    pub payload: Bytes,
    deadline: SystemTime,
}

impl LambdaInvocation {
    /// How long Lambda still waits for the answer.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        self.deadline.duration_since(SystemTime::now()).unwrap_or_default()
    }
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It was taken.
    Accepted,
    /// It was not; the status.
    Refused(u16),
}

/// The runtime API of this execution environment.
#[derive(Debug)]
pub struct RuntimeApi {
    address: String,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl RuntimeApi {
    /// Where `AWS_LAMBDA_RUNTIME_API` says. Nothing is sent yet.
    ///
    /// # Errors
    /// A sentence, when it is not set.
    pub fn from_env() -> Result<Self, String> {
        let address =
            address().ok_or("AWS_LAMBDA_RUNTIME_API is not set: this program runs inside AWS Lambda only.")?;
        Ok(Self { address, connection: None })
    }

    /// Waits for the next invocation.
    pub(crate) async fn next(&mut self) -> Result<LambdaInvocation, String> {
        let (head, payload) = self.send(Method::GET, "/invocation/next", None, &[], Bytes::new()).await?;
        let status = head.status.as_u16();
        let header = |name: &str| {
            let text = head.headers.get(name)?.to_str().ok()?;
            Some(text.chars().take(MAX_ID_CHARS).collect::<String>()).filter(|text| !text.is_empty())
        };
        let request_id = header("lambda-runtime-aws-request-id");
        let Some(request_id) = request_id.filter(|_| head.status.is_success()) else {
            return Err(format!("Lambda's runtime API answered HTTP {status} and no invocation."));
        };
        // Without a deadline the template's timeout holds.
        let deadline = header("lambda-runtime-deadline-ms")
            .and_then(|text| text.parse().ok())
            .filter(|millis| *millis > 0)
            .map_or_else(
                || SystemTime::now() + FUNCTION_TIMEOUT.to_std().unwrap_or_default(),
                |millis| UNIX_EPOCH + Duration::from_millis(millis),
            );
        Ok(LambdaInvocation {
            request_id,
            trace_id: header("lambda-runtime-trace-id"),
            echo: header(INVOCATION_ID),
            payload,
            deadline,
        })
    }

    pub(crate) async fn respond(&mut self, invocation: &LambdaInvocation, answer: &str) -> Result<Answered, String> {
        self.post(invocation, "response", &[], answer.to_owned()).await
    }

    /// Answers with an error, whose type is the failure's code.
    pub(crate) async fn fail(&mut self, invocation: &LambdaInvocation, failure: &Failure) -> Result<Answered, String> {
        self.post(invocation, "error", &[(ERROR_TYPE, failure.code.as_str())], error_body(failure)).await
    }

    async fn post(
        &mut self,
        invocation: &LambdaInvocation,
        what: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<Answered, String> {
        let path = format!("/invocation/{}/{what}", invocation.request_id);
        let (head, _) = self.send(Method::POST, &path, invocation.echo.as_deref(), headers, Bytes::from(body)).await?;
        Ok(if head.status.is_success() { Answered::Accepted } else { Answered::Refused(head.status.as_u16()) })
    }

    /// Sends a request. A connection that was kept may be gone, since the environment was frozen: then a new one is tried.
    async fn send(
        &mut self,
        method: Method,
        path: &str,
        invocation_id: Option<&str>,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<(Parts, Bytes), String> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{PREFIX}{path}"))
            .header(HOST, &self.address)
            .header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(id) = invocation_id {
            request = request.header(INVOCATION_ID, id);
        }
        let request = request.body(Full::new(body)).map_err(|error| {
            format!("A request to Lambda's runtime API at {:?} cannot be made: {error}.", self.address)
        })?;
        let was_kept = self.connection.is_some();
        match self.send_once(request.clone()).await {
            Err(_) if was_kept => self.send_once(request).await,
            first => first,
        }
        .map_err(|error| {
            format!("Lambda's runtime API at {} does not answer {path}: {error}. The function ends.", self.address)
        })
    }

    async fn send_once(&mut self, request: Request<Full<Bytes>>) -> Result<(Parts, Bytes), Box<dyn std::error::Error>> {
        // Taken, so that one that fails is not used again.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(&self.address).await?,
        };
        connection.ready().await?;
        let (head, body) = connection.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        self.connection = Some(connection);
        Ok((head, body))
    }
}

async fn connect(address: &str) -> Result<SendRequest<Full<Bytes>>, Box<dyn std::error::Error>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // How it ends is what the next request on it says.
    tokio::spawn(async move { connection.await.ok() });
    Ok(sender)
}

/// Where the runtime API is.
pub(crate) fn address() -> Option<String> {
    std::env::var("AWS_LAMBDA_RUNTIME_API").ok().filter(|address| !address.is_empty())
}

/// An error as Lambda reads it.
pub(crate) fn error_body(failure: &Failure) -> String {
    let error_message = failure.with_tail();
    let error_message = match error_message.char_indices().nth(MAX_ERROR_CHARS) {
        Some((cut, _)) => format!("{}…", &error_message[..cut]),
        None => error_message,
    };
    let diagnostic = Diagnostic { error_type: failure.code.to_string(), error_message };
    // Two strings cannot fail to be JSON.
    serde_json::to_string(&diagnostic).unwrap_or_default()
}
