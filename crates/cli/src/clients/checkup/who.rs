//! Who one is, and what AWS's clock says: both in one call, which takes no permission.

use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, context::BeforeDeserializationInterceptorContextRef},
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;
use chrono::{DateTime, Utc};

use super::{Known, ask};
use crate::error::CliError;

/// What AWS said of the caller, and when.
#[derive(Debug)]
pub(crate) struct Greeting {
    /// The caller's ARN; an error: the credentials are not accepted, or nobody answered.
    pub(crate) caller: Result<String, CliError>,
    pub(crate) clock: Option<SeenClock>,
}

/// The same moment on two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeenClock {
    pub(crate) here: DateTime<Utc>,
    pub(crate) at_aws: DateTime<Utc>,
}

/// Asks both.
pub(crate) async fn greet(config: &SdkConfig) -> Known<Greeting> {
    let clock = Clock::default();
    let call = aws_sdk_sts::Client::new(config).get_caller_identity().customize().interceptor(clock.clone());
    // A refusal is an answer too: it says that the credentials are no good, and it has a date.
    let answer = ask("sts:GetCallerIdentity", async { Ok(call.send().await) }).await?;
    let caller = answer.map(|answer| answer.arn.unwrap_or_default());
    let caller = caller.map_err(|error| CliError::asked("ask who you are", &error));
    Ok(Greeting { caller, clock: clock.seen() })
}

/// Notes the date of an answer, and when it came.
#[derive(Clone, Debug, Default)]
struct Clock(Arc<Mutex<Option<SeenClock>>>);

impl Clock {
    fn seen(&self) -> Option<SeenClock> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for Clock {
    fn name(&self) -> &'static str {
        "Clock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let at_aws = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            at_aws.map(|at| SeenClock { here: Utc::now(), at_aws: at.with_timezone(&Utc) });
        Ok(())
    }
}
