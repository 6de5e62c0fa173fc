//! `reveille undelivered replay`: the execution first, then the message goes. Killed between the two, it starts nothing twice: the
//! execution's name is the message's.

use reveille_domain::RunId;
use serde_json::{Value, json};

use super::{NONE, about, again, held, short};
use crate::{
    arguments::{Format, ReplayArguments},
    clients::{Account, Source, StartedOnce, Undelivered},
    commands::run::plain,
    error::CliError,
    exit::Exit,
    ui::terminal::{Terminal, Tone},
};

/// The longest name that Step Functions takes.
const MAX_NAME: usize = 80;

/// What became of a message.
struct Replayed {
    run: Option<RunId>,
    arn: Option<String>,
    /// What went wrong, as the end of a sentence.
    problem: Option<String>,
}

pub(super) async fn run(terminal: &Terminal, arguments: &ReplayArguments) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let messages = held(&account, &arguments.chosen).await?;
    let mut answers = Vec::new();
    let mut failed = 0;
    let mut last = None;
    for message in &messages {
        let replayed = replay(&account, message).await;
        failed += usize::from(replayed.problem.is_some());
        if arguments.output == Format::Json {
            answers.push(as_json(message, &replayed));
        } else {
            tell(terminal, message, &replayed);
        }
        last = replayed.run.or(last);
    }
    if arguments.output == Format::Json {
        Terminal::result(&Value::Array(answers));
    } else if messages.is_empty() {
        terminal.note(NONE);
    } else if let Some(run) = last {
        terminal.line("");
        terminal.line(&format!("{} reveille watch {run}", terminal.paint(Tone::Quiet, "Next:")));
    }
    if failed > 0 {
        return Err(CliError::NotNow(format!(
            "{failed} of {} could not be replayed, and are still in the queue",
            messages.len()
        )));
    }
    Ok(Exit::Done)
}

async fn replay(account: &Account, message: &Undelivered) -> Replayed {
    let started = match input(account, message).await {
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
    let run = account.find(&crate::clients::RunName::Arn(arn.clone())).await.ok().map(|execution| execution.run());
    let discarded = account.discard(message).await.map_err(|problem| {
        format!("its run was started, but the message is still in the queue ({problem}); replayed again, it starts no second run")
    });
    Replayed { run, arn: Some(arn), problem: discarded.err() }
}

async fn start(account: &Account, message: &Undelivered, input: String) -> Result<String, String> {
    let name = plain(&format!("undelivered-{}", message.id), '-', MAX_NAME);
    match account.start_once(name, input).await {
        Ok(StartedOnce::Now(arn) | StartedOnce::Before(arn)) => Ok(arn),
        Err(problem) => Err(problem.to_string()),
    }
}

/// What the target would have handed to the execution.
async fn input(account: &Account, message: &Undelivered) -> Result<String, String> {
    match &message.source {
        Source::Schedule { arn, time } => again::of_schedule(message, arn, time.as_deref()),
        Source::Unknown => Err("nothing says which rule or schedule it is of".to_owned()),
        Source::Rule(arn) => {
            let (name, bus) = again::rule_of(arn).ok_or_else(|| format!("{arn} is not a rule's ARN"))?;
            match account.rule(name, bus).await.map_err(|problem| problem.to_string())? {
                Some(rule) if rule.starts_runs() => again::of_rule(message, rule.template.as_deref()),
                _ => Err(format!("the rule {name} is not there any more, so nothing says what to run; make it again")),
            }
        }
    }
}

fn tell(terminal: &Terminal, message: &Undelivered, replayed: &Replayed) {
    let what = format!("{}{}", short(message), about(message));
    match (&replayed.problem, &replayed.run, &replayed.arn) {
        (Some(problem), _, _) => terminal.note(&format!("{what} was not replayed: {problem}")),
        (None, Some(run), _) => terminal.lines(&format!("replayed {what}: run {run}")),
        (None, None, arn) => {
            let arn = arn.as_deref().unwrap_or_default();
            terminal.lines(&format!("replayed {what}: execution {arn}"));
        }
    }
}

fn as_json(message: &Undelivered, replayed: &Replayed) -> Value {
    json!({
        "message": message.id,
        "run": replayed.run,
        "executionArn": replayed.arn,
        "problem": replayed.problem,
    })
}
