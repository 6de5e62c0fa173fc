//! Each fault of a trigger is found, and a trigger without one is not accused.

use std::collections::BTreeMap;

use reveille_domain::layout::Layout;
use serde_json::{Value, json};

use super::{On, Surroundings, Trigger, findings};
use crate::{
    clients::{
        TargetSettings,
        checkup::{BucketEvents, Known, Unknown},
    },
    commands::doctor::finding::{Check, Finding, Verdict, tests::found},
    triggers::{Chain, Step, Uploads, Watched},
};

fn upload() -> Trigger {
    Trigger {
        name: "orders".to_owned(),
        on: On::Upload(Watched::new("in-1", "orders/", ".csv").unwrap().into()),
        enabled: true,
        input: json!({"instance": "nightly", "notebook": "a.ipynb", "parameters": {"source": "s3://{{ bucket }}/{{ key }}"}, "event": null}),
        bare: false,
        starts: TargetSettings {
            role: Some("rules".to_owned()),
            dead_letters: Some("queue".to_owned()),
            age_seconds: Some(900),
        },
    }
}

fn judge_with(
    trigger: &Trigger,
    events: Known<BucketEvents>,
    instances: &Known<Vec<String>>,
    chains: &[Chain],
) -> Vec<Finding> {
    let layout = Layout { bucket: "runs".to_owned(), prefix: String::new() };
    let buckets = BTreeMap::from([("in-1".to_owned(), events.clone()), ("runs".to_owned(), events)]);
    let roles = [Some("rules".to_owned()), Some("schedules".to_owned())];
    findings(trigger, &Surroundings { layout: &layout, roles, instances, buckets: &buckets, chains })
}

fn judge(trigger: &Trigger) -> Vec<Finding> {
    judge_with(trigger, Ok(BucketEvents::Reach), &Ok(vec!["nightly".to_owned()]), &[])
}

fn with(change: impl FnOnce(&mut Trigger)) -> Vec<Finding> {
    let mut trigger = upload();
    change(&mut trigger);
    judge(&trigger)
}

#[test]
fn a_trigger_in_order_is_not_accused() {
    let findings = judge(&upload());
    assert!(findings.iter().all(|finding| finding.verdict == Verdict::Ok), "{findings:#?}");
    let schedule = with(|it| {
        *it = schedule("UTC", "{{ date }}", &Value::Null);
    });
    assert!(schedule.iter().all(|finding| finding.verdict == Verdict::Ok), "{schedule:#?}");
}

fn schedule(zone: &str, day: &str, said: &Value) -> Trigger {
    let mut it = upload();
    it.on = On::Schedule { fires: true, zone: zone.to_owned() };
    it.input = json!({"instance": "nightly", "notebook": "a.ipynb", "parameters": {"day": day},
        "event": {"time": "<aws.scheduler.scheduled-time>", "detail": {"timeZone": said}}});
    it.starts.role = Some("schedules".to_owned());
    it
}

#[test]
fn a_schedule_whose_runs_get_another_zones_day_is_found() {
    let berlin = |day, said: Value| judge(&schedule("Europe/Berlin", day, &said));
    for day in ["{{ date }}", "from {{time}}"] {
        found(&berlin(day, Value::Null), Check::TriggerTimes, Verdict::Warn, "not in Europe/Berlin");
        assert!(berlin(day, json!("Europe/Berlin")).iter().all(|finding| finding.verdict == Verdict::Ok));
    }
    for day in ["2026-11-26", "{{ run }}"] {
        assert!(berlin(day, Value::Null).iter().all(|finding| finding.verdict == Verdict::Ok), "{day}");
    }
    let unknown = berlin("{{ date }}", json!("Europe/Berlln"));
    found(&unknown, Check::TriggerInput, Verdict::Fail, "Europe/Berlln");
}

#[test]
fn one_that_starts_nothing_is_found() {
    found(&with(|it| it.enabled = false), Check::TriggerState, Verdict::Warn, "reveille on-upload resume orders");
    let timer = with(|it| {
        it.on = On::Timer;
        it.enabled = false;
    });
    found(&timer, Check::TriggerState, Verdict::Warn, "aws events enable-rule --name orders");
    found(
        &with(|it| it.on = On::Schedule { fires: false, zone: "UTC".to_owned() }),
        Check::TriggerTimes,
        Verdict::Warn,
        "never fire again",
    );
    found(&with(|it| it.starts.role = None), Check::TriggerTarget, Verdict::Fail, "no role");
    found(
        &with(|it| it.starts.role = Some("mine".to_owned())),
        Check::TriggerTarget,
        Verdict::Warn,
        "and not the stack's",
    );
    found(&with(|it| it.starts.dead_letters = None), Check::TriggerTarget, Verdict::Warn, "is lost");
    for age in [None, Some(86_400)] {
        found(&with(|it| it.starts.age_seconds = age), Check::TriggerTarget, Verdict::Warn, "may run twice");
    }
    let silent = judge_with(&upload(), Ok(BucketEvents::AreNotSent), &Ok(vec![]), &[]);
    found(&silent, Check::TriggerBucket, Verdict::Fail, "does not send its events");
    let elsewhere = Ok(BucketEvents::Cannot("there is no bucket in-1".to_owned()));
    found(&judge_with(&upload(), elsewhere, &Ok(vec![]), &[]), Check::TriggerBucket, Verdict::Fail, "no bucket in-1");
}

