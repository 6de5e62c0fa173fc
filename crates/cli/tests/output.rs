//! What the command says where its answer cannot be written.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs::File,
    process::{Command, Stdio},
};

fn explain() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reveille"));
    command.args(["explain", "Busy"]).stderr(Stdio::piped());
    command
}

#[test]
fn an_answer_that_is_lost_is_no_success() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = explain().stdout(full).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot write standard output: No space left on device"), "{said}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_fault() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = explain().stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}
