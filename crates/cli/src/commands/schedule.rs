//! `reveille schedule`: runs at set times.

mod input;
mod times;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

use times::Times;

use super::{
    health::{self, Ailment},
    run::{asked, of_flag},
    trigger::{field, state, usual_name, what},
};
use crate::{
    arguments::{
        Format, OneScheduleArguments, ScheduleAddArguments, ScheduleArguments, ScheduleListArguments, ScheduleVerb,
    },
    clients::{Account, Added, NewSchedule, Schedule},
    error::CliError,
    exit::Exit,
    schedules::{When, words},
    ui::{
        json::time,
        table::{self, Cell, Column},
        terminal::{Terminal, Tone},
    },
};

const COLUMNS: [Column; 6] = [
    Column { title: "NAME", rank: 0, least: 12 },
    Column { title: "STATE", rank: 0, least: 7 },
    Column { title: "NOTEBOOK", rank: 2, least: 12 },
    Column { title: "INSTANCE", rank: 3, least: 8 },
    Column { title: "WHEN", rank: 4, least: 16 },
    Column { title: "NEXT", rank: 1, least: 24 },
];

/// Five show a pattern, such as a weekend, and fit a screen.
const NEXT: usize = 5;

pub(crate) async fn run(terminal: &Terminal, arguments: &ScheduleArguments) -> Result<Exit, CliError> {
    match &arguments.verb {
        ScheduleVerb::Add(options) => add(terminal, options).await,
        ScheduleVerb::List(options) => list(terminal, options).await,
        ScheduleVerb::Pause(options) => switch(terminal, options, false).await,
        ScheduleVerb::Resume(options) => switch(terminal, options, true).await,
        ScheduleVerb::Remove(options) => remove(terminal, options).await,
    }
}

async fn add(terminal: &Terminal, arguments: &ScheduleAddArguments) -> Result<Exit, CliError> {
    let now = Utc::now();
    let times = Times::read(arguments, now)?;
    let input = input::of(asked(&arguments.asked)?, times.zone).map_err(of_flag)?;
    let account = Account::of(&arguments.stack).await?;
    // Each run would fail, and nobody would see it before the first.
    account.named(&arguments.asked.instance).await?;
    let name = arguments.name.clone().unwrap_or_else(|| usual_name(account.stack_name(), &arguments.asked.notebook));
    let new = NewSchedule {
        name: name.clone(),
        expression: times.when.expression(),
        zone: times.zone.name().to_owned(),
        start: times.start,
        end: times.end,
        flexible_minutes: arguments.flexible,
        input,
    };
    let (schedule, is_new) = match account.add_schedule(new).await? {
        Added::New(schedule) => (schedule, true),
        Added::WasThere(schedule) => (schedule, false),
    };
    if arguments.format.output == Format::Json {
        Terminal::result(&as_json(&schedule, None, now));
    } else {
        terminal.lines(&format!("{name}: {}", what(&schedule.input)));
        tell_when(terminal, &schedule);
        tell_next(terminal, &times.next(now, NEXT));
    }
    if !is_new {
        terminal.note(&format!("the schedule {name} was there already, just as asked; nothing was changed"));
    }
    if arguments.format.output != Format::Json {
        terminal.next(&format!("reveille schedule list {name}"));
    }
    Ok(Exit::Done)
}

async fn list(terminal: &Terminal, arguments: &ScheduleListArguments) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let schedules = match &arguments.name {
        Some(name) => vec![account.schedule(name).await?],
        None => account.schedules(None).await?,
    };
    let names = schedules.iter().filter_map(|schedule| schedule.input["instance"].as_str());
    let missing = health::missing(terminal, &account, names).await?;
    let ailments: Vec<Option<Ailment>> = schedules.iter().map(|schedule| ailment(schedule, &missing)).collect();
    let all = || schedules.iter().zip(ailments.iter().map(Option::as_ref));
    let now = Utc::now();
    if arguments.format.output == Format::Json {
        Terminal::result(&all().map(|(schedule, ailment)| as_json(schedule, ailment, now)).collect());
        return Ok(Exit::Done);
    }
    match (schedules.as_slice(), &arguments.name) {
        ([schedule], Some(_)) => {
            let (state, _) = state(schedule.enabled);
            terminal.lines(&format!("{} is {state}: {}", schedule.name, what(&schedule.input)));
            tell_when(terminal, schedule);
            tell_next(terminal, &next(schedule, now));
        }
        ([], _) => terminal.note("this stack has no schedules; `reveille schedule add` makes one"),
        (_, _) => {
            let rows: Vec<Vec<Cell>> = all().map(|(schedule, ailment)| row(schedule, ailment, now)).collect();
            table::show(terminal, &columns(terminal, &rows), &rows);
        }
    }
    for (schedule, ailment) in all() {
        if let Some(ailment) = ailment {
            terminal.note(&sentence(schedule, ailment));
        }
    }
    Ok(Exit::Done)
}

