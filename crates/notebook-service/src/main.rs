//! Runs the notebook instance service until Ctrl-C, SIGTERM, or the end of its terminal.

use std::{
    env, fmt,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use reveille_notebook_service::{Config, Machines, ServiceError, serve};
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "usage: notebook_service --dir DIR [--port PORT] [--region REGION] [--account ID] [--path PATH] [--env NAME=VALUE]... [--machines ROOT]
Serves SageMaker notebook instances on 127.0.0.1 and prints the endpoint and the access key of this start. DIR holds their disks and logs.
--path and --env are what lifecycle scripts get. With --machines (as root) instances really boot, from a root that make root built. Ctrl-C ends it and every process of every instance.
";

#[derive(Debug)]
enum MainError {
    Usage(String),
    Service(ServiceError),
    Io(io::Error),
}

impl fmt::Display for MainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) => write!(f, "{message}\n{USAGE}"),
            Self::Service(error) => write!(f, "{error}"),
            Self::Io(error) => write!(f, "{error}"),
        }
    }
}

impl From<io::Error> for MainError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ServiceError> for MainError {
    fn from(error: ServiceError) -> Self {
        Self::Service(error)
    }
}

fn config(mut arguments: impl Iterator<Item = String>) -> Result<Config, MainError> {
    let mut directory = None;
    let mut config = Config::new(PathBuf::new());
    while let Some(option) = arguments.next() {
        let value = arguments.next().ok_or_else(|| MainError::Usage(format!("{option} needs a value")))?;
        match option.as_str() {
            "--dir" => directory = Some(PathBuf::from(value)),
            "--port" => {
                config.port = value.parse().map_err(|_| MainError::Usage(format!("{value} is no port")))?;
            }
            "--region" => config.region = value,
            "--account" => config.account = value,
            "--machines" => config.machines = Some(Machines::new(value)),
            "--path" => config.path = value,
            "--env" => {
                let (name, value) =
                    value.split_once('=').ok_or_else(|| MainError::Usage("--env needs NAME=VALUE".to_owned()))?;
                config.environment.insert(name.to_owned(), value.to_owned());
            }
            _ => return Err(MainError::Usage(format!("unknown option {option}"))),
        }
    }
    config.directory = directory.ok_or_else(|| MainError::Usage("--dir is missing".to_owned()))?;
    config.on_log = Some(Arc::new(|line| {
        // A log that cannot be written is no reason to stop.
        let _ = writeln!(io::stderr(), "{line}");
    }));
    Ok(config)
}

async fn run() -> Result<(), MainError> {
    let config = config(env::args().skip(1))?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let service = serve(config).await?;
    writeln!(io::stdout(), "{}\nAWS_ACCESS_KEY_ID={}", service.endpoint(), service.access_key().as_str())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(service.shutdown().await?)
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = runtime.map_err(MainError::Io).and_then(|runtime| runtime.block_on(run()));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "notebook_service: {error}");
            ExitCode::FAILURE
        }
    }
}
