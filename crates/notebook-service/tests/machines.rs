//! Instances as machines that really boot: as root, with a root from `make root`. `make test-boot` runs these; without it there
//! is nothing to test, and each test says so.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::{
    collections::HashSet,
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use reveille_instance_model::NotebookInstanceStatus;
use reveille_notebook_service::{Config, Endpoint, Machines};
use support::{PATIENCE, TestService};

/// The root, if this is `make test-boot`.
fn root() -> Option<PathBuf> {
    let root = env::var_os("REVEILLE_MACHINE_ROOT").map(PathBuf::from);
    if root.is_none() {
        eprintln!("skipped: REVEILLE_MACHINE_ROOT names no root of machines; run make test-boot as root");
    }
    root
}

async fn world() -> Option<TestService> {
    let mut config = support::config();
    // What separates the options of mounts may be in a user's path too.
    config.directory.set_file_name(format!("{}, of: a b", config.directory.display()));
    config.machines = Some(Machines::new(root()?));
    // The boot counts too, and a machine may take a minute for it.
    config.timings.script_limit = Duration::from_secs(100);
    config.environment.insert("GREETING".to_owned(), "good morning".to_owned());
    config.environment.insert("AWS_ACCESS_KEY_ID".to_owned(), "role-key".to_owned());
    Some(TestService::with(config).await)
}

/// The control groups and processes of machines of this service's folder.
fn traces(directory: &Path) -> Vec<String> {
    let machines = fs::read_dir(directory.join("machines"));
    let mut found: Vec<String> =
        machines.into_iter().flatten().flatten().map(|entry| entry.path().display().to_string()).collect();
    let wanted = directory.as_os_str().as_encoded_bytes();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let named = line.windows(wanted.len()).any(|window| window == wanted);
        if named && line.windows(7).any(|window| window == b"nspawn\0" || window == b"keeper\0") {
            found.push(entry.path().display().to_string());
        }
    }
    found
}

/// The addresses other than those of 127.0.0.0/8 and ::1 at which these processes listen.
fn heard_elsewhere(processes: &[i32]) -> Vec<String> {
    let sockets: HashSet<String> = processes
        .iter()
        .flat_map(|pid| fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten())
        .filter_map(|entry| Some(fs::read_link(entry.path()).ok()?.to_str()?.to_owned()))
        .collect();
    let mut heard = Vec::new();
    // TCP that listens, and UDP that is bound.
    for (table, state) in [("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")] {
        for line in fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default().lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (address, is, inode) = (words[1], words[3], words[9]);
            let local = address.starts_with("0100007F:") || address.starts_with("00000000000000000000000001000000:");
            if is == state && !local && sockets.contains(&format!("socket:[{inode}]")) {
                heard.push(format!("{table} {address}"));
            }
        }
    }
    heard
}

#[tokio::test]
async fn a_script_finds_a_machine_like_the_real_one() {
    let Some(world) = world().await else { return };
    world.create(
        "nightly",
        "#!/bin/bash\nid -un; pwd; echo $HOME $GREETING; cat /opt/ml/metadata/resource-metadata.json; echo\n\
         systemctl is-system-running; id -u ec2-user; stat -c %U /home/ec2-user/SageMaker; aws --version\n\
         echo ${REVEILLE_ROOT-none} $AWS_ACCESS_KEY_ID $PATH; cat /proc/sys/kernel/random/boot_id\n",
    );
    world.reaches("nightly", NotebookInstanceStatus::InService).await;
    let log = world.log("nightly");
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines[..3], ["root", "/", "/root good morning"], "{log}");
    assert!(lines[3].contains("notebook-instance/nightly"), "{log}");
    assert_eq!(lines[4..7], ["running", "1000", "ec2-user"], "{log}");
    assert!(lines[7].starts_with("aws-cli/"), "{log}");
    assert_eq!(
        lines[8..],
        ["none role-key /sbin:/bin:/usr/sbin:/usr/bin", &world.service.boot_id("nightly").unwrap()],
        "{log}"
    );
    let processes = world.service.processes("nightly").unwrap();
    assert!(!processes.is_empty());
    assert_eq!(heard_elsewhere(&processes), Vec::<String>::new(), "it is on the host's network");
    let (directory, console) = (world.directory.clone(), world.service.console("nightly"));
    world.service.shutdown().await.unwrap();
    let console = fs::read_to_string(console).unwrap();
    assert!(
        console.contains("systemd") && !console.contains("keeper:"),
        "what the machine said, and no more: {console}"
    );
    assert_eq!(traces(&directory), Vec::<String>::new());
    fs::remove_dir_all(directory).unwrap();
}

