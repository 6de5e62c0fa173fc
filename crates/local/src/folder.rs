//! The folder of a local AWS: a temporary one, which goes with it, or one that the user named, which stays.
//!
//! Nobody else may enter it: whoever reads the access key in it, or writes a script in it, runs code as its user.
//!
//! One folder serves one local AWS at a time: a second one would take the first one's processes for its own, and end
//! them when it ends.

use std::{
    env, fs,
    fs::{File, Permissions, TryLockError},
    io::Write,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::process::geteuid;
use tempfile::TempDir;

use crate::LocalError;

/// Locked for as long as a local AWS uses the folder. The kernel drops the lock with its process, however that ends.
const LOCK: &str = ".reveille-local.lock";

/// The rights of everybody else.
const OTHERS: u32 = 0o077;
/// The rights of the folder: its user's. What is in it holds the access key, and is executed.
const PRIVATE: u32 = 0o700;

pub(crate) enum Folder {
    Temporary(TempDir),
    Kept {
        path: PathBuf,
        /// Held, never read.
        _lock: File,
    },
}

impl Folder {
    /// Makes a temporary folder, or takes the user's for this process alone.
    ///
    /// # Errors
    /// It cannot be made, or another local AWS uses it.
    pub(crate) fn of(directory: Option<&Path>) -> Result<Self, LocalError> {
        let Some(directory) = directory else {
            let private = Permissions::from_mode(PRIVATE);
            let folder = tempfile::Builder::new().prefix("reveille-").permissions(private).tempdir();
            return folder.map(Self::Temporary).map_err(LocalError::file("make a folder in", env::temp_dir()));
        };
        let made = fs::DirBuilder::new().recursive(true).mode(PRIVATE).create(directory);
        made.map_err(LocalError::file("make", directory))?;
        let path = directory.canonicalize().map_err(LocalError::file("use", directory))?;
        make_private(&path)?;
        let lock = lock(&path)?;
        Ok(Self::Kept { path, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
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
    if !folder.join(LOCK).exists() && entries.next().is_some() {
        return Err(shared("other users may enter it, and it already holds other things"));
    }
    fs::set_permissions(folder, Permissions::from_mode(PRIVATE)).map_err(LocalError::file("close", folder))
}

fn lock(folder: &Path) -> Result<File, LocalError> {
    let path = folder.join(LOCK);
    let open = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let mut file = open.map_err(LocalError::file("open", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            // Who holds it wrote its id there. It may be about to: then it is not named.
            let pid = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
            return Err(LocalError::InUse { directory: folder.to_owned(), pid });
        }
        Err(TryLockError::Error(source)) => return Err(LocalError::file("lock", &path)(source)),
    }
    let written = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    written.map_err(LocalError::file("write", &path))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::{MetadataExt, PermissionsExt},
        path::Path,
    };

    use super::{Folder, LOCK, PRIVATE};
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
}
