#![doc = include_str!("../README.md")]

use std::process::ExitCode;
use std::rc::Rc;

use reveille_domain::ports::Log;
use reveille_protocol::runner::Runner;

mod adapters;
mod engine;
mod environment;
mod notebook;
mod person;

use adapters::RunnerAdapters;
use environment::Environment;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let environment = match Environment::read() {
        Ok(environment) => environment,
        Err(problem) => {
            adapters::log(&problem);
            return ExitCode::FAILURE;
        }
    };
    // The notebook's task shares the adapters with the loop; both live on this thread.
    Box::pin(tokio::task::LocalSet::new().run_until(serve(environment))).await
}

async fn serve(environment: Environment) -> ExitCode {
    let adapters = Rc::new(RunnerAdapters::new(&environment).await);
    adapters.log(&format!("runner of {} on boot {}", environment.identity.instance, environment.identity.boot_id));
    let runner = Runner::bind(&environment.layout, adapters.as_ref(), &environment.identity).await;
    if let Err(error) = environment.say_ready() {
        adapters.log(&format!(
            "the ready file could not be written: {error}; the on-start script will wait for it in vain"
        ));
    }
    // Found while the first run is still on its way; a failure is met again, and told, by that run.
    let warm_up = Rc::clone(&adapters);
    tokio::task::spawn_local(async move { warm_up.engine().await.map(|_| ()) });
    match Box::pin(runner.serve()).await {}
}
