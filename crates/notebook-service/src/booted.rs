//! Instances as machines that really boot: a copy-on-write root, booted by `systemd-nspawn`, with a boot id of its own.
//!
//! Owns the machines of one service: what each finds on its disk, its keeper (`machines/keeper.sh`, which ends it when this
//! process is gone, kill -9 included), its start and its end. It needs root and Linux control groups, and shares the host's
//! network, so that a machine reaches the local AWS on 127.0.0.1.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsString,
    fs::{self, File},
    io::{self, BufRead, BufReader, Write},
    os::unix::{
        fs::{OpenOptionsExt, lchown, symlink},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use crate::{
    Machine,
    config::Machines,
    host::{Boot, Launch},
    network::{Endpoint, Network},
    processes::KillError,
    uuid,
};

const KEEPER: &str = include_str!("../machines/keeper.sh");
/// Written by `machines/build-root.sh` when a root is whole.
const ROOT_STAMP: &str = "etc/reveille-root";
/// How long a machine may take until it is up; it takes one second, on a busy laptop ten.
const UP_LIMIT: Duration = Duration::from_mins(1);
/// How long services may take to end after a Stop; systemd itself would wait for 90 s.
const POWER_OFF_LIMIT: Duration = Duration::from_secs(10);
/// How long the last processes may take to feel SIGKILL.
const KILL_LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);
/// How much of the end of its console is told of a machine that does not come up.
const CONSOLE_END: usize = 1500;
/// `ec2-user` in the roots that `machines/build-root.sh` makes.
const USER: u32 = 1000;
/// What stands for the instance's role: on AWS every process gets its credentials from the metadata service. Everything
/// else in the configured environment is the lifecycle script's only, as on AWS.
const ROLE: [&str; 4] =
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_EC2_METADATA_DISABLED"];
/// The unit of the instance's Jupyter server, in the root.
const JUPYTER: &str = "jupyter-server.service";
/// The bundle of certificates that the host trusts, which a machine trusts too.
const BUNDLE: &str = "etc/ssl/certs/ca-certificates.crt";

/// The machines of one service.
pub(crate) struct Booted {
    options: Machines,
    folder: PathBuf,
    running: Mutex<Running>,
    /// Subnets without a way to the internet, and what is reached from each.
    subnets: Mutex<HashMap<String, Vec<Endpoint>>>,
}

/// What a machine is booted for.
pub(crate) struct Named<'a> {
    pub(crate) name: &'a str,
    pub(crate) arn: &'a str,
    pub(crate) subnet: Option<&'a str>,
}

#[derive(Default)]
struct Running {
    /// Nothing boots any more.
    closing: bool,
    /// By their names.
    machines: HashMap<String, Kept>,
}

/// A keeper and its machine.
struct Kept {
    keeper: Child,
    life_line: Option<ChildStdin>,
    /// Its endpoints, in a subnet.
    network: Option<Network>,
}

impl Kept {
    /// Waits until the keeper has taken everything down.
    fn gone_within(&mut self, limit: Duration) -> bool {
        let begun = Instant::now();
        loop {
            // A child that cannot be waited for any more is gone.
            if !matches!(self.keeper.try_wait(), Ok(None)) {
                return true;
            }
            if begun.elapsed() > limit {
                return false;
            }
            thread::sleep(POLL);
        }
    }
}

/// What is missing here for machines; `None`: nothing.
pub(crate) fn missing(options: &Machines) -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("machines are booted by root only; run this with sudo".to_owned());
    }
    let found =
        |program: &str| ["/usr/bin", "/bin", "/usr/sbin"].iter().any(|folder| Path::new(folder).join(program).exists());
    if let Some(program) =
        ["systemd-nspawn", "nsenter", "unshare", "setpriv"].into_iter().find(|program| !found(program))
    {
        return Some(format!("{program} is missing; install it (Debian: apt install systemd-container util-linux)"));
    }
    let groups = ["/sys/fs/cgroup/cgroup.controllers", "/sys/fs/cgroup/systemd/cgroup.procs"];
    if !groups.iter().any(|file| Path::new(file).exists()) {
        return Some("there are no control groups below /sys/fs/cgroup; mount them".to_owned());
    }
    let stamp = options.root.join(ROOT_STAMP);
    (!stamp.exists()).then(|| format!("{} is no root of machines; build it with make root", options.root.display()))
}

impl Booted {
    pub(crate) fn new(options: Machines, folder: PathBuf) -> Self {
        // What a service that was killed together with a keeper left behind.
        let _ = fs::remove_dir_all(&folder);
        Self { options, folder, running: Mutex::default(), subnets: Mutex::default() }
    }

    /// Makes a subnet without a way to the internet, or changes what is reached from it at the next boots.
    pub(crate) fn set_subnet(&self, subnet: String, endpoints: Vec<Endpoint>) {
        self.subnets.lock().unwrap_or_else(PoisonError::into_inner).insert(subnet, endpoints);
    }

