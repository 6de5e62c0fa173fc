//! `reveille undelivered replay`: the execution first, then the message goes. Killed between the two, it starts nothing twice: the
//! execution's name is the message's.

use std::collections::BTreeMap;

use reveille_domain::RunId;
use serde_json::{Value, json};

use super::{NONE, about, again, held, short};
use crate::{
    arguments::{Format, ReplayArguments},
    clients::{Account, RunName, Source, Undelivered},
    commands::run::plain,
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
    /// What went wrong, as the end of a sentence.
    problem: Option<String>,
}

/// What each rule's target makes of an event, or why it is not known: a thousand messages may be of one rule.
type Templates = BTreeMap<String, Result<Option<String>, String>>;

pub(super) async fn run(terminal: &Terminal, arguments: &ReplayArguments) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let messages = held(terminal, &account, &arguments.chosen).await?;
    let mut templates = Templates::new();
    let mut answers = Vec::new();
    let (mut failed, mut kept) = (0, 0);
    let mut last = None;
    for message in &messages {
        let replayed = replay(&account, message, &mut templates).await;
        failed += usize::from(replayed.arn.is_none());
        kept += usize::from(replayed.arn.is_some() && replayed.problem.is_some());
        if arguments.format.output == Format::Json {
            answers.push(as_json(message, &replayed));
        } else {
            tell(terminal, message, &replayed);
        }
        last = replayed.run.or(last);
    }
    if arguments.format.output == Format::Json {
        Terminal::result(&Value::Array(answers));
    } else if messages.is_empty() {
        terminal.note(NONE);
    } else if let Some(run) = last {
        terminal.next(&format!("reveille watch {run}"));
    }
    if failed > 0 {
        return Err(CliError::NotNow(format!(
            "{failed} of {} could not be replayed, and are still in the queue",
            messages.len()
        )));
    }
    if kept > 0 {
        return Err(CliError::NotNow(format!(
            "{kept} of {} were replayed, but may still be in the queue; replaying them again starts no second run",
            messages.len()
        )));
    }
    Ok(Exit::Done)
}

async fn replay(account: &Account, message: &Undelivered, templates: &mut Templates) -> Replayed {
    let started = match input(account, message, templates).await {
        Ok(input) => start(account, message, input).await,
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
    let problem = discarded.err().map(|problem| {
        format!("its message may still be in the queue ({problem}); replaying it again starts no second run")
    });
    Replayed { run, arn: Some(arn), problem }
}

async fn start(account: &Account, message: &Undelivered, input: String) -> Result<String, String> {
    let name = plain(&format!("undelivered-{}", message.id), '-', MAX_NAME);
    account.start_once(&name, input).await.map_err(|problem| problem.to_string())
}

/// What the target would have handed to the execution.
async fn input(account: &Account, message: &Undelivered, templates: &mut Templates) -> Result<String, String> {
    match &message.source {
        Source::Schedule { arn, time } => again::of_schedule(message, arn, time.as_deref()),
        Source::Unknown => Err("it does not say which rule or schedule it came from".to_owned()),
        Source::Rule(arn) => {
            if !templates.contains_key(arn) {
                templates.insert(arn.clone(), template(account, arn).await);
            }
            again::of_rule(message, templates[arn].as_ref().map_err(Clone::clone)?.as_deref())
        }
    }
}

/// A rule's input template, if it has one.
async fn template(account: &Account, arn: &str) -> Result<Option<String>, String> {
    let (name, bus) = again::rule_of(arn).ok_or_else(|| format!("{arn} is not a rule's ARN"))?;
    match account.rule(name, bus).await.map_err(|problem| problem.to_string())? {
        Some(rule) if rule.starts_runs() => Ok(rule.template),
        _ => Err(format!("the rule {name} no longer exists, so what to run is not known; make it again")),
    }
}

fn tell(terminal: &Terminal, message: &Undelivered, replayed: &Replayed) {
    let text = sentence(&format!("{}{}", short(message), about(message)), replayed);
    if replayed.problem.is_some() { terminal.note(&text) } else { terminal.lines(&text) }
}

/// What became of a message that is named so.
fn sentence(what: &str, replayed: &Replayed) -> String {
    let problem = replayed.problem.as_deref();
    let Some(arn) = &replayed.arn else {
        return format!("{what} was not replayed: {}", problem.unwrap_or("the reason is not known"));
    };
    let of = replayed.run.as_ref().map_or_else(|| format!("execution {arn}"), |run| format!("run {run}"));
    let but = problem.map(|problem| format!(", but {problem}")).unwrap_or_default();
    format!("replayed {what}: {of}{but}")
}

fn as_json(message: &Undelivered, replayed: &Replayed) -> Value {
    json!({
        "message": message.id,
        "run": replayed.run,
        "executionArn": replayed.arn,
        "problem": replayed.problem,
    })
}

#[cfg(test)]
mod tests {
    use reveille_domain::RunId;

    use super::{Replayed, sentence};

    #[test]
    fn a_run_that_was_started_is_told_whatever_became_of_the_message() {
        let (run, arn, problem) = (Some(RunId::from_key("r")), Some("arn".to_owned()), Some("it failed".to_owned()));
        for (replayed, said) in [
            (Replayed { run: None, arn: None, problem: problem.clone() }, "m was not replayed: it failed"),
            (Replayed { run: run.clone(), arn: arn.clone(), problem: None }, "replayed m: run r"),
            (Replayed { run: None, arn: arn.clone(), problem: None }, "replayed m: execution arn"),
            (Replayed { run, arn, problem }, "replayed m: run r, but it failed"),
        ] {
            assert_eq!(sentence("m", &replayed), said);
        }
    }
}
