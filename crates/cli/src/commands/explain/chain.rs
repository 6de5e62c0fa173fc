//! A chain of facts: what happened when, and what says so.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use crate::ui::{
    json::time,
    terminal::{Terminal, Tone},
    times,
};

/// What says a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The event in the execution's input.
    Event,
    /// The execution itself, or its history.
    Execution,
    /// A record of the run, by its name.
    Record(&'static str),
    Rule,
    Queue,
    Bucket,
    /// What was reckoned from others.
    Others,
}

impl Source {
    const fn name(self) -> &'static str {
        match self {
            Self::Event => "the event",
            Self::Execution => "the execution",
            Self::Record(name) => name,
            Self::Rule => "the rule",
            Self::Queue => "the queue of undelivered events",
            Self::Bucket => "the bucket",
            Self::Others => "the other runs",
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fact {
    /// `None`: it has no time of its own.
    pub(super) at: Option<DateTime<Utc>>,
    /// A sentence without its full stop.
    pub(super) what: String,
    pub(super) source: Source,
}

impl Fact {
    pub(super) fn at(at: DateTime<Utc>, what: impl Into<String>, source: Source) -> Self {
        Self { at: Some(at), what: what.into(), source }
    }

    /// One that is so now.
    pub(super) fn now(what: impl Into<String>, source: Source) -> Self {
        Self { at: None, what: what.into(), source }
    }
}

/// By their times, those without one last. Facts of one moment stay in the order in which they were told.
pub(super) fn sorted(mut facts: Vec<Fact>) -> Vec<Fact> {
    facts.sort_by_key(|fact| (fact.at.is_none(), fact.at));
    facts
}

/// The lines of a chain: the time, the sentence, and what says so. The sentence is below its time where there is no room for an id beside it.
pub(super) fn lines(terminal: &Terminal, facts: &[Fact]) -> Vec<String> {
    let width = facts.iter().filter_map(|fact| fact.at).map(|at| times::clock(at).len()).max().unwrap_or_default();
    let room = terminal.width().saturating_sub(2 + width + 2);
    let is_below = facts.iter().any(|fact| widest_id(&fact.what) > room);
    let line = |fact: &Fact| {
        let at = fact.at.map_or_else(|| "now".to_owned(), times::clock);
        let told = format!("{} ({})", fact.what, fact.source.name());
        if is_below {
            let time = format!("  {}", terminal.paint(Tone::Quiet, &at));
            return std::iter::once(time).chain(terminal.marked_lines(Tone::Plain, "   ", &told)).collect();
        }
        terminal.marked_lines(Tone::Quiet, &format!("  {at:<width$} "), &told)
    };
    facts.iter().flat_map(line).collect()
}

/// Of the words that have no joint at which they could be broken.
fn widest_id(sentence: &str) -> usize {
    let ids = sentence.split_whitespace().filter(|word| !word.contains(['/', ':']));
    ids.map(UnicodeWidthStr::width).max().unwrap_or_default()
}

pub(super) fn as_json(fact: &Fact) -> Value {
    json!({"at": fact.at.map(time), "what": fact.what, "source": fact.source.name()})
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};
    use unicode_width::UnicodeWidthStr;

    use super::{Fact, Source, lines, sorted};
    use crate::ui::terminal::Terminal;

    #[test]
    fn facts_stand_in_the_order_of_their_times_and_fit() {
        let now = Utc::now();
        let facts = sorted(vec![
            Fact::now("it is stopping", Source::Execution),
            Fact::at(
                now,
                "the notebook ended, and this sentence is so long that it does not fit on one line of any terminal",
                Source::Record("report.json"),
            ),
            Fact::at(now - TimeDelta::minutes(1), "it was admitted", Source::Record("request.json")),
        ]);
        let sources: Vec<Source> = facts.iter().map(|fact| fact.source).collect();
        assert_eq!(sources, [Source::Record("request.json"), Source::Record("report.json"), Source::Execution]);
        for width in [60, 80, 200] {
            let lines = lines(&Terminal::plain(width), &facts);
            assert!(lines.iter().all(|line| line.width() <= width), "{lines:#?}");
            assert!(lines[0].contains("it was admitted (request.json)"), "{lines:#?}");
        }
        let id = "orders-europe-east-2d9c77e1-3dbc6ad87e";
        let of_id = [Fact::at(now, format!("the run {id} started"), Source::Execution)];
        let shown = |width| lines(&Terminal::plain(width), &of_id);
        assert_eq!(shown(60)[1], format!("    the run {id} started"));
        assert!(shown(80)[0].contains(&format!("  the run {id} started")), "{:#?}", shown(80));
    }
}
