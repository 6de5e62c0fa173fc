#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod arguments;
mod clients;
mod commands;
mod completion;
mod cost;
mod error;
mod exit;
mod files;
mod overview;
#[cfg(test)]
mod pages;
mod prices;
mod schedules;
mod stack;
mod triggers;
mod ui;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    arguments::{Arguments, Command},
    commands::{
        attach, cancel, completions, demo, deploy, destroy, detach, doctor, explain, instances, local, logs, on_run,
        on_upload, open, queue, report, rerun, run, runs, schedule, show, undelivered, watch,
    },
    error::CliError,
    exit::Exit,
    ui::terminal::{Terminal, complain_in_lines, lost_output},
};

fn main() -> ExitCode {
    completion::answer();
    let arguments = match Arguments::try_parse_from(arguments::joined(std::env::args_os())) {
        Ok(arguments) => arguments,
        Err(problem) => return wrong_arguments(&problem),
    };
    let terminal = Terminal::of_this_process();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&terminal, &CliError::Runtime(error)),
    };
    let ended = runtime.block_on(Box::pin(obey(&terminal, &arguments.command)));
    // A question that nobody will answer any more is not waited for.
    runtime.shutdown_background();
    match ended {
        Ok(exit) => match lost_output() {
            Some(source) => failed(&terminal, &CliError::Write { path: "standard output".into(), source }),
            None => exit.into(),
        },
        Err(error) => failed(&terminal, &error),
    }
}

async fn obey(terminal: &Terminal, command: &Command) -> Result<Exit, CliError> {
    match command {
        Command::Run(options) => run::run(terminal, options).await,
        Command::Runs(options) => runs::run(terminal, options).await,
        Command::Show(options) => show::run(terminal, options).await,
        Command::Watch(options) => watch::run(terminal, options).await,
        Command::Logs(options) => logs::run(terminal, options).await,
        Command::Open(options) => open::run(terminal, options).await,
        Command::Cancel(options) => cancel::run(terminal, options).await,
        Command::Rerun(options) => rerun::run(terminal, options).await,
        Command::Queue(options) => queue::run(terminal, options).await,
        Command::Schedule(options) => schedule::run(terminal, options).await,
        Command::OnUpload(options) => on_upload::run(terminal, options).await,
        Command::OnRun(options) => on_run::run(terminal, options).await,
        Command::Undelivered(options) => undelivered::run(terminal, options).await,
        Command::Report(options) => report::run(terminal, options).await,
        Command::Instances(options) => instances::run(terminal, options).await,
        Command::Doctor(options) => doctor::run(terminal, options).await,
        Command::Explain(options) => explain::run(terminal, options).await,
        Command::Deploy(options) => deploy::run(terminal, options).await,
        Command::Destroy(options) => destroy::run(terminal, options).await,
        Command::Attach(options) => attach::run(terminal, options).await,
        Command::Detach(options) => detach::run(terminal, options).await,
        Command::Completions(options) => completions::run(terminal, options),
        Command::Man(options) => completions::man(terminal, options),
        Command::Local(options) => local::run(terminal, options).await.map(|()| Exit::Done),
        Command::Demo(options) => demo::run(terminal, options).await.map(|()| Exit::Done),
    }
}

/// Help is printed as it is, because clap wraps it at the terminal's width. Error messages it does not wrap, so that is done here.
fn wrong_arguments(problem: &clap::Error) -> ExitCode {
    if !problem.use_stderr() {
        problem.exit();
    }
    complain_in_lines(problem.render().to_string().trim_end());
    ExitCode::from(u8::try_from(problem.exit_code()).unwrap_or(1))
}

fn failed(terminal: &Terminal, error: &CliError) -> ExitCode {
    if !matches!(error, CliError::Detached) {
        terminal.complain(&error.to_string());
    }
    ExitCode::from(error.exit_code())
}
