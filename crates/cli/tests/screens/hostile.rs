//! Names that mean harm to a terminal or to a shell, or that only take more columns than letters: those that there are in AWS, and those that are typed.
//! That no sequence but a colour's reaches the terminal, and no character that hides or reorders others, holds for every screen.

use crate::screen::{Screen, are_as_they_were};

const LAB: &str = "reveille-lab";
/// It clears the screen, names the window, and writes a line that looks like the command's own.
const HOSTILE: &str = "x\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}y\r\nreveille: all is well";

pub const ALL: &[Screen] = &[
    Screen::of("hostile-runs", &["runs", "--stack", LAB]),
    Screen::of("hostile-show", &["show", "____-", "--stack", LAB]),
    Screen::of("hostile-show-input", &["show", "by-hand-2", "--stack", LAB]),
    Screen::of("hostile-show-cause", &["show", "by-hand-1", "--stack", LAB]),
    Screen::of("hostile-explain", &["explain", "____-", "--stack", LAB]),
    Screen::of("hostile-explain-input", &["explain", "by-hand-2", "--stack", LAB]),
    Screen::of("hostile-logs", &["logs", "____-", "--stack", LAB]),
    Screen::of("hostile-rules", &["on-upload", "list", "--stack", LAB]),
    Screen::of("hostile-rule", &["on-upload", "list", "lab-by-hand", "--stack", LAB]),
    Screen::of("hostile-argument-run", &["show", HOSTILE]),
    Screen::of("hostile-argument-instance", &["queue", HOSTILE]),
    Screen::of("hostile-argument-attach", &["attach", HOSTILE, "--dry-run"]),
    Screen::of("hostile-argument-filter", &["runs", "--instance", HOSTILE]),
    Screen::of("hostile-argument-stack", &["runs", "--stack", HOSTILE]),
    Screen::of("hostile-argument-region", &["runs", "--region", HOSTILE]),
    Screen::of(
        "hostile-argument-place",
        &["schedule", "pause", "daily-sales", "--region", "us-east-1", "--stack", "reveille"],
    ),
    Screen::of("hostile-argument-profile", &["runs", "--profile", HOSTILE]),
    Screen::of("hostile-argument-schedule", &["schedule", "pause", HOSTILE]),
    Screen::of("hostile-argument-notebook", &["run", HOSTILE, "--on", "nightly"]),
    Screen::of("hostile-argument-key", &["explain", "s3://acme-incoming/x\u{1b}[2J\nreveille: all is well"]),
    Screen::of("hostile-argument-quote", &["explain", "s3://acme-incoming/x'; touch pwned; echo '$(id).csv"]),
    Screen::of("hostile-argument-bucket", &["on-upload", "add", "a.ipynb", "--on", "nightly", "--bucket", HOSTILE]),
    Screen::of("hostile-argument-parameter", &["run", "a.ipynb", "--on", "nightly", "-r", HOSTILE, "1"]),
    Screen::of("hostile-argument-cron", &["schedule", "add", "a.ipynb", "--on", "nightly", "--cron", HOSTILE]),
    Screen::of("hostile-argument-file", &["run", "a.ipynb", "--on", "nightly", "-f", HOSTILE]),
    Screen::of("hostile-argument-release", &["deploy", "--release", HOSTILE]),
    Screen::of("hostile-argument-message", &["undelivered", "replay", HOSTILE]),
    Screen::of("shell-notebook", &["run", "$(id) 'q' \"Q\".ipynb", "--on", "nightly", "--detach"]),
    Screen::of(
        "shell-schedule",
        &[
            "schedule",
            "add",
            "$(touch x) 'q' \"Q\".ipynb",
            "--on",
            "nightly",
            "--rate",
            "1 day",
            "-p",
            "q",
            "a'b\"c$(id)",
        ],
    ),
    Screen::of("wide-notebook", &["run", "分析/日次 売上📈集計レポート.ipynb", "--on", "nightly"]),
    Screen::of("bytes-run", &["show"]).and_bytes(b"daily-\xff"),
    Screen::of("bytes-notebook", &["run", "--on", "nightly"]).and_bytes(b"M\xfcller.ipynb"),
    Screen::of("bytes-parameter", &["run", "a.ipynb", "--on", "nightly", "-p", "name"]).and_bytes(b"M\xfcller"),
    Screen::of("bytes-file", &["run", "a.ipynb", "--on", "nightly", "-f"]).and_bytes(b"M\xfcller.yaml"),
    Screen::of("bytes-verb", &[]).and_bytes(b"show\xff"),
];

#[test]
fn hostile() {
    are_as_they_were(ALL);
}
