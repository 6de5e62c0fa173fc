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
mod wildcard;

use std::{ffi::OsString, process::ExitCode};

use clap::{ColorChoice, CommandFactory, FromArgMatches, error::ErrorKind};

use reveille_domain::shown;

use crate::{
    arguments::{Arguments, Command, place},
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
    let typed = arguments::joined(std::env::args_os());
    let matches = Arguments::command().try_get_matches_from(&typed);
    let (arguments, place) = match matches.and_then(|all| Ok((Arguments::from_arg_matches(&all)?, place(&all)))) {
        Ok(parsed) => parsed,
        Err(problem) => return wrong_arguments(&typed, &problem),
    };
    let terminal = Terminal::of_this_process(arguments.color).working_at(place);
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

/// clap wraps help at the terminal's width, but no error messages. Of bytes that are not UTF-8 it does not say where they are.
fn wrong_arguments(typed: &[OsString], problem: &clap::Error) -> ExitCode {
    let bytes = typed.iter().find(|argument| argument.to_str().is_none());
    let bytes = bytes.filter(|_| problem.kind() == ErrorKind::InvalidUtf8);
    if let Some(argument) = bytes {
        // A parameter's value is only the notebook's.
        let shown = argument.to_string_lossy().split_inclusive('=').take(1).map(shown::name).collect::<String>();
        let more = if shown.ends_with('=') { "…" } else { "" };
        complain_in_lines(&format!("reveille: the argument {shown}{more} is not UTF-8 text"));
    } else if problem.use_stderr() {
        complain_in_lines(problem.render().to_string().trim_end());
    } else {
        Terminal::of_this_process(colour_typed(typed)).help(&problem.render());
    }
    ExitCode::from(u8::try_from(problem.exit_code()).unwrap_or(1))
}

/// The choice of colours in a command line that was not read: one that asks for help ends the reading.
fn colour_typed(typed: &[OsString]) -> ColorChoice {
    let mut words = typed.iter().filter_map(|word| word.to_str());
    let mut choice = None;
    while let Some(word) = words.next() {
        choice = match word.split_once('=') {
            Some(("--color", choice)) => Some(choice),
            _ if word == "--color" => words.next(),
            _ => choice,
        };
    }
    choice.and_then(|choice| choice.parse().ok()).unwrap_or_default()
}

fn failed(terminal: &Terminal, error: &CliError) -> ExitCode {
    if !matches!(error, CliError::Detached) {
        terminal.complain(&error.to_string());
    }
    ExitCode::from(error.exit_code())
}
