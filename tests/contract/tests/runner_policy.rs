//! The runner's policy against the keys of the records: what it writes it may write, and nothing else. Notebooks have the
//! same role, so that this is what a notebook may do to the records.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use reveille_contract_tests::iam::{self, Role};
use reveille_contract_tests::policy::{Grant, grants};
use reveille_contract_tests::read;
use reveille_contract_tests::wildcards::matches;
use reveille_domain::layout::{AttemptRef, Layout};
use reveille_domain::{InstanceName, RunId};

/// What the simulation's hostile notebook is held to.
#[path = "../../../crates/simulation/src/policy.rs"]
mod policy;

/// Files of an attempt that the runner uploads.
const OUTPUTS: [&str; 3] = ["output.ipynb", "output.html", "log.txt"];

fn layout() -> Layout {
    Layout { bucket: "runs".into(), prefix: "team/".into() }
}

fn attempt(instance: &str) -> AttemptRef {
    AttemptRef { instance: instance.into(), run: RunId::from_key("daily-0123456789"), attempt: 2 }
}

fn role() -> Role {
    let [role] = iam::roles("infra/instance.yaml").try_into().unwrap_or_else(|_| panic!("one role"));
    role
}

/// What the role may do without any parameter: what is there only with one is no object's, and iam.rs looks at it.
fn granted() -> Vec<Grant> {
    grants(&role(), &[])
}

/// Whether one of these lets the role of the instance `nightly` do this to the object of that key.
fn allows(granted: &[Grant], action: &str, key: &str) -> bool {
    granted.iter().any(|grant| {
        let pattern = [
            ("${AWS::Partition}", "aws"),
            ("${RunsBucket}", "runs"),
            ("${RunsPrefix}", "team/"),
            ("${InstanceName}", "nightly"),
        ]
        .iter()
        .fold(grant.resource.clone(), |pattern, (name, value)| pattern.replace(name, value));
        matches(&grant.action, action) && matches(&pattern, &format!("arn:aws:s3:::runs/{key}"))
    })
}

/// The keys that the runner writes on an instance.
fn written(instance: &str) -> Vec<String> {
    let (layout, at) = (layout(), attempt(instance));
    let lease = layout.lease(&InstanceName::parse(instance).unwrap());
    let outputs = OUTPUTS.map(|name| layout.attempt(&at) + name);
    let live = [layout.live_log(&at, 0), layout.live_log(&at, u64::MAX), layout.live_notebook(&at)];
    let records = [layout.claim(&at), layout.progress(&at), layout.report(&at), lease];
    records.into_iter().chain(outputs).chain(live).collect()
}

/// The keys of the records that only functions write.
fn of_the_functions(instance: &str) -> Vec<String> {
    let (layout, at) = (layout(), attempt(instance));
    vec![
        layout.request(&at.instance, &at.run),
        layout.outcome(&at),
        layout.ticket(&InstanceName::parse(instance).unwrap(), &at.run),
        layout.trigger("0123"),
        layout.sweeper(),
        layout.runner(),
        layout.artifact("reveille-runner"),
        layout.artifact("reveille-engine-0123.zip"),
    ]
}

#[test]
fn the_runner_may_write_what_it_writes() {
    let granted = granted();
    for key in written("nightly") {
        assert!(allows(&granted, "s3:PutObject", &key), "{key}");
    }
    let job = read("crates/notebook/src/job.rs");
    let names = job.split("pub fn file_name").nth(1).unwrap().split("    }\n    }").next().unwrap();
    let names = names.split('"').skip(1).step_by(2).filter(|name| name.contains('.')).collect::<Vec<_>>();
    assert_eq!(names, OUTPUTS, "what the engine leaves is uploaded");
}

#[test]
fn the_instances_role_cannot_write_what_functions_write() {
    let granted = granted();
    for key in of_the_functions("nightly") {
        assert!(!allows(&granted, "s3:PutObject", &key), "{key}");
    }
    let at = attempt("nightly");
    let layout = layout();
    for key in [layout.request(&at.instance, &at.run), layout.outcome(&at), layout.claim(&at), layout.report(&at)] {
        assert!(!allows(&granted, "s3:DeleteObject", &key), "{key}: what is put once stays");
    }
}

#[test]
fn the_instances_role_reaches_no_other_instance() {
    let granted = granted();
    for other in ["payroll", "nightly2", "nightl", "night"] {
        for key in written(other).into_iter().chain(of_the_functions(other)) {
            for action in ["s3:PutObject", "s3:DeleteObject"] {
                assert!(!allows(&granted, action, &key), "{action} {key}");
            }
            let is_shared = key.starts_with("artifacts/") || key == layout().runner();
            assert!(is_shared || !allows(&granted, "s3:GetObject", &key), "{key}");
        }
    }
}

/// The hostile notebook of the simulation may do what the template grants, statement by statement, and nothing else.
#[test]
fn the_simulation_enforces_this_policy() {
    let resource = |arn: &String| {
        let bucket = "arn:${AWS::Partition}:s3:::${RunsBucket}";
        match arn.strip_prefix(bucket) {
            Some(key) => key.trim_start_matches('/').to_owned(),
            None => arn.rsplit(':').next().unwrap().to_owned(),
        }
    };
    let granted: Vec<(Vec<String>, Vec<String>)> = role()
        .statements
        .iter()
        .filter(|(_, parameter)| parameter.is_none())
        .map(|(statement, _)| {
            (iam::texts(&statement["Action"]), iam::texts(&statement["Resource"]).iter().map(resource).collect())
        })
        // Logs are of no record and no instance.
        .filter(|(actions, _): &(Vec<String>, _)| actions.iter().any(|action| !action.starts_with("logs:")))
        .collect();
    let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let mirrored: Vec<_> =
        policy::STATEMENTS.iter().map(|statement| (owned(statement.actions), owned(statement.resources))).collect();
    assert_eq!(granted, mirrored);
    assert!(policy::allows("nightly", "s3:PutObject", "leases/nightly.json"));
}
