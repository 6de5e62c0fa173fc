//! The page by its text: what the browser makes of it is `make report-page`.

use std::{fs, path::PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use reveille_domain::{RunId, records::Outcome};
use serde_json::{Value, json};

use super::page;
use crate::{
    clients::{Ending, Execution, Run},
    overview::{Missed, Overview, Reported, ReportedInstance},
};

/// Set by `make pages`, which writes the sample anew.
const WRITE: &str = "REVEILLE_WRITE_PAGES";
/// Where `make report-page` wants the pages that its browser looks at.
const FOLDER: &str = "REVEILLE_REPORT_PAGES";
const HOSTILE: &str = "<img src=x onerror=alert(1)>\"'&\u{202e}\u{1b}[2J</td></table><script>alert(1)</script>.ipynb";

fn made() -> DateTime<Utc> {
    "2026-11-26T21:30:00Z".parse().unwrap()
}

/// Numbers that look like chance and are always the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn seconds(&mut self, least: u64, most: u64) -> TimeDelta {
        TimeDelta::seconds(i64::try_from(least + self.roll(most - least)).unwrap())
    }
}

fn phase(from: DateTime<Utc>, to: DateTime<Utc>) -> Value {
    json!({"startedAt": from, "endedAt": to, "seconds": (to - from).as_seconds_f64()})
}

fn reported(dice: &mut Dice, notebook: &str, instance: &str, started: DateTime<Utc>, ending: Ending) -> Reported {
    let stem = notebook.rsplit('/').next().unwrap().split('.').next().unwrap();
    let stem: String = stem.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
    let name = format!("{stem}-{}", started.format("%Y%m%dT%H%M%S%3f"));
    let up = started + dice.seconds(120, 240);
    let taken = up + dice.seconds(0, 60);
    let done = taken + dice.seconds(300, 2_400);
    let stopped = done + dice.seconds(60, 120);
    let status = if ending == Ending::Failed { "FAILED" } else { "SUCCEEDED" };
    let phases = json!({"starting": phase(started, up), "queued": phase(up, taken), "running": phase(taken, done), "stopping": phase(done, stopped)});
    let failure = json!({
        "code": "NotebookFailed",
        "message": format!("Cell 3 of {notebook} raised ValueError: the file lacks the column amount. The output notebook shows how far it came."),
        "evidence": {"cell": {"number": 3, "errorName": "ValueError", "errorValue": "the file lacks the column amount",
            "tracebackTail": ["Cell In[4], line 2", "      1 orders = read(source)", "----> 2 total = orders['amount'].sum()", "", "ValueError: the file lacks the column amount"]}},
    });
    let failed = ending == Ending::Failed;
    let outcome = json!({"run": name, "attempt": 1, "status": status, "instanceAfter": "atRest", "executionArn": "a", "outputs": {},
        "code": failed.then_some("NotebookFailed"), "failure": failed.then_some(failure),
        "phases": phases, "redriveCount": 0, "concludedAt": stopped});
    let outcome: Outcome = serde_json::from_value(outcome).unwrap();
    let run = Run::of_test(notebook);
    let is_over = ending != Ending::Running;
    let execution = Execution { started, stopped: is_over.then_some(stopped), ..run.execution.clone() };
    let run = Run {
        id: RunId::from_key(&format!("{name}-0b1f6f3c55")),
        execution,
        ending,
        instance: Some(instance.to_owned()),
        outcome: is_over.then_some(outcome),
        ..run
    };
    let has_run = !matches!(ending, Ending::Running | Ending::Skipped | Ending::Duplicate);
    Reported { usd: has_run.then(|| (stopped - started).as_seconds_f64() / 3_600.0 * 0.05), run }
}

fn instance(name: &str, status: &str, hours: i64, why: &str) -> ReportedInstance {
    let is_on = status == "InService";
    ReportedInstance {
        name: name.to_owned(),
        kind: "ml.t3.medium".to_owned(),
        status: status.to_owned(),
        is_on,
        since: Some(made() - TimeDelta::hours(hours)),
        why: why.to_owned(),
        usd_per_hour: Some(0.05),
        usd: is_on.then(|| 0.05 * f64::from(u8::try_from(hours).unwrap())),
    }
}

fn empty() -> Overview {
    Overview {
        stack: "reveille".to_owned(),
        region: "us-east-1".to_owned(),
        zone: Tz::Europe__Berlin,
        from: made() - TimeDelta::days(30),
        made: made(),
        runs: Vec::new(),
        missed: Vec::new(),
        instances: Vec::new(),
        prices_of: vec!["2026-09-24".parse().unwrap()],
        notes: Vec::new(),
    }
}

