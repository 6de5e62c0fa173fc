//! A time that somebody else wrote is compared with a clock in one place only.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use reveille_contract_tests::rust_below;

/// Whether a line takes a time from the clock's: `now - lease.at`, and not `now - REDRIVABLE`, which makes a time.
fn subtracts_from_now(line: &str) -> bool {
    ["now - ", "now() - ", ".signed_duration_since("].iter().any(|form| {
        line.match_indices(form).any(|(at, _)| {
            let rest = &line[at + form.len()..];
            !rest.starts_with(|next: char| next.is_ascii_uppercase() || next.is_ascii_digit())
        })
    })
}

#[test]
fn only_one_function_knows_how_old_a_time_is() {
    let files: Vec<_> =
        ["crates/domain/src", "crates/protocol/src", "functions/src"].into_iter().flat_map(rust_below).collect();
    assert!(files.len() > 30, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        if file.ends_with("domain/src/age.rs") {
            assert!(code.lines().any(subtracts_from_now), "this test can fail");
            continue;
        }
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            assert!(!subtracts_from_now(line), "{}: use reveille_domain::age::age: {line}", file.display());
        }
    }
}
