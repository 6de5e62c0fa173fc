//! `reveille queue`: which run uses an instance or starts it, which wait, and when each may start.

use chrono::{DateTime, TimeDelta, Utc};
use reveille_domain::{InstanceName, records::Lease};
use serde_json::{Value, json};

use crate::{
    arguments::{Format, QueueArguments},
    clients::{Account, Coming, Learnt, Place, Run, Took},
    error::{CliError, within},
    exit::Exit,
    ui::{
        json::time,
        table::{self, Cell, Column},
        terminal::{Terminal, Tone},
        text::or_none,
        times,
    },
};

const COLUMNS: [Column; 5] = [
    Column { title: "PLACE", rank: 0, least: 8 },
    Column { title: "NOTEBOOK", rank: 0, least: 14 },
    Column { title: "RUN", rank: 0, least: 12 },
    Column { title: "SINCE", rank: 1, least: 7 },
    Column { title: "EXPECTED", rank: 0, least: 17 },
];

/// Earlier runs of a notebook that count: what it took months ago says little.
const COUNT: usize = 9;

/// A row of the queue.
#[derive(Clone, Debug)]
struct Row {
    run: Run,
    place: Standing,
    since: DateTime<Utc>,
    /// When it will start, or where it runs, end.
    expected: Expected,
    until: Option<DateTime<Utc>>,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It has no ticket yet: it starts the instance, or waits until that is up.
    Starting,
    Running,
    /// So many runs are before it, or it is the first.
    Waiting(usize),
}

impl Standing {
    const fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Waiting(_) => "waiting",
        }
    }
}

/// When something may happen, guessed from earlier runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// Its turn has come.
    Now,
    At(DateTime<Utc>),
    /// A notebook before it never succeeded here.
    Unknown,
}

pub(crate) async fn run(terminal: &Terminal, arguments: &QueueArguments) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let name = &arguments.instance;
    let status = account.named(name.as_str()).await?;
    let lease = account.believed_lease(name).await.map_err(|error| match error {
        CliError::Record { key, problem } => CliError::NotNow(format!(
            "could not find out which run uses {name}, because its lease {key} cannot be read ({}); what to do about it: reveille explain Internal",
            within(&problem)
        )),
        error => error,
    })?;
    let running = running(&account, lease.as_ref()).await?;
    let mut waiting = account.inbox(name).await?;
    waiting.retain(|place| running.as_ref().is_none_or(|(run, _)| run.id != place.run.id));
    let runs = || running.iter().map(|(run, _)| run).chain(waiting.iter().map(|place| &place.run));
    let known: Vec<&str> = runs().map(|run| run.execution.arn.as_str()).collect();
    let Coming { runs: mut starting, bound } = account.coming(name, &known).await?;
    // Whose boot it will be comes first.
    starting.sort_by_key(|run| lease.as_ref().is_none_or(|lease| lease.started_by != run.id));
    let runs = runs();
    let notebooks: Vec<&str> = runs.filter_map(|run| run.notebook.as_deref()).collect();
    let earlier = account.earlier(name, &notebooks, COUNT, &mut Learnt::default()).await?;
    let now = Utc::now();
    let rows = rows(running, waiting, starting, &earlier, now);
    if let Some(count) = bound {
        terminal.note(&format!(
            "only the newest {count} executions under way were looked at for runs that are starting {name}; there may be older ones"
        ));
    }
    if arguments.format.output == Format::Json {
        let runs: Vec<Value> = rows.iter().map(as_json).collect();
        let is_complete = bound.is_none();
        Terminal::result(
            &json!({"instance": name, "status": status.as_str(), "isComplete": is_complete, "runs": runs}),
        );
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        let status = status.as_str();
        terminal.note(&format!(
            "no run is using {name} ({status}) or waiting for it; to list those that ended: reveille runs"
        ));
        return Ok(Exit::Done);
    }
    let cells: Vec<Vec<Cell>> = rows.iter().map(|row| cells(row, now)).collect();
    table::show(terminal, &table::telling_apart(terminal, COLUMNS, "RUN", &cells), &cells);
    Ok(Exit::Done)
}

