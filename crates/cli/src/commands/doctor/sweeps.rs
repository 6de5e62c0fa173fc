//! What nobody waits for: the sweeper, the rules that call it and that tell how runs ended, and the queues of what failed.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::{
    finding::{Check, Finding},
    stack::find,
};
use crate::{
    clients::checkup::{Heading, Known, ResourceFacts, RuleFacts},
    schedules::When,
    ui::{text::how_many, times},
};

/// The alarm's: as long as no sweep is suspicious, whatever the schedule.
const SILENT: TimeDelta = TimeDelta::minutes(30);
/// Sweeps in a row that may fail to come before somebody is told.
const MISSED: i32 = 3;

/// The two that call the sweeper, by their names in the template: by the clock, and for each execution that ended badly.
pub(super) const SWEEPER_RULES: [&str; 2] = ["SweepFunctionTimer", "SweepFunctionExecutionEnded"];
pub(super) const NOTIFY_RULE: &str = "NotifyRule";
/// The one that calls PublishProgress, if the stack has it.
pub(super) const PROGRESS_RULE: &str = "PublishProgressFunctionRecordCreated";

/// One of the stack's own rules. `for_what`: what does not happen without it.
pub(super) fn rule(
    check: Check,
    name: &str,
    for_what: &str,
    parts: &Known<Vec<ResourceFacts>>,
    rule: &Known<Option<RuleFacts>>,
) -> Finding {
    let id = parts.as_ref().ok().and_then(|parts| find(parts, name)).map_or(name, |part| part.id.as_str());
    let deploy = "deploy the stack again (docs/deploy.md)";
    let (bus, rule_name) = id.split_once('|').unwrap_or(("", id));
    let on_bus = if bus.is_empty() { String::new() } else { format!(" --event-bus-name {bus}") };
    match rule {
        Err(unknown) => Finding::unchecked(check, unknown),
        Ok(None) => Finding::fail(check, format!("the rule {name} is gone: {for_what}"), deploy),
        Ok(Some(rule)) if !rule.enabled => Finding::fail(
            check,
            format!("the rule {name} is disabled: {for_what}"),
            format!("aws events enable-rule --name {rule_name}{on_bus}"),
        ),
        Ok(Some(rule)) if rule.targets.is_empty() => {
            Finding::fail(check, format!("the rule {name} has no target: {for_what}"), deploy)
        }
        Ok(Some(_)) => Finding::ok(check, format!("the rule {name} is on and has its target")),
    }
}