#[tokio::test]
async fn only_the_notebook_folder_outlives_a_boot_and_what_a_script_left_does_not() {
    let Some(world) = world().await else { return };
    world.create(
        "nightly",
        "#!/bin/bash\nls -A /home/ec2-user/SageMaker /opt/mine 2>/dev/null | tr '\\n' ' '; echo end\n\
         mkdir -p /opt/mine; touch /opt/mine/b /home/ec2-user/SageMaker/a\nnohup sleep 1000 >/dev/null 2>&1 &\n",
    );
    world.reaches("nightly", NotebookInstanceStatus::InService).await;
    let first = world.service.boot_id("nightly").unwrap();
    // What a script leaves behind lives on.
    world.has("nightly", b"sleep\x001000\0", 1).await;
    world.stop("nightly");
    world.reaches("nightly", NotebookInstanceStatus::Stopped).await;
    assert_eq!(world.service.processes("nightly").unwrap(), Vec::<i32>::new());
    assert_eq!(traces(&world.directory), Vec::<String>::new());
    world.start("nightly");
    world.reaches("nightly", NotebookInstanceStatus::InService).await;
    assert_ne!(world.service.boot_id("nightly").unwrap(), first);
    assert_eq!(world.log("nightly"), "/home/ec2-user/SageMaker: end\n/home/ec2-user/SageMaker: a end\n");
    world.end().await;
}

#[tokio::test]
async fn a_script_that_fails_fails_the_instance_and_its_machine_is_gone() {
    let Some(world) = world().await else { return };
    world.create("nightly", "echo going; exit 3\n");
    world.reaches("nightly", NotebookInstanceStatus::Failed).await;
    assert_eq!(world.log("nightly"), "going\n");
    assert_eq!(traces(&world.directory), Vec::<String>::new());
    world.end().await;
}

/// Ten times as much as is kept; what is told of a machine that fails is the end.
#[tokio::test]
async fn a_console_and_a_journal_do_not_grow_without_end() {
    let Some(world) = world().await else { return };
    world.create(
        "nightly",
        "yes 'the same again and again' 2>/dev/null | head -c 10000000 >/dev/console; echo 'the last word' >/dev/console\n\
         head -c 30000000 /dev/urandom | base64 -w 4000 | systemd-cat; journalctl --sync\n\
         du -scm /run/log/journal /var/log/journal 2>/dev/null | tail -n 1 | cut -f 1\n",
    );
    world.reaches("nightly", NotebookInstanceStatus::InService).await;
    // What came last may be written after the script's end.
    let size = |log: String| log.strip_suffix('\n').and_then(|size| size.parse::<u64>().ok()).ok_or(log);
    let journal = support::until(|| size(world.log("nightly"))).await;
    assert!(journal <= 16, "{journal} MiB");
    let console = world.service.console("nightly");
    until("the last word", || fs::read_to_string(&console).ok().filter(|said| said.contains("the last word")));
    let length = fs::metadata(&console).unwrap().len();
    assert!((1 << 18..=1 << 20).contains(&length), "{length}");
    world.end().await;
}

/// Boots an instance from this root, which cannot come up; gives the reason.
async fn does_not_come_up(config: Config) -> String {
    let world = TestService::with(config).await;
    world.create("nightly", "echo never\n");
    world.reaches("nightly", NotebookInstanceStatus::Failed).await;
    let reason = world.service.snapshot("nightly").unwrap().view.failure_reason.clone().unwrap_or_default();
    assert_eq!(world.log("nightly"), "", "its script did not run");
    assert_eq!(traces(&world.directory), Vec::<String>::new());
    world.end().await;
    reason
}

/// A folder that passes for a root.
fn stamped(config: &Config) -> PathBuf {
    let root = config.directory.join("root");
    fs::create_dir_all(root.join("etc")).unwrap();
    fs::write(root.join("etc/reveille-root"), "").unwrap();
    root
}

