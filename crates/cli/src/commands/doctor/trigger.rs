//! What starts runs: rules on uploads and on runs, the stack's own schedule, and schedules of EventBridge Scheduler.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use reveille_domain::layout::Layout;
use serde_json::{Map, Value, json};

use super::{
    bucket::turn_events_on,
    finding::{Check, Finding},
};
use crate::{
    clients::{
        Rule, Schedule, TargetSettings,
        checkup::{BucketEvents, Known},
    },
    commands::{
        schedule,
        trigger::{check, what},
    },
    schedules::When,
    triggers::{self, Chain, Origin, Starts, Uploads},
};

/// How long EventBridge may try: the window in which a second start for one event is a duplicate.
const WINDOW: i32 = 900;
const NO_LOOP: &str = "its runs do not trigger it again";

/// What a trigger waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum On {
    Upload(Uploads),
    Run(Chain),
    /// A schedule of EventBridge's own, such as the stack's.
    Timer,
    /// One of EventBridge Scheduler's, whether it fires again as it is, and its zone.
    Schedule {
        fires: bool,
        zone: String,
    },
    /// A pattern that this command does not read.
    Other,
}

/// A trigger, whoever made it.
#[derive(Clone, Debug)]
pub(super) struct Trigger {
    pub(super) name: String,
    pub(super) on: On,
    pub(super) enabled: bool,
    /// The input of its runs, as far as this command can read it.
    pub(super) input: Value,
    /// The target takes the event as it is, so that no input is made of it.
    pub(super) bare: bool,
    pub(super) starts: TargetSettings,
}

impl Trigger {
    pub(super) fn of_rule(rule: Rule) -> Self {
        let on = if let Some(files) = Uploads::read(&rule.pattern, &rule.input) {
            On::Upload(files)
        } else if let Some(chain) = Chain::read(&rule.pattern, &rule.input) {
            On::Run(chain)
        } else if rule.expression.is_some() {
            On::Timer
        } else {
            On::Other
        };
        let bare = rule.template.is_none();
        Self { name: rule.name, on, enabled: rule.enabled, input: rule.input, bare, starts: rule.starts }
    }

    pub(super) fn of_schedule(schedule: &Schedule, now: DateTime<Utc>) -> Self {
        // Of an expression that this command cannot read nothing is known.
        let is_read = When::read(&schedule.expression).is_ok() && schedule.zone.parse::<Tz>().is_ok();
        let fires = !is_read || !schedule.enabled || !schedule::next(schedule, now).is_empty();
        Self {
            name: schedule.name.clone(),
            on: On::Schedule { fires, zone: schedule.zone.clone() },
            enabled: schedule.enabled,
            input: schedule.input.clone(),
            bare: false,
            starts: schedule.starts(),
        }
    }

    /// The instance that its runs name.
    pub(super) fn instance(&self) -> Option<&str> {
        self.input["instance"].as_str()
    }

    /// The buckets whose events it waits for, as far as its pattern names them.
    pub(super) fn buckets(&self) -> &[String] {
        match &self.on {
            On::Upload(files) => files.buckets(),
            _ => &[],
        }
    }

    fn verb(&self) -> Option<&'static str> {
        match self.on {
            On::Upload(_) => Some("on-upload"),
            On::Run(_) => Some("on-run"),
            On::Schedule { .. } => Some("schedule"),
            On::Timer | On::Other => None,
        }
    }

    /// The command that turns it on again.
    fn resume(&self) -> String {
        self.verb().map_or_else(
            || format!("aws events enable-rule --name {}", self.name),
            |verb| format!("reveille {verb} resume {}", self.name),
        )
    }

    /// What makes it anew.
    fn again(&self) -> String {
        self.verb().map_or_else(
            || "deploy its stack again (docs/triggers.md)".to_owned(),
            |verb| format!("reveille {verb} remove {0}, then: reveille {verb} add (or deploy its stack again: docs/triggers.md)", self.name),
        )
    }

    /// An event as one that it would hand on.
    fn sample(&self) -> Option<Value> {
        let by_clock = |source: &str| json!({"source": source, "detail-type": "Scheduled Event", "time": "2026-11-26T08:00:00Z", "resources": ["arn"]});
        match &self.on {
            On::Upload(files) => {
                let (bucket, key) = files.example();
                Some(triggers::sample(Origin::SOME, &bucket, &key, "2026-11-26T08:00:00Z"))
            }
            On::Run(chain) => Some(triggers::sample_of_run(&chain.after.example())),
            On::Timer => Some(by_clock("aws.events")),
            // Its target makes the event, and says in it which zone's clock is meant.
            On::Schedule { .. } => Some(in_zone(by_clock("aws.scheduler"), &self.input["event"]["detail"]["timeZone"])),
            On::Other => None,
        }
    }
}

