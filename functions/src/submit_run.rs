//! State `AwaitRun`: its contract is in `reveille_protocol::steps::submit_run`.

use reveille_aws::Aws;
use reveille_domain::Failure;
use reveille_protocol::Stack;
use reveille_protocol::steps::submit_run::{Answer, Call, submit_run};

/// Handles one invocation.
pub async fn handle(stack: &Stack, aws: &Aws, call: Call) -> Result<Answer, Failure> {
    submit_run(stack, aws, call).await
}
