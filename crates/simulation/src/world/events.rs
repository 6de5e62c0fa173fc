//! EventBridge, and the people who start executions: each delivery is an execution of the state machine.

use std::rc::Rc;
use std::time::Duration;

use chrono::SecondsFormat;
use serde_json::{Value, json};

use super::{BEGINNING_MS, SECOND, World, ms, time};
use crate::definition;
use crate::fault::Fault;
use crate::schedule::Trigger;
use reveille_asl::simulated;

/// The instance that few schedules have.
const THIRD: &str = "nb-2";
/// A delivery later than this is counted as late.
const LATE: Duration = Duration::from_mins(1);

/// Why an execution was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartCause {
    /// A rule delivered an event.
    Delivered,
    /// A person started a run that no event asked for.
    ByHand,
    /// A person started the same input again.
    Repeated,
    /// A person started the same input with `rerun: true`.
    Rerun,
}

impl World {
    /// Delivers an event, as often as its plan says.
    pub(crate) async fn deliver(self: Rc<Self>, number: usize) {
        let trigger = &self.schedule.triggers[number];
        simulated::sleep(trigger.at).await;
        let cause = if trigger.event.is_some() { StartCause::Delivered } else { StartCause::ByHand };
        let earlier = &self.schedule.triggers[..number];
        match trigger.event {
            None => self.fired(Fault::PersonRunsByHand, ""),
            Some(_) if earlier.iter().any(|other| other.event == trigger.event) => self.fired(Fault::TwoRules, ""),
            Some(_) => {}
        }
        for (nth, after) in trigger.deliveries.iter().enumerate() {
            let world = Rc::clone(&self);
            let after = *after;
            self.spawn_open(async move {
                simulated::sleep(after).await;
                if nth > 0 {
                    world.fired(Fault::DeliveredTwice, "");
                }
                if after > LATE {
                    world.fired(Fault::DeliveredLate, "");
                }
                world.begin(number, cause);
            });
        }
    }

    /// Starts an execution for a trigger.
    pub(super) fn begin(&self, number: usize, cause: StartCause) {
        let trigger = &self.schedule.triggers[number];
        let mut input = input(trigger);
        if cause == StartCause::Rerun {
            input["rerun"] = json!(true);
        }
        if let Some(event) = trigger.event
            && cause == StartCause::Delivered
            && self.ledger.is_overtaken(event)
        {
            self.counters.fired(Fault::DeliveredOutOfOrder);
        }
        let of = if self.schedule.of_second_stack.contains(&number) { SECOND } else { "" };
        let name = format!("{of}t{number}-{}", self.fresh_of(format_args!("t{number}")));
        self.say(|| format!("execution {name} of trigger {number} starts: {cause:?}"));
        let before = self.schedule.updated_at.is_some_and(|at| self.now_ms() - BEGINNING_MS < ms(at));
        let earlier = (before || self.went_back()).then(|| definition::earlier(self.schedule.parameters)).flatten();
        if trigger.input["instance"] == THIRD {
            self.fired(Fault::ThirdInstance, &name);
        }
        let execution = self.service().start_execution(earlier.as_ref().unwrap_or(&self.machine), &name, &input);
        match execution {
            Ok(execution) => self.ledger.execution_started(number, trigger, cause, execution.arn(), self.now_ms()),
            Err(error) => self.ledger.violation("G1", self.now_ms(), format!("{name} was not started: {error}")),
        }
    }
}

/// The whole input of a trigger.
pub(super) fn input(trigger: &Trigger) -> Value {
    let mut input = trigger.input.clone();
    if let Some(number) = trigger.event {
        let at = BEGINNING_MS + i64::try_from(trigger.at.as_millis()).unwrap_or_default();
        input["event"] = json!({
            "version": "0", "id": format!("event-{number}"), "source": "aws.s3", "detail-type": "Object Created",
            "time": time(at).to_rfc3339_opts(SecondsFormat::Secs, true),
            "detail": {
                "bucket": {"name": "incoming"},
                "object": {"key": format!("day/{number}.csv"), "size": 17, "sequencer": format!("{number:016x}")},
                "reason": "PutObject"
            }
        });
    }
    input
}
