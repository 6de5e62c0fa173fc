//! `reveille undelivered replay`: the execution first, then the message goes. Killed between the two, it starts nothing twice: the
//! execution's name is the message's.

use std::{collections::BTreeMap, fmt};

use reveille_domain::RunId;
use serde_json::{Value, json};

use super::{about, held, input, none, short};
use crate::{
    arguments::{Format, ReplayArguments},
    clients::{Account, RunName, Source, Undelivered},
    commands::{run::plain, stop::Stop},
    error::CliError,
    exit::Exit,
    ui::terminal::Terminal,
};

/// The longest name that Step Functions takes.
const MAX_NAME: usize = 80;

/// What became of a message.
struct Replayed {
    run: Option<RunId>,
    /// Its execution, if it was started.
    arn: Option<String>,
    problem: Option<Problem>,
}

/// What went wrong with a message.
#[derive(Debug)]
enum Problem {
    /// Why its run's input is not known, as the end of a sentence.
    Input(String),
    /// AWS did not start its execution, or whether it did is not known, or the message could not be taken out of the queue.
    Call(CliError),
}

impl Problem {
    /// Whether the run may be there all the same.
    const fn is_unanswered(&self) -> bool {
        matches!(self, Self::Call(CliError::Unanswered { .. }))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(why) => formatter.write_str(why),
            Self::Call(error) => error.fmt(formatter),
        }
    }
}

/// How many messages came to what.
#[derive(Default)]
struct Count {
    all: usize,
    /// They start nothing as things are.
    refused: usize,
    /// Their runs were started, or may have been; to replay them again starts no second one.
    unsettled: usize,
    /// The first one of these, for the command that comes next.
    first: Option<String>,
    /// The first call that AWS does not let this person make.
    denied: Option<CliError>,
}

/// What each rule's target makes of an event, or why it is not known: a thousand messages may be of one rule.
type Templates = BTreeMap<String, Result<Option<String>, String>>;

pub(super) async fn run(terminal: &Terminal, arguments: &ReplayArguments) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let stop = Stop::listening();
    let messages = held(terminal, &account, &arguments.chosen, &stop).await?;
    let mut templates = Templates::new();
    let mut answers = Vec::new();
    let mut count = Count { all: messages.len(), ..Count::default() };
    let (mut last, mut interrupted) = (None, false);
    for (number, message) in messages.iter().enumerate() {
        if stop.is_asked() {
            account.put_back(&messages[number..]).await;
            interrupted = true;
            break;
        }
        let mut replayed = replay(&account, message, &mut templates).await;
        if arguments.format.output == Format::Json {
            answers.push(as_json(message, &replayed));
        } else {
            tell(terminal, message, &replayed);
        }
        last = replayed.run.take().or(last);
        count.add(message, replayed);
    }
    if messages.is_empty() {
        terminal.note(&none(account.being_read().await));
    }
    if arguments.format.output == Format::Json {
        Terminal::result(&Value::Array(answers));
    } else if let Some(run) = last {
        terminal.next(&format!("reveille watch {run}"));
    }
    if interrupted { Err(CliError::Interrupted) } else { count.verdict() }
}

impl Count {
    fn add(&mut self, message: &Undelivered, replayed: Replayed) {
        let Some(problem) = replayed.problem else { return };
        if replayed.arn.is_some() || problem.is_unanswered() {
            self.unsettled += 1;
        } else {
            self.refused += 1;
        }
        self.first.get_or_insert_with(|| short(message).to_owned());
        if let Problem::Call(error) = problem
            && error.is_denied()
        {
            self.denied.get_or_insert(error);
        }
    }

