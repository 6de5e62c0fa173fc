//! The folders of kernels that nobody removed. When a local AWS is killed, its runners, drivers and kernels are killed too, and each of them would
//! have removed its own. They lie outside of the local AWS's folder, because the path of a socket is short.
//!
//! Removes a folder only if it is certain that a dead kernel left it: by its name, its owner, all that is in it, and the processes that are alive.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::{ffi::OsStrExt, fs::FileTypeExt, net::UnixStream},
    path::{Path, PathBuf},
};

use crate::{folder::is_ours_alone, package::sha256_of, processes};

/// As in crates/notebook/src/kernel_folder.rs: the place, how a name begins, and so much of the hash of the run's marker.
const PLACE: &str = "/tmp";
const PREFIX: &str = "reveille-";
const HASH_CHARS: usize = 24;
/// The variable that holds the marker, in the driver, the kernel and whatever these started.
const MARKER: &str = "REVEILLE_RUN";

/// The beginning of the names of a kernel's files: four random bytes.
const FILE_CHARS: usize = 8;
/// Folders that are looked at: a start does not take longer for thousands.
const MOST: usize = 100;

/// Removes the folders of dead kernels. What cannot be removed is left to the next start.
pub(crate) fn remove_dead() {
    remove_dead_in(Path::new(PLACE));
}

fn remove_dead_in(place: &Path) {
    let Ok(entries) = fs::read_dir(place) else { return };
    let folders = entries.flatten().map(|entry| entry.path()).filter(|path| is_named(path) && is_ours_alone(path));
    let candidates: Vec<(PathBuf, Vec<PathBuf>)> = folders
        .filter_map(|folder| Some((files_of_a_kernel(&folder)?, folder)))
        .map(|(files, folder)| (folder, files))
        .take(MOST)
        .collect();
    if candidates.is_empty() {
        return;
    }
    // Looked at after the folders: whoever makes one has the marker from its start.
    let living = living();
    for (folder, files) in candidates {
        if !living.contains(name(&folder)) && !is_named_by_a_process(&folder) && !files.iter().any(|file| answers(file))
        {
            for file in &files {
                let _ = fs::remove_file(file);
            }
            let _ = fs::remove_dir(&folder);
        }
    }
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

fn is_hex(text: &str, characters: usize) -> bool {
    text.len() == characters && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_named(path: &Path) -> bool {
    name(path).strip_prefix(PREFIX).is_some_and(|hash| is_hex(hash, HASH_CHARS))
}

/// What is in the folder; `None`: something that is not a kernel's connection file or socket.
fn files_of_a_kernel(folder: &Path) -> Option<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).ok()?;
    entries
        .map(|entry| {
            let entry = entry.ok()?;
            let (path, kind) = (entry.path(), entry.file_type().ok()?);
            let (random, rest) = name(&path).split_at_checked(FILE_CHARS)?;
            let is_kernels = match rest.strip_prefix('-') {
                Some(number) => kind.is_socket() && number.parse::<u8>().is_ok(),
                None => kind.is_file() && rest == ".json",
            };
            (is_kernels && is_hex(random, FILE_CHARS)).then_some(path)
        })
        .collect()
}

/// The names of the folders of runs that have a process.
fn living() -> BTreeSet<String> {
    let prefix = format!("{MARKER}=");
    let mut names = BTreeSet::new();
    for (_, environment) in processes::environments() {
        let pairs = environment.split(|byte| *byte == 0);
        names.extend(pairs.filter_map(|pair| pair.strip_prefix(prefix.as_bytes())).map(name_of_run));
    }
    names
}

fn name_of_run(marker: &[u8]) -> String {
    format!("{PREFIX}{}", &sha256_of(marker)[..HASH_CHARS])
}

/// A kernel is given its connection file as an argument.
fn is_named_by_a_process(folder: &Path) -> bool {
    let path = folder.as_os_str().as_bytes();
    processes::command_lines().any(|line| line.windows(path.len()).any(|part| part == path))
}

/// Whether a process that may be in another namespace listens at a socket.
fn answers(file: &Path) -> bool {
    UnixStream::connect(file).is_ok()
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::{
            fs::{PermissionsExt, symlink},
            net::UnixListener,
        },
        path::{Path, PathBuf},
        process::{Child, Command},
    };

    use super::{HASH_CHARS, MARKER, PLACE, PREFIX, name_of_run, remove_dead_in};

    /// What a kernel has in its folder.
    fn folder(place: &Path, name: &str) -> PathBuf {
        let folder = place.join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("0123abcd.json"), "{}").unwrap();
        drop(UnixListener::bind(folder.join("0123abcd-1")).unwrap());
        // Jupyter sets the sticky bit.
        fs::set_permissions(&folder, Permissions::from_mode(0o1700)).unwrap();
        folder
    }

    fn end(mut child: Child) {
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn what_a_dead_kernel_left_is_removed_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let named = |letter: &str| format!("{PREFIX}{}", letter.repeat(HASH_CHARS));
        let make = |name: &str| folder(place.path(), name);
        let dead = make(&named("a"));
        let marker = format!("test-{}", std::process::id());
        let (of_driver, of_kernel) = (make(&name_of_run(marker.as_bytes())), make(&named("b")));
        let driver = Command::new("sleep").arg("600").env(MARKER, &marker).spawn().unwrap();
        let file = of_kernel.join("0123abcd.json");
        let mut kernel = Command::new("/bin/sh");
        kernel.args(["-c", "read line"]).arg(&file).stdin(std::process::Stdio::piped());
        let kernel = kernel.spawn().unwrap();
        let of_listener = make(&named("c"));
        let listener = UnixListener::bind(of_listener.join("0123abcd-2")).unwrap();
        let (with_notes, open, full) = (make(&named("d")), make(&named("e")), make(&named("f")));
        fs::write(with_notes.join("notes.txt"), "").unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(full.join("0123abcd.json.d")).unwrap();
        let link = place.path().join(named("0"));
        symlink(&with_notes, &link).unwrap();
        let others =
            [make("reveille-work"), make(&named("A")), make(&format!("{}0", named("a"))), with_notes, open, full, link];
        remove_dead_in(place.path());
        assert!(!dead.exists());
        for kept in others.iter().chain([&of_driver, &of_kernel, &of_listener]) {
            assert!(kept.exists(), "{}", kept.display());
        }
        end(driver);
        end(kernel);
        drop(listener);
        remove_dead_in(place.path());
        assert!(!of_driver.exists() && !of_kernel.exists() && !of_listener.exists(), "their owners are dead");
        assert!(others.iter().all(|kept| kept.exists()), "{others:?}");
    }

    /// Whoever makes these folders names them so.
    #[test]
    fn the_names_are_those_of_the_driver() {
        let made = include_str!("../../notebook/src/kernel_folder.rs");
        for line in [
            format!("const PLACE: &str = \"{PLACE}\";"),
            format!("const HASH_CHARS: usize = {HASH_CHARS};"),
            format!("format!(\"{PREFIX}{{}}\", &hash[..HASH_CHARS])"),
        ] {
            assert!(made.contains(&line), "{line}");
        }
        let engine = include_str!("../../notebook/src/execution.rs");
        assert!(engine.contains(&format!("const MARKER: &str = \"{MARKER}\";")));
        let driver = include_str!("../../notebook/src/driver/reveille_driver/process.py");
        assert!(driver.contains("os.urandom(4).hex()") && driver.contains("kernel + \".json\""));
    }
}
