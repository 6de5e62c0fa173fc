//! State `CheckInstance`: its contract is in `reveille_protocol::steps::check_instance`.

use reveille_aws::Aws;
use reveille_domain::Failure;
use reveille_protocol::Stack;
use reveille_protocol::steps::check_instance::{Answer, Call, check_instance};

/// Handles one invocation.
pub async fn handle(stack: &Stack, aws: &Aws, call: Call) -> Result<Answer, Failure> {
    check_instance(stack, aws, call).await
}
