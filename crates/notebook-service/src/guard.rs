//! Who may use the service: whoever knows the access key of this start. Loopback is not private: a web page in a
//! browser on this machine reaches it, and so does every other user.
//!
//! Owns the look at each request, before any route. It verifies no signature: the key itself is the secret.

use axum::http::{HeaderMap, header};

use crate::AccessKey;

/// A browser says with it where a request comes from, on every request to this machine.
const FETCH_SITE: &str = "sec-fetch-site";
/// A person opened the address: no page asked for it.
const BY_A_PERSON: &str = "none";

/// Why a request is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A web page sent it.
    Page,
    /// It is for another host: a name that somebody let point to this machine.
    Host,
    /// It names no key, or another one.
    Key,
}

/// What requests are held against.
pub(crate) struct Guard {
    /// The address that is listened on, which `Host` names.
    pub(crate) host: String,
    /// The same behind the endpoints of subnets.
    pub(crate) forwarded: Vec<String>,
    /// The key of this start.
    pub(crate) key: AccessKey,
}

impl Guard {
    pub(crate) fn refusal(&self, headers: &HeaderMap, query: Option<&str>) -> Option<Refusal> {
        let site = |value: &header::HeaderValue| value.as_bytes() != BY_A_PERSON.as_bytes();
        if headers.contains_key(header::ORIGIN) || headers.get_all(FETCH_SITE).iter().any(site) {
            return Some(Refusal::Page);
        }
        let mut hosts = headers.get_all(header::HOST).iter();
        if hosts.next().is_none_or(|host| !self.is_named(host)) || hosts.next().is_some() {
            return Some(Refusal::Host);
        }
        let signed = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(signed_with);
        let named = signed.or_else(|| query.and_then(presigned_with));
        (named != Some(self.key.as_str())).then_some(Refusal::Key)
    }

    fn is_named(&self, host: &header::HeaderValue) -> bool {
        [&self.host].into_iter().chain(&self.forwarded).any(|name| name.as_bytes() == host.as_bytes())
    }

    pub(crate) fn words(&self, refusal: &Refusal) -> String {
        match refusal {
            Refusal::Page => {
                "A web page sent this request (it has an Origin or a Sec-Fetch-Site), and no page may use the local AWS. Use the aws command or an SDK.".to_owned()
            }
            Refusal::Host => format!("The request is not for {0}. Use http://{0} as the endpoint.", self.host),
            Refusal::Key => "The request's credential is not the access key of this local AWS. Take AWS_ACCESS_KEY_ID from what the local AWS printed at its start: each start has a key of its own.".to_owned(),
        }
    }
}

/// The key in an `Authorization` header of Signature Version 4.
fn signed_with(header: &str) -> Option<&str> {
    let (_, credential) = header.strip_prefix("AWS4-")?.split_once("Credential=")?;
    credential.split_once('/').map(|(key, _)| key)
}

/// The key in the query of a presigned address.
fn presigned_with(query: &str) -> Option<&str> {
    let credential = query.split('&').find_map(|pair| pair.strip_prefix("X-Amz-Credential="))?;
    // The slash is escaped by most clients; a key has no character that would be.
    credential.split(['/', '%']).next()
}

#[cfg(test)]
mod tests {
    use super::{presigned_with, signed_with};

    #[test]
    fn a_credential_is_read_as_clients_write_it() {
        let header =
            "AWS4-HMAC-SHA256 Credential=K/20260101/us-east-1/sagemaker/aws4_request, SignedHeaders=host, Signature=0";
        assert_eq!(signed_with(header), Some("K"));
        for header in
            ["", "Bearer K", "AWS4-HMAC-SHA256 SignedHeaders=host", "Basic Credential=K/", "AWS4-X Credential=K"]
        {
            assert_eq!(signed_with(header), None, "{header}");
        }
        assert_eq!(presigned_with("Action=x&X-Amz-Credential=K%2F20260101%2Fus-east-1"), Some("K"));
        assert_eq!(presigned_with("X-Amz-Credential=K/20260101"), Some("K"));
        assert_eq!(presigned_with("x=X-Amz-Credential=K"), None);
    }
}
