//! What a silent ticket means: resubmit, give the run up, or call its runner lost.

use chrono::{DateTime, TimeDelta, Utc};

use reveille_domain::age::{age, believed, is_ahead, seconds};
use reveille_domain::error::{Code, Failure};
use reveille_domain::ids::{InstanceName, RunId};
use reveille_domain::limits::{MAX_SILENCES, MAX_UNCLAIMED_SILENCES, OVERDUE};
use reveille_domain::ports::InstanceStatus;
use reveille_domain::records::{Claim, Progress};

use crate::lost;

/// What to do about a run whose ticket fell silent and which has no report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SilenceVerdict {
    /// Put it before the runner again.
    Resubmit,
    /// End the run with this; nothing was claimed.
    GiveUp(Failure),
    /// Put this as the report: the runner claimed the attempt and fell silent.
    Lost(Failure),
}

/// Everything the decision looks at.
#[derive(Clone, Copy, Debug)]
pub struct SilenceSeen<'a> {
    /// For messages.
    pub instance: &'a InstanceName,
    /// How often the ticket fell silent.
    pub silences: u32,
    /// The attempt's claim.
    pub claim: Option<&'a Claim>,
    /// Its last progress.
    pub progress: Option<&'a Progress>,
    /// The instance's status, or `None` if it is gone. Only while it is `InService` is silence the runner's.
    pub status: Option<InstanceStatus>,
    /// Whether a runner bound the boot: then the lifecycle configuration did its work.
    pub bound: bool,
    /// Which other run the runner of this boot took, if any: its silence began there.
    pub busy_with: Option<&'a BusyWith>,
    /// The heartbeat.
    pub heartbeat_seconds: u32,
    /// How long the notebook may run.
    pub run_seconds: u32,
    /// Now.
    pub now: DateTime<Utc>,
}

/// Another run on the same boot, which its runner took and did not give back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusyWith {
    /// The run.
    pub run: RunId,
    /// When its runner was last heard from, as far as the run's records tell.
    pub last: Option<DateTime<Utc>>,
    /// What it ended as, if it has a verdict and did not succeed.
    pub code: Option<Code>,
}

/// What a run does whose heartbeats stopped.
#[must_use]
pub fn resolve_silence(seen: &SilenceSeen<'_>) -> SilenceVerdict {
    let Some(claim) = seen.claim else { return unclaimed(seen) };
    // Progress is written with every beat, so a living runner's is a third of a heartbeat old at most.
    let beaten_at = seen.progress.and_then(|progress| believed(progress.at, seen.now));
    let last = beaten_at.map_or(claim.at, |beaten_at| beaten_at.max(claim.at));
    let stale = age(last, seen.now) >= TimeDelta::seconds(seen.heartbeat_seconds.into()) / 2;
    // AwaitRun's own ceiling arrives here too: AWS shows it under the same name as a missed heartbeat. A runner that still
    // beats then does not enforce its limits, and waiting for it once more would take another two days.
    let overdue = age(claim.at, seen.now) >= TimeDelta::seconds(seen.run_seconds.into()) + OVERDUE;
    if stale || overdue || seen.silences >= MAX_SILENCES {
        SilenceVerdict::Lost(lost(seen, last))
    } else {
        SilenceVerdict::Resubmit
    }
}

fn unclaimed(seen: &SilenceSeen<'_>) -> SilenceVerdict {
    let limit = if seen.status == Some(InstanceStatus::InService) { MAX_UNCLAIMED_SILENCES } else { MAX_SILENCES };
    if seen.silences < limit {
        return SilenceVerdict::Resubmit;
    }
    let seconds = u64::from(seen.heartbeat_seconds) * u64::from(seen.silences);
    let instance = seen.instance;
    let message = if let Some(other) = seen.busy_with {
        behind(other, instance, seconds, seen.now)
    } else if seen.bound {
        format!(
            "The runner on notebook instance {instance} started when it booted, but did not pick up the run within {seconds} s. While the instance is up, /var/log/reveille-runner.log on it says why. Check that it still reaches S3 and Step Functions, and that its role's policy is that of infra/instance.yaml."
        )
    } else {
        format!(
            "No runner on notebook instance {instance} picked up the run within {seconds} s. Look at CloudWatch group /aws/sagemaker/NotebookInstances, stream {instance}/LifecycleConfigOnStart, and check that its lifecycle configuration and its role's policy are those of infra/instance.yaml."
        )
    };
    SilenceVerdict::GiveUp(Failure::new(Code::RunnerSilent, message))
}

/// The words for a run that waited behind one whose runner fell silent: nothing is wrong with the instance's set-up.
fn behind(other: &BusyWith, instance: &InstanceName, waited: u64, now: DateTime<Utc>) -> String {
    let run = &other.run;
    let heard = other.last.and_then(|last| believed(last, now));
    let heard = heard.map_or_else(String::new, |last| format!(", was last heard from at {}", seconds(last)));
    let ended = other.code.map_or_else(String::new, |code| format!(" {run} ended as {code}.", code = code.as_str()));
    format!(
        "The runner on notebook instance {instance} took the run {run}{heard} and did not pick up this run within {waited} s.{ended} So look for the cause in {run}, and begin with its outcome. When the instance has stopped, redrive this execution: the next boot has a new runner."
    )
}

