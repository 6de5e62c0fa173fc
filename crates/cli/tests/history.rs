//! Lists of runs from the history: what one costs does not grow with the number of runs, and what Step Functions has forgotten is listed too.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod stub;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use chrono::{DateTime, TimeDelta, Utc};
use reveille_domain::{
    Code, RunId,
    history::{Entry, NotebookName},
    layout::{AttemptRef, Layout},
    records::{Rest, RunStatus},
};
use serde_json::{Value, json};
use stub::{STACK, Stub, StubCall};

const MACHINE: &str = "arn:aws:states:us-east-1:1:stateMachine:m";

/// An AWS after so many runs, one a minute: number 0 is the newest.
struct Past {
    runs: usize,
    /// So many of the newest are known to Step Functions.
    known: usize,
    newest: DateTime<Utc>,
    keys: BTreeSet<String>,
    bodies: BTreeMap<String, String>,
    /// Bytes of all answers.
    answered: AtomicUsize,
}

fn layout() -> Layout {
    Layout { bucket: "b".into(), prefix: String::new() }
}

fn arn(number: usize) -> String {
    format!("arn:aws:states:us-east-1:1:execution:m:run-{number}")
}

const fn has_failed(number: usize) -> bool {
    number % 10 == 3
}

fn instance(number: usize) -> String {
    format!("nb-{}", number % 5)
}

impl Past {
    fn of(runs: usize, known: usize) -> Self {
        // To the second: a stub's times are whole.
        let newest = DateTime::from_timestamp(Utc::now().timestamp() - 60, 0).unwrap();
        let bodies = BTreeMap::from([("history.json".to_owned(), json!({"isWhole": true}).to_string())]);
        let mut past = Self { runs, known, newest, keys: BTreeSet::new(), bodies, answered: AtomicUsize::new(0) };
        for number in 0..runs {
            past.keys.extend(past.entry(number).keys(&layout()));
        }
        past.keep_records();
        past
    }

    fn started(&self, number: usize) -> DateTime<Utc> {
        self.newest - TimeDelta::minutes(i64::try_from(number).unwrap())
    }

    fn ended(&self, number: usize) -> DateTime<Utc> {
        self.started(number) + TimeDelta::seconds(50)
    }

    fn notebook(&self, number: usize) -> String {
        if number == self.runs - 1 { "rare.ipynb".to_owned() } else { format!("reports/{}.ipynb", number % 7) }
    }

    fn at(&self, number: usize) -> AttemptRef {
        let run = RunId::of(&format!("run-{number}"), &arn(number), self.started(number));
        AttemptRef { instance: instance(number), run, attempt: 1 }
    }

    fn entry(&self, number: usize) -> Entry {
        Entry {
            at: self.at(number),
            started: self.started(number),
            status: if has_failed(number) { RunStatus::Failed } else { RunStatus::Succeeded },
            code: has_failed(number).then_some(Code::NotebookFailed),
            instance_after: Rest::AtRest,
            concluded: self.ended(number),
            notebook: Some(NotebookName::of(&self.notebook(number))),
            trigger: "schedule".into(),
        }
    }

    /// The outcome of the oldest: of the other ones only the history is left.
    fn keep_records(&mut self) {
        let number = self.runs - 1;
        let at = self.at(number);
        let outcome = json!({"run": at.run, "attempt": 1, "status": "SUCCEEDED", "instance": at.instance,
            "notebook": self.notebook(number), "outputs": {}, "phases": {}, "instanceAfter": "atRest", "executionArn": arn(number),
            "redriveCount": 0, "admittedAt": self.started(number), "concludedAt": self.ended(number)});
        let key = layout().outcome(&at);
        self.keys.insert(key.clone());
        self.bodies.insert(key, outcome.to_string());
    }

    fn execution(&self, number: usize) -> Value {
        let status = if has_failed(number) { "FAILED" } else { "SUCCEEDED" };
        json!({"executionArn": arn(number), "stateMachineArn": MACHINE, "name": format!("run-{number}"), "status": status,
            "startDate": self.started(number).timestamp(), "stopDate": self.ended(number).timestamp()})
    }

    fn answer(&self, call: &StubCall<'_>) -> (u16, String) {
        let path = call.first.split_whitespace().nth(1).unwrap();
        let asked: Value = serde_json::from_str(call.body).unwrap_or_default();
        let answer = match call.action {
            "ListExecutions" => (200, self.executions(&asked)),
            "DescribeExecution" => self.described(asked["executionArn"].as_str().unwrap()),
            _ if path.contains("list-type=2") => (200, self.list(path)),
            _ if call.first.starts_with("GET ") => {
                let key = path.split('?').next().unwrap().trim_start_matches("/b/").replace("%2F", "/");
                let body = self.bodies.get(&key).cloned();
                body.map_or((404, "<Error><Code>NoSuchKey</Code></Error>".to_owned()), |body| (200, body))
            }
            _ => (200, STACK.replace("<OutputValue>m<", &format!("<OutputValue>{MACHINE}<"))),
        };
        self.answered.fetch_add(answer.1.len(), Ordering::SeqCst);
        answer
    }

