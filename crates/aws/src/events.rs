//! Events of Reveille's own.

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use reveille_domain::ports::{Call, CallError, CallErrorKind, PublishEvent};
use reveille_domain::run_event::SOURCE;
use serde_json::Value;

use crate::answer::{call_error, incomplete};
use crate::clients::Aws;

impl PublishEvent for Aws {
    async fn publish_event(&self, detail_type: &str, detail: &Value) -> Call<()> {
        const ACTION: &str = "events:PutEvents";
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.event_bus)
            .source(SOURCE)
            .detail_type(detail_type)
            .detail(detail.to_string())
            .build();
        let answer = self
            .events()
            .put_events()
            .entries(entry)
            .send()
            .await
            .map_err(|error| call_error(ACTION, &self.event_bus, &error))?;
        if answer.entries().is_empty() {
            return Err(incomplete(ACTION, &self.event_bus, "an answer for the event"));
        }
        // PutEvents succeeds even when the entry was refused.
        match answer.entries().iter().find(|entry| entry.error_code().is_some()) {
            None => Ok(()),
            Some(refused) => Err(CallError {
                kind: CallErrorKind::NoAnswer,
                action: ACTION,
                resource: self.event_bus.clone(),
                message: format!(
                    "{}: {}",
                    refused.error_code().unwrap_or_default(),
                    refused.error_message().unwrap_or_default()
                ),
            }),
        }
    }
}
