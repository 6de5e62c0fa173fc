//! An AWS after many runs: what Step Functions knows, what the history has, and which records are left.
#![allow(dead_code, reason = "each test uses a part of it")]

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
    history::{Entry, NotebookName, TriggerKind},
    layout::{AttemptRef, Layout},
    records::{Rest, RunStatus},
};
use serde_json::{Value, json};

use crate::stub::{MACHINE, STACK, Stub, StubCall};

/// A run that is not as the others are.
#[derive(Clone)]
pub struct Odd {
    /// What its outcome says.
    pub status: RunStatus,
    pub code: Option<Code>,
    /// What its execution says.
    pub execution: &'static str,
    pub notebook: Option<String>,
    pub instance: Option<String>,
    pub attempt: u32,
    /// How long it took.
    pub took: TimeDelta,
    /// Whether Step Functions knows it, if that is not told by its number.
    pub is_known: Option<bool>,
    /// How much earlier it started than its number says.
    pub earlier: TimeDelta,
    /// Whether it is in the history.
    pub is_entered: bool,
}

impl Default for Odd {
    fn default() -> Self {
        Self {
            status: RunStatus::Succeeded,
            code: None,
            execution: "SUCCEEDED",
            notebook: None,
            instance: None,
            attempt: 1,
            took: TimeDelta::seconds(50),
            is_known: None,
            earlier: TimeDelta::zero(),
            is_entered: true,
        }
    }
}

/// An AWS after so many runs, one a minute: number 0 is the newest.
pub struct Past {
    runs: usize,
    /// So many of the newest are known to Step Functions; the others ended more than 90 days ago.
    known: usize,
    newest: DateTime<Utc>,
    odd: BTreeMap<usize, Odd>,
    pub keys: BTreeSet<String>,
    pub bodies: BTreeMap<String, String>,
    /// Bytes of all answers.
    answered: AtomicUsize,
}

pub fn layout() -> Layout {
    Layout { bucket: "b".into(), prefix: String::new() }
}

pub fn arn(number: usize) -> String {
    format!("arn:aws:states:us-east-1:1:execution:m:run-{number}")
}

pub const fn has_failed(number: usize) -> bool {
    number % 10 == 3
}

impl Past {
    pub fn of(runs: usize, known: usize) -> Self {
        Self::with(runs, known, BTreeMap::new())
    }

    /// The same, where some of the runs are odd.
    pub fn with(runs: usize, known: usize, odd: BTreeMap<usize, Odd>) -> Self {
        // To the second: a stub's times are whole.
        let newest = DateTime::from_timestamp(Utc::now().timestamp() - 60, 0).unwrap();
        let bodies =
            BTreeMap::from([("history.json".to_owned(), json!({"isWhole": true, "lookedAt": newest}).to_string())]);
        let mut past = Self { runs, known, newest, odd, keys: BTreeSet::new(), bodies, answered: AtomicUsize::new(0) };
        let entered = (0..runs).filter(|number| past.run(*number).is_entered);
        past.keys = entered.flat_map(|number| past.entry(number).keys(&layout())).collect();
        past.keep_records();
        past
    }

    fn run(&self, number: usize) -> Odd {
        let failed =
            Odd { status: RunStatus::Failed, code: Some(Code::NotebookFailed), execution: "FAILED", ..Odd::default() };
        let usual = if has_failed(number) { failed } else { Odd::default() };
        self.odd.get(&number).cloned().unwrap_or(usual)
    }

    fn started(&self, number: usize) -> DateTime<Utc> {
        let forgotten = if number < self.known { TimeDelta::zero() } else { TimeDelta::days(91) };
        self.newest - TimeDelta::minutes(i64::try_from(number).unwrap()) - forgotten - self.run(number).earlier
    }

    fn ended(&self, number: usize) -> DateTime<Utc> {
        self.started(number) + self.run(number).took
    }

    fn instance(&self, number: usize) -> String {
        self.run(number).instance.unwrap_or_else(|| format!("nb-{}", number % 5))
    }

