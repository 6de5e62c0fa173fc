//! Runs a helper program (an interpreter, venv, pip) to its end: bounded in time, in memory, and in what it leaves.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

/// Of a program's output its end is kept: errors stand there. Answers of ours are shorter.
const KEPT_BYTES: usize = 16 * 1024;
/// How much of it a message quotes. A failure has 2,000 characters, and several reasons may share them.
const QUOTED_CHARS: usize = 400;

/// The process group of a program: killed whole when it is dropped, because venv and pip start processes of their own.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // Gone already, as a rule.
            let _gone = kill_process_group(leader, Signal::KILL);
        }
    }
}

/// Runs a command to its end and gives what it wrote to stdout.
///
/// # Errors
/// It cannot be started, takes longer than `limit`, or fails: one sentence, with the end of what it wrote.
pub(crate) async fn run(mut command: Command, limit: Duration) -> Result<String, String> {
    let name = command.as_std().get_program().display().to_string();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| format!("{name} cannot be started: {error}"))?;
    let _group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let all = async { tokio::join!(child.wait(), end_of(stdout), end_of(stderr)) };
    let Ok((status, stdout, stderr)) = tokio::time::timeout(limit, all).await else {
        return Err(format!("{name} took longer than {} s", limit.as_secs()));
    };
    let status = status.map_err(|error| format!("{name} cannot be waited for: {error}"))?;
    if status.success() {
        return Ok(stdout);
    }
    let text = format!("{}\n{}", stdout.trim(), stderr.trim());
    Err(format!("{name} ended with {status}: {}", tail(text.trim())))
}

/// Reads to the end and keeps the last bytes.
async fn end_of(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let mut kept = Vec::new();
    let mut chunk = vec![0; KEPT_BYTES];
    if let Some(mut pipe) = pipe {
        // A pipe that breaks ends as a pipe that is closed: the exit status decides.
        while let Ok(read @ 1..) = pipe.read(&mut chunk).await {
            kept.extend_from_slice(&chunk[..read]);
            let surplus = kept.len().saturating_sub(KEPT_BYTES);
            kept.drain(..surplus);
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// The end of a text, in one line.
fn tail(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let surplus = line.chars().count().saturating_sub(QUOTED_CHARS);
    if surplus == 0 { line } else { format!("...{}", line.chars().skip(surplus).collect::<String>()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    const LIMIT: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn an_answer_is_what_stdout_says() {
        assert_eq!(run(shell("echo no >&2; echo yes"), LIMIT).await.unwrap(), "yes\n");
    }

    #[tokio::test]
    async fn a_failure_tells_its_end_in_one_line() {
        let error = run(shell("seq 1 100000; echo; echo 'no network today' >&2; exit 3"), LIMIT).await.unwrap_err();
        assert!(
            error.starts_with("sh ended with exit status: 3: ...") && error.ends_with("no network today"),
            "{error}"
        );
        assert!(error.chars().count() < QUOTED_CHARS + 60 && !error.contains('\n'), "{error}");
        let error = run(Command::new("/no/such/program"), LIMIT).await.unwrap_err();
        assert!(error.contains("/no/such/program cannot be started"), "{error}");
    }

    #[tokio::test]
    async fn at_the_limit_the_whole_family_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let id = folder.path().join("id");
        let script = format!("sleep 600 & echo $! > {}; wait", id.display());
        let mut limit = Duration::from_millis(500);
        let child: i32 = loop {
            let error = run(shell(&script), limit).await.unwrap_err();
            assert!(error.contains("took longer"), "{error}");
            // On a busy machine the limit may strike before the shell came so far.
            match std::fs::read_to_string(&id).ok().and_then(|text| text.strip_suffix('\n')?.parse().ok()) {
                Some(child) => break child,
                None => limit *= 2,
            }
            assert!(limit < LIMIT * 5, "the shell never came so far");
        };
        // Killed; whoever inherits it reaps it in a moment, or never: a zombie has no command line.
        let alive = || std::fs::read(format!("/proc/{child}/cmdline")).is_ok_and(|line| !line.is_empty());
        while alive() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
