//! Runs programs of the tools' environment, with argument vectors, a time limit, and their output kept for errors.

use std::{collections::BTreeMap, path::Path, process::Stdio, time::Duration};

use tokio::{process::Command, time::timeout};

use crate::{LocalError, environment};

/// The slowest is the deployment. It takes about a second, and beside twenty busy processes more than two minutes: only what hangs is ended here.
const LIMIT_SECONDS: u64 = 600;

/// Runs a program to its end and gives what it printed.
///
/// # Errors
/// It cannot be run, fails, or takes longer than ten minutes.
pub(crate) async fn run(
    program: &Path,
    arguments: &[&str],
    variables: &BTreeMap<String, String>,
    folder: &Path,
) -> Result<String, LocalError> {
    let name = program.file_name().and_then(|name| name.to_str()).unwrap_or("program");
    let command: Vec<&str> = [name].into_iter().chain(arguments.iter().copied()).collect();
    let running = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(environment::handed_on())
        .env("PATH", environment::path(program.parent().unwrap_or(folder)))
        .envs(variables)
        .current_dir(folder)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(Duration::from_secs(LIMIT_SECONDS), running)
        .await
        .map_err(|_| LocalError::too_slow(&command, LIMIT_SECONDS))?
        .map_err(|source| LocalError::Program { program: program.display().to_string(), source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(LocalError::command(&command, output.status, &String::from_utf8_lossy(&said)))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::Path};

    use super::run;

    #[tokio::test(flavor = "current_thread")]
    async fn what_a_failing_program_said_is_in_the_error() {
        let none = BTreeMap::new();
        let error =
            run(Path::new("/bin/ls"), &["/nonexistent $(id)"], &none, Path::new("/")).await.unwrap_err().to_string();
        assert!(error.contains("ls /nonexistent $(id)") && error.contains("No such file"), "{error}");
        assert_eq!(run(Path::new("/bin/echo"), &["a b"], &none, Path::new("/")).await.unwrap(), "a b\n");
        let missing = run(Path::new("/nonexistent"), &[], &none, Path::new("/")).await.unwrap_err().to_string();
        assert!(missing.ends_with("remove .venv and run `make setup`"), "{missing}");
    }
}
