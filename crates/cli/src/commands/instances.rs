//! `reveille instances`: which notebook instances are on, and why.

use aws_sdk_sagemaker::types::NotebookInstanceStatus as Status;
use chrono::Utc;
use reveille_domain::records::{Lease, LeaseState};
use serde_json::{Value, json};

use crate::{
    arguments::{Format, InstancesArguments},
    clients::{Account, Instance},
    error::CliError,
    exit::Exit,
    ui::{
        table::{self, Cell, Column},
        terminal::{Terminal, Tone},
        times,
    },
};

const COLUMNS: [Column; 5] = [
    Column { title: "INSTANCE", rank: 0, least: 10 },
    Column { title: "STATUS", rank: 0, least: 9 },
    Column { title: "SINCE", rank: 1, least: 5 },
    Column { title: "TYPE", rank: 2, least: 12 },
    Column { title: "WHY", rank: 0, least: 20 },
];

pub(crate) async fn run(terminal: &Terminal, arguments: &InstancesArguments) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let mut instances = account.instances().await?;
    // Those that cost money first.
    instances.sort_by_key(|instance| !is_on(&instance.status));
    if arguments.format.output == Format::Json {
        Terminal::result(&instances.iter().map(as_json).collect());
        return Ok(Exit::Done);
    }
    if instances.is_empty() {
        terminal.note(&format!(
            "there are no notebook instances in {}; docs/deploy.md says how to make one",
            account.region
        ));
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<Cell>> = instances.iter().map(row).collect();
    table::show(terminal, &COLUMNS, &rows);
    Ok(Exit::Done)
}

fn is_on(status: &Status) -> bool {
    !matches!(status, Status::Stopped | Status::Failed | Status::Deleting)
}

fn row(instance: &Instance) -> Vec<Cell> {
    let now = Utc::now();
    let on = is_on(&instance.status);
    let tone = if on { Tone::Moving } else { Tone::Plain };
    vec![
        (instance.name.to_string(), Tone::Strong),
        (instance.status.as_str().to_owned(), tone),
        (instance.since.map(|since| times::age(since, now)).unwrap_or_default(), Tone::Quiet),
        (instance.kind.clone(), Tone::Quiet),
        (why(instance), Tone::Plain),
    ]
}

/// Why an instance is on, or why it could not be used.
fn why(instance: &Instance) -> String {
    let hint = if instance.has_lifecycle_configuration {
        ""
    } else {
        "no lifecycle configuration: runs fail with LifecycleConfigMissing"
    };
    if !is_on(&instance.status) {
        return hint.to_owned();
    }
    let why = match &instance.lease {
        None => "a person started it, or it is not certain whose it is".to_owned(),
        Some(lease) => because(lease),
    };
    if hint.is_empty() { why } else { format!("{why}; {hint}") }
}

fn because(lease: &Lease) -> String {
    if lease.person_at.is_some() {
        return "a person works on it".to_owned();
    }
    match (lease.state, &lease.busy) {
        (LeaseState::Busy, Some(at)) => format!("runs {}", at.run),
        (LeaseState::Busy | LeaseState::Open, _) => format!("ready for runs; {} started it", lease.started_by),
        (LeaseState::Starting | LeaseState::Unsure, _) => format!("{} starts it", lease.started_by),
        (LeaseState::Closing, _) => "it is being stopped".to_owned(),
    }
}

fn as_json(instance: &Instance) -> Value {
    json!({
        "instance": instance.name,
        "status": instance.status.as_str(),
        "type": instance.kind,
        "since": instance.since,
        "on": is_on(&instance.status),
        "why": why(instance),
        "run": instance.lease.as_ref().and_then(|lease| lease.busy.as_ref()).map(|at| at.run.clone()),
    })
}
