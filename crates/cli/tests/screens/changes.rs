//! What is changed on a stack and on an instance, before somebody agrees.

use crate::screen::{Screen, are_as_they_were};

const RELEASE: &str = "s3://acme-releases/reveille-0.3.0/";

pub const ALL: &[Screen] = &[
    Screen::of("deploy", &["deploy", "--release", RELEASE, "-p", "LogRetentionDays=30"]),
    Screen::of("deploy-no-release", &["deploy", "--release", "dist"]),
    Screen::of("deploy-not-there", &["deploy", "--release", "s3://acme-releases/reveille-0.4.0/"]),
    Screen::of("deploy-unreadable", &["deploy", "--release", "."]).beside("manifest.json", b"{\"manifest\": 1,"),
    Screen::of("deploy-without", &["deploy"]),
    Screen::of("deploy-parameter", &["deploy", "--release", RELEASE, "-p", "InstanceName=nightly"]),
    Screen::of("deploy-value", &["deploy", "--release", RELEASE, "-p", "LogRetentionDays=31"]),
    Screen::of("deploy-file", &["deploy", "--release", RELEASE, "--parameters-file", "parameters.json"])
        .beside("parameters.json", br#"[{"ParameterKey": "LogRetentionDays", "ParameterValue": 30}]"#),
    Screen::of("deploy-other", &["deploy", "--release", RELEASE, "--stack", "data-lake"]),
    Screen::of("destroy", &["destroy", "--dry-run"]),
    Screen::of("attach", &["attach", "reports", "--dry-run"]),
    Screen::of("attach-on", &["attach", "nightly"]),
    Screen::of("detach", &["detach", "sandbox"]),
    Screen::of("detach-shown", &["detach", "sandbox", "--dry-run"]),
    Screen::of("detach-none", &["detach", "reports"]),
    Screen::of("detach-no-instance", &["detach", "nigthly"]),
    Screen::of("cancel-ended", &["cancel", "orders-europe-east-2d9c77e1"]),
    Screen::of("discard", &["undelivered", "discard", "77aa0000"]),
];

#[test]
fn changes() {
    are_as_they_were(ALL);
}
