//! `reveille demo`: the main job on a local AWS, once well and once with a notebook that fails.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Instant};

use reveille_domain::{Code, records::Rest};
use reveille_local::{INSTANCE, Local, Options};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use unicode_width::UnicodeWidthStr;

use crate::{
    arguments::DemoArguments,
    commands::{local::interrupt, progress},
    error::CliError,
    ui::{
        card,
        terminal::{Terminal, Tone},
        text::{command_lines, wrap},
    },
};

use self::follow::{Ended, Follower, InstanceChange, executions};

mod follow;
mod history;
mod outputs;

/// The cell of the example notebook that raises.
const FAILING_CELL: u32 = 3;

/// One of the two runs.
struct Scenario {
    name: &'static str,
    title: &'static str,
    notebook: &'static str,
    key: &'static str,
    folder: &'static str,
    /// What lands. The notebooks stand for ones that read it.
    file: &'static str,
    /// The code that it must fail with; none: it must succeed.
    fails_with: Option<Code>,
}

const SCENARIOS: [Scenario; 2] = [
    Scenario {
        name: "the first run",
        title: "A file lands, the notebook runs, the instance is proven stopped",
        notebook: "examples/summarize.ipynb",
        key: "incoming/orders-monday.csv",
        folder: "1-succeeds",
        file: "order,region,amount\n1,east,19.90\n2,west,5.00\n",
        fails_with: None,
    },
    Scenario {
        name: "the second run",
        title: "The same with a notebook that raises in its third cell",
        notebook: "examples/fails_in_cell_3.ipynb",
        key: "incoming/orders-tuesday.csv",
        folder: "2-fails-in-cell-3",
        file: "order,region\n1,east\n2,west\n",
        fails_with: Some(Code::NotebookFailed),
    },
];

/// Columns before the title of a run: its number and two spaces.
const INDENT: usize = 5;

/// Runs both, and stops everything whatever happens.
pub(crate) async fn run(terminal: &Terminal, arguments: &DemoArguments) -> Result<(), CliError> {
    let (sender, mut changes) = unbounded_channel();
    let options = Options {
        on_state_change: Some(Arc::new(move |change| {
            let name = |status: Option<_>| {
                status.map_or("none", |status: reveille_local::NotebookInstanceStatus| status.as_str())
            };
            // Nobody listens any more when the demo is over.
            let _ = sender.send(InstanceChange {
                at: change.at,
                instance: change.instance.clone(),
                from: name(change.from),
                to: name(change.to),
            });
        })),
        ..Options::default()
    };
    let interrupted = interrupt();
    tokio::pin!(interrupted);
    let local = progress::start(terminal, options, interrupted.as_mut()).await?;
    let result = tokio::select! {
        result = scenarios(terminal, &local, &mut changes, &arguments.output) => result,
        () = &mut interrupted => Err(CliError::Interrupted),
        broken = local.broken() => Err(broken.into()),
    };
    let stopped = progress::stop(terminal, local).await;
    result.and(stopped)
}

async fn scenarios(
    terminal: &Terminal,
    local: &Local,
    changes: &mut UnboundedReceiver<InstanceChange>,
    output: &Path,
) -> Result<(), CliError> {
    let mut summary = Vec::new();
    for (index, scenario) in SCENARIOS.iter().enumerate() {
        let number = format!("{}/{}", index + 1, SCENARIOS.len());
        for (index, line) in wrap(scenario.title, terminal.width().saturating_sub(INDENT)).iter().enumerate() {
            let before = if index == 0 { number.as_str() } else { "" };
            terminal.line(&terminal.paint(Tone::Strong, &format!("{before:INDENT$}{line}")));
        }
        summary.push(play(terminal, local, changes, scenario, &output.join(scenario.folder)).await?);
        terminal.line("");
    }
    for line in summary {
        terminal.marked(Tone::Good, "✓", &line);
    }
    let folder = std::path::absolute(output).unwrap_or_else(|_| output.to_owned());
    let folder = folder.display().to_string();
    let told = "  Their outputs are in ";
    // A path that is broken cannot be copied; where it does not fit it has a line of its own.
    let gap = if told.width() + folder.width() > terminal.width() { "\n  " } else { "" };
    terminal.line(&format!("{told}{gap}{}", terminal.paint(Tone::Strong, &folder)));
    Ok(())
}

async fn play(
    terminal: &Terminal,
    local: &Local,
    changes: &mut UnboundedReceiver<InstanceChange>,
    scenario: &Scenario,
    folder: &Path,
) -> Result<String, CliError> {
    terminal.step("pointing the rule at the notebook");
    let parameters = BTreeMap::from([("TriggerNotebook".to_owned(), scenario.notebook.to_owned())]);
    local.update_stack(&parameters).await?;
    let upload_command = format!("aws s3 cp orders.csv s3://{}/{}", local.trigger_bucket(), scenario.key);
    for line in command_lines(&upload_command, terminal.width().saturating_sub(3)) {
        terminal.line(&terminal.paint(Tone::Quiet, &format!("   {line}")));
    }
    let known = executions(local).await?;
    while changes.try_recv().is_ok() {
        // What happened to the instance before this run is not its story.
    }
    let since = Instant::now();
    let follower = Follower::new(terminal, local, changes);
    upload(local, scenario).await?;
    let ended = follower.follow(&known).await?;
    let took = since.elapsed().as_secs_f64();
    let kept = keep(local, &ended, folder).await?;
    for line in conclusion(terminal, &ended, &kept, took) {
        terminal.line(&line);
    }
    expect(scenario, &ended, &instance_status(local).await?)?;
    let what =
        scenario.fails_with.map_or_else(|| "succeeded".to_owned(), |code| format!("failed as it should, with {code},"));
    Ok(format!("{} {what} and the instance was observed Stopped: {took:.1} s", scenario.name))
}

