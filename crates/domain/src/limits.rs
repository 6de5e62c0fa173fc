//! The protocol's constants. Each has its reason; those that the template or the definition must agree with are
//! held together by contract tests.

use std::time::Duration;

use chrono::TimeDelta;

/// The whole input of an execution, as JSON. Leaves room for the envelope under Step Functions' 256 KiB.
pub const MAX_INPUT_BYTES: usize = 64 * 1024;

/// Levels of objects and lists in an input, itself included. Deeper data belongs into a file; readers of JSON stop at 128, and
/// Python's compiler at 200.
pub const MAX_INPUT_DEPTH: usize = 64;

/// The largest whole number that a parameter may be: beyond it a double has no room for every whole number, and the Amazon
/// States Language promises doubles ("numbers ... generally conform to JavaScript semantics").
pub const MAX_WHOLE_NUMBER: u64 = (1 << 53) - 1;

/// Start of the execution this long after its event's own time (or after the first start, if the event is older), or sooner: another start
/// for the same event is a duplicate. Later: a person re-ran an old input. The rules' `MaximumEventAgeInSeconds` is the same number, so
/// EventBridge's own redelivery always falls inside the window.
pub const DEDUPE_WINDOW: TimeDelta = TimeDelta::seconds(900);

/// Timeout of every function in the template.
pub const FUNCTION_TIMEOUT: TimeDelta = TimeDelta::seconds(30);

/// After this long nothing that a function sent can still take effect: twice the function's timeout, so that a
/// request that was accepted in the function's last moment has shown in DescribeNotebookInstance too.
pub const IN_FLIGHT: TimeDelta = TimeDelta::seconds(60);

/// How long the runner may take from the order to end until it is gone; then systemd kills it (`TimeoutStopSec` of its unit).
/// Ending a notebook takes half of it at most, uploading a third. What a power-off of `SageMaker` really leaves is not known:
/// EC2 gives the operating system some minutes, and an instance that is late must not hold up a person's Stop.
pub const RUNNER_END: Duration = Duration::from_mins(1);

/// Bounds of `limits.startSeconds`, and its default. SageMaker usually starts in 2 to 5 minutes and sometimes in over 10.
pub const START_SECONDS: Bounds = Bounds { min: 30, default: 1_200, max: 7_200 };
/// Bounds of `limits.queueSeconds`, and its default.
pub const QUEUE_SECONDS: Bounds = Bounds { min: 1, default: 7_200, max: 86_400 };
/// Bounds of `limits.runSeconds`, and its default.
pub const RUN_SECONDS: Bounds = Bounds { min: 1, default: 7_200, max: 86_400 };
/// Bounds of `limits.stopSeconds`, and its default.
pub const STOP_SECONDS: Bounds = Bounds { min: 30, default: 1_200, max: 7_200 };

/// A limit's smallest, usual and largest value, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Smallest accepted.
    pub min: u32,
    /// Used when the input is silent.
    pub default: u32,
    /// Largest accepted; the definition's literal ceilings are above the sum.
    pub max: u32,
}

/// A request as JSON, its placeholders filled: they make more of an input than came in. A quarter of what a record may be, and
/// as much as Step Functions carries.
pub const MAX_REQUEST_BYTES: usize = 256 * 1024;

/// A record is read up to this size. None is near it: a request is bounded by `MAX_REQUEST_BYTES`, a report and an outcome by
/// their texts. What is larger was not written by Reveille, and must not fill a function's memory.
pub const MAX_RECORD_BYTES: usize = 1024 * 1024;

/// Parameters a request may carry. Studio's notebook jobs stop at 100; nobody was seen to need more.
pub const MAX_PARAMETERS: usize = 100;
/// Characters in a parameter's name.
pub const MAX_PARAMETER_NAME: usize = 128;
/// Bytes in a notebook's path, as UTF-8: a quarter of what Linux takes, and beyond any folder that a person made.
pub const MAX_NOTEBOOK_BYTES: usize = 1_024;
/// Bytes in each part of it: no file system of an instance has longer names.
pub const MAX_FILE_NAME_BYTES: usize = 255;
/// Bytes in an S3 key, as UTF-8 (Amazon S3 user guide, "Naming Amazon S3 objects").
pub const MAX_KEY_BYTES: usize = 1_024;
/// Characters in the stack's `RunsPrefix`. With more, the on-start script is too long for `SageMaker`, and the runner's policy for IAM,
/// long before a key is too long for S3.
pub const MAX_RUNS_PREFIX: usize = 128;
/// Characters in a kernel's name.
pub const MAX_KERNEL_CHARS: usize = 128;

