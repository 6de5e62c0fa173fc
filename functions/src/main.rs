#![doc = include_str!("../README.md")]

use std::process::ExitCode;

use reveille_aws::Aws;
use reveille_domain::{Code, Failure};
use reveille_functions::log::{Level, Line};
use reveille_functions::{RuntimeApi, last_words};
use reveille_protocol::Stack;
use reveille_protocol::admit_run::admit_run;
use reveille_protocol::await_run::await_run;
use reveille_protocol::check_instance::check_instance;
use reveille_protocol::conclude_run::conclude_run;
use reveille_protocol::publish_progress::publish_progress;
use reveille_protocol::start_instance::start_instance;
use reveille_protocol::step::Step;
use reveille_protocol::sweep::sweep;
use reveille_protocol::verify_stopped::verify_stopped;

mod arguments;
mod environment;
mod handler;
mod install_runner;
mod invocation;

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
    let handler = handler::from_env()?;
    let (stack, aws) = environment::read(handler).await?;
    Ok((handler, stack, aws, RuntimeApi::from_env()?))
}

/// From `_HANDLER` to the step of the same name, or to what CloudFormation calls.
async fn serve(handler: Handler, stack: &Stack, aws: &Aws, api: &mut RuntimeApi) -> Result<ExitCode, String> {
    use invocation::serve;
    let handler = match handler {
        Handler::Step(step) => step,
        Handler::InstallRunner => return install_runner::serve(api, aws).await,
    };
    match handler {
        Step::AdmitRun => serve(api, handler, stack, aws, with_input, admit_run).await,
        Step::CheckInstance => serve(api, handler, stack, aws, plain, check_instance).await,
        Step::StartInstance => serve(api, handler, stack, aws, plain, start_instance).await,
        Step::AwaitRun => serve(api, handler, stack, aws, plain, await_run).await,
        Step::VerifyStopped => serve(api, handler, stack, aws, plain, verify_stopped).await,
        Step::ConcludeRun => serve(api, handler, stack, aws, with_input, conclude_run).await,
        Step::Sweep => serve(api, handler, stack, aws, plain, sweep).await,
        Step::PublishProgress => serve(api, handler, stack, aws, plain, publish_progress).await,
    }
}
