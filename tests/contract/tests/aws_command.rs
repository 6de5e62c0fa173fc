//! What the pages and the messages tell a person to type of the aws command: calls and options that version 1 has, which is what the tests
//! have, and so both versions.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use std::path::Path;

use reveille_contract_tests::{files_below, python, root};
use serde_json::{Value, json};

/// What version 2 alone has, and the words beside it that say so or why nobody else needs it.
const OF_VERSION_2: [&str; 2] = [
    // Of a profile that signs in by SSO, which only version 2 does.
    "sso login",
    // Where there is no such profile: which there are.
    "configure list-profiles",
];

/// Of texts by name: how many calls there are, and those that no aws command of version 1 knows.
const CALLS: &str = r#"
import json, re, sys
from awscli.clidriver import create_clidriver
driver = create_clidriver()
def verbs(command):
    return command.subcommand_table if hasattr(command, "subcommand_table") else command._get_command_table()
def options(command):
    return command.arg_table if hasattr(command, "arg_table") else command._get_argument_table()
services, everywhere = verbs(driver), set(options(driver))
calls, unknown = 0, []
for name, text in json.load(sys.stdin):
    # A call ends with its line, with a pipe, and where another one or a sentence begins.
    for service, rest in re.findall(r"\baws ([a-z][a-z0-9-]*) ([a-z][^\n|`;)]*)", text.replace("\\\n", " ")):
        if service not in services:
            continue
        words = rest.split("$(")[0].split(" (")[0].split()
        verb, command = words[0].strip("'\".,:"), None
        calls += 1
        path = [verb] + ([words[1].strip("'\".,:")] if verb == "wait" and len(words) > 1 else [])
        known = services[service]
        for word in path:
            known = verbs(known).get(word) if known is not None else None
        if known is None:
            unknown.append([name, f"{service} {' '.join(path)}"])
            continue
        given = [word[2:].split("=")[0].strip("'\".,:\\") for word in words if word.startswith("--")]
        unknown += [[name, f"{service} {verb} --{option}"] for option in given if option not in everywhere and option not in options(known)]
print(json.dumps([calls, unknown]))
"#;

/// How many calls the texts have, and the unknown ones.
fn calls(texts: &Value) -> (u64, Vec<(String, String)>) {
    serde_json::from_value(python(CALLS, texts)).unwrap()
}

/// Pages, and what the command and the functions say.
fn texts() -> Value {
    let folders = ["README.md", "docs", "infra", "crates", "functions"];
    let read = |file: &Path| {
        let ours = file.extension().is_some_and(|extension| extension == "md" || extension == "rs");
        ours.then(|| json!([file.strip_prefix(root()).unwrap(), std::fs::read_to_string(file).unwrap()]))
    };
    folders.iter().flat_map(|folder| files_below(&root().join(folder))).filter_map(|file| read(&file)).collect()
}

#[test]
fn each_call_is_one_that_both_versions_of_the_aws_command_have() {
    let (calls, unknown) = calls(&texts());
    assert!(calls > 150, "{calls} calls were found");
    let unknown: Vec<_> = unknown.iter().filter(|(_, call)| !OF_VERSION_2.contains(&call.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn a_call_that_version_1_lacks_is_noticed() {
    let texts = json!([
        ["a", "`aws logs tail /x --since 1d` and the aws command, aws s3 cp x y"],
        ["b", "aws sagemaker wait notebook-instance-stoped \\\n  --notebook-instance-name x"],
        ["c", "aws sqs purge-queue --queue-url \"$URL\" --queue-urls x | aws sqs purge-queue --queue-url y"],
    ]);
    let (calls, unknown) = calls(&texts);
    let unknown: Vec<(&str, &str)> = unknown.iter().map(|(name, call)| (name.as_str(), call.as_str())).collect();
    assert_eq!(calls, 5);
    let told =
        [("a", "logs tail"), ("b", "sagemaker wait notebook-instance-stoped"), ("c", "sqs purge-queue --queue-urls")];
    assert_eq!(unknown, told);
}
