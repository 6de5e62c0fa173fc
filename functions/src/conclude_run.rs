//! State `ConcludeRun`: its contract is in `reveille_protocol::steps::conclude_run`.

use reveille_aws::Aws;
use reveille_domain::Failure;
use reveille_protocol::Stack;
use reveille_protocol::steps::conclude_run::{Answer, Call, conclude_run};

/// Handles one invocation.
pub async fn handle(stack: &Stack, aws: &Aws, call: Call) -> Result<Answer, Failure> {
    conclude_run(stack, aws, call).await
}
