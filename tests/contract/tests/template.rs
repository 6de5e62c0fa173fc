//! The template against the domain's constants, and the instance's template against the on-start script.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use std::collections::BTreeSet;

use reveille_contract_tests::intrinsics::ParametrisedStack;
use reveille_contract_tests::transform::transformed;
use reveille_contract_tests::{files_below, python, read, root, rust_below, template, templates};
use reveille_domain::limits::{DEDUPE_WINDOW, FUNCTION_TIMEOUT, IN_FLIGHT, RUNNER_END};
use reveille_lifecycle::{ON_START, Preamble, render};
use serde_json::{Value, json};

#[test]
fn the_functions_timeout_is_the_one_that_the_protocol_rests_on() {
    let template = template("infra/template.yaml");
    assert_eq!(template["Globals"]["Function"]["Timeout"], FUNCTION_TIMEOUT.num_seconds());
    assert!(IN_FLIGHT >= FUNCTION_TIMEOUT * 2);
    for (name, resource) in template["Resources"].as_object().unwrap() {
        // CloudFormation's function is no part of the protocol.
        let own = name == "InstallRunnerFunction" || resource["Properties"]["Timeout"].is_null();
        assert!(own, "{name} has a timeout of its own");
    }
}

/// The logical ids in a part of a template: every text that is one, in any intrinsic.
fn named<'a>(part: &Value, ids: &BTreeSet<&'a str>) -> BTreeSet<&'a str> {
    match part {
        Value::String(text) => {
            let is_word = |letter: char| letter.is_ascii_alphanumeric();
            text.split(|letter| !is_word(letter)).filter_map(|word| ids.get(word).copied()).collect()
        }
        Value::Array(parts) => parts.iter().flat_map(|part| named(part, ids)).collect(),
        Value::Object(parts) => parts.values().flat_map(|part| named(part, ids)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => BTreeSet::new(),
    }
}

/// What a resource waits for: what it names in `DependsOn`, and what its intrinsics name.
fn waits_for<'a>(part: &Value, ids: &BTreeSet<&'a str>) -> BTreeSet<&'a str> {
    match part {
        Value::Array(parts) => parts.iter().flat_map(|part| waits_for(part, ids)).collect(),
        Value::Object(parts) => {
            let of = |(name, part): (&String, &Value)| match name.as_str() {
                "DependsOn" | "Ref" | "Fn::GetAtt" | "Fn::Sub" => named(part, ids),
                _ => waits_for(part, ids),
            };
            parts.iter().flat_map(of).collect()
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => BTreeSet::new(),
    }
}

/// Whatever fails at a first creation finds the bucket empty, or it would stay. What SAM makes counts too.
#[test]
fn the_runner_is_installed_after_everything_else() {
    let template = transformed("infra/template.yaml");
    let resources = template["Resources"].as_object().unwrap();
    let ids: BTreeSet<&str> = resources.keys().map(String::as_str).collect();
    let mut before = BTreeSet::new();
    let mut left = vec!["InstalledRunner"];
    while let Some(id) = left.pop() {
        if before.insert(id) {
            left.extend(waits_for(&resources[id], &ids));
        }
    }
    let after: Vec<_> = ids.difference(&before).collect();
    assert!(after.is_empty(), "InstalledRunner waits for none of {after:?}");
}

#[test]
fn a_rule_delivers_within_the_window_in_which_a_second_start_is_a_duplicate() {
    let template = template("infra/template.yaml");
    let mut rules = 0;
    for (name, resource) in template["Resources"].as_object().unwrap() {
        let starts = |target: &Value| target["Arn"]["Ref"] == "NotebookRun";
        let targets = resource["Properties"]["Targets"].as_array();
        if resource["Type"] != "AWS::Events::Rule" || !targets.is_some_and(|targets| targets.iter().any(starts)) {
            continue;
        }
        rules += 1;
        for target in resource["Properties"]["Targets"].as_array().unwrap() {
            let age = &target["RetryPolicy"]["MaximumEventAgeInSeconds"];
            assert_eq!(*age, DEDUPE_WINDOW.num_seconds(), "{name}");
            assert!(target["DeadLetterConfig"]["Arn"].is_object(), "{name}: older events go to the dead-letter queue");
            let input = target["InputTransformer"]["InputTemplate"]["Fn::Sub"].as_str().unwrap();
            assert!(input.ends_with("\"event\": <aws.events.event.json>}"), "{name} passes the whole event: {input}");
        }
    }
    assert_eq!(rules, 2, "an object that lands, and a schedule");
}

#[test]
fn nothing_in_the_template_knows_where_it_is_deployed() {
    let text = read("infra/template.yaml").to_lowercase();
    for word in ["islocal", "localhost", "ministack", "localstack", "127.0.0.1"] {
        assert!(!text.contains(word), "{word}");
    }
}

/// aws-cn, aws-us-gov and the others have ARNs of their own: `arn:aws:` in a policy denies there, and in a definition it is
/// refused. (`arn:aws[a-z-]*:` in a pattern takes them all.)
#[test]
fn what_is_deployed_names_no_partition() {
    let mut seen = 0;
    for folder in ["infra", "statemachines"] {
        for file in files_below(&root().join(folder)) {
            if file.extension().is_none_or(|extension| extension == "md") {
                continue;
            }
            seen += 1;
            let text = std::fs::read_to_string(&file).unwrap();
            for (number, line) in text.lines().enumerate() {
                for partition in ["arn:aws:", "arn:aws-", "amazonaws.com/", "amazonaws.com.cn"] {
                    assert!(!line.contains(partition), "{}:{}: {line}", file.display(), number + 1);
                }
            }
        }
    }
    assert!(seen >= 4, "{seen} files: the templates, the script, the definition");
}

