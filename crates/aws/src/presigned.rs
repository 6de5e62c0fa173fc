//! One PUT to an address that somebody else signed.
//!
//! Owns that the address goes nowhere but to its own host, and is in no text: whoever has it can answer in its owner's name.

use std::convert::Infallible;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;

use crate::answer::chain;
use crate::clients::Aws;

/// Why an address took nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// It is no address that is written to.
    Address(&'static str),
    /// The answer's status.
    Refused(u16),
    /// No answer came; in words.
    NoAnswer(String),
}

impl NotTaken {
    /// Whether it may be taken when it is sent again.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::NoAnswer(_) | Self::Refused(408 | 429 | 500..))
    }
}

impl std::fmt::Display for NotTaken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(why) => f.write_str(why),
            Self::Refused(status) => write!(f, "it answered HTTP {status}"),
            Self::NoAnswer(why) => write!(f, "it did not answer: {why}"),
        }
    }
}

impl std::error::Error for NotTaken {}

impl Aws {
    /// Puts a body to a presigned address, once, as it is: a header that was not signed (`Content-Type`) would be refused.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub async fn put_presigned(&self, address: &str, body: String, time: Duration) -> Result<(), NotTaken> {
        let (origin, target) = parts(address).map_err(NotTaken::Address)?;
        let client = self.http_client().ok_or(NotTaken::Address("there is no HTTP client"))?;
        let put = Operation::builder()
            .service_name("presigned")
            .operation_name("Put")
            .http_client(client)
            .endpoint_url(origin)
            .no_auth()
            .no_retry()
            .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
            .timeout_config(TimeoutConfig::builder().operation_timeout(time).build())
            .serializer(|(target, body): (String, String)| {
                let mut request = HttpRequest::new(SdkBody::from(body));
                request.set_method("PUT")?;
                request.set_uri(target)?;
                Ok(request)
            })
            .deserializer::<u16, Infallible>(|response| Ok(response.status().as_u16()))
            .build();
        match put.invoke((target.to_owned(), body)).await {
            Ok(200..300) => Ok(()),
            Ok(status) => Err(NotTaken::Refused(status)),
            Err(error) => Err(NotTaken::NoAnswer(chain(&error))),
        }
    }
}

/// An address's scheme and host, and the rest. Without TLS only this machine itself is written to.
fn parts(address: &str) -> Result<(&str, &str), &'static str> {
    let (scheme, rest) = address.split_once("://").ok_or("it is no URL")?;
    let at = rest.find('/').ok_or("it has no path")?;
    let (host, target) = rest.split_at(at);
    let is_here = ["127.0.0.1", "[::1]", "localhost"]
        .into_iter()
        .any(|here| host.strip_prefix(here).is_some_and(|port| port.is_empty() || port.starts_with(':')));
    match scheme {
        "https" => {}
        "http" if is_here => {}
        _ => return Err("it is not HTTPS"),
    }
    Ok((&address[..address.len() - target.len()], target))
}

#[cfg(test)]
mod tests {
    use super::{NotTaken, parts};

    #[test]
    fn an_address_is_a_host_of_tls_and_a_path() {
        assert_eq!(parts("https://h.example/a%3Ab?X=%2F&y").unwrap(), ("https://h.example", "/a%3Ab?X=%2F&y"));
        assert_eq!(parts("http://127.0.0.1:80/a").unwrap(), ("http://127.0.0.1:80", "/a"));
        for refused in
            ["http://h.example/a", "http://127.0.0.1.example/a", "ftp://h/a", "https:/h", "h/a", "https://h", ""]
        {
            assert!(parts(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn only_what_may_pass_is_sent_again() {
        for (status, passes) in [(400, false), (403, false), (404, false), (429, true), (500, true), (503, true)] {
            assert_eq!(NotTaken::Refused(status).may_pass(), passes, "{status}");
        }
        assert!(!NotTaken::Address("").may_pass() && NotTaken::NoAnswer(String::new()).may_pass());
    }
}
