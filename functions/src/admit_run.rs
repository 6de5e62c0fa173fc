//! State `AdmitRun`: its contract is in `reveille_protocol::steps::admit_run`.

use reveille_aws::Aws;
use reveille_domain::Failure;
use reveille_protocol::Stack;
use reveille_protocol::steps::admit_run::{Answer, Call, admit_run};

/// Handles one invocation.
pub async fn handle(stack: &Stack, aws: &Aws, call: Call) -> Result<Answer, Failure> {
    admit_run(stack, aws, call).await
}