/// A month as a team may have it.
fn sample() -> Overview {
    let mut dice = Dice(7);
    let mut report = empty();
    for days in 0..30 {
        let day = made() - TimeDelta::days(days) - TimeDelta::hours(15);
        let daily = match (days, dice.roll(9)) {
            (4, _) => None,
            (_, 0) => Some(Ending::Failed),
            _ => Some(Ending::Succeeded),
        };
        match daily {
            Some(ending) => report.runs.push(reported(&mut dice, "reports/daily.ipynb", "nightly", day, ending)),
            None => report.missed.push(Missed {
                notebook: "reports/daily.ipynb".to_owned(),
                schedule: "reveille-daily".to_owned(),
                at: day,
            }),
        }
        for turn in 0..dice.roll(9) {
            let ending = if dice.roll(12) == 0 { Ending::Failed } else { Ending::Succeeded };
            let at = day + TimeDelta::minutes(40 * i64::try_from(turn).unwrap());
            report.runs.push(reported(&mut dice, "ingest/orders.ipynb", "ingest", at, ending));
        }
        if days % 7 == 3 {
            let ending = if days == 10 { Ending::Aborted } else { Ending::Succeeded };
            report.runs.push(reported(
                &mut dice,
                "reports/weekly-summary-of-all-regions.ipynb",
                "nightly",
                day,
                ending,
            ));
        }
    }
    report.runs.push(reported(&mut dice, "train.ipynb", "gpu", made() - TimeDelta::hours(2), Ending::Running));
    report.runs.push(reported(&mut dice, HOSTILE, "nightly", made() - TimeDelta::days(2), Ending::Failed));
    report.runs.push(reported(&mut dice, "train.ipynb", "gpu", made() - TimeDelta::days(3), Ending::Skipped));
    report.runs.push(reported(&mut dice, "train.ipynb", "gpu", made() - TimeDelta::days(6), Ending::Duplicate));
    report.runs.sort_by_key(|reported| std::cmp::Reverse(reported.run.execution.started));
    report.instances = vec![
        instance("gpu", "InService", 2, "runs daily-20261126T193000000-0b1f6f3c55; a person worked on it 3m 00s ago"),
        ReportedInstance {
            usd_per_hour: None,
            usd: None,
            kind: "ml.p9.large".to_owned(),
            ..instance("lab", "InService", 50, "a person started it, or it is not certain whose it is")
        },
        instance("nightly", "Stopped", 14, ""),
        instance("old", "Failed", 240, "no lifecycle configuration: runs fail with LifecycleConfigMissing"),
    ];
    report.notes = vec!["No price is known for ml.p9.large in us-east-1; to give it: --prices FILE.".to_owned()];
    report
}

/// Ten thousand runs of forty notebooks in a month.
fn large() -> Overview {
    let mut dice = Dice(11);
    let mut report = empty();
    for number in 0..10_000_i64 {
        let ending = if dice.roll(20) == 0 { Ending::Failed } else { Ending::Succeeded };
        let notebook = format!("reports/department-{:02}/report.ipynb", number % 40);
        let started = made() - TimeDelta::seconds(259 * number + 60);
        report.runs.push(reported(&mut dice, &notebook, "nightly", started, ending));
    }
    report
}

#[test]
fn the_page_is_the_one_that_was_looked_at() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/ui/report/sample.html");
    let page = page(&sample());
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, &page).unwrap();
    }
    let looked_at = fs::read_to_string(&path).unwrap_or_default();
    let differs = looked_at.lines().zip(page.lines()).find(|(old, new)| old != new);
    assert!(
        looked_at == page,
        "the page is another one: `make pages`, then look at it with `make report-page`: {differs:#?}"
    );
}

/// Of the table of days, of which there are two, and of each notebook's list.
const HEADS: usize = 2 + 40;

#[test]
fn ten_thousand_runs_are_less_than_two_megabytes() {
    let page = page(&large());
    assert_eq!(page.matches("\n<tr").count() - page.matches("<th scope=row").count(), 10_000 + HEADS);
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
}

