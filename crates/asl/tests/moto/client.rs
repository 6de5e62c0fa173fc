//! The engine, a Python process that takes a scenario a line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// The function that random machines call: it has no answers, and gives back what it was given.
pub const FUNCTION: &str = "echo";

/// What it reports when it is to fail.
pub const FUNCTION_ERROR: &str = "Runtime.HandlerError";

/// The engine.
pub struct Moto {
    process: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl Moto {
    /// The one that the environment names.
    pub fn of_environment() -> Option<Self> {
        let Some(python) = std::env::var_os("ASL_MOTO").filter(|python| !python.is_empty()) else {
            println!("skipped: ASL_MOTO is not set");
            return None;
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/moto/engine.py");
        let mut process = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("ASL_MOTO names a Python with tests/moto/requirements.txt");
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

impl Drop for Moto {
    fn drop(&mut self) {
        // Its input ends, and so does it.
        drop(self.to.take());
        drop(self.process.wait());
    }
}
