//! **InstallRunner**: CloudFormation's resource that brings a release's runner, and papermill's archive, into the runs bucket.
//!
//! - Called by CloudFormation when the stack is made, updated or deleted. It answers at the presigned address of the request, whatever
//!   happens, since CloudFormation waits for that answer and for nothing else.
//! - Effects, in this order: each file is read and its SHA-256 compared; what is not there yet is copied, under the release's own name; the
//!   record that says which runner counts is overwritten. Until then instances start with the runner that they had.
//! - Run twice it does nothing the second time. What is in the bucket already is not asked of the release's bucket again, so that an update
//!   that is rolled back finds the old runner even where its release is gone.
//! - A deletion removes nothing: the bucket outlives the stack, and instances that are up may still look.

mod answer;
mod install;
mod request;

use std::process::ExitCode;
use std::time::Duration;

use reveille_aws::Aws;
use reveille_domain::{Code, Failure};
use reveille_functions::bounds::{StepEnded, Termination};
use reveille_functions::log::{Level, Line};
use reveille_functions::{LambdaInvocation, RuntimeApi};
use tokio::time::timeout;

use crate::handler::Handler;
use answer::ResourceAnswer;
use install::Installed;
use request::{Kind, ResourceRequest};

/// Serves CloudFormation's requests until Lambda ends the process.
///
/// # Errors
/// What made it impossible to go on.
pub async fn serve(api: &mut RuntimeApi, aws: &Aws) -> Result<ExitCode, String> {
    let answer = async |invocation: &LambdaInvocation, termination: &mut Termination| {
        let result = one(aws, invocation, termination).await;
        let level = if matches!(result, Ok(Ok(_))) { Level::Info } else { Level::Error };
        let line = Line::new(level).with("step", Handler::InstallRunner.name()).about(invocation);
        match &result {
            Ok(Ok(did)) => line.with("decision", did),
            Ok(Err(reason)) => line.with("message", reason),
            Err(failure) => line.failure(failure),
        }
        .write();
        // CloudFormation looks at nothing but the answer at its address. An invocation that failed is sent again by Lambda.
        result.map(|_| "{}".to_owned())
    };
    reveille_functions::serve(api, answer).await
}

/// Carries a request out and answers it. Tells what was done, or why the resource fails; for the log.
async fn one(
    aws: &Aws,
    invocation: &LambdaInvocation,
    termination: &mut Termination,
) -> Result<Result<String, String>, Failure> {
    let request = ResourceRequest::read(&invocation.payload)?;
    let time = invocation.time_left().saturating_sub(answer::TIME);
    let work = Box::pin(async {
        let did = carry_out(aws, &request, time).await;
        ResourceAnswer::of(&request, &did).send(aws, &request.address).await?;
        Ok(did.map(|installed| {
            installed.map_or("deleted nothing".to_owned(), |it| format!("installed {}", it.runner_key))
        }))
    });
    let ended = termination.bound(invocation, work).await;
    aws.forget_calls();
    match ended {
        StepEnded::Done(result) => result,
        StepEnded::TooLate | StepEnded::OutOfTime(_) | StepEnded::ToldToEnd => Err(Failure::new(
            Code::ServiceUnavailable,
            "The function ended before CloudFormation was answered. Lambda calls it again.",
        )),
    }
}

/// What came of a request: for an installation what there is now, or the reason why it failed.
async fn carry_out(aws: &Aws, request: &ResourceRequest, time: Duration) -> Result<Option<Installed>, String> {
    match &request.kind {
        Kind::Delete => Ok(None),
        Kind::Install(wanted) => {
            let installing = timeout(time, install::install(aws, wanted));
            let late = |_| {
                let calls = aws.calls_under_way();
                Err(format!("The function ran out of time ({}). Deploy again.", calls.join(", ")))
            };
            installing.await.unwrap_or_else(late).map(Some)
        }
        Kind::Unknown(why) => Err(why.clone()),
    }
}
