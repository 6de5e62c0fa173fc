//! What the command writes for programs: each verb has a schema, and an answer that does not fit it is noticed.
#![allow(clippy::unwrap_used, missing_docs, reason = "this is a test")]

use reveille_contract_tests::schemas::command;
use reveille_contract_tests::{files, read};
use serde_json::{Value, json};

/// The verbs that `--output json` is for, as the generated pages and docs/cli.md name them.
#[test]
fn each_verb_that_writes_json_has_a_schema() {
    let mut verbs = Vec::new();
    for page in files("docs/cli").iter().filter(|page| page.as_str() != "README.md") {
        let mut verb = String::new();
        for line in read(&format!("docs/cli/{page}")).lines() {
            if let Some(usage) = line.strip_prefix("Usage: reveille ") {
                let words =
                    usage.split(' ').take_while(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
                verb = words.filter(|word| !word.starts_with("--")).collect::<Vec<_>>().join(" ");
            }
            if line.trim_start().starts_with("--output ") && line.contains("How the answer is written") {
                verbs.push(verb.clone());
            }
        }
    }
    verbs.sort();
    let mut with_schema: Vec<&str> = command::with_schema();
    with_schema.sort_unstable();
    assert_eq!(verbs, with_schema);
    let page = read("docs/cli.md");
    let sentence = page.lines().find(|line| line.starts_with("With `--output json`, ")).unwrap();
    let (list, _) = sentence.split_once(" write JSON for programs").unwrap();
    let mut told: Vec<&str> = list.split('`').skip(3).step_by(2).collect();
    told.sort_unstable();
    assert_eq!(told, with_schema);
    for verb in with_schema {
        let words: Vec<&str> = verb.split(' ').collect();
        assert_eq!(command::verb(&words).as_deref(), Some(verb));
    }
}

/// A validator that finds nothing would pass whatever the command writes.
#[test]
fn an_answer_that_does_not_fit_its_schema_is_noticed() {
    let fits = json!({"from": "a", "run": "a", "by": "redrive", "because": null, "executionArn": "arn"});
    let faults = |change: (&str, Value)| {
        let mut answer = fits.clone();
        answer[change.0] = change.1;
        command::faults(&[("rerun".to_owned(), answer)])
    };
    assert_eq!(faults(("run", json!("b"))), Vec::<String>::new());
    for (change, said) in [
        (("by", json!("hand")), "rerun: $.by"),
        (("because", json!(7)), "rerun: $.because"),
        (("more", json!(1)), "'more' was unexpected"),
    ] {
        let faults = faults(change);
        assert!(faults.len() == 1 && faults[0].contains(said), "{faults:?}");
    }
    let nothing = command::faults(&[("runs".to_owned(), json!([{}]))]);
    assert!(nothing.iter().any(|fault| fault.contains("'run' is a required property")), "{nothing:?}");
}
