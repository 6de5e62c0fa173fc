//! An instance's lease, and whether the instance is on without need.

use chrono::{DateTime, TimeDelta, Utc};
use reveille_domain::{
    layout::Layout,
    records::{Lease, LeaseState},
};

use super::finding::{Check, Finding};
use crate::{
    clients::{Holder, Holds, Instance, checkup::Known},
    ui::times,
};

/// A sweep later and some: what should have been tidied up by then was not.
const TIDY: TimeDelta = TimeDelta::minutes(30);
/// A person's boot that goes on longer may have been forgotten.
const FORGOTTEN: TimeDelta = TimeDelta::hours(12);

/// What is recorded of an instance's boot.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    /// The inner error: what is wrong with one that is damaged.
    pub(super) lease: Known<Result<Option<Lease>, String>>,
    /// The run that the lease names.
    pub(super) holder: Option<Known<Holder>>,
}

pub(super) fn findings(instance: &Instance, recorded: &Recorded, layout: &Layout, now: DateTime<Utc>) -> Vec<Finding> {
    let on = instance.is_on();
    let lease = match &recorded.lease {
        Err(unknown) => return vec![Finding::unchecked(Check::Lease, unknown)],
        Ok(Err(problem)) => return vec![damaged(instance, problem, layout)],
        Ok(Ok(lease)) => lease.as_ref(),
    };
    let holds = match &recorded.holder {
        Some(Ok(holder)) => Some(holder.holds),
        _ => None,
    };
    let mut findings = vec![lease.map_or_else(
        || Finding::ok(Check::Lease, "no run holds it"),
        |lease| judged(instance, lease, holds, layout, now),
    )];
    if on {
        findings.push(in_use(instance, lease, recorded, now));
    }
    findings
}

fn damaged(instance: &Instance, problem: &str, layout: &Layout) -> Finding {
    let uri = layout.uri(&layout.lease(&instance.name));
    Finding::fail(
        Check::Lease,
        format!("its lease is damaged ({problem}): nobody stops the instance, because a person may be using it"),
        format!("stop the instance if nobody uses it, and then: aws s3 rm {uri}"),
    )
}

fn judged(instance: &Instance, lease: &Lease, holds: Option<Holds>, layout: &Layout, now: DateTime<Utc>) -> Finding {
    let uri = layout.uri(&layout.lease(&instance.name));
    let age = now - lease.at;
    if let Some(other) = lease.instance.as_ref().filter(|other| **other != instance.name) {
        return Finding::fail(
            Check::Lease,
            format!("its lease is that of another instance, {other}: somebody copied it, and no step believes it"),
            format!("aws s3 rm {uri}"),
        );
    }
    if lease.cannot_stop_itself {
        return Finding::warn(
            Check::Lease,
            "it could not stop itself at its last run: its role lacks sagemaker:StopNotebookInstance, or it cannot reach sagemaker.api. The state machine stops it instead, some minutes later",
            "docs/instance.md (endpoints), and the policy of infra/instance.yaml",
        );
    }
    if let Some(since) = lease.jupyter_silent_since.filter(|_| instance.is_on()) {
        return Finding::warn(
            Check::Lease,
            format!(
                "its Jupyter has not answered for {}, so Reveille cannot tell whether a person works on it",
                times::duration(now - since)
            ),
            "open its Jupyter in the SageMaker console; if it does not come up, stop the instance",
        );
    }
    let needed = holds == Some(Holds::Still);
    if !instance.is_on() && !lease.ended && !needed && age > TIDY {
        return Finding::warn(
            Check::Lease,
            format!(
                "it is {}, and its lease ({}, written {} ago) was not tidied up",
                instance.status.as_str(),
                lease.state.as_str(),
                times::duration(age)
            ),
            "a sweep removes it: see the line about the sweeper",
        );
    }
    Finding::ok(Check::Lease, format!("its lease is in order ({})", lease.state.as_str()))
}

