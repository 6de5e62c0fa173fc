//! The answer that CloudFormation waits for, put to the request's address.

use std::time::Duration;

use reveille_aws::{Aws, NotTaken};
use reveille_domain::{Code, Failure, shown};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::install::Installed;
use super::request::ResourceRequest;

/// The resource's id: the same at each answer, or CloudFormation would take it for another resource and delete this one.
const PHYSICAL_ID: &str = "reveille-runner";
/// An answer has at most 4,096 bytes, of which a stack's and a request's ids take some hundred.
const MAX_REASON_CHARS: usize = 700;
/// Ids are Amazon's own, of at most 1,024 characters; longer ones could only be somebody else's.
const MAX_ID_CHARS: usize = 1_024;
const TRIES: u32 = 5;
const TRY_TIME: Duration = Duration::from_secs(4);
/// Before the second try; it doubles.
const PAUSE: Duration = Duration::from_millis(300);
/// What all tries and pauses take: kept back from the invocation's time.
pub const TIME: Duration = Duration::from_secs(26);

/// An answer, as its address takes it.
pub struct ResourceAnswer(Value);

impl ResourceAnswer {
    pub fn of(request: &ResourceRequest, did: &Result<Option<Installed>, String>) -> Self {
        let id = |text: &str| text.chars().take(MAX_ID_CHARS).collect::<String>();
        let mut answer = json!({
            "Status": if did.is_ok() { "SUCCESS" } else { "FAILED" },
            "PhysicalResourceId": id(request.physical_id.as_deref().unwrap_or(PHYSICAL_ID)),
            "StackId": id(&request.stack_id),
            "RequestId": id(&request.request_id),
            "LogicalResourceId": id(&request.logical_id),
        });
        match did {
            Ok(None) => {}
            Ok(Some(installed)) => answer["Data"] = installed.data(),
            Err(reason) => answer["Reason"] = shown::both_ends(shown::line(reason), MAX_REASON_CHARS).into(),
        }
        Self(answer)
    }

    /// Sends it until it is taken, a few times.
    ///
    /// # Errors
    /// It was not taken: Lambda calls the function again, twice, and after that CloudFormation's own time for the resource ends.
    pub async fn send(&self, aws: &Aws, address: &str) -> Result<(), Failure> {
        let mut tries = 1;
        loop {
            let refused = match aws.put_presigned(address, self.0.to_string(), TRY_TIME).await {
                Ok(()) => return Ok(()),
                Err(refused) => refused,
            };
            if tries == TRIES || !refused.may_pass() {
                return Err(not_answered(&refused, tries));
            }
            sleep(PAUSE * 2_u32.pow(tries - 1)).await;
            tries += 1;
        }
    }
}

fn not_answered(refused: &NotTaken, tries: u32) -> Failure {
    let message = format!(
        "CloudFormation's address did not take the answer (try {tries} of {TRIES}): {refused}. The stack's resource fails when its time is over. Then deploy again."
    );
    Failure::new(Code::ServiceUnavailable, message)
}

#[cfg(test)]
mod tests {
    use super::{PAUSE, TIME, TRIES, TRY_TIME};

    #[test]
    fn the_time_that_is_kept_back_is_enough_for_every_try() {
        let pauses: u32 = (1..TRIES).map(|tries| 2_u32.pow(tries - 1)).sum();
        assert!(TRY_TIME * TRIES + PAUSE * pauses <= TIME);
    }
}