/// When it swept last: it writes its place down at each beginning. `schedule` is the stack's, `made` when the stack was.
pub(super) fn sweeper(
    place: &Known<Option<Heading>>,
    schedule: &str,
    made: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Finding {
    const LOGS: &str =
        "docs/operations.md#sweepersilent: look at the sweeper's rule, its reserved concurrency and its log";
    const THEN: &str = "outcomes of stopped runs are missing, and instances may stay on";
    let place = match place {
        Err(unknown) => return Finding::unchecked(Check::Sweeper, unknown),
        Ok(place) => place.as_ref().and_then(|heading| heading.at),
    };
    let patience = patience(schedule, now);
    match place {
        None if made.is_some_and(|made| now - made <= patience) => {
            Finding::ok(Check::Sweeper, "the stack is new, so no sweep was due yet")
        }
        None => Finding::fail(
            Check::Sweeper,
            format!("the sweeper never wrote where it is, so it did not run, or may not write into the bucket: {THEN}"),
            LOGS,
        ),
        Some(at) if now - at > patience => Finding::fail(
            Check::Sweeper,
            format!("the last sweep began {} ago ({schedule}): {THEN}", times::duration(now - at)),
            LOGS,
        ),
        Some(at) => Finding::ok(Check::Sweeper, format!("the last sweep began {} ago", times::duration(now - at))),
    }
}

/// How long no sweep is no fault.
fn patience(schedule: &str, now: DateTime<Utc>) -> TimeDelta {
    let Ok(when) = When::read(schedule) else { return SILENT };
    match when.next(Tz::UTC, now, now, 2)[..] {
        [first, second] => SILENT.max((second - first) * MISSED),
        _ => SILENT,
    }
}

/// What waits in a queue that should be empty: so many of a thing, and what that means.
fn waiting(
    check: Check,
    count: &Known<u64>,
    empty: &str,
    judge: fn(Check, String, String) -> Finding,
    (one, means, cure): (&str, &str, &str),
) -> Finding {
    match count {
        Err(unknown) => Finding::unchecked(check, unknown),
        Ok(0) => Finding::ok(check, empty),
        Ok(count) => judge(check, format!("{} {means}", how_many(*count, one)), cure.to_owned()),
    }
}

pub(super) fn sweep_failures(count: &Known<u64>) -> Finding {
    let waits = (
        "call",
        "of the sweeper failed at every try. Once the cause is fixed, a later sweep catches up",
        "docs/operations.md#sweepslost: remove the cause, then empty the queue of the output SweepFailuresUrl",
    );
    waiting(Check::SweepFailures, count, "no call of the sweeper has failed for good", Finding::warn, waits)
}

pub(super) fn undelivered_notifications(count: &Known<u64>) -> Finding {
    let waits = (
        "notification",
        "of how a run ended could not be delivered, so nobody was told",
        "docs/operations.md#notificationsfailed: read them, then empty the queue of the output UndeliveredNotificationsUrl",
    );
    let empty = "the queue of undelivered notifications is empty";
    waiting(Check::UndeliveredNotifications, count, empty, Finding::warn, waits)
}

pub(super) fn undelivered(count: &Known<u64>) -> Finding {
    let waits = (
        "event",
        "could not be delivered, and started no run",
        "reveille undelivered (says why; then: reveille undelivered replay --all)",
    );
    waiting(Check::Undelivered, count, "the queue of undelivered events is empty", Finding::fail, waits)
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};

    use super::{rule, sweep_failures, sweeper, undelivered, undelivered_notifications};
    use crate::{
        clients::checkup::{Heading, RuleFacts, Unknown},
        commands::doctor::finding::{Check, Verdict, tests::found},
    };

    #[test]
    fn a_rule_of_the_stack_is_on_and_has_a_target() {
        let one = |enabled, targets: &[&str]| {
            let targets = targets.iter().map(|arn| (*arn).to_owned()).collect();
            rule(
                Check::SweeperRules,
                "SweepFunctionTimer",
                "nobody sweeps",
                &Ok(vec![]),
                &Ok(Some(RuleFacts { enabled, targets })),
            )
        };
        found(&[one(true, &["arn"])], Check::SweeperRules, Verdict::Ok, "is on");
        found(&[one(false, &["arn"])], Check::SweeperRules, Verdict::Fail, "enable-rule --name SweepFunctionTimer");
        found(&[one(true, &[])], Check::SweeperRules, Verdict::Fail, "has no target: nobody sweeps");
        let gone = rule(Check::SweeperRules, "a", "nobody sweeps", &Ok(vec![]), &Ok(None));
        found(&[gone], Check::SweeperRules, Verdict::Fail, "is gone");
    }

    #[test]
    fn a_sweeper_is_heard_of_as_often_as_its_schedule_says() {
        let now = Utc::now();
        let last = |minutes| Ok(Some(Heading { at: Some(now - TimeDelta::minutes(minutes)), bytes: 2 }));
        for (minutes, schedule, verdict) in [
            (4, "rate(5 minutes)", Verdict::Ok),
            (31, "rate(5 minutes)", Verdict::Fail),
            (31, "rate(1 hour)", Verdict::Ok),
            (181, "rate(1 hour)", Verdict::Fail),
            (31, "cron(0 * * * ? *)", Verdict::Ok),
            (31, "nonsense", Verdict::Fail),
        ] {
            found(&[sweeper(&last(minutes), schedule, None, now)], Check::Sweeper, verdict, "the last sweep began");
        }
        let new = Some(now - TimeDelta::minutes(20));
        found(&[sweeper(&Ok(None), "rate(5 minutes)", new, now)], Check::Sweeper, Verdict::Ok, "the stack is new");
        let old = Some(now - TimeDelta::days(2));
        found(&[sweeper(&Ok(None), "rate(5 minutes)", old, now)], Check::Sweeper, Verdict::Fail, "did not run");
    }

    #[test]
    fn what_waits_in_the_queues_is_told() {
        found(&[undelivered(&Ok(0))], Check::Undelivered, Verdict::Ok, "empty");
        found(&[undelivered(&Ok(3))], Check::Undelivered, Verdict::Fail, "reveille undelivered");
        found(&[undelivered(&Ok(1))], Check::Undelivered, Verdict::Fail, "1 event could not");
        found(&[sweep_failures(&Ok(0))], Check::SweepFailures, Verdict::Ok, "no call");
        found(&[sweep_failures(&Ok(2))], Check::SweepFailures, Verdict::Warn, "2 calls");
        let told = |count| undelivered_notifications(&Ok(count));
        found(&[told(0)], Check::UndeliveredNotifications, Verdict::Ok, "notifications is empty");
        found(&[told(1)], Check::UndeliveredNotifications, Verdict::Warn, "UndeliveredNotificationsUrl");
        let denied = undelivered(&Err(Unknown::Denied("sqs:GetQueueAttributes")));
        found(&[denied], Check::Undelivered, Verdict::Unchecked, "sqs:GetQueueAttributes");
    }
}
