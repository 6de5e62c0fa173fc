//! `reveille doctor`: each kind of check was seen to find its fault end to end, or docs/testing.md says why it cannot be; and the pages of the
//! codes that it foretells lead to it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use std::collections::BTreeSet;

use reveille_contract_tests::{read, rust_below};
use reveille_domain::Code;

const SOURCES: &str = "crates/cli/src/commands/doctor";
const SCENARIOS: &str = "tests/e2e/tests/e2e";

/// The names of all checks.
fn checks(finding: &str) -> BTreeSet<&str> {
    let arms = finding.lines().filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => \""));
    arms.filter_map(|(_, name)| name.strip_suffix("\",")).collect()
}

/// Which checks scenarios assert a fault of: `found(.., "lease", "fail", ..)`, in one line or several.
fn shown(scenarios: &str) -> BTreeSet<&str> {
    let verdicts = ["\"fail\"", "\"warn\"", "\"notChecked\""];
    let places = verdicts.iter().flat_map(|verdict| scenarios.match_indices(verdict));
    let before = places.filter_map(|(place, _)| scenarios[..place].trim_end().strip_suffix("\","));
    before.filter_map(|before| Some(before.rsplit_once('"')?.1)).collect()
}

/// The checks that rows of a table begin with.
fn rows(table: &str) -> BTreeSet<&str> {
    table.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split_once("` |")?.0)).collect()
}

/// The codes behind certain words.
fn codes(text: &str) -> BTreeSet<Code> {
    let words = ["fails with ", "end in ", "ends in ", "docs/errors/"];
    let places =
        words.iter().flat_map(|word| text.match_indices(word).map(|(place, word)| &text[place + word.len()..]));
    places.filter_map(|rest| Code::parse(rest.split(|sign: char| !sign.is_alphanumeric()).next()?)).collect()
}

fn sources(folder: &str) -> String {
    rust_below(folder).iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
}

#[test]
fn each_check_of_doctor_finds_its_fault_end_to_end_or_is_named_as_one_that_cannot() {
    let finding = read(&format!("{SOURCES}/finding.rs"));
    let checks = checks(&finding);
    assert!(checks.len() > 40, "{checks:?}");
    let doctor = rust_below(SCENARIOS).into_iter().filter(|file| file.to_string_lossy().contains("command_doctor"));
    let scenarios: String = doctor.map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let shown: BTreeSet<&str> = shown(&scenarios).intersection(&checks).copied().collect();
    let page = read("docs/testing.md");
    let (_, gaps) = page.split_once("<!-- the faults of doctor that cannot be made -->").unwrap();
    let named = rows(gaps.split("\n## ").next().unwrap());
    assert!(named.is_subset(&checks), "docs/testing.md names {:?}", named.difference(&checks));
    assert_eq!(named.intersection(&shown).count(), 0, "docs/testing.md says of {named:?} that it cannot be made");
    let forgotten: Vec<&&str> = checks.iter().filter(|name| !shown.contains(*name) && !named.contains(*name)).collect();
    assert!(
        forgotten.is_empty(),
        "{forgotten:?}: plant the fault in {SCENARIOS}/command_doctor*.rs, or name it in docs/testing.md"
    );
    let count = format!("{} of the {} kinds of checks", shown.len(), checks.len());
    assert!(page.contains(&count), "docs/testing.md should say: {count}");
}

#[test]
fn a_fault_that_is_asserted_is_recognised() {
    let scenarios = "found(&findings, None, \"lease\", \"fail\", \"x\"); ill(\n \"runner\",\n \"warn\", \"y\"); found(&f, None, \"bucket\", \"ok\", \"\");";
    assert_eq!(shown(scenarios), BTreeSet::from(["lease", "runner"]));
}

/// Whoever reads a code's page learns that a command finds its cause.
#[test]
fn the_page_of_each_code_that_doctor_foretells_leads_to_it() {
    let sources = sources(SOURCES);
    let codes = codes(&sources);
    assert!(codes.len() > 6, "{codes:?}");
    for code in codes {
        let page = read(&format!("docs/errors/{code}.md"));
        let (_, cure) = page.split_once("## What to do").unwrap();
        assert!(cure.contains("`reveille doctor"), "docs/errors/{code}.md does not lead to `reveille doctor`");
    }
}
