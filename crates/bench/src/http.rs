//! HTTP/1.1 as far as the Lambda runtime API and one AWS call need it: messages whose body has a stated length, over
//! blocking streams. Owns neither sockets nor TLS; never speaks chunked encoding, and refuses it.

use std::io::{BufRead, Error, ErrorKind, Read, Result, Write};

/// The SDKs send about 2 KiB of headers.
const MAX_HEAD_BYTES: u64 = 64 * 1024;
/// An invocation and an answer are a few hundred bytes.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// A request or a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The request line or the status line.
    pub start: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Message {
    /// The first header of that name, which is given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The second word of the start line: a request's path, a response's status.
    #[must_use]
    pub fn target(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }
}

/// Reads one message; `None` when the peer closed the connection before it.
///
/// # Errors
/// The stream's error, `InvalidData` for what is no HTTP/1.1 message, is too large, or is sent in chunks.
pub fn read(stream: &mut impl BufRead) -> Result<Option<Message>> {
    let mut head = stream.take(MAX_HEAD_BYTES);
    let Some(start) = line(&mut head)? else { return Ok(None) };
    let mut headers = Vec::new();
    loop {
        let line = line(&mut head)?.ok_or(ErrorKind::UnexpectedEof)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| invalid("a header line has no colon"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut message = Message { start, headers, body: Vec::new() };
    if message.header("transfer-encoding").is_some() {
        return Err(invalid("the body is sent in chunks"));
    }
    let length = message.header("content-length").map_or(Ok(0), str::parse);
    let length: usize = length.map_err(|_| invalid("content-length is no number"))?;
    if length > MAX_BODY_BYTES {
        return Err(invalid("the body is too large"));
    }
    message.body = vec![0; length];
    stream.read_exact(&mut message.body)?;
    Ok(Some(message))
}

/// Writes one message with its length, in one piece.
///
/// # Errors
/// The stream's error.
pub fn write(stream: &mut impl Write, start: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<()> {
    let mut bytes = Vec::with_capacity(1024 + body.len());
    write!(bytes, "{start}\r\n")?;
    for (name, value) in headers {
        write!(bytes, "{name}: {value}\r\n")?;
    }
    write!(bytes, "Content-Length: {}\r\n\r\n", body.len())?;
    bytes.extend_from_slice(body);
    stream.write_all(&bytes)?;
    stream.flush()
}

fn line(stream: &mut impl BufRead) -> Result<Option<String>> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    if !line.ends_with('\n') {
        return Err(invalid("the message's head is cut off or too large"));
    }
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(Some(line))
}

fn invalid(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_message_by_message() {
        let mut wire = Vec::new();
        write(&mut wire, "POST /a HTTP/1.1", &[("Host", "h"), ("X-Amz-Target", "T.Op")], b"{\"a\":1}").unwrap();
        write(&mut wire, "GET /b HTTP/1.1", &[], b"").unwrap();
        let mut wire = wire.as_slice();
        let first = read(&mut wire).unwrap().unwrap();
        assert_eq!((first.target(), first.header("x-amz-target")), ("/a", Some("T.Op")));
        assert_eq!(first.body, b"{\"a\":1}");
        assert_eq!(read(&mut wire).unwrap().unwrap().target(), "/b");
        assert_eq!(read(&mut wire).unwrap(), None);
    }

    #[test]
    fn what_cannot_be_understood_is_refused() {
        for (wire, kind) in [
            ("GET / HTTP/1.1\r\nno colon\r\n\r\n", ErrorKind::InvalidData),
            ("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ErrorKind::InvalidData),
            ("GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", ErrorKind::InvalidData),
            ("GET / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", ErrorKind::InvalidData),
            ("GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab", ErrorKind::UnexpectedEof),
            ("GET / HTTP/1.1\r\nHost: h\r\n", ErrorKind::UnexpectedEof),
            ("GET / HT", ErrorKind::InvalidData),
        ] {
            assert_eq!(read(&mut wire.as_bytes()).unwrap_err().kind(), kind, "{wire:?}");
        }
    }
}
