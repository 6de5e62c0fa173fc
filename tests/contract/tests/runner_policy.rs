//! The runner's policy against the keys of the records: what it writes it may write, and nothing else. Notebooks have the
//! same role, so that this is what a notebook may do to the records.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use reveille_contract_tests::{iam, read, template};
use reveille_domain::layout::{AttemptRef, Layout};
use reveille_domain::{InstanceName, RunId};
use serde_json::Value;

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

/// IAM's wildcard: any characters, a slash too.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == text };
    let Some(rest) = text.strip_prefix(before) else { return false };
    (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| matches(after, &rest[at..]))
}

fn list(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |values| values.iter().collect())
}

/// Whether the policy of the instance `nightly` lets its role do this to the object of that key.
fn allows(action: &str, key: &str) -> bool {
    let template = template("infra/instance.yaml");
    let statements = &template["Resources"]["RunnerPolicy"]["Properties"]["PolicyDocument"]["Statement"];
    // What is there only with a parameter is no object's: iam.rs looks at it.
    list(statements).iter().filter(|statement| statement["Fn::If"].is_null()).any(|statement| {
        assert_eq!(statement["Effect"], "Allow");
        let acts = list(&statement["Action"]).iter().any(|allowed| matches(allowed.as_str().unwrap(), action));
        let on = list(&statement["Resource"]).iter().any(|resource| {
            let Some(pattern) = resource["Fn::Sub"].as_str().or_else(|| resource.as_str()) else { return false };
            let pattern = [
                ("${AWS::Partition}", "aws"),
                ("${RunsBucket}", "runs"),
                ("${RunsPrefix}", "team/"),
                ("${InstanceName}", "nightly"),
                ("${RunnerKey}", "artifacts/reveille-runner"),
            ]
            .iter()
            .fold(pattern.to_owned(), |pattern, (name, value)| pattern.replace(name, value));
            matches(&pattern, &format!("arn:aws:s3:::runs/{key}"))
        });
        acts && on
    })
}

/// The keys that the runner writes on an instance.
fn written(instance: &str) -> Vec<String> {
    let (layout, at) = (layout(), attempt(instance));
    let lease = layout.lease(&InstanceName::parse(instance).unwrap());
    let outputs = OUTPUTS.map(|name| layout.attempt(&at) + name);
    [layout.claim(&at), layout.progress(&at), layout.report(&at), lease].into_iter().chain(outputs).collect()
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
        layout.artifact("reveille-runner"),
        layout.artifact("reveille-engine-0123.zip"),
    ]
}

#[test]
fn the_runner_may_write_what_it_writes() {
    for key in written("nightly") {
        assert!(allows("s3:PutObject", &key), "{key}");
    }
    let job = read("crates/notebook/src/job.rs");
    let names = job.split("pub fn file_name").nth(1).unwrap().split("    }\n    }").next().unwrap();
    let names = names.split('"').skip(1).step_by(2).filter(|name| name.contains('.')).collect::<Vec<_>>();
    assert_eq!(names, OUTPUTS, "what the engine leaves is uploaded");
}

#[test]
fn the_instances_role_cannot_write_what_functions_write() {
    for key in of_the_functions("nightly") {
        assert!(!allows("s3:PutObject", &key), "{key}");
    }
    let at = attempt("nightly");
    let layout = layout();
    for key in [layout.request(&at.instance, &at.run), layout.outcome(&at), layout.claim(&at), layout.report(&at)] {
        assert!(!allows("s3:DeleteObject", &key), "{key}: what is put once stays");
    }
}

#[test]
fn the_instances_role_reaches_no_other_instance() {
    for other in ["payroll", "nightly2", "nightl", "night"] {
        for key in written(other).into_iter().chain(of_the_functions(other)) {
            for action in ["s3:PutObject", "s3:DeleteObject"] {
                assert!(!allows(action, &key), "{action} {key}");
            }
            let is_shared = key.starts_with("artifacts/");
            assert!(is_shared || !allows("s3:GetObject", &key), "{key}");
        }
    }
}

/// The hostile notebook of the simulation may do what the template grants, statement by statement, and nothing else.
#[test]
fn the_simulation_enforces_this_policy() {
    let template = template("infra/instance.yaml");
    let statements = &template["Resources"]["RunnerPolicy"]["Properties"]["PolicyDocument"]["Statement"];
    let resource = |resource: &Value| {
        let arn = iam::texts(resource).concat();
        let bucket = "arn:${AWS::Partition}:s3:::${RunsBucket}";
        match arn.strip_prefix(bucket) {
            Some(key) => key.trim_start_matches('/').to_owned(),
            None => arn.rsplit(':').next().unwrap().to_owned(),
        }
    };
    let granted: Vec<(Vec<String>, Vec<String>)> = list(statements)
        .iter()
        .filter(|statement| statement["Fn::If"].is_null())
        .map(|statement| {
            let actions = list(&statement["Action"]).iter().map(|action| action.as_str().unwrap().to_owned()).collect();
            (actions, list(&statement["Resource"]).iter().map(|each| resource(each)).collect())
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
