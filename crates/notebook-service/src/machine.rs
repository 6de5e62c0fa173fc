//! The directory that stands for the disk of an instance: what persists, and what each boot renews.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The one folder that persists across boots, as on AWS.
const NOTEBOOKS: &str = "home/ec2-user/SageMaker";
/// Folders that are there at every boot, besides those that hold the two files below.
const FOLDERS: [&str; 6] = [NOTEBOOKS, "root", "tmp", "run", "var/log", "opt/reveille"];
const METADATA: &str = "opt/ml/metadata/resource-metadata.json";
const BOOT_ID: &str = "proc/sys/kernel/random/boot_id";

/// The disk of one instance.
#[derive(Clone, Debug)]
pub struct MachineDisk {
    root: PathBuf,
}

impl MachineDisk {
    /// The disk with this root: `REVEILLE_ROOT` of its processes.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The notebook folder, which persists across boots.
    #[must_use]
    pub fn notebooks(&self) -> PathBuf {
        self.root.join(NOTEBOOKS)
    }

    /// Prepares the disk for a boot: everything but the notebook folder is new.
    ///
    /// # Errors
    /// A folder cannot be removed or made, or a file cannot be written.
    pub fn boot(&self, boot_id: &str, name: &str, arn: &str) -> io::Result<()> {
        remove_all_but(&self.root, Path::new(NOTEBOOKS))?;
        for folder in FOLDERS {
            fs::create_dir_all(self.root.join(folder))?;
        }
        let metadata = serde_json::json!({"ResourceArn": arn, "ResourceName": name});
        self.write(METADATA, &metadata.to_string())?;
        self.write(BOOT_ID, &format!("{boot_id}\n"))
    }

    fn write(&self, file: &str, content: &str) -> io::Result<()> {
        let path = self.root.join(file);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, content)
    }

    /// Removes the whole disk; it may be gone already.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn delete(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.root) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Empties a folder, except for one path below it. Links are removed, never followed.
fn remove_all_but(folder: &Path, kept: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    let mut parts = kept.components();
    let first = parts.next();
    let rest = parts.as_path();
    for entry in entries {
        let entry = entry?;
        let is_folder = entry.file_type()?.is_dir();
        let on_the_way = first.is_some_and(|first| first.as_os_str() == entry.file_name());
        if on_the_way && is_folder {
            if !rest.as_os_str().is_empty() {
                remove_all_but(&entry.path(), rest)?;
            }
        } else if is_folder {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_renews_everything_but_the_notebook_folder() {
        let directory = std::env::temp_dir().join(format!("reveille-machine-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        let machine = MachineDisk::new(directory.join("nightly"));
        let outside = directory.join("outside");
        fs::create_dir_all(&outside).unwrap();
        fs::write(outside.join("kept"), "x").unwrap();

        machine.boot("boot-1", "Nightly", "arn:1").unwrap();
        let root = machine.root();
        fs::write(machine.notebooks().join("a.ipynb"), "{}").unwrap();
        for gone in ["tmp/x", "home/ec2-user/.bashrc", "home/other", "opt/reveille/runner", "etc"] {
            fs::write(root.join(gone), "x").unwrap();
        }
        std::os::unix::fs::symlink(&outside, root.join("tmp/link")).unwrap();
        machine.boot("boot-2", "Nightly", "arn:1").unwrap();

        assert!(machine.notebooks().join("a.ipynb").exists());
        for gone in ["tmp/x", "tmp/link", "home/ec2-user/.bashrc", "home/other", "opt/reveille/runner", "etc"] {
            assert!(!root.join(gone).exists(), "{gone}");
        }
        assert!(outside.join("kept").exists(), "a link is not followed");
        assert_eq!(fs::read_to_string(root.join(BOOT_ID)).unwrap(), "boot-2\n");
        let metadata: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(root.join(METADATA)).unwrap()).unwrap();
        assert_eq!(metadata, serde_json::json!({"ResourceArn": "arn:1", "ResourceName": "Nightly"}));
        assert!(!root.join("run/systemd/system").exists());

        machine.delete().unwrap();
        machine.delete().unwrap();
        assert!(!root.exists());
        fs::remove_dir_all(directory).unwrap();
    }
}
