//! State `StartInstance`: its contract is in `reveille_protocol::steps::start_instance`.

use reveille_aws::Aws;
use reveille_domain::Failure;
use reveille_protocol::Stack;
use reveille_protocol::steps::start_instance::{Answer, Call, start_instance};

/// Handles one invocation.
pub async fn handle(stack: &Stack, aws: &Aws, call: Call) -> Result<Answer, Failure> {
    start_instance(stack, aws, call).await
}
