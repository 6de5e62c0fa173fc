//! What a silent ticket means: resubmit, give the run up, or call its runner lost.

use chrono::{DateTime, TimeDelta, Utc};

use crate::age::{age, believed, is_ahead, seconds};
use crate::error::{Code, Failure};
use crate::ids::InstanceName;
use crate::limits::{MAX_RERUNS, MAX_SILENCES, MAX_UNCLAIMED_SILENCES, OVERDUE};
use crate::records::{Claim, Progress};

/// What to do about a run whose ticket fell silent and which has no report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Put it before the runner again.
    Resubmit,
    /// End the run with this; nothing was claimed.
    GiveUp(Failure),
    /// Put this as the report: the runner claimed the attempt and fell silent.
    Lost(Failure),
}

/// Everything the decision looks at.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// For messages.
    pub instance: &'a InstanceName,
    /// How often the ticket fell silent.
    pub silences: u32,
    /// The attempt's claim.
    pub claim: Option<&'a Claim>,
    /// Its last progress.
    pub progress: Option<&'a Progress>,
    /// Whether the instance is `InService`: only then is silence the runner's.
    pub in_service: bool,
    /// The heartbeat.
    pub heartbeat_seconds: u32,
    /// How long the notebook may run.
    pub run_seconds: u32,
    /// Now.
    pub now: DateTime<Utc>,
}

/// Decides.
#[must_use]
pub fn judge(seen: &Seen<'_>) -> Verdict {
    let Some(claim) = seen.claim else { return unclaimed(seen) };
    // Progress is written with every beat, so a living runner's is a third of a heartbeat old at most.
    let beaten_at = seen.progress.and_then(|progress| believed(progress.at, seen.now));
    let last = beaten_at.map_or(claim.at, |beaten_at| beaten_at.max(claim.at));
    let stale = age(last, seen.now) >= TimeDelta::seconds(seen.heartbeat_seconds.into()) / 2;
    // AwaitRun's own ceiling arrives here too: AWS shows it under the same name as a missed heartbeat. A runner that still
    // beats then does not enforce its limits, and waiting for it once more would take another two days.
    let overdue = age(claim.at, seen.now) >= TimeDelta::seconds(seen.run_seconds.into()) + OVERDUE;
    if stale || overdue || seen.silences >= MAX_SILENCES { Verdict::Lost(lost(seen, last)) } else { Verdict::Resubmit }
}

fn unclaimed(seen: &Seen<'_>) -> Verdict {
    let limit = if seen.in_service { MAX_UNCLAIMED_SILENCES } else { MAX_SILENCES };
    if seen.silences < limit {
        return Verdict::Resubmit;
    }
    Verdict::GiveUp(Failure::new(
        Code::RunnerSilent,
        format!(
            "No runner on notebook instance {0} picked the run up within {1} s. Look at CloudWatch group /aws/sagemaker/NotebookInstances, stream {0}/LifecycleConfigOnStart, and check that its lifecycle configuration and its role's policy are those of infra/instance.yaml.",
            seen.instance,
            u64::from(seen.heartbeat_seconds) * u64::from(seen.silences)
        ),
    ))
}

