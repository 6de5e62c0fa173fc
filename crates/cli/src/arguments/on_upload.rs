//! The grammar of `reveille on-upload`.

use clap::{Args, Subcommand};

use super::{
    FormatArguments, NotebookArguments,
    rule::{OneRuleArguments, RuleListArguments, name},
};
use crate::stack::StackArguments;

#[derive(Args, Debug)]
pub(crate) struct OnUploadArguments {
    #[command(subcommand)]
    pub(crate) verb: OnUploadVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OnUploadVerb {
    /// Make a rule that runs a notebook when a file lands in a bucket
    Add(Box<OnUploadAddArguments>),
    /// List the rules on uploads that start the stack's runs
    List(RuleListArguments),
    /// Pause a rule until you resume it; files that land meanwhile start nothing
    Pause(OneRuleArguments),
    /// Resume a paused rule
    Resume(OneRuleArguments),
    /// Remove a rule; its runs stay
    Remove(OneRuleArguments),
    /// Say which rules a key would match, and what each would start
    Test(OnUploadTestArguments),
}

#[derive(Args, Debug)]
pub(crate) struct OnUploadAddArguments {
    /// The bucket in which the files land
    #[arg(long, value_name = "NAME")]
    pub(crate) bucket: String,
    /// Only files whose key begins with this, such as orders/
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) prefix: String,
    /// Only files whose key ends with this, such as .csv
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) suffix: String,
    /// Only files whose key matches this, such as 'orders/*/daily-*.csv'; * stands for any characters
    #[arg(long, value_name = "PATTERN", conflicts_with_all = ["prefix", "suffix"])]
    pub(crate) wildcard: Option<String>,
    /// The rule's name; by default the stack's name and the notebook's, such as reveille-orders
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(crate) name: Option<String>,
    /// Let the bucket send its events to EventBridge, if it does not yet; its other notifications stay
    #[arg(long)]
    pub(crate) fix_bucket: bool,
    /// The notebook only reads what this parameter names, and writes nothing there; may be given several times
    #[arg(long, value_name = "PARAMETER")]
    pub(crate) reads: Vec<String>,
    #[command(flatten)]
    pub(crate) asked: NotebookArguments,
    #[command(flatten)]
    pub(crate) format: FormatArguments,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Args, Debug)]
pub(crate) struct OnUploadTestArguments {
    /// The file's key, or s3://bucket/key
    pub(crate) key: String,
    /// The bucket; without it each rule is tested with its own
    #[arg(long, value_name = "NAME")]
    pub(crate) bucket: Option<String>,
    #[command(flatten)]
    pub(crate) format: FormatArguments,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
}
