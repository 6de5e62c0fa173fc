//! The rendered on-start script, run by bash in a folder that stands for `/`, with recorded stand-ins for
//! what it calls: on an instance with systemd, on one without, and on a laptop.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use reveille_lifecycle::{ON_START, Preamble, render};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

mod follow;
mod settings;

/// A runner that is ready at once, shows its environment, and lives as long as the test's folder. Ten minutes later it ends in any
/// case, so that a script that waits for it ends too, and is found out.
const RUNNER: &str = "#!/bin/bash\nenv >\"$REVEILLE_READY_FILE.env\"\necho $$ >\"$REVEILLE_READY_FILE.pid\"\n\
    touch \"$REVEILLE_READY_FILE\"\n\
    for ((i = 0; i < 6000; i++)); do [ -e \"$REVEILLE_READY_FILE.pid\" ] || break; /bin/sleep 0.1; done\n";
/// Calls end with the byte 1E and arguments with 1F, so that a line feed in an argument is one. One call is recorded at a time:
/// the runner is started in the background while the script goes on and sleeps.
const RECORD: &str = "#!/bin/bash\n{ flock 9; printf '%s' \"${0##*/}\"; printf '\\x1f%s' \"$@\"; printf '\\x1e'; } 9>>\"$WORLD/calls\" >&9\n";

fn sha256(content: &str) -> String {
    Sha256::digest(content).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// A fake instance.
struct World {
    folder: TempDir,
    script: String,
    sha: String,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sha = sha256(RUNNER);
        let preamble = Preamble {
            bucket: "the-bucket".to_owned(),
            prefix: "stack/".to_owned(),
            runner_key: "stack/runner/reveille-runner".to_owned(),
            runner_sha256: sha.clone(),
        };
        let world = Self { script: render(ON_START, &preamble).unwrap(), folder, sha };
        world.file("object", RUNNER);
        let arn = "arn:aws:sagemaker:eu-west-3:123456789012:notebook-instance/nightly";
        let metadata = format!(r#"{{"ResourceArn": "{arn}", "ResourceName": "nightly"}}"#);
        world.file("root/opt/ml/metadata/resource-metadata.json", &metadata);
        world.file("root/proc/sys/kernel/random/boot_id", "6a0cf0b4-0000-4000-8000-000000000001\n");
        world.stand_in("aws", "cp \"$WORLD/object\" \"${@: -1}\"");
        // A retry's pause is recorded, not waited for.
        world.stand_in("sleep", "exec /bin/sleep 0.05");
        world.stand_in("chown", "");
        world.stand_in("setsid", "exec \"$(PATH=/usr/bin:/bin command -v setsid)\" \"$@\"");
        world.stand_in("id", "echo 1000");
        world.stand_in("runuser", "shift 3; exec \"$@\"");
        // Absent unless a test says otherwise, whatever the machine has.
        world.stand_in("systemctl", "[ -e \"$WORLD/active\" ]");
        let ready = "touch \"$WORLD/active\" \"$WORLD/root/run/reveille/ready\"";
        world.stand_in("systemd-run", ready);
        world
    }

    fn systemd(self) -> Self {
        fs::create_dir_all(self.path("root/run/systemd/system")).unwrap();
        self.run_by_root()
    }

    fn run_by_root(self) -> Self {
        self.stand_in("id", "case \"$*\" in -u) echo 0;; *) echo 1000;; esac");
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn root(&self, path: &str) -> String {
        self.path("root").join(path).display().to_string()
    }

    fn runner(&self) -> String {
        self.root(&format!("opt/reveille/{}/reveille-runner", self.sha))
    }

    fn file(&self, name: &str, content: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), content).unwrap();
    }

    fn stand_in(&self, name: &str, behaviour: &str) {
        self.program(&format!("bin/{name}"), &format!("{RECORD}{behaviour}\n"));
    }

    /// Written by a process of its own: what this one writes cannot be executed ("text file busy") while a child that
    /// another test forks in that moment has inherited the open file.
    fn program(&self, name: &str, content: &str) {
        let text = format!("{name}.text");
        self.file(&text, content);
        let mut install = Command::new("install");
        install.args(["-m", "755"]).arg(self.path(&text)).arg(self.path(name));
        assert!(install.status().unwrap().success());
        fs::remove_file(self.path(&text)).unwrap();
    }

    /// Runs the script to the end of its output: not before every process closed it.
    fn boot(&self) -> String {
        let script = self.path("on-start");
        fs::write(&script, &self.script).unwrap();
        let Output { status, stdout, stderr } = Command::new("bash")
            .arg(&script)
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", self.path("bin").display()))
            .env("REVEILLE_ROOT", self.path("root"))
            .env("WORLD", self.folder.path())
            .env("AWS_SECRET_ACCESS_KEY", "hidden-secret")
            .current_dir("/")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8(stdout).unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert!(status.success(), "{status}: {said}{stderr}");
        // The script does not wait for the runner's end.
        if let Ok(runner) = fs::read_to_string(self.path("root/run/reveille/ready.pid")) {
            assert!(fs::exists(format!("/proc/{}", runner.trim())).unwrap(), "the runner ended before the script");
        }
        assert_eq!(stderr, "", "{said}");
        assert!(!said.contains("hidden-secret"));
        let logged = fs::read_to_string(self.path("root/var/log/reveille-on-start.log")).unwrap();
        let last = said.lines().last().unwrap().strip_prefix("reveille: ").unwrap();
        assert!(logged.contains(last), "{logged}");
        said
    }

    /// The recorded calls of one stand-in, each as its argument vector.
    fn calls(&self, name: &str) -> Vec<Vec<String>> {
        let calls = fs::read_to_string(self.path("calls")).unwrap_or_default();
        let vectors =
            calls.split_terminator('\x1e').map(|line| line.split('\x1f').map(str::to_owned).collect::<Vec<_>>());
        vectors.filter(|vector| vector[0] == name).map(|vector| vector[1..].to_vec()).collect()
    }

    fn settings(&self) -> Vec<String> {
        vec![
            "REVEILLE_BUCKET=the-bucket".to_owned(),
            "REVEILLE_PREFIX=stack/".to_owned(),
            "AWS_REGION=eu-west-3".to_owned(),
            "AWS_DEFAULT_REGION=eu-west-3".to_owned(),
            format!("REVEILLE_READY_FILE={}", self.root("run/reveille/ready")),
        ]
    }

    /// Puts lines below the preamble, as a user does.
    fn in_the_preamble(&mut self, lines: &str) {
        let place = format!("REVEILLE_RUNNER_SHA256='{}'\n", self.sha);
        assert!(self.script.contains(&place));
        self.script = self.script.replace(&place, &format!("{place}{lines}\n"));
    }

    fn runner_environment(&self) -> String {
        fs::read_to_string(self.path("root/run/reveille/ready.env")).unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let pid_file = fs::read_to_string(self.path("root/run/reveille-runner.pid")).unwrap_or_default();
        if let Some((pid, _)) = pid_file.split_once(' ') {
            // The runner leads a session and so a group of its own.
            let _ended = Command::new("kill").args(["-KILL", "--", &format!("-{pid}")]).stderr(Stdio::null()).status();
        }
    }
}

