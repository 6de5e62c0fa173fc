//! The verbs on runs and on the instances that they use.

use crate::{
    screen::{Screen, are_as_they_were},
    world::Asks,
};

const SALES: &str = "reports/daily-sales.ipynb";
const FAILED: &str = "orders-europe-east-2d9c77e1";

pub const ALL: &[Screen] = &[
    Screen::of("runs", &["runs"]),
    Screen::of("runs-failed", &["runs", "--status", "failed"]),
    Screen::of("runs-instance", &["runs", "--instance", "reports"]),
    Screen::of("runs-none", &["runs", "--instance", "churn-model-training", "--since", "7d"]),
    Screen::of("runs-since", &["runs", "--since", "yesterday"]),
    Screen::of("runs-status", &["runs", "--status", "broken"]),
    Screen::of("run", &["run", SALES, "--on", "nightly", "-p", "day", "2026-11-26"]),
    Screen::of("run-detach", &["run", SALES, "--on", "nightly", "--detach"]),
    Screen::of("run-no-instance", &["run", SALES, "--on", "nigthly"]),
    Screen::of("run-no-notebook", &["run", "reports/daily-sales", "--on", "nightly"]),
    Screen::of("run-instance-name", &["run", SALES, "--on", "nightly_2"]),
    Screen::of(
        "run-limits",
        &["run", SALES, "--on", "nightly", "--run-limit", "30d", "--when-busy", "later", "--html", "none"],
    ),
    Screen::of("run-word", &["run", SALES, "--on", "nightly", "--when-busy", "later"]),
    Screen::of("run-time", &["run", SALES, "--on", "nightly", "--run-limit", "2 hours"]),
    Screen::of("run-parameter", &["run", SALES, "--on", "nightly", "-p", "class", "1"]),
    Screen::of("run-parameter-twice", &["run", SALES, "--on", "nightly", "-p", "day=1", "-p", "day=2"]),
    Screen::of("run-parameter-alone", &["run", SALES, "--on", "nightly", "-p", "day"]),
    Screen::of("run-placeholder", &["run", SALES, "--on", "nightly", "-p", "source=s3://{{ bucket }}/{{ key }}"]),
    Screen::of("run-yaml", &["run", SALES, "--on", "nightly", "-f", "november.yaml"])
        .beside("november.yaml", b"day: 2026-11-26\n  region: [emea\n"),
    Screen::of("run-latin", &["run", SALES, "--on", "nightly", "-f", "november.yaml"])
        .beside("november.yaml", b"customer: M\xfcller\n"),
    Screen::of("run-no-file", &["run", SALES, "--on", "nightly", "-f", "november.yaml"]),
    Screen::of("run-denied", &["run", SALES, "--on", "nightly"]).asked_by(Asks::WhoMayOnlyLook),
    Screen::of("rerun", &["rerun", FAILED, "--detach"]),
    Screen::of("rerun-changed", &["rerun", FAILED, "-p", "day=2026-11-25", "--detach"]),
    Screen::of("rerun-succeeded", &["rerun", "daily-sales-20261126T091000"]),
    Screen::of("rerun-running", &["rerun", "daily-sales-20261127T091000"]),
    Screen::of("show-failed", &["show", FAILED]),
    Screen::of("show-running", &["show", "daily-sales-20261127T091000"]),
    Screen::of("show-succeeded", &["show", "daily-sales-20261126T091000"]),
    Screen::of("show-aborted", &["show", "monthly-summary-by-hand"]),
    Screen::of("show-denied", &["show", FAILED]).asked_by(Asks::WhoMayNotRead),
    Screen::of("explain-failed", &["explain", FAILED]),
    Screen::of("explain-running", &["explain", "daily-sales-20261127T091000"]),
    Screen::of("explain-file", &["explain", "s3://acme-incoming/orders/2026/11/25/europe-east.csv"]),
    Screen::of("logs", &["logs", FAILED]),
    Screen::of("open", &["open", FAILED, "--console"]),
    Screen::of("watch-ended", &["watch", FAILED]),
    Screen::of("ambiguous", &["show", "daily-sales"]),
    Screen::of("no-such-run", &["show", "weekly"]),
    Screen::of("report", &["report"]),
    Screen::of("report-folder", &["report", "--since", "7d", "--out", "reports/november.html"]),
    Screen::of("report-since", &["report", "--since", "2y"]),
    Screen::of("instances", &["instances"]),
    Screen::of("queue", &["queue", "nightly"]),
];

#[test]
fn runs() {
    are_as_they_were(ALL);
}