fn lost(seen: &SilenceSeen<'_>, last: DateTime<Utc>) -> Failure {
    let cell = seen.progress.map_or_else(String::new, |progress| lost::place(progress.cell, progress.cells));
    let heard = if is_ahead(last, seen.now) {
        format!(
            "was last heard from at a time that is not known, because the attempt's claim.json names {}, which is in the future",
            seconds(last)
        )
    } else {
        format!("was last heard from at {}", seconds(last))
    };
    Failure::new(
        Code::RunnerLost,
        format!(
            "The runner on notebook instance {} started the notebook and {heard}{cell}.{} {}",
            seen.instance,
            instance_words(seen.status),
            lost::advice("If the instance still exists, ")
        ),
    )
}

/// What the instance's status says of the runner's silence.
fn instance_words(status: Option<InstanceStatus>) -> &'static str {
    match status {
        // It says nothing: the runner alone is silent.
        Some(InstanceStatus::InService | InstanceStatus::Unknown) => "",
        Some(InstanceStatus::Stopped) => {
            " The instance was then seen Stopped: it was stopped while the notebook ran, for example by a person in the console."
        }
        Some(InstanceStatus::Stopping) => {
            " The instance was then seen Stopping: it was stopped while the notebook ran, for example by a person in the console."
        }
        Some(InstanceStatus::Pending) => {
            " The instance was then seen Pending: it was stopped and started again while the notebook ran."
        }
        Some(InstanceStatus::Updating) => {
            " The instance was then seen Updating: it was stopped and changed while the notebook ran."
        }
        Some(InstanceStatus::Failed) => " The instance was then seen Failed.",
        Some(InstanceStatus::PendingMaintenance | InstanceStatus::InMaintenance) => {
            " The instance was then seen in maintenance."
        }
        Some(InstanceStatus::Deleting) | None => " The instance was then seen deleted, or about to be.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reveille_domain::limits::{QUEUE_SECONDS, RUN_SECONDS};
    use reveille_domain::records::Claimant;

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
        let claim = claimed.map(|t| Claim {
            by: Claimant::Runner,
            nonce: "n".into(),
            boot_id: None,
            at: at(t),
            attempt: None,
            runner_version: None,
        });
        let progress = progress.map(|t| Progress { cell: 2, cells: 5, at: at(t), since: None, done: None });
        let seen = SilenceSeen {
            instance: &instance,
            silences,
            claim: claim.as_ref(),
            progress: progress.as_ref(),
            status: Some(if in_service { InstanceStatus::InService } else { InstanceStatus::Stopped }),
            bound: false,
            busy_with: None,
            heartbeat_seconds: 300,
            run_seconds,
            now: at(now),
        };
        match resolve_silence(&seen) {
            SilenceVerdict::Resubmit => None,
            SilenceVerdict::GiveUp(failure) | SilenceVerdict::Lost(failure) => Some(failure.code),
        }
    }

    fn message(claim: Option<&Claim>, status: Option<InstanceStatus>, bound: bool) -> String {
        let instance = InstanceName::parse("nightly").unwrap();
        let seen = SilenceSeen {
            instance: &instance,
            silences: MAX_SILENCES,
            claim,
            progress: None,
            status,
            bound,
            busy_with: None,
            heartbeat_seconds: 300,
            run_seconds: 7_200,
            now: at(9_999),
        };
        match resolve_silence(&seen) {
            SilenceVerdict::GiveUp(failure) | SilenceVerdict::Lost(failure) => failure.message,
            SilenceVerdict::Resubmit => panic!("it goes on"),
        }
    }

    #[test]
    fn a_lost_runner_is_told_with_what_was_seen_of_its_instance() {
        let claim = Claim {
            by: Claimant::Runner,
            nonce: "n".into(),
            boot_id: None,
            at: at(0),
            attempt: None,
            runner_version: None,
        };
        let lost = |status| message(Some(&claim), status, true);
        assert!(lost(Some(InstanceStatus::Stopped)).contains("seen Stopped: it was stopped while the notebook ran"));
        assert!(lost(Some(InstanceStatus::Stopping)).contains("seen Stopping"));
        assert!(lost(None).contains("deleted"));
        let up = lost(Some(InstanceStatus::InService));
        assert!(!up.contains("stopped") && !up.contains("  "), "{up}");
    }

    #[test]
    fn the_lifecycle_configuration_is_not_blamed_where_a_runner_bound_the_boot() {
        let bound = message(None, Some(InstanceStatus::InService), true);
        assert!(!bound.contains("ifecycle") && bound.contains("reveille-runner.log"), "{bound}");
        let unbound = message(None, Some(InstanceStatus::InService), false);
        assert!(unbound.contains("nightly/LifecycleConfigOnStart"), "{unbound}");
    }

    #[test]
    fn a_run_that_waited_behind_a_lost_one_names_it() {
        let instance = InstanceName::parse("nightly").unwrap();
        let told = |last, code| {
            let other = BusyWith { run: RunId::from_key("first"), last, code };
            let seen = SilenceSeen {
                instance: &instance,
                silences: MAX_UNCLAIMED_SILENCES,
                claim: None,
                progress: None,
                status: Some(InstanceStatus::InService),
                bound: true,
                busy_with: Some(&other),
                heartbeat_seconds: 300,
                run_seconds: 7_200,
                now: at(9_999),
            };
            let SilenceVerdict::GiveUp(failure) = resolve_silence(&seen) else { panic!("it goes on") };
            assert_eq!(failure.code, Code::RunnerSilent);
            failure.message
        };
        let message = told(Some(at(100)), Some(Code::RunnerLost));
        for part in ["took the run first, was last heard from at ", "within 600 s. first ended as RunnerLost."] {
            assert!(message.contains(part), "{message}");
        }
        for message in [message, told(None, None), told(Some(at(99_999)), None)] {
            assert!(!message.contains("ifecycle") && !message.contains("policy"), "{message}");
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
