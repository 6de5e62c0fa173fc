//! What a boot finds on the disk of its machine, over the root.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, lchown, symlink},
    path::Path,
};

use super::{Named, ROLE};

/// The unit of the instance's Jupyter server, in the root.
const JUPYTER: &str = "jupyter-server.service";
/// The bundle of certificates that the host trusts, which a machine trusts too.
const BUNDLE: &str = "etc/ssl/certs/ca-certificates.crt";
/// The machine's journal ends with it, and is in its memory until then. Left to itself it may have a tenth of the host's disk.
const JOURNAL: &[u8] = b"[Journal]\nStorage=volatile\nRuntimeMaxUse=8M\n";

/// Writes it. `own_network`: the machine has a network of its own.
pub(super) fn write_upper(
    upper: &Path,
    named: &Named<'_>,
    environment: &BTreeMap<String, String>,
    own_network: bool,
) -> io::Result<()> {
    let write = |file: &str, content: &[u8]| {
        let path = upper.join(file);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, content)
    };
    let metadata = serde_json::json!({"ResourceArn": named.arn, "ResourceName": named.name});
    write("opt/ml/metadata/resource-metadata.json", metadata.to_string().as_bytes())?;
    // A minimal Debian has none, and without it nothing in the machine finds localhost.
    write("etc/hosts", b"127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n")?;
    let role = environment.iter().filter(|(name, _)| ROLE.contains(&name.as_str()));
    let role: Vec<String> = role.map(|(name, value)| format!("DefaultEnvironment=\"{name}={value}\"\n")).collect();
    let file = "etc/systemd/system.conf.d/role.conf";
    let path = upper.join(file);
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    // The access key is in it, and the machine's manager, which reads it, is root.
    let mut private = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    private.write_all(format!("[Manager]\n{}", role.concat()).as_bytes())?;
    write("etc/systemd/journald.conf.d/bound.conf", JOURNAL)?;
    let host = Path::new("/").join(BUNDLE);
    if host.exists() {
        write(BUNDLE, &fs::read(host)?)?;
    }
    if own_network {
        // Its port is the same on each instance, so on the host's network there would be one server for all.
        let wanted = upper.join("etc/systemd/system/multi-user.target.wants");
        fs::create_dir_all(&wanted)?;
        symlink(Path::new("/etc/systemd/system").join(JUPYTER), wanted.join(JUPYTER))?;
    }
    Ok(())
}

/// Gives a folder and what is in it to a user. Links are given, never followed.
pub(super) fn give(path: &Path, user: u32) -> io::Result<()> {
    lchown(path, Some(user), Some(user))?;
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), user)?;
        }
    }
    Ok(())
}
