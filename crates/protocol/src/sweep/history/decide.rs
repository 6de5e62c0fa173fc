//! Which executions a pass looks at, and when it has come to its end.

use chrono::{DateTime, TimeDelta, Utc};

use reveille_domain::RunId;
use reveille_domain::age::believed;
use reveille_domain::history::{HistoryPass, HistoryPlace};
use reveille_domain::limits::{HISTORY_BACK, LONGEST_EXECUTION, REDRIVABLE};
use reveille_domain::ports::EndedExecution;

/// A pass that looks back further than this finds a history that nobody kept: while it is under way, any number of runs may be missing.
const LONG: TimeDelta = TimeDelta::hours(2);
/// Where nothing ends, the place is written this often all the same: passes look back no further, and whoever reads it sees that it is kept.
const FRESH: TimeDelta = TimeDelta::hours(1);

/// A pass behind the one before. A time that is far ahead says nothing of what was looked at.
pub fn next_pass(place: &HistoryPlace, now: DateTime<Utc>) -> HistoryPass {
    let since = place.looked_at.and_then(|at| believed(at, now)).and_then(|at| at.checked_sub_signed(HISTORY_BACK));
    HistoryPass { began_at: now, since, redriven: false, page: None, after: None, held: 0 }
}

/// The place after a pass.
pub fn ended(pass: &HistoryPass, place: &HistoryPlace) -> HistoryPlace {
    HistoryPlace { is_whole: true, looked_at: Some(pass.began_at), pass: None, ..place.clone() }
}

/// Whether a pass looks back so far that the history may lack any number of runs until its end.
pub fn is_long(pass: &HistoryPass) -> bool {
    pass.since.is_none_or(|since| pass.began_at - since > LONG)
}

/// Whether a place may stay as it is after a pass that found nothing.
pub fn is_fresh(place: &HistoryPlace, pass: &HistoryPass) -> bool {
    place.looked_at.is_some_and(|at| pass.began_at - at < FRESH)
}

/// The executions of a page that are to be looked at, from where the pass is.
pub fn wanted<'a>(pass: &HistoryPass, page: &'a [EndedExecution]) -> Vec<&'a EndedExecution> {
    let done = pass.after.as_ref().and_then(|after| page.iter().position(|execution| execution.arn == *after));
    page[done.map_or(0, |done| done + 1)..]
        .iter()
        // One without an end still runs.
        .filter(|execution| execution.ended_at.is_some_and(|ended| pass.since.is_none_or(|since| ended >= since)))
        .collect()
}

/// Whether nothing behind a page can have ended since: lists show the newest start first.
pub fn is_over(pass: &HistoryPass, page: &[EndedExecution]) -> bool {
    let lived = LONGEST_EXECUTION + if pass.redriven { REDRIVABLE } else { TimeDelta::zero() };
    let oldest = page.last().map(|execution| execution.started_at);
    pass.since.zip(oldest).is_some_and(|(since, oldest)| since - oldest > lived)
}

/// The run of an execution, as its list shows it.
pub fn run_of(execution: &EndedExecution) -> RunId {
    let name = execution.arn.rsplit(':').next().unwrap_or_default();
    RunId::of(name, &execution.arn, execution.started_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + hours * 3_600, 0).unwrap()
    }

    fn place_of(looked_at: DateTime<Utc>) -> HistoryPlace {
        HistoryPlace { is_whole: true, looked_at: Some(looked_at), ..HistoryPlace::default() }
    }

    fn execution(arn: &str, started: i64, ended: Option<i64>) -> EndedExecution {
        EndedExecution { arn: arn.into(), started_at: at(started), ended_at: ended.map(at) }
    }

    #[test]
    fn the_first_pass_looks_at_everything_and_a_later_one_back_to_the_one_before() {
        let first = next_pass(&HistoryPlace::default(), at(0));
        let page = [execution("a", 0, None), execution("b", -1, Some(0)), execution("c", -2_000, Some(-1_999))];
        let names = |pass: &HistoryPass| wanted(pass, &page).iter().map(|it| it.arn.clone()).collect::<Vec<_>>();
        assert_eq!(names(&first), ["b", "c"], "one runs");
        assert!(!is_over(&first, &page));
        assert_eq!(names(&HistoryPass { after: Some("b".into()), ..first.clone() }), ["c"]);
        let place = ended(&first, &HistoryPlace { lacking: 3, ..HistoryPlace::default() });
        assert_eq!((&place, place.lacking), (&HistoryPlace { lacking: 3, ..place_of(at(0)) }, 3));
        let later = next_pass(&place, at(5));
        assert_eq!(later.since, Some(at(0) - HISTORY_BACK));
        assert_eq!(names(&later), ["b"]);
        assert!(is_over(&later, &page));
        assert_eq!(
            wanted(&HistoryPass { since: Some(at(0)), ..later.clone() }, &page[1..2]).len(),
            1,
            "it ended just then"
        );
        let lived = LONGEST_EXECUTION.num_hours();
        let from_now = HistoryPass { since: Some(at(0)), ..later.clone() };
        assert!(!is_over(&from_now, &[execution("e", -lived, Some(0))]));
        assert!(is_over(&from_now, &[execution("e", -lived - 1, Some(0))]));
        let redriven = HistoryPass { redriven: true, ..from_now };
        let longest = lived + REDRIVABLE.num_hours();
        assert!(!is_over(&redriven, &[execution("e", -longest, Some(0))]));
        assert!(is_over(&redriven, &[execution("e", -longest - 1, Some(0))]));
        assert!(!is_over(&redriven, &[execution("d", -300, Some(0))]), "a redrive may come two weeks later");
        let ahead = HistoryPlace { looked_at: Some(at(99)), ..place };
        assert_eq!(next_pass(&ahead, at(5)).since, None, "a clock was wrong");
    }

    #[test]
    fn a_history_that_was_not_kept_for_hours_is_not_whole_until_a_pass_has_ended() {
        assert!(is_long(&next_pass(&HistoryPlace::default(), at(0))), "nobody ever looked");
        let exactly = HistoryPass { since: Some(at(-2)), ..next_pass(&place_of(at(0)), at(0)) };
        assert!(!is_long(&exactly) && is_long(&HistoryPass { since: Some(at(-3)), ..exactly.clone() }));
        for (hours, long) in [(0, false), (1, false), (3, true), (7 * 24, true)] {
            assert_eq!(is_long(&next_pass(&place_of(at(-hours)), at(0))), long, "{hours} hours");
            assert_eq!(is_fresh(&place_of(at(-hours)), &next_pass(&place_of(at(-hours)), at(0))), hours < 1);
        }
    }
}