/// What is said of a run that waits, behind that it does: how many are before it, and when it may start. `None`: it has no place.
pub(super) async fn standing(
    account: &Account,
    name: &InstanceName,
    own: &Run,
    learnt: &mut Learnt,
) -> Result<Option<String>, CliError> {
    let Some(mut waiting) = account.inbox_up_to(name, own, learnt).await? else { return Ok(None) };
    let lease = account.lease(name).await?;
    let running = running(account, lease.as_ref()).await?;
    waiting.retain(|place| running.as_ref().is_none_or(|(run, _)| run.id != place.run.id));
    let runs = running.iter().map(|(run, _)| run).chain(waiting.iter().map(|place| &place.run));
    // What comes after its own start says nothing about that.
    let others = runs.filter(|run| run.id != own.id);
    let notebooks: Vec<&str> = others.filter_map(|run| run.notebook.as_deref()).collect();
    let earlier = account.earlier(name, &notebooks, COUNT, learnt).await?;
    let now = Utc::now();
    let before = usize::from(running.is_some());
    let rows = rows(running, waiting, Vec::new(), &earlier, now);
    Ok(rows.iter().find(|row| row.run.id == own.id).and_then(|row| said(row, before, now)))
}

/// How many runs are before one that waits, of which some may run, and when it may start.
fn said(row: &Row, running: usize, now: DateTime<Utc>) -> Option<String> {
    let Standing::Waiting(place) = row.place else { return None };
    let before = match place - 1 + running {
        0 => return Some(", next".to_owned()),
        1 => "1 run".to_owned(),
        more => format!("{more} runs"),
    };
    let expected = match row.expected {
        Expected::Unknown => String::new(),
        Expected::Now | Expected::At(_) => format!(", {}", expected(row, now)),
    };
    Some(format!(", {before} before it{expected}"))
}

/// What a notebook usually takes on an instance, if it succeeded there before.
pub(super) async fn typical_time(
    account: &Account,
    name: &InstanceName,
    notebook: &str,
    learnt: &mut Learnt,
) -> Result<Option<TimeDelta>, CliError> {
    Ok(typical(notebook, &account.earlier(name, &[notebook], COUNT, learnt).await?))
}

/// The run that uses the instance, and since when.
async fn running(account: &Account, lease: Option<&Lease>) -> Result<Option<(Run, DateTime<Utc>)>, CliError> {
    let Some(at) = lease.and_then(|lease| lease.busy.as_ref()) else { return Ok(None) };
    let Some(request) = account.request(&at.instance, &at.run).await? else { return Ok(None) };
    let Some(run) = account.going_on(&request.execution_arn).await? else { return Ok(None) };
    let claim = match account.claim(at).await {
        Err(CliError::Record { .. }) => None,
        claim => claim?,
    };
    let since = claim.map_or(run.execution.started, |claim| claim.at);
    Ok(Some((run, since)))
}

fn rows(
    running: Option<(Run, DateTime<Utc>)>,
    waiting: Vec<Place>,
    starting: Vec<Run>,
    earlier: &[Took],
    now: DateTime<Utc>,
) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut next = Expected::Now;
    if let Some((run, since)) = running {
        next = after(Expected::At(since), &run, earlier);
        rows.push(Row { run, place: Standing::Running, since, expected: next, until: None });
    }
    for (index, Place { run, since, until }) in waiting.into_iter().enumerate() {
        let begins = match next {
            // What takes longer than before ends any moment, as far as anybody can say.
            Expected::At(at) => Expected::At(at.max(now)),
            other => other,
        };
        let from = if begins == Expected::Now { Expected::At(now) } else { begins };
        next = after(from, &run, earlier);
        rows.push(Row { run, place: Standing::Waiting(index + 1), since, expected: begins, until });
    }
    // How long an instance takes to start is not told by runs that found it up.
    let row = |run: Run| Row {
        since: run.execution.started,
        run,
        place: Standing::Starting,
        expected: Expected::Unknown,
        until: None,
    };
    // Behind those with a ticket: where one has come up, these get theirs next.
    rows.extend(starting.into_iter().map(row));
    rows
}

