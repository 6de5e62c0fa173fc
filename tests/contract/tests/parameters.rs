//! docs/parameters.md, and what the templates say: each parameter with its default, each output.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use std::collections::BTreeMap;

use reveille_contract_tests::intrinsics::default_of;
use reveille_contract_tests::{read, template};
use serde_json::Value;

/// The rows of the tables below a heading of the page, up to the next one of that level: the names of a row's first cell, and its other cells.
fn rows(heading: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let page = read("docs/parameters.md");
    let section = page.split(&format!("\n{heading}\n")).nth(1).expect("the heading").split("\n## ").next().unwrap();
    let named = section.lines().filter(|line| line.starts_with("| `"));
    let cells = |line: &str| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    named.map(cells).map(|mut cells| (names(&cells.remove(0)), cells)).collect()
}

/// `` `A`, `B` `` as A and B.
fn names(cell: &str) -> Vec<String> {
    cell.split(", ").map(|name| name.trim_matches('`').to_owned()).collect()
}

/// The default that a cell shows: its code, or the number or the word that it begins with.
fn shown(cell: &str) -> String {
    if let Some(code) = cell.strip_prefix('`') {
        return code.split('`').next().unwrap().to_owned();
    }
    let word = cell.split([':', ';']).next().unwrap();
    if word == "empty" { String::new() } else { word.replace(',', "") }
}

/// What the page is to show of a parameter.
fn shown_default(parameter: &Value) -> String {
    default_of(parameter).unwrap_or_else(|| "required".to_owned())
}

/// What the page says of one template: parameters with their defaults.
fn documented(heading: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (names, cells) in rows(heading).into_iter().filter(|(_, cells)| cells.len() == 2) {
        // One default for all, or as many as there are names. `FAILED,ABORTED` is one: a list has spaces.
        let each: Vec<&str> = if names.len() == 1 { vec![&cells[0]] } else { cells[0].split(", ").collect() };
        assert!(each.len() == 1 || each.len() == names.len(), "{names:?}: {each:?}");
        for (number, name) in names.iter().enumerate() {
            let cell = each.get(number).or(each.first()).unwrap();
            assert!(found.insert(name.clone(), shown(cell)).is_none(), "{name} has two rows");
        }
    }
    found
}

#[test]
fn each_parameter_has_a_row_with_its_default() {
    for (heading, path) in [
        ("## The stack: `infra/template.yaml`", "infra/template.yaml"),
        ("## An instance: `infra/instance.yaml`", "infra/instance.yaml"),
    ] {
        let template = template(path);
        let parameters = template["Parameters"].as_object().unwrap();
        let expected: BTreeMap<String, String> =
            parameters.iter().map(|(name, parameter)| (name.clone(), shown_default(parameter))).collect();
        assert!(expected.len() > 8, "{path}");
        assert_eq!(documented(heading), expected, "docs/parameters.md and {path}");
    }
}

#[test]
fn each_output_is_named() {
    let page = read("docs/parameters.md");
    for path in ["infra/template.yaml", "infra/instance.yaml"] {
        for output in template(path)["Outputs"].as_object().unwrap().keys() {
            assert!(page.contains(&format!("`{output}`")), "docs/parameters.md lacks the output {output} of {path}");
        }
    }
}
