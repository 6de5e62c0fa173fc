//! docs/security.md names a test for each line that it says is held: each of them exists.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use reveille_contract_tests::read;

/// The rows of the table: their cells.
fn rows(text: &str) -> Vec<Vec<String>> {
    let table = text.split("## Who reaches what").nth(1).expect("there is the section");
    let lines = table.lines().skip_while(|line| !line.starts_with("| who")).skip(2);
    let rows = lines.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// A test of libtest's, or an end-to-end scenario, which is in its file's list under the file's own name.
fn is_a_test(file: &str, name: &str) -> bool {
    let source = read(file);
    if let Some(scenarios) = file.strip_prefix("tests/e2e/tests/e2e/") {
        return source.contains(&format!("(\"{}::{name}\", ", scenarios.trim_end_matches(".rs")));
    }
    let Some((before, _)) = source.split_once(&format!("fn {name}(")) else { return false };
    before.trim_end().rsplit("\n\n").next().unwrap_or_default().contains("test]")
}

#[test]
fn every_line_that_is_said_to_be_held_names_a_test_that_exists() {
    let rows = rows(&read("docs/security.md"));
    assert!(rows.len() >= 10, "{rows:?}");
    for row in rows {
        assert_eq!(row.len(), 5, "{row:?}");
        assert!(!row[2].is_empty() && !row[3].is_empty(), "{row:?}");
        let tests: Vec<&str> = row[4].split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "{row:?}");
        for test in tests {
            let (file, name) = test.split_once("::").unwrap_or_else(|| panic!("{test}: a file and a test"));
            assert!(is_a_test(file, name), "{file} has no test {name}");
        }
    }
}

#[test]
fn who_finds_a_hole_finds_out_where_to_report_it() {
    assert!(read("README.md").contains("docs/security.md"), "README links it");
    assert!(read("docs/README.md").contains("security.md"), "so does the table of the documentation");
    assert!(read("docs/security.md").contains("SECURITY.md"), "and it says where to report");
    assert!(read("SECURITY.md").contains("docs/security.md"));
}
