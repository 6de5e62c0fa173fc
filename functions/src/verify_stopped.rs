//! State `VerifyStopped`: its contract is in `reveille_protocol::steps::verify_stopped`.

use reveille_aws::Aws;
use reveille_domain::Failure;
use reveille_protocol::Stack;
use reveille_protocol::steps::verify_stopped::{Answer, Call, verify_stopped};

/// Handles one invocation.
pub async fn handle(stack: &Stack, aws: &Aws, call: Call) -> Result<Answer, Failure> {
    verify_stopped(stack, aws, call).await
}
