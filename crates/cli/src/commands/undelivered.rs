//! `reveille undelivered`: what EventBridge could not deliver, and its replay.

mod input;
mod replay;

use std::collections::BTreeSet;

use chrono::Utc;
use serde_json::{Value, json};

use super::stop::Stop;
use crate::{
    arguments::{ChosenArguments, DiscardArguments, Format, UndeliveredArguments, UndeliveredVerb},
    clients::{Account, MOST_UNDELIVERED, Source, Undelivered},
    error::CliError,
    exit::Exit,
    triggers::object,
    ui::{
        json::time,
        question,
        table::{self, Cell, Column},
        terminal::{Terminal, Tone},
        times,
    },
};

const COLUMNS: [Column; 5] = [
    Column { title: "MESSAGE", rank: 0, least: SHORT },
    Column { title: "AGE", rank: 0, least: 3 },
    Column { title: "TRIGGER", rank: 1, least: 12 },
    Column { title: "ABOUT", rank: 0, least: 20 },
    Column { title: "WHY", rank: 2, least: 16 },
];

/// Characters of a message's id that tell it from the others.
const SHORT: usize = 8;

pub(crate) async fn run(terminal: &Terminal, arguments: &UndeliveredArguments) -> Result<Exit, CliError> {
    match &arguments.verb {
        None => list(terminal, arguments).await,
        Some(UndeliveredVerb::Replay(options)) => replay::run(terminal, options).await,
        Some(UndeliveredVerb::Discard(options)) => discard(terminal, options).await,
    }
}

async fn list(terminal: &Terminal, arguments: &UndeliveredArguments) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let stop = Stop::listening();
    let messages = account.undelivered(&|| stop.is_asked()).await?;
    account.put_back(&messages).await;
    tell_limit(terminal, messages.len());
    if messages.is_empty() {
        terminal.note(&none(account.being_read().await));
    }
    if arguments.format.output == Format::Json {
        Terminal::result(&messages.iter().map(as_json).collect());
        return Ok(Exit::Done);
    }
    if messages.is_empty() {
        return Ok(Exit::Done);
    }
    show(terminal, &messages);
    terminal.next(&format!("reveille undelivered replay {}", short(&messages[0])));
    Ok(Exit::Done)
}

/// A queue may hold more than the command reads.
fn tell_limit(terminal: &Terminal, read: usize) {
    if read >= MOST_UNDELIVERED {
        terminal.note(&format!(
            "{read} messages were read, and the queue may hold more; replay or discard some of these, and ask again"
        ));
    }
}

/// That no message is to be seen; that there is none cannot be told, because SQS hides what somebody reads.
fn none(being_read: Option<usize>) -> String {
    match being_read {
        None | Some(0) => {
            "no message can be seen in the queue of undelivered events now; one that somebody else is reading comes back within five minutes"
                .to_owned()
        }
        Some(1) => {
            "no message can be seen in the queue of undelivered events now, but somebody is reading one, or was stopped while reading it; it comes back within five minutes"
                .to_owned()
        }
        Some(count) => format!(
            "no message can be seen in the queue of undelivered events now, but somebody is reading {count}, or was stopped while reading them; they come back within five minutes"
        ),
    }
}

fn show(terminal: &Terminal, messages: &[Undelivered]) {
    table::show_with_reasons(terminal, &COLUMNS, &messages.iter().map(row).collect::<Vec<_>>());
}

fn short(message: &Undelivered) -> &str {
    message.id.get(..SHORT).unwrap_or(&message.id)
}

/// The messages about one file, by its `s3://bucket/key`. They are put back at once.
pub(super) async fn about_file(account: &Account, uri: &str) -> Result<Vec<Undelivered>, CliError> {
    let stop = Stop::listening();
    let all = account.undelivered(&|| stop.is_asked()).await?;
    account.put_back(&all).await;
    Ok(all.into_iter().filter(|message| input::about(message).as_deref() == Some(uri)).collect())
}

/// What a message is about, in brackets, where that is known.
fn about(message: &Undelivered) -> String {
    input::about(message).map(|about| format!(" ({about})")).unwrap_or_default()
}

/// The same for the table, without the bucket: a narrow terminal shows more of the key.
fn within(message: &Undelivered) -> String {
    let about = input::about(message).unwrap_or_else(|| "(unknown)".to_owned());
    let key = object(&about).map(|(_, key)| key.to_owned());
    key.unwrap_or(about)
}

fn row(message: &Undelivered) -> Vec<Cell> {
    let age = message.since.map(|since| times::age(since, Utc::now())).unwrap_or_default();
    let why = [&message.code, &message.message].into_iter().flatten().map(String::as_str).collect::<Vec<_>>();
    vec![
        (short(message).to_owned(), Tone::Strong),
        (age, Tone::Quiet),
        (trigger(&message.source).1, Tone::Plain),
        (within(message), Tone::Plain),
        (why.join(": "), Tone::Bad),
    ]
}

