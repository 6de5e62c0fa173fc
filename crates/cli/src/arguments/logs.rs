//! The grammar of `reveille logs`.

use clap::Args;

use super::RUN;
use crate::{clients::RunName, stack::StackArguments};

#[derive(Args, Debug)]
pub(crate) struct LogsArguments {
    #[arg(help = RUN, value_parser = RunName::parse, default_value = "@last")]
    pub(crate) run: RunName,
    /// Keep printing until the run ends, and exit with its exit code; Ctrl-C leaves the run running
    #[arg(short = 'f', long, conflicts_with = "cell")]
    pub(crate) follow: bool,
    /// Print only what this cell printed, by its place in the notebook from 1; 0 is the cell with the run's parameters
    #[arg(long, value_name = "N")]
    pub(crate) cell: Option<u32>,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
}
