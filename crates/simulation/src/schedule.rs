//! A schedule: one simulated world's events, troubles and hands, as plain data. `generate` draws one from a seed;
//! directed tests write their own.
#![expect(missing_docs, reason = "a variant's sentence names its fields, and steps and ports are named elsewhere")]

use std::time::Duration;

use reveille_asl::interpreter::MissedHeartbeat;
pub use reveille_protocol::step::Step;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::hostility::Hostility;

mod generate;
mod written;

pub use generate::generate;

/// Who makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Caller {
    /// A function.
    Function(Step),
    /// The runner on any instance.
    Runner,
}

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    Get,
    Put,
    Delete,
    List,
    Upload,
    Describe,
    Start,
    Stop,
    Callback,
    Beat,
    DescribeExecution,
    Publish,
}

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Refused for the rate; no effect.
    Throttled,
    /// Refused as wrong, in conflict, or with expired credentials (400, 409); no effect.
    Refused,
    /// Refused for lack of permission (403); no effect.
    Denied,
    /// No answer, and no effect.
    NotReached,
    /// The effect happened, and no answer came.
    AnswerLost,
    /// The effect happened, the answer was lost, and the client sent the request again by itself.
    AnswerLostThenRetried,
    /// No answer; the effect happens some seconds later, whatever became of the caller.
    LandsLate,
    /// Describe shows the instance as it was some seconds ago.
    Lags,
}

/// Where a function's process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Cut {
    /// Dies before the effect of its nth call.
    Before(u32),
    /// Dies after it.
    After(u32),
    /// Hangs in it until the function's timeout.
    Hangs(u32),
}

/// How an invocation goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Invocation {
    /// `Lambda.TooManyRequestsException`; the function did not run.
    Throttled,
    /// `Lambda.ServiceException`; the function did not run.
    ServiceError,
    /// The function ran, and the state machine saw `Lambda.SdkClientException`.
    AnswerLost,
    /// The function's process ends in the middle.
    Cut(Cut),
    /// The step runs twice in a row.
    Twice,
}

/// What happens to an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum InstanceTrouble {
    /// Starts are accepted and fail for want of capacity, for `lasting`.
    CapacityMissing,
    /// The next Start, within `lasting`, is accepted and not carried out.
    StartDropped,
    /// Starts are refused for a quota, for `lasting`.
    QuotaUsedUp,
    /// The next lifecycle script fails.
    LifecycleScriptFails,
    /// Pending until `lasting` is over.
    PendingStuck,
    /// Stopping until `lasting` is over.
    StopHangs,
    /// Maintenance for `lasting`.
    Maintenance,
    /// The runner's process dies and is started again after some seconds.
    KillRunner,
    /// The runner's process dies and is not started again on this boot.
    KillRunnerForGood,
    /// The next boot's lifecycle script starts no runner.
    NoRunner,
    /// The next boot's runner binds after the instance is `InService`.
    RunnerLateToBind,
    /// For `lasting`, nothing that the runner sends arrives anywhere.
    PartitionRunner,
    /// For `lasting`, the instance's Jupyter does not answer.
    JupyterSilent,
    /// For `lasting`, no Jupyter server runs: it restarts, and its kernels have ended.
    JupyterRestarts,
    /// For `lasting`, the instance's role may not stop it.
    MayNotStop,
    /// The next write that opens the lease after a run does not arrive.
    LeaseStaysBusy,
    /// While a notebook executes, somebody copies its ticket beside it.
    StrayTicket,
    /// While a notebook executes, hundreds of runs queue behind it; each has `lasting` seconds to wait, and all are over at once.
    Burst,
}

/// Trouble that is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Trouble {
    /// A call of `action` by `caller` goes wrong, `times` times, after `skip` that went well.
    Call { caller: Caller, action: Action, mode: Mode, skip: u32, times: u32 },
    /// An invocation of a step goes wrong, `times` times, after `skip` that went well.
    Invocation { step: Step, how: Invocation, skip: u32, times: u32 },
    /// Something happens to an instance.
    Instance {
        index: usize,
        what: InstanceTrouble,
        #[serde(with = "written::seconds")]
        lasting: Duration,
    },
}

/// Trouble at a time after the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    /// When it is armed; it fires at the next occasion.
    #[serde(with = "written::seconds")]
    pub at: Duration,
    /// What.
    pub trouble: Trouble,
}

/// Something a person does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Deed {
    /// Starts the instance, and works on it for this long once it is up.
    Start {
        index: usize,
        #[serde(with = "written::seconds")]
        work: Duration,
    },
    /// Waits until the instance has failed, starts it at once, and works on it for this long.
    StartFailed {
        index: usize,
        #[serde(with = "written::seconds")]
        work: Duration,
    },
    /// Stops the instance.
    Stop { index: usize },
    /// Stops the instance, and starts it again as soon as it is stopped.
    Restart { index: usize },
    /// Works on the instance, if it is up.
    Work {
        index: usize,
        #[serde(with = "written::seconds")]
        work: Duration,
    },
    /// Deletes the instance: stops it first where it is up.
    Delete { index: usize },
    /// Starts an execution with the same input, event included.
    Repeat { trigger: usize },
    /// Starts an execution with the same input and `rerun: true`.
    Rerun { trigger: usize },
    /// Redrives the newest execution of the trigger, if it can be redriven.
    Redrive { trigger: usize },
    /// Aborts the newest execution of the trigger, if it runs.
    Abort { trigger: usize },
}

