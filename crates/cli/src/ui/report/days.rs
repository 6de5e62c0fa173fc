//! The table of days: a row for each notebook, a column for each day.

use std::{collections::BTreeMap, fmt::Write};

use chrono::{Datelike, NaiveDate, TimeDelta};

use super::{Row, class, html, took, word};
use crate::{
    overview::{Look, Overview},
    ui::times,
};

/// More runs of one day are a bar for each outcome.
const MOST_BARS: usize = 4;
/// A narrower bar is not seen.
const NARROWEST: u8 = 8;

pub(super) fn section(report: &Overview, rows: &[Row<'_>]) -> String {
    let mut text = String::from("<section>\n<h2 id=days>Days</h2>\n");
    if rows.is_empty() {
        text += "<p>There are no runs in this time, and none was expected.</p>\n</section>\n";
        return text;
    }
    let days = days(report);
    text += LEGEND;
    text += "<div class=\"wide grid\" role=group aria-labelledby=days tabindex=0>\n<table class=days>\n";
    text += &head(&days);
    for row in rows {
        text += &line(report, row, &days);
    }
    text + "</table>\n</div>\n</section>\n"
}

const LEGEND: &str = "<ul class=legend>\
<li><i class=s></i>succeeded<li><i class=f></i>failed<li><i class=a></i>cancelled<li><i class=k></i>skipped<li><i class=r></i>running\
<li><i class=m></i>expected, and did not come</ul>\n\
<p>A bar is as wide as the run was long, beside the notebook's longest. If there are more than four in a day, there is one bar for each outcome, with their number. \
A cell leads to its runs.</p>\n";

fn days(report: &Overview) -> Vec<NaiveDate> {
    let first = report.from.with_timezone(&report.zone).date_naive();
    let last = report.made.with_timezone(&report.zone).date_naive();
    first.iter_days().take_while(|day| *day <= last).collect()
}

/// Months, and days below them.
fn head(days: &[NaiveDate]) -> String {
    let mut months: Vec<(String, usize)> = Vec::new();
    for day in days {
        let month = day.format("%b %Y").to_string();
        match months.last_mut() {
            Some((last, count)) if *last == month => *count += 1,
            _ => months.push((month, 1)),
        }
    }
    let mut text = String::from("<thead>\n<tr><th scope=col rowspan=2>Notebook");
    for (month, count) in months {
        // A month of which few days are shown has no room for its year.
        let shown = if count < 3 { month.get(..3).unwrap_or_default() } else { &month };
        let _ = write!(text, "<th scope=colgroup colspan={count}>{shown}");
    }
    text += "\n<tr>";
    for day in days {
        let weekend = if day.weekday().number_from_monday() > 5 { " class=w" } else { "" };
        let _ = write!(text, "<th scope=col{weekend}><time datetime={day}>{}</time>", day.day());
    }
    text + "\n<tbody>\n"
}

/// What there is of a notebook in a day.
#[derive(Default)]
struct Cell {
    /// The newest run's place among all, and so its anchor.
    newest: Option<usize>,
    runs: Vec<(Look, TimeDelta)>,
    missed: usize,
}

fn line(report: &Overview, row: &Row<'_>, days: &[NaiveDate]) -> String {
    let mut cells: BTreeMap<NaiveDate, Cell> = BTreeMap::new();
    let day = |at: chrono::DateTime<chrono::Utc>| at.with_timezone(&report.zone).date_naive();
    for (index, reported, look) in &row.runs {
        let cell = cells.entry(day(reported.run.execution.started)).or_default();
        cell.newest.get_or_insert(*index);
        cell.runs.push((*look, took(report, &reported.run)));
    }
    for missed in &row.missed {
        cells.entry(day(missed.at)).or_default().missed += 1;
    }
    let longest = cells.values().flat_map(|cell| cell.runs.iter().map(|(_, took)| *took)).max().unwrap_or_default();
    let mut text = format!("<tr><th scope=row><a href=#n{}>{}</a>", row.place, html::text(row.name));
    for day in days {
        text += "<td>";
        if let Some(cell) = cells.get(day) {
            text += &cell.html(row.place, longest);
        }
    }
    text + "\n"
}

impl Cell {
    fn html(&self, place: usize, longest: TimeDelta) -> String {
        let anchor = self.newest.map_or_else(|| format!("n{place}"), |newest| format!("r{newest}"));
        // A bar's number, or nothing, would be the link's name.
        format!("<a href=#{anchor} title=\"{0}\" aria-label=\"{0}\">{1}</a>", self.words(), self.bars(longest))
    }

    /// The same in words: what a pointer and a screen reader say.
    fn words(&self) -> String {
        let mut words: Vec<String> =
            self.by_look().iter().map(|(look, (count, _))| format!("{count} {}", word(*look))).collect();
        if self.missed > 0 {
            words.push(format!("{} did not come", self.missed));
        }
        let longest = self.runs.iter().map(|(_, took)| *took).max();
        words.extend(longest.map(|longest| format!("longest {}", times::duration(longest))));
        words.join(", ")
    }

    /// How many there are of each outcome, and the longest of them.
    fn by_look(&self) -> BTreeMap<Look, (usize, TimeDelta)> {
        let mut found: BTreeMap<Look, (usize, TimeDelta)> = BTreeMap::new();
        for (look, took) in &self.runs {
            let (count, longest) = found.entry(*look).or_default();
            *count += 1;
            *longest = (*longest).max(*took);
        }
        found
    }

    fn bars(&self, longest: TimeDelta) -> String {
        let bar = |class: char, took: TimeDelta, count: usize| {
            let width = html::percent(took.as_seconds_f64(), longest.as_seconds_f64()).max(NARROWEST);
            // Shown by the style sheet: as text of the link, the numbers of two bars would be no part of what it is called.
            let count = if count > 1 { format!(" data-n={count}") } else { String::new() };
            format!("<i class={class} style=width:{width}%{count}></i>")
        };
        let mut bars: Vec<String> = if self.runs.len() > MOST_BARS {
            self.by_look().into_iter().map(|(look, (count, took))| bar(class(look), took, count)).collect()
        } else {
            // As they followed each other.
            self.runs.iter().rev().map(|(look, took)| bar(class(*look), *took, 1)).collect()
        };
        if self.missed > 0 {
            bars.push(bar('m', longest.max(TimeDelta::seconds(1)), self.missed));
        }
        bars.concat()
    }
}
