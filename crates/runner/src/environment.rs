//! What the on-start script and the machine tell the runner.

use std::io;
use std::path::{Path, PathBuf};

use reveille_domain::InstanceName;
use reveille_domain::layout::Layout;
use reveille_notebook::regular;
use reveille_protocol::runner::Identity;

/// Everything that is read once, at the start.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Where the stack's records are.
    pub layout: Layout,
    /// Which instance and boot this is.
    pub identity: Identity,
    /// The folder that stands for `/`.
    pub root: PathBuf,
    /// The region of the instance, from its ARN.
    pub region: Option<String>,
    ready_file: Option<PathBuf>,
}

impl Environment {
    /// Reads the environment, the instance's metadata and the kernel's boot id.
    ///
    /// # Errors
    /// A sentence that says what is missing and what to do.
    pub fn read() -> Result<Self, String> {
        let root = std::env::var_os("REVEILLE_ROOT").map_or_else(|| PathBuf::from("/"), PathBuf::from);
        let bucket = std::env::var("REVEILLE_BUCKET").unwrap_or_default();
        if bucket.is_empty() {
            return Err("REVEILLE_BUCKET is not set: the on-start script sets it from its preamble.".to_owned());
        }
        let prefix = std::env::var("REVEILLE_PREFIX").unwrap_or_default();
        let (name, region) = metadata(&root)?;
        let boot_id = read(&root.join("proc/sys/kernel/random/boot_id"))?.trim().to_owned();
        Ok(Self {
            layout: Layout { bucket, prefix },
            identity: Identity { instance: InstanceName::parse(&name)?, boot_id },
            region,
            root,
            ready_file: std::env::var_os("REVEILLE_READY_FILE").map(PathBuf::from),
        })
    }

    /// Tells the on-start script that the boot is bound.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn say_ready(&self) -> io::Result<()> {
        self.ready_file.as_ref().map_or(Ok(()), |file| std::fs::write(file, "ready\n"))
    }
}

/// The instance's name and region from `resource-metadata.json`
/// (SageMaker developer guide, "Get notebook instance metadata").
fn metadata(root: &Path) -> Result<(String, Option<String>), String> {
    let path = root.join("opt/ml/metadata/resource-metadata.json");
    let metadata: serde_json::Value = serde_json::from_str(&read(&path)?)
        .map_err(|error| format!("{} is not JSON ({error}). This is not a notebook instance.", path.display()))?;
    let text = |name: &str| metadata.get(name).and_then(serde_json::Value::as_str);
    let name = text("ResourceName").ok_or_else(|| format!("{} has no ResourceName.", path.display()))?;
    let region = text("ResourceArn").and_then(|arn| arn.split(':').nth(3)).map(str::to_owned);
    Ok((name.to_owned(), region))
}

/// The metadata and a boot id have some hundred bytes.
const MAX_FACT_BYTES: u64 = 64 * 1024;

/// A notebook with root rights, which SageMaker's default gives, can put anything there: a FIFO would hold up every later boot of the
/// runner. Where a link leads is SageMaker's affair.
fn read(path: &Path) -> Result<String, String> {
    let bytes = std::fs::canonicalize(path).and_then(|real| regular::read(&real, MAX_FACT_BYTES));
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other));
    text.map_err(|error| {
        format!("{} cannot be read ({error}). The runner runs on notebook instances only.", path.display())
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_fact_is_read_from_a_file_of_some_size_only() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("fact"), "nightly").unwrap();
        symlink(at("fact"), at("link")).unwrap();
        assert_eq!(read(&at("fact")), Ok("nightly".to_owned()));
        assert_eq!(read(&at("link")), Ok("nightly".to_owned()), "SageMaker may link it");
        assert!(read(Path::new("/proc/sys/kernel/random/boot_id")).is_ok());

        assert!(Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());
        fs::write(at("large"), vec![b' '; 70_000]).unwrap();
        fs::write(at("bytes"), [0xff]).unwrap();
        for (name, why) in
            [("fifo", "not a regular file"), ("large", "larger than"), ("bytes", "utf-8"), ("absent", "No such")]
        {
            let refused = read(&at(name)).unwrap_err();
            assert!(refused.contains(why), "{name}: {refused}");
        }
        assert!(read(Path::new("/dev/zero")).unwrap_err().contains("not a regular file"));
    }
}
