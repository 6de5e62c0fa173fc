//! `reveille on-upload`: runs when files land in S3.

mod add;
mod test;

use serde_json::{Value, json};

use crate::{
    arguments::{Format, OnUploadArguments, OnUploadListArguments, OnUploadVerb, OneRuleArguments},
    clients::{Account, DEFAULT_BUS, Rule},
    error::CliError,
    exit::Exit,
    ui::{
        labelled,
        table::{self, Cell, Column},
        terminal::{Terminal, Tone},
    },
    uploads::Watched,
};

/// As wide as the longest label, and a gap.
const LABEL: usize = 12;

const COLUMNS: [Column; 5] = [
    Column { title: "NAME", rank: 0, least: 12 },
    Column { title: "STATE", rank: 0, least: 7 },
    Column { title: "FILES", rank: 0, least: 20 },
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

    fn field(&self, name: &str) -> &str {
        self.rule.input[name].as_str().unwrap_or("(none)")
    }

    fn what(&self) -> String {
        format!("{} on {}", self.field("notebook"), self.field("instance"))
    }

    fn state(&self) -> &'static str {
        if self.rule.enabled { "on" } else { "paused" }
    }
}

async fn all(account: &Account) -> Result<Vec<Upload>, CliError> {
    Ok(account.rules(DEFAULT_BUS).await?.into_iter().filter_map(Upload::of).collect())
}

async fn named(account: &Account, name: &str) -> Result<Upload, CliError> {
    account.rule(name, DEFAULT_BUS).await?.and_then(Upload::of).ok_or_else(|| {
        CliError::NotThere(format!("this stack has no rule {name} on uploads; to list them: reveille on-upload list"))
    })
}

async fn list(terminal: &Terminal, arguments: &OnUploadListArguments) -> Result<Exit, CliError> {
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
            terminal.lines(&format!("{} is {}: {}", upload.rule.name, upload.state(), upload.what()));
            tell(terminal, upload);
        }
        ([], _) => terminal.note("this stack has no rules on uploads; `reveille on-upload add` makes one"),
        (uploads, _) => table::show(terminal, &COLUMNS, &uploads.iter().map(row).collect::<Vec<_>>()),
    }
    Ok(Exit::Done)
}

/// What a rule takes, and which parameters the notebook gets: their values may be what only the notebook should see.
fn tell(terminal: &Terminal, upload: &Upload) {
    fact(terminal, "files", &upload.watched.shown());
    let parameters = upload.rule.input["parameters"].as_object();
    let names = parameters.map(|all| all.keys().map(String::as_str).collect::<Vec<_>>().join(", "));
    if let Some(names) = names.filter(|names| !names.is_empty()) {
        fact(terminal, "parameters", &names);
    }
}

fn fact(terminal: &Terminal, label: &str, value: &str) {
    for line in labelled::lines(terminal, LABEL, label, value) {
        terminal.line(&line);
    }
}

async fn switch(terminal: &Terminal, arguments: &OneRuleArguments, on: bool) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let upload = named(&account, &arguments.name).await?;
    let (name, word) = (&arguments.name, if on { "on" } else { "paused" });
    if upload.rule.enabled == on {
        terminal.line(&format!("{name} is already {word}"));
        return Ok(Exit::Done);
    }
    account.enable_rule(&upload.rule, on).await?;
    terminal.line(&format!("{name} is {word}"));
    if on {
        terminal.note("files that landed while it was paused start nothing");
    } else {
        terminal.note(&format!("files start no run until you resume it: reveille on-upload resume {name}"));
    }
    if !upload.rule.ours {
        terminal.note("the rule was made by a stack, and that stack's next update may undo this");
    }
    Ok(Exit::Done)
}

async fn remove(terminal: &Terminal, arguments: &OneRuleArguments) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let upload = named(&account, &arguments.name).await?;
    let name = &arguments.name;
    if !upload.rule.ours {
        return Err(CliError::NotNow(format!(
            "{name} was not made with `reveille on-upload add`; remove it with what made it (for a stack: aws cloudformation delete-stack), or pause it: reveille on-upload pause {name}"
        )));
    }
    if let Some(other) = upload.rule.other_target() {
        return Err(CliError::NotNow(format!(
            "somebody gave {name} another target, {other}, which would be lost; remove that first: aws events remove-targets --rule {name} --ids {other}"
        )));
    }
    account.remove_rule(&upload.rule).await?;
    terminal.lines(&format!("removed {name}: {}", upload.what()));
    tell(terminal, &upload);
    Ok(Exit::Done)
}

fn row(upload: &Upload) -> Vec<Cell> {
    vec![
        (upload.rule.name.clone(), Tone::Strong),
        (upload.state().to_owned(), if upload.rule.enabled { Tone::Good } else { Tone::Quiet }),
        (upload.watched.shown(), Tone::Plain),
        (upload.field("notebook").to_owned(), Tone::Plain),
        (upload.field("instance").to_owned(), Tone::Plain),
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