/// Silent tickets of an attempt, nothing claimed and the instance `InService`, until the run ends as `RunnerSilent`. The
/// first may be a lost beat or a boot that ended in between; a second is an instance without a runner.
pub const MAX_UNCLAIMED_SILENCES: u32 = 2;
/// Silent tickets in one attempt altogether. After each the instance may have to be started anew, and the history of an
/// execution holds 25,000 events.
pub const MAX_SILENCES: u32 = 5;

/// A claim that is so much older than `runSeconds`, and no report: the runner does not enforce its limits. Ending a notebook
/// and keeping its outputs takes minutes. AwaitRun's ceiling leaves as much above the largest limits.
pub const OVERDUE: TimeDelta = TimeDelta::seconds(3_600);

/// Attempts of one run: Step Functions allows no more redrives than its 14 days and 25,000 events hold; a hundred is
/// beyond any use and keeps keys and loops finite.
pub const MAX_ATTEMPTS: u32 = 100;

/// Attempts that `onRunnerLost: rerun` adds by itself: a notebook that takes its instance down twice will again.
pub const MAX_RERUNS: u32 = 2;

/// Entries of one instance's inbox that are read, and so beaten and served. With 16 calls at once, reading and beating
/// as many takes some ten seconds, far below a heartbeat. More runs at a time than this end as `RunnerSilent`.
pub const MAX_INBOX: usize = 5_000;

/// Bounds of the runs that may wait on one instance, from the template's `MaxWaitingRuns`. The default is what S3 lists in one
/// page, so that counting them costs one request; more than the runner reads would never be beaten.
pub const MAX_WAITING_RUNS: Bounds = Bounds { min: 1, default: 1_000, max: 5_000 };
const _: () = assert!(MAX_WAITING_RUNS.max as usize == MAX_INBOX);

/// Tickets that one look at who holds an instance reads at the same time: as many as a sweep does.
pub const HOLDERS_AT_ONCE: usize = 16;
/// A look at who holds an instance begins nothing new after this long: its function has other calls to make in its 30 seconds,
/// each of which may be slow.
pub const HOLDERS_TIME: TimeDelta = TimeDelta::seconds(5);

/// While a notebook executes, the lease is told of a person who goes on working this often: a fifteenth of the quiet that is waited
/// for afterwards. An idle runner writes six times as often.
pub const SIGN_APART: TimeDelta = TimeDelta::seconds(60);

/// A runner that found an empty inbox on a boot it has served nothing on waits this long for the execution that
/// started it: a poll interval, a few Step Functions retries and a slow Lambda.
pub const BOOT_GRACE: TimeDelta = TimeDelta::seconds(900);

/// The same where that execution has given up. Another one may wait for this boot: it looks every poll interval (30 s by
/// default), every fourth one at its rarest, and puts its ticket a few seconds later.
pub const GIVEN_UP_GRACE: TimeDelta = TimeDelta::seconds(150);

/// A person is working while a kernel or terminal of theirs was busy or active this recently.
pub const PERSON_QUIET: TimeDelta = TimeDelta::seconds(900);

/// A boot of which it cannot be known who started it stays on until nobody has shown activity for this long.
pub const UNSURE_QUIET: TimeDelta = TimeDelta::seconds(1_800);

/// Jupyter unreachable for a reason that does not say "no server here": a person may be working, until this much
/// time has passed without an answer.
pub const JUPYTER_UNKNOWN: TimeDelta = TimeDelta::seconds(600);

/// Bounds of the heartbeat, from the template's `HeartbeatSeconds`.
pub const HEARTBEAT_SECONDS: Bounds = Bounds { min: 3, default: 300, max: 3_600 };
/// Bounds of the pause between two uploads of what a notebook has printed, from the template's `LiveOutputSeconds`; 0 turns them
/// off. The default is what a person who watches is content with.
pub const LIVE_OUTPUT_SECONDS: Bounds = Bounds { min: 0, default: 5, max: 3_600 };
/// Beats a heartbeat: two may be lost, and each may be late by a twelfth of it, as where thousands wait.
pub const BEATS_PER_HEARTBEAT: u32 = 4;