    /// What it all came to. Messages that stay have a next step.
    fn verdict(self) -> Result<Exit, CliError> {
        let Self { all, refused, unsettled, first, denied } = self;
        let Some(first) = first else { return Ok(Exit::Done) };
        let are = |count: usize| if count == 1 { "is" } else { "are" };
        let mut told = Vec::new();
        if refused > 0 {
            told.push(format!("{refused} of {all} could not be replayed and {} still in the queue", are(refused)));
        }
        if unsettled > 0 {
            let (was, them) = if unsettled == 1 { ("was", "it") } else { ("were", "them") };
            told.push(format!(
                "{unsettled} of {all} {was} replayed or may have been, and may still be in the queue; replaying {them} again starts no second run"
            ));
        }
        let told = told.join("; ");
        let next = if refused > 0 {
            format!(
                "reveille undelivered replay {first}, once the cause is corrected, or reveille undelivered discard {first}"
            )
        } else {
            format!("reveille undelivered replay {first}")
        };
        let told = format!("{told}. Continue with: {next}");
        Err(match denied {
            Some(cause) => CliError::Summed { told, cause: Box::new(cause) },
            None => CliError::NotNow(told),
        })
    }
}

async fn replay(account: &Account, message: &Undelivered, templates: &mut Templates) -> Replayed {
    let started = match input_of(account, message, templates).await {
        Ok(input) => start(account, message, input).await.map_err(Problem::Call),
        Err(problem) => Err(problem),
    };
    let arn = match started {
        Ok(arn) => arn,
        Err(problem) => {
            account.put_back(std::slice::from_ref(message)).await;
            return Replayed { run: None, arn: None, problem: Some(problem) };
        }
    };
    let run = account.find(&RunName::Arn(arn.clone())).await.ok().map(|execution| execution.run());
    let discarded = account.discard(message).await;
    if discarded.is_err() {
        account.put_back(std::slice::from_ref(message)).await;
    }
    Replayed { run, arn: Some(arn), problem: discarded.err().map(Problem::Call) }
}

async fn start(account: &Account, message: &Undelivered, input: String) -> Result<String, CliError> {
    let name = plain(&format!("undelivered-{}", message.id), '-', MAX_NAME);
    account.start_once(&name, input).await
}

/// What the target would have handed to the execution.
async fn input_of(account: &Account, message: &Undelivered, templates: &mut Templates) -> Result<String, Problem> {
    let made = match &message.source {
        Source::Schedule { arn, time } => input::of_schedule(message, arn, time.as_deref()),
        Source::Unknown => Err("it does not say which rule or schedule it came from".to_owned()),
        Source::Rule(arn) => {
            if !templates.contains_key(arn) {
                let found = template(account, arn).await;
                // The rule's other messages have the same problem.
                templates.insert(arn.clone(), found.as_ref().map(Clone::clone).map_err(ToString::to_string));
                found?;
            }
            let template = templates[arn].as_ref().map_err(Clone::clone);
            template.and_then(|template| input::of_rule(message, template.as_deref()))
        }
    };
    made.map_err(Problem::Input)
}

/// A rule's input template, if it has one.
async fn template(account: &Account, arn: &str) -> Result<Option<String>, Problem> {
    let (name, bus) = input::rule_of(arn).ok_or_else(|| Problem::Input(format!("{arn} is not a rule's ARN")))?;
    match account.rule(name, bus).await.map_err(Problem::Call)? {
        Some(rule) if rule.starts_runs() => Ok(rule.template),
        Some(_) => {
            Err(Problem::Input(format!("the rule {name} has no target, so there is nothing to run; make it again")))
        }
        None => {
            Err(Problem::Input(format!("the rule {name} no longer exists, and it said what to run; make it again")))
        }
    }
}

fn tell(terminal: &Terminal, message: &Undelivered, replayed: &Replayed) {
    let text = sentence(&format!("{}{}", short(message), about(message)), replayed);
    if replayed.problem.is_some() { terminal.note(&text) } else { terminal.lines(&text) }
}