/// What kind of trigger it was, and its name.
fn trigger(source: &Source) -> (&'static str, String) {
    let last = |arn: &str| arn.rsplit('/').next().unwrap_or(arn).to_owned();
    match source {
        Source::Rule(arn) => ("rule", last(arn)),
        Source::Schedule { arn, .. } => ("schedule", last(arn)),
        Source::Unknown => ("unknown", "(unknown)".to_owned()),
    }
}

fn as_json(message: &Undelivered) -> Value {
    let (kind, name) = trigger(&message.source);
    let arn = match &message.source {
        Source::Rule(arn) | Source::Schedule { arn, .. } => Some(arn),
        Source::Unknown => None,
    };
    json!({
        "message": message.id,
        "since": message.since.map(time),
        "trigger": {"kind": kind, "name": name, "arn": arn},
        "about": input::about(message),
        "code": message.code,
        "reason": message.message,
        "retries": message.attempts.as_ref().and_then(|attempts| attempts.parse::<u32>().ok()),
        "body": body(message),
    })
}

/// A message's body, without what only the notebook should see: a schedule's is the input of a run. A truncated one is not JSON, so it is not shown.
fn body(message: &Undelivered) -> Value {
    match (serde_json::from_str(&message.body), &message.source) {
        (Ok(Value::Object(mut input)), Source::Schedule { .. } | Source::Unknown) => {
            input.remove("parameters");
            input.into()
        }
        (_, Source::Schedule { .. }) => Value::Null,
        (Ok(body), _) => body,
        (Err(_), _) => message.body.clone().into(),
    }
}

/// Those that are asked for, held; the others are put back at once.
async fn held(
    terminal: &Terminal,
    account: &Account,
    chosen: &ChosenArguments,
    stop: &Stop,
) -> Result<Vec<Undelivered>, CliError> {
    let all = account.undelivered(&|| stop.is_asked()).await?;
    tell_limit(terminal, all.len());
    let (mine, others) = match choice(&all, chosen) {
        Ok(numbers) => {
            let (mut mine, mut others) = (Vec::new(), Vec::new());
            for (number, message) in all.into_iter().enumerate() {
                if numbers.contains(&number) { mine.push(message) } else { others.push(message) }
            }
            (Ok(mine), others)
        }
        Err(problem) => (Err(problem), all),
    };
    account.put_back(&others).await;
    mine
}

/// The numbers of those that are asked for.
fn choice(all: &[Undelivered], chosen: &ChosenArguments) -> Result<Vec<usize>, CliError> {
    if chosen.all {
        return Ok((0..all.len()).collect());
    }
    let one = |start: &String| {
        let mut found =
            (0..all.len()).filter(|number| !start.is_empty() && all[*number].id.starts_with(start.as_str()));
        match (found.next(), found.next()) {
            (Some(number), None) => Ok(number),
            (None, _) => Err(CliError::NotThere(format!(
                "no message whose id begins with {start} is in the queue, or somebody else is looking at it now (it comes back within five minutes); to list them: reveille undelivered"
            ))),
            (Some(first), Some(second)) => Err(CliError::Usage(format!(
                "{} and {} both begin with {start}; give more of the id",
                all[first].id, all[second].id
            ))),
        }
    };
    chosen.messages.iter().map(one).collect()
}

async fn discard(terminal: &Terminal, arguments: &DiscardArguments) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let stop = Stop::listening();
    let messages = held(terminal, &account, &arguments.chosen, &stop).await?;
    if messages.is_empty() {
        terminal.note(&none(account.being_read().await));
        return Ok(Exit::Done);
    }
    if arguments.yes {
        return discard_all(terminal, &account, &messages, &stop).await.map(|()| Exit::Done);
    }
    // A person takes their time to answer, or ends the command: until then everybody sees the messages.
    account.put_back(&messages).await;
    show(terminal, &messages);
    let answer = stop.unless_asked(|| question::yes("Discard these messages? Their runs will never start.")).await;
    if answer.is_err() {
        // The cursor is behind the question.
        terminal.note("\nnothing was discarded");
    }
    match answer? {
        Some(true) => {}
        Some(false) => return Err(CliError::NotNow("nothing was discarded".to_owned())),
        None => {
            return Err(CliError::Usage(
                "nobody can answer here, so nothing was discarded; to discard without a question: --yes".to_owned(),
            ));
        }
    }
    let wanted: BTreeSet<&str> = messages.iter().map(|message| message.id.as_str()).collect();
    let all = account.undelivered(&|| stop.is_asked()).await?;
    let (again, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|message| wanted.contains(message.id.as_str()));
    account.put_back(&others).await;
    discard_all(terminal, &account, &again, &stop).await?;
    let gone: Vec<&str> = messages
        .iter()
        .map(|message| message.id.as_str())
        .filter(|id| again.iter().all(|message| message.id != *id))
        .collect();
    if gone.is_empty() {
        return Ok(Exit::Done);
    }
    Err(CliError::NotThere(format!(
        "not discarded, because somebody else took them out of the queue or is reading them now (then they come back within five minutes): {}; to see what is there: reveille undelivered",
        gone.join(", ")
    )))
}