/// A deed at a time after the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hand {
    /// When.
    #[serde(with = "written::seconds")]
    pub at: Duration,
    /// What.
    pub deed: Deed,
}

/// What starts executions: an event under one rule, or a person without an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trigger {
    /// When the event happened; deliveries count from here.
    #[serde(with = "written::seconds")]
    pub at: Duration,
    /// The input without `event`.
    pub input: Value,
    /// The number of the event; `None`: a person starts a run by hand.
    pub event: Option<u32>,
    /// When each delivery arrives, after the event.
    #[serde(with = "written::all_seconds")]
    pub deliveries: Vec<Duration>,
}

/// One instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// From Start to the boot.
    #[serde(with = "written::seconds")]
    pub pending: Duration,
    /// From Stop to Stopped.
    #[serde(with = "written::seconds")]
    pub stopping: Duration,
    /// How long the on-start script works before it starts the runner.
    #[serde(with = "written::seconds")]
    pub script: Duration,
    /// How far its clock is from true time, in milliseconds.
    pub skew_ms: i64,
}

/// The template's parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parameters {
    /// `StartPollSeconds`.
    pub start_poll: u32,
    /// `StopPollSeconds`.
    pub stop_poll: u32,
    /// `HeartbeatSeconds`.
    pub heartbeat: u32,
}

/// How likely it is, in percent, that a notebook ends in each way; otherwise it succeeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notebooks {
    /// A cell raises.
    pub fails: u8,
    /// The kernel dies.
    pub dies: u8,
    /// It would run for ever.
    pub endless: u8,
    /// It takes at least this many seconds, where it ends by itself.
    pub least: u32,
    /// It takes at most this many seconds.
    pub most: u32,
}

/// What a hostile notebook does, once or again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Strike {
    /// When, after the notebook began. It outlives its run, and ends with its boot.
    #[serde(with = "written::seconds")]
    pub after: Duration,
    /// What.
    pub kind: Hostility,
    /// How often.
    pub times: u32,
    /// The pause after each.
    #[serde(with = "written::seconds")]
    pub every: Duration,
}

/// A hostile notebook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hostile {
    /// The instance it runs on.
    pub index: usize,
    /// It is the nth notebook that begins there, from 1.
    pub nth: usize,
    /// What it does.
    pub strikes: Vec<Strike>,
}

/// One simulated world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// What all randomness of the world comes from.
    pub seed: u64,
    /// The template's parameters.
    pub parameters: Parameters,
    /// The name under which Step Functions shows a missed heartbeat.
    #[serde(with = "written::missed_heartbeat")]
    pub missed_heartbeat: MissedHeartbeat,
    /// The instances.
    pub instances: Vec<Instance>,
    /// What starts executions.
    pub triggers: Vec<Trigger>,
    /// The notebooks.
    pub notebooks: Notebooks,
    /// The largest distance of a function's clock from true time, in milliseconds.
    pub function_skew_ms: i64,
    /// The troubles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<Planned>,
    /// The hands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hands: Vec<Hand>,
    /// The notebooks that are hostile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hostile: Vec<Hostile>,
    /// Where the function of each sweep of the timer is cut off, or a few calls later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweeps_cut_off: Option<Cut>,
    /// Whether a redriven execution finds none of its variables.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub redrives_forget: bool,
    /// Milliseconds that a listing takes at least, and four times as many at most. (Otherwise a listing takes no time.)
    #[serde(default, skip_serializing_if = "is_zero")]
    pub listing_ms: u64,
    /// `LiveOutputSeconds`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub live_seconds: u32,
    /// When the stack is updated: an execution that starts earlier goes on with the definition of the version before.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "written::some_seconds")]
    pub updated_at: Option<Duration>,
    /// When the stack goes back to the version before: functions, definition and runner are that version's from then on.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "written::some_seconds")]
    pub went_back_at: Option<Duration>,
    /// Triggers of a second stack, whose runs name the same instances. Nothing is promised of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of_second_stack: Vec<usize>,
    /// `PublishProgress`: whether tickets and claims call the function of that name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub publishes_progress: bool,
    /// Whether the sweeper comes by its timer and after executions that failed.
    pub sweeper: bool,
}

impl Schedule {
    /// One in which nothing goes wrong and nobody lays hands on anything, with the sweeper: what is not so is put in its place.
    #[must_use]
    pub fn calm(
        parameters: Parameters,
        instances: Vec<Instance>,
        triggers: Vec<Trigger>,
        notebooks: Notebooks,
    ) -> Self {
        Self {
            seed: 0,
            parameters,
            missed_heartbeat: MissedHeartbeat::default(),
            instances,
            triggers,
            notebooks,
            function_skew_ms: 0,
            troubles: Vec::new(),
            hands: Vec::new(),
            hostile: Vec::new(),
            sweeps_cut_off: None,
            redrives_forget: false,
            listing_ms: 0,
            live_seconds: 0,
            updated_at: None,
            went_back_at: None,
            of_second_stack: Vec::new(),
            publishes_progress: false,
            sweeper: true,
        }
    }
}

fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}
