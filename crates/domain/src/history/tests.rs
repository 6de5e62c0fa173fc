use chrono::TimeDelta;
use serde_json::json;

use super::*;

fn layout(prefix: &str) -> Layout {
    Layout { bucket: "b".into(), prefix: prefix.into() }
}

fn entry(run: &str, attempt: u32, status: RunStatus, notebook: &str) -> Entry {
    Entry {
        at: AttemptRef { instance: "nightly".into(), run: RunId::from_key(run), attempt },
        started: DateTime::from_timestamp_millis(1_795_392_000_123).unwrap(),
        status,
        has_code: status == RunStatus::Failed,
        code: (status == RunStatus::Failed).then_some(Code::NotebookFailed),
        instance_after: Rest::AtRest,
        concluded: DateTime::from_timestamp_millis(1_795_392_600_456).unwrap(),
        notebook: Some(NotebookName::of(notebook)),
        trigger: TriggerKind::Upload,
    }
}

#[test]
fn an_entry_is_read_from_each_of_its_keys() {
    for prefix in ["", "team/"] {
        let layout = layout(prefix);
        let entry = entry("daily-1", 1, RunStatus::Failed, "reports/daily ü!.ipynb");
        let keys = entry.keys(&layout);
        assert_eq!(keys.len(), 3);
        assert_eq!(keys.last(), Some(&entry.last_key(&layout)));
        let orders = [
            Order::Instance("nightly".into()),
            Order::Notebook(NotebookName::of("reports/daily ü!.ipynb")),
            Order::All,
        ];
        for (key, order) in keys.iter().zip(orders) {
            assert_eq!(Entry::read(&order.folder(&layout, Group::Failed), key), Some(entry.clone()), "{key}");
            assert!(key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.!/".contains(&byte)), "{key}");
        }
        assert_eq!(entry.notebook.unwrap().shown(), "reports/daily ü!.ipynb");
    }
}

#[test]
fn the_newest_run_is_listed_first() {
    let old = entry("a", 1, RunStatus::Failed, "a.ipynb");
    let new = Entry { started: old.started + TimeDelta::milliseconds(1), ..old.clone() };
    assert!(new.last_key(&layout("")) < old.last_key(&layout("")));
}

/// Whoever lists the runs that failed must see that one of them did not in the end.
#[test]
fn a_later_attempt_stands_in_both_groups() {
    let layout = layout("");
    let again = entry("daily-1", 2, RunStatus::Succeeded, "a.ipynb");
    let keys = again.keys(&layout);
    assert_eq!(keys.len(), 6);
    for group in Group::ALL {
        let folder = Order::All.folder(&layout, group);
        let found: Vec<_> = keys.iter().filter_map(|key| Entry::read(&folder, key)).collect();
        assert_eq!(found, std::slice::from_ref(&again));
    }
    assert!(keys.last().unwrap().starts_with("history/all/ok/"));
}

/// The key that is written last tells whoever finds it that the others are there.
#[test]
fn only_the_group_of_its_own_end_has_the_last_key() {
    for attempt in [1, 2] {
        let failed = entry("daily-1", attempt, RunStatus::Failed, "a.ipynb");
        assert!(failed.is_last_in(Group::Failed) && !failed.is_last_in(Group::Ok));
        let ok = entry("daily-1", attempt, RunStatus::Succeeded, "a.ipynb");
        assert!(ok.is_last_in(Group::Ok) && !ok.is_last_in(Group::Failed));
    }
}

#[test]
fn an_entry_has_its_instance_if_the_input_named_one() {
    let mut entry = entry("daily-1", 1, RunStatus::Failed, "a.ipynb");
    assert_eq!(entry.instance(), InstanceName::parse("nightly").ok());
    entry.at.instance = "_invalid".into();
    assert_eq!(entry.instance(), None);
}

/// The notebook succeeded, and its execution failed: docs/output.md, "The execution".
#[test]
fn a_run_whose_stop_was_not_confirmed_is_among_the_failed_ones() {
    let layout = layout("");
    let mut left_on = entry("daily-1", 1, RunStatus::Succeeded, "a.ipynb");
    (left_on.has_code, left_on.code) = (true, Some(Code::StopNotConfirmed));
    assert_eq!(left_on.execution_status(), ExecutionStatus::Failed);
    let keys = left_on.keys(&layout);
    assert!(keys.iter().all(|key| key.contains("/failed/")), "{keys:?}");
    let folder = Order::All.folder(&layout, Group::Failed);
    assert_eq!(Entry::read(&folder, keys.last().unwrap()), Some(left_on));
    let later = Entry::read(&folder, &keys.last().unwrap().replace("StopNotConfirmed", "LaterCode")).unwrap();
    assert_eq!(later.execution_status(), ExecutionStatus::Failed, "a code that this version does not know");
    for (status, has_code, expected) in [
        (RunStatus::Succeeded, false, ExecutionStatus::Succeeded),
        (RunStatus::Skipped, false, ExecutionStatus::Succeeded),
        (RunStatus::Skipped, true, ExecutionStatus::Failed),
        (RunStatus::Failed, true, ExecutionStatus::Failed),
        (RunStatus::Aborted, true, ExecutionStatus::Aborted),
    ] {
        assert_eq!(execution_status(status, has_code), expected, "{status:?}");
    }
}

/// Whoever fixes a schedule looks for its runs by the notebook.
#[test]
fn a_run_that_was_not_admitted_has_its_notebook() {
    let outcome = json!({"run": "daily-1", "attempt": 1, "status": "FAILED", "code": "InvalidRequest", "outputs": {}, "phases": {},
        "instanceAfter": "notTouched", "executionArn": "arn:daily", "redriveCount": 0, "concludedAt": "2026-11-23T12:00:00Z"});
    let outcome: Outcome = serde_json::from_value(outcome).unwrap();
    let at = entry("daily-1", 1, RunStatus::Failed, "a.ipynb").at;
    let of = |input: &str| Entry::of(&outcome, &at, outcome.concluded_at, &InputText::new(input)).notebook;
    for (input, notebook) in [
        (r#"{"notebook": "a.ipynb", "parameters": 7}"#, Some("a.ipynb")),
        (r#"{"notebook": "/no/path", "parameters": {"n": 1e999}}"#, Some("/no/path")),
        (r#"{"notebook": ""}"#, None),
        (r#"{"notebook": 7}"#, None),
        ("no JSON", None),
    ] {
        assert_eq!(of(input), notebook.map(NotebookName::of), "{input}");
    }
}

#[test]
fn the_longest_key_fits() {
    let long = format!("{}/{}.ipynb", "ü".repeat(120), "x".repeat(240));
    let mut entry = entry(&"r".repeat(91), 100, RunStatus::Failed, &long);
    entry.at.instance = "i".repeat(63);
    entry.code = Code::ALL.into_iter().max_by_key(|code| code.as_str().len());
    entry.instance_after = Rest::NotConfirmed;
    entry.trigger = TriggerKind::Schedule;
    let layout = layout(&"p".repeat(crate::limits::MAX_RUNS_PREFIX));
    let longest = entry.keys(&layout).into_iter().max_by_key(String::len).unwrap();
    assert!(longest.len() <= crate::limits::MAX_KEY_BYTES, "{} bytes: {longest}", longest.len());
    let read = Entry::read(&Order::All.folder(&layout, Group::Failed), &entry.last_key(&layout)).unwrap();
    assert_eq!(read, entry);
}

/// People know a notebook by its file's name, and it is not to be missed for a part that no key has.
#[test]
fn of_a_long_name_both_ends_are_left() {
    let long = format!("{}/{}/月次レポート.ipynb", "ü".repeat(60), "x".repeat(240));
    let name = NotebookName::of(&long);
    let shown = name.shown();
    let (begin, end) = shown.split_once('…').unwrap();
    assert!(long.starts_with(begin) && !begin.is_empty(), "no character is split: {begin}");
    assert!(long.ends_with(end) && end.ends_with("x/月次レポート.ipynb"), "{end}");
    assert!(name.may_hold("anything"), "it may be in the middle");
    assert_ne!(name, NotebookName::of(&long.replace("xx/", "xxx/")), "the hash tells them apart");
    let whole = NotebookName::of("日本語の名前の長いノートブック.ipynb");
    assert_eq!(whole.shown(), "日本語の名前の長いノートブック.ipynb");
    assert!(whole.may_hold("ノート") && !whole.may_hold("anything"));
}

/// A byte that S3 does not call safe is `!` and two digits. Nothing is cut within a character.
#[test]
fn a_name_is_written_and_cut_character_by_character() {
    assert_eq!(words::encoded("a-B_9.c/ü!"), "a-B_9.c!2F!C3!BC!21");
    for (text, most, begin, end) in [
        ("ü", 6, "ü", "ü"),
        ("ü", 5, "", ""),
        ("aü", 6, "a", "ü"),
        ("üa", 6, "ü", "a"),
        ("日9", 9, "日", "9"),
        ("x8y", 2, "x8", "8y"),
        ("/9", 3, "/", "9"),
        ("", 3, "", ""),
        ("abc", 0, "", ""),
    ] {
        let part = words::encoded(text);
        assert_eq!(words::decoded(words::begin(&part, most)), begin, "the beginning of {text}");
        assert_eq!(words::decoded(words::end(&part, most)), end, "the end of {text}");
    }
}

#[test]
fn a_cut_name_has_the_room_that_a_key_leaves_it() {
    let whole = "x".repeat(250);
    assert_eq!(NotebookName::of(&whole).part(), whole);
    let longer = format!("{}{}", "a".repeat(100), "z".repeat(151));
    let name = NotebookName::of(&longer);
    assert_eq!(name.part().len(), 250);
    assert_eq!(name.shown(), format!("{}…{}", "a".repeat(80), "z".repeat(150)));
}

#[test]
fn a_notebooks_folder_has_its_name() {
    let layout = layout("team/");
    let name = NotebookName::of("reports/daily.ipynb");
    let folder = format!("{}{}/", notebooks(&layout), name.part());
    assert_eq!(folder, "team/history/notebook/reports!2Fdaily.ipynb/");
    assert_eq!(NotebookName::of_folder(&layout, &folder), Some(name));
    for odd in ["team/history/notebook/", "team/history/notebook//", "team/history/notebook/a", "history/notebook/a/"] {
        assert_eq!(NotebookName::of_folder(&layout, odd), None, "{odd}");
    }
    assert_eq!(NotebookName::of_folder(&layout, "team/history/notebook/a/b/"), None, "a folder in a folder");
}

#[test]
fn what_nobody_wrote_is_no_entry() {
    let layout = layout("");
    let folder = Order::All.folder(&layout, Group::Ok);
    let key = entry("daily-1", 1, RunStatus::Succeeded, "a.ipynb").last_key(&layout);
    assert!(Entry::read(&folder, &key).is_some());
    let odd = [key.replace("SUCCEEDED", "FINE"), key.replace("daily-1", ".."), format!("{key}/more"), folder.clone()];
    for odd in odd.iter().map(String::as_str).chain(["", "history/all/ok/x"]) {
        assert_eq!(Entry::read(&folder, odd), None, "{odd}");
    }
    let later = Entry::read(&folder, &key.replace("/!/atRest", "/LaterCode/atRest")).unwrap();
    assert_eq!(later.code, None, "a code of a later version");
    assert_eq!(words::decoded("a!zz!4"), "a!zz!4");
}

/// Each instance's role may list the keys, so they do not name what was uploaded to somebody else.
#[test]
fn of_a_trigger_the_kind_is_told_and_no_more() {
    for (event, kind) in [
        (json!(null), TriggerKind::Hand),
        (json!({"source": "aws.s3", "detail": {"object": {"key": "in/a.csv"}}}), TriggerKind::Upload),
        (json!({"source": "aws.events"}), TriggerKind::Schedule),
        (json!({"source": "aws.scheduler"}), TriggerKind::Schedule),
        (json!({"source": "reveille"}), TriggerKind::Run),
        (json!({"source": "acme.orders"}), TriggerKind::Event),
    ] {
        let input = InputText::from(&json!({"event": event}));
        assert_eq!(TriggerKind::of(&input), kind, "{event}");
        assert_eq!(TriggerKind::of_word(kind.word()), kind);
    }
    assert_eq!(TriggerKind::of(&InputText::new("no JSON")), TriggerKind::Hand);
    assert_eq!(TriggerKind::of_word("letter"), TriggerKind::Event, "of a later version");
}

#[test]
fn a_history_that_nobody_looked_through_lately_is_not_trusted() {
    let now: DateTime<Utc> = "2026-11-23T12:00:00Z".parse().unwrap();
    let place = |hours: Option<i64>| HistoryPlace {
        is_whole: true,
        looked_at: hours.map(|hours| now - TimeDelta::hours(hours)),
        ..HistoryPlace::default()
    };
    assert!(!place(Some(25)).is_trusted(now), "25 hours are too long");
    assert!(place(Some(1)).is_trusted(now) && place(Some(24)).is_trusted(now));
    assert!(!place(Some(26)).is_trusted(now), "the stack may have gone back to a version without a history");
    assert!(!place(Some(-48)).is_trusted(now), "a clock was wrong");
    assert!(!place(None).is_trusted(now));
    assert!(!HistoryPlace { is_whole: false, ..place(Some(1)) }.is_trusted(now));
}