fn lost(seen: &Seen<'_>, last: DateTime<Utc>) -> Failure {
    let cell = match seen.progress {
        None => String::new(),
        Some(progress) if progress.cell == 0 => ", before its first cell".to_owned(),
        Some(progress) => format!(", at cell {} of {}", progress.cell, progress.cells),
    };
    let heard = if is_ahead(last, seen.now) {
        format!(
            "was last heard of at a time that is not known, because the attempt's claim.json names {}, which is in the future",
            seconds(last)
        )
    } else {
        format!("was last heard of at {}", seconds(last))
    };
    Failure::new(
        Code::RunnerLost,
        format!(
            "The runner on notebook instance {} started the notebook and {heard}{cell}. The notebook may have had effects; what it wrote outside is as it left it. If the instance is still there, run again when that is safe; \"onRunnerLost\": \"rerun\" repeats such a run by itself, up to {MAX_RERUNS} times.",
            seen.instance
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{QUEUE_SECONDS, RUN_SECONDS};
    use crate::records::Claimant;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn judge_at(
        claimed: Option<i64>,
        progress: Option<i64>,
        silences: u32,
        in_service: bool,
        now: i64,
    ) -> Option<Code> {
        judge_within(7_200, claimed, progress, silences, in_service, now)
    }

    fn judge_within(
        run_seconds: u32,
        claimed: Option<i64>,
        progress: Option<i64>,
        silences: u32,
        in_service: bool,
        now: i64,
    ) -> Option<Code> {
        let instance = InstanceName::parse("nightly").unwrap();
        let claim =
            claimed.map(|t| Claim { by: Claimant::Runner, nonce: "n".into(), boot_id: None, at: at(t), attempt: None });
        let progress = progress.map(|t| Progress { cell: 2, cells: 5, at: at(t) });
        let seen = Seen {
            instance: &instance,
            silences,
            claim: claim.as_ref(),
            progress: progress.as_ref(),
            in_service,
            heartbeat_seconds: 300,
            run_seconds,
            now: at(now),
        };
        match judge(&seen) {
            Verdict::Resubmit => None,
            Verdict::GiveUp(failure) | Verdict::Lost(failure) => Some(failure.code),
        }
    }

    #[test]
    fn a_living_runner_whose_beats_were_lost_goes_on() {
        assert_eq!(judge_at(Some(0), Some(900), 1, true, 1_000), None);
        assert_eq!(judge_at(Some(900), None, 1, true, 1_000), None, "claimed just now");
    }

    #[test]
    fn a_claim_with_stale_progress_is_a_lost_runner() {
        assert_eq!(judge_at(Some(0), Some(700), 1, true, 1_000), Some(Code::RunnerLost));
        assert_eq!(judge_at(Some(0), Some(999), MAX_SILENCES, true, 1_000), Some(Code::RunnerLost), "bounded");
    }

    #[test]
    fn a_runner_that_beats_far_beyond_its_limit_is_lost_at_the_first_look() {
        let at = |now| judge_within(600, Some(0), Some(now - 1), 1, true, now);
        assert_eq!(at(600 + OVERDUE.num_seconds() - 1), None, "outputs are still kept after the limit");
        assert_eq!(at(600 + OVERDUE.num_seconds()), Some(Code::RunnerLost));
        // What reaches AwaitRun's ceiling was claimed within the longest queueSeconds: its claim is overdue by then.
        let ceiling = i64::from(QUEUE_SECONDS.max + RUN_SECONDS.max) + OVERDUE.num_seconds();
        let claimed = i64::from(QUEUE_SECONDS.max);
        assert_eq!(
            judge_within(RUN_SECONDS.max, Some(claimed), Some(ceiling - 1), 1, true, ceiling),
            Some(Code::RunnerLost)
        );
    }

    #[test]
    fn a_run_that_nobody_claims_is_given_up_only_where_a_runner_should_be() {
        assert_eq!(judge_at(None, None, 1, true, 1_000), None);
        assert_eq!(judge_at(None, None, MAX_UNCLAIMED_SILENCES, true, 1_000), Some(Code::RunnerSilent));
        assert_eq!(judge_at(None, None, MAX_UNCLAIMED_SILENCES, false, 1_000), None, "its boot ended: start again");
        assert_eq!(judge_at(None, None, MAX_SILENCES, false, 1_000), Some(Code::RunnerSilent), "bounded");
    }

    #[test]
    fn a_beat_of_the_future_is_none() {
        let judged = |claimed, beaten| judge_at(Some(claimed), Some(beaten), 1, true, 1_000);
        assert_eq!(judged(990, 1_300), None, "clocks differ by so much");
        assert_eq!(judged(990, 1_301), None, "the claim is young");
        assert_eq!(judged(800, 1_301), Some(Code::RunnerLost), "and now it is not");
        assert_eq!(judged(1_301, 1_000), Some(Code::RunnerLost), "nobody claimed it in the future");
    }
}
