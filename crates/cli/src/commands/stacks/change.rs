//! How the change of a stack is shown: what is lost first.

use serde_json::{Value, json};

use super::parameters::Setting;
use crate::{
    clients::{Change, Effect},
    ui::{
        labelled,
        table::{self, Cell, Column},
        terminal::{Terminal, Tone},
    },
};

const COLUMNS: [Column; 3] = [
    Column { title: "CHANGE", rank: 0, least: 8 },
    Column { title: "TYPE", rank: 0, least: 14 },
    Column { title: "RESOURCES", rank: 0, least: 34 },
];

const fn word(effect: Effect) -> (&'static str, Tone) {
    match effect {
        Effect::Replaced => ("REPLACE", Tone::Bad),
        Effect::PerhapsReplaced => ("REPLACE?", Tone::Bad),
        Effect::Removed => ("remove", Tone::Bad),
        Effect::Kept => ("keep", Tone::Good),
        Effect::Changed => ("change", Tone::Moving),
        Effect::Added => ("add", Tone::Good),
        Effect::Other => ("see", Tone::Plain),
    }
}

/// Shows what changes: the resources of a type in one row.
pub(in crate::commands) fn show(terminal: &Terminal, changes: &[Change]) {
    table::show_sentences(terminal, &COLUMNS, &rows(changes));
    for sentence in warnings(changes) {
        terminal.line("");
        terminal.marked(Tone::Bad, "!", &sentence);
    }
}

fn rows(changes: &[Change]) -> Vec<Vec<Cell>> {
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    // They are in the order of their effect and type.
    for same in changes.chunk_by(|one, other| (one.effect, &one.kind) == (other.effect, &other.kind)) {
        let (word, tone) = word(same[0].effect);
        let kind = same[0].kind.strip_prefix("AWS::").unwrap_or(&same[0].kind);
        let resources: Vec<String> = same.iter().map(shown).collect();
        rows.push(vec![(word.to_owned(), tone), (kind.to_owned(), Tone::Plain), (resources.join(", "), Tone::Plain)]);
    }
    rows
}

/// A resource, and of one that goes on the properties that change.
fn shown(change: &Change) -> String {
    let goes_on = matches!(change.effect, Effect::Changed | Effect::Replaced | Effect::PerhapsReplaced);
    if !goes_on || change.properties.is_empty() {
        return change.resource.clone();
    }
    format!("{} ({})", change.resource, change.properties.join(", "))
}

/// What a person should not overlook.
fn warnings(changes: &[Change]) -> Vec<String> {
    let of = |effect| {
        let found = changes.iter().filter(move |change| change.effect == effect);
        found.map(|change| change.resource.as_str()).collect::<Vec<_>>().join(", ")
    };
    let (replaced, perhaps) = (of(Effect::Replaced), of(Effect::PerhapsReplaced));
    let mut sentences = Vec::new();
    if !replaced.is_empty() {
        sentences.push(format!(
            "Will be REPLACED by new ones, and the old ones are deleted with what is in them: {replaced}"
        ));
    }
    if !perhaps.is_empty() {
        sentences.push(format!("May be replaced; CloudFormation decides that only when it reaches them: {perhaps}"));
    }
    sentences
}

/// The parameters that change, a line or more for each.
pub(in crate::commands) fn settings_lines(terminal: &Terminal, changed: &[Setting]) -> Vec<String> {
    let width = changed.iter().map(|setting| setting.name.len()).max().unwrap_or_default() + 2;
    let value = |setting: &Setting| match &setting.before {
        // What changes further below is not hidden.
        Some(before) if quoted(before) == quoted(&setting.after) => format!("{before} -> {}", setting.after),
        Some(before) => format!("{} -> {}", quoted(before), quoted(&setting.after)),
        None => quoted(&setting.after),
    };
    changed.iter().flat_map(|setting| labelled::lines(terminal, width, &setting.name, &value(setting))).collect()
}

/// A script is told by its first line: its lines in one are no script.
fn quoted(value: &str) -> String {
    let count = value.lines().count();
    match value.lines().next() {
        None => "(empty)".to_owned(),
        Some(first) if count > 1 => format!("{first} … ({count} lines)"),
        Some(_) => value.to_owned(),
    }
}

