//! The page of a report: one file of HTML that asks nothing of the network and runs nothing. Never asks AWS; a report in, a text out.

mod days;
mod failures;
mod html;
mod instances;
mod runs;

use std::{collections::BTreeMap, fmt::Write};

use chrono::{DateTime, TimeDelta, Utc};
use reveille_domain::shown;

use crate::{
    clients::Run,
    overview::{Look, Missed, Overview, Reported},
    prices::amount,
};

const STYLE: &str = include_str!("report/style.css");
/// Only the style above is taken, and it may fetch nothing. Widths of bars are styles, too: numbers of ours.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// A notebook's row: its runs, the newest first, and those that did not come.
struct Row<'a> {
    name: &'a str,
    /// Its place, from 0, and so its anchor.
    place: usize,
    runs: Vec<(usize, &'a Reported, Look)>,
    missed: Vec<&'a Missed>,
}

/// What a run is called that names no notebook.
const NO_NOTEBOOK: &str = "(no notebook)";

/// The whole page.
pub(crate) fn page(report: &Overview) -> String {
    let rows = rows(report);
    let title = format!("Runs of {} in {}", html::text(&report.stack), html::text(&report.region));
    let parts = [
        format!(
            "<!DOCTYPE html>\n<html lang=en>\n<meta charset=utf-8>\n<meta http-equiv=Content-Security-Policy content=\"{POLICY}\">\n\
             <meta name=viewport content=\"width=device-width,initial-scale=1\">\n<meta name=color-scheme content=\"light dark\">\n\
             <meta name=referrer content=no-referrer>\n<title>{title}</title>\n<style>\n{STYLE}</style>\n<body>\n"
        ),
        format!("<header>\n<h1>{title}</h1>\n{}</header>\n<main>\n", summary(report)),
        days::section(report, &rows),
        instances::section(report),
        failures::section(report, &rows),
        runs::section(report, &rows),
        "</main>\n".to_owned(),
    ];
    parts.concat()
}

fn rows(report: &Overview) -> Vec<Row<'_>> {
    let mut rows: BTreeMap<&str, Row<'_>> = BTreeMap::new();
    let row = |name| Row { name, place: 0, runs: Vec::new(), missed: Vec::new() };
    for (index, reported) in report.runs.iter().enumerate() {
        let Some(look) = Look::of(reported.run.ending) else { continue };
        let name = reported.run.notebook.as_deref().unwrap_or(NO_NOTEBOOK);
        rows.entry(name).or_insert_with(|| row(name)).runs.push((index, reported, look));
    }
    for missed in &report.missed {
        let name = missed.notebook.as_str();
        rows.entry(name).or_insert_with(|| row(name)).missed.push(missed);
    }
    rows.into_values().enumerate().map(|(place, row)| Row { place, ..row }).collect()
}

/// What there is in all.
fn summary(report: &Overview) -> String {
    let looks: Vec<Look> = report.runs.iter().filter_map(|reported| Look::of(reported.run.ending)).collect();
    let nothing = report.runs.len() - looks.len();
    let mut facts = vec![format!("<b>{}</b>", html::count(looks.len(), "run", "runs"))];
    facts.extend(counted(&looks));
    if !report.missed.is_empty() {
        facts.push(html::count(report.missed.len(), "expected run did not come", "expected runs did not come"));
    }
    if nothing > 0 {
        facts.push(format!("{} more had nothing to run", html::count(nothing, "execution", "executions")));
    }
    let mut text = format!("<p>{}.</p>\n", facts.join(", "));
    let _ = writeln!(
        text,
        "<p>From {} to {}. Days and times are those of {}.</p>",
        clock(report, report.from, LONG),
        clock(report, report.made, LONG),
        html::text(report.zone.name())
    );
    text += &money(report);
    for note in &report.notes {
        let _ = writeln!(text, "<p class=note>{}</p>", html::text(note));
    }
    text
}

/// How many there are of each, the worst first.
fn counted(looks: &[Look]) -> Vec<String> {
    let mut counts: BTreeMap<Look, usize> = BTreeMap::new();
    for look in looks {
        *counts.entry(*look).or_default() += 1;
    }
    counts.into_iter().map(|(look, count)| format!("{count} {}", word(look))).collect()
}

fn money(report: &Overview) -> String {
    let known: Vec<f64> = report.runs.iter().filter_map(|reported| reported.usd).collect();
    let days: Vec<String> = report.prices_of.iter().map(ToString::to_string).collect();
    if days.is_empty() {
        return String::new();
    }
    let runs = match (known.len(), report.runs.iter().filter(|it| Look::of(it.run.ending).is_some()).count()) {
        (0, _) => String::new(),
        (some, all) => {
            let of = if some < all { format!("{some} of {all} runs") } else { html::count(some, "run", "runs") };
            format!("The instances of {of} cost about {} USD. ", amount(known.iter().sum()))
        }
    };
    // Instances have prices and amounts also where no run has.
    format!("<p>{runs}All amounts are estimates, at prices of {}.</p>\n", days.join(" and "))
}

/// Its class in the style.
const fn class(look: Look) -> char {
    match look {
        Look::Failed => 'f',
        Look::Running => 'r',
        Look::Cancelled => 'a',
        Look::Skipped => 'k',
        Look::Succeeded => 's',
    }
}

const fn word(look: Look) -> &'static str {
    match look {
        Look::Failed => "failed",
        Look::Running => "running",
        Look::Cancelled => "cancelled",
        Look::Skipped => "skipped",
        Look::Succeeded => "succeeded",
    }
}

const LONG: &str = "%a %-d %b %Y, %H:%M";
const SHORT: &str = "%-d %b %H:%M";

/// A time on the page's clock.
fn clock(report: &Overview, at: DateTime<Utc>, form: &str) -> String {
    at.with_timezone(&report.zone).format(form).to_string()
}

/// How long it took, or has taken so far; of one that was redriven, since then.
fn took(report: &Overview, run: &Run) -> TimeDelta {
    (run.execution.stopped.unwrap_or(report.made) - run.execution.began()).max(TimeDelta::zero())
}

/// The name of a file that holds the page, where a sentence mentions it.
pub(crate) fn mentioned(path: &std::path::Path) -> String {
    shown::line(&path.display().to_string())
}

#[cfg(test)]
mod tests;
