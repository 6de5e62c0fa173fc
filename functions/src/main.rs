#![doc = include_str!("../README.md")]

use std::process::ExitCode;

use reveille_aws::Aws;
use reveille_domain::{Code, Failure};
use reveille_functions::log::{Level, Line};
use reveille_functions::{RuntimeApi, last_words};
use reveille_protocol::Stack;

mod admit_run;
mod arguments;
mod check_instance;
mod conclude_run;
mod environment;
mod handler;
mod invocation;
mod release_instance;
mod start_instance;
mod submit_run;
mod verify_stopped;

use arguments::{plain, with_input};
use handler::Handler;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    last_words::install();
    let (handler, stack, aws, mut api) = match prepare().await {
        Ok(prepared) => prepared,
        Err(problem) => {
            last_words::say(&Failure::new(Code::Internal, problem));
            return ExitCode::FAILURE;
        }
    };
    match Box::pin(serve(handler, &stack, &aws, &mut api)).await {
        Ok(code) => code,
        Err(problem) => {
            Line::new(Level::Error).with("step", handler.name()).with("message", &problem).write();
            ExitCode::FAILURE
        }
    }
}

async fn prepare() -> Result<(Handler, Stack, Aws, RuntimeApi), String> {
    let handler = Handler::from_env()?;
    let (stack, aws) = environment::read(handler).await?;
    Ok((handler, stack, aws, RuntimeApi::from_env()?))
}

async fn serve(handler: Handler, stack: &Stack, aws: &Aws, api: &mut RuntimeApi) -> Result<ExitCode, String> {
    use invocation::serve;
    match handler {
        Handler::AdmitRun => serve(api, handler, stack, aws, with_input, admit_run::handle).await,
        Handler::CheckInstance => serve(api, handler, stack, aws, plain, check_instance::handle).await,
        Handler::StartInstance => serve(api, handler, stack, aws, plain, start_instance::handle).await,
        Handler::SubmitRun => serve(api, handler, stack, aws, plain, submit_run::handle).await,
        Handler::VerifyStopped => serve(api, handler, stack, aws, plain, verify_stopped::handle).await,
        Handler::ConcludeRun => serve(api, handler, stack, aws, with_input, conclude_run::handle).await,
        Handler::ReleaseInstance => serve(api, handler, stack, aws, plain, release_instance::handle).await,
    }
}