/// What became of a message that is named so.
fn sentence(what: &str, replayed: &Replayed) -> String {
    match (&replayed.arn, &replayed.problem) {
        (Some(arn), problem) => {
            let of = replayed.run.as_ref().map_or_else(|| format!("execution {arn}"), |run| format!("run {run}"));
            let but = problem.as_ref().map(|problem| {
                format!(
                    ", but its message may still be in the queue ({problem}); replaying it again starts no second run"
                )
            });
            format!("replayed {what}: {of}{}", but.unwrap_or_default())
        }
        (None, Some(problem)) if problem.is_unanswered() => format!("{what} may have been replayed: {problem}"),
        (None, Some(problem)) => format!("{what} was not replayed: {problem}"),
        (None, None) => format!("{what} was not replayed"),
    }
}

fn as_json(message: &Undelivered, replayed: &Replayed) -> Value {
    json!({
        "message": message.id,
        "run": replayed.run,
        "executionArn": replayed.arn,
        "problem": replayed.problem.as_ref().map(ToString::to_string),
    })
}

#[cfg(test)]
mod tests {
    use reveille_domain::RunId;

    use super::{Count, Problem, Replayed, sentence};
    use crate::{
        clients::{Source, undelivered_of_test},
        error::CliError,
    };

    fn lost() -> Problem {
        let find_out = "reveille show undelivered-m".to_owned();
        let maybe = "the run may have been started".to_owned();
        Problem::Call(CliError::Unanswered { message: "cut off".to_owned(), maybe, find_out })
    }

    fn denied() -> Problem {
        Problem::Call(CliError::Refused { action: "start the execution m".into(), message: "not you".to_owned() })
    }

    /// What messages come to, each with its execution or without.
    fn verdict(all: Vec<(Option<&str>, Option<Problem>)>) -> Result<(), CliError> {
        let mut count = Count { all: all.len(), ..Count::default() };
        for (arn, problem) in all {
            let message = undelivered_of_test(Source::Unknown, "{}");
            count.add(&message, Replayed { run: None, arn: arn.map(str::to_owned), problem });
        }
        count.verdict().map(drop)
    }

    #[test]
    fn messages_that_stay_have_a_next_step() {
        let input = || Problem::Input("its rule is gone".to_owned());
        assert!(verdict(vec![(Some("arn"), None)]).is_ok());
        for (all, said, code) in [
            (vec![(None, Some(input()))], "1 of 1 could not be replayed and is still in the queue. Continue with: ", 1),
            (vec![(None, Some(input())), (None, Some(input()))], "2 of 2 could not be replayed and are still in", 1),
            (vec![(None, Some(lost())), (Some("arn"), None)], "1 of 2 was replayed or may have been, and may", 1),
            (vec![(Some("arn"), Some(denied()))], "1 of 1 was replayed or may have been, and may", 4),
            (vec![(None, Some(input())), (None, Some(denied()))], "2 of 2 could not be replayed and are still in", 4),
        ] {
            let error = verdict(all).unwrap_err();
            assert_eq!(error.exit_code(), code, "{error}");
            let told = error.to_string();
            assert!(told.contains(said) && told.contains("reveille undelivered replay 0b1f6f3c"), "{told}");
        }
    }

    #[test]
    fn a_run_that_was_started_is_told_whatever_became_of_the_message() {
        let (run, arn) = (Some(RunId::from_key("r")), Some("arn".to_owned()));
        let input = Some(Problem::Input("it failed".to_owned()));
        for (replayed, said) in [
            (Replayed { run: None, arn: None, problem: input }, "m was not replayed: it failed"),
            (Replayed { run: run.clone(), arn: arn.clone(), problem: None }, "replayed m: run r"),
            (Replayed { run: None, arn: arn.clone(), problem: None }, "replayed m: execution arn"),
            (
                Replayed { run: None, arn: None, problem: Some(lost()) },
                "m may have been replayed: AWS's answer was lost",
            ),
            (
                Replayed { run, arn, problem: Some(denied()) },
                "replayed m: run r, but its message may still be in the queue (AWS refused",
            ),
        ] {
            let told = sentence("m", &replayed);
            assert!(told.starts_with(said), "{told}");
        }
    }
}
