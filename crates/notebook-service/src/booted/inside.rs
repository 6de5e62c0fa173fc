//! What runs in a machine for the service, and which processes a machine has.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use rustix::io::Errno;

use super::{HOST_PATH, ROLE};
use crate::launch::Launch;

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

/// A question to a machine's manager, or an order. One that it does not answer within the limit has no answer.
pub(super) fn inside(leader: i32, limit: Duration) -> Command {
    let mut command = Command::new("timeout");
    command
        // `nsenter` forks, and the whole group is ended.
        .arg("--signal=KILL")
        // Nought would be no limit.
        .arg(format!("{:.3}", limit.as_secs_f64().max(0.1)))
        .args(enter(leader))
        .env_clear()
        .env("PATH", HOST_PATH)
        .process_group(0)
        .stdin(Stdio::null());
    command
}

/// Where control groups are: of version 2, or where there are both, those of systemd's own hierarchy. The keeper makes a group of
/// the machine's name in it, and the machine's systemd makes others below that.
const GROUPS: [(&str, &str); 2] =
    [("/sys/fs/cgroup/cgroup.controllers", "/sys/fs/cgroup"), ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/systemd")];
/// No machine nests its control groups nearly as deep.
const DEEPEST: u32 = 32;

/// The processes of a machine: those in its control group. One that has ended has none.
pub(crate) fn processes(machine: &str) -> io::Result<Vec<i32>> {
    let there = GROUPS.into_iter().find(|(mark, _)| Path::new(mark).exists());
    let (_, groups) = there.ok_or_else(|| io::Error::other("there are no control groups below /sys/fs/cgroup"))?;
    let mut pids = Vec::new();
    collect(&Path::new(groups).join(machine), DEEPEST, &mut pids)?;
    pids.sort_unstable();
    pids.dedup();
    Ok(pids)
}

/// A group that goes away meanwhile had no process left.
fn collect(group: &Path, deepest: u32, pids: &mut Vec<i32>) -> io::Result<()> {
    let gone = |error: &io::Error| {
        matches!(error.kind(), io::ErrorKind::NotFound) || Errno::from_io_error(error) == Some(Errno::NODEV)
    };
    match fs::read_to_string(group.join("cgroup.procs")) {
        Ok(lines) => pids.extend(lines.lines().filter_map(|line| line.parse::<i32>().ok())),
        Err(error) if gone(&error) => return Ok(()),
        Err(error) => return Err(error),
    }
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if deepest > 0 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), deepest - 1, pids)?;
        }
    }
    Ok(())
}
