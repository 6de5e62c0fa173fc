use std::collections::BTreeMap;

use super::{Setting, Template};
use crate::clients::Given;

const OURS: &str = include_str!("../../../../../../infra/template.yaml");

fn ours() -> Template {
    Template::read(OURS, "infra/template.yaml").unwrap()
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn stack(of: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs(of).into_iter().collect()
}

#[test]
fn our_own_template_is_read() {
    let template = ours();
    assert_eq!(template.default("NoncurrentDays").as_deref(), Some("30"));
    assert_eq!(template.default("InstancesInVpc").as_deref(), Some("false"));
    // Its own defaults are values that it takes.
    for name in template.parameters.keys() {
        let usual = template.default(name).unwrap();
        assert!(template.check(name, &usual).is_ok(), "{name}={usual}");
    }
}

#[test]
fn a_mistake_is_told_in_the_parameters_own_words() {
    for (name, value, said) in [
        ("InstanceName", "nightly", "did you mean InstanceNames?"),
        ("Colour", "red", "docs/parameters.md lists them"),
        (
            "InstanceNames",
            "Nightly",
            "InstanceNames=Nightly is refused: it must match ^[a-z0-9*-]+$. InstanceNames: Notebook instances that",
        ),
        ("TriggerWhenBusy", "wait", "it must be one of queue, skip, fail. TriggerWhenBusy: What its runs do"),
        ("MaxWaitingRuns", "5001", "it must be at most 5000"),
        ("MaxWaitingRuns", "0", "it must be at least 1"),
        ("MaxWaitingRuns", "many", "it must be a number"),
        ("LogRetentionDays", "8", "it must be one of 7, 14, 30"),
        ("TriggerPrefix", &"x".repeat(1025), "at most 1024 characters, and has 1025"),
        // Each member of a list.
        ("NotifyStatuses", "FAILED,LOST", "it must match"),
        ("RolePath", "reveille", "it must match"),
    ] {
        let error = ours().settings(&pairs(&[(name, value)]), &BTreeMap::new()).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
    let twice = pairs(&[("RunsPrefix", "a/"), ("RunsPrefix", "b/")]);
    assert!(ours().settings(&twice, &BTreeMap::new()).unwrap_err().to_string().contains("given twice"));
}

#[test]
fn values_that_the_template_takes_pass() {
    let taken = [
        ("NotifyStatuses", "FAILED,ABORTED"),
        ("ScheduleExpression", "cron(0 6 ? * MON-FRI *)"),
        ("ScheduleParameters", r#"{"day": "{{ date }}", "regions": ["eu", "us"]}"#),
        ("InstanceRoleArns", ""),
        ("RunsExpireDays", "365"),
    ];
    assert!(ours().settings(&pairs(&taken), &BTreeMap::new()).is_ok());
}

#[test]
fn an_update_keeps_what_is_not_given_and_drops_what_the_template_has_no_more() {
    let before = stack(&[("InstanceNames", "nightly"), ("RunsPrefix", "a/"), ("OfAnOlderVersion", "x")]);
    let settings = ours().settings(&pairs(&[("InstanceNames", "team-*")]), &before).unwrap();
    assert_eq!(
        settings.given,
        [Given::Value("InstanceNames".into(), "team-*".into()), Given::Previous("RunsPrefix".into())]
    );
    let changed = Setting { name: "InstanceNames".into(), before: Some("nightly".into()), after: "team-*".into() };
    assert_eq!(settings.changed, [changed]);
    // What is given as it is, is no change.
    let same = ours().settings(&pairs(&[("RunsPrefix", "a/")]), &before).unwrap();
    assert!(same.changed.is_empty());
}

#[test]
fn a_new_stack_shows_what_differs_from_the_defaults_and_asks_for_what_has_none() {
    let settings = ours().settings(&pairs(&[("InstanceNames", "*"), ("RunsPrefix", "a/")]), &BTreeMap::new()).unwrap();
    assert_eq!(settings.changed.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["RunsPrefix"]);
    let text = "Parameters:\n  Bucket: { Type: String, Description: Where. }\n  Pin: { Type: String, NoEcho: true, Default: '' }\n";
    let template = Template::read(text, "t").unwrap();
    let error = template.settings(&[], &BTreeMap::new()).unwrap_err();
    assert!(
        error.to_string().contains("the parameter Bucket needs a value: --parameter Bucket=... (Where.)"),
        "{error}"
    );
    let settings = template.settings(&pairs(&[("Bucket", "b"), ("Pin", "1234")]), &BTreeMap::new()).unwrap();
    assert_eq!(settings.changed[1].after, "****", "a secret is not shown");
}
