//! The verbs on triggers, when their runs start by themselves.

use crate::{
    screen::{Screen, are_as_they_were},
    world::Asks,
};

/// How a schedule for the sales begins.
const SALES: &str = "reports/daily-sales.ipynb";
const ORDERS: &str = "pipelines/orders/import-orders.ipynb";

pub const ALL: &[Screen] = &[
    Screen::of("schedule-list", &["schedule", "list"]),
    Screen::of("schedule-list-one", &["schedule", "list", "monthly-report"]),
    Screen::of("schedule-pause", &["schedule", "pause", "monthly-report"]),
    Screen::of("schedule-resume", &["schedule", "resume", "weekend-cleaning"]),
    Screen::of("schedule-remove", &["schedule", "remove", "monthly-report"]),
    Screen::of(
        "schedule-add",
        &[
            "schedule",
            "add",
            SALES,
            "--on",
            "nightly",
            "--cron",
            "0 8 ? * MON-FRI *",
            "--zone",
            "Europe/Berlin",
            "-p",
            "region=emea",
        ],
    ),
    Screen::of("schedule-add-crontab", &["schedule", "add", SALES, "--on", "nightly", "--cron", "0 8 * * 1-5"]),
    Screen::of("schedule-add-two-days", &["schedule", "add", SALES, "--on", "nightly", "--cron", "0 8 1 * 1"]),
    Screen::of("schedule-add-field", &["schedule", "add", SALES, "--on", "nightly", "--cron", "0 25 * * ? *"]),
    Screen::of("schedule-add-rate", &["schedule", "add", SALES, "--on", "nightly", "--rate", "1.5 hours"]),
    Screen::of("schedule-add-past", &["schedule", "add", SALES, "--on", "nightly", "--at", "2026-11-01T08:00"]),
    Screen::of(
        "schedule-add-zone",
        &["schedule", "add", SALES, "--on", "nightly", "--rate", "1 day", "--zone", "Berlin"],
    ),
    Screen::of("schedule-add-when", &["schedule", "add", SALES, "--on", "nightly"]),
    Screen::of("schedule-add-no-instance", &["schedule", "add", SALES, "--on", "nigthly", "--rate", "1 day"]),
    Screen::of(
        "schedule-add-taken",
        &["schedule", "add", SALES, "--on", "nightly", "--rate", "1 day", "--name", "monthly-report"],
    ),
    Screen::of("schedule-add-denied", &["schedule", "add", SALES, "--on", "nightly", "--rate", "1 day"])
        .asked_by(Asks::WhoMayOnlyLook),
    Screen::of("on-upload-list", &["on-upload", "list"]),
    Screen::of("on-upload-list-one", &["on-upload", "list", "reveille-orders"]),
    Screen::of("on-upload-pause", &["on-upload", "pause", "reveille-orders"]),
    Screen::of("on-upload-remove", &["on-upload", "remove", "reveille-orders"]),
    Screen::of("on-upload-test", &["on-upload", "test", "s3://acme-incoming/orders/2026/11/27/europe-west.csv"]),
    Screen::of(
        "on-upload-add",
        &[
            "on-upload",
            "add",
            ORDERS,
            "--on",
            "nightly",
            "--bucket",
            "acme-incoming",
            "--prefix",
            "orders/",
            "--suffix",
            ".csv",
            "-p",
            "source=s3://{{ bucket }}/{{ key }}",
            "-p",
            "day={{ date }}",
        ],
    ),
    Screen::of(
        "on-upload-add-broad",
        &[
            "on-upload",
            "add",
            ORDERS,
            "--on",
            "nightly",
            "--bucket",
            "acme-incoming",
            "--prefix",
            "orders/europe-",
            "--suffix",
            ".csv",
        ],
    ),
    Screen::of(
        "on-upload-add-loop",
        &["on-upload", "add", ORDERS, "--on", "nightly", "--bucket", "reveille-runs-111122223333"],
    ),
    Screen::of(
        "on-upload-add-writes",
        &[
            "on-upload",
            "add",
            ORDERS,
            "--on",
            "nightly",
            "--bucket",
            "acme-incoming",
            "--prefix",
            "orders/",
            "-p",
            "target=s3://acme-incoming/orders/clean/",
        ],
    ),
    Screen::of("on-upload-add-quiet", &["on-upload", "add", ORDERS, "--on", "nightly", "--bucket", "acme-archive"]),
    Screen::of(
        "on-upload-add-no-bucket",
        &["on-upload", "add", ORDERS, "--on", "nightly", "--bucket", "acme-incomming"],
    ),
    Screen::of(
        "on-upload-add-uri",
        &["on-upload", "add", ORDERS, "--on", "nightly", "--bucket", "s3://acme-incoming/orders/"],
    ),
    Screen::of(
        "on-upload-add-placeholder",
        &["on-upload", "add", ORDERS, "--on", "nightly", "--bucket", "acme-incoming", "-p", "source={{ path }}"],
    ),
    Screen::of("on-upload-add-denied", &["on-upload", "add", ORDERS, "--on", "nightly", "--bucket", "acme-incoming"])
        .asked_by(Asks::WhoMayOnlyLook),
    Screen::of("on-run-list", &["on-run", "list"]),
    Screen::of("on-run-list-one", &["on-run", "list", "reveille-summary"]),
    Screen::of("on-run-remove", &["on-run", "remove", "reveille-summary"]),
    Screen::of(
        "on-run-add",
        &[
            "on-run",
            "add",
            "forecast/next-quarter.ipynb",
            "--on",
            "reports",
            "--after",
            SALES,
            "--after-on",
            "nightly",
            "-p",
            "day={{ date }}",
        ],
    ),
    Screen::of(
        "on-run-add-cycle",
        &[
            "on-run",
            "add",
            ORDERS,
            "--on",
            "nightly",
            "--after",
            "reports/monthly/management-summary.ipynb",
            "--after-on",
            "reports",
        ],
    ),
    Screen::of("on-run-add-itself", &["on-run", "add", SALES, "--on", "nightly", "--after", SALES]),
    Screen::of("undelivered", &["undelivered"]),
    Screen::of("undelivered-replay", &["undelivered", "replay", "0b1f6f3c"]),
    Screen::of("undelivered-replay-all", &["undelivered", "replay", "--all"]),
    Screen::of("undelivered-replay-none", &["undelivered", "replay", "99"]),
    Screen::of("undelivered-replay-denied", &["undelivered", "replay", "77aa"]).asked_by(Asks::WhoMayOnlyLook),
];

#[test]
fn triggers() {
    are_as_they_were(ALL);
}
