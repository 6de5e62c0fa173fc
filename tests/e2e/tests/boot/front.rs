//! What is between a machine and the local AWS in a scenario: a service that looks at the time of what it is asked, as
//! AWS's own do, and a place where nobody should ask.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use chrono::{NaiveDateTime, TimeDelta, Utc};

/// No head of a request is nearly as long.
const LONGEST_HEAD: usize = 1 << 20;

/// Hands each connection to a thread of its own; gives the port.
fn listen(serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            // A client that goes away in the middle sees to itself.
            thread::spawn(move || serve(stream).ok());
        }
    });
    port
}

/// A service of nobody: counts who connects.
pub(crate) fn nobody() -> (u16, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let port = listen(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(())
    });
    (port, asked)
}

/// How a service refuses a request whose signature is of another time.
#[derive(Clone, Copy)]
pub(crate) enum Refusal {
    /// S3, beyond 15 minutes.
    TooSkewed,
    /// All others, beyond five minutes.
    Expired,
}

impl Refusal {
    fn tolerance(self) -> TimeDelta {
        match self {
            Self::TooSkewed => TimeDelta::minutes(15),
            Self::Expired => TimeDelta::minutes(5),
        }
    }

    fn answer(self) -> String {
        let date = Utc::now().format("%a, %d %b %Y %H:%M:%S GMT");
        let (head, body) = match self {
            Self::TooSkewed => (
                "403 Forbidden\r\ncontent-type: application/xml\r\nx-amz-request-id: 1",
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>RequestTimeTooSkewed</Code><Message>The difference \
                 between the request time and the current time is too large.</Message></Error>",
            ),
            Self::Expired => (
                "400 Bad Request\r\ncontent-type: application/x-amz-json-1.0\r\nx-amzn-requestid: 1",
                r#"{"__type":"com.amazon.coral.service#InvalidSignatureException","message":"Signature expired"}"#,
            ),
        };
        format!("HTTP/1.1 {head}\r\ndate: {date}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    }
}

/// A service behind this port of 127.0.0.1 that refuses what is signed at another time, and counts what it refuses.
pub(crate) fn clocked(to: u16, refusal: Refusal) -> (u16, Arc<AtomicUsize>) {
    let refused = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&refused);
    let port = listen(move |mut client| {
        let Some((head, rest)) = head(&mut client)? else { return Ok(()) };
        let signed = value(&head, "x-amz-date").and_then(|at| NaiveDateTime::parse_from_str(at, "%Y%m%dT%H%M%SZ").ok());
        if signed.is_some_and(|at| (at.and_utc() - Utc::now()).abs() > refusal.tolerance()) {
            let body = value(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0_u64);
            // What was sent is read: an answer to a connection that is reset would be lost.
            let left = body.saturating_sub(u64::try_from(rest.len()).unwrap_or(u64::MAX));
            io::copy(&mut Read::by_ref(&mut client).take(left), &mut io::sink())?;
            counted.fetch_add(1, Ordering::SeqCst);
            return client.write_all(refusal.answer().as_bytes());
        }
        let mut service = TcpStream::connect((Ipv4Addr::LOCALHOST, to))?;
        // One request a connection, so that each is looked at.
        let lines = head.split("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
        let head: Vec<&str> = lines.collect();
        service.write_all(format!("{}\r\nconnection: close\r\n\r\n", head.join("\r\n")).as_bytes())?;
        service.write_all(&rest)?;
        let (mut from, mut into) = (client.try_clone()?, service.try_clone()?);
        let sending = thread::spawn(move || io::copy(&mut from, &mut into));
        io::copy(&mut service, &mut client)?;
        client.shutdown(Shutdown::Both)?;
        // It ends with the client's connection.
        let _ = sending.join();
        Ok(())
    });
    (port, refused)
}

/// The head of a request without its last line, and what came behind it.
fn head(client: &mut TcpStream) -> io::Result<Option<(String, Vec<u8>)>> {
    let (mut read, mut chunk) = (Vec::new(), [0; 8192]);
    while read.len() < LONGEST_HEAD {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = read.split_off(end + 4);
            return Ok(Some((String::from_utf8_lossy(&read[..end]).into_owned(), rest)));
        }
        match client.read(&mut chunk)? {
            0 => return Ok(None),
            count => read.extend_from_slice(&chunk[..count]),
        }
    }
    Ok(None)
}

fn value<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
}