#[tokio::test]
async fn a_machine_that_ends_at_once_fails_its_instance_and_says_why() {
    let Some(_) = root() else { return };
    let mut config = support::config();
    config.machines = Some(Machines::new(stamped(&config)));
    let reason = does_not_come_up(config).await;
    for part in
        ["could not be brought up", "it ended before it had a process", "The end of its console", "doesn't look like"]
    {
        assert!(reason.contains(part), "{part}: {reason}");
    }
}

#[tokio::test]
async fn no_machine_boots_from_a_root_that_is_being_built() {
    let Some(_) = root() else { return };
    let mut config = support::config();
    let root = stamped(&config);
    let lock = fs::File::create(root.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    config.machines = Some(Machines::new(root));
    let reason = does_not_come_up(config).await;
    assert!(reason.contains("is being built; start the instance again"), "{reason}");
}

/// A root that boots, and never comes up: its first process is a script that waits.
fn hanging(config: &Config) -> PathBuf {
    let root = stamped(config);
    let make = r#"
        cd "$0" && mkdir -p usr/bin usr/sbin usr/lib && ln -s usr/bin usr/sbin usr/lib . && ln -s usr/lib lib64
        for program in bash sleep; do
            cp -L "/bin/$program" usr/bin/
            ldd "/bin/$program" | grep -o '/[^ ]*' | xargs -I{} cp -L {} usr/lib/
        done
        printf 'ID=none\n' >etc/os-release
        printf '#!/bin/bash\necho waiting for a disk\nexec sleep 4000\n' >usr/sbin/init
        chmod 755 usr/sbin/init"#;
    assert!(Command::new("bash").args(["-ec", make]).arg(&root).status().unwrap().success());
    root
}

#[tokio::test]
async fn a_machine_that_hangs_is_told_with_the_end_of_its_console() {
    let Some(_) = root() else { return };
    let mut config = support::config();
    let mut machines = Machines::new(hanging(&config));
    assert_eq!(machines.up_limit, Duration::from_mins(1), "unless told otherwise");
    machines.up_limit = Duration::from_secs(20);
    config.machines = Some(machines);
    let reason = does_not_come_up(config).await;
    for part in ["was not up within 20 s", "The end of its console", "waiting for a disk"] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
}

/// Writes a greeting to whoever connects.
fn greeter() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // Whoever went away again is not greeted.
            let _ = stream.and_then(|mut stream| stream.write_all(b"hello"));
        }
    });
    port
}

#[tokio::test]
async fn a_machine_in_a_subnet_reaches_named_endpoints_and_nothing_else() {
    let Some(world) = world().await else { return };
    let (named, other) = (greeter(), greeter());
    world.service.set_subnet("subnet-1", vec![Endpoint { port: 9, to: named }]);
    let script = format!(
        "for port in 9 {named} {other}; do (timeout 60 cat <>/dev/tcp/127.0.0.1/$port) 2>/dev/null || echo -n no; echo; done\n\
         ls /sys/class/net; getent hosts pypi.org || echo nobody\n"
    );
    world.create_in("nightly", Some("subnet-1"), &script);
    world.reaches("nightly", NotebookInstanceStatus::InService).await;
    assert_eq!(world.log("nightly"), "hello\nno\nno\nlo\nnobody\n");
    // Any other subnet has the host's network.
    world.create_in("beside", Some("subnet-2"), &script);
    world.reaches("beside", NotebookInstanceStatus::InService).await;
    assert!(world.log("beside").starts_with("no\nhello\nhello\n"), "{}", world.log("beside"));
    world.end().await;
}