fn strings(items: &[&str]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

#[test]
fn with_systemd_the_runner_is_a_unit() {
    let world = World::new().systemd();
    let said = world.boot();
    assert!(said.contains("the runner is ready"), "{said}");
    let aws = world.calls("aws");
    assert_eq!(aws.len(), 1);
    let download = aws[0].last().unwrap().clone();
    assert!(download.starts_with(&world.root(&format!("opt/reveille/{}/.download.", world.sha))), "{download}");
    let mut fetch =
        strings(&["s3", "cp", "--only-show-errors", "--cli-connect-timeout", "10", "--cli-read-timeout", "30"]);
    fetch.extend(["s3://the-bucket/stack/runner/reveille-runner".to_owned(), download]);
    assert_eq!(aws[0], fetch);

    let log = world.root("var/log/reveille-runner.log");
    let mut unit = strings(&["--quiet", "--unit=reveille-runner", "--collect", "--uid=ec2-user", "--gid=ec2-user"]);
    unit.extend(strings(&["--description=Reveille runner", "-p", "Restart=on-failure", "-p", "RestartSec=5"]));
    unit.extend(strings(&["-p", "OOMPolicy=continue", "-p", "KillMode=mixed", "-p", "TimeoutStopSec=60"]));
    unit.extend(strings(&["-p", "After=network.target", "-p", "After=nss-lookup.target"]));
    unit.extend(["-p".to_owned(), format!("StandardOutput=append:{log}")]);
    unit.extend(["-p".to_owned(), format!("StandardError=append:{log}")]);
    unit.extend(world.settings().into_iter().map(|setting| format!("--setenv={setting}")));
    unit.push(world.runner());
    assert_eq!(world.calls("systemd-run"), [unit]);
    assert_eq!(world.calls("chown"), [[String::from("ec2-user"), world.root("run/reveille")]]);
    assert!(world.calls("runuser").is_empty() && world.calls("setsid").is_empty());
    assert_eq!(fs::read_to_string(world.runner()).unwrap(), RUNNER);
    assert_eq!(fs::metadata(world.runner()).unwrap().permissions().mode() & 0o7777, 0o755);
}

#[test]
fn without_systemd_it_runs_as_the_instances_user() {
    let world = World::new().run_by_root();
    let said = world.boot();
    assert!(said.contains("the runner is ready"), "{said}");
    let mut runuser = strings(&["-u", "ec2-user", "--", "env"]);
    runuser.extend([
        format!("HOME={}", world.root("home/ec2-user")),
        "USER=ec2-user".into(),
        "LOGNAME=ec2-user".into(),
    ]);
    runuser.extend(world.settings());
    runuser.push(world.runner());
    assert_eq!(world.calls("runuser"), [runuser.clone()]);
    let setsid: Vec<String> = strings(&["nohup", "runuser"]).into_iter().chain(runuser).collect();
    assert_eq!(world.calls("setsid"), [setsid]);
    assert!(world.calls("systemd-run").is_empty());
    let environment = world.runner_environment();
    for setting in world.settings() {
        assert!(environment.lines().any(|line| line == setting), "{setting}: {environment}");
    }
}

#[test]
fn on_a_laptop_it_runs_as_whoever_we_are() {
    let world = World::new();
    let said = world.boot();
    assert!(said.contains("the runner is ready"), "{said}");
    let mut setsid = strings(&["nohup", "env"]);
    setsid.extend(world.settings());
    setsid.push(world.runner());
    assert_eq!(world.calls("setsid"), [setsid]);
    assert!(
        world.calls("runuser").is_empty() && world.calls("systemd-run").is_empty() && world.calls("chown").is_empty()
    );
    let root = format!("REVEILLE_ROOT={}", world.path("root").display());
    assert!(world.runner_environment().lines().any(|line| line == root), "the rest of the environment is inherited");
}

#[test]
fn an_object_with_another_checksum_is_never_started() {
    let world = World::new();
    world.file("object", "#!/bin/bash\necho evil\n");
    let said = world.boot();
    assert!(said.contains("wrong SHA-256). Put the release's back, as docs/errors/RunnerSilent.md says"), "{said}");
    assert!(said.contains(". Find out who wrote that object. The instance itself comes up as usual."), "{said}");
    assert!(world.calls("setsid").is_empty());
    let folder = world.root(&format!("opt/reveille/{}", world.sha));
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "and is not kept");
}

