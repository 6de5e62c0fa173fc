//! The Lambda runtime API (version 2018-06-01) as one execution environment sees it: one invocation is handed out, the
//! moment its answer is in is noted, and the next request for an invocation is left waiting.

use std::io::BufReader;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::error::Error;
use crate::http;

const PREFIX: &str = "/2018-06-01/runtime";
/// The function's timeout in the template, which its deadline is made from.
const DEADLINE: Duration = Duration::from_secs(30);

/// What came back for an invocation.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// When its last byte was in.
    pub at: Instant,
    /// The invocation; empty for an error of the initialisation.
    pub id: String,
    /// A response, not an error.
    pub is_response: bool,
    /// What was sent.
    pub body: String,
}

#[derive(Debug)]
struct Invocation {
    id: String,
    payload: String,
}

/// The server, until the process ends.
#[derive(Debug)]
pub struct RuntimeApi {
    /// For `AWS_LAMBDA_RUNTIME_API`.
    pub address: SocketAddr,
    slot: Arc<Mutex<Option<Invocation>>>,
    answers: Receiver<Answer>,
}

impl RuntimeApi {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// [`Error::Own`] when there is none.
    pub fn listen() -> Result<Self, Error> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(Error::own("listening"))?;
        let address = listener.local_addr().map_err(Error::own("listening"))?;
        let slot = Arc::new(Mutex::new(None));
        let (sender, answers) = channel();
        let shared = Arc::clone(&slot);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (slot, sender) = (Arc::clone(&shared), sender.clone());
                // A connection that breaks is a program that ended: its missing answer tells.
                thread::spawn(move || connection(stream, &slot, &sender));
            }
        });
        Ok(Self { address, slot, answers })
    }

    /// Puts an invocation where the next program that asks finds it.
    pub fn offer(&self, id: String, payload: String) {
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(Invocation { id, payload });
    }

    /// Waits for the answer to that invocation, or an error of the initialisation.
    #[must_use]
    pub fn answer(&self, id: &str, within: Duration) -> Option<Answer> {
        let end = Instant::now() + within;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let answer = self.answers.recv_timeout(left).ok()?;
            if answer.id == id || answer.id.is_empty() {
                return Some(answer);
            }
        }
    }
}

fn connection(stream: TcpStream, slot: &Mutex<Option<Invocation>>, answers: &Sender<Answer>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some(request) = http::read(&mut stream)? {
        let path = request.target().strip_prefix(PREFIX).unwrap_or_default();
        if path == "/invocation/next" {
            let invocation = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
            // Nothing more to do: the request waits until the program is ended, as in an environment that is idle.
            let Some(invocation) = invocation else { continue };
            hand_out(stream.get_mut(), &invocation)?;
        } else if let Some((id, is_response)) = answered(path) {
            let at = Instant::now();
            let body = String::from_utf8_lossy(&request.body).into_owned();
            // Nobody waits any more only when the benchmark is at its end.
            answers.send(Answer { at, id: id.to_owned(), is_response, body }).ok();
            http::write(stream.get_mut(), "HTTP/1.1 202 Accepted", &[], b"")?;
        } else {
            http::write(stream.get_mut(), "HTTP/1.1 404 Not Found", &[], b"")?;
        }
    }
    Ok(())
}

fn hand_out(stream: &mut TcpStream, invocation: &Invocation) -> std::io::Result<()> {
    let deadline = (SystemTime::now() + DEADLINE).duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let headers = [
        ("Content-Type", "application/json"),
        ("Lambda-Runtime-Aws-Request-Id", invocation.id.as_str()),
        ("Lambda-Runtime-Deadline-Ms", &deadline.to_string()),
        ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:bench"),
        ("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0"),
    ];
    http::write(stream, "HTTP/1.1 200 OK", &headers, invocation.payload.as_bytes())
}

/// The invocation that a path answers, and whether with a response.
fn answered(path: &str) -> Option<(&str, bool)> {
    if path == "/init/error" {
        return Some(("", false));
    }
    let (id, kind) = path.strip_prefix("/invocation/")?.split_once('/')?;
    match kind {
        "response" => Some((id, true)),
        "error" => Some((id, false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_invocation_is_handed_out_and_its_answer_noted() {
        let api = RuntimeApi::listen().unwrap();
        api.offer("7".into(), "{}".into());
        let mut stream = BufReader::new(TcpStream::connect(api.address).unwrap());
        let next = "GET /2018-06-01/runtime/invocation/next HTTP/1.1";
        http::write(stream.get_mut(), next, &[], b"").unwrap();
        let invocation = http::read(&mut stream).unwrap().unwrap();
        assert_eq!(invocation.header("lambda-runtime-aws-request-id"), Some("7"));
        assert_eq!(invocation.body, b"{}");
        // An answer to another invocation is not taken for this one's.
        for id in ["6", "7"] {
            let post = format!("POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1");
            http::write(stream.get_mut(), &post, &[], id.as_bytes()).unwrap();
            assert_eq!(http::read(&mut stream).unwrap().unwrap().target(), "202");
        }
        let answer = api.answer("7", Duration::from_secs(5)).unwrap();
        assert_eq!((answer.is_response, answer.body.as_str()), (true, "7"));
        assert_eq!(api.answer("8", Duration::from_millis(1)), None);
    }

    #[test]
    fn answers_are_told_from_errors() {
        assert_eq!(answered("/invocation/7/response"), Some(("7", true)));
        assert_eq!(answered("/invocation/7/error"), Some(("7", false)));
        assert_eq!(answered("/init/error"), Some(("", false)));
        assert_eq!(answered("/invocation/next"), None);
        assert_eq!(answered(""), None);
    }
}