/// Names and times are whole, as far as there is room: a time without its zone is another one.
fn columns(terminal: &Terminal, rows: &[Vec<Cell>]) -> [Column; 6] {
    let named = table::whole(terminal, COLUMNS, "NAME", rows);
    table::whole(terminal, named, "NEXT", rows)
}

/// What is wrong with a schedule, if these instances do not exist.
fn ailment(schedule: &Schedule, missing: &BTreeSet<String>) -> Option<Ailment> {
    let instance = schedule.input["instance"].as_str().filter(|name| missing.contains(*name));
    instance.map(|name| Ailment::NoInstance(name.to_owned()))
}

/// `remove` takes every schedule.
fn sentence(schedule: &Schedule, ailment: &Ailment) -> String {
    ailment.sentence(&schedule.name, "schedule", true)
}

async fn switch(terminal: &Terminal, arguments: &OneScheduleArguments, on: bool) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let schedule = account.schedule(&arguments.name).await?;
    let (name, (word, _)) = (&arguments.name, state(on));
    if schedule.enabled == on {
        terminal.lines(&format!("{name} is already {word}"));
        return Ok(Exit::Done);
    }
    let schedule = account.enable_schedule(schedule, on).await?;
    terminal.lines(&format!("{name} is {word}"));
    if on {
        tell_next(terminal, &next(&schedule, Utc::now()));
    } else {
        let resume = terminal.command(&format!("reveille schedule resume {name}"));
        terminal.note(&format!("it starts no run until you resume it: {resume}"));
    }
    Ok(Exit::Done)
}

async fn remove(terminal: &Terminal, arguments: &OneScheduleArguments) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let schedule = account.schedule(&arguments.name).await?;
    account.remove_schedule(&schedule).await?;
    terminal.lines(&format!("removed {}: {}", schedule.name, what(&schedule.input)));
    tell_when(terminal, &schedule);
    Ok(Exit::Done)
}

/// When a schedule fires next; nothing where it is paused, over, or of an expression that this command cannot read.
pub(super) fn next(schedule: &Schedule, now: DateTime<Utc>) -> Vec<DateTime<Tz>> {
    let (Ok(when), Ok(zone)) = (When::read(&schedule.expression), schedule.zone.parse::<Tz>()) else {
        return Vec::new();
    };
    if !schedule.enabled {
        return Vec::new();
    }
    let since = schedule.start.unwrap_or(schedule.created);
    fires(&when, zone, since, schedule.end, now, NEXT)
}

fn fires(
    when: &When,
    zone: Tz,
    since: DateTime<Utc>,
    end: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    count: usize,
) -> Vec<DateTime<Tz>> {
    when.next(zone, since, now, count).into_iter().filter(|at| end.is_none_or(|end| *at <= end)).collect()
}

fn tell_next(terminal: &Terminal, times: &[DateTime<Tz>]) {
    for (index, at) in times.iter().enumerate() {
        let label = terminal.paint(Tone::Quiet, if index == 0 { "next" } else { "    " });
        terminal.line(&format!("  {label}  {}", words(at)));
    }
}

/// On a line of its own: an expression that is broken in two is hard to read.
fn tell_when(terminal: &Terminal, schedule: &Schedule) {
    let Schedule { expression, zone, .. } = schedule;
    terminal.line(&format!("  {}  {expression} in {zone}", terminal.paint(Tone::Quiet, "when")));
}

fn row(schedule: &Schedule, ailment: Option<&Ailment>, now: DateTime<Utc>) -> Vec<Cell> {
    let (state, tone) = health::state(schedule.enabled, ailment);
    vec![
        (schedule.name.clone(), Tone::Strong),
        (state.to_owned(), tone),
        (field(&schedule.input, "notebook").to_owned(), Tone::Plain),
        (field(&schedule.input, "instance").to_owned(), Tone::Plain),
        (schedule.expression.clone(), Tone::Quiet),
        (next(schedule, now).first().map(words).unwrap_or_default(), Tone::Plain),
    ]
}

fn as_json(schedule: &Schedule, ailment: Option<&Ailment>, now: DateTime<Utc>) -> Value {
    let next: Vec<String> = next(schedule, now).iter().map(|at| time(at.with_timezone(&Utc))).collect();
    json!({
        "name": schedule.name,
        "enabled": schedule.enabled,
        "notebook": schedule.input["notebook"],
        "instance": schedule.input["instance"],
        "expression": schedule.expression,
        "zone": schedule.zone,
        "startAt": schedule.start.map(time),
        "endAt": schedule.end.map(time),
        "next": next,
        "problem": ailment.map(|ailment| sentence(schedule, ailment)),
    })
}

#[cfg(test)]
mod tests;
