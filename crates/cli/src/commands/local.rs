//! `reveille local`: leaves a local AWS running, and tells how to use it.

use std::{io, path::PathBuf};

use reveille_local::{INSTANCE, Local, Machines, NOTEBOOK, Options};
use tokio::signal::unix::{Signal, SignalKind, signal};
use unicode_width::UnicodeWidthStr;

use crate::{
    arguments::LocalArguments,
    commands::progress,
    error::CliError,
    ui::{
        terminal::{Terminal, Tone},
        text::{command_lines, for_shell},
    },
};

/// Runs until Ctrl-C, which is the way to end it, so that it ends with success.
pub(crate) async fn run(terminal: &Terminal, arguments: &LocalArguments) -> Result<(), CliError> {
    let options = Options {
        directory: arguments.directory.clone(),
        parameters: arguments.parameters.iter().cloned().collect(),
        machines: arguments.machines.clone().map(Machines::new),
        ..Options::default()
    };
    let interrupted = interrupt();
    tokio::pin!(interrupted);
    let local = progress::start(terminal, options, interrupted.as_mut()).await?;
    for line in instructions(terminal, &local) {
        terminal.line(&line);
    }
    let ended = tokio::select! {
        () = interrupted => Ok(()),
        broken = local.broken() => Err(broken.into()),
    };
    terminal.line("");
    let stopped = progress::stop(terminal, local).await;
    ended.and(stopped)
}

/// Waits for a signal that asks this program to end: Ctrl-C, SIGTERM, Ctrl-\, or the end of its terminal. From the call on none of them
/// ends it by itself, even before anybody waits.
pub(crate) fn interrupt() -> impl Future<Output = ()> {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()];
    let [interrupt, terminate, hangup, quit] = kinds.map(signal);
    async move {
        tokio::select! {
            () = received(interrupt) => {}
            () = received(terminate) => {}
            () = received(hangup) => {}
            () = received(quit) => {}
        }
    }
}

async fn received(signals: io::Result<Signal>) {
    match signals {
        Ok(mut signals) => {
            signals.recv().await;
        }
        // A handler can be missing only when the runtime is: then the default action of the signal ends this program.
        Err(_) => std::future::pending().await,
    }
}

fn instructions(terminal: &Terminal, local: &Local) -> Vec<String> {
    let title = |text: &str| terminal.paint(Tone::Strong, text);
    let quiet = |text: &str| terminal.paint(Tone::Quiet, text);
    let mut lines = vec![title("Use it from another terminal with any AWS client:"), String::new()];
    let environment = local.environment().iter().map(|(name, value)| format!("export {name}={}", for_shell(value)));
    lines.extend(environment);
    lines.push(format!("export PATH={}:$PATH", for_shell(&local.project().tools().display().to_string())));
    lines.extend([String::new(), title("Run a notebook:"), String::new()]);
    lines.extend(command_lines(&run_command(), terminal.width()));
    lines.extend([String::new(), title("Or start one as any AWS client does:"), String::new()]);
    lines.extend(command_lines(&start_command(local), terminal.width()));
    lines.extend([String::new(), title("Or let a file land:"), String::new()]);
    let put = format!("aws s3 cp README.md s3://{}/incoming/README.md", local.trigger_bucket());
    lines.extend(command_lines(&put, terminal.width()));
    lines.push(String::new());
    let log = local.ministack_log().map(|path| path.display().to_string()).unwrap_or_default();
    for (label, place) in [
        (format!("Notebooks of {INSTANCE}:"), local.notebooks(INSTANCE).display().to_string()),
        ("Records and outputs:".to_owned(), format!("s3://{}/{}runs/", local.bucket(), local.prefix())),
        ("Logs:".to_owned(), log),
    ] {
        lines.extend(place_lines(&label, &place, terminal.width()).iter().map(|line| quiet(line)));
    }
    lines.push(quiet("Ctrl-C stops everything."));
    lines
}

/// The command that runs a notebook here and follows it, with this program as it was called.
fn run_command() -> String {
    let called = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    // A name without a folder was found on the PATH, and is there in another terminal, too.
    let is_path = called.components().count() > 1;
    let program = if is_path { std::path::absolute(&called).unwrap_or(called) } else { PathBuf::from("reveille") };
    let day = chrono::Utc::now().date_naive();
    let program = for_shell(&program.display().to_string());
    format!("{program} run {NOTEBOOK} --on {INSTANCE} -p day {day} -p source 'started by hand'")
}

/// The same for any AWS client.
fn start_command(local: &Local) -> String {
    let input = serde_json::json!({
        "instance": INSTANCE,
        "notebook": NOTEBOOK,
        "parameters": {"source": "started by hand", "day": chrono::Utc::now().date_naive().to_string()},
    });
    let (machine, input) = (local.state_machine(), for_shell(&input.to_string()));
    format!("aws stepfunctions start-execution --state-machine-arn {machine} --input {input}")
}

/// Where something is: beside its name, or where that is too wide below it.
fn place_lines(label: &str, place: &str, width: usize) -> Vec<String> {
    let line = format!("{label:<LABEL_WIDTH$}{place}");
    if line.width() <= width { vec![line] } else { vec![label.to_owned(), format!("  {place}")] }
}

/// The widest of the labels, and a space.
const LABEL_WIDTH: usize = 22;

#[cfg(test)]
mod tests {
    use super::place_lines;

    #[test]
    fn a_place_that_is_too_wide_is_below_its_name() {
        assert_eq!(place_lines("Logs:", "/a", 60), ["Logs:                 /a"]);
        assert_eq!(place_lines("Logs:", &"x".repeat(40), 60), ["Logs:".to_owned(), format!("  {}", "x".repeat(40))]);
    }
}
