//! The grammar of `reveille schedule`.

use clap::{ArgGroup, Args, Subcommand};

use super::{FormatArguments, NotebookArguments};
use crate::stack::StackArguments;

#[derive(Args, Debug)]
pub(crate) struct ScheduleArguments {
    #[command(subcommand)]
    pub(crate) verb: ScheduleVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleVerb {
    /// Make a schedule that runs a notebook
    Add(Box<ScheduleAddArguments>),
    /// List the stack's schedules and when each fires next; give a NAME for its next five times
    List(ScheduleListArguments),
    /// Pause a schedule until you resume it
    Pause(OneScheduleArguments),
    /// Resume a paused schedule; runs that it missed are not started
    Resume(OneScheduleArguments),
    /// Remove a schedule; its runs stay
    Remove(OneScheduleArguments),
}

#[derive(Args, Debug)]
#[command(group(ArgGroup::new("when").required(true)))]
pub(crate) struct ScheduleAddArguments {
    /// When: EventBridge's six fields, such as '0 8 ? * MON-FRI *'
    #[arg(long, value_name = "FIELDS", group = "when")]
    pub(crate) cron: Option<String>,
    /// How often: '90 minutes', '1 hour', '2 days'
    #[arg(long, value_name = "RATE", group = "when")]
    pub(crate) rate: Option<String>,
    /// Once, such as 2026-12-01T08:00
    #[arg(long, value_name = "TIME", group = "when")]
    pub(crate) at: Option<String>,
    /// The time zone of --cron, --at, --start and --end, such as Europe/Berlin; it follows daylight saving time
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = crate::schedules::zone)]
    pub(crate) zone: chrono_tz::Tz,
    /// The schedule's name; by default the stack's name and the notebook's, such as reveille-daily
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(crate) name: Option<String>,
    /// No run starts before this time
    #[arg(long, value_name = "TIME", conflicts_with = "at")]
    pub(crate) start: Option<String>,
    /// No run starts after this time
    #[arg(long, value_name = "TIME", conflicts_with = "at")]
    pub(crate) end: Option<String>,
    /// A run may start up to this many minutes late
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(i32).range(1..=1440))]
    pub(crate) flexible: Option<i32>,
    #[command(flatten)]
    pub(crate) asked: NotebookArguments,
    #[command(flatten)]
    pub(crate) format: FormatArguments,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Args, Debug)]
pub(crate) struct ScheduleListArguments {
    /// Only this one
    #[arg(value_parser = name)]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) format: FormatArguments,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Args, Debug)]
pub(crate) struct OneScheduleArguments {
    /// The schedule's name
    #[arg(value_parser = name)]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

fn name(text: &str) -> Result<String, String> {
    name_of("a schedule", text)
}

/// What EventBridge takes as a name, of a schedule and of a rule.
pub(super) fn name_of(what: &str, text: &str) -> Result<String, String> {
    let fits = (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if fits { Ok(text.to_owned()) } else { Err(format!("{what}'s name has 1 to 64 letters, digits, `-`, `_` and `.`")) }
}
