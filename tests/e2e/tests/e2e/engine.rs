//! Instances that nobody has equipped: the engine is made there, from PyPI or from the archive in the runs bucket.
//!
//! Everywhere else the local AWS names a Python that has papermill, so that a run takes seconds.

use std::env;
use std::fmt::Write;
use std::path::PathBuf;

use reveille_e2e_tests::{LocalAws, Notebook};
use serde_json::Value;

use crate::Scenario;

/// In this order, and in one scenario: the archive that the second instance gets would serve the first.
pub const ALL: &[Scenario] = &[("engine::it_is_made_from_pypi_and_without_pypi_from_the_runs_bucket", |h, w| {
    h.block_on(async {
        from_pypi(w).await;
        from_the_bucket(w).await;
    });
})];

/// What pip needs to reach the package index from here, of what this process was told.
const WAY_TO_PYPI: [&str; 16] = [
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_TRUSTED_HOST",
    "PIP_CERT",
    "PIP_CONFIG_FILE",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_PROXY",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "NO_PROXY",
    "no_proxy",
];
/// Nothing listens there.
const NO_PYPI: [(&str, &str); 3] =
    [("PIP_INDEX_URL", "http://127.0.0.1:9/simple"), ("PIP_RETRIES", "0"), ("PIP_CONFIG_FILE", "/dev/null")];
const HOME: &str = ".reveille/engine";

