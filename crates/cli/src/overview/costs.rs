//! What each of many runs cost. A list of runs has no histories, so who started the instance is told by the runs beside each.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use reveille_domain::records::Phases;

use crate::{
    clients::Run,
    cost::{StartedFor, Used},
};

/// The time that each run pays for, in the order of the runs.
pub(crate) fn used(runs: &[Run]) -> Vec<Option<Used>> {
    let mut of_instance: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, run) in runs.iter().enumerate() {
        if let Some(instance) = run.instance.as_deref().filter(|_| phases(run).is_some()) {
            of_instance.entry(instance).or_default().push(index);
        }
    }
    let mut used = vec![None; runs.len()];
    for mut indexes in of_instance.into_values() {
        let starting = |index: usize| phases(&runs[index]).and_then(|phases| phases.starting);
        indexes.sort_by_key(|index| starting(*index).map(|phase| phase.started_at));
        // Until when the instance was being started for an earlier run.
        let mut started_until: Option<DateTime<Utc>> = None;
        for index in indexes {
            let Some(phases) = phases(&runs[index]) else { continue };
            let starts: Vec<DateTime<Utc>> = phases.starting.iter().map(|phase| phase.started_at).collect();
            // It was on if the first look showed that, and otherwise whoever came first started it.
            let started = match phases.starting {
                Some(phase) if !StartedFor::is_one_look(&phase) => {
                    let is_first = started_until.is_none_or(|until| until <= phase.started_at);
                    started_until = started_until.max(Some(phase.ended_at));
                    StartedFor::of(phases, if is_first { &starts } else { &[] })
                }
                _ => StartedFor::Nobody,
            };
            used[index] = Used::of(phases, started);
        }
    }
    used
}

fn phases(run: &Run) -> Option<&Phases> {
    run.outcome.as_ref().map(|outcome| &outcome.phases)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use reveille_domain::records::Outcome;
    use serde_json::{Value, json};

    use super::used;
    use crate::clients::Run;

    fn phase(from: i64, to: i64) -> Value {
        let at = |seconds| "2026-11-23T06:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(seconds);
        json!({"startedAt": at(from), "endedAt": at(to), "seconds": (to - from)})
    }

    fn run(phases: &Value) -> Run {
        let outcome = json!({"run": "daily-1", "attempt": 1, "status": "SUCCEEDED", "instanceAfter": "atRest", "executionArn": "a",
            "outputs": {}, "phases": phases, "redriveCount": 0, "concludedAt": "2026-11-26T08:00:00Z"});
        let outcome: Outcome = serde_json::from_value(outcome).unwrap();
        Run { outcome: Some(outcome), ..Run::of_test("daily.ipynb") }
    }

    #[test]
    fn whoever_came_first_pays_for_the_start() {
        let runs = [
            // It came second, and waited for the first one's start, and then in the queue.
            run(
                &json!({"starting": phase(10, 180), "queued": phase(180, 1000), "running": phase(1000, 1600), "stopping": phase(1600, 1700)}),
            ),
            run(
                &json!({"starting": phase(0, 180), "queued": phase(180, 180), "running": phase(180, 1000), "stopping": phase(1000, 1000)}),
            ),
            // It found the instance on.
            run(&json!({"starting": phase(500, 500), "queued": phase(500, 1600), "running": phase(1600, 1650)})),
            // The next day.
            run(&json!({"starting": phase(90_000, 90_180), "running": phase(90_180, 90_280)})),
            Run::of_test("daily.ipynb"),
        ];
        let seconds: Vec<_> = used(&runs).iter().map(|used| used.map(|used| used.length().num_seconds())).collect();
        assert_eq!(seconds, [Some(700), Some(1_000), Some(50), Some(280), None]);
    }
}