#[test]
fn one_whose_runs_would_all_fail_is_found() {
    let input = |change: fn(&mut Value)| with(|it| change(&mut it.input));
    found(&input(|it| it["notebook"] = "a.txt".into()), Check::TriggerInput, Verdict::Fail, ".ipynb");
    found(
        &input(|it| it["parameters"] = json!({"a": "{{ nonsense }}"})),
        Check::TriggerInput,
        Verdict::Fail,
        "nonsense",
    );
    found(&input(|it| it["more"] = 1.into()), Check::TriggerInput, Verdict::Fail, "more");
    found(&with(|it| it.bare = true), Check::TriggerInput, Verdict::Fail, "InvalidRequest");
    found(&with(|it| it.input = Value::Null), Check::TriggerInput, Verdict::Unchecked, "does not read");
    found(&with(|it| it.on = On::Other), Check::TriggerInput, Verdict::Unchecked, "does not read");
    let gone = judge_with(&upload(), Ok(BucketEvents::Reach), &Ok(vec![]), &[]);
    found(&gone, Check::TriggerInstance, Verdict::Fail, "InstanceNotFound");
    let denied = Err(Unknown::Denied("sagemaker:ListNotebookInstances"));
    let denied = judge_with(&upload(), Ok(BucketEvents::Reach), &denied, &[]);
    found(&denied, Check::TriggerInstance, Verdict::Unchecked, "sagemaker:ListNotebookInstances");
}

/// Somebody wrote the pattern, and only EventBridge understands it.
#[test]
fn a_rule_of_others_is_not_misjudged() {
    let on = |buckets: Value| {
        let pattern = json!({"source": ["aws.s3"], "detail": {"bucket": {"name": buckets}, "object": {"key": [{"prefix": "a/"}, {"prefix": "b/"}]}}});
        with(|it| it.on = On::Upload(Uploads::read(&pattern, &Value::Null).unwrap()))
    };
    let two = on(json!(["in-1", "runs"]));
    let checked = two.iter().filter(|finding| finding.check == Check::TriggerBucket).count();
    assert_eq!(checked, 2, "each bucket is looked at: {two:#?}");
    found(&two, Check::TriggerLoop, Verdict::Warn, "reveille on-upload test 's3://runs/runs/");
    found(&on(json!([{"prefix": "in-"}])), Check::TriggerLoop, Verdict::Warn, "may take the outputs");
    let elsewhere = on(json!(["in-1"]));
    assert!(elsewhere.iter().all(|finding| finding.verdict == Verdict::Ok), "{elsewhere:#?}");
}

#[test]
fn one_that_would_start_itself_is_found() {
    let own = with(|it| it.on = On::Upload(Watched::new("runs", "", "").unwrap().into()));
    found(&own, Check::TriggerLoop, Verdict::Fail, "reveille on-upload pause orders");
    let notebook = with(|it| {
        it.on = On::Upload(Watched::new("in-1", "", "").unwrap().into());
        it.input["notebook"] = "s3://in-1/a.ipynb".into();
    });
    found(&notebook, Check::TriggerLoop, Verdict::Fail, "could change the notebook");
    let step = |name: &str| Step { notebook: format!("{name}.ipynb"), instance: "nightly".to_owned() };
    let chain = |after: &str, next: &str| Chain { after: step(after).into(), next: step(next) };
    let mut run = upload();
    run.on = On::Run(chain("b", "a"));
    run.input = json!({"instance": "nightly", "notebook": "a.ipynb", "event": null});
    let circle = judge_with(&run, Ok(BucketEvents::Reach), &Ok(vec![]), &[chain("a", "b"), chain("b", "a")]);
    found(&circle, Check::TriggerLoop, Verdict::Fail, "a.ipynb on nightly, then b.ipynb on nightly");
    found(&judge(&run), Check::TriggerLoop, Verdict::Ok, "");
}
