//! Transitions: targets that do not exist, states that nothing leads to or out of, paths that avoid a state.

use std::collections::{BTreeMap, BTreeSet};

use super::errors::catches_everything;
use super::model::{Machine, Scope, State};
use super::{Findings, LintOptions, MustPass, Rule};

pub(super) fn check(machine: &Machine, options: &LintOptions, findings: &mut Findings) {
    for scope in &machine.scopes {
        targets(scope, findings);
        unreachable(scope, findings);
        endless(scope, findings);
        choices_without_default(scope, findings);
    }
    if let Some(top) = machine.top() {
        for rule in options.must_pass {
            must_pass(top, rule, findings);
        }
    }
}

fn targets(scope: &Scope, findings: &mut Findings) {
    let parent = scope.parent.map_or("", |(_, state)| state);
    match scope.start {
        Some(start) if scope.states.contains_key(start) => {}
        Some(start) => findings.add(
            parent,
            Rule::Target,
            format!("\"StartAt\" of {} names \"{start}\", which is not a state there: name one", scope.name),
        ),
        None => findings.add(
            parent,
            Rule::Target,
            format!("{} has no \"StartAt\": name the state to begin with", scope.name),
        ),
    }
    for state in scope.states.values() {
        for transition in &state.transitions {
            if !scope.states.contains_key(transition.to) {
                findings.add(
                    state.name,
                    Rule::Target,
                    format!(
                        "\"{}\" names \"{}\", which is not a state of {}: name one",
                        transition.via.field(),
                        transition.to,
                        scope.name
                    ),
                );
            }
        }
    }
}

fn unreachable(scope: &Scope, findings: &mut Findings) {
    let reached = reach(scope, scope.start.into_iter(), |_| true);
    for name in scope.states.keys().filter(|name| !reached.contains_key(*name)) {
        findings.add(
            name,
            Rule::Unreachable,
            format!("no path from \"StartAt\" of {} leads here: lead one here or take the state out", scope.name),
        );
    }
}

fn endless(scope: &Scope, findings: &mut Findings) {
    for state in scope.states.values() {
        let reached = reach(scope, std::iter::once(state.name), |_| true);
        if !reached.keys().any(|name| scope.states[name].may_end()) {
            findings.add(
                state.name,
                Rule::NoEnd,
                "no path leads from here to an end: lead one to a state with \"End\", a Succeed or a Fail".to_owned(),
            );
        }
    }
}

fn choices_without_default(scope: &Scope, findings: &mut Findings) {
    for state in scope.states.values() {
        if state.kind == "Choice" && !state.body.contains_key("Default") {
            findings.add(
                state.name,
                Rule::ChoiceDefault,
                "without \"Default\" the execution ends in States.NoChoiceMatched when no rule matches: add one"
                    .to_owned(),
            );
        }
    }
}

/// Whether the execution may end in this state: on purpose, or by an error that nothing catches.
fn may_end(state: &State) -> bool {
    let can_fail = matches!(state.kind, "Task" | "Parallel");
    state.may_end() || (can_fail && !catches_everything(state))
}

fn must_pass(scope: &Scope, rule: &MustPass, findings: &mut Findings) {
    for name in [rule.from, rule.through] {
        if !scope.states.contains_key(name) {
            findings.add(
                name,
                Rule::MustPass,
                format!(
                    "the rule names \"{name}\", which is not a state of the machine: correct the rule or the machine"
                ),
            );
            return;
        }
    }
    let reached = reach(scope, std::iter::once(rule.from), |name| name != rule.through);
    for end in reached.keys().filter(|name| **name != rule.through && may_end(&scope.states[*name])) {
        findings.add(
            end,
            Rule::MustPass,
            format!(
                "the execution may end here after \"{}\" without passing \"{}\" ({}): lead this path through it",
                rule.from,
                rule.through,
                path(&reached, end)
            ),
        );
    }
}

/// The states that can be reached from `starts`, going on only from those that `through` lets pass; each with the
/// state it was first reached from.
fn reach<'a>(
    scope: &Scope<'a>,
    starts: impl Iterator<Item = &'a str>,
    through: impl Fn(&str) -> bool,
) -> BTreeMap<&'a str, Option<&'a str>> {
    let mut reached = BTreeMap::new();
    let mut open: Vec<(&str, Option<&str>)> = starts.map(|start| (start, None)).collect();
    while let Some((name, from)) = open.pop() {
        let Some(state) = scope.states.get(name) else {
            continue;
        };
        if reached.contains_key(name) {
            continue;
        }
        reached.insert(state.name, from);
        if through(name) {
            let next = state.transitions.iter().map(|way| (way.to, Some(state.name)));
            open.extend(next);
        }
    }
    reached
}

/// One path to `end`, for a message.
fn path(reached: &BTreeMap<&str, Option<&str>>, end: &str) -> String {
    let mut names = vec![end];
    let mut seen = BTreeSet::from([end]);
    while let Some(Some(before)) = names.last().and_then(|name| reached.get(name)) {
        if !seen.insert(before) {
            break;
        }
        names.push(before);
    }
    names.reverse();
    names.join(" -> ")
}
