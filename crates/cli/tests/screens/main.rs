//! Every screen as a person sees it: the real program at terminals of 60, 80 and 200 columns, in colour and without, and on a pipe, at an AWS
//! that a test makes up and at a time that stands still. `make screens` writes them anew: look at what changed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod screen;
#[path = "../stub/mod.rs"]
mod stub;
mod terminal;
mod world;

use screen::{Asks, Screen, are_as_they_were, have_a_file_each};

/// The verbs on triggers, when their runs start by themselves.
const TRIGGERS: &[Screen] = &[
    Screen::of("schedule-list", &["schedule", "list"]),
    Screen::of("schedule-list-one", &["schedule", "list", "monthly-report"]),
    Screen::of("schedule-pause", &["schedule", "pause", "monthly-report"]),
    Screen::of("schedule-resume", &["schedule", "resume", "weekend-cleaning"]),
    Screen::of("schedule-remove", &["schedule", "remove", "monthly-report"]),
    Screen::of("on-upload-list", &["on-upload", "list"]),
    Screen::of("on-upload-list-one", &["on-upload", "list", "reveille-orders"]),
    Screen::of("on-upload-pause", &["on-upload", "pause", "reveille-orders"]),
    Screen::of("on-upload-remove", &["on-upload", "remove", "reveille-orders"]),
    Screen::of("on-upload-test", &["on-upload", "test", "s3://acme-incoming/orders/2026/11/27/europe-west.csv"]),
    Screen::of("on-run-list", &["on-run", "list"]),
    Screen::of("on-run-list-one", &["on-run", "list", "reveille-summary"]),
    Screen::of("on-run-remove", &["on-run", "remove", "reveille-summary"]),
    Screen::of("undelivered", &["undelivered"]),
];

const INSTANCES: &[Screen] = &[Screen::of("instances", &["instances"]), Screen::of("queue", &["queue", "nightly"])];

/// The verbs on a run.
const RUNS: &[Screen] = &[
    Screen::of("show-failed", &["show", "orders-europe-east-2d9c77e1"]),
    Screen::of("show-running", &["show", "daily-sales-20261127T091000"]),
    Screen::of("show-succeeded", &["show", "daily-sales-20261126T091000"]),
    Screen::of("show-aborted", &["show", "monthly-summary-by-hand"]),
    Screen::of("explain-failed", &["explain", "orders-europe-east-2d9c77e1"]),
    Screen::of("explain-running", &["explain", "daily-sales-20261127T091000"]),
    Screen::of("logs", &["logs", "orders-europe-east-2d9c77e1"]),
    Screen::of("open", &["open", "orders-europe-east-2d9c77e1", "--console"]),
    Screen::of("watch-ended", &["watch", "orders-europe-east-2d9c77e1"]),
    Screen::of("ambiguous", &["show", "daily-sales"]),
    Screen::of("no-such-run", &["show", "weekly"]),
];

/// What is changed on a stack and on an instance, before somebody agrees.
const CHANGES: &[Screen] = &[
    Screen::of("destroy", &["destroy", "--dry-run"]),
    Screen::of("attach", &["attach", "reports", "--dry-run"]),
    Screen::of("attach-on", &["attach", "nightly"]),
    Screen::of("cancel-ended", &["cancel", "orders-europe-east-2d9c77e1"]),
    Screen::of("discard", &["undelivered", "discard", "77aa0000"]),
];

/// What is wrong, with the stack or with who asks.
const FAULTS: &[Screen] = &[
    Screen::of("doctor", &["doctor"]),
    Screen::of("no-stack", &["instances", "--stack", "reveile"]),
    Screen::of("no-instance", &["queue", "nigthly"]),
    Screen::of("no-schedule", &["schedule", "pause", "daily"]),
    Screen::of("no-credentials", &["instances"]).asked_by(Asks::WithoutCredentials),
    Screen::of("denied", &["instances"]).asked_by(Asks::WhoMayNot),
    Screen::of("wrong-verb", &["instance"]),
    Screen::of("help", &["--help"]),
    Screen::of("help-run", &["run", "--help"]),
];

/// What an error code means.
const CODES: &[Screen] =
    &[Screen::of("explain", &["explain"]), Screen::of("explain-code", &["explain", "NotebookFailed"])];

#[test]
fn triggers() {
    are_as_they_were(TRIGGERS);
}

#[test]
fn instances() {
    are_as_they_were(INSTANCES);
}

#[test]
fn runs() {
    are_as_they_were(RUNS);
}

#[test]
fn changes() {
    are_as_they_were(CHANGES);
}

#[test]
fn faults() {
    are_as_they_were(FAULTS);
}

#[test]
fn codes() {
    are_as_they_were(CODES);
}

#[test]
fn each_file_is_a_screens() {
    have_a_file_each(&[TRIGGERS, INSTANCES, RUNS, CHANGES, FAULTS, CODES]);
}
