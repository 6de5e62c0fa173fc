//! What a role may do is asked of the local AWS, which has the roles and their policies. Owns the question; decides nothing.

use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, body::Bytes, client::conn::http1::handshake, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};

use crate::AccessKey;

/// Where the local AWS answers it.
const PATH: &str = "/_reveille/authorize";
/// It only evaluates policies. A client of AWS gives a call up after a minute, and then asks again.
const LIMIT: Duration = Duration::from_secs(10);
/// An answer is a sentence with an ARN or two.
const ANSWER_LIMIT: usize = 16 * 1024;

/// The local AWS that has the roles.
#[derive(Clone, Debug)]
pub(crate) struct Authorizer {
    address: String,
    key: AccessKey,
}

impl Authorizer {
    pub(crate) fn new(address: String, key: AccessKey) -> Self {
        Self { address, key }
    }

    /// AWS's sentence that denies a role an action; `None`: the role may do it.
    ///
    /// # Errors
    /// A sentence: nobody answered. Then nothing is allowed.
    pub(crate) async fn denial(&self, role: &str, action: &str, resource: &str) -> Result<Option<String>, String> {
        let asked = json!({"role": role, "action": action, "resource": resource}).to_string();
        let told = match timeout(LIMIT, self.ask(asked)).await {
            Ok(told) => told,
            Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
        };
        told.map_err(|why| format!("Could not ask {} whether {role} may call {action}: {why}.", self.address))
    }

    async fn ask(&self, asked: String) -> Result<Option<String>, String> {
        let say = |error: &dyn std::fmt::Display| error.to_string();
        let stream = TcpStream::connect(&self.address).await.map_err(|error| say(&error))?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| say(&error))?;
        // It ends with the one answer.
        let connection = tokio::spawn(connection);
        let credential =
            format!("AWS4-HMAC-SHA256 Credential={}/20260101/any/iam/aws4_request, Signature=0", self.key.as_str());
        let request = Request::post(PATH)
            .header(header::HOST, &self.address)
            .header(header::AUTHORIZATION, credential)
            .body(Full::new(Bytes::from(asked)))
            .map_err(|error| say(&error))?;
        let answer = sender.send_request(request).await.map_err(|error| say(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_LIMIT).collect().await.map_err(|error| say(&error))?;
        connection.abort();
        let body: Value = serde_json::from_slice(&body.to_bytes()).map_err(|error| format!("{status}: {error}"))?;
        match body.get("denied") {
            Some(Value::Null) => Ok(None),
            Some(Value::String(sentence)) => Ok(Some(sentence.clone())),
            _ => Err(format!("it answered {status} and no decision")),
        }
    }
}
