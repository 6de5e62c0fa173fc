//! `reveille on-run`: runs when other runs have succeeded.

use serde_json::{Map, Value, json};

use super::{
    rule,
    run::{asked, check as check_input},
    trigger::{check, complete, usual_name},
};
use crate::{
    arguments::{Format, OnRunAddArguments, OnRunArguments, OnRunVerb, OneRuleArguments, RuleListArguments},
    clients::{Account, NewRule, Rule},
    error::CliError,
    exit::Exit,
    triggers::{self, Chain, Step},
    ui::{
        table::{self, Cell, Column},
        terminal::{Terminal, Tone},
    },
};

const VERB: &str = "on-run";

const COLUMNS: [Column; 5] = [
    Column { title: "NAME", rank: 0, least: 12 },
    Column { title: "STATE", rank: 1, least: 6 },
    Column { title: "AFTER", rank: 0, least: 20 },
    Column { title: "NOTEBOOK", rank: 0, least: 12 },
    Column { title: "INSTANCE", rank: 2, least: 8 },
];

const HAS: &str = "the runs of this trigger have `time`, `date`, `run` and `instance`";

pub(crate) async fn run(terminal: &Terminal, arguments: &OnRunArguments) -> Result<Exit, CliError> {
    match &arguments.verb {
        OnRunVerb::Add(options) => add(terminal, options).await,
        OnRunVerb::List(options) => list(terminal, options).await,
        OnRunVerb::Pause(options) => switch(terminal, options, false).await,
        OnRunVerb::Resume(options) => switch(terminal, options, true).await,
        OnRunVerb::Remove(options) => remove(terminal, options).await,
    }
}

/// A rule on runs.
struct Link {
    rule: Rule,
    chain: Chain,
}

impl Link {
    fn of(rule: Rule) -> Option<Self> {
        let chain = Chain::read(&rule.pattern, &rule.input)?;
        Some(Self { rule, chain })
    }
}

fn is_of_kind(rule: &Rule) -> bool {
    rule.starts_runs() && Chain::read(&rule.pattern, &rule.input).is_some()
}

/// Where the stack publishes how its runs ended.
fn bus(account: &Account) -> Result<String, CliError> {
    account.output("EventBus")
}

async fn all(account: &Account) -> Result<Vec<Link>, CliError> {
    Ok(account.rules(&bus(account)?).await?.into_iter().filter_map(Link::of).collect())
}

async fn named(account: &Account, name: &str) -> Result<Link, CliError> {
    account.rule(name, &bus(account)?).await?.and_then(Link::of).ok_or_else(|| {
        CliError::NotThere(format!("this stack has no rule {name} on runs; to list them: reveille on-run list"))
    })
}

async fn add(terminal: &Terminal, arguments: &OnRunAddArguments) -> Result<Exit, CliError> {
    let (chain, template) = read(arguments)?;
    let account = Account::of(&arguments.stack).await?;
    // Each run would fail, or none would ever start, and nobody would see it.
    account.named(&chain.next.instance).await?;
    account.named(&chain.after.instance).await?;
    let bus = bus(&account)?;
    let name = arguments.name.clone().unwrap_or_else(|| usual_name(&arguments.stack.stack, &chain.next.notebook));
    rule::is_free(&account, &name, &bus, VERB, is_of_kind).await?;
    let others: Vec<Chain> = all(&account).await?.into_iter().map(|link| link.chain).collect();
    if let Some(way) = chain.cycle(&others) {
        return Err(CliError::Usage(endless(&chain, &way)));
    }
    let description = "Starts a run when another one has succeeded.";
    let pattern = chain.pattern();
    account.add_rule(&NewRule { verb: VERB, name: name.clone(), description, pattern, template, bus }).await?;
    let link = named(&account, &name).await.map_err(|error| rule::made(&name, VERB, error))?;
    if arguments.format.output == Format::Json {
        Terminal::result(&as_json(&link));
        return Ok(Exit::Done);
    }
    terminal.lines(&format!("{name}: {}", rule::what(&link.rule)));
    tell(terminal, &link);
    terminal.line("");
    terminal.line(&format!("{} reveille on-run list", terminal.paint(Tone::Quiet, "Next:")));
    Ok(Exit::Done)
}

/// The chain and the input template, as far as they can be checked without AWS.
fn read(arguments: &OnRunAddArguments) -> Result<(Chain, String), CliError> {
    let next = Step { notebook: arguments.asked.notebook.clone(), instance: arguments.asked.instance.clone() };
    let instance = arguments.after_on.as_ref().map_or_else(|| next.instance.clone(), ToString::to_string);
    let after = Step { notebook: arguments.after.clone(), instance };
    let before = json!({"instance": after.instance, "notebook": after.notebook, "parameters": Map::new()});
    check_input(&before.to_string()).map_err(|problem| CliError::Usage(format!("--after: {problem}")))?;
    let mut input = asked(&arguments.asked)?;
    complete(&mut input);
    check(&input, &triggers::sample_of_run(&after), HAS)?;
    let template = triggers::template(&input).map_err(CliError::Usage)?;
    Ok((Chain { after, next }, template))
}

