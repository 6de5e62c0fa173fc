//! The commands that a sentence advises: where they are, and that ours are for where this one works, as the sentence's writer cannot
//! know.

use std::ops::Range;

use super::shell::{Place, places};

/// How every command of ours begins.
const OURS: &str = "reveille ";
/// How the others begin.
const OTHERS: [&str; 2] = ["aws ", "(cd "];
/// What is before a command that ends with what `ENDS` says; one in backticks ends with them.
const BEFORE: [&str; 3] = [": ", ", or ", "then "];
/// A usage follows it, not a command to copy.
const USAGE: &str = "Usage: ";
/// What ends a command that is in no backticks.
const ENDS: [&str; 6] = [", ", "; ", " (", ")", ". ", "\n"];

/// The sentence, its commands with these options as far as they lack them.
pub(crate) fn with_options(text: &str, options: &[String]) -> String {
    let mut told = String::with_capacity(text.len());
    let mut from = 0;
    for command in beginning_with(&[OURS], text).into_iter().filter(|_| !options.is_empty()) {
        told.push_str(&text[from..command.start]);
        told.push_str(&completed(&text[command.clone()], options));
        from = command.end;
    }
    told + &text[from..]
}

/// The command, with these options as far as it lacks them.
pub(crate) fn completed(command: &str, options: &[String]) -> String {
    let flag = |option: &String| option.split(' ').next().unwrap_or_default().to_owned();
    let lacks = |option: &&String| !command.split(' ').any(|word| word == flag(option));
    std::iter::once(command).chain(options.iter().filter(lacks).map(String::as_str)).collect::<Vec<_>>().join(" ")
}

/// Where the commands are that a person copies.
pub(crate) fn commands(text: &str) -> Vec<Range<usize>> {
    beginning_with(&[&[OURS], OTHERS.as_slice()].concat(), text)
}

fn beginning_with(programs: &[&str], text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for start in text.char_indices().map(|(at, _)| at) {
        let (before, rest) = text.split_at(start);
        let is_inside = found.last().is_some_and(|last| start < last.end);
        if is_inside || !programs.iter().any(|program| rest.starts_with(program)) {
            continue;
        }
        let length = if before.ends_with('`') {
            rest.find('`')
        } else {
            let begins = before.is_empty() || BEFORE.iter().any(|words| before.ends_with(words));
            (begins && !before.ends_with(USAGE)).then(|| length(rest))
        };
        found.extend(length.map(|length| start..start + length));
    }
    found
}

/// How long the command is with which a text begins. Punctuation in quotes, or in a command within it, does not end it: a key may have any
/// character.
fn length(text: &str) -> usize {
    let ends = |at: usize| {
        let ends = |end: &&str| text[at..].starts_with(*end) && !(**end == *". " && text[..at].ends_with('.'));
        ENDS.iter().any(ends)
    };
    let end = places(text).find(|(at, _, place)| *place == Place::Open && ends(*at));
    let whole = || text.strip_suffix('.').filter(|text| !text.ends_with('.')).unwrap_or(text).len();
    end.map_or_else(whole, |(at, ..)| at)
}

#[cfg(test)]
mod tests {
    use super::{completed, with_options};

    #[test]
    fn the_commands_of_a_sentence_work_where_this_one_does() {
        let lab = ["--stack lab".to_owned(), "--region eu-west-1".to_owned()];
        for (sentence, told) in [
            (
                "no run's id begins with x; to list runs: reveille runs",
                "no run's id begins with x; to list runs: reveille runs --stack lab --region eu-west-1",
            ),
            (
                "to list codes: reveille explain, to list runs: reveille runs (a file is named s3://b/k)",
                "to list codes: reveille explain --stack lab --region eu-west-1, to list runs: reveille runs --stack lab --region eu-west-1 (a file is named s3://b/k)",
            ),
            (
                "follow it with `reveille watch a-1`, or end it",
                "follow it with `reveille watch a-1 --stack lab --region eu-west-1`, or end it",
            ),
            (
                "wait: reveille deploy --follow --stack mine. Then go on",
                "wait: reveille deploy --follow --stack mine --region eu-west-1. Then go on",
            ),
            (
                r"try: reveille on-upload test 's3://b/a, it'\''s (2); x.csv'; or not",
                r"try: reveille on-upload test 's3://b/a, it'\''s (2); x.csv' --stack lab --region eu-west-1; or not",
            ),
            (
                "fix it, then reveille deploy --release ...",
                "fix it, then reveille deploy --release ... --stack lab --region eu-west-1",
            ),
            ("look: reveille show a-1.", "look: reveille show a-1 --stack lab --region eu-west-1."),
            ("(see docs, or: reveille explain x)", "(see docs, or: reveille explain x --stack lab --region eu-west-1)"),
            (
                "reveille undelivered (says why; then: reveille undelivered replay --all)",
                "reveille undelivered --stack lab --region eu-west-1 (says why; then: reveille undelivered replay --all --stack lab --region eu-west-1)",
            ),
            // No advice, and no command.
            ("the stack is not one that reveille attach made", "the stack is not one that reveille attach made"),
            ("reveille: there are no runs; see `aws s3 ls`", "reveille: there are no runs; see `aws s3 ls`"),
            ("Usage: reveille show <RUN>", "Usage: reveille show <RUN>"),
            ("an `reveille without an end", "an `reveille without an end"),
        ] {
            assert_eq!(with_options(sentence, &lab), told);
            assert_eq!(with_options(&with_options(sentence, &lab), &lab), told, "once");
            assert_eq!(with_options(sentence, &[]), sentence);
        }
        assert_eq!(completed("reveille runs --region x", &lab), "reveille runs --region x --stack lab");
    }
}
