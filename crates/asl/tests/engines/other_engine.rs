//! Another engine: a Python process that takes a scenario a line, and answers with how it ended.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// The function that random machines call: it has no answers, and gives back what it was given.
pub const FUNCTION: &str = "echo";

/// What it reports when it is to fail.
pub const FUNCTION_ERROR: &str = "Runtime.HandlerError";

pub struct OtherEngine {
    process: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl OtherEngine {
    /// The one of this script, if this variable of the environment names a Python for it.
    pub fn of_environment(variable: &str, script: &str) -> Option<Self> {
        let Some(python) = std::env::var_os(variable).filter(|python| !python.is_empty()) else {
            println!("skipped: {variable} is not set");
            return None;
        };
        let mut process = Command::new(python)
            .arg(format!("{}/tests/engines/{script}", env!("CARGO_MANIFEST_DIR")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{variable} names no Python: {error}"));
        let (to, from) = (process.stdin.take(), BufReader::new(process.stdout.take().unwrap()));
        Some(Self { process, to, from })
    }

    /// Runs a scenario to its end.
    pub fn run(&mut self, scenario: &Value) -> Value {
        writeln!(self.to.as_mut().unwrap(), "{scenario}").unwrap();
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("the engine answers {line:?}: {error}"))
    }
}

impl Drop for OtherEngine {
    fn drop(&mut self) {
        // Its input ends, and so does it.
        drop(self.to.take());
        drop(self.process.wait());
    }
}
