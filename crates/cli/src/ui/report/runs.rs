//! The lists of runs, one for each notebook: phases in their colours, and the money. Small, because there may be ten thousand: end tags and
//! quotes that HTML does not need are left out.

use std::fmt::Write;

use reveille_domain::records::{Phase, Phases};

use super::{Row, SHORT, class, clock, counted, failures, html, took, word};
use crate::{
    overview::{Look, Overview, Reported},
    prices::amount,
    ui::times,
};

pub(super) fn section(report: &Overview, rows: &[Row<'_>]) -> String {
    let mut text = String::from("<section>\n<h2 id=runs>Runs</h2>\n");
    if rows.iter().any(|row| !row.runs.is_empty()) {
        text += LEGEND;
    }
    let carded = failures::carded(rows);
    for row in rows {
        text += &list(report, row, &carded);
    }
    text + "</section>\n"
}

const LEGEND: &str = "<ul class=legend><li><i class=p1></i>starting the instance<li><i class=p2></i>in the queue\
<li><i class=p3></i>the notebook<li><i class=p4></i>stopping</ul>\n";

fn list(report: &Overview, row: &Row<'_>, carded: &[usize]) -> String {
    let name = html::text(row.name);
    let looks: Vec<Look> = row.runs.iter().map(|(_, _, look)| *look).collect();
    let mut facts = vec![html::count(row.runs.len(), "run", "runs")];
    facts.extend(counted(&looks));
    let known: Vec<f64> = row.runs.iter().filter_map(|(_, reported, _)| reported.usd).collect();
    if !known.is_empty() {
        facts.push(format!("about {} USD{}", amount(known.iter().sum()), part(known.len(), row.runs.len())));
    }
    let mut text = format!("<details id=n{}><summary><b>{name}</b> {}</summary>\n", row.place, facts.join(", "));
    for missed in &row.missed {
        let _ = writeln!(
            text,
            "<p class=missed>The schedule {} was due on {}, and no run came.</p>",
            html::text(&missed.schedule),
            clock(report, missed.at, super::LONG)
        );
    }
    if !row.runs.is_empty() {
        let _ = write!(
            text,
            "<div class=wide role=group aria-label=\"Runs of {name}\" tabindex=0>\n<table class=\"list runs\">\n{HEAD}"
        );
        let mut day = None;
        for run in &row.runs {
            let its_day = run.1.run.execution.started.with_timezone(&report.zone).date_naive();
            // What the table of days leads to: the newest of each day.
            let is_anchor = day.replace(its_day) != Some(its_day);
            text += &line(report, run, is_anchor, carded);
        }
        text += "</table>\n</div>\n";
    }
    text + "</details>\n"
}

/// Whether a sum is that of all runs.
fn part(known: usize, all: usize) -> String {
    if known == all { String::new() } else { format!(" for {known} of {}", html::count(all, "run", "runs")) }
}

const HEAD: &str = "<thead>\n<tr><th scope=col>Started<th scope=col>Ended<th scope=col>Phases<th scope=col class=n>About USD<th scope=col class=n>Start<th scope=col class=n>Queue\
<th scope=col class=n>Notebook<th scope=col class=n>Stop<th scope=col class=n>In all<th scope=col>Run\n<tbody>\n";

fn line(
    report: &Overview,
    (index, reported, look): &(usize, &Reported, Look),
    is_anchor: bool,
    carded: &[usize],
) -> String {
    let Reported { run, usd } = reported;
    let ended = match look {
        Look::Failed if carded.contains(index) => format!("<a href=#f{index}>{}</a>", html::text(&failures::code(run))),
        Look::Failed => html::text(&failures::code(run)),
        look => word(*look).to_owned(),
    };
    let phases = run.outcome.as_ref().map(|outcome| outcome.phases).unwrap_or_default();
    let seconds = |phase: Option<Phase>| phase.map(|phase| times::seconds(phase.seconds)).unwrap_or_default();
    format!(
        "<tr{}{}><td>{}<td>{ended}<td{}><td>{}<td>{}<td>{}<td>{}<td>{}<td>{}<td>{}\n",
        // Most runs succeed.
        if *look == Look::Succeeded { String::new() } else { format!(" class={}", class(*look)) },
        if is_anchor { format!(" id=r{index}") } else { String::new() },
        clock(report, run.execution.started, SHORT),
        bar(&phases),
        usd.map(amount).unwrap_or_default(),
        seconds(phases.starting),
        seconds(phases.queued),
        seconds(phases.running),
        seconds(phases.stopping),
        times::duration(took(report, run)),
        html::text(run.id.as_str())
    )
}

/// The phases to one scale: the style draws a bar of where each ends, in hundredths.
fn bar(phases: &Phases) -> String {
    let lengths = [phases.starting, phases.queued, phases.running, phases.stopping]
        .map(|phase| phase.map_or(0.0, |phase| phase.seconds));
    let whole: f64 = lengths.iter().sum();
    if whole <= 0.0 {
        return String::new();
    }
    let mut end = 0.0;
    let ends = lengths.map(|length| {
        end += length;
        html::percent(end, whole)
    });
    format!(" style=--a:{}%;--b:{}%;--c:{}%", ends[0], ends[1], ends[2])
}