/// When a run that starts then may have ended.
fn after(start: Expected, run: &Run, earlier: &[Took]) -> Expected {
    let took = run.notebook.as_deref().and_then(|notebook| typical(notebook, earlier));
    match (start, took) {
        (Expected::At(start), Some(took)) => start.checked_add_signed(took).map_or(Expected::Unknown, Expected::At),
        (Expected::Now | Expected::At(_) | Expected::Unknown, _) => Expected::Unknown,
    }
}

/// The median of a notebook's newest runs: one that hung does not move it.
fn typical(notebook: &str, earlier: &[Took]) -> Option<TimeDelta> {
    let mut seconds: Vec<f64> =
        earlier.iter().filter(|took| took.notebook == notebook).map(|took| took.seconds).take(COUNT).collect();
    seconds.sort_by(f64::total_cmp);
    let median = seconds.get(seconds.len() / 2)?;
    TimeDelta::try_milliseconds(times::to_millis(*median))
}

fn cells(row: &Row, now: DateTime<Utc>) -> Vec<Cell> {
    let place = match row.place {
        Standing::Starting => ("starting".to_owned(), Tone::Moving),
        Standing::Running => ("runs".to_owned(), Tone::Moving),
        Standing::Waiting(place) => (place.to_string(), Tone::Plain),
    };
    vec![
        place,
        (or_none(row.run.notebook.as_deref()), Tone::Strong),
        (row.run.id.to_string(), Tone::Plain),
        (times::duration(now - row.since), Tone::Quiet),
        (expected(row, now), Tone::Plain),
    ]
}

fn expected(row: &Row, now: DateTime<Utc>) -> String {
    let runs = row.place == Standing::Running;
    let what = if runs { "ends" } else { "starts" };
    match row.expected {
        Expected::Now => "is next".to_owned(),
        Expected::At(at) if at <= now && runs => "overdue".to_owned(),
        Expected::At(at) if at <= now => "is next".to_owned(),
        Expected::At(at) => format!("{what} in ~{}", times::duration(at - now)),
        Expected::Unknown => "not known".to_owned(),
    }
}

