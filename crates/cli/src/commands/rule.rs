//! What the verbs on rules of every kind have in common.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    health::{self, Ailment},
    parameters,
    trigger::{field, state, what},
};
use crate::{
    arguments::{Format, OneRuleArguments, RuleListArguments},
    clients::{Account, DEFAULT_BUS, NewRule, Rule},
    error::CliError,
    exit::Exit,
    ui::{
        labelled,
        table::{self, Cell, Column},
        terminal::{Terminal, Tone},
    },
};

/// As wide as the longest label, and a gap.
const LABEL: usize = 12;
/// The name and the state, which are beside each other in every width.
const BESIDE: usize = 2;

/// A rule of one kind, and what it takes.
pub(super) trait OfKind: Sized {
    /// The command for rules of this kind.
    const VERB: &'static str;
    /// What they wait for, as in "rules on uploads".
    const ON: &'static str;
    /// Of a row: the name, the state, what the rule takes, the notebook and the instance.
    const COLUMNS: [Column; 5];

    /// The bus on which they are.
    fn bus(account: &Account) -> Result<String, CliError>;

    /// `None`: the rule is of another kind.
    fn of(rule: Rule) -> Option<Self>;

    fn rule(&self) -> &Rule;

    /// What it takes, behind its label.
    fn takes(&self) -> (&'static str, String);

    /// The same in a table.
    fn takes_in_table(&self) -> String {
        self.takes().1
    }

    fn as_json(&self) -> Value;

    /// The instance of the runs that it waits for, if it waits for any.
    fn after(&self) -> Option<&str> {
        None
    }

    /// What is wrong with it, if these instances do not exist.
    fn ailment(&self, missing: &BTreeSet<String>) -> Option<Ailment> {
        if !self.rule().starts_runs() {
            return Some(Ailment::NoTarget);
        }
        let gone = |name: &&str| missing.contains(*name);
        let next = self.rule().input["instance"].as_str().filter(gone);
        let next = next.map(|name| Ailment::NoInstance(name.to_owned()));
        next.or_else(|| self.after().filter(gone).map(|name| Ailment::NothingBefore(name.to_owned())))
    }
}

/// A rule for a program, and what is wrong with it.
pub(super) fn as_json<K: OfKind>(it: &K, ailment: Option<&Ailment>) -> Value {
    let mut all = it.as_json();
    all["problem"] = json!(ailment.map(|ailment| sentence(it, ailment)));
    all
}

fn sentence<K: OfKind>(it: &K, ailment: &Ailment) -> String {
    ailment.sentence(&it.rule().name, K::VERB, it.rule().ours)
}

/// What is wrong with each.
pub(super) async fn ailments<K: OfKind>(
    terminal: &Terminal,
    account: &Account,
    all: &[K],
) -> Result<Vec<Option<Ailment>>, CliError> {
    let of = |it: &K| {
        it.rule().input["instance"].as_str().map(str::to_owned).into_iter().chain(it.after().map(str::to_owned))
    };
    let names: Vec<String> = all.iter().flat_map(of).collect();
    let missing = health::missing(terminal, account, names.iter().map(String::as_str)).await?;
    Ok(all.iter().map(|it| it.ailment(&missing)).collect())
}

pub(super) fn fact(terminal: &Terminal, label: &str, value: &str) {
    for line in labelled::lines(terminal, LABEL, label, value) {
        terminal.line(&line);
    }
}

/// What a rule takes, and which parameters the notebook gets.
pub(super) fn tell<K: OfKind>(terminal: &Terminal, it: &K) {
    let (label, takes) = it.takes();
    fact(terminal, label, &takes);
    if let Some(names) = it.rule().input["parameters"].as_object().and_then(parameters::names) {
        fact(terminal, "parameters", &names);
    }
}

/// Those of the stack.
pub(super) async fn all<K: OfKind>(account: &Account) -> Result<Vec<K>, CliError> {
    Ok(account.rules(&K::bus(account)?).await?.into_iter().filter_map(K::of).collect())
}

/// Their names, each with what it takes.
pub(super) async fn names<K: OfKind>(account: &Account) -> Result<Vec<(String, String)>, CliError> {
    Ok(all::<K>(account).await?.iter().map(|it| (it.rule().name.clone(), it.takes_in_table())).collect())
}

/// The names of those that the command made: no stack removes them.
pub(super) async fn made_here<K: OfKind>(account: &Account) -> Result<Vec<String>, CliError> {
    Ok(all::<K>(account).await?.iter().filter(|it| it.rule().ours).map(|it| it.rule().name.clone()).collect())
}

/// One of the stack.
///
/// # Errors
/// It is not there, or of another kind.
pub(super) async fn named<K: OfKind>(account: &Account, name: &str) -> Result<K, CliError> {
    account.rule(name, &K::bus(account)?).await?.and_then(K::of).ok_or_else(|| {
        let (on, verb) = (K::ON, K::VERB);
        CliError::NotThere(format!("this stack has no rule {name} on {on}; to list them: reveille {verb} list"))
    })
}

/// That a name is free: PutRule would change a rule that has it. The answer is the rule of that name that lacks only being on, if there is
/// one: the same `add` was ended before it had turned it on, or somebody paused what it had made.
///
/// # Errors
/// It is taken.
pub(super) async fn is_free<K: OfKind>(account: &Account, new: &NewRule) -> Result<Option<Rule>, CliError> {
    let name = &new.name;
    let Some(rule) = account.taken_by(name, &new.bus).await? else { return Ok(None) };
    if account.lacks_only_being_on(&rule, new)? {
        return Ok(Some(rule));
    }
    // Whether `remove` would see it, and remove it.
    let removable = rule.ours && rule.starts_runs() && K::of(rule).is_some();
    let or =
        if removable { format!(", or remove it first: reveille {} remove {name}", K::VERB) } else { String::new() };
    Err(CliError::Usage(format!("a rule {name} already exists; give another --name{or}")))
}

/// Makes a rule, or turns on what there is of it. The answer is the rule as EventBridge has it.
pub(super) async fn make<K: OfKind>(
    terminal: &Terminal,
    account: &Account,
    new: &NewRule,
    left: Option<Rule>,
) -> Result<K, CliError> {
    match left {
        Some(rule) => {
            account.enable_rule(&rule, new.verb, true).await?;
            terminal.note(&format!("the rule {} was there already, just as asked, and off; it is on now", new.name));
        }
        None => account.add_rule(new).await?,
    }
    made(account, &new.name).await
}

/// One that was just made, as EventBridge has it.
async fn made<K: OfKind>(account: &Account, name: &str) -> Result<K, CliError> {
    named(account, name).await.map_err(|error| CliError::Afterwards {
        done: format!("the rule {name} was made"),
        error: Box::new(error),
        next: format!("reveille {} list {name}", K::VERB),
    })
}

pub(super) async fn list<K: OfKind>(terminal: &Terminal, arguments: &RuleListArguments) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let found: Vec<K> = match &arguments.name {
        Some(name) => vec![named(&account, name).await?],
        None => all(&account).await?,
    };
    let ailments = ailments(terminal, &account, &found).await?;
    if arguments.format.output == Format::Json {
        Terminal::result(&found.iter().zip(&ailments).map(|(it, ailment)| as_json(it, ailment.as_ref())).collect());
        return Ok(Exit::Done);
    }
    match (found.as_slice(), &arguments.name) {
        ([only], Some(_)) => {
            let rule = only.rule();
            if ailments == [Some(Ailment::NoTarget)] {
                terminal.lines(&format!("{} has no target", rule.name));
            } else {
                terminal.lines(&format!("{} is {}: {}", rule.name, state(rule.enabled).0, what(&rule.input)));
            }
            tell(terminal, only);
        }
        ([], _) => note_none::<K>(terminal),
        (found, _) => {
            let rows = found.iter().zip(&ailments).map(|(it, ailment)| row(it, ailment.as_ref())).collect::<Vec<_>>();
            let does = |it: &K| format!("{} -> {}", it.takes_in_table(), what(&it.rule().input));
            let below = found.iter().map(does).collect::<Vec<_>>();
            table::show_or_below(terminal, &K::COLUMNS, &rows, BESIDE, &below);
        }
    }
    for (it, ailment) in found.iter().zip(&ailments) {
        if let Some(ailment) = ailment {
            terminal.note(&sentence(it, ailment));
        }
    }
    Ok(Exit::Done)
}

