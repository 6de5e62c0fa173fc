//! The pages of help.

use crate::screen::{Screen, are_as_they_were};

pub const ALL: &[Screen] = &[
    Screen::of("help", &["--help"]),
    Screen::of("help-run", &["run", "--help"]),
    Screen::of("help-schedule", &["schedule", "--help"]),
    Screen::of("help-schedule-add", &["schedule", "add", "--help"]),
    Screen::of("help-on-upload-add", &["on-upload", "add", "--help"]),
    Screen::of("help-undelivered", &["undelivered", "--help"]),
    Screen::of("help-completions", &["completions", "--help"]),
];

#[test]
fn help() {
    are_as_they_were(ALL);
}
