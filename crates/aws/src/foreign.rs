//! Answers that no AWS service sends: an empty one, a proxy's page, one that ends early. They are told by their status, type and
//! first characters. Never shows a body that could be AWS's: it may hold parameters.

use aws_smithy_runtime_api::http::Response;

/// Characters of a body that are shown: enough for a page's title.
const SHOWN_CHARS: usize = 120;
/// Characters of a header that are shown.
const HEADER_CHARS: usize = 80;

/// Why a success is refused.
pub(crate) const NOT_AWS: &str = "the answer is not AWS's";

/// Every answer of AWS's has one of these, errors and empty bodies included.
const REQUEST_IDS: [&str; 2] = ["x-amzn-requestid", "x-amz-request-id"];

pub(crate) fn has_request_id(response: &Response) -> bool {
    REQUEST_IDS.into_iter().any(|name| response.headers().get(name).is_some())
}

/// Whether it says that it is a page for a person.
pub(crate) fn is_page(response: &Response) -> bool {
    let media = response.headers().get("content-type").unwrap_or_default().to_ascii_lowercase();
    media.contains("html")
}

/// Whether a success may have this body: none, XML of S3, JSON of the others.
pub(crate) fn may_be_output(body: &[u8], speaks_xml: bool) -> bool {
    let start = body.trim_ascii_start();
    if start.is_empty() {
        return true;
    }
    let begins = |with: &[u8]| start.len() >= with.len() && start[..with.len()].eq_ignore_ascii_case(with);
    if speaks_xml { !begins(b"<!doctype html") && !begins(b"<html") } else { start[0] == b'{' }
}

/// An answer without an error of AWS's in it, in words.
pub(crate) fn describe(response: &Response) -> String {
    let status = response.status().as_u16();
    let header = |name: &str| response.headers().get(name).map(|value| printable(value, HEADER_CHARS));
    let redirect = match header("location").filter(|_| (300..400).contains(&status)) {
        Some(place) => format!(", a redirect to {place},"),
        None => String::new(),
    };
    let media = header("content-type").unwrap_or_else(|| "no content type".to_owned());
    let body = body(response.body().bytes(), &media);
    let origin = if has_request_id(response) {
        ""
    } else {
        ", and without a request id of AWS's: a proxy or gateway on the way sent it"
    };
    format!("HTTP {status}{redirect} with {body}{origin}")
}

fn body(bytes: Option<&[u8]>, media: &str) -> String {
    let Some(bytes) = bytes else { return format!("a body ({media}) that was not read") };
    let start = bytes.trim_ascii_start();
    if start.is_empty() {
        return "an empty body".to_owned();
    }
    let length = bytes.len();
    if matches!(start[0], b'{' | b'[') || start.starts_with(b"<?xml") {
        // It may be AWS's, cut off or of a shape that is not known; and AWS's may hold parameters.
        return format!("{length} bytes ({media}) that are incomplete, or not what the call answers");
    }
    let text = printable(&String::from_utf8_lossy(bytes), SHOWN_CHARS);
    format!("{length} bytes ({media}) that begin {text:?}")
}

/// Text on one line, without control characters, and bounded.
fn printable(text: &str, chars: usize) -> String {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    match line.char_indices().nth(chars) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_one_bounded_line() {
        assert_eq!(printable("<html>\r\n\t<title>\u{1b}[31mNo\u{0}</title>", 99), "<html> <title> [31mNo </title>");
        assert_eq!(printable(&"é".repeat(200), 120).chars().count(), 121);
    }

    #[test]
    fn a_success_is_told_by_its_body() {
        for (body, xml, may) in [
            ("", false, true),
            ("{}", false, true),
            (" \n{\"a\": 1}", false, true),
            ("<html>", false, false),
            ("OK", false, false),
            ("", true, true),
            ("<?xml version=\"1.0\"?><ListBucketResult/>", true, true),
            ("<HTML>", true, false),
            ("\n<!DOCTYPE html>", true, false),
        ] {
            assert_eq!(may_be_output(body.as_bytes(), xml), may, "{body}");
        }
    }
}
