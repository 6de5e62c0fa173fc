//! What this computer lacks for machines. `machines/can-boot.sh` looks; `make test-boot` asks the same script.

use std::process::{Command, Stdio};

use super::{HOST_PATH, ROOT_STAMP};
use crate::config::Machines;

const CAN_BOOT: &str = include_str!("../../machines/can-boot.sh");

/// What is missing here for machines, in one sentence, and what to do; `None`: nothing.
pub(crate) fn missing(options: &Machines) -> Option<String> {
    let asked = Command::new("/bin/bash")
        .args(["-c", CAN_BOOT, "can-boot"])
        .arg(&options.root)
        .env_clear()
        .env("PATH", HOST_PATH)
        .current_dir("/")
        .stdin(Stdio::null())
        .output();
    let asked = match asked {
        Ok(asked) => asked,
        Err(error) => return Some(format!("/bin/bash cannot be run: {error}; install it (Debian: apt install bash)")),
    };
    if !asked.status.success() {
        let said = [asked.stdout, asked.stderr].concat();
        return Some(String::from_utf8_lossy(&said).trim().to_owned());
    }
    let stamp = options.root.join(ROOT_STAMP);
    (!stamp.exists()).then(|| format!("{} is no root of machines; build one with make root", options.root.display()))
}
