//! The folder of a local AWS: a temporary one, which goes with it, or one that the user named, which stays.
//!
//! Nobody else may enter it: whoever reads the access key in it, or writes a script in it, runs code as its user.
//!
//! One folder serves one local AWS at a time: a second one would take the first one's processes for its own, and end
//! them when it ends.
//!
//! A local AWS that is killed leaves its temporary folder to its shim, which removes it. What both left, because both were killed or
//! neither was up, the next one removes: a lock that nobody holds tells that its owner is dead. It removes what their kernels left, too.

use std::{
    env, fs,
    fs::{File, Permissions, TryLockError},
    io::Write,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use rustix::process::geteuid;
use tempfile::TempDir;

use crate::{LocalError, processes};

/// Locked for as long as a local AWS uses the folder. The kernel drops the lock with its process, however that ends.
const LOCK: &str = ".reveille-local.lock";
/// The same of a temporary folder, and the mark of one: what the user named is never taken for something to remove.
const TEMPORARY: &str = ".reveille-temporary.lock";

/// How a temporary folder's name begins.
const PREFIX: &str = "reveille-";
/// Dead folders that are looked at: a start does not take longer for thousands.
const MOST_DEAD: usize = 100;

/// The rights of everybody else.
const OTHERS: u32 = 0o077;
/// The rights of the folder: its user's. What is in it holds the access key, and is executed.
const PRIVATE: u32 = 0o700;

pub(crate) enum Folder {
    Temporary {
        folder: TempDir,
        /// Held, never read.
        _lock: Lock,
    },
    Kept {
        path: PathBuf,
        /// Held, never read.
        _lock: Lock,
    },
}

/// A locked file. Unlocked by hand and not by closing it: a process that another thread starts meanwhile has a copy of the descriptor until it
/// executes its program, and the lock would last as long as that.
pub(crate) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closed in the next moment, which unlocks it too.
        let _ = self.0.unlock();
    }
}

impl Folder {
    /// Makes a temporary folder, or takes the user's for this process alone.
    ///
    /// # Errors
    /// It cannot be made, or another local AWS uses it.
    pub(crate) fn of(directory: Option<&Path>) -> Result<Self, LocalError> {
        let Some(directory) = directory else {
            let place = env::temp_dir();
            remove_dead(&place);
            return Self::temporary(&place);
        };
        let made = fs::DirBuilder::new().recursive(true).mode(PRIVATE).create(directory);
        made.map_err(LocalError::file("make", directory))?;
        let path = directory.canonicalize().map_err(LocalError::file("use", directory))?;
        make_private(&path)?;
        // A temporary folder that the user names is kept from now on, unless it is in use.
        let mark = path.join(TEMPORARY);
        let temporary = mark.exists().then(|| lock_file(&mark)).transpose()?;
        let lock = lock_file(&path.join(LOCK))?;
        if temporary.is_some() {
            fs::remove_file(&mark).map_err(LocalError::file("remove", &mark))?;
        }
        Ok(Self::Kept { path, _lock: lock })
    }

