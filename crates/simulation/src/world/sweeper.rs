//! The sweeper's triggers, as the template has them: a timer, and the status-change events of executions that did not
//! succeed. Both call the deployed `sweep`; an event may be lost or come twice.

use std::rc::Rc;
use std::time::Duration;

use reveille_asl::interpreter::{Description, Status};
use reveille_asl::simulated;
use serde_json::{Value, json};

use super::ledger::Hindrance;
use super::{SECOND, World, functions, pass_ms};
use crate::fault::Fault;
use crate::schedule::{Cut, Invocation, Step};

/// The template's `SweepSchedule`.
pub const SWEEPS_EVERY_MS: i64 = 300_000;
const EVERY: Duration = Duration::from_millis(SWEEPS_EVERY_MS.unsigned_abs());
/// EventBridge passes an event on within this.
const EVENT_MS: u64 = 3_000;
/// Events of each hundred that are lost (they are best effort), and that come twice.
const LOST: u8 = 5;
const TWICE: u8 = 5;
/// Where every sweep is cut off, so many are lost: otherwise the timer's sweeps have nothing to do but stop instances.
const LOST_IF_CUT_OFF: u8 = 60;
/// A sweep that is cut off comes to its schedule's call, or to one of so many behind it.
const CUT_OFF_WITHIN: u64 = 12;

impl World {
    /// The timer.
    pub(crate) async fn sweep(self: Rc<Self>) {
        loop {
            simulated::sleep(EVERY).await;
            let cut = self.schedule.sweeps_cut_off.map(|cut| self.a_little_later(cut));
            self.release(json!({}), cut, "");
            if !self.schedule.of_second_stack.is_empty() {
                self.release(json!({}), None, SECOND);
            }
        }
    }

    /// An execution ended.
    pub(super) fn tell_sweeper(self: &Rc<Self>, execution: &Description) {
        if !self.sweeps() || matches!(execution.status, Status::Running | Status::Succeeded) {
            return;
        }
        if self.chance(if self.schedule.sweeps_cut_off.is_some() { LOST_IF_CUT_OFF } else { LOST }) {
            self.ledger.hindered(self.now_ms(), Hindrance::Function);
            return self.fired(Fault::EndingEventLost, &execution.name);
        }
        let times = if self.chance(TWICE) { 2 } else { 1 };
        for _ in 0..times {
            let (world, detail) = (Rc::clone(self), execution.event_detail());
            let of = if execution.name.starts_with(SECOND) { SECOND } else { "" };
            simulated::spawn(async move {
                pass_ms(world.pick(100, EVENT_MS)).await;
                world.release(detail, None, of);
            });
        }
    }

    fn a_little_later(&self, cut: Cut) -> Cut {
        let later = u32::try_from(self.pick(0, CUT_OFF_WITHIN)).unwrap_or_default();
        match cut {
            Cut::Before(call) => Cut::Before(call + later),
            Cut::After(call) => Cut::After(call + later),
            Cut::Hangs(call) => Cut::Hangs(call + later),
        }
    }

    fn release(self: &Rc<Self>, payload: Value, cut: Option<Cut>, of: &'static str) {
        let world = Rc::clone(self);
        simulated::spawn(async move {
            let how = cut.map(Invocation::Cut).or_else(|| world.invocation_trouble(Step::Sweep));
            let subject = match &world.choices {
                None if of.is_empty() => "the sweeper".to_owned(),
                None => format!("{of} sweeper"),
                Some(choices) => format!("sweep {}", choices.count("sweep")),
            };
            // What it could not do, the next one does: the timer comes again.
            let begun_ms = world.now_ms();
            let ended = functions::invoked(&world, Step::Sweep, how, payload, &subject).await;
            if cut.is_some() && ended.is_err_and(|error| functions::is_cut_off(&error)) {
                world.ledger.hindered(begun_ms, Hindrance::Sweep);
                world.fired(Fault::SweepCutOff, &subject);
            }
            if let Some(choices) = &world.choices {
                choices.forget(&subject);
            }
        });
    }
}