    fn executions(&self, asked: &Value) -> String {
        let most = usize::try_from(asked["maxResults"].as_u64().unwrap()).unwrap();
        let status = asked["statusFilter"].as_str();
        let fits = |number: &usize| match status {
            None => true,
            Some("FAILED") => has_failed(*number),
            Some("SUCCEEDED") => !has_failed(*number),
            Some(_) => false,
        };
        let page: Vec<Value> = (0..self.known).filter(fits).take(most).map(|number| self.execution(number)).collect();
        json!({"executions": page}).to_string()
    }

    fn described(&self, arn: &str) -> (u16, String) {
        let number: usize = arn.rsplit("run-").next().unwrap().parse().unwrap();
        if number >= self.known {
            return (
                400,
                json!({"__type": "ExecutionDoesNotExist", "message": "Execution Does Not Exist"}).to_string(),
            );
        }
        let mut execution = self.execution(number);
        let input =
            json!({"instance": instance(number), "notebook": self.notebook(number), "event": {"source": "aws.events"}});
        execution["input"] = input.to_string().into();
        (200, execution.to_string())
    }

    fn list(&self, path: &str) -> String {
        let query = |name: &str| {
            let value =
                path.split(['?', '&']).find_map(|part| part.strip_prefix(&format!("{name}="))).unwrap_or_default();
            value.replace("%2F", "/").replace("%21", "!")
        };
        let (prefix, after) = (query("prefix"), query("start-after"));
        let most: usize = query("max-keys").parse().unwrap_or(1_000);
        let mut answer = String::from("<ListBucketResult>");
        if query("delimiter").is_empty() {
            let from = if after > prefix { format!("{after}\u{0}") } else { prefix.clone() };
            let mut fitting = self.keys.range(from..).take_while(|key| key.starts_with(&prefix));
            for key in fitting.by_ref().take(most) {
                write!(answer, "<Contents><Key>{key}</Key></Contents>").unwrap();
            }
            write!(answer, "<IsTruncated>{}</IsTruncated>", fitting.next().is_some()).unwrap();
        } else {
            let mut from = prefix.clone();
            while let Some(key) = self.keys.range(from.clone()..).next().filter(|key| key.starts_with(&prefix)) {
                let Some(end) = key[prefix.len()..].find('/') else {
                    from = format!("{key}\u{0}");
                    continue;
                };
                let folder = &key[..prefix.len() + end];
                write!(answer, "<CommonPrefixes><Prefix>{folder}/</Prefix></CommonPrefixes>").unwrap();
                // The character behind the slash.
                from = format!("{folder}0");
            }
        }
        answer + "</ListBucketResult>"
    }
}

struct World {
    past: Arc<Past>,
    stub: Stub,
}

/// A list, and what it cost.
struct Listed {
    lines: Vec<String>,
    notes: String,
    requests: usize,
    bytes: usize,
}

impl Listed {
    fn numbers(&self) -> Vec<usize> {
        let number = |line: &String| line.split("run-").nth(1)?.split('-').next()?.parse().ok();
        self.lines.iter().map(|line| number(line).unwrap()).collect()
    }
}

impl World {
    fn of(past: Past) -> Self {
        let past = Arc::new(past);
        let answering = Arc::clone(&past);
        Self { past, stub: Stub::start(move |call| Some(answering.answer(call))) }
    }

    fn list(&self, arguments: &[&str]) -> Listed {
        let (requests, bytes) = (self.stub.asked("").len(), self.past.answered.load(Ordering::SeqCst));
        let output = self.stub.reveille(&[&["runs"], arguments].concat());
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
        let lines = String::from_utf8(output.stdout).unwrap();
        Listed {
            lines: lines.lines().filter(|line| line.contains("run-")).map(str::to_owned).collect(),
            notes: String::from_utf8(output.stderr).unwrap(),
            requests: self.stub.asked("").len() - requests,
            bytes: self.past.answered.load(Ordering::SeqCst) - bytes,
        }
    }
}