    fn temporary(place: &Path) -> Result<Self, LocalError> {
        let private = Permissions::from_mode(PRIVATE);
        let folder = tempfile::Builder::new().prefix(PREFIX).permissions(private).tempdir_in(place);
        let folder = folder.map_err(LocalError::file("make a folder in", place))?;
        // Locked before it has the name by which others find it: they would take it for a dead one's.
        let new = folder.path().join(format!("{TEMPORARY}.new"));
        let lock = lock_file(&new)?;
        fs::rename(&new, folder.path().join(TEMPORARY)).map_err(LocalError::file("write", &new))?;
        Ok(Self::Temporary { folder, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Temporary { folder, .. } => folder.path(),
            Self::Kept { path, .. } => path,
        }
    }

    /// Whether the files in it outlive this local AWS.
    pub(crate) const fn is_kept(&self) -> bool {
        matches!(self, Self::Kept { .. })
    }
}

/// Lets nobody else in. A folder that was one of ours, or is empty, is closed; one with other things in it is not ours to
/// close, and one that belongs to somebody else cannot be closed to them.
fn make_private(folder: &Path) -> Result<(), LocalError> {
    let metadata = fs::metadata(folder).map_err(LocalError::file("use", folder))?;
    let shared = |problem: &str| LocalError::Shared { directory: folder.to_owned(), problem: problem.to_owned() };
    if metadata.uid() != geteuid().as_raw() {
        return Err(shared("it belongs to another user"));
    }
    if metadata.mode() & OTHERS == 0 {
        return Ok(());
    }
    let mut entries = fs::read_dir(folder).map_err(LocalError::file("read", folder))?;
    if ![LOCK, TEMPORARY].iter().any(|lock| folder.join(lock).exists()) && entries.next().is_some() {
        return Err(shared("other users may enter it, and it already holds other things"));
    }
    fs::set_permissions(folder, Permissions::from_mode(PRIVATE)).map_err(LocalError::file("close", folder))
}

fn lock_file(path: &Path) -> Result<Lock, LocalError> {
    let open = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    let mut file = open.map_err(LocalError::file("open", path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            // Who holds it wrote its id there. It may be about to: then it is not named.
            let pid = fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
            return Err(LocalError::InUse { directory: path.parent().unwrap_or(path).to_owned(), pid });
        }
        Err(TryLockError::Error(source)) => return Err(LocalError::file("lock", path)(source)),
    }
    let written = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    written.map_err(LocalError::file("write", path))?;
    Ok(Lock(file))
}

/// Removes the temporary folders of local AWSs that are dead. What cannot be removed is left to the next one.
fn remove_dead(place: &Path) {
    let Ok(entries) = fs::read_dir(place) else { return };
    let named = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
    let candidates = entries.flatten().map(|entry| entry.path()).filter(named).filter(|path| is_ours_alone(path));
    // The lock is held until the folder is gone: nobody takes it meanwhile.
    for (folder, _lock) in candidates.filter_map(|folder| dead(&folder).map(|lock| (folder, lock))).take(MOST_DEAD) {
        if !is_in_use(&folder) {
            let _ = fs::remove_dir_all(&folder);
        }
    }
}

/// Whether it is a folder of this user's that nobody else may enter. It is not followed where it is a link: somebody else may have put it there.
pub(crate) fn is_ours_alone(path: &Path) -> bool {
    let metadata = fs::symlink_metadata(path);
    metadata.is_ok_and(|it| it.is_dir() && it.uid() == geteuid().as_raw() && it.mode() & OTHERS == 0)
}

/// The lock of a temporary folder whose owner is dead.
fn dead(folder: &Path) -> Option<Lock> {
    // One without this lock is the user's or somebody else's, or is about to be locked.
    let lock = File::options().read(true).write(true).open(folder.join(TEMPORARY)).ok()?;
    lock.try_lock().ok()?;
    let lock = Lock(lock);
    // With both, the user has named it since. Looked at with the lock in hand: whoever names it takes that first.
    (!folder.join(LOCK).exists()).then_some(lock)
}

/// Whether anything of a dead local AWS still works in its folder: a process that its shim has not ended yet, or a machine's mount.
fn is_in_use(folder: &Path) -> bool {
    let path = folder.as_os_str().as_bytes();
    let holds = |text: &[u8], part: &[u8]| text.windows(part.len()).any(|window| window == part);
    let below = [path, b"/"].concat();
    if fs::read("/proc/self/mounts").is_ok_and(|mounts| holds(&mounts, &below)) {
        return true;
    }
    let mark = [b"=", below.as_slice()].concat();
    processes::environments().any(|(_, environment)| holds(&environment, &mark))
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::{MetadataExt, PermissionsExt, symlink},
        path::Path,
        process::Command,
    };

    use super::{Folder, LOCK, PRIVATE, TEMPORARY, dead, remove_dead};
    use crate::LocalError;

