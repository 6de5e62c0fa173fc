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
        code: (status == RunStatus::Failed).then_some(Code::NotebookFailed),
        instance_after: Rest::AtRest,
        concluded: DateTime::from_timestamp_millis(1_795_392_600_456).unwrap(),
        notebook: Some(NotebookName::of(notebook)),
        trigger: "in/a b/ü.csv".into(),
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
        assert_eq!(entry.notebook.unwrap().notebook(), ("reports/daily ü!.ipynb".to_owned(), true));
    }
}

#[test]
fn the_newest_run_is_listed_first() {
    let old = entry("a", 1, RunStatus::Failed, "a.ipynb");
    let new = Entry { started: old.started + chrono::TimeDelta::milliseconds(1), ..old.clone() };
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

#[test]
fn the_longest_key_fits() {
    let long = format!("{}/{}.ipynb", "ü".repeat(120), "x".repeat(240));
    let mut entry = entry(&"r".repeat(91), 100, RunStatus::Failed, &long);
    entry.at.instance = "i".repeat(63);
    entry.code = Code::ALL.into_iter().max_by_key(|code| code.as_str().len());
    entry.instance_after = Rest::NotConfirmed;
    entry.trigger = "ü".repeat(500);
    let layout = layout(&"p".repeat(100));
    let longest = entry.keys(&layout).into_iter().max_by_key(String::len).unwrap();
    assert!(longest.len() <= crate::limits::MAX_KEY_BYTES, "{} bytes: {longest}", longest.len());
    let read = Entry::read(&Order::All.folder(&layout, Group::Failed), &entry.last_key(&layout)).unwrap();
    let (begin, whole) = read.notebook.unwrap().notebook();
    assert!(long.starts_with(&begin) && !begin.is_empty() && !whole, "{begin}");
    assert!(read.trigger.starts_with("üüü") && read.trigger.ends_with("ü…"), "no character is split: {}", read.trigger);
    assert_ne!(
        NotebookName::of(&long),
        NotebookName::of(&long.replace(".ipynb", "2.ipynb")),
        "the hash tells them apart"
    );
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
    assert_eq!(decoded("a!zz!4"), "a!zz!4");
}

#[test]
fn a_trigger_is_told_in_a_few_words() {
    assert_eq!(trigger(&json!({})), "by hand");
    let upload = json!({"event": {"source": "aws.s3", "detail": {"object": {"key": "in/a.csv"}}}});
    assert_eq!(trigger(&upload), "in/a.csv");
    assert_eq!(trigger(&json!({"event": {"source": "aws.events"}})), "schedule");
    assert_eq!(trigger(&json!({"event": {"source": "mine"}})), "mine");
    assert_eq!(words::trigger_of(&InputText::new("no JSON")), "by hand");
}