#[test]
fn a_fetch_that_fails_is_repeated_a_little() {
    let world = World::new();
    fs::remove_file(world.path("object")).unwrap();
    world.stand_in("aws", "exit 1");
    let said = world.boot();
    assert_eq!(world.calls("aws").len(), 3);
    assert_eq!(world.calls("sleep"), [["2"], ["4"]]);
    assert!(said.contains("THE RUNNER IS NOT STARTED") && said.contains("the instance's role may read it"), "{said}");
    assert!(world.calls("setsid").is_empty());
}

#[test]
fn a_fetch_that_succeeds_at_last_is_good() {
    let world = World::new();
    world.stand_in(
        "aws",
        "[ \"$(tr '\\036' '\\n' <\"$WORLD/calls\" | grep -c ^aws)\" = 3 ] && cp \"$WORLD/object\" \"${@: -1}\"",
    );
    assert!(world.boot().contains("the runner is ready"));
}

#[test]
fn a_second_time_on_the_same_boot_nothing_is_started() {
    for world in [World::new(), World::new().systemd()] {
        world.boot();
        let started = (world.calls("setsid").len(), world.calls("systemd-run").len());
        let said = world.boot();
        assert!(said.contains("runs already"), "{said}");
        assert_eq!((world.calls("setsid").len(), world.calls("systemd-run").len()), started);
    }
}

#[test]
fn a_runner_that_is_there_already_is_not_fetched_again() {
    let world = World::new();
    world.program(&format!("root/opt/reveille/{}/reveille-runner", world.sha), RUNNER);
    // A pid file of an earlier boot, whose number is another process today.
    world.file("root/run/reveille-runner.pid", &format!("{} another-boot\n", std::process::id()));
    assert!(world.boot().contains("the runner is ready"));
    assert!(world.calls("aws").is_empty());
}

#[test]
fn a_runner_that_ends_at_once_is_told_and_the_boot_goes_on() {
    let mut world = World::new();
    let broken = "#!/bin/bash\necho 'cannot bind' >&2\nexit 1\n";
    let sha = sha256(broken);
    world.script = world.script.replace(&world.sha, &sha);
    world.file("object", broken);
    let said = world.boot();
    assert!(said.contains("ended before it was ready"), "{said}");
    assert!(fs::read_to_string(world.root("var/log/reveille-runner.log")).unwrap().contains("cannot bind"));
}

#[test]
fn systemd_refusing_the_unit_is_told() {
    let world = World::new().systemd();
    world.stand_in("systemd-run", "exit 1");
    let said = world.boot();
    assert!(said.contains("systemd-run refused") && said.contains("journalctl"), "{said}");
}

#[test]
fn without_a_region_or_a_preamble_nothing_is_started() {
    let world = World::new();
    fs::remove_file(world.path("root/opt/ml/metadata/resource-metadata.json")).unwrap();
    assert!(world.boot().contains("the region is unknown"));

    let mut bare = World::new();
    bare.script = ON_START.to_owned();
    assert!(bare.boot().contains("lacks its preamble"));
    for world in [world, bare] {
        assert!(world.calls("aws").is_empty() && world.calls("setsid").is_empty());
    }
}
