//! Runs the programs in turns, and sees that each did the work whose time is taken.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::certificates;
use crate::endpoint::{BenchEndpoint, Scheme};
use crate::error::Error;
use crate::programs::{Paths, Peer, payload};
use crate::runtime_api::{Answer, BenchRuntimeApi};
use crate::stats::Sample;

/// Python needs a third of a second; a machine that is a hundred times slower is no place to measure.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a program that does not answer is looked at for having ended.
const LOOK: Duration = Duration::from_millis(100);
/// The end of a failed program's output that a message shows.
const TAIL_BYTES: usize = 2000;

/// The samples of one scheme, in the order of [`Peer::ALL`]; those at one index are of one round.
#[derive(Clone, Debug, Default)]
pub struct Samples([Vec<Sample>; Peer::ALL.len()]);

impl Samples {
    /// One program's.
    #[must_use]
    pub fn of(&self, peer: Peer) -> &[Sample] {
        &self.0[peer as usize]
    }

    /// Adds one.
    pub fn push(&mut self, peer: Peer, sample: Sample) {
        self.0[peer as usize].push(sample);
    }
}

/// Everything that serves a run of the benchmark.
#[derive(Debug)]
pub struct ColdStartBench {
    paths: Paths,
    endpoint: BenchEndpoint,
}

impl ColdStartBench {
    /// Starts the servers and writes the files.
    ///
    /// # Errors
    /// A program that is missing, or the benchmark's own servers and files.
    pub fn start(paths: Paths) -> Result<Self, Error> {
        let certificates = certificates::make()?;
        paths.prepare(&certificates.authority_pem)?;
        let endpoint = BenchEndpoint::listen(&certificates.server)?;
        Ok(Self { paths, endpoint })
    }

    /// Measures `runs` rounds after `warm_up` rounds that are not counted. In a round each program runs once.
    ///
    /// # Errors
    /// The first run that could not be measured.
    pub fn rounds(&self, scheme: Scheme, warm_up: u32, runs: u32) -> Result<Samples, Error> {
        let mut samples = Samples::default();
        for round in 0..warm_up + runs {
            self.paths.place()?;
            for peer in Peer::TURNS {
                let sample = self.run(peer, scheme)?;
                if round >= warm_up {
                    samples.push(peer, sample);
                }
            }
        }
        Ok(samples)
    }

    fn run(&self, peer: Peer, scheme: Scheme) -> Result<Sample, Error> {
        let runtime_api = BenchRuntimeApi::listen(payload())?;
        let mut command = self.paths.command(peer, scheme, runtime_api.address, &self.endpoint);
        let log = File::create(self.paths.log()).map_err(Error::own("writing the log"))?;
        let errors = log.try_clone().map_err(Error::own("writing the log"))?;
        command.stdin(Stdio::null()).stdout(log).stderr(errors);

        let start = Instant::now();
        let mut process = Process::spawn(peer, &mut command)?;
        let answer = self.await_answer(&mut process, &runtime_api)?;
        let peak_bytes = process.peak_bytes()?;
        drop(process);

        let calls = self.endpoint.take_calls();
        if let Some(what) = wrong_work(&answer, calls.describes) {
            return Err(Error::WrongWork { program: peer.name(), what, output: tail(&self.paths.log()) });
        }
        let calls = calls.describes + calls.others;
        Ok(Sample { elapsed: answer.at.saturating_duration_since(start), peak_bytes, calls })
    }

    fn await_answer(&self, process: &mut Process, runtime_api: &BenchRuntimeApi) -> Result<Answer, Error> {
        let end = Instant::now() + PATIENCE;
        let what = loop {
            if let Some(answer) = runtime_api.answer(LOOK) {
                return Ok(answer);
            }
            if let Some(status) = process.ended()? {
                break format!("ended with {status}");
            }
            if Instant::now() >= end {
                break format!("was silent for {} s", PATIENCE.as_secs());
            }
        };
        Err(Error::NoAnswer { program: process.peer.name(), what, output: tail(&self.paths.log()) })
    }
}

/// A program that runs; it is ended with this value.
struct Process {
    peer: Peer,
    child: Child,
}

impl Process {
    fn spawn(peer: Peer, command: &mut Command) -> Result<Self, Error> {
        let child = command.spawn().map_err(|source| Error::Run { program: peer.name(), source })?;
        Ok(Self { peer, child })
    }

    fn ended(&mut self) -> Result<Option<std::process::ExitStatus>, Error> {
        self.child.try_wait().map_err(|source| Error::Run { program: self.peer.name(), source })
    }

    /// `VmHWM` (proc_pid_status(5)): the figure that wait4(2) reports as `ru_maxrss`, without what the child was
    /// between fork and exec.
    fn peak_bytes(&self) -> Result<u64, Error> {
        let failed = |source| Error::Run { program: self.peer.name(), source };
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).map_err(failed)?;
        peak_in(&status).ok_or_else(|| failed(std::io::Error::other("its /proc status has no VmHWM")))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; either way nothing is left of it.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn peak_in(status: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = value.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    Some(kibibytes * 1024)
}

/// What is wrong with an answer, if anything: a program that failed early would seem quick.
fn wrong_work(answer: &Answer, describes: u32) -> Option<String> {
    if !answer.is_response {
        return Some(format!("it answered with an error: {}", answer.body));
    }
    let decision = serde_json::from_str::<Value>(&answer.body).ok().and_then(|body| body.get("decision").cloned());
    if decision != Some(Value::from("wait")) {
        return Some(format!("its answer to a starting instance is no \"wait\": {}", answer.body));
    }
    (describes != 1).then(|| format!("it called DescribeNotebookInstance {describes} times"))
}

fn tail(log: &Path) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let tail = bytes.get(bytes.len().saturating_sub(TAIL_BYTES)..).unwrap_or_default();
    String::from_utf8_lossy(tail).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(is_response: bool, body: &str) -> Answer {
        Answer { at: Instant::now(), is_response, body: body.into() }
    }

    #[test]
    fn the_peak_is_read_from_the_kernels_words() {
        assert_eq!(peak_in("VmPeak:\t  9000 kB\nVmHWM:\t    7952 kB\nVmRSS:\t 1 kB\n"), Some(7952 * 1024));
        assert_eq!(peak_in("VmPeak:\t  9000 kB\n"), None);
    }

    #[test]
    fn a_program_that_did_not_do_the_work_is_not_taken_for_a_quick_one() {
        assert_eq!(wrong_work(&answer(true, r#"{"decision":"wait","waiting":{}}"#), 1), None);
        assert!(wrong_work(&answer(true, r#"{"decision":"wait"}"#), 0).unwrap().contains("0 times"));
        assert!(wrong_work(&answer(true, r#"{"decision":"ready"}"#), 1).unwrap().contains("no \"wait\""));
        assert!(wrong_work(&answer(false, r#"{"errorType":"X"}"#), 1).unwrap().contains("error"));
    }

    #[test]
    fn a_program_that_ends_without_an_answer_is_reported_with_its_output() {
        let folder = tempfile::tempdir().unwrap();
        let shell = std::path::PathBuf::from("/bin/false");
        let paths =
            Paths { function: shell.clone(), floor: shell.clone(), python: shell, folder: folder.path().to_owned() };
        let error = ColdStartBench::start(paths).unwrap().rounds(Scheme::Http, 0, 1).unwrap_err();
        assert!(matches!(&error, Error::NoAnswer { program: "python", .. }), "{error}");
    }
}