async fn upload(local: &Local, scenario: &Scenario) -> Result<(), CliError> {
    let put = local.clients().s3.put_object().bucket(local.trigger_bucket());
    let put = put.key(scenario.key).body(scenario.file.as_bytes().to_vec().into());
    put.send().await.map(|_| ()).map_err(CliError::aws("upload the file that starts the run"))
}

/// Copies what the run left; gives a line that says what and where.
async fn keep(local: &Local, ended: &Ended, folder: &Path) -> Result<String, CliError> {
    let Some(at) = &ended.at else { return Ok("nothing: the run was not admitted".to_owned()) };
    let names = outputs::copy(local, at, folder).await?;
    let html_error = ended.outcome.as_ref().and_then(|outcome| outcome.html_error.as_deref());
    Ok(kept_in(&names, folder, html_error))
}

fn kept_in(names: &[String], folder: &Path, html_error: Option<&str>) -> String {
    let no_page = html_error.map_or_else(String::new, |error| format!("; no output.html: {error}"));
    format!("{} in {}{no_page}", names.join(", "), folder.display())
}

fn conclusion(terminal: &Terminal, ended: &Ended, kept: &str, took: f64) -> Vec<String> {
    let failure = ended.outcome.as_ref().and_then(|outcome| outcome.failure.as_ref());
    let tone = if ended.status == "SUCCEEDED" { Tone::Good } else { Tone::Bad };
    let error = ended.error.as_ref().map_or_else(String::new, |error| format!(" with {error}"));
    let mut lines = vec![terminal.paint(tone, &format!("   execution {}{error} after {took:.1} s", ended.status))];
    match failure {
        Some(failure) => lines.extend(card::lines(terminal, failure, kept)),
        None => {
            lines.extend(wrap(&format!("kept: {kept}"), terminal.width() - 3).iter().map(|line| format!("   {line}")));
        }
    }
    lines
}

/// The instance, as the API shows it.
async fn instance_status(local: &Local) -> Result<String, CliError> {
    let described =
        local.clients().sagemaker.describe_notebook_instance().notebook_instance_name(INSTANCE).send().await;
    let described = described.map_err(CliError::aws("describe the notebook instance"))?;
    Ok(described.notebook_instance_status().map_or_else(String::new, |status| status.as_str().to_owned()))
}

/// Holds a run against what it must be.
fn expect(scenario: &Scenario, ended: &Ended, instance: &str) -> Result<(), CliError> {
    let outcome = ended.outcome.as_ref();
    let failure = outcome.and_then(|outcome| outcome.failure.as_ref());
    let cell = failure.and_then(|failure| failure.evidence.as_ref()?.cell.as_ref()).map(|cell| cell.number);
    let checks = [
        (
            "the execution's status",
            if scenario.fails_with.is_some() { "FAILED" } else { "SUCCEEDED" }.to_owned(),
            ended.status.clone(),
        ),
        ("its error", shown(scenario.fails_with), shown(ended.error.as_ref())),
        ("the code of the outcome", shown(scenario.fails_with), shown(outcome.and_then(|outcome| outcome.code))),
        ("the cell that raised", shown(scenario.fails_with.map(|_| FAILING_CELL)), shown(cell)),
        (
            "the output notebook is kept",
            shown(Some(true)),
            shown(outcome.map(|outcome| outcome.outputs.contains_key("notebook"))),
        ),
        (
            "the instance was observed Stopped",
            shown(Some(true)),
            shown(outcome.map(|outcome| outcome.instance_after == Rest::AtRest)),
        ),
        ("the instance", "Stopped".to_owned(), instance.to_owned()),
    ];
    match checks.into_iter().find(|(_, expected, seen)| expected != seen) {
        None => Ok(()),
        Some((what, expected, seen)) => {
            Err(CliError::Unexpected { run: scenario.name, expected: format!("{what}: {expected}"), seen })
        }
    }
}

fn shown<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Ended, SCENARIOS, expect, kept_in};

    #[test]
    fn why_there_is_no_page_stands_beside_what_is_kept() {
        let names = ["log.txt".to_owned(), "output.ipynb".to_owned()];
        assert_eq!(kept_in(&names, Path::new("/f"), None), "log.txt, output.ipynb in /f");
        let told = kept_in(&names, Path::new("/f"), Some("it took longer than 60 s"));
        assert_eq!(told, "log.txt, output.ipynb in /f; no output.html: it took longer than 60 s");
    }

    #[test]
    fn a_run_that_went_otherwise_is_not_accepted() {
        let ended = |status: &str, error: Option<&str>| Ended {
            status: status.to_owned(),
            error: error.map(str::to_owned),
            outcome: None,
            at: None,
        };
        let message =
            |scenario: usize, ended: &Ended| expect(&SCENARIOS[scenario], ended, "Stopped").unwrap_err().to_string();
        assert!(message(0, &ended("FAILED", Some("Internal"))).contains("status: SUCCEEDED, saw FAILED"));
        assert!(message(1, &ended("SUCCEEDED", None)).contains("status: FAILED, saw SUCCEEDED"));
        assert!(message(1, &ended("FAILED", Some("Internal"))).contains("error: NotebookFailed, saw Internal"));
        assert!(message(0, &ended("SUCCEEDED", None)).contains("kept: true, saw none"));
    }
}