fn as_json(row: &Row) -> Value {
    let expected = if let Expected::At(at) = row.expected { Some(time(at)) } else { None };
    let (place, start, end) = match row.place {
        Standing::Starting => (None, None, None),
        Standing::Running => (Some(0), None, expected),
        Standing::Waiting(place) => (Some(place), expected, None),
    };
    json!({
        "place": place,
        "state": row.place.word(),
        "run": row.run.id,
        "notebook": row.run.notebook,
        "since": time(row.since),
        "expectedStart": start,
        "expectedEnd": end,
        "waitsUntil": row.until.map(time),
        "executionArn": row.run.execution.arn,
    })
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};
    use unicode_width::UnicodeWidthStr;

    use super::{COLUMNS, Expected, Standing, as_json, cells, expected, rows, said, typical};
    use crate::{
        clients::{Place, Run, Took},
        ui::{table, terminal::Terminal},
    };

    fn took(notebook: &str, seconds: f64) -> Took {
        Took { notebook: notebook.to_owned(), seconds }
    }

    #[test]
    fn a_start_is_guessed_from_what_runs_before_it() {
        let now = Utc::now();
        let ago = |minutes| now - TimeDelta::minutes(minutes);
        let place = |notebook: &str| Place { run: Run::of_test(notebook), since: ago(5), until: None };
        let earlier = [took("a.ipynb", 600.0), took("a.ipynb", 660.0), took("a.ipynb", 9_000.0), took("b.ipynb", 60.0)];
        let queue = || vec![place("b.ipynb"), place("new.ipynb"), place("b.ipynb")];
        let guessed = rows(Some((Run::of_test("a.ipynb"), ago(1))), queue(), Vec::new(), &earlier, now);
        let minutes = |minutes| Expected::At(now + TimeDelta::minutes(minutes));
        let expectations: Vec<_> = guessed.iter().map(|row| row.expected).collect();
        assert_eq!(expectations, [minutes(10), minutes(10), minutes(11), Expected::Unknown]);
        // What runs takes longer than ever: the next may start any moment, and those behind it after that.
        let late = rows(Some((Run::of_test("a.ipynb"), ago(300))), queue(), Vec::new(), &earlier, now);
        assert_eq!(expected(&late[0], now), "overdue");
        assert_eq!(expected(&late[1], now), "is next");
        assert_eq!(late[2].expected, minutes(1));
        let sentences: Vec<_> = guessed.iter().map(|row| said(row, 1, now)).collect();
        let behind = |text: &str| Some(format!(", {text}"));
        let two = behind("2 runs before it, starts in ~11m 00s");
        assert_eq!(sentences, [None, behind("1 run before it, starts in ~10m 00s"), two, behind("3 runs before it")]);
        // Nobody runs.
        assert_eq!(rows(None, queue(), Vec::new(), &earlier, now)[0].expected, Expected::Now);
        assert!(rows(None, Vec::new(), Vec::new(), &earlier, now).is_empty());
        for width in [60, 80, 200] {
            let cells: Vec<_> = guessed.iter().map(|row| cells(row, now)).collect();
            let lines = table::lines(&Terminal::plain(width), &COLUMNS, &cells);
            assert!(lines.iter().all(|line| line.width() <= width), "{lines:#?}");
            assert!(lines[1].starts_with("runs  ") && lines[2].starts_with("1  "), "{lines:#?}");
        }
    }

    /// A run that starts the instance uses it, although it has no ticket yet.
    #[test]
    fn a_run_that_starts_the_instance_is_shown() {
        let now = Utc::now();
        let starting = || vec![Run::of_test("first.ipynb"), Run::of_test("second.ipynb")];
        let alone = rows(None, Vec::new(), starting(), &[], now);
        let standing: Vec<_> = alone.iter().map(|row| row.place).collect();
        assert_eq!(standing, [Standing::Starting, Standing::Starting]);
        let json = as_json(&alone[0]);
        assert_eq!((&json["state"], &json["place"]), (&"starting".into(), &serde_json::Value::Null));
        let cells: Vec<_> = alone.iter().map(|row| cells(row, now)).collect();
        for width in [60, 80, 200] {
            let lines = table::lines(&Terminal::plain(width), &COLUMNS, &cells);
            assert!(lines[1].starts_with("starting  first.ipynb"), "{lines:#?}");
            assert!(lines.iter().all(|line| line.width() <= width), "{lines:#?}");
        }
        let behind = rows(Some((Run::of_test("runs.ipynb"), now)), Vec::new(), starting(), &[], now);
        assert_eq!(
            behind.iter().map(|row| row.place).collect::<Vec<_>>()[..2],
            [Standing::Running, Standing::Starting]
        );
    }

    #[test]
    fn the_typical_time_is_the_median_of_the_newest() {
        let mut earlier: Vec<Took> = (0..9).map(|_| took("a.ipynb", 10.0)).collect();
        earlier.extend((0..50).map(|_| took("a.ipynb", 1_000.0)));
        assert_eq!(typical("a.ipynb", &earlier), Some(TimeDelta::seconds(10)));
        assert_eq!(typical("b.ipynb", &earlier), None);
    }
}