pub(super) fn note_none<K: OfKind>(terminal: &Terminal) {
    terminal.note(&format!("this stack has no rules on {}; `reveille {} add` makes one", K::ON, K::VERB));
}

fn row<K: OfKind>(it: &K, ailment: Option<&Ailment>) -> Vec<Cell> {
    let rule = it.rule();
    let (state, tone) = health::state(rule.enabled, ailment);
    vec![
        (rule.name.clone(), Tone::Strong),
        (state.to_owned(), tone),
        (it.takes_in_table(), Tone::Plain),
        (field(&rule.input, "notebook").to_owned(), Tone::Plain),
        (field(&rule.input, "instance").to_owned(), Tone::Plain),
    ]
}

/// Pauses a rule or resumes it.
pub(super) async fn switch<K: OfKind>(
    terminal: &Terminal,
    arguments: &OneRuleArguments,
    on: bool,
) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let it: K = named(&account, &arguments.name).await?;
    let rule = it.rule();
    if on && !rule.starts_runs() {
        return Err(CliError::NotNow(sentence(&it, &Ailment::NoTarget)));
    }
    let (name, (word, _)) = (&rule.name, state(on));
    if rule.enabled == on {
        terminal.lines(&format!("{name} is already {word}"));
        return Ok(Exit::Done);
    }
    account.enable_rule(rule, K::VERB, on).await?;
    terminal.lines(&format!("{name} is {word}"));
    if on {
        terminal.note("events that arrived while it was paused start nothing");
    } else {
        let resume = terminal.command(&format!("reveille {} resume {name}", K::VERB));
        terminal.note(&format!("it starts no run until you resume it: {resume}"));
    }
    if !rule.ours {
        terminal.note("the rule was made by a stack, and that stack's next update may undo this");
    }
    Ok(Exit::Done)
}

/// Removes a rule that the command made.
pub(super) async fn remove<K: OfKind>(terminal: &Terminal, arguments: &OneRuleArguments) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let it: K = named(&account, &arguments.name).await?;
    let (rule, name, verb) = (it.rule(), &arguments.name, K::VERB);
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
    account.remove_rule(rule, verb).await?;
    terminal.lines(&format!("removed {name}: {}", what(&rule.input)));
    tell(terminal, &it);
    Ok(Exit::Done)
}
