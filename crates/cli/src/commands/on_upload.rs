//! `reveille on-upload`: runs when files land in S3.

mod add;
mod test_key;

use serde_json::{Value, json};

use super::rule::{self, OfKind};
use crate::{
    arguments::{OnUploadArguments, OnUploadVerb},
    clients::{Account, DEFAULT_BUS, Rule},
    error::CliError,
    exit::Exit,
    triggers::Uploads,
    ui::{table::Column, terminal::Terminal},
};

pub(crate) async fn run(terminal: &Terminal, arguments: &OnUploadArguments) -> Result<Exit, CliError> {
    match &arguments.verb {
        OnUploadVerb::Add(options) => add::run(terminal, options).await,
        OnUploadVerb::List(options) => rule::list::<Upload>(terminal, options).await,
        OnUploadVerb::Pause(options) => rule::switch::<Upload>(terminal, options, false).await,
        OnUploadVerb::Resume(options) => rule::switch::<Upload>(terminal, options, true).await,
        OnUploadVerb::Remove(options) => rule::remove::<Upload>(terminal, options).await,
        OnUploadVerb::Test(options) => test_key::run(terminal, options).await,
    }
}

/// What a rule would do with a file that is put now.
pub(crate) struct Tested {
    pub(crate) rule: String,
    /// What it starts.
    pub(crate) starts: String,
    /// Why it would start nothing, if it would.
    pub(crate) nothing: Option<String>,
    /// Why the run that it would start would fail at once, if it would.
    pub(crate) fails: Option<String>,
    pub(crate) is_paused: bool,
}

/// The stack's rules on uploads, held against a file as `test` does.
pub(super) async fn tested(
    terminal: &Terminal,
    account: &Account,
    bucket: &str,
    key: &str,
) -> Result<Vec<Tested>, CliError> {
    test_key::tested(terminal, account, bucket, key).await
}

/// Those that exist, for a shell that completes.
pub(crate) async fn names(account: &Account) -> Result<Vec<(String, String)>, CliError> {
    rule::names::<Upload>(account).await
}

/// Those that the command made.
pub(super) async fn made_here(account: &Account) -> Result<Vec<String>, CliError> {
    rule::made_here::<Upload>(account).await
}

/// A rule on uploads.
struct Upload {
    rule: Rule,
    files: Uploads,
}

impl OfKind for Upload {
    const VERB: &'static str = "on-upload";
    const ON: &'static str = "uploads";
    const COLUMNS: [Column; 5] = [
        Column { title: "NAME", rank: 0, least: 12 },
        Column { title: "STATE", rank: 0, least: 7 },
        Column { title: "FILES", rank: 0, least: 32 },
        Column { title: "NOTEBOOK", rank: 1, least: 12 },
        Column { title: "INSTANCE", rank: 2, least: 8 },
    ];

    fn bus(_: &Account) -> Result<String, CliError> {
        Ok(DEFAULT_BUS.to_owned())
    }

    fn of(rule: Rule) -> Option<Self> {
        let files = Uploads::read(&rule.pattern, &rule.input)?;
        Some(Self { rule, files })
    }

    fn rule(&self) -> &Rule {
        &self.rule
    }

    fn takes(&self) -> (&'static str, String) {
        ("files", self.files.shown())
    }

    /// Without s3://, which each has: a narrow terminal shows more of the key.
    fn takes_in_table(&self) -> String {
        self.files.shown().replace("s3://", "")
    }

    fn as_json(&self) -> Value {
        let (watched, buckets) = (self.files.watched(), self.files.buckets());
        let bucket = if let [bucket] = buckets { Some(bucket) } else { None };
        json!({
            "name": self.rule.name,
            "enabled": self.rule.enabled,
            "madeByCommand": self.rule.ours,
            "notebook": self.rule.input["notebook"],
            "instance": self.rule.input["instance"],
            "bucket": bucket,
            "prefix": watched.map(|watched| &watched.prefix),
            "suffix": watched.map(|watched| &watched.suffix),
            "wildcard": watched.and_then(|watched| watched.wildcard.as_ref()),
        })
    }
}