    fn subnet(&self, named: &Named<'_>) -> Option<Vec<Endpoint>> {
        self.subnets.lock().unwrap_or_else(PoisonError::into_inner).get(named.subnet?).cloned()
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Boots a machine and waits until it is up. Blocks for a second or more.
    pub(crate) fn boot(
        &self,
        disk: &Machine,
        named: &Named<'_>,
        environment: &BTreeMap<String, String>,
        console: &Path,
    ) -> io::Result<Boot> {
        let machine = format!("reveille-{}", &uuid::fresh()?.replace('-', "")[..16]);
        let folder = self.folder.join(&machine);
        let subnet = self.subnet(named);
        let notebooks = disk.notebooks();
        let prepared = write_upper(&folder.join("upper"), named, environment, subnet.is_some())
            .and_then(|()| fs::create_dir_all(&notebooks))
            .and_then(|()| give(&notebooks, USER));
        if let Err(error) = prepared {
            // No keeper removes it; where the disk is full, half of it is there.
            let _ = fs::remove_dir_all(&folder);
            return Err(error);
        }
        let network = if subnet.is_some() { "private" } else { "host" };
        let leader = self.keep(&machine, &folder, (&notebooks, network), console)?;
        match leader.recv_timeout(UP_LIMIT) {
            Ok(Some(leader)) => {
                let boot = self.wait_until_up(&machine, leader, console)?;
                if let Some(endpoints) = subnet {
                    let network = Network::open(leader, &endpoints)
                        .map_err(|error| self.told(&machine, console, &format!("its endpoints: {error}")))?;
                    // One that is not there any more is being ended.
                    if let Some(kept) = self.running().machines.get_mut(&machine) {
                        kept.network = Some(network);
                    }
                }
                Ok(boot)
            }
            Ok(None) => Err(self.told(&machine, console, "it ended before it had a process")),
            Err(_) => {
                let why = format!("it had no process within {} s", UP_LIMIT.as_secs());
                Err(self.told(&machine, console, &why))
            }
        }
    }

    /// Starts the keeper; what is received is the machine's first process.
    fn keep(
        &self,
        machine: &str,
        folder: &Path,
        (notebooks, network): (&Path, &str),
        console: &Path,
    ) -> io::Result<mpsc::Receiver<Option<i32>>> {
        console.parent().map_or(Ok(()), fs::create_dir_all)?;
        // Of the last boot only: a console is not a log that grows.
        File::create(console)?;
        // Both the machine and its keeper write there: neither over what the other wrote.
        let console_file = File::options().append(true).open(console)?;
        let mut running = self.running();
        if running.closing {
            return Err(io::Error::other("the service ends"));
        }
        let mut keeper = Command::new("/bin/bash")
            .args(["-c", KEEPER, "keeper", machine])
            .args([&self.options.root, folder, notebooks])
            .arg(self.options.memory.to_string())
            .arg(console)
            .arg(network)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(console_file)
            // Ctrl-C in the terminal of the service is not for the machines.
            .process_group(0)
            .spawn()?;
        let (life_line, output) = (keeper.stdin.take(), keeper.stdout.take());
        running.machines.insert(machine.to_owned(), Kept { keeper, life_line, network: None });
        drop(running);
        let (told, leader) = mpsc::channel();
        thread::spawn(move || {
            let first = output.and_then(|output| BufReader::new(output).lines().next()).and_then(Result::ok);
            let pid = first.as_deref().and_then(|line| line.strip_prefix("leader ")).and_then(|pid| pid.parse().ok());
            // Whoever waited may have given up.
            let _ = told.send(pid);
        });
        Ok(leader)
    }

    fn wait_until_up(&self, machine: &str, leader: i32, console: &Path) -> io::Result<Boot> {
        let begun = Instant::now();
        loop {
            let state = inside(leader).args(["systemctl", "is-system-running"]).output()?;
            let state = String::from_utf8_lossy(&state.stdout);
            // A degraded one is up: some unit of its own failed.
            if matches!(state.trim(), "running" | "degraded") {
                break;
            }
            // Nobody waits for a machine that ended while it booted: neither its user, nor a service that ends.
            if !self.is_kept(machine) {
                return Err(self.told(machine, console, "it ended while it booted"));
            }
            if begun.elapsed() > UP_LIMIT {
                let (limit, state) = (UP_LIMIT.as_secs(), state.trim());
                return Err(self.told(
                    machine,
                    console,
                    &format!("it was not up within {limit} s (its state is '{state}')"),
                ));
            }
            thread::sleep(POLL);
        }
        let id = fs::read_to_string(format!("/proc/{leader}/root/proc/sys/kernel/random/boot_id"))?;
        Ok(Boot { id: id.trim().to_owned(), machine: Some((machine.to_owned(), leader)) })
    }

    /// The error of a machine that did not come up, which is ended.
    fn told(&self, machine: &str, console: &Path, why: &str) -> io::Error {
        // Best effort: the reason is told in any case. What is told is what it said before it was ended.
        let console = fs::read(console).unwrap_or_default();
        let console: Vec<u8> = console.into_iter().filter(|byte| *byte == b'\n' || !byte.is_ascii_control()).collect();
        let _ = self.end(machine, None);
        let end = String::from_utf8_lossy(&console[console.len().saturating_sub(CONSOLE_END)..]).into_owned();
        io::Error::other(format!("the machine did not come up: {why}. The end of its console:\n{end}"))
    }

    /// Whether a machine's keeper is there, and nobody has asked it to end.
    fn is_kept(&self, machine: &str) -> bool {
        self.running().machines.get_mut(machine).is_some_and(|kept| matches!(kept.keeper.try_wait(), Ok(None)))
    }

    /// Ends a machine: with its first process given it is powered off first, as a Stop does. Blocks.
    pub(crate) fn end(&self, machine: &str, power_off: Option<i32>) -> Result<(), KillError> {
        let Some(mut kept) = self.running().machines.remove(machine) else { return Ok(()) };
        if let Some(leader) = power_off {
            // One that does not listen is killed next.
            let _ = inside(leader).args(["systemctl", "poweroff", "--no-block"]).output();
            kept.gone_within(POWER_OFF_LIMIT);
        }
        drop(kept.life_line.take());
        if kept.gone_within(KILL_LIMIT) {
            return Ok(());
        }
        let pids = processes(machine).unwrap_or_default();
        self.running().machines.insert(machine.to_owned(), kept);
        Err(KillError::Alive { root: self.folder.join(machine), boot: machine.to_owned(), pids })
    }

    /// Ends all machines, and lets none boot any more.
    pub(crate) fn end_all(&self) -> Result<(), KillError> {
        let mut kept: Vec<(String, Kept)> = {
            let mut running = self.running();
            running.closing = true;
            running.machines.drain().collect()
        };
        for (_, kept) in &mut kept {
            drop(kept.life_line.take());
        }
        let mut result = Ok(());
        for (machine, mut kept) in kept {
            if !kept.gone_within(KILL_LIMIT) {
                let pids = processes(&machine).unwrap_or_default();
                result = Err(KillError::Alive { root: self.folder.join(&machine), boot: machine, pids });
            }
        }
        result
    }
}

/// What a boot finds over its root.
fn write_upper(
    upper: &Path,
    named: &Named<'_>,
    environment: &BTreeMap<String, String>,
    own_network: bool,
) -> io::Result<()> {
    let write = |file: &str, content: &[u8]| {
        let path = upper.join(file);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, content)
    };
    let metadata = serde_json::json!({"ResourceArn": named.arn, "ResourceName": named.name});
    write("opt/ml/metadata/resource-metadata.json", metadata.to_string().as_bytes())?;
    // A minimal Debian has none, and without it nothing in the machine finds localhost.
    write("etc/hosts", b"127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n")?;
    let role = environment.iter().filter(|(name, _)| ROLE.contains(&name.as_str()));
    let role: Vec<String> = role.map(|(name, value)| format!("DefaultEnvironment=\"{name}={value}\"\n")).collect();
    let file = "etc/systemd/system.conf.d/role.conf";
    let path = upper.join(file);
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    // The access key is in it, and the machine's manager, which reads it, is root.
    let mut private = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    private.write_all(format!("[Manager]\n{}", role.concat()).as_bytes())?;
    let host = Path::new("/").join(BUNDLE);
    if host.exists() {
        write(BUNDLE, &fs::read(host)?)?;
    }
    if own_network {
        // Its port is the same on each instance, so on the host's network there would be one server for all.
        let wanted = upper.join("etc/systemd/system/multi-user.target.wants");
        fs::create_dir_all(&wanted)?;
        symlink(Path::new("/etc/systemd/system").join(JUPYTER), wanted.join(JUPYTER))?;
    }
    Ok(())
}

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
    argv.push("--".into());
    argv.extend(bash.then(|| OsString::from("/bin/bash")));
    argv.push(file.into());
    let host = [("PATH".to_owned(), "/usr/sbin:/usr/bin:/sbin:/bin".to_owned())];
    Launch { argv, environment: host.into(), directory: PathBuf::from("/") }
}

fn enter(leader: i32) -> Vec<String> {
    let fixed = ["--mount", "--uts", "--ipc", "--pid", "--cgroup", "--root", "--wd", "--"].map(str::to_owned);
    [vec!["nsenter".to_owned(), format!("--target={leader}")], fixed.to_vec()].concat()
}

fn inside(leader: i32) -> Command {
    let argv = enter(leader);
    let mut command = Command::new(&argv[0]);
    command
        .args(&argv[1..])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
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

/// Gives a folder and what is in it to a user. Links are given, never followed.
fn give(path: &Path, user: u32) -> io::Result<()> {
    lchown(path, Some(user), Some(user))?;
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), user)?;
        }
    }
    Ok(())
}