    #[test]
    fn a_folder_serves_one_local_aws_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("new");
        let first = Folder::of(Some(&directory)).unwrap();
        let refused = Folder::of(Some(&directory)).err().unwrap();
        let LocalError::InUse { pid, .. } = &refused else { panic!("{refused}") };
        assert_eq!(*pid, Some(std::process::id()));
        assert!(refused.to_string().contains("another --directory"), "{refused}");
        drop(first);
        Folder::of(Some(&directory)).unwrap();
    }

    #[test]
    fn nobody_else_enters_a_folder() {
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        let open = |path: &Path| fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        let parent = tempfile::tempdir().unwrap();
        let (new, empty, full) = (parent.path().join("a/new"), parent.path().join("empty"), parent.path().join("full"));
        drop(Folder::of(Some(&new)).unwrap());
        assert_eq!(mode(&new), PRIVATE);
        assert_eq!(mode(&new.join(LOCK)), 0o600);
        // One of ours that was opened since.
        open(&new);
        drop(Folder::of(Some(&new)).unwrap());
        assert_eq!(mode(&new), PRIVATE);
        fs::create_dir(&empty).unwrap();
        open(&empty);
        drop(Folder::of(Some(&empty)).unwrap());
        assert_eq!(mode(&empty), PRIVATE);
        // Somebody's documents are not closed to others unasked.
        fs::create_dir(&full).unwrap();
        fs::write(full.join("letter"), "").unwrap();
        open(&full);
        let refused = Folder::of(Some(&full)).err().unwrap();
        assert!(matches!(refused, LocalError::Shared { .. }), "{refused}");
        assert!(refused.to_string().contains("chmod 700"), "{refused}");
        assert_eq!(mode(&full), 0o755);
        fs::set_permissions(&full, Permissions::from_mode(PRIVATE)).unwrap();
        drop(Folder::of(Some(&full)).unwrap());
        assert_eq!(mode(Folder::of(None).unwrap().path()), PRIVATE);
    }

    /// A local AWS and its shim that were killed with SIGKILL leave a folder; the next start removes it, and nothing else.
    #[test]
    fn what_dead_ones_left_is_removed_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let make = |name: &str, locks: &[&str], mode: u32| {
            let folder = place.path().join(name);
            fs::create_dir_all(folder.join("ministack")).unwrap();
            for lock in locks {
                fs::write(folder.join(lock), "1\n").unwrap();
            }
            fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
            folder
        };
        let living = Folder::temporary(place.path()).unwrap();
        let dead = make("reveille-dead", &[TEMPORARY], PRIVATE);
        let busy = make("reveille-busy", &[TEMPORARY], PRIVATE);
        let mut left = Command::new("sleep").arg("600").env("HOME", busy.join("home")).spawn().unwrap();
        let kept = [
            living.path().to_owned(),
            busy.clone(),
            make("reveille-other", &[], PRIVATE),
            make("reveille-shared", &[TEMPORARY], 0o755),
            make("reveille-kept", &[LOCK], PRIVATE),
            make("reveille-named-since", &[LOCK, TEMPORARY], PRIVATE),
            make("documents", &[TEMPORARY], PRIVATE),
        ];
        symlink(place.path().join("documents"), place.path().join("reveille-link")).unwrap();
        remove_dead(place.path());
        assert!(!dead.exists());
        assert!(kept.iter().all(|folder| folder.exists()), "{kept:?}");
        left.kill().unwrap();
        left.wait().unwrap();
        remove_dead(place.path());
        assert!(!busy.exists(), "its last process has ended");
    }

    /// Another thread that starts a process gives it a copy of every descriptor, until that process executes its program.
    #[test]
    fn who_gives_a_folder_back_has_given_it_back_whoever_has_a_copy_of_its_lock() {
        let place = tempfile::tempdir().unwrap();
        let work = place.path().join("work");
        let Folder::Kept { _lock: lock, .. } = Folder::of(Some(&work)).unwrap() else { panic!("the user named it") };
        let _copy = lock.0.try_clone().unwrap();
        drop(lock);
        drop(Folder::of(Some(&work)).unwrap());
        let left = place.path().join("left");
        fs::create_dir(&left).unwrap();
        fs::write(left.join(TEMPORARY), "1\n").unwrap();
        let lock = dead(&left).unwrap();
        let _copy = lock.0.try_clone().unwrap();
        drop(lock);
        assert!(dead(&left).is_some());
    }

    /// `--directory` may name a folder beside the temporary ones, and by the same prefix.
    #[test]
    fn a_folder_that_the_user_named_is_never_removed() {
        let place = tempfile::tempdir().unwrap();
        let work = place.path().join("reveille-work");
        drop(Folder::of(Some(&work)).unwrap());
        fs::write(work.join("run.ipynb"), "").unwrap();
        remove_dead(place.path());
        assert!(work.join("run.ipynb").exists());
        // A temporary one that is in use is nobody else's; a dead one that the user names becomes the user's.
        let living = Folder::temporary(place.path()).unwrap();
        let refused = Folder::of(Some(living.path())).err().unwrap();
        assert!(matches!(refused, LocalError::InUse { .. }), "{refused}");
        let rescued = place.path().join("reveille-rescued");
        fs::create_dir(&rescued).unwrap();
        fs::write(rescued.join(TEMPORARY), "1\n").unwrap();
        drop(Folder::of(Some(&rescued)).unwrap());
        remove_dead(place.path());
        assert!(rescued.exists() && living.path().exists());
    }
}
