//! `reveille report`.

use std::path::PathBuf;

use chrono::TimeDelta;
use chrono_tz::Tz;
use clap::Args;

use super::PriceArguments;
use crate::stack::StackArguments;

#[derive(Args, Debug)]
pub(crate) struct ReportArguments {
    /// How far back: 12h, 30d, at most 366d
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = span)]
    pub(crate) since: TimeDelta,
    /// Where the page goes; - for standard output
    #[arg(long, value_name = "FILE", default_value = "reveille-report.html")]
    pub(crate) out: PathBuf,
    /// The time zone of the page's days and times, such as Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = crate::schedules::zone)]
    pub(crate) zone: Tz,
    #[command(flatten)]
    pub(crate) prices: PriceArguments,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

/// More columns than anybody reads.
const MOST_DAYS: i64 = 366;

fn span(text: &str) -> Result<TimeDelta, String> {
    let span = crate::ui::times::span(text)?;
    if span > TimeDelta::days(MOST_DAYS) {
        return Err(format!("{text} is more than {MOST_DAYS} days, the most that a page shows"));
    }
    if span <= TimeDelta::zero() { Err("write a length of time such as 30d".to_owned()) } else { Ok(span) }
}