/// What a trigger is held against.
pub(super) struct Surroundings<'a> {
    pub(super) layout: &'a Layout,
    /// The stack's roles of rules and of schedules.
    pub(super) roles: [Option<String>; 2],
    /// The instances of the account.
    pub(super) instances: &'a Known<Vec<String>>,
    pub(super) buckets: &'a BTreeMap<String, Known<BucketEvents>>,
    /// The chains of all triggers.
    pub(super) chains: &'a [Chain],
}

pub(super) fn findings(trigger: &Trigger, around: &Surroundings<'_>) -> Vec<Finding> {
    let mut findings = vec![state(trigger), target(trigger, around)];
    let parameters = match input(trigger) {
        Ok(parameters) => {
            findings.push(Finding::ok(
                Check::TriggerInput,
                format!("its runs have a valid input: {}", what(&trigger.input)),
            ));
            parameters
        }
        Err(finding) => {
            findings.push(finding);
            Map::new()
        }
    };
    findings.extend(day(trigger));
    findings.extend(instance(trigger, around.instances));
    findings.extend(endless(trigger, &parameters, around));
    findings.extend(trigger.buckets().iter().filter_map(|name| bucket(trigger, name, around)));
    findings
}

fn state(trigger: &Trigger) -> Finding {
    match trigger.on {
        _ if !trigger.enabled => {
            Finding::warn(Check::TriggerState, "it is paused, so it starts no run", trigger.resume())
        }
        On::Schedule { fires: false, .. } => Finding::warn(
            Check::TriggerTimes,
            "it is on but will never fire again: its time or its end has passed",
            format!("reveille schedule remove {}", trigger.name),
        ),
        _ => Finding::ok(Check::TriggerState, "it is on"),
    }
}

fn target(trigger: &Trigger, around: &Surroundings<'_>) -> Finding {
    let TargetSettings { role, dead_letters, age_seconds } = &trigger.starts;
    let [rules, schedules] = &around.roles;
    let expected = if matches!(trigger.on, On::Schedule { .. }) { schedules } else { rules };
    let found = |what: String| Finding::warn(Check::TriggerTarget, what, trigger.again());
    match (role, expected) {
        (None, _) => {
            let what = "its target has no role, so EventBridge cannot start the state machine, and no run starts";
            return Finding::fail(Check::TriggerTarget, what, trigger.again());
        }
        (Some(role), Some(expected)) if role != expected => {
            return found(format!(
                "its role is {role}, and not the stack's ({expected}): if that role is gone or may not start the state machine, no run starts"
            ));
        }
        _ => {}
    }
    if dead_letters.is_none() {
        return found(
            "it has no queue for undelivered events, so an event that cannot be delivered is lost, and nobody is told"
                .to_owned(),
        );
    }
    match age_seconds {
        Some(age) if *age <= WINDOW => Finding::ok(
            Check::TriggerTarget,
            "its target has a role, a queue for what cannot be delivered, and a time limit",
        ),
        age => found(format!(
            "EventBridge tries for {} s to deliver an event, and a second start is a duplicate for {WINDOW} s only: an event may run twice",
            age.map_or_else(|| "86,400".to_owned(), |age| age.to_string())
        )),
    }
}

/// The parameters of a run that it would start.
fn input(trigger: &Trigger) -> Result<Map<String, Value>, Finding> {
    if trigger.bare {
        let what = "its target takes the event as it is, which is no input: each run fails with InvalidRequest";
        return Err(Finding::fail(
            Check::TriggerInput,
            what,
            "docs/input.md: give the target an input template, as infra/template.yaml has it",
        ));
    }
    let (Some(input), Some(sample)) = (trigger.input.as_object(), trigger.sample()) else {
        return Err(Finding {
            verdict: super::finding::Verdict::Unchecked,
            ..Finding::ok(
                Check::TriggerInput,
                "triggerInput: this command does not read its pattern or its input template",
            )
        });
    };
    check(input, &sample, Some("each run would end in InvalidRequest"))
        .map_err(|problem| Finding::fail(Check::TriggerInput, problem.to_string(), trigger.again()))
}