/// Of one that is on: who needs it.
fn in_use(instance: &Instance, lease: Option<&Lease>, recorded: &Recorded, now: DateTime<Utc>) -> Finding {
    let stop =
        format!("if nobody uses it: aws sagemaker stop-notebook-instance --notebook-instance-name {}", instance.name);
    let on_for = instance.since.map(|since| now - since);
    let holder = match &recorded.holder {
        Some(Err(unknown)) => return Finding::unchecked(Check::InUse, unknown),
        Some(Ok(holder)) => Some(holder),
        None => None,
    };
    let (Some(lease), Some(holder)) = (lease.filter(|lease| !lease.ended), holder) else {
        let length = on_for.map(|length| format!(" for {}", times::duration(length))).unwrap_or_default();
        let what = format!("it is on{length}, and no run started it: so a person did, and Reveille leaves it on");
        return match on_for {
            Some(length) if length > FORGOTTEN => Finding::warn(Check::InUse, what, stop),
            _ => Finding::ok(Check::InUse, what),
        };
    };
    if let Some(seen) = lease.person_at.filter(|seen| now - *seen < TIDY) {
        return Finding::ok(Check::InUse, format!("a person worked on it {} ago", times::duration(now - seen)));
    }
    let run = &holder.run;
    match holder.holds {
        Holds::Still => Finding::ok(Check::InUse, format!("{run} uses it")),
        Holds::Unknown => Finding::warn(
            Check::InUse,
            format!(
                "it is on. Reveille cannot tell whether {run} uses it: the run's records are gone or cannot be read"
            ),
            stop,
        ),
        Holds::Until(ended) if now - ended > TIDY => Finding::warn(
            Check::InUse,
            format!(
                "it is on, and no run uses it: {run} ended {} ago{}",
                times::duration(now - ended),
                if lease.state == LeaseState::Closing { ", and it was told to stop" } else { "" }
            ),
            format!("{stop} (and see the line about the sweeper, which should have)"),
        ),
        Holds::Until(ended) => Finding::ok(
            Check::InUse,
            format!("{run} ended {} ago; it is about to be stopped", times::duration(now - ended)),
        ),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_sagemaker::types::NotebookInstanceStatus as Status;
    use chrono::{DateTime, TimeDelta, Utc};
    use reveille_domain::{
        InstanceName, RunId,
        layout::Layout,
        records::{Lease, LeaseState},
    };

    use super::{Recorded, findings};
    use crate::{
        clients::{Holder, Holds, Instance, checkup::Unknown},
        commands::doctor::finding::{Check, Finding, Verdict, tests::found},
    };

    fn instance(status: Status, since: DateTime<Utc>) -> Instance {
        Instance {
            name: InstanceName::parse("nightly").unwrap(),
            kind: "ml.t3.medium".to_owned(),
            status,
            since: Some(since),
            has_lifecycle_configuration: true,
            lease: None,
            is_lease_damaged: false,
            holder: None,
        }
    }

    /// What is found of an instance whose lease was written so many minutes ago, and changed by `change`.
    fn judge(status: Status, minutes: i64, holds: Option<Holds>, change: impl FnOnce(&mut Lease)) -> Vec<Finding> {
        let now = Utc::now();
        let run = RunId::from_key("daily-1");
        let at = now - TimeDelta::minutes(minutes);
        let mut lease = Lease::starting(&run, "n".into(), None, at);
        lease.state = LeaseState::Open;
        change(&mut lease);
        let recorded = Recorded { lease: Ok(Ok(Some(lease))), holder: holds.map(|holds| Ok(Holder { run, holds })) };
        let layout = Layout { bucket: "runs".to_owned(), prefix: String::new() };
        findings(&instance(status, at), &recorded, &layout, now)
    }

    #[test]
    fn a_lease_is_in_order_or_says_what_is_wrong() {
        let still = Some(Holds::Still);
        found(&judge(Status::InService, 5, still, |_| {}), Check::Lease, Verdict::Ok, "open");
        let copied = |lease: &mut Lease| lease.instance = Some(InstanceName::parse("other").unwrap());
        found(&judge(Status::InService, 5, still, copied), Check::Lease, Verdict::Fail, "another instance, other");
        found(
            &judge(Status::InService, 5, still, |lease| lease.cannot_stop_itself = true),
            Check::Lease,
            Verdict::Warn,
            "StopNotebookInstance",
        );
        let silent = |lease: &mut Lease| lease.jupyter_silent_since = Some(Utc::now() - TimeDelta::minutes(9));
        found(&judge(Status::InService, 5, still, silent), Check::Lease, Verdict::Warn, "Jupyter");
        let over = Some(Holds::Until(Utc::now()));
        found(&judge(Status::Stopped, 45, over, |_| {}), Check::Lease, Verdict::Warn, "sweep");
        found(&judge(Status::Stopped, 5, over, |_| {}), Check::Lease, Verdict::Ok, "in order");
        found(&judge(Status::Stopped, 45, over, |lease| lease.ended = true), Check::Lease, Verdict::Ok, "in order");
    }

    #[test]
    fn a_lease_that_is_damaged_is_no_lease_that_may_not_be_read() {
        let layout = Layout { bucket: "runs".to_owned(), prefix: "p/".to_owned() };
        let judge = |lease| {
            let recorded = Recorded { lease, holder: None };
            findings(&instance(Status::Stopped, Utc::now()), &recorded, &layout, Utc::now())
        };
        let damaged = Ok(Err("the record p/leases/nightly.json cannot be read".to_owned()));
        found(&judge(damaged), Check::Lease, Verdict::Fail, "aws s3 rm s3://runs/p/leases/nightly.json");
        found(&judge(Err(Unknown::Denied("s3:GetObject"))), Check::Lease, Verdict::Unchecked, "s3:GetObject");
    }

    #[test]
    fn an_instance_that_is_on_without_need_is_found() {
        let ended = |minutes| Some(Holds::Until(Utc::now() - TimeDelta::minutes(minutes)));
        found(&judge(Status::InService, 90, Some(Holds::Still), |_| {}), Check::InUse, Verdict::Ok, "daily-1 uses it");
        found(&judge(Status::InService, 90, ended(40), |_| {}), Check::InUse, Verdict::Warn, "stop-notebook-instance");
        found(&judge(Status::InService, 90, ended(2), |_| {}), Check::InUse, Verdict::Ok, "about to be stopped");
        found(
            &judge(Status::InService, 90, Some(Holds::Unknown), |_| {}),
            Check::InUse,
            Verdict::Warn,
            "cannot tell whether",
        );
        let person = |lease: &mut Lease| lease.person_at = Some(Utc::now() - TimeDelta::minutes(3));
        found(&judge(Status::InService, 90, ended(40), person), Check::InUse, Verdict::Ok, "a person worked");
        let theirs = |lease: &mut Lease| lease.ended = true;
        found(&judge(Status::InService, 90, ended(40), theirs), Check::InUse, Verdict::Ok, "so a person did");
        found(&judge(Status::InService, 13 * 60, ended(40), theirs), Check::InUse, Verdict::Warn, "13h 00m");
    }
}
