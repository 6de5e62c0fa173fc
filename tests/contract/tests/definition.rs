//! The definition against the domain: what is retried, what is caught, how long, how often.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use std::collections::BTreeMap;

use chrono::TimeDelta;

use reveille_asl::lint::{Classification, HistoryBounds, LintOptions, MustPass, lint, worst_case_history};
use reveille_contract_tests::{definition, read, template};
use reveille_domain::Code;
use reveille_domain::error::RetryClass;
use reveille_domain::limits::{
    BOOT_GRACE, HEARTBEAT_SECONDS, LIVE_OUTPUT_SECONDS, MAX_RERUNS, MAX_SILENCES, MAX_WAITING_RUNS, OVERDUE,
    QUEUE_SECONDS, RUN_SECONDS, START_SECONDS, STOP_SECONDS, patience,
};

/// Retries that a class allows in the definition.
fn allowed(state: &str, code: &str) -> std::ops::RangeInclusive<u64> {
    let code = Code::parse(code).expect("a code of the domain");
    // ConcludeRun ends with the run's own code, which must never be retried there; its own trouble has its own code.
    if (state == "ConcludeRun") != (code == Code::OutcomeNotRecorded) {
        return 0..=0;
    }
    match code.class() {
        RetryClass::Never => 0..=0,
        RetryClass::ALittle => 2..=5,
        RetryClass::Patiently => 6..=10,
    }
}

#[test]
fn what_is_retried_agrees_with_the_classes_of_the_codes() {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let findings = lint(
        &definition(),
        &LintOptions {
            uncaught: &["ConcludeRun"],
            must_pass: &[MustPass { from: "StartInstance", through: "VerifyStopped" }],
            max_attempts: 10,
            classification: Some(Classification { codes: &codes, allowed: &allowed }),
            ..LintOptions::default()
        },
    );
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}

/// With the largest limits and the default polls. 500 retries altogether are far more than a run sees that still ends:
/// each retrier gives up after ten in a row.
#[test]
fn the_longest_run_stays_below_the_limit_of_its_history() {
    let template = template("infra/template.yaml");
    let default = |name: &str| template["Parameters"][name]["Default"].as_u64().unwrap();
    let start_polls = polls(START_SECONDS.max, default("StartPollSeconds"));
    let stop_polls = polls(STOP_SECONDS.max, default("StopPollSeconds"));
    let attempts = u64::from(MAX_RERUNS) + 1;
    let waits = attempts * (u64::from(MAX_SILENCES) + 1);
    let entries: BTreeMap<&str, u64> = [
        ("WaitForInstance", start_polls * waits),
        // Each start is followed by a wait; capacity that is missing for the whole of one wait is the most.
        ("StartInstance", start_polls + waits),
        ("AwaitRun", waits),
        ("WaitForStop", stop_polls * attempts),
        ("VerifyStopped", stop_polls * attempts),
        ("ConcludeRun", attempts),
    ]
    .into();
    let bounds = HistoryBounds { entries, redrives: 0, retries: Some(500) };
    let events = worst_case_history(&definition(), &bounds).unwrap_or_else(|findings| panic!("{findings:?}"));
    assert!(events < 25_000, "{events} events");
}

/// A boot waits for its run at least as long as the run's execution may take to look again: else it is closed before.
#[test]
fn the_rarest_look_is_within_the_grace_of_a_boot() {
    let template = template("infra/template.yaml");
    let rarest = patience(TimeDelta::seconds(START_SECONDS.max.into()));
    let longest = template["Parameters"]["StartPollSeconds"]["MaxValue"].as_u64().unwrap() * u64::from(rarest);
    assert!(TimeDelta::seconds(i64::try_from(longest).unwrap()) < BOOT_GRACE, "{longest} s");
}

/// Looks within a limit, as `patience` spaces them.
fn polls(limit: u32, interval: u64) -> u64 {
    let (mut waited, mut looks) = (0, 0);
    while waited < u64::from(limit) {
        waited += interval * u64::from(patience(TimeDelta::seconds(i64::try_from(waited).unwrap())));
        looks += 1;
    }
    looks
}

#[test]
fn the_ceilings_are_above_the_limits_that_a_run_may_ask_for() {
    let definition = definition();
    let wait = &definition["States"]["AwaitRun"];
    let ceiling = wait["TimeoutSeconds"].as_u64().unwrap();
    // Whatever reaches it was claimed so long ago that CheckInstance calls its runner lost.
    assert!(ceiling >= u64::from(QUEUE_SECONDS.max + RUN_SECONDS.max) + OVERDUE.num_seconds().unsigned_abs());
    assert!(ceiling > u64::from(HEARTBEAT_SECONDS.max));
    let heartbeat = &template("infra/template.yaml")["Parameters"]["HeartbeatSeconds"];
    assert_eq!(heartbeat["MinValue"], HEARTBEAT_SECONDS.min);
    assert_eq!(heartbeat["MaxValue"], HEARTBEAT_SECONDS.max);
    assert_eq!(heartbeat["Default"], HEARTBEAT_SECONDS.default);
}

#[test]
fn the_most_of_waiting_runs_is_the_domains_and_await_run_is_told() {
    let template = template("infra/template.yaml");
    let most = &template["Parameters"]["MaxWaitingRuns"];
    assert_eq!(most["MinValue"], MAX_WAITING_RUNS.min);
    assert_eq!(most["MaxValue"], MAX_WAITING_RUNS.max);
    assert_eq!(most["Default"], MAX_WAITING_RUNS.default);
    let variables = &template["Resources"]["AwaitRunFunction"]["Properties"]["Environment"]["Variables"];
    assert_eq!(variables["REVEILLE_MAX_WAITING_RUNS"]["Ref"], "MaxWaitingRuns");
    assert!(read("functions/src/environment.rs").contains("\"REVEILLE_MAX_WAITING_RUNS\""));
}

#[test]
fn the_pause_between_live_uploads_is_the_domains_and_await_run_is_told() {
    let template = template("infra/template.yaml");
    let every = &template["Parameters"]["LiveOutputSeconds"];
    assert_eq!(every["MinValue"], LIVE_OUTPUT_SECONDS.min);
    assert_eq!(every["MaxValue"], LIVE_OUTPUT_SECONDS.max);
    assert_eq!(every["Default"], LIVE_OUTPUT_SECONDS.default);
    let variables = &template["Resources"]["AwaitRunFunction"]["Properties"]["Environment"]["Variables"];
    assert_eq!(variables["REVEILLE_LIVE_OUTPUT_SECONDS"]["Ref"], "LiveOutputSeconds");
    assert!(read("functions/src/environment.rs").contains("\"REVEILLE_LIVE_OUTPUT_SECONDS\""));
}

#[test]
fn every_code_that_the_definition_names_exists() {
    let text = definition().to_string();
    let states = definition();
    for (name, state) in states["States"].as_object().unwrap() {
        for list in ["Retry", "Catch"] {
            for entry in state[list].as_array().into_iter().flatten() {
                for error in entry["ErrorEquals"].as_array().unwrap() {
                    let error = error.as_str().unwrap();
                    let aws = error.starts_with("States.")
                        || error.starts_with("Lambda.")
                        || ["Sandbox.Timedout", "Runtime.ExitError", "Runtime.Unknown"].contains(&error);
                    assert!(aws || Code::parse(error).is_some(), "{name} names {error}, which is no code");
                }
            }
        }
    }
    assert!(!text.contains("${"), "every substitution has a value");
}
