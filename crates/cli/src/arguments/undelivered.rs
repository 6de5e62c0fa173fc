//! The grammar of `reveille undelivered`.

use clap::{Args, Subcommand};

use super::FormatArguments;
use crate::stack::StackArguments;

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct UndeliveredArguments {
    #[command(subcommand)]
    pub(crate) verb: Option<UndeliveredVerb>,
    #[command(flatten)]
    pub(crate) format: FormatArguments,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UndeliveredVerb {
    /// Start the runs after all, and take their messages out of the queue
    Replay(ReplayArguments),
    /// Take messages out of the queue without a run
    Discard(DiscardArguments),
}

/// Which messages.
#[derive(Args, Debug)]
pub(crate) struct ChosenArguments {
    /// The messages: their ids, or the beginnings of them
    #[arg(required_unless_present = "all", value_name = "MESSAGE")]
    pub(crate) messages: Vec<String>,
    /// All messages in the queue
    #[arg(long, conflicts_with = "messages")]
    pub(crate) all: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ReplayArguments {
    #[command(flatten)]
    pub(crate) chosen: ChosenArguments,
    #[command(flatten)]
    pub(crate) format: FormatArguments,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Args, Debug)]
pub(crate) struct DiscardArguments {
    #[command(flatten)]
    pub(crate) chosen: ChosenArguments,
    /// Do not ask for confirmation
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
}
