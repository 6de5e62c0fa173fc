//! What the verbs on rules of every kind have in common.

use crate::{
    clients::{Account, DEFAULT_BUS, Rule},
    error::CliError,
    exit::Exit,
    ui::{
        labelled,
        terminal::{Terminal, Tone},
    },
};

/// As wide as the longest label, and a gap.
const LABEL: usize = 12;

pub(super) fn fact(terminal: &Terminal, label: &str, value: &str) {
    for line in labelled::lines(terminal, LABEL, label, value) {
        terminal.line(&line);
    }
}

pub(super) fn field<'a>(rule: &'a Rule, name: &str) -> &'a str {
    rule.input[name].as_str().unwrap_or("(none)")
}

/// What a rule starts.
pub(super) fn what(rule: &Rule) -> String {
    format!("{} on {}", field(rule, "notebook"), field(rule, "instance"))
}

pub(super) const fn state(rule: &Rule) -> (&'static str, Tone) {
    if rule.enabled { ("on", Tone::Good) } else { ("paused", Tone::Quiet) }
}

/// Which parameters the notebook gets: their values may be what only the notebook should see.
pub(super) fn tell_parameters(terminal: &Terminal, rule: &Rule) {
    let parameters = rule.input["parameters"].as_object();
    let names = parameters.map(|all| all.keys().map(String::as_str).collect::<Vec<_>>().join(", "));
    if let Some(names) = names.filter(|names| !names.is_empty()) {
        fact(terminal, "parameters", &names);
    }
}

/// That a name is free: PutRule would change a rule that has it. `is_of_kind` says whether the verb's `remove` would see such a rule.
///
/// # Errors
/// It is taken.
pub(super) async fn is_free(
    account: &Account,
    name: &str,
    bus: &str,
    verb: &str,
    is_of_kind: fn(&Rule) -> bool,
) -> Result<(), CliError> {
    match account.taken_by(name, bus).await? {
        None => Ok(()),
        Some(rule) => Err(CliError::Usage(taken(name, verb, rule.ours && is_of_kind(&rule)))),
    }
}

fn taken(name: &str, verb: &str, removable: bool) -> String {
    let or = if removable { format!(", or remove it first: reveille {verb} remove {name}") } else { String::new() };
    format!("a rule {name} already exists; give another --name{or}")
}

/// What a command did before it failed.
pub(super) fn made(name: &str, verb: &str, error: CliError) -> CliError {
    CliError::Afterwards {
        done: format!("the rule {name} was made"),
        error: Box::new(error),
        next: format!("reveille {verb} list {name}"),
    }
}

/// Pauses a rule or resumes it.
pub(super) async fn switch(
    terminal: &Terminal,
    account: &Account,
    rule: &Rule,
    verb: &str,
    on: bool,
) -> Result<Exit, CliError> {
    let (name, word) = (&rule.name, if on { "on" } else { "paused" });
    if rule.enabled == on {
        terminal.line(&format!("{name} is already {word}"));
        return Ok(Exit::Done);
    }
    account.enable_rule(rule, verb, on).await?;
    terminal.line(&format!("{name} is {word}"));
    if on {
        terminal.note("what happened while it was paused starts nothing");
    } else {
        terminal.note(&format!("it starts no run until you resume it: reveille {verb} resume {name}"));
    }
    if !rule.ours {
        terminal.note("the rule was made by a stack, and that stack's next update may undo this");
    }
    Ok(Exit::Done)
}

/// Removes a rule that the command made.
pub(super) async fn remove(account: &Account, rule: &Rule, verb: &str) -> Result<(), CliError> {
    let name = &rule.name;
    if !rule.ours {
        return Err(CliError::NotNow(format!(
            "{name} was not made with `reveille {verb} add`; remove it with what made it (for a stack: aws cloudformation delete-stack), or pause it: reveille {verb} pause {name}"
        )));
    }
    if let Some(other) = rule.other_target() {
        let bus = if rule.bus == DEFAULT_BUS { String::new() } else { format!(" --event-bus-name {}", rule.bus) };
        return Err(CliError::NotNow(format!(
            "somebody gave {name} another target, {other}, which would be lost; remove that first: aws events remove-targets --rule {name}{bus} --ids {other}"
        )));
    }
    account.remove_rule(rule, verb).await
}
