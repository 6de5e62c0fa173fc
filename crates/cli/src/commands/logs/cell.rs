//! What one cell printed, as the notebook tells it.

use reveille_domain::shown;
use serde_json::Value;

/// Papermill's tag of the cell that it puts before a failed one; it has no place in the source.
const MARKER: &str = "papermill-error-cell-tag";
/// Papermill's tag of the cell with the run's parameters: cell 0.
const INJECTED: &str = "injected-parameters";

/// What is known of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// What it printed.
    Text(String),
    /// Nothing, so far.
    Silent,
    /// It is a text cell, which prints nothing.
    Words,
    /// There are only so many.
    Missing { cells: u32 },
}

/// The cell of a number, by its place in the source notebook.
pub(super) fn of(notebook: &Value, number: u32) -> Cell {
    let cells = notebook["cells"].as_array().into_iter().flatten();
    let cells: Vec<&Value> = cells.filter(|cell| !has_tag(cell, MARKER)).collect();
    let places = told(notebook, cells.len()).unwrap_or_else(|| counted(&cells));
    let at = places.iter().position(|place| *place == number);
    match at.and_then(|at| cells.get(at)) {
        Some(cell) => printed(cell),
        None => Cell::Missing { cells: places.into_iter().max().unwrap_or(0) },
    }
}

/// The places as the runner tells them, where the order of the cells does not: the source was the output of another run.
fn told(notebook: &Value, cells: usize) -> Option<Vec<u32>> {
    let places = notebook["metadata"]["reveille"]["source_cells"].as_array()?;
    let places: Option<Vec<u32>> = places.iter().map(|place| u32::try_from(place.as_u64()?).ok()).collect();
    places.filter(|places| places.len() == cells)
}

/// The places by the order of the cells. The injected cell has none in the source.
fn counted(cells: &[&Value]) -> Vec<u32> {
    let mut place = 0;
    let mut next = |cell: &Value| {
        if has_tag(cell, INJECTED) {
            return 0;
        }
        place += 1;
        place
    };
    cells.iter().map(|cell| next(cell)).collect()
}

fn has_tag(cell: &Value, tag: &str) -> bool {
    cell["metadata"]["tags"].as_array().is_some_and(|tags| tags.iter().any(|it| it == tag))
}

fn printed(cell: &Value) -> Cell {
    if cell["cell_type"] != "code" {
        return Cell::Words;
    }
    let mut text = String::new();
    for output in cell["outputs"].as_array().into_iter().flatten() {
        let part = match output["output_type"].as_str() {
            Some("stream") => joined(&output["text"], ""),
            // Colours of a traceback are no text.
            Some("error") => shown::plain(&traceback(output)),
            _ => joined(&output["data"]["text/plain"], ""),
        };
        text.push_str(&part);
        if !part.is_empty() && !part.ends_with('\n') {
            text.push('\n');
        }
    }
    if text.is_empty() { Cell::Silent } else { Cell::Text(text) }
}

fn traceback(output: &Value) -> String {
    let lines = joined(&output["traceback"], "\n");
    if lines.is_empty() {
        format!("{}: {}", joined(&output["ename"], ""), joined(&output["evalue"], ""))
    } else {
        lines
    }
}

/// A text, which the format may keep as a list.
fn joined(value: &Value, between: &str) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(between),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Cell, of};

    fn notebook() -> Value {
        let code = |tags: &[&str], outputs: Value| json!({"cell_type": "code", "metadata": {"tags": tags}, "outputs": outputs});
        json!({"cells": [
            {"cell_type": "markdown", "metadata": {"tags": ["papermill-error-cell-tag"]}, "source": "An Exception"},
            {"cell_type": "markdown", "metadata": {}, "source": "# Daily"},
            code(&["injected-parameters"], json!([{"output_type": "stream", "name": "stdout", "text": "of the parameters"}])),
            code(&[], json!([
                {"output_type": "stream", "name": "stdout", "text": ["one\n", "two"]},
                {"output_type": "execute_result", "data": {"text/plain": "42", "text/html": "<b>42</b>"}, "metadata": {}},
            ])),
            code(&[], json!([])),
            {"cell_type": "markdown", "metadata": {"tags": ["papermill-error-cell-tag"]}, "source": "here"},
            code(&[], json!([{"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\u{1b}[31mline 1\u{1b}[0m", "E: v"]}])),
        ]})
    }

    /// docs/output.md: "the cell's place in the source notebook, counted from 1, including text cells; 0 is the injected parameters
    /// cell"
    #[test]
    fn a_cell_is_found_by_its_place_in_the_source() {
        let text = |text: &str| Cell::Text(text.to_owned());
        for (number, found) in [
            (0, text("of the parameters\n")),
            (1, Cell::Words),
            (2, text("one\ntwo\n42\n")),
            (3, Cell::Silent),
            (4, text("line 1\nE: v\n")),
            (5, Cell::Missing { cells: 4 }),
        ] {
            assert_eq!(of(&notebook(), number), found, "{number}");
        }
    }

    /// The output of a run that was run again: its source had a marker as cell 1, and what an earlier run injected as cell 2.
    #[test]
    fn a_notebook_that_was_an_output_tells_its_places() {
        let mut again = notebook();
        again["metadata"] = json!({"reveille": {"source_cells": [2, 3, 4, 5, 7]}});
        for (number, text) in [(3, "of the parameters\n"), (4, "one\ntwo\n42\n"), (7, "line 1\nE: v\n")] {
            assert_eq!(of(&again, number), Cell::Text(text.to_owned()), "{number}");
        }
        assert_eq!(of(&again, 0), Cell::Missing { cells: 7 }, "no parameters were passed");
        // Places that cannot be those of these cells.
        for odd in [json!([2, 3]), json!([1, 2, 3, 4, -1]), json!("all")] {
            again["metadata"] = json!({"reveille": {"source_cells": odd}});
            assert_eq!(of(&again, 1), Cell::Words);
        }
    }

    #[test]
    fn what_is_no_notebook_has_no_cells() {
        for odd in [json!(null), json!([]), json!({"cells": {}}), json!({"cells": [1, {"outputs": 3}]})] {
            assert!(!matches!(of(&odd, 1), Cell::Text(_)), "{odd}");
        }
    }
}
