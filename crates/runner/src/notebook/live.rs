//! What is seen of a notebook while it executes: what it prints, and its file as it was saved last.

use std::cell::OnceCell;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use reveille_domain::ports::{LiveOutput, Printed, SavedNotebook};
use reveille_notebook::{Growth, Output};

/// The look at it. Clones look at the same notebook.
#[derive(Clone)]
pub struct LiveNotebook {
    /// Once it has begun.
    printed: Rc<OnceCell<Growth>>,
    saved: PathBuf,
}

impl LiveNotebook {
    /// Of the notebook whose outputs will be in this folder.
    pub(super) fn of(output: &Path) -> Self {
        Self { printed: Rc::default(), saved: output.join(Output::Notebook.file_name()) }
    }

    /// It has begun, and prints here.
    pub(super) fn prints(&self, growth: Growth) {
        // A notebook begins once.
        let _again = self.printed.set(growth);
    }
}

impl LiveOutput for LiveNotebook {
    fn take_printed(&self, room: fn(u64) -> usize) -> Printed {
        let grown = self.printed.get().map(|growth| growth.take(room)).unwrap_or_default();
        Printed { from: grown.from, bytes: grown.bytes }
    }

    fn saved(&self) -> Option<SavedNotebook> {
        // Until it has begun, what lies there is of another run.
        self.printed.get()?;
        let found = std::fs::symlink_metadata(&self.saved).ok().filter(std::fs::Metadata::is_file)?;
        let [seconds, nanoseconds] = [found.mtime(), found.mtime_nsec()].map(|part| u128::from(part.unsigned_abs()));
        let version = (seconds * 1_000_000_000 + nanoseconds) << 32 | u128::from(found.len() & 0xffff_ffff);
        Some(SavedNotebook { path: self.saved.clone(), bytes: found.len(), version })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_notebook_is_seen_once_it_has_begun_and_anew_when_it_was_saved_again() {
        let folder = tempfile::tempdir().unwrap();
        let live = LiveNotebook::of(folder.path());
        let file = folder.path().join("output.ipynb");
        fs::write(&file, "{}").unwrap();
        assert_eq!((live.saved(), live.take_printed(|_| 100)), (None, Printed::default()), "it may be another run's");
        live.prints(Growth::default());
        let first = live.saved().unwrap();
        assert_eq!((first.bytes, &first.path), (2, &file));
        assert_eq!(live.saved(), Some(first.clone()), "it is the same");
        fs::write(&file, "{ }").unwrap();
        assert_ne!(live.saved().unwrap().version, first.version);
    }

    #[test]
    fn what_the_notebook_puts_in_the_place_of_its_file_is_not_seen() {
        let folder = tempfile::tempdir().unwrap();
        let live = LiveNotebook::of(folder.path());
        live.prints(Growth::default());
        let file = folder.path().join("output.ipynb");
        assert_eq!(live.saved(), None, "it was not saved yet");
        std::os::unix::fs::symlink("/etc/passwd", &file).unwrap();
        assert_eq!(live.saved(), None);
        fs::remove_file(&file).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
        assert_eq!(live.saved(), None);
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert_eq!(live.saved(), None);
    }
}
