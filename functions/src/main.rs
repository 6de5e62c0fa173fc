#![doc = include_str!("../README.md")]

use std::process::ExitCode;

mod admit_run;
mod check_instance;
mod conclude_run;
mod environment;
mod handler;
mod invocation;
mod release_instance;
mod start_instance;
mod submit_run;
mod verify_stopped;

use handler::Handler;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match Box::pin(serve()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            invocation::log(&serde_json::json!({"level": "ERROR", "message": problem.to_string()}));
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), lambda_runtime::Error> {
    let handler = Handler::from_env()?;
    let (stack, aws) = environment::read().await?;
    match handler {
        Handler::AdmitRun => invocation::serve(handler, &stack, &aws, admit_run::handle).await,
        Handler::CheckInstance => invocation::serve(handler, &stack, &aws, check_instance::handle).await,
        Handler::StartInstance => invocation::serve(handler, &stack, &aws, start_instance::handle).await,
        Handler::SubmitRun => invocation::serve(handler, &stack, &aws, submit_run::handle).await,
        Handler::VerifyStopped => invocation::serve(handler, &stack, &aws, verify_stopped::handle).await,
        Handler::ConcludeRun => invocation::serve(handler, &stack, &aws, conclude_run::handle).await,
        Handler::ReleaseInstance => invocation::serve(handler, &stack, &aws, release_instance::handle).await,
    }
}
