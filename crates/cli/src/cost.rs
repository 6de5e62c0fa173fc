//! The time that a run pays for on its instance, and what a time costs. Pure: no clock, no AWS, no words. An estimate: docs/cost.md says what it
//! leaves out.

use chrono::{DateTime, TimeDelta, Utc};
use reveille_domain::records::{Phase, Phases};

use crate::prices::Price;

/// The clocks of Step Functions and of the functions differ a little.
const APART: TimeDelta = TimeDelta::seconds(5);
/// An instance that is on is seen to be at the first look, which takes no longer.
const ONE_LOOK: f64 = 1.0;
const SECONDS_PER_HOUR: f64 = 3_600.0;

/// Who started the instance that a run used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartedFor {
    /// The run itself: it pays for all from the start to the stop.
    Itself,
    /// Another run or a person, while it waited: it pays for its own time.
    Others,
    /// Nobody: it was on already. It pays for its own time.
    Nobody,
}

impl StartedFor {
    /// By the times at which the run called for a start.
    pub(crate) fn of(phases: &Phases, starts: &[DateTime<Utc>]) -> Self {
        let Some(starting) = phases.starting else {
            return if starts.is_empty() { Self::Nobody } else { Self::Itself };
        };
        // An earlier attempt's start is not this one's.
        let within = |at: &DateTime<Utc>| *at >= starting.started_at - APART && *at <= starting.ended_at + APART;
        match starts.iter().any(within) {
            true => Self::Itself,
            false if Self::is_one_look(&starting) => Self::Nobody,
            false => Self::Others,
        }
    }

    /// Whether the instance was up at the first look.
    pub(crate) fn is_one_look(starting: &Phase) -> bool {
        starting.seconds <= ONE_LOOK
    }
}

/// The time that a run pays for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) from: DateTime<Utc>,
    pub(crate) to: DateTime<Utc>,
    pub(crate) started: StartedFor,
}

impl Used {
    /// Nothing, of a run for which the instance was never up.
    pub(crate) fn of(phases: &Phases, started: StartedFor) -> Option<Self> {
        let all = [phases.starting, phases.queued, phases.running, phases.stopping];
        let from = match started {
            StartedFor::Itself => phases.starting.or(phases.running)?,
            StartedFor::Others | StartedFor::Nobody => phases.running?,
        };
        let to = all.into_iter().flatten().map(|phase| phase.ended_at).max()?;
        Some(Self { from: from.started_at, to: to.max(from.started_at), started })
    }

    pub(crate) fn length(&self) -> TimeDelta {
        self.to - self.from
    }

    pub(crate) fn usd(&self, price: &Price) -> f64 {
        usd(self.length(), price)
    }
}

/// What a time costs.
pub(crate) fn usd(length: TimeDelta, price: &Price) -> f64 {
    length.as_seconds_f64().max(0.0) / SECONDS_PER_HOUR * price.usd_per_hour
}

/// To hundredths of a cent: more digits say nothing.
pub(crate) fn rounded(usd: f64) -> f64 {
    (usd * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use reveille_domain::records::{Phase, Phases};

    use super::{StartedFor, Used};

    fn at(seconds: i64) -> DateTime<Utc> {
        "2026-11-23T06:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(seconds)
    }

    fn phase(from: i64, to: i64) -> Phase {
        Phase::between(at(from), at(to))
    }

    /// Started in 3 minutes, an hour in the queue, an hour of notebook, and stopped.
    fn whole() -> Phases {
        Phases {
            starting: Some(phase(0, 180)),
            queued: Some(phase(180, 3_780)),
            running: Some(phase(3_780, 7_380)),
            stopping: Some(phase(7_380, 7_470)),
        }
    }

    #[test]
    fn who_started_the_instance_is_told_by_its_history() {
        assert_eq!(StartedFor::of(&whole(), &[at(2)]), StartedFor::Itself);
        assert_eq!(StartedFor::of(&whole(), &[]), StartedFor::Others);
        assert_eq!(StartedFor::of(&whole(), &[at(-600)]), StartedFor::Others, "an earlier attempt's start");
        let on = Phases { starting: Some(phase(0, 0)), ..whole() };
        assert_eq!(StartedFor::of(&on, &[]), StartedFor::Nobody);
        assert_eq!(StartedFor::of(&Phases::default(), &[]), StartedFor::Nobody);
    }

    #[test]
    fn a_run_pays_from_the_start_that_it_caused_or_for_its_own_time() {
        let seconds =
            |phases: &Phases, started| Used::of(phases, started).map(|used| (used.to - used.from).num_seconds());
        assert_eq!(seconds(&whole(), StartedFor::Itself), Some(7_470));
        assert_eq!(seconds(&whole(), StartedFor::Others), Some(3_690), "the notebook and the stop");
        assert_eq!(seconds(&whole(), StartedFor::Nobody), Some(3_690));
        let waited = Phases { running: None, stopping: None, ..whole() };
        assert_eq!(seconds(&waited, StartedFor::Nobody), None, "it only waited");
        assert_eq!(seconds(&waited, StartedFor::Itself), Some(3_780));
        assert_eq!(seconds(&Phases::default(), StartedFor::Itself), None);
    }
}
