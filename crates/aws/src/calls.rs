//! Every call as it passes: which are under way, what time the answer names, and whether what answered is AWS.
//!
//! A success whose output has no fields is taken for one whatever its body is, and a page of a proxy ("200 OK", "log in
//! first") would start an instance that nobody started. Owns the telling of such answers. Never holds a request's values.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextRef,
    BeforeSerializationInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use chrono::{TimeDelta, Utc};

use crate::clock::Offset;
use crate::foreign;

/// The calls of one [`crate::Aws`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls {
    under_way: Arc<Mutex<Vec<UnderWay>>>,
    offset: Offset,
}

#[derive(Debug)]
struct UnderWay {
    service: String,
    operation: String,
    since: Instant,
}

impl Calls {
    /// The calls that have no answer yet, the oldest first, in words.
    pub(crate) fn under_way(&self) -> Vec<String> {
        let calls = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let words = |call: &UnderWay| {
            format!("{} {} for {:.1} s", call.service, call.operation, call.since.elapsed().as_secs_f64())
        };
        calls.iter().map(words).collect()
    }

    /// How far AWS's clock is ahead of this machine's.
    pub(crate) fn offset(&self) -> TimeDelta {
        self.offset.get()
    }

    /// Forgets the calls of a step that was given up: nobody waits for their answers.
    pub(crate) fn forget(&self) {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Intercept for Calls {
    fn name(&self) -> &'static str {
        "Calls"
    }

    fn read_before_serialization(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(call) = cfg.load::<Metadata>() {
            let call = UnderWay {
                service: call.service().to_owned(),
                operation: call.name().to_owned(),
                since: Instant::now(),
            };
            self.under_way.lock().unwrap_or_else(PoisonError::into_inner).push(call);
        }
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        self.offset.learn(response, Utc::now());
        // An object of a user's may be a page; it comes with S3's request id.
        let is_page =
            response.status().is_success() && foreign::is_page(response) && !foreign::has_request_id(response);
        if is_page { Err(foreign::NOT_AWS.into()) } else { Ok(()) }
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        // A streamed body (an object) is not looked at; S3's other answers have none, or XML.
        let Some(body) = response.body().bytes() else { return Ok(()) };
        let speaks_xml = cfg.load::<Metadata>().is_some_and(|call| call.service() == "S3");
        let nothing = body.is_empty() && !foreign::has_request_id(response);
        let is_foreign = response.status().is_success() && (nothing || !foreign::may_be_output(body, speaks_xml));
        if is_foreign { Err(foreign::NOT_AWS.into()) } else { Ok(()) }
    }

    fn read_after_execution(
        &self,
        _: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(call) = cfg.load::<Metadata>() {
            let mut calls = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            // Of several calls of one operation it does not matter which is taken: they are told apart by nothing else.
            let place =
                calls.iter().position(|known| known.service == call.service() && known.operation == call.name());
            place.map(|place| calls.remove(place));
        }
        Ok(())
    }
}
