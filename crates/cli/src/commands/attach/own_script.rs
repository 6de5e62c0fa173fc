//! An on-start script that an instance has already. An instance has one lifecycle configuration, so what the script does must go on within ours.

use std::fmt::Write;

/// As much as `OnStartCommands` takes.
pub(super) const MOST: usize = 1500;

/// Why a script cannot go on within ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CannotGoOn(pub(super) String);

/// Commands that do what a script does, to stand before ours. In a shell of its own: its `exit`, `set -e` or `cd` must not end ours, or move it.
pub(super) fn as_commands(script: &str) -> Result<String, CannotGoOn> {
    let script = script.trim_end();
    if let Some(first) = script.lines().next().filter(|line| line.starts_with("#!"))
        && !["/bash", "/sh", " bash", " sh"]
            .iter()
            .any(|shell| first.trim_end().ends_with(shell) || first.contains(&format!("{shell} ")))
    {
        return Err(CannotGoOn(format!("it is no script for bash ({first})")));
    }
    if let Some(other) = script.chars().find(|sign| !matches!(sign, '\t' | '\n' | ' '..='~')) {
        let mut name = String::new();
        // A String takes everything.
        let _ = write!(name, "{}", other.escape_unicode());
        return Err(CannotGoOn(format!("it has a character that CloudFormation's parameter does not take ({name})")));
    }
    let commands = format!("(\n{script}\n)");
    if commands.len() > MOST {
        return Err(CannotGoOn(format!("it has {} characters, and there is room for {}", script.len(), MOST - 4)));
    }
    Ok(commands)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{MOST, as_commands};

    /// As AWS's own samples begin and as many end.
    #[test]
    fn a_script_that_ends_does_not_end_ours() {
        for script in [
            "#!/bin/bash\nset -e\necho own\nfalse\necho never",
            "cd /\necho own\nexit 0\n",
            "#!/usr/bin/env bash\ncat <<EOF\nown\nEOF\n",
        ] {
            let whole = format!("set +e\n{}\npwd\necho ours", as_commands(script).unwrap());
            let folder = tempfile::tempdir().unwrap();
            let output = Command::new("/bin/bash").arg("-c").arg(whole).current_dir(folder.path()).output().unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            let folder = folder.path().canonicalize().unwrap();
            assert_eq!(said, format!("own\n{}\nours\n", folder.display()), "{script}");
        }
    }

    #[test]
    fn what_cannot_go_on_is_told() {
        for (script, said) in [
            ("#!/usr/bin/python3\nprint(1)", "no script for bash (#!/usr/bin/python3)"),
            ("echo é", "\\u{e9}"),
            ("echo a\r\necho b", "\\u{d}"),
            (&"x".repeat(MOST), "it has 1500 characters, and there is room for 1496"),
        ] {
            assert!(as_commands(script).unwrap_err().0.contains(said), "{script}");
        }
        assert!(as_commands(&"x".repeat(MOST - 4)).is_ok());
        assert!(as_commands("#!/bin/sh -e\ntrue").is_ok());
    }
}
