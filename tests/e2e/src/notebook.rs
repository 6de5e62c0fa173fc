//! Small real notebooks, written by the tests.

use serde_json::{Value, json};

/// A notebook in the making.
#[derive(Clone, Debug)]
pub struct Notebook {
    cells: Vec<Value>,
    kernel: String,
}

/// A code cell.
#[must_use]
pub fn code(source: &str) -> Value {
    json!({"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": null})
}

/// A Markdown cell.
#[must_use]
pub fn markdown(source: &str) -> Value {
    json!({"cell_type": "markdown", "metadata": {}, "source": source})
}

impl Notebook {
    /// A cell that waits until the scenario calls [`crate::LocalAws::open_gate`]: for what has to happen while it runs, however
    /// slow the machine is.
    pub const GATE: &str = "import os, time\nwhile not os.path.exists('go'): time.sleep(0.1)";

    /// A notebook of code cells.
    #[must_use]
    pub fn of(sources: &[&str]) -> Self {
        Self { cells: sources.iter().map(|source| code(source)).collect(), kernel: "python3".to_owned() }
    }

    /// The same with a cell tagged `parameters` in front.
    #[must_use]
    pub fn with_parameters(mut self, source: &str) -> Self {
        let mut cell = code(source);
        cell["metadata"] = json!({"tags": ["parameters"]});
        self.cells.insert(0, cell);
        self
    }

    /// The same for another kernel.
    #[must_use]
    pub fn for_kernel(mut self, kernel: &str) -> Self {
        kernel.clone_into(&mut self.kernel);
        self
    }

    /// As a file.
    #[must_use]
    pub fn to_json(&self) -> String {
        json!({
            "cells": self.cells,
            "metadata": {"kernelspec": {"name": self.kernel, "display_name": self.kernel, "language": "python"}},
            "nbformat": 4,
            "nbformat_minor": 4,
        })
        .to_string()
    }
}
