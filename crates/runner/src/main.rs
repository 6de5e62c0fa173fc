#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

use std::process::ExitCode;
use std::rc::Rc;

use reveille_domain::ports::{AskedToEnd, Log};
use reveille_protocol::runner::Runner;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

mod adapters;
mod engine;
mod environment;
mod log;
mod notebook;
mod person;

use adapters::RunnerAdapters;
use environment::Environment;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let environment = match Environment::read() {
        Ok(environment) => environment,
        Err(problem) => {
            log::log(&problem);
            return ExitCode::FAILURE;
        }
    };
    // The notebook's task shares the adapters with the loop; both live on this thread.
    Box::pin(tokio::task::LocalSet::new().run_until(serve(environment))).await
}

async fn serve(environment: Environment) -> ExitCode {
    let adapters = Rc::new(RunnerAdapters::new(&environment, asked_to_end()).await);
    adapters.log(&format!("runner of {} on boot {}", environment.identity.instance, environment.identity.boot_id));
    let runner = tokio::select! {
        biased;
        runner = Runner::bind(&environment.layout, adapters.as_ref(), &environment.identity) => runner,
        () = adapters.asked_to_end() => return ExitCode::SUCCESS,
    };
    if let Err(error) = environment.say_ready() {
        adapters.log(&format!(
            "the ready file could not be written: {error}; the on-start script will wait for it in vain"
        ));
    }
    // Found while the first run is still on its way; a failure is met again, and told, by that run.
    let warm_up = Rc::clone(&adapters);
    tokio::task::spawn_local(async move { warm_up.engine().await.map(|_| ()) });
    Box::pin(runner.serve()).await;
    adapters.log("the runner ends");
    // What the machine asks for is no failure, after which systemd would start it again.
    ExitCode::SUCCESS
}

/// Hears SIGTERM, by which the machine asks every service to end before it powers off.
fn asked_to_end() -> watch::Receiver<bool> {
    let (tell, asked) = watch::channel(false);
    match signal(SignalKind::terminate()) {
        Ok(mut order) => drop(tokio::task::spawn_local(async move {
            order.recv().await;
            tell.send_replace(true);
            // Whoever asks later is told too.
            tell.closed().await;
        })),
        Err(error) => {
            log::log(&format!("SIGTERM cannot be heard ({error}): an instance that is stopped keeps no outputs"));
        }
    }
    asked
}
