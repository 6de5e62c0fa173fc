//! The grammar of `reveille watch`.

use clap::Args;

use super::RUN;
use crate::{clients::RunName, stack::StackArguments};

#[derive(Args, Debug)]
pub(crate) struct WatchArguments {
    #[arg(help = format!("{RUN}; without it: the run in progress, or, if there are several, the one that you choose"), value_parser = RunName::parse)]
    pub(crate) run: Option<RunName>,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
}
