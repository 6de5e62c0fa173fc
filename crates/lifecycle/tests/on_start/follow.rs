//! A script without a runner of its own starts the one that the stack names.

use std::fs;

use reveille_lifecycle::{ON_START, Preamble, render};

use crate::{RUNNER, World, sha256};

/// A world whose bucket has this record, and a runner under every other key.
fn following(record: &str) -> World {
    let mut world = World::new();
    let preamble = Preamble {
        bucket: "the-bucket".to_owned(),
        prefix: "stack/".to_owned(),
        runner_key: String::new(),
        runner_sha256: String::new(),
    };
    world.script = render(ON_START, &preamble).unwrap();
    world.file("record", record);
    let copies =
        "case \"$*\" in *runner.sha256*) from=record;; *) from=object;; esac\ncp \"$WORLD/$from\" \"${@: -1}\"";
    world.stand_in("aws", copies);
    world
}

/// The keys that were asked for.
fn asked(world: &World) -> Vec<String> {
    let of =
        |call: &Vec<String>| call.iter().find_map(|word| word.strip_prefix("s3://the-bucket/")).unwrap().to_owned();
    world.calls("aws").iter().map(of).collect()
}

#[test]
fn the_runner_is_the_one_that_the_stack_names() {
    let world = following(&format!("{}  reveille-runner-1.0.0-x86_64-0123\n", sha256(RUNNER)));
    let said = world.boot();
    assert!(said.contains("the runner is ready"), "{said}");
    assert_eq!(asked(&world), ["stack/runner.sha256", "artifacts/reveille-runner-1.0.0-x86_64-0123"]);
    assert_eq!(fs::read_to_string(world.runner()).unwrap(), RUNNER);
}

#[test]
fn at_the_next_boot_it_is_the_one_that_the_stack_names_then() {
    let world = following(&format!("{}  reveille-runner-1\n", sha256(RUNNER)));
    world.boot();
    drop_processes(&world);
    let next = format!("{RUNNER}# the next version\n");
    world.file("object", &next);
    world.file("record", &format!("{}  reveille-runner-2\n", sha256(&next)));
    let said = world.boot();
    assert!(said.contains("the runner is ready"), "{said}");
    assert_eq!(asked(&world).last().unwrap(), "artifacts/reveille-runner-2");
    let path = world.root(&format!("opt/reveille/{}/reveille-runner", sha256(&next)));
    assert_eq!(fs::read_to_string(path).unwrap(), next);
}

/// Another boot: its id is another one.
fn drop_processes(world: &World) {
    world.file("root/proc/sys/kernel/random/boot_id", "6a0cf0b4-0000-4000-8000-000000000002\n");
    let pid_file = fs::read_to_string(world.path("root/run/reveille-runner.pid")).unwrap();
    let (pid, _) = pid_file.split_once(' ').unwrap();
    assert!(std::process::Command::new("kill").args(["-KILL", "--", &format!("-{pid}")]).status().unwrap().success());
}

#[test]
fn a_runner_that_is_not_the_named_one_is_never_started() {
    let world = following(&format!("{}  reveille-runner-1\n", sha256("another")));
    let said = world.boot();
    assert!(said.contains("wrong SHA-256"), "{said}");
    assert!(world.calls("setsid").is_empty());
}

#[test]
fn a_record_that_names_anything_else_starts_nothing() {
    let sha = sha256(RUNNER);
    for record in [
        String::new(),
        "evil".to_owned(),
        format!("{sha}  ../../runs/other/1/output.ipynb\n"),
        format!("{sha}  reveille-runner/../x\n"),
        format!("{sha}  bootstrap\n"),
        format!("{sha} *reveille-runner\n"),
        format!("{}  reveille-runner\n", sha.to_uppercase()),
        format!("{sha}  reveille-runner\nREVEILLE_BUCKET=other\n"),
        format!("{sha}  reveille-runner$(touch /tmp/x)\n"),
        "x".repeat(100_000),
    ] {
        let world = following(&record);
        let said = world.boot();
        let told = "s3://the-bucket/stack/runner.sha256 names no runner. Put the release's back, as docs/errors/RunnerSilent.md says";
        assert!(said.contains(told), "{record:.90}: {said}");
        assert_eq!(asked(&world), ["stack/runner.sha256"], "{record:.90}");
        assert!(world.calls("setsid").is_empty());
    }
}

#[test]
fn a_stack_that_names_none_is_told_and_all_fetches_share_the_tries() {
    let world = following("");
    fs::remove_file(world.path("record")).unwrap();
    world.stand_in("aws", "exit 1");
    let said = world.boot();
    assert!(said.contains("s3://the-bucket/stack/runner.sha256 cannot be fetched. Look at what aws said"), "{said}");
    assert_eq!((world.calls("aws").len(), world.calls("sleep").len()), (3, 2));

    // The record at the third try, and then no more for the runner: a boot has five minutes.
    let world = following(&format!("{}  reveille-runner-1\n", sha256(RUNNER)));
    let third = "[ \"$(tr '\\036' '\\n' <\"$WORLD/calls\" | grep -c ^aws)\" = 3 ] && cp \"$WORLD/record\" \"${@: -1}\"";
    world.stand_in("aws", third);
    let said = world.boot();
    assert!(said.contains("artifacts/reveille-runner-1 cannot be fetched"), "{said}");
    assert_eq!(world.calls("aws").len(), 4);
}
