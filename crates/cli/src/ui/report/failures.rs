//! What failed, the newest first: each with its card.

use std::fmt::Write;

use reveille_domain::Failure;

use super::{LONG, Row, clock, html};
use crate::{
    clients::Run,
    overview::{Look, Overview, Reported},
};

/// More cards than anybody reads. The page stays small; the other failures are in the table of runs.
const MOST: usize = 100;
/// Cards that are open at once.
const OPEN: usize = 3;

/// The failures that have a card, by their places among all runs.
pub(super) fn carded(rows: &[Row<'_>]) -> Vec<usize> {
    newest(rows).into_iter().map(|(index, _)| index).collect()
}

fn newest<'a>(rows: &'a [Row<'_>]) -> Vec<(usize, &'a Reported)> {
    let runs = rows.iter().flat_map(|row| &row.runs);
    let mut failed: Vec<(usize, &Reported)> =
        runs.filter(|(_, _, look)| *look == Look::Failed).map(|(index, reported, _)| (*index, *reported)).collect();
    failed.sort_by_key(|(index, _)| *index);
    failed.truncate(MOST);
    failed
}

pub(super) fn section(report: &Overview, rows: &[Row<'_>]) -> String {
    let all = rows.iter().flat_map(|row| &row.runs).filter(|(_, _, look)| *look == Look::Failed).count();
    let mut text = String::from("<section>\n<h2 id=failures>Failures</h2>\n");
    if all == 0 {
        text += "<p>No run failed.</p>\n";
    }
    if all > MOST {
        let _ = writeln!(text, "<p>The newest {MOST} of {all}. The others are in the list of runs.</p>");
    }
    for (place, (index, reported)) in newest(rows).into_iter().enumerate() {
        let open = if place < OPEN { " open" } else { "" };
        text += &card(report, &reported.run, index, open);
    }
    text + "</section>\n"
}

fn card(report: &Overview, run: &Run, index: usize, open: &str) -> String {
    let failure = run.outcome.as_ref().and_then(|outcome| outcome.failure.as_ref());
    let code = code(run);
    let notebook = run.notebook.as_deref().unwrap_or(super::NO_NOTEBOOK);
    let instance = run.instance.as_deref().map(|name| format!(" on {}", html::text(name))).unwrap_or_default();
    let mut text = format!(
        "<details class=card id=f{index}{open}><summary><b>{}</b> {}{instance}, {}</summary>\n",
        html::text(&code),
        html::text(notebook),
        clock(report, run.execution.started, LONG)
    );
    if let Some(failure) = failure {
        text += &evidence(failure, run.id.as_str());
    } else {
        // What Step Functions says: of a step's error JSON with the message in it, of a person's a text.
        let _ = writeln!(text, "<p>{}</p>", html::text(run.cause.as_deref().unwrap_or_default()));
    }
    let id = html::text(run.id.as_str());
    let _ = writeln!(text, "<p>Next: <code>reveille show {id}</code></p>\n</details>");
    text
}

fn evidence(failure: &Failure, id: &str) -> String {
    let mut text = format!("<p>{}</p>\n", html::text(&failure.message));
    let Some(cell) = failure.evidence.as_ref().and_then(|evidence| evidence.cell.as_ref()) else { return text };
    let _ = writeln!(
        text,
        "<p><b>Cell {}</b> {}: {}</p>",
        cell.number,
        html::text(&cell.error_name),
        html::text(&cell.error_value)
    );
    if !cell.traceback_tail.is_empty() {
        // It may be wider than the page, and then a keyboard must reach it.
        let _ = writeln!(
            text,
            "<pre tabindex=0 role=group aria-label=\"Traceback of cell {} of {}\">{}</pre>",
            cell.number,
            html::text(id),
            html::lines(cell.traceback_tail.join("\n").trim_end())
        );
    }
    text
}

/// The failure's code, or the word that Step Functions has for it.
pub(super) fn code(run: &Run) -> String {
    let code = run.code().map(|code| code.to_string());
    code.or_else(|| run.error.clone()).unwrap_or_else(|| run.ending.word().to_owned())
}
