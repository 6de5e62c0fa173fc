//! What runs in a machine for the service, and which processes a machine has.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs, io,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, Stdio},
};

use super::{HOST_PATH, ROLE};
use crate::launch::Launch;

/// How long a question to a machine's manager may take, in seconds; it takes some milliseconds, and one that hangs never answers.
const ANSWER_LIMIT: &str = "10";

/// The PATH of lifecycle scripts, as AWS documents it.
const SCRIPT_PATH: &str = "/sbin:/bin:/usr/sbin:/usr/bin";

/// How a lifecycle script is run in a machine: as a unit of its own, in the machine's manager, as root, in /.
pub(crate) fn launch(
    leader: i32,
    hook: &str,
    file: &str,
    bash: bool,
    environment: &BTreeMap<String, String>,
) -> Launch {
    let mut argv: Vec<OsString> = enter(leader).into_iter().map(OsString::from).collect();
    let unit = format!("--unit=lifecycle-{hook}");
    // What a script leaves behind lives on, as on AWS.
    let fixed = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", &unit, "-p", "KillMode=process"];
    argv.extend(fixed.map(OsString::from));
    argv.extend(["-p", "WorkingDirectory=/", "--setenv=HOME=/root"].map(OsString::from));
    let passed = environment.iter().filter(|(name, _)| !ROLE.contains(&name.as_str()));
    argv.extend(passed.map(|(name, value)| OsString::from(format!("--setenv={name}={value}"))));
    argv.push(format!("--setenv=PATH={SCRIPT_PATH}").into());
    argv.push("--".into());
    argv.extend(bash.then(|| OsString::from("/bin/bash")));
    argv.push(file.into());
    let host = [("PATH".to_owned(), HOST_PATH.to_owned())];
    Launch { argv, environment: host.into(), directory: PathBuf::from("/") }
}

fn enter(leader: i32) -> Vec<String> {
    let fixed = ["--mount", "--uts", "--ipc", "--pid", "--cgroup", "--root", "--wd", "--"].map(str::to_owned);
    [vec!["nsenter".to_owned(), format!("--target={leader}")], fixed.to_vec()].concat()
}

/// A question to a machine's manager, or an order. One that it does not answer in time has no answer.
pub(super) fn inside(leader: i32) -> Command {
    let mut command = Command::new("timeout");
    command
        // `nsenter` forks, and the whole group is ended.
        .args(["--signal=KILL", ANSWER_LIMIT])
        .args(enter(leader))
        .env_clear()
        .env("PATH", HOST_PATH)
        .process_group(0)
        .stdin(Stdio::null());
    command
}

/// The processes of a machine, found by its control group.
pub(crate) fn processes(machine: &str) -> io::Result<Vec<i32>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let groups = fs::read_to_string(entry.path().join("cgroup")).unwrap_or_default();
        if groups.lines().any(|line| line.split('/').any(|part| part == machine)) {
            pids.push(pid);
        }
    }
    pids.sort_unstable();
    Ok(pids)
}
