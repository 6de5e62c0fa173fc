//! The sweeper's decisions: where it goes on, which executions it looks at, and when it has seen them all.
//!
//! One sweep has seconds, and there may be more to look at than it can. So it goes round: a record says how far it came, and
//! the next sweep begins behind that. Whatever is there is looked at once in every round.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use reveille_domain::age::believed;
use reveille_domain::limits::{LONGEST_EXECUTION, REDRIVABLE, SWEEP_BACK};
use reveille_domain::ports::{EndedExecution, EndedList};
use reveille_domain::{Record, RecordKind};

mod ended;

pub use ended::caught;

/// `sweeper.json`: how far the timer's sweeps came. Without it, or with one that is not readable, a sweep begins at the
/// beginning, and looks at more than it has to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cursor {
    /// The key of the last lease that was looked at; none: all were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<String>,
    /// The round through the ended executions, if one is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<Round>,
    /// When the last whole round began: what had ended by then was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<DateTime<Utc>>,
    /// Sweeps in a row that began and did not come to their end: they were cut off, or one is under way.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unfinished: u32,
    /// Whether the executions come first: the sweep before had no time for them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executions_first: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a field by reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Record for Cursor {
    const KIND: RecordKind = RecordKind::Sweeper;

    fn key_end(&self) -> Option<String> {
        None
    }
}

/// A round through the ended executions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Round {
    /// When it began.
    pub began_at: DateTime<Utc>,
    /// It looks at what ended since then.
    pub since: DateTime<Utc>,
    /// The list it is at: its place in [`EndedList::ALL`].
    pub list: usize,
    /// The page it is at; none: the list's first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// The last execution of that page that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl Cursor {
    /// The round that is under way, or a new one. It looks back to the round before: its executions are the ones that ended
    /// while that one went on, and those that could not be concluded then.
    #[must_use]
    pub fn round(&self, now: DateTime<Utc>) -> Round {
        let is_possible = |round: &&Round| {
            let looks_back = round.began_at - round.since;
            believed(round.began_at, now).is_some() && TimeDelta::zero() <= looks_back && looks_back <= REDRIVABLE
        };
        self.round.as_ref().filter(is_possible).cloned().unwrap_or_else(|| {
            let furthest = now - REDRIVABLE;
            let since = match self.looked_at {
                // A time that is far ahead says nothing of what was looked at, so everything is.
                Some(looked_at) => believed(looked_at, now).map_or(furthest, |at| at.clamp(furthest, now) - SWEEP_BACK),
                None => now - SWEEP_BACK,
            };
            Round { began_at: now, since: since.max(furthest), list: 0, page: None, after: None }
        })
    }
}

impl Round {
    /// The list it is at; none: it is at its end.
    #[must_use]
    pub fn list(&self) -> Option<EndedList> {
        EndedList::ALL.get(self.list).copied()
    }

