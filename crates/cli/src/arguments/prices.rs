//! Which prices an estimate is made with.

use std::path::PathBuf;

use clap::Args;

#[derive(Args, Debug)]
pub(crate) struct PriceArguments {
    /// A JSON file of prices that take precedence over the command's own, as docs/cost.md shows; REVEILLE_PRICES if not given
    #[arg(long, value_name = "FILE")]
    pub(crate) prices: Option<PathBuf>,
}
