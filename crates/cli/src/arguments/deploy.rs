//! The grammar of the verbs that change stacks: `deploy`, `destroy`, `attach` and `detach`.

use std::path::PathBuf;

use clap::Args;

use super::FormatArguments;
use crate::{error::CliError, files, stack::StackArguments};

#[derive(Args, Debug)]
pub(crate) struct DeployArguments {
    /// The release: a folder that `make release` made, or s3://bucket/prefix/ to which it was copied
    #[arg(long, value_name = "FOLDER|S3-URI", required_unless_present = "follow")]
    pub(crate) release: Option<String>,
    /// The bucket to copy the release's files to, in the stack's region; an update takes the one before if not given
    #[arg(long, value_name = "NAME")]
    pub(crate) artifacts_bucket: Option<String>,
    /// A parameter of the template, such as InstanceNames=nightly; may be given several times. An update keeps the others
    #[arg(short = 'p', long = "parameter", value_name = "NAME=VALUE", value_parser = super::parameter)]
    pub(crate) parameters: Vec<(String, String)>,
    /// A JSON file of parameters: a list of ParameterKey and ParameterValue, a list of NAME=VALUE, or an object with Parameters. -p takes precedence over it
    #[arg(long, value_name = "FILE")]
    pub(crate) parameters_file: Option<PathBuf>,
    /// Do not ask for confirmation
    #[arg(long)]
    pub(crate) yes: bool,
    /// Show what would change, and change nothing
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
    /// Follow what is under way on the stack, and start nothing
    #[arg(long, conflicts_with_all = ["release", "artifacts_bucket", "parameters", "parameters_file", "yes", "dry_run"])]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) format: FormatArguments,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Args, Debug)]
pub(crate) struct DestroyArguments {
    /// Do not ask for confirmation
    #[arg(long)]
    pub(crate) yes: bool,
    /// Show what would be deleted and what would be kept, and delete nothing
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
    /// Delete it even though runs are under way, or triggers are left that start its runs
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) format: FormatArguments,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Args, Debug)]
pub(crate) struct AttachArguments {
    /// The notebook instance
    pub(crate) instance: String,
    /// A file with commands of your own for each start, in place of the on-start script that the instance has
    #[arg(long = "on-start", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Do not ask for confirmation
    #[arg(long)]
    pub(crate) yes: bool,
    /// Show what would change, and change nothing
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) format: FormatArguments,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

impl AttachArguments {
    /// The commands that a person gave.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn on_start(&self) -> Result<Option<String>, CliError> {
        let Some(path) = &self.file else { return Ok(None) };
        Ok(Some(files::text(path)?.trim_end().to_owned()))
    }
}

#[derive(Args, Debug)]
pub(crate) struct DetachArguments {
    /// The notebook instance
    pub(crate) instance: String,
    /// Do not ask for confirmation
    #[arg(long)]
    pub(crate) yes: bool,
    /// Show what would change, and change nothing
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) format: FormatArguments,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
}