fn instance(trigger: &Trigger, instances: &Known<Vec<String>>) -> Option<Finding> {
    let name = trigger.instance()?;
    Some(match instances {
        Err(unknown) => Finding::unchecked(Check::TriggerInstance, unknown),
        Ok(names) if names.iter().any(|found| found == name) => {
            Finding::ok(Check::TriggerInstance, format!("its instance {name} exists"))
        }
        Ok(_) => Finding::fail(
            Check::TriggerInstance,
            format!("its instance {name} does not exist: each run fails with InstanceNotFound"),
            format!("reveille instances (lists them); then {}", trigger.again()),
        ),
    })
}

/// This event, on the clock of a zone.
fn in_zone(mut event: Value, zone: &Value) -> Value {
    event["detail"] = json!({"timeZone": zone});
    event
}

/// A schedule in a zone whose event does not say so: it was made before events had zones, or without this command.
fn day(trigger: &Trigger) -> Option<Finding> {
    let On::Schedule { zone, .. } = &trigger.on else { return None };
    let (input, sample) = (trigger.input.as_object()?, trigger.sample()?);
    if zone == Tz::UTC.name() || sample["detail"]["timeZone"].is_string() {
        return None;
    }
    // What is the same where the day is another needs no zone.
    let parameters = |event: &Value| check(input, event, None).ok();
    let elsewhere = in_zone(sample.clone(), &json!(Tz::Pacific__Pago_Pago.name()));
    (parameters(&sample)? != parameters(&elsewhere)?).then(|| {
        let what = format!("its event lacks its time zone, so {{{{ date }}}} and {{{{ time }}}} are in UTC, not in {zone}, and may give the wrong day");
        Finding::warn(Check::TriggerTimes, what, trigger.again())
    })
}

/// What would start itself for ever.
fn endless(trigger: &Trigger, parameters: &Map<String, Value>, around: &Surroundings<'_>) -> Option<Finding> {
    let problem = match &trigger.on {
        On::Upload(files) => {
            let Some(watched) = files.watched() else { return Some(perhaps_endless(files, around.layout)) };
            let notebook = trigger.input["notebook"].as_str().unwrap_or_default();
            let starts = Starts { notebook, parameters, key: &watched.example(), reads: &[] };
            triggers::certain_problem(watched, around.layout, &starts)
        }
        On::Run(chain) => chain.cycle(around.chains).map(|way| {
            let way: Vec<String> = way.iter().map(triggers::Step::shown).collect();
            format!("these runs would start each other in an endless loop: {}", way.join(", then "))
        }),
        On::Timer | On::Schedule { .. } | On::Other => return None,
    };
    Some(match problem {
        Some(problem) => {
            let pause = trigger.resume().replacen("resume", "pause", 1);
            Finding::fail(Check::TriggerLoop, problem, format!("{pause}, and make it anew for other files or runs"))
        }
        None => Finding::ok(Check::TriggerLoop, NO_LOOP),
    })
}

/// Of a rule whose pattern only EventBridge understands: whether the outputs of runs may be among its files.
fn perhaps_endless(files: &Uploads, layout: &Layout) -> Finding {
    let Layout { bucket, prefix } = layout;
    if !files.may_be_in(bucket) {
        return Finding::ok(Check::TriggerLoop, NO_LOOP);
    }
    Finding::warn(
        Check::TriggerLoop,
        format!(
            "its pattern is not one of this command's, and may take the outputs that runs write to s3://{bucket}/{prefix}: then each run would start the next"
        ),
        format!(
            "reveille on-upload test 's3://{bucket}/{prefix}runs/nightly/daily/1/output.ipynb', which should start nothing"
        ),
    )
}

fn bucket(trigger: &Trigger, bucket: &str, around: &Surroundings<'_>) -> Option<Finding> {
    Some(match around.buckets.get(bucket)? {
        Err(unknown) => Finding::unchecked(Check::TriggerBucket, unknown),
        Ok(BucketEvents::Reach) => {
            Finding::ok(Check::TriggerBucket, format!("the bucket {bucket} sends its events to EventBridge"))
        }
        Ok(BucketEvents::AreNotSent) => Finding::fail(
            Check::TriggerBucket,
            format!("the bucket {bucket} does not send its events to EventBridge, so no file starts a run"),
            turn_events_on(bucket),
        ),
        Ok(BucketEvents::Cannot(problem)) => Finding::fail(Check::TriggerBucket, problem.clone(), trigger.again()),
    })
}

#[cfg(test)]
mod tests;
