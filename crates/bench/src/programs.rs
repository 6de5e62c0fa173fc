//! The programs that are compared, and the one environment that each of them gets: Lambda's, an AWS endpoint, and a
//! private authority in `AWS_CA_BUNDLE`. Nothing of the caller's environment reaches them.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use crate::endpoint::{BenchEndpoint, INSTANCE, Scheme};
use crate::error::Error;

/// The Python handler, written to the run's folder so that its compiled form is kept there as Lambda keeps it.
const PYTHON_HANDLER: &str = include_str!("../python/handler.py");

/// Who is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The runtime API and the call by hand, without an SDK.
    Floor,
    /// This project's function.
    Ours,
    /// awslambdaric and boto3.
    Python,
}

impl Peer {
    /// All of them, as they appear in the table.
    pub const ALL: [Self; 3] = [Self::Floor, Self::Ours, Self::Python];

    /// The order in which they take turns: Python's start, which takes a hundred times as long, is between the copying
    /// of the two others and theirs, so that they do not find themselves in the processor's caches.
    pub const TURNS: [Self; 3] = [Self::Python, Self::Floor, Self::Ours];

    /// Its name in the table and in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Ours => "ours",
            Self::Python => "python",
        }
    }
}

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The functions' bootstrap.
    pub function: PathBuf,
    /// The floor program.
    pub floor: PathBuf,
    /// A Python that has awslambdaric and boto3.
    pub python: PathBuf,
    /// The run's own folder.
    pub folder: PathBuf,
}

impl Paths {
    /// Sees that the programs are there, and writes the files that they need.
    ///
    /// # Errors
    /// [`Error::Missing`] for the first that is not, [`Error::Own`] when the folder cannot be written.
    pub fn prepare(&self, authority_pem: &str) -> Result<(), Error> {
        let build = "build it with `cargo build --locked --release -p reveille-functions -p reveille-bench`";
        let install = "make it with `make bench-cold`, or name one that has awslambdaric and boto3 with --python";
        for (what, path, hint) in [
            ("the functions' bootstrap", &self.function, build),
            ("the floor program", &self.floor, build),
            ("the Python of the comparison", &self.python, install),
        ] {
            if !path.is_file() {
                return Err(Error::Missing { what, path: path.clone(), hint });
            }
        }
        std::fs::write(self.authority(), authority_pem).map_err(Error::own("writing the authority"))?;
        std::fs::write(self.folder.join("handler.py"), PYTHON_HANDLER).map_err(Error::own("writing the handler"))
    }

    /// Copies the function and the floor program into the run's folder, from where they are run, as a deployment
    /// writes them anew. Where a file's pages happen to lie in memory makes a start up to a tenth slower or quicker:
    /// with a copy for each round, the median is taken over many places.
    ///
    /// # Errors
    /// [`Error::Own`] when the folder cannot be written.
    pub fn place(&self) -> Result<(), Error> {
        for (from, to) in [(&self.function, self.placed(Peer::Ours)), (&self.floor, self.placed(Peer::Floor))] {
            // By a process of its own: were this one to write it, a child that is forked in that moment would inherit the
            // open file, and an open program cannot be executed.
            let copied = Command::new("install").args(["-m", "755"]).args([from, &to]).status();
            if !copied.map_err(Error::own("copying a program"))?.success() {
                return Err(Error::own("copying a program")(std::io::Error::other("install(1) failed")));
            }
        }
        Ok(())
    }

    fn placed(&self, peer: Peer) -> PathBuf {
        self.folder.join(peer.name())
    }

    /// What the programs write goes here; it is read when one of them fails.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.join("output.log")
    }

    fn authority(&self) -> PathBuf {
        self.folder.join("authority.pem")
    }

    /// The command that starts a program, but for where its output goes.
    #[must_use]
    pub fn command(&self, peer: Peer, scheme: Scheme, runtime_api: SocketAddr, endpoint: &BenchEndpoint) -> Command {
        let (path, arguments): (PathBuf, &[&str]) = match peer {
            Peer::Floor | Peer::Ours => (self.placed(peer), &[]),
            Peer::Python => (self.python.clone(), &["-m", "awslambdaric", "handler.handle"]),
        };
        let mut command = Command::new(path);
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env_clear()
            .envs(environment(peer, runtime_api))
            .env("AWS_ENDPOINT_URL_SAGEMAKER", endpoint.sagemaker.url(scheme))
            .env("AWS_ENDPOINT_URL_S3", endpoint.s3.url(scheme))
            .env("LAMBDA_TASK_ROOT", &self.folder)
            .env("AWS_CA_BUNDLE", self.authority());
        command
    }
}

/// Lambda's variables (AWS Lambda Developer Guide, "Defined runtime environment variables") and the template's.
fn environment(peer: Peer, runtime_api: SocketAddr) -> Vec<(&'static str, OsString)> {
    let handler = if peer == Peer::Python { "handler.handle" } else { "check_instance" };
    [
        ("_HANDLER", handler),
        ("AWS_LAMBDA_RUNTIME_API", &runtime_api.to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/bench"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "bench"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        ("AWS_SESSION_TOKEN", "example"),
        ("REVEILLE_BUCKET", "bench"),
        ("REVEILLE_EVENT_BUS", "default"),
        ("REVEILLE_HEARTBEAT_SECONDS", "120"),
        ("LANG", "en_US.UTF-8"),
        ("TZ", ":UTC"),
    ]
    .into_iter()
    .map(|(name, value)| (name, OsString::from(value)))
    .collect()
}

/// What the state machine passes to CheckInstance at the first look.
#[must_use]
pub fn payload() -> String {
    json!({
        "run": {
            "id": "bench-0123456789",
            "attempt": 1,
            "instance": INSTANCE,
            "admittedAt": "2026-01-05T09:00:00Z",
            "limits": {"startSeconds": 900, "queueSeconds": 3600, "runSeconds": 3600, "stopSeconds": 900},
            "whenBusy": "queue",
            "onRunnerLost": "fail",
        },
        "silences": 0,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named_with_how_to_make_it() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths {
            function: std::env::current_exe().unwrap(),
            floor: folder.path().join("no-such-floor"),
            python: std::env::current_exe().unwrap(),
            folder: folder.path().to_owned(),
        };
        let message = paths.prepare("").unwrap_err().to_string();
        assert!(message.contains("no-such-floor") && message.contains("cargo build --locked --release"), "{message}");
    }

    #[test]
    fn nothing_of_the_callers_environment_reaches_a_program() {
        let folder = tempfile::tempdir().unwrap();
        let env = PathBuf::from("/usr/bin/env");
        let paths = Paths { function: env.clone(), floor: env.clone(), python: env, folder: folder.path().to_owned() };
        let certificates = crate::certificates::make().unwrap();
        let endpoint = BenchEndpoint::listen(&certificates.server).unwrap();
        paths.place().unwrap();
        let runtime_api = SocketAddr::from(([127, 0, 0, 1], 9));
        let output = paths.command(Peer::Ours, Scheme::Https, runtime_api, &endpoint).output().unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        assert!(output.contains("_HANDLER=check_instance\n"), "{output}");
        assert!(output.contains(&format!("AWS_ENDPOINT_URL_SAGEMAKER=https://{}\n", endpoint.sagemaker.https)));
        assert!(!output.contains("PATH=") && !output.contains("HOME="), "{output}");
    }
}
