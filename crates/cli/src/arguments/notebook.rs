//! The grammar of what a run is asked for: its notebook, instance, parameters and limits. The contract of the input decides what is allowed.

use std::path::PathBuf;

use chrono::TimeDelta;
use clap::Args;

use crate::ui::times::span;

/// What the notebook is to be run with.
#[derive(Args, Debug)]
pub(crate) struct ParameterArguments {
    /// A parameter, as papermill takes it: `-p NAME VALUE` or `-p NAME=VALUE`; numbers, True, False and None keep their type, anything else is text
    #[arg(short = 'p', long = "parameter", value_name = "NAME=VALUE", value_parser = parameter_of_notebook)]
    pub(crate) parameters: Vec<(String, String)>,
    /// A parameter whose value is text, whatever it looks like
    #[arg(short = 'r', long = "parameter-raw", value_name = "NAME=VALUE", value_parser = parameter_of_notebook)]
    pub(crate) raw: Vec<(String, String)>,
    /// A YAML or JSON file of parameters; -y, -p and -r take precedence over it
    #[arg(short = 'f', long = "parameters-file", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Parameters as YAML or JSON; -p and -r take precedence over them
    #[arg(short = 'y', long = "parameters-yaml", value_name = "TEXT")]
    pub(crate) yaml: Option<String>,
}

/// What a run is asked for.
#[derive(Args, Debug)]
pub(crate) struct NotebookArguments {
    /// A path below the instance's notebook folder, or s3://bucket/key.ipynb
    pub(crate) notebook: String,
    /// The notebook instance
    #[arg(long = "on", value_name = "INSTANCE")]
    pub(crate) instance: String,
    #[command(flatten)]
    pub(crate) parameters: ParameterArguments,
    /// The kernel, if not the notebook's own
    #[arg(long, value_name = "NAME")]
    pub(crate) kernel: Option<String>,
    /// What to do when other runs hold the instance: queue, skip or fail
    #[arg(long, value_name = "WHAT")]
    pub(crate) when_busy: Option<String>,
    /// Whether scripts may run in the output's page: full or sanitized
    #[arg(long, value_name = "WHAT")]
    pub(crate) html: Option<String>,
    /// What to do when the instance fails in the middle of the run: fail or rerun
    #[arg(long, value_name = "WHAT")]
    pub(crate) on_runner_lost: Option<String>,
    #[command(flatten)]
    pub(crate) limits: LimitArguments,
}

/// How long each part of a run may take.
#[derive(Args, Debug)]
pub(crate) struct LimitArguments {
    /// How long the notebook may run: 90s, 45m, 6h, 1d
    #[arg(id = "run_limit", long = "run-limit", value_name = "TIME", value_parser = span)]
    pub(crate) run: Option<TimeDelta>,
    /// How long the run may wait for its turn: 90s, 45m, 6h, 1d
    #[arg(id = "queue_limit", long = "queue-limit", value_name = "TIME", value_parser = span)]
    pub(crate) queue: Option<TimeDelta>,
    /// How long the instance may take to start: 90s, 45m, 2h
    #[arg(id = "start_limit", long = "start-limit", value_name = "TIME", value_parser = span)]
    pub(crate) start: Option<TimeDelta>,
    /// How long the instance may take to stop: 90s, 45m, 2h
    #[arg(id = "stop_limit", long = "stop-limit", value_name = "TIME", value_parser = span)]
    pub(crate) stop: Option<TimeDelta>,
}

fn parameter_of_notebook(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("must be NAME VALUE or NAME=VALUE".to_owned()),
    }
}