fn endless(chain: &Chain, way: &[Step]) -> String {
    let steps: Vec<String> = way.iter().chain([&chain.next]).map(Step::shown).collect();
    format!(
        "these would start each other for ever: {}; no rule was made. To break the circle, let another notebook start it, or remove one of the rules: reveille on-run list",
        steps.join(" -> ")
    )
}

async fn list(terminal: &Terminal, arguments: &RuleListArguments) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let links = match &arguments.name {
        Some(name) => vec![named(&account, name).await?],
        None => all(&account).await?,
    };
    if arguments.format.output == Format::Json {
        Terminal::result(&links.iter().map(as_json).collect());
        return Ok(Exit::Done);
    }
    match (links.as_slice(), &arguments.name) {
        ([link], Some(_)) => {
            let what = rule::what(&link.rule);
            terminal.lines(&format!("{} is {}: {what}", link.rule.name, rule::state(&link.rule).0));
            tell(terminal, link);
        }
        ([], _) => terminal.note("this stack has no rules on runs; `reveille on-run add` makes one"),
        (links, _) => {
            let rows = links.iter().map(row).collect::<Vec<_>>();
            table::show(terminal, &table::whole(terminal, COLUMNS, "NAME", &rows), &rows);
        }
    }
    Ok(Exit::Done)
}

fn tell(terminal: &Terminal, link: &Link) {
    rule::fact(terminal, "after", &link.chain.after.shown());
    rule::tell_parameters(terminal, &link.rule);
}

async fn switch(terminal: &Terminal, arguments: &OneRuleArguments, on: bool) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let link = named(&account, &arguments.name).await?;
    rule::switch(terminal, &account, &link.rule, VERB, on).await
}

async fn remove(terminal: &Terminal, arguments: &OneRuleArguments) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let link = named(&account, &arguments.name).await?;
    rule::remove(&account, &link.rule, VERB).await?;
    terminal.lines(&format!("removed {}: {}", arguments.name, rule::what(&link.rule)));
    tell(terminal, &link);
    Ok(Exit::Done)
}

fn row(link: &Link) -> Vec<Cell> {
    let (state, tone) = rule::state(&link.rule);
    vec![
        (link.rule.name.clone(), Tone::Strong),
        (state.to_owned(), tone),
        (link.chain.after.shown(), Tone::Plain),
        (link.chain.next.notebook.clone(), Tone::Plain),
        (link.chain.next.instance.clone(), Tone::Plain),
    ]
}

fn as_json(link: &Link) -> Value {
    json!({
        "name": link.rule.name,
        "enabled": link.rule.enabled,
        "madeByCommand": link.rule.ours,
        "notebook": link.rule.input["notebook"],
        "instance": link.rule.input["instance"],
        "afterNotebook": link.chain.after.notebook,
        "afterInstance": link.chain.after.instance,
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use reveille_contract_tests::{intrinsics::ParametrisedStack, template};
    use serde_json::Value;

    use super::{OnRunVerb, endless, read};
    use crate::{
        arguments::{Arguments, Command},
        error::CliError,
        triggers::{Chain, EVENT},
    };

    fn asked(words: &[&str]) -> Result<(Chain, String), CliError> {
        let start = ["reveille", "on-run", "add", "summary.ipynb", "--on", "nightly"];
        let Command::OnRun(arguments) = Arguments::parse_from(start.iter().chain(words)).command else {
            panic!("not on-run")
        };
        let OnRunVerb::Add(arguments) = arguments.verb else { panic!("not add") };
        read(&arguments)
    }

    /// A rule of the command and one of the small stack start the same run.
    #[test]
    fn the_input_is_that_of_the_template() {
        let template = template("infra/trigger-run.yaml");
        let given = [
            ("AfterInstance", "nightly"),
            ("AfterNotebook", "orders.ipynb"),
            ("Instance", "nightly"),
            ("Notebook", "summary.ipynb"),
            ("Parameters", r#"{"day": "{{ date }}"}"#),
        ];
        let stack = ParametrisedStack::new(&template, &given);
        let target = &template["Resources"]["RunSucceededRule"]["Properties"]["Targets"][0];
        let event = r#"{"id": "e"}"#;
        let of_template: Value = serde_json::from_str(&stack.input(target, event)).unwrap();
        let (chain, ours) = asked(&["--after", "orders.ipynb", "-pday={{ date }}"]).unwrap();
        assert_eq!(chain.after.instance, "nightly", "the same, if no other is given");
        assert_eq!(serde_json::from_str::<Value>(&ours.replace(EVENT, event)).unwrap(), of_template);
        assert!(
            endless(&chain, &[chain.next.clone(), chain.after.clone()])
                .contains("summary.ipynb on nightly -> orders.ipynb on nightly -> summary.ipynb on nightly")
        );
    }

    #[test]
    fn what_every_run_would_fail_with_is_refused_at_once() {
        for (words, said) in [
            (&["--after", "orders.txt"][..], "--after: "),
            (&["--after", "a.ipynb", "-pa={{ key }}"], "{{ key }} has no value"),
            (&["--after", "a.ipynb", "-pa=<x>"], "`<` cannot be in"),
        ] {
            let problem = asked(words).unwrap_err();
            assert_eq!(problem.exit_code(), 2);
            assert!(problem.to_string().contains(said), "{problem}");
        }
    }
}