/// The script of the instance's template, with values for its parameters.
fn script_of_the_template(commands: &str) -> String {
    let template = template("infra/instance.yaml");
    let Preamble { bucket, prefix, runner_key, runner_sha256 } = preamble();
    let given = [
        ("OnStartCommands", commands),
        ("RunsBucket", &bucket),
        ("RunsPrefix", &prefix),
        ("RunnerKey", &runner_key),
        ("RunnerSha256", &runner_sha256),
    ];
    let content = &template["Resources"]["LifecycleConfig"]["Properties"]["OnStart"][0]["Content"]["Fn::Base64"];
    ParametrisedStack::new(&template, &given).value(content).as_str().expect("text").to_owned()
}

fn preamble() -> Preamble {
    Preamble {
        bucket: "some-bucket".to_owned(),
        prefix: "team/".to_owned(),
        runner_key: "artifacts/reveille-runner".to_owned(),
        runner_sha256: "0123456789abcdef".repeat(4),
    }
}

#[test]
fn the_instances_template_carries_the_on_start_script_as_it_is() {
    let rendered = render(ON_START, &preamble()).unwrap();
    assert!(
        script_of_the_template("") == rendered,
        "infra/instance.yaml does not carry infra/lifecycle/on-start.sh as it is now: run `make instance-template`"
    );
}

/// They stand where whoever changes the script writes them: after the settings, before Reveille's part. That they fit is lengths.rs's.
#[test]
fn commands_of_ones_own_run_before_reveilles_part() {
    let script = script_of_the_template("export PIP_INDEX_URL='https://pypi.internal/simple'");
    let at = |text: &str| script.find(text).unwrap_or_else(|| panic!("{text} is not in the script"));
    assert!(at("REVEILLE_RUNNER_SHA256='") < at("\nexport PIP_INDEX_URL='https://pypi.internal/simple'\n"));
    assert!(at("export PIP_INDEX_URL=") < at("set -u\n"));
}

#[test]
fn the_instances_parameters_are_as_strict_as_the_renderer() {
    let template = template("infra/instance.yaml");
    for (parameter, pattern) in [
        ("RunsPrefix", "^([A-Za-z0-9_-]+/)*$"),
        ("RunnerKey", "^$|^artifacts/reveille-runner[A-Za-z0-9._=-]*$"),
        ("RunnerSha256", "^$|^[0-9a-f]{64}$"),
    ] {
        assert_eq!(template["Parameters"][parameter]["AllowedPattern"], pattern, "{parameter}");
    }
}

/// A prefix that the function refuses fails at the last resource of a deployment. Its own test has the same prefixes.
#[test]
fn the_release_is_below_a_prefix_that_its_installer_takes() {
    let parameter = template("infra/template.yaml")["Parameters"]["ArtifactsPrefix"].clone();
    let long = format!("{}/", "a".repeat(200));
    let takes = ["", "reveille/1/", "a.b/", "-/_/", &long];
    let refuses = ["a", "../", "./", "a/.b/", "a//", "a b/", &format!("a{long}")];
    let script = "import json, re, sys\n\
        pattern, prefixes = json.load(sys.stdin)\n\
        print(json.dumps([bool(re.fullmatch(pattern, prefix)) for prefix in prefixes]))";
    let fits = |prefixes: &[&str]| python(script, &json!([parameter["AllowedPattern"], prefixes]));
    assert_eq!(fits(&takes), json!([true, true, true, true, true]));
    assert_eq!(fits(&refuses), json!([false, false, false, false, false, false, false]));
    assert_eq!(parameter["MaxLength"], 800);
    assert!(read("functions/src/install_runner/install.rs").contains("text.len() <= 800 &&"));
}

/// The unit's own limit kills the runner in the middle of what the domain says that it has time for, or later.
#[test]
fn the_runner_has_the_time_to_end_that_the_domain_says() {
    let seconds = format!("END_SECONDS={} ", RUNNER_END.as_secs());
    for file in ["infra/lifecycle/on-start.sh", "infra/instance.yaml"] {
        assert!(read(file).contains(&seconds), "{file}: {seconds}");
    }
}

/// No line of a template that no engine ever read.
#[test]
fn every_template_is_deployed_by_a_test() {
    let scenarios = rust_below("tests/e2e/tests/e2e").into_iter().map(|file| std::fs::read_to_string(file).unwrap());
    let deployed = scenarios.chain([read("crates/local/src/deploy.rs")]).collect::<String>();
    for path in templates() {
        let name = path.trim_start_matches("infra/");
        let is_named = [format!("\"{name}\""), format!("\"{path}\"")].iter().any(|text| deployed.contains(text));
        assert!(is_named, "{path}: no test deploys it; see tests/e2e/tests/e2e/stacks.rs");
    }
}

/// A folded text whose line ends within a name with a hyphen has a blank in that name.
#[test]
fn no_text_of_a_template_breaks_a_name() {
    fn texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("Description").and_then(Value::as_str));
                fields.values().for_each(|field| texts(field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
            _ => {}
        }
    }
    for name in ["template", "instance", "alarms", "trigger-run", "trigger-schedule", "trigger-upload"] {
        let template = template(&format!("infra/{name}.yaml"));
        let mut found = Vec::new();
        texts(&template, &mut found);
        assert!(!found.is_empty(), "{name}");
        for text in found {
            let words: Vec<&str> = text.split(' ').collect();
            let broken = words.windows(2).find(|two| {
                two[0].strip_suffix('-').is_some_and(|word| word.ends_with(char::is_alphanumeric))
                    && two[1].starts_with(char::is_alphanumeric)
            });
            assert_eq!(broken, None, "{name}.yaml: {text}");
        }
    }
}