/// The sweeper looks at executions that ended this long before its last round through them: their own event may have been
/// lost, and what could not be concluded then is tried again for an hour.
pub const SWEEP_BACK: TimeDelta = TimeDelta::hours(1);
/// An execution may be redriven for this long (Step Functions developer guide, "Redriving executions").
pub const REDRIVABLE: TimeDelta = TimeDelta::days(14);
/// No execution lives longer between its start, or its redrive, and its end: three attempts (`MAX_RERUNS`), each of which
/// waits a day, runs a day, and starts and stops its instance for hours.
pub const LONGEST_EXECUTION: TimeDelta = TimeDelta::days(8);
/// Executions on one page of a list: Step Functions gives at most so many.
pub const SWEEP_PAGE: usize = 1_000;
/// Pages that one sweep reads at most. The next one goes on.
pub const MAX_SWEEP_PAGES: usize = 30;
/// Pages of executions, and of the history beside each, that one sweep reads at most to keep the history whole. The next goes on.
pub const MAX_HISTORY_PAGES: usize = 20;
/// Executions that one sweep describes at most to keep the history whole. An account may describe 250 at once, and then 10 a second
/// (Step Functions developer guide, "Quotas related to API throttling"): what runs needs more than a list of what ran.
pub const MAX_HISTORY_DESCRIBED: usize = 100;
/// Executions that could not be entered and are remembered, to be tried again. Of more, only the number is kept.
pub const MAX_HISTORY_MISSED: usize = 50;
/// Tries for each of them: an hour of sweeps.
pub const MAX_HISTORY_TRIES: u32 = 12;
/// Sweeps that may stay at one place of the history, because AWS did not answer or was asked too often. The next one passes it.
pub const MAX_HISTORY_HELD: u32 = 12;
/// A later look through the history goes back this much behind the one before: lists may show late what ended.
pub const HISTORY_BACK: TimeDelta = TimeDelta::minutes(10);
/// A sweep begins nothing for the history after this long.
pub const HISTORY_TIME: TimeDelta = TimeDelta::seconds(12);
/// What it began for the history is given up after this long: one more call, of at most 12 s, must end within the function's timeout.
pub const HISTORY_CUT: TimeDelta = TimeDelta::seconds(16);
/// Leases that one sweep lists at most. The next one goes on.
pub const MAX_SWEPT_LEASES: usize = 1_000;
/// Things that one sweep looks at at the same time: they wait for AWS most of the time.
pub const SWEEPS_AT_ONCE: usize = 16;
/// Keys of one run that are listed: more than the records and files of a hundred attempts.
pub const MAX_RUN_KEYS: usize = 2_000;
/// A sweep begins nothing new after this long, so that it ends within the function's timeout; the next goes on.
pub const SWEEP_TIME: TimeDelta = TimeDelta::seconds(18);

/// How many poll intervals the state machine waits until its next look: an instance that has not come up or gone down
/// within ten minutes is looked at less often, so that the longest wait fits into the history of an execution.
#[must_use]
pub fn patience(waited: TimeDelta) -> u32 {
    if waited < TimeDelta::minutes(10) {
        1
    } else if waited < TimeDelta::minutes(30) {
        2
    } else {
        4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Step Functions service quotas: "Maximum input or output size for a task, state, or execution: 256 KiB"; RFC 8259, section 6, for
    /// the numbers that every reader of JSON agrees on.
    #[test]
    fn sizes_fit_what_carries_them() {
        assert_eq!(MAX_REQUEST_BYTES, 262_144);
        assert_eq!(MAX_INPUT_BYTES * 4, MAX_REQUEST_BYTES, "the envelope has room, and so have filled placeholders");
        assert_eq!(MAX_RECORD_BYTES, 4 * MAX_REQUEST_BYTES);
        assert_eq!(MAX_WHOLE_NUMBER, 9_007_199_254_740_991);
    }
}
