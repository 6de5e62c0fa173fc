//! The Lambda runtime API (version 2018-06-01) as one execution environment sees it: one invocation is handed out, the
//! moment its answer is in is noted, and the next request for an invocation is left waiting.

use std::io::BufReader;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::error::Error;
use crate::http;

/// The one invocation.
const REQUEST_ID: &str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";
const PREFIX: &str = "/2018-06-01/runtime";
/// The function's timeout in the template, which its deadline is made from.
const DEADLINE: Duration = Duration::from_secs(30);

/// What came back for an invocation.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// When its last byte was in.
    pub at: Instant,
    /// A response, not an error.
    pub is_response: bool,
    /// What was sent.
    pub body: String,
}

/// Serves one invocation to one program. Each program gets a server of its own: a request that an ended program had
/// still sent must not be handed the next one's invocation.
#[derive(Debug)]
pub struct BenchRuntimeApi {
    /// For `AWS_LAMBDA_RUNTIME_API`.
    pub address: SocketAddr,
    answers: Receiver<Answer>,
    ended: Arc<AtomicBool>,
}

/// What the connections of a server share.
#[derive(Debug)]
struct Shared {
    payload: Mutex<Option<String>>,
    answers: Sender<Answer>,
}

impl BenchRuntimeApi {
    /// Listens on a free port of 127.0.0.1, with an invocation for who asks first.
    ///
    /// # Errors
    /// [`Error::Own`] when there is no port.
    pub fn listen(payload: String) -> Result<Self, Error> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(Error::own("listening"))?;
        let address = listener.local_addr().map_err(Error::own("listening"))?;
        let (sender, answers) = channel();
        let shared = Arc::new(Shared { payload: Mutex::new(Some(payload)), answers: sender });
        let ended = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&ended);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let shared = Arc::clone(&shared);
                // A connection that breaks is a program that ended: its missing answer tells.
                thread::spawn(move || connection(stream, &shared));
            }
        });
        Ok(Self { address, answers, ended })
    }

    /// Waits for the answer.
    #[must_use]
    pub fn answer(&self, within: Duration) -> Option<Answer> {
        self.answers.recv_timeout(within).ok()
    }
}

impl Drop for BenchRuntimeApi {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts, which then sees that it is over; were it not woken, it would only be idle.
        TcpStream::connect(self.address).ok();
    }
}

fn connection(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some(request) = http::read(&mut stream)? {
        let path = request.target().strip_prefix(PREFIX).unwrap_or_default();
        if path == "/invocation/next" {
            let payload = shared.payload.lock().unwrap_or_else(PoisonError::into_inner).take();
            // Nothing more to do: the request waits until the program is ended, as in an environment that is idle.
            let Some(payload) = payload else { continue };
            hand_out(stream.get_mut(), &payload)?;
        } else if let Some(is_response) = answers_with_response(path) {
            let at = Instant::now();
            let body = String::from_utf8_lossy(&request.body).into_owned();
            // Nobody waits any more only when the program was given up.
            shared.answers.send(Answer { at, is_response, body }).ok();
            http::write(stream.get_mut(), "HTTP/1.1 202 Accepted", &[], b"")?;
        } else {
            http::write(stream.get_mut(), "HTTP/1.1 404 Not Found", &[], b"")?;
        }
    }
    Ok(())
}

fn hand_out(stream: &mut TcpStream, payload: &str) -> std::io::Result<()> {
    let deadline = (SystemTime::now() + DEADLINE).duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let headers = [
        ("Content-Type", "application/json"),
        ("Lambda-Runtime-Aws-Request-Id", REQUEST_ID),
        ("Lambda-Runtime-Deadline-Ms", &deadline.to_string()),
        ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:bench"),
        ("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0"),
    ];
    http::write(stream, "HTTP/1.1 200 OK", &headers, payload.as_bytes())
}

/// Whether a path answers the invocation with a response (true) or with an error, of the invocation or of the
/// initialisation (false).
fn answers_with_response(path: &str) -> Option<bool> {
    if path == "/init/error" {
        return Some(false);
    }
    match path.strip_prefix("/invocation/")?.strip_prefix(REQUEST_ID)? {
        "/response" => Some(true),
        "/error" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_invocation_is_handed_out_and_its_answer_noted() {
        let api = BenchRuntimeApi::listen("{}".into()).unwrap();
        let mut stream = BufReader::new(TcpStream::connect(api.address).unwrap());
        let next = "GET /2018-06-01/runtime/invocation/next HTTP/1.1";
        http::write(stream.get_mut(), next, &[], b"").unwrap();
        let invocation = http::read(&mut stream).unwrap().unwrap();
        assert_eq!(invocation.header("lambda-runtime-aws-request-id"), Some(REQUEST_ID));
        assert_eq!(invocation.body, b"{}");
        // An answer to an invocation that was not handed out is not taken for this one's.
        for (id, status) in [("6", "404"), (REQUEST_ID, "202")] {
            let post = format!("POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1");
            http::write(stream.get_mut(), &post, &[], id.as_bytes()).unwrap();
            assert_eq!(http::read(&mut stream).unwrap().unwrap().target(), status);
        }
        let answer = api.answer(Duration::from_secs(5)).unwrap();
        assert_eq!((answer.is_response, answer.body.as_str()), (true, REQUEST_ID));
        assert_eq!(api.answer(Duration::from_millis(1)), None);
    }

    #[test]
    fn answers_are_told_from_errors() {
        assert_eq!(answers_with_response(&format!("/invocation/{REQUEST_ID}/response")), Some(true));
        assert_eq!(answers_with_response(&format!("/invocation/{REQUEST_ID}/error")), Some(false));
        assert_eq!(answers_with_response("/init/error"), Some(false));
        assert_eq!(answers_with_response("/invocation/next"), None);
        assert_eq!(answers_with_response(""), None);
    }
}
