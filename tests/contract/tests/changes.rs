//! What may be changed of a stack that is there, and what the pages say of what may not: CloudFormation refuses some changes in the
//! middle of a deployment, and others make a resource anew.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use reveille_contract_tests::{read, template};

/// The part of a page from some words on, up to the end of its paragraph.
fn paragraph(page: &str, begins: &str) -> String {
    let text = read(page);
    let found = text.split(begins).nth(1).unwrap_or_else(|| panic!("{page} has no {begins}"));
    found.split("\n\n").next().unwrap().to_owned()
}

/// Scheduler takes no start that has passed, and a stack that is deployed again sends it again.
#[test]
fn a_start_that_has_passed_is_taken_away_wherever_a_schedule_is_deployed_again() {
    let description = template("infra/trigger-schedule.yaml")["Parameters"]["StartDate"]["Description"].clone();
    assert!(description.as_str().unwrap().contains("Once it has passed, leave it empty"), "{description}");
    for (page, begins) in [
        ("docs/triggers.md", "\n### Pause a trigger\n\n"),
        ("docs/triggers.md", "\n| `StartDate`, `EndDate` "),
        ("docs/upgrade.md", "\n2. **The stacks of [triggers]"),
    ] {
        assert!(paragraph(page, begins).contains("StartDate=`"), "{page}: {begins}");
    }
}
