//! What a user sets in the preamble reaches the runner, on every way that it is started, and as the very value.

use std::collections::BTreeMap;

use super::*;

/// Whatever a shell, systemd's specifiers or a line could make something else of.
const HOSTILE: &str =
    " two  words\t\"double\" 'single' `id` $(id) $HOME ${HOME} \\n %n %h %% ; & | > é\u{1f512}\nsecond line=1 ";

/// The names in the script's list, and one for each that ends in `*`.
fn names() -> Vec<String> {
    let list = ON_START.split("\nPASSED=(\n").nth(1).unwrap().split("\n)\n").next().unwrap();
    let names: Vec<String> =
        list.split_whitespace().map(|name| name.trim_matches('\'').replace('*', "_AND_MORE")).collect();
    assert!(names.len() > 10, "{names:?}");
    names
}

/// A word that bash reads as this value.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// The settings that were passed beyond the script's own, by each way of starting.
fn passed(world: &World) -> BTreeMap<String, String> {
    let (program, prefix) = match (world.calls("systemd-run").as_slice(), world.calls("setsid").as_slice()) {
        ([unit], []) => (unit.clone(), "--setenv="),
        ([], [command]) => (command.clone(), ""),
        (units, commands) => panic!("{units:?} {commands:?}"),
    };
    let settings = program.iter().filter_map(|argument| argument.strip_prefix(prefix)?.split_once('='));
    let own = world.settings();
    settings
        .filter(|(name, value)| !own.contains(&format!("{name}={value}")))
        .filter(|(name, _)| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
        // What the ways without systemd set of a login.
        .filter(|(name, _)| !["HOME", "USER", "LOGNAME"].contains(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn each_way() -> [World; 3] {
    [World::new().systemd(), World::new().run_by_root(), World::new()]
}

#[test]
fn every_documented_setting_reaches_the_runner_on_every_way() {
    let expected: BTreeMap<String, String> =
        names().into_iter().map(|name| (name.clone(), format!("{HOSTILE}{name}"))).collect();
    for mut world in each_way() {
        let lines: Vec<String> = expected
            .iter()
            .enumerate()
            // Exported or not.
            .map(|(index, (name, value))| {
                format!("{}{name}={}", if index % 2 == 0 { "export " } else { "" }, quoted(value))
            })
            .collect();
        world.in_the_preamble(&lines.join("\n"));
        let said = world.boot();
        assert!(said.contains("the runner is ready"), "{said}");
        assert_eq!(passed(&world), expected);
        assert!(said.contains("passed on to the runner: REVEILLE_PYTHON"), "{said}");
        assert!(!said.contains("second line"), "no value is shown: {said}");
    }
}

#[test]
fn what_the_script_itself_was_given_is_passed_on_too() {
    for mut world in each_way() {
        let script = format!("export HTTPS_PROXY='http://proxy:3128'\nexec bash {}\n", world.path("real").display());
        fs::write(world.path("real"), &world.script).unwrap();
        world.script = script;
        world.boot();
        assert_eq!(passed(&world), [("HTTPS_PROXY".to_owned(), "http://proxy:3128".to_owned())].into());
    }
}

#[test]
fn an_empty_setting_is_a_setting_and_one_that_is_not_set_is_none() {
    for mut world in each_way() {
        world.in_the_preamble("https_proxy=\nunset NO_PROXY");
        world.boot();
        assert_eq!(passed(&world), [("https_proxy".to_owned(), String::new())].into());
    }
}

/// systemd refuses a whole unit for one such value.
#[test]
fn a_value_that_systemd_would_refuse_is_left_out_and_told() {
    for mut world in each_way() {
        world.in_the_preamble(concat!(
            "export AWS_CA_BUNDLE=$'/etc/\\x07bundle-secret'\n",
            "PIP_INDEX_URL=$'https://pypi.internal-secret/\\r'\n",
            "REVEILLE_PYTHON=$'/opt/\\xff-secret/python'\n",
            "NO_PROXY='.internal'",
        ));
        let said = world.boot();
        for name in ["AWS_CA_BUNDLE", "PIP_INDEX_URL", "REVEILLE_PYTHON"] {
            assert!(said.contains(&format!("{name} is not passed on to the runner")), "{said}");
        }
        assert!(!said.contains("-secret"), "{said}");
        assert!(said.contains("the runner is ready"), "{said}");
        assert_eq!(passed(&world), [("NO_PROXY".to_owned(), ".internal".to_owned())].into());
    }
}

#[test]
fn nothing_else_is_passed_to_a_unit() {
    let mut world = World::new().systemd();
    world.in_the_preamble("export AWS_SESSION_TOKEN=hidden MY_OWN=1 AWS_PROFILE=x PIPELINE=1 XPIP_INDEX_URL=1");
    let said = world.boot();
    assert_eq!(passed(&world), BTreeMap::new());
    assert!(!said.contains("passed on to the runner"), "{said}");
}

/// With a proxy set, the aws command asks it for the role's credentials too, unless it is told not to.
#[test]
fn the_runner_is_fetched_through_the_proxy_and_credentials_are_not() {
    for (set, expected) in [
        ("", "169.254.169.254,localhost,127.0.0.1"),
        ("NO_PROXY=.internal", ".internal,169.254.169.254,localhost,127.0.0.1"),
        ("NO_PROXY=.upper no_proxy=.lower", ".lower,169.254.169.254,localhost,127.0.0.1"),
    ] {
        let mut world = World::new().systemd();
        world.in_the_preamble(&format!("HTTPS_PROXY=http://proxy:3128 {set}"));
        let record = "printf '%s %s %s %s' \"$HTTPS_PROXY\" \"$NO_PROXY\" \"$no_proxy\" \
                      \"$AWS_S3_US_EAST_1_REGIONAL_ENDPOINT\" >\"$WORLD/proxies\"";
        world.stand_in("aws", &format!("{record}; cp \"$WORLD/object\" \"${{@: -1}}\""));
        world.boot();
        let proxies = fs::read_to_string(world.path("proxies")).unwrap();
        assert_eq!(proxies, format!("http://proxy:3128 {expected} {expected} regional"), "by the region's own name");
        let mut settings = passed(&world);
        assert_eq!(settings.remove("HTTPS_PROXY").as_deref(), Some("http://proxy:3128"));
        let as_set: BTreeMap<String, String> = set
            .split_whitespace()
            .filter_map(|setting| setting.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        assert_eq!(settings, as_set, "what was set, and nothing more");
    }
}
