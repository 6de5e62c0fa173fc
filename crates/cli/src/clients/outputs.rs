//! Outputs of a run that its outcome does not name: those that only the report names, and those that are still to come.

use aws_sdk_sagemaker::types::NotebookInstanceStatus;
use chrono::{DateTime, TimeDelta, Utc};
use reveille_domain::{
    layout::AttemptRef,
    records::{Claim, Claimant, Outcome, Report, Reporter, Rest},
};

use super::{
    Account,
    instances::{Seen, is_off},
};

/// When outputs come that are not there yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ToCome {
    /// The runner uploads them when it has ended the notebook.
    Soon,
    /// No runner is there any more; that of the next boot uploads what the notebook had saved.
    NextStart,
}

/// When the outputs of a report come that has none yet; `None`: it has all that there will ever be.
pub(super) async fn to_come(
    account: &Account,
    at: &AttemptRef,
    report: &Report,
    claim: Option<&Claim>,
    ended: Option<DateTime<Utc>>,
) -> Option<ToCome> {
    if !may_come(report, claim) {
        return None;
    }
    // Whoever may not look at the instance is told what is usual.
    let seen =
        account.seen(&at.instance).await.unwrap_or(Some(Seen { status: IN_SERVICE, kind: None, since: None }))?;
    when(&seen, ended.unwrap_or(report.ended_at), Utc::now() - report.ended_at)
}

/// Whether outputs may be somewhere else. A run that was ended from elsewhere has its outcome before its runner has uploaded anything; the
/// sweeper adds the outputs within five minutes, and until then only the report names them.
pub(super) fn may_lack_outputs(outcome: &Outcome) -> bool {
    outcome.outputs.is_empty() && outcome.instance_after != Rest::NotTouched
}

/// The runner hears of it with its next heartbeat, and then uploads; a sweep later nothing comes any more.
const OUTPUTS_COME_WITHIN: TimeDelta = TimeDelta::minutes(10);

/// Whether a runner had begun the notebook, and another one may upload what there is of it.
fn may_come(report: &Report, claim: Option<&Claim>) -> bool {
    report.by == Reporter::Function
        && report.outputs.is_empty()
        && claim.is_some_and(|claim| claim.by == Claimant::Runner)
}

/// When outputs come. `ended` is when the execution did, and `age` is the report's.
fn when(instance: &Seen, ended: DateTime<Utc>, age: TimeDelta) -> Option<ToCome> {
    let soon = age < OUTPUTS_COME_WITHIN;
    if !is_off(&instance.status) {
        return soon.then_some(ToCome::Soon);
    }
    // Once it has been on again, all that there was has come.
    let off_since_then = instance.since.is_some_and(|since| since <= ended);
    (soon || off_since_then).then_some(ToCome::NextStart)
}

const IN_SERVICE: NotebookInstanceStatus = NotebookInstanceStatus::InService;

#[cfg(test)]
mod tests {
    use aws_sdk_sagemaker::types::NotebookInstanceStatus as Status;
    use chrono::{TimeDelta, Utc};
    use reveille_domain::{
        RunId,
        layout::AttemptRef,
        records::{Claim, Claimant, Report, Reporter},
    };

    use super::{OUTPUTS_COME_WITHIN, Seen, ToCome, may_come, when};

    #[test]
    fn outputs_come_only_from_a_runner_that_had_begun() {
        let now = Utc::now();
        let at = AttemptRef { instance: "nightly".to_owned(), run: RunId::from_key("daily-1"), attempt: 1 };
        let claim = |by| Claim::of(&at, by, "n".to_owned(), now);
        let report = |by, ended| Report::without_outputs(&at, by, None, None, ended);
        let aborted = report(Reporter::Function, now);
        assert!(may_come(&aborted, Some(&claim(Claimant::Runner))));
        assert!(!may_come(&aborted, Some(&claim(Claimant::Release))), "it never began");
        assert!(!may_come(&aborted, None));
        assert!(!may_come(&report(Reporter::Runner, now), Some(&claim(Claimant::Runner))), "it is all there is");
        let mut kept = aborted;
        kept.outputs.insert("log".to_owned(), "s3://b/log.txt".to_owned());
        assert!(!may_come(&kept, Some(&claim(Claimant::Runner))));
    }

    /// docs/errors/RunnerLost.md: "The next runner on the instance uploads it to the usual place".
    #[test]
    fn outputs_come_from_the_runner_or_from_that_of_the_next_boot() {
        let ended = Utc::now();
        let (before, after) = (ended - TimeDelta::minutes(1), ended + TimeDelta::minutes(9));
        let (young, old) = (TimeDelta::minutes(1), OUTPUTS_COME_WITHIN + TimeDelta::seconds(1));
        for (status, since, age, expected) in [
            (Status::InService, before, young, Some(ToCome::Soon)),
            (Status::Stopping, before, young, Some(ToCome::Soon)),
            (Status::InService, before, old, None),
            (Status::Stopped, before, young, Some(ToCome::NextStart)),
            (Status::Stopped, before, TimeDelta::days(2), Some(ToCome::NextStart)),
            (Status::Failed, before, old, Some(ToCome::NextStart)),
            // It was stopped after the execution's end: after an abort, or after another boot.
            (Status::Stopped, after, young, Some(ToCome::NextStart)),
            (Status::Stopped, after, old, None),
        ] {
            let seen = Seen { status: status.clone(), kind: None, since: Some(since) };
            assert_eq!(when(&seen, ended, age), expected, "{status} {since} {age}");
        }
    }
}
