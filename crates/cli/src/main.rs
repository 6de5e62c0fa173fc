#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod arguments;
mod commands;
mod error;
mod ui;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    arguments::{Arguments, Command},
    commands::{demo, local},
    error::CliError,
    ui::terminal::Terminal,
};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let terminal = Terminal::of_this_process();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&terminal, &CliError::Runtime(error)),
    };
    let result = runtime.block_on(async {
        match arguments.command {
            Command::Local(options) => Box::pin(local::run(&terminal, &options)).await,
            Command::Demo(options) => Box::pin(demo::run(&terminal, &options)).await,
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&terminal, &error),
    }
}

fn failed(terminal: &Terminal, error: &CliError) -> ExitCode {
    terminal.complain(&error.to_string());
    ExitCode::from(error.exit_code())
}
