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
    let mut place = 0;
    for cell in notebook["cells"].as_array().into_iter().flatten() {
        if has_tag(cell, MARKER) {
            continue;
        }
        let mine = if has_tag(cell, INJECTED) {
            0
        } else {
            place += 1;
            place
        };
        if mine == number {
            return printed(cell);
        }
    }
    Cell::Missing { cells: place }
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

    #[test]
    fn what_is_no_notebook_has_no_cells() {
        for odd in [json!(null), json!([]), json!({"cells": {}}), json!({"cells": [1, {"outputs": 3}]})] {
            assert!(!matches!(of(&odd, 1), Cell::Text(_)), "{odd}");
        }
    }
}
