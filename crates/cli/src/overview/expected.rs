//! Runs that schedules were to start, held against those that came.

use chrono::{DateTime, TimeDelta, Utc};

use super::Missed;
use crate::clients::{Ending, Run};

/// The clocks of Scheduler and of Step Functions differ a little.
const APART: TimeDelta = TimeDelta::minutes(1);

/// When a schedule was to start a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) schedule: String,
    pub(crate) notebook: String,
    pub(crate) instance: String,
    pub(crate) times: Vec<DateTime<Utc>>,
    /// How long after its time a run may start.
    pub(crate) may_be_late: TimeDelta,
}

/// The runs that did not come, the oldest first. One that may still come is none of them.
pub(crate) fn missed<'a>(due: &[Due], runs: impl Iterator<Item = &'a Run>, now: DateTime<Utc>) -> Vec<Missed> {
    // A duplicate answers no time of its own: the run that it points to does.
    let came = runs.filter(|run| run.trigger == "schedule" && run.ending != Ending::Duplicate);
    let mut came: Vec<Option<&Run>> = came.map(Some).collect();
    came.sort_by_key(|run| run.map(|run| run.execution.started));
    let mut times: Vec<(DateTime<Utc>, &Due)> =
        due.iter().flat_map(|due| due.times.iter().map(move |at| (*at, due))).collect();
    times.sort_by_key(|(at, _)| *at);
    let mut missed = Vec::new();
    // Runs that began before every time that is still to be looked at.
    let mut behind = 0;
    for (at, due) in times {
        let until = at + due.may_be_late + APART;
        while came.get(behind).is_some_and(|run| run.is_none_or(|run| run.execution.started < at - APART)) {
            behind += 1;
        }
        let in_time = |run: &Run| run.execution.started >= at - APART && run.execution.started <= until;
        let answers = |run: &Run| {
            run.notebook.as_ref() == Some(&due.notebook) && run.instance.as_ref() == Some(&due.instance) && in_time(run)
        };
        let candidates = came[behind..].iter_mut();
        let mut candidates = candidates.take_while(|run| run.is_none_or(|run| run.execution.started <= until));
        match candidates.find(|run| run.is_some_and(answers)) {
            // It answers one time only.
            Some(found) => *found = None,
            None if until < now => {
                missed.push(Missed { notebook: due.notebook.clone(), schedule: due.schedule.clone(), at });
            }
            None => {}
        }
    }
    missed
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::{Due, missed};
    use crate::clients::{Ending, Execution, Run};

    fn at(hours: i64, minutes: i64) -> DateTime<Utc> {
        "2026-11-20T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(60 * hours + minutes)
    }

    fn run(started: DateTime<Utc>) -> Run {
        let run = Run::of_test("daily.ipynb");
        let execution = Execution { started, ..run.execution.clone() };
        Run { execution, trigger: "schedule".to_owned(), ..run }
    }

    fn due(times: &[DateTime<Utc>]) -> Due {
        Due {
            schedule: "reveille-daily".to_owned(),
            notebook: "daily.ipynb".to_owned(),
            instance: "nightly".to_owned(),
            times: times.to_vec(),
            may_be_late: TimeDelta::minutes(15),
        }
    }

    fn missing(due: &[Due], runs: &[Run]) -> Vec<DateTime<Utc>> {
        missed(due, runs.iter(), at(100, 0)).iter().map(|missed| missed.at).collect()
    }

    #[test]
    fn a_time_is_missed_if_no_run_of_its_own_came() {
        let daily = due(&[at(8, 0), at(32, 0), at(56, 0)]);
        assert_eq!(missing(std::slice::from_ref(&daily), &[run(at(8, 0)), run(at(56, 14))]), [at(32, 0)]);
        assert_eq!(missing(std::slice::from_ref(&daily), &[]), [at(8, 0), at(32, 0), at(56, 0)]);
        let late = run(at(8, 17));
        assert_eq!(
            missing(&[due(&[at(8, 0)])], &[late]),
            [at(8, 0)],
            "whatever started it, the schedule no longer tried"
        );
    }

    #[test]
    fn a_run_answers_one_time_of_its_own_notebook() {
        let twice = due(&[at(8, 0), at(8, 5)]);
        assert_eq!(missing(&[twice], &[run(at(8, 1))]), [at(8, 5)]);
        let two_schedules = [due(&[at(8, 0)]), Due { schedule: "other".to_owned(), ..due(&[at(8, 0)]) }];
        assert_eq!(missing(&two_schedules, &[run(at(8, 1))]).len(), 1);
        let others = [
            Run { notebook: Some("other.ipynb".to_owned()), ..run(at(8, 0)) },
            Run { instance: Some("other".to_owned()), ..run(at(8, 0)) },
            Run { trigger: "by hand".to_owned(), ..run(at(8, 0)) },
            Run { ending: Ending::Duplicate, ..run(at(8, 0)) },
        ];
        assert_eq!(missing(&[due(&[at(8, 0)])], &others), [at(8, 0)]);
    }

    #[test]
    fn one_that_may_still_come_is_not_missed() {
        let daily = [due(&[at(8, 0)])];
        for (now, count) in [(at(8, 10), 0), (at(8, 16), 0), (at(8, 17), 1)] {
            assert_eq!(missed(&daily, [].iter(), now).len(), count, "{now}");
        }
    }
}
