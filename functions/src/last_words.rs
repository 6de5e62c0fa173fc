//! What is said when the process ends without an answer: an initialisation that fails, a panic. Over a blocking socket of its
//! own, since nothing of the runtime can be relied on by then.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::panic::PanicHookInfo;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reveille_domain::{Code, Failure};

use crate::api::{ERROR_TYPE, INVOCATION_ID, LambdaInvocation, PREFIX, address, error_body};
use crate::log::{Level, Line};

/// The runtime API is on this machine. Whoever waits longer for it only delays the end.
const PATIENCE: Duration = Duration::from_secs(1);
/// As a shell shows a program that panicked.
const EXIT_CODE: i32 = 101;

/// The invocation that is being answered.
static CURRENT: Mutex<Option<Current>> = Mutex::new(None);

struct Current {
    request: String,
    trace: Option<String>,
    echo: Option<String>,
}

pub(crate) fn begin(invocation: &LambdaInvocation) {
    *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Current {
        request: invocation.request_id.clone(),
        trace: invocation.trace_id.clone(),
        echo: invocation.echo.clone(),
    });
}

pub(crate) fn end() {
    *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// Has a panic answered and logged before it ends the process: the release build aborts, and catches none.
pub fn install() {
    std::panic::set_hook(Box::new(|panic| {
        say(&Failure::new(Code::Internal, words(panic)));
        // A panic in a task would otherwise leave a program that waits for it.
        std::process::exit(EXIT_CODE);
    }));
}

/// Logs a failure of the process and answers with it: the invocation's caller, or else the one of the initialisation.
pub fn say(failure: &Failure) {
    // Whoever holds the lock may be the one that panicked.
    let current = CURRENT.try_lock().ok().and_then(|mut current| current.take());
    let line = Line::new(Level::Error);
    match &current {
        Some(current) => line.ids(&current.request, current.trace.as_deref()),
        None => line,
    }
    .failure(failure)
    .write();
    if let Err(error) = post(current.as_ref(), failure) {
        Line::new(Level::Error).with("message", &format!("Lambda could not be told: {error}.")).write();
    }
}

/// Where it happened; the text only where it is a literal: a formatted one may hold what was being worked on.
fn words(panic: &PanicHookInfo<'_>) -> String {
    let text = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("its text may hold data");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    format!("The function panicked at {place} ({text}). This is a defect; report it with the execution's ARN.")
}

fn post(current: Option<&Current>, failure: &Failure) -> std::io::Result<()> {
    let address = address().ok_or_else(|| std::io::Error::other("AWS_LAMBDA_RUNTIME_API is not set"))?;
    let place = address.to_socket_addrs()?.next().ok_or(std::io::ErrorKind::NotFound)?;
    let mut stream = TcpStream::connect_timeout(&place, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let path = match current {
        Some(current) => format!("/invocation/{}/error", current.request),
        None => "/init/error".to_owned(),
    };
    let echo = match current.and_then(|current| current.echo.as_ref()) {
        Some(id) => format!("{INVOCATION_ID}: {id}\r\n"),
        None => String::new(),
    };
    let (code, body) = (failure.code, error_body(failure));
    let length = body.len();
    let request = format!(
        "POST {PREFIX}{path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n{ERROR_TYPE}: {code}\r\n{echo}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    // The first bytes of the answer: it was read.
    stream.read_exact(&mut [0; 12])
}