/// The Python that stands for conda's: the one that .venv was made with, which has no packages of ours.
async fn bare_python(world: &LocalAws) -> PathBuf {
    let mut python = tokio::process::Command::new(world.local().project().tools().join("python"));
    python.args(["-I", "-c", "import os, sys; print(os.path.realpath(sys.executable))"]);
    let output = python.output().await.expect("`make setup` has run");
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

/// An instance as AWS makes it: nothing is equipped, conda is there anew at each boot, and `aws` is on the path.
async fn bare_instance(world: &LocalAws, name: &str, variables: &[(&str, String)]) {
    let aws = world.local().project().tools().join("aws");
    let mut commands = format!(
        "unset REVEILLE_PYTHON\n\
         conda=\"$REVEILLE_ROOT/home/ec2-user/anaconda3/envs/python3/bin\"\n\
         mkdir -p \"$conda\" \"$REVEILLE_ROOT/usr/bin\"\n\
         ln -sf '{python}' \"$conda/python\"\n\
         ln -sf '{aws}' \"$REVEILLE_ROOT/usr/bin/aws\"\n\
         PATH=\"$REVEILLE_ROOT/usr/bin:/usr/bin:/bin\"\n",
        python = bare_python(world).await.display(),
        aws = aws.display(),
    );
    for (name, value) in variables {
        assert!(!value.contains('\''), "{name}");
        writeln!(commands, "export {name}='{value}'").unwrap();
    }
    world.local().create_instance_with_commands(name, &commands).await.expect("the instance is created");
    world.put_notebook(name, "run.ipynb", &Notebook::of(&["import sys\nopen('prefix', 'w').write(sys.prefix)"]));
}

fn way_to_pypi() -> Vec<(&'static str, String)> {
    WAY_TO_PYPI.into_iter().filter_map(|name| Some((name, env::var(name).ok()?))).collect()
}

/// What the runner of the instance's last boot has said.
fn runner_log(world: &LocalAws, instance: &str) -> String {
    let root = world.local().service().machine(instance).root().to_owned();
    std::fs::read_to_string(root.join("var/log/reveille-runner.log")).unwrap_or_default()
}

/// Asserts that the environment in the folder that persists is whole and ran the notebook.
async fn assert_made(world: &LocalAws, instance: &str, from: &str) {
    let folder = world.local().notebooks(instance).join(HOME);
    let marker =
        std::fs::read_to_string(folder.join(".reveille-complete")).expect("the environment is marked as whole");
    assert_eq!(marker.trim().len(), 64, "by the fingerprint of its pins: {marker}");
    assert_eq!(world.file(instance, "prefix").await, folder.display().to_string(), "its kernel ran the notebook");
    let log = runner_log(world, instance);
    let line = log.lines().find(|line| line.contains("making the engine's environment")).expect("a line in the log");
    assert!(line.contains(from), "{log}");
    let beside: Vec<_> =
        std::fs::read_dir(folder.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(beside.iter().all(|name| name == "engine" || name == "work"), "nothing else is left: {beside:?}");
}

/// Runs the notebook once more; where that fails, the runner's log says why.
async fn assert_runs(world: &LocalAws, instance: &str) {
    let run = world.run(instance).await;
    if run.ended().await.status != "SUCCEEDED" {
        eprintln!("{}", runner_log(world, instance));
    }
    run.assert_succeeded(instance).await;
}

async fn from_pypi(world: &LocalAws) {
    bare_instance(world, "engine-pypi", &way_to_pypi()).await;
    let run = world.run("engine-pypi").await;
    let ended = run.ended().await;
    // Nobody can fetch from PyPI without a way there, which continuous integration has.
    if ended.cause.contains("No matching distribution") && env::var("CI").is_ok_and(|ci| ci != "true") {
        eprintln!("skipped: {}", ended.cause);
        return;
    }
    if ended.status != "SUCCEEDED" {
        eprintln!("{}", runner_log(world, "engine-pypi"));
    }
    run.assert_succeeded("engine-pypi").await;
    assert_made(world, "engine-pypi", "the package index").await;
    world.assert_at_rest("engine-pypi", 1).await;

    // Another version of Reveille, with other pins, made the environment: it is renewed.
    let marker = world.local().notebooks("engine-pypi").join(HOME).join(".reveille-complete");
    let fingerprint = std::fs::read_to_string(&marker).unwrap();
    std::fs::write(&marker, "").unwrap();
    assert_runs(world, "engine-pypi").await;
    assert_eq!(std::fs::read_to_string(&marker).unwrap(), fingerprint);

    // Now nothing is made any more, and the environment serves a boot with no way to PyPI, whose conda is a new one.
    assert_runs(world, "engine-pypi").await;
    assert!(!runner_log(world, "engine-pypi").contains("making the engine's environment"), "it persists");
    world.assert_at_rest("engine-pypi", 3).await;
}

/// Types the message's commands word for word.
async fn from_the_bucket(world: &LocalAws) {
    let cut_off: Vec<_> = NO_PYPI.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
    bare_instance(world, "engine-bucket", &cut_off).await;
    let run = world.run("engine-bucket").await;
    let ended = run.assert_failed("engine-bucket", "Internal").await;
    world.assert_at_rest("engine-bucket", 1).await;
    let message: Value = serde_json::from_str(&ended.cause).expect("the cause is JSON");
    let message = message["errorMessage"].as_str().unwrap().to_owned();
    for part in ["there is no s3://", "No matching distribution", "If the instance has no way to PyPI"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    let commands: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    assert_eq!(commands.len(), 2, "make wheelhouse, and aws s3 cp: {message}");
    for command in commands {
        let output = world.type_in(command).await;
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }

    assert_runs(world, "engine-bucket").await;
    assert_made(world, "engine-bucket", &format!("s3://{}/artifacts/reveille-engine-", world.local().bucket())).await;
    world.assert_at_rest("engine-bucket", 2).await;

    // Whatever else is there is not installed. (Renewed, because its marker is another.)
    let archives = world.keys("artifacts/reveille-engine-").await;
    world.put_object(world.local().bucket(), &archives[0], b"<html>The proxy says no.</html>").await;
    let folder = world.local().notebooks("engine-bucket").join(HOME);
    std::fs::write(folder.join(".reveille-complete"), "other pins").unwrap();
    assert_runs(world, "engine-bucket").await;
    let log = runner_log(world, "engine-bucket");
    assert!(log.contains("the archive cannot be used") && log.contains("instead"), "the old one remains in use: {log}");
    std::fs::remove_dir_all(&folder).unwrap();
    let run = world.run("engine-bucket").await;
    let ended = run.assert_failed("engine-bucket", "Internal").await;
    assert!(
        ended.cause.contains("the archive cannot be used") && ended.cause.contains("No matching"),
        "{}",
        ended.cause
    );
}
