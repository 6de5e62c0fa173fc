//! Which objects start a run: the template's rule and AdmitRun together take exactly the keys that begin with
//! `TriggerPrefix` and end with `TriggerSuffix`, by our own reading of EventBridge's filters and by a matcher that we did not
//! write. And the schedule of the sweeper, which has an old name.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use reveille_contract_tests::intrinsics::ParametrisedStack;
use reveille_contract_tests::{fires, template};
use reveille_domain::input::{Html, Keys, WhenBusy};
use serde_json::{Value, json};

/// The main stack, with a trigger of this prefix and suffix.
struct Trigger<'a>(ParametrisedStack<'a>);

impl<'a> Trigger<'a> {
    fn new(template: &'a Value, prefix: &str, suffix: &str) -> Self {
        Self(ParametrisedStack::new(
            template,
            &[
                ("TriggerBucket", "in"),
                ("TriggerPrefix", prefix),
                ("TriggerSuffix", suffix),
                ("TriggerInstance", "nightly"),
                ("TriggerNotebook", "a.ipynb"),
            ],
        ))
    }

    fn pattern(&self) -> Value {
        self.0.value(&self.0.template["Resources"]["ObjectCreatedRule"]["Properties"]["EventPattern"])
    }

    /// The filters of the key: one must take it.
    fn filters(&self) -> Vec<Value> {
        self.pattern()["detail"]["object"]["key"].as_array().expect("filters").clone()
    }

    /// Whether the rule says all that is meant, so that no execution is started for another object: one of the two is empty, or
    /// the prefix is a folder and the suffix has no slash.
    fn rule_decides(&self) -> bool {
        let (prefix, suffix) = (&self.0.parameters["TriggerPrefix"], &self.0.parameters["TriggerSuffix"]);
        prefix.is_empty() || suffix.is_empty() || prefix.ends_with('/') && !suffix.contains('/')
    }

    /// What the rule hands to the execution, without the event.
    fn keys(&self) -> Keys {
        let target = &self.0.template["Resources"]["ObjectCreatedRule"]["Properties"]["Targets"][0];
        let input: Value = serde_json::from_str(&self.0.input(target, "{}")).unwrap();
        serde_json::from_value(input["keys"].clone()).unwrap()
    }
}

/// "Amazon EventBridge event patterns: comparison operators": `prefix`, `suffix`, and `wildcard`, whose `*` is any number of characters.
fn takes(filter: &Value, key: &str) -> bool {
    if let Some(prefix) = filter["prefix"].as_str() {
        return key.starts_with(prefix);
    }
    if let Some(suffix) = filter["suffix"].as_str() {
        return key.ends_with(suffix);
    }
    let parts: Vec<&str> = filter["wildcard"].as_str().expect("a filter that is known here").split('*').collect();
    let [start, end] = parts[..] else { panic!("one asterisk: {filter}") };
    assert!(!start.contains(['|', '%', '^']) && !end.contains(['|', '%', '^']), "{filter}");
    key.strip_prefix(start).is_some_and(|rest| rest.ends_with(end))
}

fn is_meant(prefix: &str, suffix: &str, key: &str) -> bool {
    key.starts_with(prefix) && key.ends_with(suffix)
}

/// Every text of at most so many of these letters.
fn texts(longest: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut from = 0;
    for _ in 0..longest {
        let longer: Vec<String> =
            all[from..].iter().flat_map(|text| ["a", ".", "/"].map(|letter| format!("{text}{letter}"))).collect();
        from = all.len();
        all.extend(longer);
    }
    all
}

/// Pairs that share characters in every way: one in the other, the end of one the beginning of the other, and both.
const PAIRS: [(&str, &str); 12] = [
    ("", ""),
    ("incoming/", ""),
    ("", ".csv"),
    ("incoming/", ".csv"),
    ("incoming/orders-", ".csv"),
    ("incoming/orders.csv", ".csv"),
    (".csv", ".csv.gz"),
    ("daily/", "/data.csv"),
    ("daily/", "daily/data.csv"),
    ("incoming/orders", "orders.csv"),
    ("exports/", "/done/manifest.json"),
    ("a.a.a", "a.a"),
];

#[test]
fn rule_and_admission_take_what_begins_and_ends_as_asked() {
    let template = template("infra/template.yaml");
    let (shorts, keys) = (texts(3), texts(5));
    let pairs = shorts.iter().flat_map(|prefix| shorts.iter().map(move |suffix| (prefix.as_str(), suffix.as_str())));
    let (mut decided, mut shared) = (0, 0);
    for (prefix, suffix) in pairs.chain(PAIRS) {
        let stack = Trigger::new(&template, prefix, suffix);
        let (filters, admission) = (stack.filters(), stack.keys());
        assert_eq!(admission, Keys { prefix: prefix.to_owned(), suffix: suffix.to_owned() });
        let alone = stack.rule_decides();
        if alone {
            decided += 1;
        } else {
            shared += 1;
        }
        let joined = [prefix, suffix, &format!("{prefix}{suffix}"), &format!("{prefix}x{suffix}")].map(str::to_owned);
        for key in keys.iter().chain(&joined) {
            let meant = is_meant(prefix, suffix, key);
            let fires = filters.iter().any(|filter| takes(filter, key));
            assert_eq!(fires && admission.take(key), meant, "{prefix:?} {suffix:?} {key:?} {filters:?}");
            assert!(!alone || fires == meant, "the rule alone decides: {prefix:?} {suffix:?} {key:?}");
        }
    }
    assert!(decided > 100 && shared > 100, "{decided} {shared}");
}

