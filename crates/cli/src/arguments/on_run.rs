//! The grammar of `reveille on-run`.

use clap::{Args, Subcommand};
use reveille_domain::InstanceName;

use super::{
    FormatArguments, NotebookArguments,
    rule::{OneRuleArguments, RuleListArguments, name},
};
use crate::stack::StackArguments;

#[derive(Args, Debug)]
pub(crate) struct OnRunArguments {
    #[command(subcommand)]
    pub(crate) verb: OnRunVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OnRunVerb {
    /// Make a rule that runs a notebook when another notebook's run has succeeded
    Add(Box<OnRunAddArguments>),
    /// List the rules on runs that start the stack's runs
    List(RuleListArguments),
    /// Pause a rule until you resume it; runs that succeed meanwhile start nothing
    Pause(OneRuleArguments),
    /// Resume a paused rule
    Resume(OneRuleArguments),
    /// Remove a rule; its runs stay
    Remove(OneRuleArguments),
}

#[derive(Args, Debug)]
pub(crate) struct OnRunAddArguments {
    /// The notebook that must succeed first, written as in the input of its runs
    #[arg(long, value_name = "NOTEBOOK")]
    pub(crate) after: String,
    /// The instance on which that notebook runs; by default the one of --on
    #[arg(long, value_name = "INSTANCE", value_parser = InstanceName::parse)]
    pub(crate) after_on: Option<InstanceName>,
    /// The rule's name; by default the stack's name and the notebook's, such as reveille-summary
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) asked: NotebookArguments,
    #[command(flatten)]
    pub(crate) format: FormatArguments,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
}
