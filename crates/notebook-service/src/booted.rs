//! Instances as machines that really boot: a copy-on-write root, booted by `systemd-nspawn`, with a boot id of its own.
//!
//! Owns the machines of one service: what each finds on its disk, its keeper (`machines/keeper.sh`, which ends it when this
//! process is gone, kill -9 included), its start and its end. It needs root and Linux control groups, and shares the host's
//! network, so that a machine reaches the local AWS on 127.0.0.1.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io::{self, BufRead, BufReader},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Mutex, MutexGuard, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    MachineDisk,
    config::Machines,
    launch::Boot,
    network::{Endpoint, Network},
    processes::KillError,
    uuid,
};

mod console;
mod disk;
mod inside;
mod missing;

use inside::inside;
pub(crate) use inside::{launch, processes};
pub(crate) use missing::missing;

const KEEPER: &str = include_str!("../machines/keeper.sh");
/// Written by `machines/build-root.sh` when a root is whole.
const ROOT_STAMP: &str = "etc/reveille-root";
/// Where the host's own programs are found.
const HOST_PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// How long a machine's manager may take for an order; it takes some milliseconds, and one that hangs never answers.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// How long the last processes may take to feel SIGKILL.
const KILL_LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);
/// How long what a machine said last may take into its file, when it has ended.
const CONSOLE_LIMIT: Duration = Duration::from_secs(10);
/// How much of the end of its console is told of a machine that does not come up.
const CONSOLE_END: u64 = 1500;
/// What every program says of a full disk.
const NO_SPACE: &str = "No space left on device";
/// `ec2-user` in the roots that `machines/build-root.sh` makes.
const USER: u32 = 1000;
/// What stands for the instance's role: on AWS every process gets its credentials from the metadata service. Everything
/// else in the configured environment is the lifecycle script's only, as on AWS.
const ROLE: [&str; 4] =
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_EC2_METADATA_DISABLED"];

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
    /// The ARN of its role.
    pub(crate) role: &'a str,
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
    /// Is told when the whole console has been written.
    console: mpsc::Receiver<()>,
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
                // What it said is on its way: nobody is left who could write more. An error is that it has been told before.
                let _ = self.console.recv_timeout(CONSOLE_LIMIT);
                return true;
            }
            if begun.elapsed() > limit {
                return false;
            }
            thread::sleep(POLL);
        }
    }
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
        disk: &MachineDisk,
        named: &Named<'_>,
        environment: &BTreeMap<String, String>,
        console: &Path,
    ) -> io::Result<Boot> {
        let machine = format!("reveille-{}", &uuid::fresh()?.replace('-', "")[..16]);
        let folder = self.folder.join(&machine);
        let subnet = self.subnet(named);
        let notebooks = disk.notebooks();
        let network = if subnet.is_some() { "private" } else { "host" };
        let kept = disk::write_upper(&folder.join("upper"), named, environment, subnet.is_some())
            .and_then(|()| fs::create_dir_all(&notebooks))
            .and_then(|()| disk::give(&notebooks, USER))
            .and_then(|()| self.keep(&machine, &folder, (&notebooks, network), console));
        let leader = kept.inspect_err(|_| {
            // No keeper removes it; where the disk is full, half of it is there.
            let _ = fs::remove_dir_all(&folder);
        })?;
        self.up(&machine, named.role, &leader, subnet).map_err(|why| self.told(&machine, console, &why))
    }

    /// Waits until a machine is up; or says why it is not.
    fn up(
        &self,
        machine: &str,
        role: &str,
        leader: &mpsc::Receiver<Option<i32>>,
        subnet: Option<Vec<Endpoint>>,
    ) -> Result<Boot, String> {
        let begun = Instant::now();
        let leader = match leader.recv_timeout(self.options.up_limit) {
            Ok(Some(leader)) => leader,
            Ok(None) | Err(RecvTimeoutError::Disconnected) => return Err("it ended before it had a process".to_owned()),
            Err(RecvTimeoutError::Timeout) => return Err(self.too_slow("it has no process yet")),
        };
        self.wait_until_up(machine, leader, begun)?;
        if let Some(endpoints) = subnet {
            let network = Network::open(leader, &endpoints).map_err(|error| format!("its endpoints: {error}"))?;
            // One that is not there any more is being ended.
            if let Some(kept) = self.running().machines.get_mut(machine) {
                kept.network = Some(network);
            }
        }
        let id = fs::read_to_string(format!("/proc/{leader}/root/proc/sys/kernel/random/boot_id"))
            .map_err(|error| format!("its boot id cannot be read: {error}"))?;
        Ok(Boot { id: id.trim().to_owned(), role: role.to_owned(), machine: Some((machine.to_owned(), leader)) })
    }

    fn too_slow(&self, state: &str) -> String {
        format!("it was not up within {} s ({state})", self.options.up_limit.as_secs())
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
        let console = File::options().read(true).write(true).create(true).truncate(true).open(console)?;
        let mut running = self.running();
        if running.closing {
            return Err(io::Error::other("the service ends"));
        }
        let mut keeper = Command::new("/bin/bash")
            .args(["-c", KEEPER, "keeper", machine])
            .args([&self.options.root, folder, notebooks])
            .arg(self.options.memory.to_string())
            .arg(network)
            .env_clear()
            .env("PATH", HOST_PATH)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C in the terminal of the service is not for the machines.
            .process_group(0)
            .spawn()?;
        let (life_line, output) = (keeper.stdin.take(), keeper.stdout.take());
        let console = console::keep(keeper.stderr.take(), console);
        running.machines.insert(machine.to_owned(), Kept { keeper, life_line, console, network: None });
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

    fn wait_until_up(&self, machine: &str, leader: i32, begun: Instant) -> Result<(), String> {
        loop {
            // A manager that answers is waited for; one that does not yet is asked again.
            let left = self.options.up_limit.saturating_sub(begun.elapsed());
            let state = state_of(leader, &["--wait"], left)?;
            // A degraded one is up: some unit of its own failed.
            if ["running", "degraded"].contains(&state.as_str()) {
                return Ok(());
            }
            // Nobody waits for a machine that ended while it booted: neither its user, nor a service that ends.
            if !self.is_kept(machine) {
                return Err("it ended while it booted".to_owned());
            }
            if begun.elapsed() >= self.options.up_limit {
                let state = state_of(leader, &[], ANSWER_LIMIT)?;
                let none = "its first process does not answer".to_owned();
                return Err(self.too_slow(&if state.is_empty() { none } else { format!("its state is '{state}'") }));
            }
            thread::sleep(POLL);
        }
    }

    /// The error of a machine that did not come up, which is ended.
    fn told(&self, machine: &str, console: &Path, why: &str) -> io::Error {
        // Best effort: the reason is told in any case. A machine that is cut off says nothing of it.
        let _ = self.end(machine, None);
        let said = console::end_of(console, CONSOLE_END).unwrap_or_default();
        let room = if said.contains(NO_SPACE) {
            ", and its disk is full: make room where the service has its folder"
        } else {
            ""
        };
        io::Error::other(format!("the machine did not come up: {why}{room}. The end of its console:\n{said}"))
    }

    /// Whether a machine's keeper is there, and nobody has asked it to end.
    fn is_kept(&self, machine: &str) -> bool {
        self.running().machines.get_mut(machine).is_some_and(|kept| matches!(kept.keeper.try_wait(), Ok(None)))
    }

    /// Ends a machine: with its first process given it is powered off first, as a Stop does, and has so long for it. Blocks.
    pub(crate) fn end(&self, machine: &str, power_off: Option<(i32, Duration)>) -> Result<(), KillError> {
        let Some(mut kept) = self.running().machines.remove(machine) else { return Ok(()) };
        if let Some((leader, grace)) = power_off {
            // One that does not listen is killed next.
            let _ = inside(leader, ANSWER_LIMIT).args(["systemctl", "poweroff", "--no-block"]).output();
            kept.gone_within(grace);
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

/// What a machine's manager says of the machine; empty: it does not answer.
fn state_of(leader: i32, options: &[&str], limit: Duration) -> Result<String, String> {
    let asked = inside(leader, limit).args(["systemctl", "is-system-running"]).args(options).output();
    let asked = asked.map_err(|error| format!("its state cannot be asked for: {error}"))?;
    Ok(String::from_utf8_lossy(&asked.stdout).trim().to_owned())
}