/// The pattern's own marks, and what means something in a wildcard, must be in no value.
#[test]
fn no_prefix_or_suffix_has_a_character_that_the_pattern_uses() {
    let template = template("infra/template.yaml");
    for parameter in ["TriggerPrefix", "TriggerSuffix"] {
        let allowed = template["Parameters"][parameter]["AllowedPattern"].as_str().unwrap();
        assert_eq!(allowed, "^[A-Za-z0-9!_.()/=+@ -]*$", "none of * \\ | % ^ \"");
    }
}

/// What most people deploy starts no execution for another object.
#[test]
fn a_folder_and_an_ending_are_decided_by_the_rule() {
    let template = template("infra/template.yaml");
    for (prefix, suffix) in
        [("incoming/", ".csv"), ("warehouse/", "_SUCCESS"), ("a/b.csv/", ".csv"), ("", "/x.csv"), ("a", "")]
    {
        assert!(Trigger::new(&template, prefix, suffix).rule_decides(), "{prefix} {suffix}");
    }
}

/// The whole pattern and a whole event, by the matcher of ministack.
#[test]
fn a_matcher_that_we_did_not_write_agrees() {
    let template = template("infra/template.yaml");
    let mut tried = Vec::new();
    for (prefix, suffix) in PAIRS {
        let stack = Trigger::new(&template, prefix, suffix);
        let pattern = stack.pattern();
        let (first, last) = (prefix.chars().next().unwrap_or('x'), suffix.chars().last().unwrap_or('x'));
        let overlaps = (0..=suffix.len()).map(|shared| format!("{prefix}{}", &suffix[shared..]));
        let others = [format!("{first}{last}"), format!("{prefix}/1{suffix}x"), format!("x{prefix}{suffix}")];
        let keys = overlaps.chain(others).chain([format!("{prefix}1{suffix}"), suffix.to_owned()]);
        // A key of S3 has a character.
        for key in keys.filter(|key| !key.is_empty()) {
            let event = json!({"version": "0", "id": "1", "source": "aws.s3", "detail-type": "Object Created", "account": "1",
                "time": "2026-11-23T10:00:00Z", "region": "eu-west-1", "resources": [],
                "detail": {"bucket": {"name": "in"}, "object": {"key": key}}});
            let expected = stack.filters().iter().any(|filter| takes(filter, &key));
            tried.push((pattern.to_string(), event, expected));
        }
    }
    let answers = fires(&tried.iter().map(|(pattern, event, _)| (pattern.clone(), event.clone())).collect::<Vec<_>>());
    for ((pattern, event, expected), answer) in tried.iter().zip(&answers) {
        assert_eq!(expected, answer, "{pattern}: {event}");
    }
    assert!(answers.len() == tried.len() && answers.contains(&true) && answers.contains(&false));
}

/// What a trigger is set to reaches the run, in words that the input takes.
#[test]
fn a_trigger_says_what_becomes_of_its_runs_on_a_busy_instance_and_their_limits() {
    let template = template("infra/template.yaml");
    for (rule, trigger) in [("ObjectCreatedRule", "Trigger"), ("ScheduleRule", "Schedule")] {
        let declared = &template["Parameters"][format!("{trigger}WhenBusy")];
        assert_eq!(declared["Default"], "queue");
        let pages = &template["Parameters"][format!("{trigger}Html")];
        assert_eq!(pages["Default"], "full");
        for page in pages["AllowedValues"].as_array().unwrap() {
            assert!(serde_json::from_value::<Html>(page.clone()).is_ok(), "{page}");
        }
        for when_busy in declared["AllowedValues"].as_array().unwrap() {
            let given = [
                ("WhenBusy", when_busy.as_str().unwrap()),
                ("Limits", r#"{"runSeconds": 60}"#),
                ("Html", "sanitized"),
                ("Parameters", "{}"),
            ]
            .map(|(name, value)| (format!("{trigger}{name}"), value));
            let stack =
                ParametrisedStack::new(&template, &given.each_ref().map(|(name, value)| (name.as_str(), *value)));
            let input = stack.input(&template["Resources"][rule]["Properties"]["Targets"][0], "null");
            let input: Value = serde_json::from_str(&input).unwrap();
            assert_eq!(&input["whenBusy"], when_busy, "{rule}");
            assert!(serde_json::from_value::<WhenBusy>(input["whenBusy"].clone()).is_ok(), "{input}");
            assert_eq!(input["limits"], json!({"runSeconds": 60}), "{rule}");
            assert_eq!(input["html"], "sanitized", "{rule}");
        }
    }
}

/// CloudFormation keeps a parameter's value over updates, its old default among them, and refuses one that is gone.
#[test]
fn a_stack_that_set_the_sweepers_schedule_by_its_old_name_keeps_it_until_the_new_one_is_set() {
    let template = template("infra/template.yaml");
    let default = template["Parameters"]["SweepSchedule"]["Default"].as_str().unwrap();
    assert_eq!(template["Parameters"]["ReleaseSchedule"]["Default"], "");
    let hourly = "rate(1 hour)";
    for (old, new, runs) in [
        ("", default, default),
        (default, default, default),
        (hourly, default, hourly),
        ("", hourly, hourly),
        (default, hourly, hourly),
        ("rate(2 hours)", hourly, hourly),
    ] {
        let stack = ParametrisedStack::new(&template, &[("ReleaseSchedule", old), ("SweepSchedule", new)]);
        let timer = &template["Resources"]["SweepFunction"]["Properties"]["Events"]["Timer"]["Properties"];
        assert_eq!(stack.value(&timer["Schedule"]), runs, "{old:?}, {new:?}");
    }
}
