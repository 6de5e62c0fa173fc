//! The runner and calls that are refused once: a refusal says nothing of the run, which is served all the same.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod support;

use reveille_domain::ports::CallErrorKind;
use support::StepFault;
use support::runner::{serve, waiting_run};

const KINDS: [CallErrorKind; 4] =
    [CallErrorKind::Refused, CallErrorKind::AccessDenied, CallErrorKind::Throttled, CallErrorKind::NoAnswer];

#[test]
fn one_call_that_fails_never_sets_a_run_aside() {
    let calls = [
        ("s3:GetObject", "report.json"),
        ("s3:PutObject", "claim.json"),
        ("s3:GetObject", "request.json"),
        ("s3:PutObject", "report.json"),
        ("s3:GetObject", "leases/nightly.json"),
        ("s3:PutObject", "leases/nightly.json"),
        ("s3:GetObject", "inbox/nightly/r-"),
        ("s3:DeleteObject", "inbox/nightly/r-"),
    ];
    for (action, key_end) in calls {
        for kind in KINDS {
            for times in 1..=3 {
                let world = waiting_run();
                world.faults.borrow_mut().push(StepFault { action, key_end, kind, times });
                serve(&world);
                let said = world.log.borrow().join("\n");
                let what = format!("{action} on {key_end}: {kind:?}, {times} times\n{said}");
                assert_eq!(world.executed.get(), 1, "{what}");
                assert!(world.answers.borrow().iter().all(Option::is_none), "{what}");
                assert!(!world.answers.borrow().is_empty(), "{what}");
                assert!(!world.objects.borrow().contains_key("inbox/nightly/r-"), "{what}");
            }
        }
    }
}
