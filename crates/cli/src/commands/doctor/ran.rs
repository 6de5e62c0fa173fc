//! What only a run on the instance could see: kernels, and papermill. Its records tell.

use chrono::{DateTime, Utc};

use super::finding::{Check, Finding};
use crate::{
    clients::checkup::{Known, Lack, LastOnInstance, LastRuns},
    ui::times,
};

pub(super) fn findings(last: &Known<LastRuns>, instance: &str, now: DateTime<Utc>) -> Vec<Finding> {
    match last {
        Err(unknown) => [Check::Kernel, Check::Papermill].map(|check| Finding::unchecked(check, unknown)).into(),
        Ok(last) => of(&last.on(instance).cloned().unwrap_or_default(), now),
    }
}

fn of(last: &LastOnInstance, now: DateTime<Utc>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = last.kernels.iter().map(|lack| kernel(lack, now)).collect();
    if findings.is_empty() {
        let known = "no notebook lacked its kernel when it ran last";
        let what = if last.reached { known.to_owned() } else { not_known("whether its notebooks' kernels are there") };
        findings.push(Finding::ok(Check::Kernel, what));
    }
    findings.push(match &last.engine {
        Some(lack) => Finding::fail(
            Check::Papermill,
            format!("papermill did not work in its newest run ({}): {}", whose(lack, now), sentence(&lack.message)),
            "docs/errors/Internal.md#causes (what to do about each message)",
        ),
        None if last.reached => Finding::ok(Check::Papermill, "papermill works on it"),
        None => Finding::ok(Check::Papermill, not_known("whether papermill works on it")),
    });
    findings
}

fn not_known(what: &str) -> String {
    format!("{what} is not known: no recent run came as far as the notebook")
}

fn kernel(lack: &Lack, now: DateTime<Utc>) -> Finding {
    Finding::fail(
        Check::Kernel,
        format!("a kernel was missing ({}): {}", whose(lack, now), sentence(&lack.message)),
        format!("reveille show {} (which trigger started it); docs/errors/KernelNotFound.md", lack.run),
    )
}

/// The run, and how long ago.
pub(super) fn whose(lack: &Lack, now: DateTime<Utc>) -> String {
    match lack.at {
        Some(at) => format!("{}, {} ago", lack.run, times::duration(now - at)),
        None => lack.run.clone(),
    }
}

/// The message as a part of ours, which goes on or ends after it.
fn sentence(message: &str) -> &str {
    message.lines().next().unwrap_or_default().trim_end_matches(['.', ' '])
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};

    use super::{findings, of};
    use crate::{
        clients::checkup::{Lack, LastOnInstance, LastRuns, Unknown},
        commands::doctor::finding::{Check, Verdict, tests::found},
    };

    fn lack(message: &str) -> Lack {
        Lack { run: "daily-1".to_owned(), at: Some(Utc::now() - TimeDelta::hours(3)), message: message.to_owned() }
    }

    #[test]
    fn what_a_run_lacked_is_told_in_its_words() {
        let message = "a.ipynb asks for kernel r, which notebook instance nightly does not have; it has python3.";
        let last = LastOnInstance { kernels: vec![lack(message)], reached: true, ..LastOnInstance::default() };
        let judged = of(&last, Utc::now());
        for said in ["(daily-1, 3h 00m ago)", "it has python3 ", "reveille show daily-1"] {
            found(&judged, Check::Kernel, Verdict::Fail, said);
        }
        found(&judged, Check::Papermill, Verdict::Ok, "papermill works");
        let last = LastOnInstance {
            engine: Some(lack("papermill does not work on notebook instance nightly: x.\nmore")),
            reached: true,
            ..LastOnInstance::default()
        };
        let judged = of(&last, Utc::now());
        found(&judged, Check::Papermill, Verdict::Fail, "instance nightly: x docs/errors/Internal.md");
        found(&judged, Check::Kernel, Verdict::Ok, "no notebook lacked");
    }

    #[test]
    fn where_nothing_ran_nothing_is_known() {
        for check in [Check::Kernel, Check::Papermill] {
            found(&findings(&Ok(LastRuns::default()), "nightly", Utc::now()), check, Verdict::Ok, "is not known");
            let denied = Err(Unknown::Denied("states:ListExecutions"));
            found(&findings(&denied, "nightly", Utc::now()), check, Verdict::Unchecked, "states:ListExecutions");
        }
    }
}
