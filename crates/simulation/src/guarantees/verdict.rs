//! G4: how an execution ended, against what its notebook did and what its records say.

use std::rc::Rc;

use reveille_asl::interpreter::{Description, EventKind, Status};
use reveille_domain::Code;
use reveille_domain::layout::AttemptRef;
use reveille_domain::limits::SWEEP_BACK;
use reveille_domain::records::{self, Outcome, Report, Reporter};

use super::Findings;
use crate::fault::Fault;
use crate::schedule::{Invocation, Mode, Trouble};
use crate::world::ledger::{Begun, Started};
use crate::world::{RETRIES_OF_A_DEATH, World};

/// A little longer than the sweeper's timer.
const SWEPT_EVERY_MS: i64 = 360_000;

/// G4: the execution ends with the outcome's own code, and the code is one of ours.
pub(super) fn check_code(
    world: &World,
    execution: &Started,
    ended: &Description,
    outcome: &Outcome,
    findings: &mut Findings,
) {
    let broken = |what: String| world.ledger.violation("G4", world.now_ms(), format!("{}: {what}", execution.run));
    let code = ended.error.as_deref().and_then(Code::parse);
    match ended.status {
        // ConcludeRun died at every try; the sweeper recorded what it did not.
        Status::Failed if code.is_none() && dies_at_every_try(world) => {}
        // Without its variables a state cannot even be called: the error is the language's own.
        Status::Failed if code.is_none() && forgot(world, execution) => {}
        Status::Failed if code.is_none() || code == Some(Code::OutcomeNotRecorded) => {
            findings.unclassified += 1;
            broken(format!("failed with {:?}: {:?}", ended.error, ended.cause));
        }
        Status::Failed if code != outcome.code => {
            broken(format!("failed with {code:?}, and its outcome says {:?}", outcome.code));
        }
        // A redrive that verified the stop of a successful run leaves the first outcome as it stands.
        Status::Succeeded if outcome.failure.is_some() && execution.redrives == 0 => {
            broken(format!("succeeded, and its outcome says {:?}", outcome.code));
        }
        _ => {}
    }
    if outcome.code == Some(Code::InvalidRequest) {
        world.counters.fired(Fault::InvalidInput);
    }
    // Of records that a notebook spoilt there is no better code.
    let spoilt = world.ledger.struck_at(&execution.instance).is_some();
    if outcome.code == Some(Code::Internal) && !dies_at_every_try(world) && !spoilt && !is_refused(world) {
        findings.unclassified += 1;
        broken(format!("has no better code than Internal: {:?}", outcome.failure));
    }
}

/// Whether the execution was redriven, and found none of its variables.
fn forgot(world: &World, execution: &Started) -> bool {
    world.schedule.redrives_forget && execution.redrives > 0
}

/// Whether the schedule has calls refused: a request that AWS calls wrong is a fault of the program, and has no better name.
pub(super) fn is_refused(world: &World) -> bool {
    let refused = |trouble| matches!(trouble, Trouble::Call { mode: Mode::Refused | Mode::Denied, .. });
    world.schedule.troubles.iter().any(|planned| refused(planned.trouble))
}

/// Whether the schedule has functions die as often as the definition tries again: that has no better name than Internal.
fn dies_at_every_try(world: &World) -> bool {
    let deaths = world.schedule.troubles.iter().map(|planned| match planned.trouble {
        Trouble::Invocation { how: Invocation::Cut(_), times, .. } => times,
        _ => 0,
    });
    deaths.sum::<u32>() > RETRIES_OF_A_DEATH
}

/// G4: the first error of the newest attempt that a step ended with is the outcome's, where there is no report.
pub(super) fn check_first_error(world: &World, execution: &Started, outcome: &Outcome) {
    let Some(history) = world.service().execution(&execution.arn).map(|known| known.history()) else { return };
    let mut failing: Option<(Rc<str>, Code)> = None;
    let mut first = None;
    for event in history {
        let Some(state) = event.state else { continue };
        match event.kind {
            EventKind::TaskFailed => {
                let error = event.detail.as_deref().and_then(|detail| detail.split(' ').next());
                failing = error.and_then(Code::parse).map(|code| (state, code));
            }
            EventKind::TaskScheduled | EventKind::TaskSucceeded | EventKind::TaskTimedOut => failing = None,
            EventKind::TaskStateEntered if *state == *"AdmitRun" => (failing, first) = (None, None),
            EventKind::TaskStateEntered => {
                let left = failing.take().filter(|(failed, _)| **failed != *"VerifyStopped");
                first = first.or(left.map(|(_, code)| code));
            }
            _ => {}
        }
    }
    if first.is_some() && outcome.code != first {
        let what = format!("{}: its first error is {first:?}, and its outcome {:?}", execution.run, outcome.code);
        world.ledger.violation("G4", world.now_ms(), what);
    }
}

/// G4: the first error wins. The report is the verdict; and what the runner reports is what the notebook did.
pub(super) fn check_verdict(world: &World, at: &AttemptRef, outcome: &Outcome, notebooks: &[Begun]) {
    let broken = |what: String| world.ledger.violation("G4", world.now_ms(), format!("{}: {what}", at.run));
    let Some(report) = world.bucket.record::<Report>(&world.stack.layout.report(at)) else {
        let begun = notebooks.iter().any(|begun| begun.at == *at);
        if begun && outcome.failure.is_none() {
            broken("succeeded without a report".into());
        }
        return;
    };
    let reported = report.failure.as_ref().map(|failure| failure.code);
    // Of a stop that could not be confirmed the outcome speaks beside the verdict.
    let masked = match reported {
        Some(code) => outcome.code != Some(code),
        None => {
            outcome.status != records::RunStatus::Succeeded
                || outcome.code.is_some_and(|code| code != Code::StopNotConfirmed)
        }
    };
    if masked {
        broken(format!("its report says {reported:?}, and its outcome {:?}", outcome.code));
    }
    // Outputs are kept whoever gave the verdict, and an outcome names what there is; but for what a boot found that came so late
    // that no sweep looked at the execution any more.
    let late = || {
        let last_swept_ms = (outcome.concluded_at + SWEEP_BACK).timestamp_millis() - SWEPT_EVERY_MS;
        let boots = world.boots.borrow();
        outcome.outputs.is_empty()
            && report.by == Reporter::Function
            && boots.values().any(|boot| boot.instance == at.instance && boot.since_ms > last_swept_ms)
    };
    if world.sweeps() && outcome.outputs != report.outputs && !late() {
        broken(format!("its report names {:?}, and its outcome {:?}", report.outputs, outcome.outputs));
    }
    let kept = |uri: &String| world.bucket.has(uri.trim_start_matches(&world.stack.layout.uri("")));
    if !outcome.outputs.values().all(kept) {
        broken(format!("its outcome names what is not there: {:?}", outcome.outputs));
    }
    let ended = notebooks.iter().rev().find(|begun| begun.at == *at).and_then(|begun| begun.ended);
    if let (Some(ended), Reporter::Runner) = (ended, report.by) {
        let own = [Code::RunnerLost, Code::OutputNotSaved];
        let same = reported == ended || reported.is_some_and(|code| own.contains(&code));
        if !same {
            broken(format!("the notebook ended with {ended:?}, and the runner reported {reported:?}"));
        }
    }
}
