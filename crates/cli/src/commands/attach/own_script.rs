//! An on-start script that an instance has already. An instance has one lifecycle configuration, so what the script does must go on within ours.

use std::fmt::Write;

/// As much as `OnStartCommands` takes.
pub(super) const MOST: usize = 1500;

/// Why a script cannot go on within ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CannotGoOn(pub(super) String);

/// Commands that do what a script does, to stand before ours. They hand it to a bash of its own, with the options that its first line gives: its
/// `exit`, `set -e` or `cd` must not end ours, or move it. Not `( ... )`: bash would read what stands behind an `exit` as well, and ignore the
/// options. Not by its standard input, which is the script's.
pub(super) fn as_commands(script: &str) -> Result<String, CannotGoOn> {
    let script = script.trim_end_matches('\n');
    let runs = command(script.lines().next().unwrap_or_default())?;
    if let Some(other) = script.chars().find(|sign| !matches!(sign, '\t' | '\n' | ' '..='~')) {
        let mut name = String::new();
        // A String takes everything.
        let _ = write!(name, "{}", other.escape_unicode());
        return Err(CannotGoOn(format!("it has a character that CloudFormation's parameter does not take ({name})")));
    }
    let end = delimiter(script);
    let (before, after) = (format!("{runs} /dev/fd/9 9<<'{end}'\n"), format!("\n{end}"));
    let room = MOST - before.len() - after.len();
    if script.len() > room {
        return Err(CannotGoOn(format!("it has {} characters, and there is room for {room}", script.len())));
    }
    Ok(format!("{before}{script}{after}"))
}

/// What Linux runs for a first line: an interpreter, with all that follows it as one argument.
fn command(first: &str) -> Result<String, CannotGoOn> {
    let Some(line) = first.strip_prefix("#!").map(str::trim) else { return Ok("/bin/bash".to_owned()) };
    let (interpreter, options) = line.split_once([' ', '\t']).map_or((line, ""), |(it, rest)| (it, rest.trim()));
    let is_shell = |name: &str| matches!(name.rsplit('/').next(), Some("bash" | "sh"));
    let by_env = interpreter.ends_with("/env")
        && options.strip_prefix("-S").unwrap_or(options).split_whitespace().next().is_some_and(is_shell);
    if !is_shell(interpreter) && !by_env {
        return Err(CannotGoOn(format!("it is no script for bash ({first})")));
    }
    // They stand in a command of ours.
    let is_plain = |sign: char| sign.is_ascii_alphanumeric() || "/._+-= \t".contains(sign);
    if !line.chars().all(is_plain) || interpreter.starts_with('-') {
        return Err(CannotGoOn(format!("its first line cannot be repeated within another script ({first})")));
    }
    Ok(if options.is_empty() { interpreter.to_owned() } else { format!("{interpreter} '{options}'") })
}

/// A line that the script does not have.
fn delimiter(script: &str) -> String {
    let names = std::iter::once("OWN".to_owned()).chain((1_usize..).map(|number| format!("OWN{number}")));
    let is_free = |name: &String| script.lines().all(|line| line != name.as_str());
    // A script has fewer lines than there are numbers.
    names.into_iter().find(is_free).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{MOST, as_commands};

    /// What is said where a script goes on before ours, as it would on an instance. `None`: ours did not run, or not where it was.
    fn said(script: &str) -> Option<String> {
        let whole = format!("#!/bin/bash\n{}\npwd\necho ours\nexit 0\n", as_commands(script).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("on-start.sh");
        std::fs::write(&file, whole).unwrap();
        let output = Command::new("/bin/bash").arg(&file).current_dir(folder.path()).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let ours = format!("{}\nours\n", folder.path().canonicalize().unwrap().display());
        said.strip_suffix(&ours).map(str::to_owned)
    }

    /// As AWS's own samples begin and as many end.
    #[test]
    fn a_script_that_ends_does_not_end_ours() {
        for script in [
            "#!/bin/bash\nset -e\necho own\nfalse\necho never",
            "cd /\necho own\nexit 0\n",
            "#!/usr/bin/env bash\ncat <<EOF\nown\nEOF\n",
            "echo own\nexec true\n",
            "trap 'echo own' EXIT\nkill $$\n",
        ] {
            assert_eq!(said(script).as_deref(), Some("own\n"), "{script}");
        }
    }

    /// Without its `-e`, a script that fails to enter a folder empties the one that it is in, as root.
    #[test]
    fn the_options_of_its_first_line_hold() {
        for first in [
            "#!/bin/bash -e",
            "#! /bin/bash -eu ",
            "#!/bin/sh -e",
            "#!/usr/bin/env -S bash -e",
            "#!/bin/bash --norc\nset -e",
        ] {
            let script = format!("{first}\necho own\ncd /there/is/no/such/folder\necho deletes everything\n");
            assert_eq!(said(&script).as_deref(), Some("own\n"), "{script}");
        }
        assert_eq!(said("#!/bin/bash\ncd /there/is/no/such/folder\necho own").as_deref(), Some("own\n"));
    }

    /// bash reads a script as it comes to it. What stands behind its end is often no script.
    #[test]
    fn what_is_no_script_of_bash_does_no_harm_to_ours() {
        for script in [
            "echo own\nexit 0\nThat's all, (and more\n",
            "echo own\nexit 0\n)\n",
            "echo own\nif true; then\n",
            "echo own\ncat <<'THERE'\n",
            "echo own\nexit\nOWN\nOWN1\n",
            "echo own \\",
            "echo \"$(printf 'own')\"",
        ] {
            assert_eq!(said(script).as_deref(), Some("own\n"), "{script}");
        }
    }

    /// A daemon that it leaves behind, and what it reads, are as they were.
    #[test]
    fn its_standard_input_is_not_the_script() {
        assert_eq!(said("#!/bin/bash\ncat\nexec 9>/dev/null\necho own\n").as_deref(), Some("own\n"));
    }

    #[test]
    fn what_cannot_go_on_is_told() {
        for (script, said) in [
            ("#!/usr/bin/python3\nprint(1)", "no script for bash (#!/usr/bin/python3)"),
            ("#!/usr/bin/env python3\nprint(1)", "no script for bash"),
            ("#!/bin/bash -c 'true'\ntrue", "its first line cannot be repeated"),
            ("echo é", "\\u{e9}"),
            ("echo a\r\necho b", "\\u{d}"),
            (&"x".repeat(MOST), "it has 1500 characters, and there is room for 1467"),
        ] {
            assert!(as_commands(script).unwrap_err().0.contains(said), "{script}");
        }
        assert!(as_commands(&"x".repeat(1467)).is_ok());
    }
}
