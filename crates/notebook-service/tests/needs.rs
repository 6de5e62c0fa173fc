//! What machines need, and how each lack is told: in one sentence, with what to do. The scripts of `machines/` are asked; what
//! they call is not there, or is a stand-in. Most of it needs root, and says so elsewhere.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering},
};

const CAN_BOOT: &str = include_str!("../machines/can-boot.sh");
const BUILD_ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/machines/build-root.sh");
const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../requirements.txt");
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// What the scripts call, besides what they look for.
const CALLED: [&str; 16] = [
    "bash",
    "id",
    "uname",
    "grep",
    "mkdir",
    "dirname",
    "tr",
    "awk",
    "sha256sum",
    "cut",
    "tail",
    "rm",
    "cp",
    "true",
    "cat",
    "mount",
];
/// What they look for.
const NEEDED: [&str; 7] = ["systemd-nspawn", "nsenter", "unshare", "setpriv", "flock", "timeout", "debootstrap"];

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A folder for one test, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("reveille-needs-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// A folder of programs: those of this machine, and a stand-in for each that is looked for.
    fn programs(&self, but: &str) -> PathBuf {
        let bin = self.0.join(format!("without {but}"));
        fs::create_dir(&bin).unwrap();
        for program in CALLED {
            let found = PATH.split(':').map(|folder| Path::new(folder).join(program)).find(|file| file.exists());
            symlink(found.unwrap_or_else(|| panic!("{program}")), bin.join(program)).unwrap();
        }
        for program in NEEDED.into_iter().filter(|program| *program != but) {
            // It runs what is behind its three options.
            stand_in(&bin, program, if program == "unshare" { "shift 3; exec \"$@\"" } else { "" });
        }
        stand_in(&bin, "df", "echo Avail; echo 999999");
        bin
    }

    /// The same, with all that is looked for.
    fn all_programs(&self) -> PathBuf {
        self.programs("")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays is no reason to fail.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn stand_in(bin: &Path, program: &str, script: &str) {
    let file = bin.join(program);
    // What a link points to is the machine's own.
    let _ = fs::remove_file(&file);
    fs::write(&file, format!("#!/bin/bash\n{script}")).unwrap();
    fs::set_permissions(file, Permissions::from_mode(0o755)).unwrap();
}

fn is_root() -> bool {
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if !root {
        eprintln!("skipped: this needs root");
    }
    root
}

/// Runs a command, which must fail; gives all that it said.
fn refused(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let said = String::from_utf8([stdout, stderr].concat()).unwrap();
    assert!(!status.success(), "{said}");
    said
}

fn can_boot(path: &Path, root: &Path) -> Command {
    let mut command = Command::new("/bin/bash");
    command.args(["-c", CAN_BOOT, "can-boot"]).arg(root).env_clear().env("PATH", path);
    command
}

/// One sentence, with all of these in it.
fn assert_sentence(said: &str, parts: &[&str]) {
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    for part in parts {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn machines_are_roots_only() {
    for (script, arguments) in [
        (CAN_BOOT, ["/nowhere", ""].as_slice()),
        (include_str!("../machines/build-root.sh"), &["bookworm", "/nowhere", "/dev/null"]),
    ] {
        let mut command = Command::new(if is_root() { "setpriv" } else { "env" });
        command.args(if is_root() { ["--reuid=65534", "--clear-groups"].as_slice() } else { &[] });
        command.args(["bash", "-c", script, "script"]).args(arguments).current_dir("/");
        assert_sentence(&refused(&mut command), &["by root only", "run it with sudo"]);
    }
}

#[test]
fn each_program_that_is_missing_is_named_with_its_package() {
    if !is_root() {
        return;
    }
    let folder = Folder::new();
    for program in NEEDED {
        let said = refused(&mut can_boot(&folder.programs(program), Path::new("/nowhere")));
        assert_sentence(&said, &[&format!("{program} is missing"), "apt install"]);
    }
}

#[test]
fn a_kernel_that_lacks_something_is_told() {
    if !is_root() {
        return;
    }
    let folder = Folder::new();
    let bin = folder.all_programs();
    stand_in(&bin, "unshare", "exit 1");
    let said = refused(&mut can_boot(&bin, Path::new("/nowhere")));
    assert_sentence(&said, &["mount namespaces", "outside of the container"]);

    let bin = Folder::new();
    let bin = bin.all_programs();
    let nothing = folder.0.join("nothing");
    fs::write(&nothing, "").unwrap();
    for (hides, parts) in [
        ("mount -t tmpfs none /sys/fs/cgroup", ["no control groups", "mount them"]),
        ("mount --bind \"$3\" /proc/filesystems", ["no overlay file system", "modprobe overlay"]),
    ] {
        let script =
            format!("{{ {hides}; }} 2>/dev/null || exit 77; PATH=$2 exec /bin/bash -c \"$1\" can-boot /nowhere");
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "/bin/bash", "-c", &script, "hidden", CAN_BOOT]);
        let Output { status, stdout, .. } = command.arg(&bin).arg(&nothing).output().unwrap();
        if status.code() == Some(77) || stdout.is_empty() {
            eprintln!("skipped: nobody mounts anything here");
            continue;
        }
        assert!(!status.success());
        assert_sentence(&String::from_utf8(stdout).unwrap(), &parts);
    }
}

/// Builds a root with these programs, which must fail; gives what it said. Nothing of the root is left.
fn not_built(folder: &Folder, bin: &Path, suite: &str) -> String {
    let root = folder.0.join("roots/bookworm");
    let mut command = Command::new(BUILD_ROOT);
    command.arg(suite).arg(&root).arg(REQUIREMENTS).env_clear().env("PATH", bin);
    let said = refused(command.env("REVEILLE_DEBIAN_MIRROR", "http://127.0.0.1:9/debian"));
    assert!(!root.exists() && !root.with_extension("partial").exists(), "{said}");
    said
}

#[test]
fn a_root_that_cannot_be_built_says_why() {
    if !is_root() {
        return;
    }
    let folder = Folder::new();
    let bin = folder.all_programs();
    assert_sentence(&not_built(&folder, &bin, "sid"), &["no recipe for 'sid'", "bookworm and trixie"]);
    let said = not_built(&folder, &folder.programs("debootstrap"), "bookworm");
    assert_sentence(&said, &["debootstrap is missing", "apt install debootstrap"]);

    // Debian is away: what debootstrap said, and then what to do.
    stand_in(&bin, "debootstrap", "mkdir -p \"$4/half\"; echo \"E: Failed getting release file $5\"; exit 1");
    let said = not_built(&folder, &bin, "bookworm");
    for part in
        ["E: Failed getting release file", "debootstrap failed", "check that http://127.0.0.1:9/debian is reached"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }

    // PyPI is.
    stand_in(&bin, "debootstrap", "mkdir -p \"$4/root\" \"$4/etc/ssl/certs\" \"$4/home\"");
    stand_in(&bin, "chroot", "case \"$*\" in */bin/pip*) exit 1 ;; esac");
    let said = not_built(&folder, &bin, "bookworm");
    assert!(said.contains("the packages of /opt/aws-cli could not be installed; check that PyPI is reached"), "{said}");

    stand_in(&bin, "df", "echo Avail; echo 12");
    assert_sentence(&not_built(&folder, &bin, "bookworm"), &["has 12 MB left", "needs 2000 MB", "make room there"]);
}