/// The same for programs.
pub(in crate::commands) fn as_json(changes: &[Change], settings: &[Setting]) -> (Value, Value) {
    let effect = |effect| match effect {
        Effect::Replaced => "replace",
        Effect::PerhapsReplaced => "perhapsReplace",
        Effect::Removed => "remove",
        Effect::Kept => "keep",
        Effect::Changed => "change",
        Effect::Added => "add",
        Effect::Other => "other",
    };
    let changes = changes.iter().map(|change| {
        json!({"change": effect(change.effect), "resource": change.resource, "type": change.kind, "properties": change.properties})
    });
    let settings = settings.iter().map(|it| json!({"name": it.name, "before": it.before, "after": it.after}));
    (changes.collect(), settings.collect())
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::{COLUMNS, rows, settings_lines, warnings};
    use crate::{
        clients::{Change, Effect},
        commands::stacks::parameters::Setting,
        ui::{table, terminal::Terminal},
    };

    fn change(effect: Effect, resource: &str, kind: &str, properties: &[&str]) -> Change {
        let properties = properties.iter().map(|it| (*it).to_owned()).collect();
        Change { effect, resource: resource.to_owned(), kind: kind.to_owned(), properties }
    }

    fn changes() -> Vec<Change> {
        vec![
            change(Effect::Replaced, "UndeliveredEvents", "AWS::SQS::Queue", &["QueueName"]),
            change(Effect::PerhapsReplaced, "ScheduleRule", "AWS::Events::Rule", &[]),
            change(Effect::Changed, "AdmitRunFunction", "AWS::Lambda::Function", &["Code", "Environment"]),
            change(Effect::Changed, "SweepFunction", "AWS::Lambda::Function", &["Code"]),
            change(Effect::Added, "NotifyRule", "AWS::Events::Rule", &["Name"]),
        ]
    }

    #[test]
    fn what_is_lost_comes_first_and_is_named_again() {
        let told: Vec<Vec<String>> =
            rows(&changes()).into_iter().map(|row| row.into_iter().map(|(text, _)| text).collect()).collect();
        assert_eq!(
            told,
            [
                ["REPLACE", "SQS::Queue", "UndeliveredEvents (QueueName)"],
                ["REPLACE?", "Events::Rule", "ScheduleRule"],
                ["change", "Lambda::Function", "AdmitRunFunction (Code, Environment), SweepFunction (Code)"],
                ["add", "Events::Rule", "NotifyRule"],
            ]
        );
        let warnings = warnings(&changes());
        assert!(warnings[0].contains("REPLACED") && warnings[0].ends_with(": UndeliveredEvents"), "{warnings:?}");
        assert!(warnings[1].ends_with(": ScheduleRule"), "{warnings:?}");
        assert!(super::warnings(&changes()[2..]).is_empty());
    }

    #[test]
    fn a_script_is_told_by_its_first_line_unless_the_change_is_below() {
        let terminal = Terminal::plain(200);
        let told = |before: Option<&str>, after: &str| {
            let (name, before, after) = ("OnStart".to_owned(), before.map(str::to_owned), after.to_owned());
            settings_lines(&terminal, &[Setting { name, before, after }]).concat()
        };
        assert_eq!(told(None, "set -e\npip install a"), "  OnStart  set -e … (2 lines)");
        assert_eq!(told(Some("pip list"), "set -e\npip list"), "  OnStart  pip list -> set -e … (2 lines)");
        assert!(told(Some("set -e\npip install a"), "set -e\npip install b").ends_with("pip install b"));
    }

    #[test]
    fn the_table_and_the_parameters_fit() {
        for width in [60, 80, 200] {
            let terminal = Terminal::plain(width);
            let lines = table::lines(&terminal, &COLUMNS, &rows(&changes()));
            assert!(lines.iter().all(|line| line.width() <= width), "{width}: {lines:#?}");
            let settings =
                [Setting { name: "InstanceNames".into(), before: Some(String::new()), after: "x".repeat(90) }];
            let lines = settings_lines(&terminal, &settings);
            assert!(lines.iter().all(|line| line.width() <= width), "{width}: {lines:#?}");
            assert!(lines[0].starts_with("  InstanceNames  (empty) ->"), "{lines:#?}");
        }
    }
}