/// A list costs after a hundred thousand runs what it costs after a thousand: as many requests, and answers as long.
#[test]
fn what_a_list_costs_does_not_grow_with_the_number_of_runs() {
    let (small, large) = (World::of(Past::of(1_000, 1_000)), World::of(Past::of(100_000, 100_000)));
    for (arguments, shown) in [
        (&[][..], 20),
        (&["--status", "failed"], 20),
        (&["--since", "12h"], 20),
        (&["--instance", "nb-3"], 20),
        (&["--instance", "nb-3", "--status", "failed"], 20),
        (&["--notebook", "reports/2"], 20),
        (&["--notebook", "rare"], 1),
        (&["--notebook", "reports/2", "--instance", "nb-3", "--since", "16h"], 20),
        (&["--notebook", "reports", "--status", "succeeded", "--since", "5h"], 20),
    ] {
        let (few, many) = (small.list(arguments), large.list(arguments));
        assert_eq!(few.lines.len(), shown, "{arguments:?}: {:#?}", few.lines);
        assert_eq!(many.lines.len(), shown, "{arguments:?}: {:#?}", many.lines);
        let fits = |line: &String| {
            let failed = !arguments.contains(&"failed") || line.contains("FAILED");
            failed && (!arguments.contains(&"nb-3") || line.contains("nb-3"))
        };
        assert!(few.lines.iter().chain(&many.lines).all(fits), "{arguments:?}: {:#?}", many.lines);
        assert!(
            many.numbers().is_sorted() && few.notes.is_empty() && many.notes.is_empty(),
            "{arguments:?}: {}",
            many.notes
        );
        assert_eq!(few.requests, many.requests, "{arguments:?}");
        // Of each run that is shown its execution, and if that failed its records; besides those, lists.
        assert!(many.requests <= 3 * shown + 24, "{arguments:?}: {}", many.requests);
        // Whoever reads on reads a whole page, and after a thousand runs there is less than one.
        let page = if arguments.contains(&"reports/2") && arguments.contains(&"nb-3") { 250_000 } else { 0 };
        // Names of later runs are longer.
        assert!(many.bytes * 10 <= few.bytes * 11 + page * 10, "{arguments:?}: {} and {} bytes", few.bytes, many.bytes);
    }
}

/// docs/cli.md: "Runs that Step Functions has forgotten are listed as long as the bucket has them."
#[test]
fn what_step_functions_has_forgotten_is_listed() {
    let world = World::of(Past::of(300, 40));
    let listed = world.list(&["--limit", "100"]);
    assert_eq!(listed.numbers(), (0..100).collect::<Vec<_>>(), "each once, in order: {:#?}", listed.lines);
    let failed = world.list(&["--status", "failed", "--limit", "30"]);
    assert_eq!(failed.numbers(), (0..30).map(|number| 10 * number + 3).collect::<Vec<_>>(), "{:#?}", failed.lines);
    assert!(failed.lines.iter().all(|line| line.contains("FAILED")), "{:#?}", failed.lines);
    let all = world.list(&["--limit", "1000"]);
    assert_eq!(all.lines.len(), 300);
    assert!(all.lines[299].contains("rare.ipynb") && all.lines[299].contains("SUCCEEDED"), "{:?}", all.lines[299]);
    let of_one = world.list(&["--instance", "nb-3", "--limit", "60"]);
    assert_eq!(of_one.numbers(), (0..60).map(|number| 5 * number + 3).collect::<Vec<_>>());
    // Step Functions forgets nothing that young.
    let lists = || world.stub.asked("GET").iter().filter(|call| call.contains("history%2F")).count();
    let before = lists();
    assert_eq!(world.list(&["--since", "5h", "--limit", "100"]).lines.len(), 40);
    assert_eq!(lists(), before);
}

/// A stack of an earlier version has no history, and one that was just upgraded has a part of it.
#[test]
fn without_a_whole_history_executions_are_looked_at_as_before() {
    for place in [None, Some(json!({"isWhole": false}).to_string()), Some("no JSON".to_owned())] {
        let mut past = Past::of(300, 300);
        past.bodies.remove("history.json");
        past.bodies.extend(place.clone().map(|place| ("history.json".to_owned(), place)));
        if place.is_none() {
            past.keys.retain(|key| !key.starts_with("history/"));
        }
        let world = World::of(past);
        let listed = world.list(&["--instance", "nb-3", "--limit", "30"]);
        assert_eq!(listed.numbers(), (0..30).map(|number| 5 * number + 3).collect::<Vec<_>>(), "{place:?}");
        assert_eq!(world.list(&["--limit", "10"]).numbers(), (0..10).collect::<Vec<_>>());
    }
}

/// A run may have ended so shortly ago that its entry is not there yet, or go on, or run again.
#[test]
fn what_is_not_in_the_history_yet_is_listed() {
    let mut past = Past::of(300, 300);
    for number in [3, 8] {
        let keys = past.entry(number).keys(&layout());
        past.keys.retain(|key| !keys.contains(key));
    }
    let world = World::of(past);
    let listed = world.list(&["--instance", "nb-3", "--limit", "5"]);
    assert_eq!(listed.numbers(), [3, 8, 13, 18, 23], "{:#?}", listed.lines);
    let failed = world.list(&["--instance", "nb-3", "--limit", "3", "--status", "failed"]);
    assert_eq!(failed.numbers(), [3, 13, 23], "{:#?}", failed.lines);
}

/// Whoever may not list the bucket is told what Step Functions knows, and that this is not all.
#[test]
fn a_bucket_that_may_not_be_listed_hides_nothing_that_step_functions_knows() {
    let past = Past::of(40, 10);
    let stub = Stub::start(move |call| {
        let is_refused = call.first.contains("list-type=2") && call.first.contains("history");
        Some(if is_refused { (403, "<Error><Code>AccessDenied</Code></Error>".to_owned()) } else { past.answer(call) })
    });
    let output = stub.reveille(&["runs", "--status", "succeeded"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let (lines, notes) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(lines.lines().filter(|line| line.contains("run-")).count(), 9, "{lines}");
    assert!(notes.contains("forgotten are not listed"), "{notes}");
}