/// Takes messages that are held out of the queue. What is left when that fails, or when a person ends the command, is put back.
async fn discard_all(
    terminal: &Terminal,
    account: &Account,
    messages: &[Undelivered],
    stop: &Stop,
) -> Result<(), CliError> {
    for (number, message) in messages.iter().enumerate() {
        let discarded = if stop.is_asked() { Err(CliError::Interrupted) } else { account.discard(message).await };
        if let Err(problem) = discarded {
            account.put_back(&messages[number..]).await;
            return Err(problem);
        }
        terminal.lines(&format!("discarded {}{}", short(message), about(message)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{body, choice, none, row, short, trigger};
    use crate::{
        arguments::ChosenArguments,
        clients::{Source, Undelivered, undelivered_of_test},
        ui::{table, terminal::Terminal},
    };

    fn messages() -> Vec<Undelivered> {
        ["0b1f6f3c-1", "0b1f6f3c-2", "77aa0000-3"]
            .map(|id| {
                let source = Source::Rule("arn:aws:events:eu-west-1:1:rule/reveille-orders".to_owned());
                let body =
                    r#"{"detail": {"bucket": {"name": "in"}, "object": {"key": "orders/2026-11-26/europe.csv"}}}"#;
                let mut message = undelivered_of_test(source, body);
                message.id = id.to_owned();
                message.code = Some("NO_PERMISSIONS".to_owned());
                message.message = Some("User is not authorized to perform states:StartExecution".to_owned());
                message
            })
            .into()
    }

    #[test]
    fn a_message_is_named_by_the_beginning_of_its_id() {
        let all = messages();
        let chosen = |messages: &[&str], all: bool| ChosenArguments {
            messages: messages.iter().map(|id| (*id).to_owned()).collect(),
            all,
        };
        assert_eq!(choice(&all, &chosen(&["77", "0b1f6f3c-1"], false)).unwrap(), [2, 0]);
        assert_eq!(choice(&all, &chosen(&[], true)).unwrap(), [0, 1, 2]);
        for (start, code) in [("0b1f", 2), ("99", 5), ("", 5)] {
            assert_eq!(choice(&all, &chosen(&[start], false)).unwrap_err().exit_code(), code, "{start}");
        }
    }

    #[test]
    fn a_queue_that_shows_nothing_is_not_called_empty() {
        for count in [None, Some(0), Some(1), Some(3)] {
            let said = none(count);
            assert!(!said.contains("empty") && said.contains("within five minutes"), "{said}");
        }
        assert!(none(Some(3)).contains("somebody is reading 3"), "{}", none(Some(3)));
    }

    #[test]
    fn triggers_have_the_name_that_a_person_gave() {
        let schedule = Source::Schedule { arn: "arn:aws:scheduler:a:1:schedule/default/daily".to_owned(), time: None };
        assert_eq!(trigger(&schedule), ("schedule", "daily".to_owned()));
        assert_eq!(trigger(&messages()[0].source), ("rule", "reveille-orders".to_owned()));
        assert_eq!(short(&messages()[0]), "0b1f6f3c");
    }

    #[test]
    fn the_parameters_of_a_schedules_runs_are_not_shown() {
        let schedule = || Source::Schedule { arn: "arn".to_owned(), time: None };
        let input = r#"{"instance": "a", "parameters": {"token": "secret"}}"#;
        for source in [schedule(), Source::Unknown] {
            assert_eq!(body(&undelivered_of_test(source, input)), json!({"instance": "a"}));
        }
        assert_eq!(body(&undelivered_of_test(schedule(), &input[..40])), Value::Null, "it was cut");
        let rule = Source::Rule("arn".to_owned());
        assert_eq!(body(&undelivered_of_test(rule, "nonsense")), json!("nonsense"));
    }

    #[test]
    fn the_table_fits_its_terminal() {
        use unicode_width::UnicodeWidthStr;
        let rows: Vec<_> = messages().iter().map(row).collect();
        for width in [60, 80, 200] {
            let lines = table::with_reasons(&Terminal::plain(width), &super::COLUMNS, &rows);
            assert!(lines.iter().all(|line| line.width() <= width), "{lines:#?}");
            assert!(lines[1].starts_with("0b1f6f3c"), "{lines:#?}");
            assert!(lines[1].contains("orders/2026-11-26/"), "the key, and not its bucket: {lines:#?}");
            assert!(
                lines.iter().any(|line| line.contains("NO_PERMISSIONS: User")),
                "why it was not delivered: {lines:#?}"
            );
        }
    }
}
