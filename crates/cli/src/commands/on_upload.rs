//! `reveille on-upload`: runs when files land in S3.

mod add;
mod test;

use serde_json::{Value, json};

use super::rule;
use crate::{
    arguments::{Format, OnUploadArguments, OnUploadVerb, OneRuleArguments, RuleListArguments},
    clients::{Account, DEFAULT_BUS, Rule},
    error::CliError,
    exit::Exit,
    triggers::Watched,
    ui::{
        table::{self, Cell, Column},
        terminal::{Terminal, Tone},
    },
};

const VERB: &str = "on-upload";

const COLUMNS: [Column; 5] = [
    Column { title: "NAME", rank: 0, least: 12 },
    Column { title: "STATE", rank: 0, least: 7 },
    Column { title: "FILES", rank: 0, least: 32 },
    Column { title: "NOTEBOOK", rank: 1, least: 12 },
    Column { title: "INSTANCE", rank: 2, least: 8 },
];

pub(crate) async fn run(terminal: &Terminal, arguments: &OnUploadArguments) -> Result<Exit, CliError> {
    match &arguments.verb {
        OnUploadVerb::Add(options) => add::run(terminal, options).await,
        OnUploadVerb::List(options) => list(terminal, options).await,
        OnUploadVerb::Pause(options) => switch(terminal, options, false).await,
        OnUploadVerb::Resume(options) => switch(terminal, options, true).await,
        OnUploadVerb::Remove(options) => remove(terminal, options).await,
        OnUploadVerb::Test(options) => test::run(terminal, options).await,
    }
}

/// A rule on uploads.
struct Upload {
    rule: Rule,
    watched: Watched,
}

impl Upload {
    fn of(rule: Rule) -> Option<Self> {
        let watched = Watched::read(&rule.pattern, &rule.input)?;
        Some(Self { rule, watched })
    }
}

fn is_of_kind(rule: &Rule) -> bool {
    rule.starts_runs() && Watched::read(&rule.pattern, &rule.input).is_some()
}

async fn all(account: &Account) -> Result<Vec<Upload>, CliError> {
    Ok(account.rules(DEFAULT_BUS).await?.into_iter().filter_map(Upload::of).collect())
}

async fn named(account: &Account, name: &str) -> Result<Upload, CliError> {
    account.rule(name, DEFAULT_BUS).await?.and_then(Upload::of).ok_or_else(|| {
        CliError::NotThere(format!("this stack has no rule {name} on uploads; to list them: reveille on-upload list"))
    })
}

async fn list(terminal: &Terminal, arguments: &RuleListArguments) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let uploads = match &arguments.name {
        Some(name) => vec![named(&account, name).await?],
        None => all(&account).await?,
    };
    if arguments.format.output == Format::Json {
        Terminal::result(&uploads.iter().map(as_json).collect());
        return Ok(Exit::Done);
    }
    match (uploads.as_slice(), &arguments.name) {
        ([upload], Some(_)) => {
            terminal.lines(&format!(
                "{} is {}: {}",
                upload.rule.name,
                rule::state(&upload.rule).0,
                rule::what(&upload.rule)
            ));
            tell(terminal, upload);
        }
        ([], _) => terminal.note("this stack has no rules on uploads; `reveille on-upload add` makes one"),
        (uploads, _) => {
            let rows = uploads.iter().map(row).collect::<Vec<_>>();
            table::show(terminal, &table::whole(terminal, COLUMNS, "NAME", &rows), &rows);
        }
    }
    Ok(Exit::Done)
}

/// What a rule takes, and what its runs get.
fn tell(terminal: &Terminal, upload: &Upload) {
    rule::fact(terminal, "files", &upload.watched.shown());
    rule::tell_parameters(terminal, &upload.rule);
}

async fn switch(terminal: &Terminal, arguments: &OneRuleArguments, on: bool) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let upload = named(&account, &arguments.name).await?;
    rule::switch(terminal, &account, &upload.rule, VERB, on).await
}

async fn remove(terminal: &Terminal, arguments: &OneRuleArguments) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let upload = named(&account, &arguments.name).await?;
    rule::remove(&account, &upload.rule, VERB).await?;
    terminal.lines(&format!("removed {}: {}", arguments.name, rule::what(&upload.rule)));
    tell(terminal, &upload);
    Ok(Exit::Done)
}

fn row(upload: &Upload) -> Vec<Cell> {
    let (state, tone) = rule::state(&upload.rule);
    vec![
        (upload.rule.name.clone(), Tone::Strong),
        (state.to_owned(), tone),
        // Without s3://, which each has: a narrow terminal shows more of the key.
        (upload.watched.shown().replacen("s3://", "", 1), Tone::Plain),
        (rule::field(&upload.rule, "notebook").to_owned(), Tone::Plain),
        (rule::field(&upload.rule, "instance").to_owned(), Tone::Plain),
    ]
}

fn as_json(upload: &Upload) -> Value {
    json!({
        "name": upload.rule.name,
        "enabled": upload.rule.enabled,
        "madeByCommand": upload.rule.ours,
        "notebook": upload.rule.input["notebook"],
        "instance": upload.rule.input["instance"],
        "bucket": upload.watched.bucket,
        "prefix": upload.watched.prefix,
        "suffix": upload.watched.suffix,
    })
}