    /// The executions of a page that are to be looked at, from where the round is.
    pub fn wanted<'a>(&self, page: &'a [EndedExecution]) -> impl Iterator<Item = &'a EndedExecution> {
        let done = self.after.as_ref().and_then(|after| page.iter().position(|execution| execution.arn == *after));
        let since = self.since;
        page[done.map_or(0, |done| done + 1)..]
            .iter()
            .filter(move |execution| execution.ended_at.is_none_or(|ended| ended >= since))
    }

    /// The round after everything of a page was looked at. `next`: the list's next page.
    #[must_use]
    pub fn past(self, page: &[EndedExecution], next: Option<String>) -> Self {
        // Lists show the newest start first: behind one that is too old, nothing can have ended lately.
        let oldest = page.last().map(|execution| execution.started_at);
        let redriven = self.list().is_some_and(|list| list.redriven);
        let lived = LONGEST_EXECUTION + if redriven { REDRIVABLE } else { TimeDelta::zero() };
        match next {
            Some(next) if oldest.is_none_or(|oldest| self.since - oldest <= lived) => {
                Self { page: Some(next), after: None, ..self }
            }
            Some(_) | None => Self { list: self.list + 1, page: None, after: None, ..self },
        }
    }

    /// The same round, from its beginning: the page that it was at is no longer known.
    #[must_use]
    pub fn again(self) -> Self {
        Self { list: 0, page: None, after: None, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + hours * 3_600, 0).unwrap()
    }

    fn execution(arn: &str, started: i64, ended: Option<i64>) -> EndedExecution {
        EndedExecution { arn: arn.into(), started_at: at(started), ended_at: ended.map(at) }
    }

    fn names(round: &Round, page: &[EndedExecution]) -> Vec<String> {
        round.wanted(page).map(|execution| execution.arn.clone()).collect()
    }

    #[test]
    fn a_round_looks_back_to_the_one_before() {
        let first = Cursor::default().round(at(0));
        assert_eq!((first.since, first.began_at), (at(-1), at(0)));
        let later = Cursor { looked_at: Some(at(-5)), ..Cursor::default() }.round(at(0));
        assert_eq!(later.since, at(-6), "the timer was off for hours");
        let long_ago = Cursor { looked_at: Some(at(-9_999)), ..Cursor::default() }.round(at(0));
        assert_eq!(long_ago.since, at(-14 * 24), "bounded");
        let ahead = Cursor { looked_at: Some(at(9)), ..Cursor::default() }.round(at(0));
        assert_eq!(ahead.since, at(-14 * 24), "a clock was wrong, so nothing is known");
        let first_time = DateTime::<Utc>::MIN_UTC;
        assert_eq!(Cursor { looked_at: Some(first_time), ..Cursor::default() }.round(at(0)).since, at(-14 * 24));
        for impossible in [at(9), DateTime::<Utc>::MAX_UTC] {
            let round = Round { began_at: impossible, since: impossible, ..first.clone() };
            let cursor = Cursor { round: Some(round), looked_at: Some(at(-5)), ..Cursor::default() };
            assert_eq!(cursor.round(at(0)).since, at(-6), "a round of the future hides what ended");
        }
        let since_ever = Round { since: first_time, ..first.clone() };
        assert_eq!(Cursor { round: Some(since_ever.clone()), ..Cursor::default() }.round(at(0)).since, at(-1));
        assert!(since_ever.past(&[execution("a", 0, Some(0))], Some("2".into())).page.is_some(), "no overflow");
        let under_way = Round { list: 3, ..first };
        let cursor = Cursor { round: Some(under_way.clone()), ..Cursor::default() };
        assert_eq!(cursor.round(at(2)), under_way, "it goes on");
    }

    #[test]
    fn a_round_that_looks_back_as_far_as_it_may_goes_on() {
        let of = |began, since| Round { began_at: at(began), since: at(since), ..Cursor::default().round(at(0)) };
        let goes_on = |round: Round| {
            let cursor = Cursor { round: Some(round.clone()), ..Cursor::default() };
            cursor.round(at(0)) == round
        };
        assert!(goes_on(of(-3, -3)) && goes_on(of(-3, -3 - 14 * 24)));
        assert!(!goes_on(of(-3, -2)) && !goes_on(of(-3, -4 - 14 * 24)));
    }

    /// What is at its beginning says nothing.
    #[test]
    fn a_cursor_holds_what_there_is_to_go_on_with() {
        assert_eq!(serde_json::to_string(&Cursor::default()).unwrap(), "{}");
        let cursor = Cursor { unfinished: 1, executions_first: true, ..Cursor::default() };
        assert_eq!(serde_json::to_string(&cursor).unwrap(), r#"{"unfinished":1,"executionsFirst":true}"#);
        assert_eq!(cursor.key_end(), None, "it names nothing that its key tells");
    }

    #[test]
    fn what_ended_lately_is_wanted_however_long_ago_it_started() {
        let page = [
            execution("a", 0, Some(0)),
            execution("b", -1, Some(-2)),
            execution("c", -100, Some(-1)),
            execution("d", -100, None),
        ];
        let round = Cursor::default().round(at(0));
        assert_eq!(names(&round, &page), ["a", "c", "d"]);
        assert_eq!(names(&Round { after: Some("b".into()), ..round.clone() }, &page), ["c", "d"]);
        assert_eq!(names(&Round { after: Some("gone".into()), ..round }, &page), ["a", "c", "d"]);
    }

    #[test]
    fn pages_are_turned_until_nothing_behind_them_can_have_ended_lately() {
        let round = Cursor::default().round(at(0));
        let lived = LONGEST_EXECUTION.num_hours();
        let turned = |started| round.clone().past(&[execution("a", started, Some(0))], Some("2".into()));
        let young = turned(-lived);
        assert_eq!((young.list, young.page.as_deref()), (0, Some("2")));
        assert_eq!(turned(-lived - 1).page.as_deref(), Some("2"), "it may have ended just then");
        let old = turned(-lived - 2);
        assert_eq!((old.list, old.page), (1, None));
        let within = Round { page: Some("1".into()), after: Some("b".into()), ..round.clone() };
        let page = [execution("a", 0, Some(0))];
        assert_eq!(
            within.clone().past(&page, Some("2".into())),
            Round { page: Some("2".into()), after: None, ..within.clone() }
        );
        assert_eq!(within.clone().past(&page, None), Round { list: 1, page: None, after: None, ..within.clone() });
        assert_eq!(Round { list: 1, ..within.clone() }.again(), Round { list: 0, page: None, after: None, ..within });
        let last = round.clone().past(&[execution("a", 0, Some(0))], None);
        assert_eq!((last.list, last.page), (1, None));
        let redriven = EndedList::ALL.iter().position(|list| list.redriven).unwrap();
        let round = Round { list: redriven, ..round };
        let kept = round.past(&[execution("a", -lived - 2, Some(0))], Some("2".into()));
        assert_eq!(kept.page.as_deref(), Some("2"), "a redrive may come two weeks later");
        let redrivable = REDRIVABLE.num_hours();
        for (started, turns) in [(-lived - redrivable - 1, true), (-lived - redrivable - 2, false)] {
            let round = Round { list: redriven, ..Cursor::default().round(at(0)) };
            let past = round.past(&[execution("a", started, Some(0))], Some("2".into()));
            assert_eq!(past.page.is_some(), turns, "{started}");
        }
    }

    #[test]
    fn a_round_ends_after_the_last_list() {
        let mut round = Cursor::default().round(at(0));
        for _ in EndedList::ALL {
            assert!(round.list().is_some());
            round = round.past(&[], None);
        }
        assert_eq!(round.list(), None);
        assert!(round.again().list().is_some());
    }
}
