//! The runner's log: a line with a time on standard output.

use std::io::Write;

use chrono::{SecondsFormat, Utc};

/// Writes one line to the runner's log.
pub fn log(message: &str) {
    let time = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
    // A log that cannot be written (a full disk) must not end the runner.
    let _ = writeln!(std::io::stdout(), "{time} {message}");
}
