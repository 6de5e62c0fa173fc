//! The folder of a local AWS: a temporary one, which goes with it, or one that the user named, which stays.
//!
//! One folder serves one local AWS at a time: a second one would take the first one's processes for its own, and end
//! them when it ends.

use std::{
    env, fs,
    fs::{File, TryLockError},
    io::Write,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::LocalError;

/// Locked for as long as a local AWS uses the folder. The kernel drops the lock with its process, however that ends.
const LOCK: &str = ".reveille-local.lock";

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
            let folder = tempfile::Builder::new().prefix("reveille-").tempdir();
            return folder.map(Self::Temporary).map_err(LocalError::file("make a folder in", env::temp_dir()));
        };
        fs::create_dir_all(directory).map_err(LocalError::file("make", directory))?;
        let path = directory.canonicalize().map_err(LocalError::file("use", directory))?;
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

fn lock(folder: &Path) -> Result<File, LocalError> {
    let path = folder.join(LOCK);
    let open = File::options().read(true).write(true).create(true).truncate(false).open(&path);
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
    use super::Folder;
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
}