fn post((address, key): (&str, &str), operation: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(stream, "POST / HTTP/1.1\r\nhost: {address}\r\nauthorization: AWS4-HMAC-SHA256 Credential={key}/x\r\nconnection: close\r\nx-amz-target: SageMaker.{operation}\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The locks that systemd-nspawn holds on the roots of this service's machines.
fn locks(directory: &Path) -> Vec<PathBuf> {
    let machines = fs::read_dir(directory.join("machines")).into_iter().flatten().flatten();
    let locks = machines.filter_map(|machine| fs::read_to_string(machine.path().join("lock")).ok());
    // A file that is being written has no name in it yet.
    locks
        .filter(|lock| lock.ends_with('\n'))
        .map(|lock| Path::new("/run/systemd/nspawn/locks").join(lock.trim()))
        .collect()
}

/// Starts the program in a folder, with a command before it if need be; gives it, and its address and key.
fn program(before: &[&str], directory: &Path, root: &Path, log: &Path) -> (Child, (String, String)) {
    let words = before.iter().copied().chain([env!("CARGO_BIN_EXE_notebook_service")]).collect::<Vec<_>>();
    let mut program = Command::new(words[0])
        .args(&words[1..])
        .arg("--dir")
        .arg(directory)
        .arg("--machines")
        // As a person types it.
        .arg(root.file_name().unwrap())
        .current_dir(root.parent().unwrap())
        .stdout(Stdio::piped())
        .stderr(Stdio::from(fs::File::create(log).unwrap()))
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines().map(Result::unwrap);
    let (endpoint, key) = (lines.next().unwrap(), lines.next().unwrap());
    (program, (endpoint.replace("http://", ""), key.replace("AWS_ACCESS_KEY_ID=", "")))
}

fn create((address, key): &(String, String), name: &str) {
    let body = format!(
        r#"{{"NotebookInstanceName":"{name}","InstanceType":"ml.t3.medium","RoleArn":"arn:aws:iam::000000000000:role/r"}}"#
    );
    assert!(post((address, key), "CreateNotebookInstance", &body).starts_with("HTTP/1.1 200"));
}

/// Looks at an instance until it has a status; gives the whole description.
fn described((address, key): &(String, String), name: &str, status: &str) -> String {
    let body = format!(r#"{{"NotebookInstanceName":"{name}"}}"#);
    let status = format!(r#""NotebookInstanceStatus":"{status}""#);
    until(&format!("{name} to be {status}"), || {
        Some(post((address, key), "DescribeNotebookInstance", &body)).filter(|answer| answer.contains(&status))
    })
}

fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Ends the program in the middle of a boot of one instance and the life of another.
fn ended_by(signal: &str) {
    let Some(root) = root() else { return };
    let directory = env::temp_dir().join(format!("reveille-machines-{}{signal}", std::process::id()));
    fs::create_dir(&directory).unwrap();
    let directory = fs::canonicalize(directory).unwrap();
    let log = directory.with_extension("log");
    let (mut program, service) = program(&[], &directory, &root, &log);
    create(&service, "up");
    // It runs: systemd-nspawn has locked its root.
    let held = || Some(locks(&directory)).filter(|locks| locks.iter().any(|lock| lock.exists()));
    let locks = until("a machine to run", held);
    let before = traces(&directory).len();
    create(&service, "coming");
    until("the next one to begin", || (traces(&directory).len() > before).then_some(()));
    assert!(Command::new("kill").arg(signal).arg(program.id().to_string()).status().unwrap().success());
    program.wait().unwrap();
    let said = fs::read_to_string(&log).unwrap();
    assert!(!said.contains("was not up within"), "nobody waits for a machine that is ended while it boots: {said}");
    fs::remove_file(log).unwrap();
    until("everything to be gone", || traces(&directory).is_empty().then_some(()));
    assert!(!locks.iter().any(|lock| lock.exists()), "{locks:?}");
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_killed_service_leaves_no_machine() {
    ended_by("-KILL");
}

#[test]
fn an_ended_service_leaves_no_machine() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        ended_by(signal);
    }
}

/// The folder of the service is a small disk, in a mount namespace that ends with the service.
#[test]
fn an_instance_without_room_for_its_machine_fails_and_says_what_to_do() {
    let Some(root) = root() else { return };
    let disk = env::temp_dir().join(format!("reveille-small-{}", std::process::id()));
    fs::create_dir(&disk).unwrap();
    // Less than the bundle of certificates, which every machine is given.
    let small = "mount -t tmpfs -o size=64k,mode=700 small \"$0\" && exec \"$@\"";
    let before = ["unshare", "--mount", "--propagation", "private", "bash", "-c", small, disk.to_str().unwrap()];
    let (mut program, service) = program(&before, &disk.join("service"), &root, &disk.with_extension("log"));
    create(&service, "nightly");
    let said = described(&service, "nightly", "Failed");
    assert!(said.contains("No space left on device") && said.contains("Make room"), "{said}");
    program.kill().unwrap();
    program.wait().unwrap();
    fs::remove_file(disk.with_extension("log")).unwrap();
    fs::remove_dir(disk).unwrap();
}
