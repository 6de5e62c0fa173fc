//! What is wrong, with the stack or with who asks, and what the codes of errors mean.

use crate::{
    screen::{Screen, are_as_they_were},
    world::Asks,
};

pub const ALL: &[Screen] = &[
    Screen::of("doctor", &["doctor"]),
    Screen::of("no-stack", &["instances", "--stack", "reveile"]),
    Screen::of("no-usual-stack", &["runs"]).asked_by(Asks::BesideOtherStacks),
    Screen::of("not-our-stack", &["runs", "--stack", "data-lake"]),
    Screen::of("no-instance", &["queue", "nigthly"]),
    Screen::of("no-schedule", &["schedule", "pause", "daily"]),
    Screen::of("no-credentials", &["instances"]).asked_by(Asks::WithoutCredentials),
    Screen::of("denied", &["instances"]).asked_by(Asks::WhoMayNot),
    Screen::of("wrong-verb", &["instance"]),
    Screen::of("wrong-shell", &["completions", "powershell"]),
    Screen::of("explain", &["explain"]),
    Screen::of("explain-code", &["explain", "NotebookFailed"]),
    Screen::of("explain-no-code", &["explain", "NotebookFail"]),
];

#[test]
fn faults() {
    are_as_they_were(ALL);
}