#[test]
fn nothing_from_outside_is_markup_and_nothing_is_fetched() {
    let mut report = sample();
    report.stack = HOSTILE.to_owned();
    report.notes.push(HOSTILE.to_owned());
    for reported in &mut report.runs {
        reported.run.instance = Some(HOSTILE.to_owned());
        reported.run.error = Some(HOSTILE.to_owned());
        if let Some(failure) = reported.run.outcome.as_mut().and_then(|outcome| outcome.failure.as_mut()) {
            failure.message = HOSTILE.to_owned();
            let cell = failure.evidence.as_mut().and_then(|evidence| evidence.cell.as_mut()).unwrap();
            cell.error_name = HOSTILE.to_owned();
            cell.error_value = HOSTILE.to_owned();
            cell.traceback_tail = vec![HOSTILE.to_owned()];
        }
    }
    for instance in &mut report.instances {
        (instance.name, instance.kind, instance.status, instance.why) =
            (HOSTILE.to_owned(), HOSTILE.to_owned(), HOSTILE.to_owned(), HOSTILE.to_owned());
    }
    report.missed.iter_mut().for_each(|missed| missed.schedule = HOSTILE.to_owned());
    let page = page(&report);
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;"));
    for markup in [
        "<script",
        "<img",
        "</td",
        "\u{202e}",
        "\u{1b}",
        "http:",
        "https:",
        "url(",
        "src=x o\"",
        "@import",
        "<link",
        "javascript:",
    ] {
        assert!(!page.contains(markup), "{markup}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn a_cell_says_what_its_bars_show() {
    let report = sample();
    let page = page(&report);
    let grey = "title=\"1 did not come\" aria-label=\"1 did not come\"><i class=m";
    assert!(page.contains(grey), "the day without a run is grey");
    // The number in a bar is for eyes, and no text of the link: a screen reader says the cell's words.
    assert!(page.contains(" data-n=6></i></a>"));
    let links = page
        .lines()
        .filter(|line| line.starts_with("<tr><th scope=row><a"))
        .flat_map(|line| line.split("<td>").skip(1));
    let links: Vec<&str> = links.filter(|cell| cell.contains("<a ")).collect();
    assert!(links.len() > 30 && links.iter().all(|cell| cell.contains("aria-label=\"")), "{links:?}");
    assert!(page.contains("expected run did not come"));
    assert!(page.contains("<summary><b>reports/daily.ipynb</b> 29 runs, "), "{page}");
    assert!(page.contains("1 execution more had nothing to run"), "a duplicate is none of the runs");
    // No colour stands alone: each row says how it ended.
    for (reported, look) in report.runs.iter().filter_map(|it| Some((it, super::Look::of(it.run.ending)?))) {
        let row = page
            .lines()
            .find(|line| line.starts_with("<tr") && line.ends_with(&format!("<td>{}", reported.run.id)))
            .unwrap();
        let ended = if look == super::Look::Failed { "NotebookFailed" } else { super::word(look) };
        assert!(row.contains(ended), "{row}");
    }
}

#[test]
fn a_sum_says_of_how_many_runs_it_is_and_of_when_its_prices_are() {
    let mut report = sample();
    let daily = |reported: &&mut Reported| reported.run.notebook.as_deref() == Some("reports/daily.ipynb");
    report.runs.iter_mut().filter(daily).skip(1).for_each(|reported| reported.usd = None);
    let one = page(&report);
    assert!(one.contains(" USD for 1 of 29 runs</summary>"), "{one}");
    let known = report.runs.iter().filter(|reported| reported.usd.is_some()).count();
    let all = report.runs.iter().filter(|reported| super::Look::of(reported.run.ending).is_some()).count();
    assert!(one.contains(&format!("The instances of {known} of {all} runs cost about ")), "{one}");
    report.runs.iter_mut().for_each(|reported| reported.usd = None);
    let none = page(&report);
    assert!(!none.contains("cost about"));
    assert!(none.contains("<p>All amounts are estimates, at prices of 2026-09-24.</p>"), "instances have amounts, too");
}

#[test]
fn a_redriven_run_took_the_time_since_its_redrive() {
    let report = sample();
    let mut run = report.runs[0].run.clone();
    let friday = run.execution.started + TimeDelta::days(4);
    (run.execution.redriven, run.execution.stopped) = (Some(friday), Some(friday + TimeDelta::minutes(7)));
    assert_eq!(super::took(&report, &run), TimeDelta::minutes(7));
}

#[test]
fn what_is_closed_on_the_screen_is_printed() {
    let print = super::STYLE.split("@media print").skip(1).find(|rule| rule.contains("details::details-content"));
    assert!(print.is_some_and(|rule| rule.contains("content-visibility:visible")));
}

#[test]
fn a_report_of_nothing_says_so() {
    let page = page(&empty());
    for sentence in ["There are no runs in this time", "There are no notebook instances", "No run failed"] {
        assert!(page.contains(sentence), "{sentence}");
    }
}

/// For `make report-page`; without it, this only makes the pages.
#[test]
fn pages_for_the_browser() {
    let pages = [("sample", sample()), ("large", large()), ("empty", empty())];
    for (name, report) in pages {
        let page = page(&report);
        if let Some(folder) = std::env::var_os(FOLDER) {
            fs::write(PathBuf::from(folder).join(format!("{name}.html")), page).unwrap();
        }
    }
}
