//! The sweeper: its contract is in `reveille_protocol::steps::release_instance`.

use reveille_aws::Aws;
use reveille_domain::Failure;
use reveille_protocol::Stack;
use reveille_protocol::steps::release_instance::{Answer, Call, release_instance};

/// Handles one invocation.
pub async fn handle(stack: &Stack, aws: &Aws, call: Call) -> Result<Answer, Failure> {
    release_instance(stack, aws, call).await
}