    fn notebook(&self, number: usize) -> String {
        let usual =
            || if number == self.runs - 1 { "rare.ipynb".to_owned() } else { format!("reports/{}.ipynb", number % 7) };
        self.run(number).notebook.unwrap_or_else(usual)
    }

    fn is_known(&self, number: usize) -> bool {
        self.run(number).is_known.unwrap_or(number < self.known)
    }

    fn at(&self, number: usize) -> AttemptRef {
        let run = RunId::of(&format!("run-{number}"), &arn(number), self.started(number));
        AttemptRef { instance: self.instance(number), run, attempt: self.run(number).attempt }
    }

    pub fn entry(&self, number: usize) -> Entry {
        let Odd { status, code, .. } = self.run(number);
        Entry {
            at: self.at(number),
            started: self.started(number),
            status,
            has_code: code.is_some(),
            code,
            instance_after: Rest::AtRest,
            concluded: self.ended(number),
            notebook: Some(NotebookName::of(&self.notebook(number))),
            trigger: TriggerKind::Schedule,
        }
    }

    /// The entry of an earlier attempt, which failed.
    pub fn add_first_attempt(&mut self, number: usize) {
        let mut first = self.entry(number);
        (first.at.attempt, first.status) = (1, RunStatus::Failed);
        (first.has_code, first.code) = (true, Some(Code::NotebookFailed));
        self.keys.extend(first.keys(&layout()));
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
        let status = self.run(number).execution;
        let mut execution = json!({"executionArn": arn(number), "stateMachineArn": MACHINE, "name": format!("run-{number}"),
            "status": status, "startDate": self.started(number).timestamp()});
        if status != "RUNNING" {
            execution["stopDate"] = self.ended(number).timestamp().into();
        }
        execution
    }

    pub fn answer(&self, call: &StubCall<'_>) -> (u16, String) {
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
            _ => (200, STACK.to_owned()),
        };
        self.answered.fetch_add(answer.1.len(), Ordering::SeqCst);
        answer
    }

    fn executions(&self, asked: &Value) -> String {
        let most = usize::try_from(asked["maxResults"].as_u64().unwrap()).unwrap();
        let status = asked["statusFilter"].as_str();
        let fits = |number: &usize| {
            self.is_known(*number) && status.is_none_or(|status| self.run(*number).execution == status)
        };
        let last = self.odd.keys().max().map_or(self.known, |odd| self.known.max(odd + 1));
        let page: Vec<Value> = (0..last).filter(fits).take(most).map(|number| self.execution(number)).collect();
        json!({"executions": page}).to_string()
    }

    fn described(&self, arn: &str) -> (u16, String) {
        let number: usize = arn.rsplit("run-").next().unwrap().parse().unwrap();
        if !self.is_known(number) {
            return (
                400,
                json!({"__type": "ExecutionDoesNotExist", "message": "Execution Does Not Exist"}).to_string(),
            );
        }
        let mut execution = self.execution(number);
        let input = json!({"instance": self.instance(number), "notebook": self.notebook(number), "event": {"source": "aws.events"}});
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

pub struct PastAccount {
    pub past: Arc<Past>,
    pub stub: Stub,
}

/// A list, and what it cost.
pub struct Listed {
    pub lines: Vec<String>,
    pub notes: String,
    pub requests: usize,
    pub bytes: usize,
}

impl Listed {
    pub fn numbers(&self) -> Vec<usize> {
        let number = |line: &String| line.split("run-").nth(1)?.split('-').next()?.parse().ok();
        self.lines.iter().map(|line| number(line).unwrap()).collect()
    }
}

impl PastAccount {
    pub fn of(past: Past) -> Self {
        let past = Arc::new(past);
        let answering = Arc::clone(&past);
        Self { past, stub: Stub::start(move |call| Some(answering.answer(call))) }
    }

    pub fn list(&self, arguments: &[&str]) -> Listed {
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
