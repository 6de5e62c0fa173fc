//! What the verbs on rules of every kind take.

use clap::Args;

use super::{FormatArguments, schedule::name_of};
use crate::stack::StackArguments;

#[derive(Args, Debug)]
pub(crate) struct RuleListArguments {
    /// Only the rule of this name
    #[arg(value_parser = name)]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) format: FormatArguments,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Args, Debug)]
pub(crate) struct OneRuleArguments {
    /// The rule's name
    #[arg(value_parser = name)]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

/// What EventBridge takes as a rule's name.
pub(super) fn name(text: &str) -> Result<String, String> {
    name_of("a rule", text)
}
