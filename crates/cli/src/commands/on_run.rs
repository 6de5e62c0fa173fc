//! `reveille on-run`: runs when other runs have succeeded.

use serde_json::{Map, Value, json};

use super::{
    rule::{self, OfKind},
    run::{asked, check as check_input, of_flag},
    trigger::{check, complete, usual_name, what},
};
use crate::{
    arguments::{Format, OnRunAddArguments, OnRunArguments, OnRunVerb},
    clients::{Account, NewRule, Rule},
    error::CliError,
    exit::Exit,
    triggers::{self, Chain, Step},
    ui::{table::Column, terminal::Terminal},
};

const HAS: &str = "the runs of this trigger have `time`, `date`, `run` and `instance`";

pub(crate) async fn run(terminal: &Terminal, arguments: &OnRunArguments) -> Result<Exit, CliError> {
    match &arguments.verb {
        OnRunVerb::Add(options) => add(terminal, options).await,
        OnRunVerb::List(options) => rule::list::<Link>(terminal, options).await,
        OnRunVerb::Pause(options) => rule::switch::<Link>(terminal, options, false).await,
        OnRunVerb::Resume(options) => rule::switch::<Link>(terminal, options, true).await,
        OnRunVerb::Remove(options) => rule::remove::<Link>(terminal, options).await,
    }
}

/// Those that exist, for a shell that completes.
pub(crate) async fn names(account: &Account) -> Result<Vec<(String, String)>, CliError> {
    rule::names::<Link>(account).await
}

/// Those that the command made.
pub(super) async fn made_here(account: &Account) -> Result<Vec<String>, CliError> {
    rule::made_here::<Link>(account).await
}

/// A rule on runs.
struct Link {
    rule: Rule,
    chain: Chain,
}

impl OfKind for Link {
    const VERB: &'static str = "on-run";
    const ON: &'static str = "runs";
    const COLUMNS: [Column; 5] = [
        Column { title: "NAME", rank: 0, least: 12 },
        Column { title: "STATE", rank: 0, least: 7 },
        Column { title: "AFTER", rank: 0, least: 20 },
        Column { title: "NOTEBOOK", rank: 1, least: 12 },
        Column { title: "INSTANCE", rank: 2, least: 8 },
    ];

    /// Where the stack publishes how its runs ended.
    fn bus(account: &Account) -> Result<String, CliError> {
        account.output("EventBus")
    }

    fn of(rule: Rule) -> Option<Self> {
        let chain = Chain::read(&rule.pattern, &rule.input)?;
        Some(Self { rule, chain })
    }

    fn rule(&self) -> &Rule {
        &self.rule
    }

    fn takes(&self) -> (&'static str, String) {
        ("after", self.chain.after.shown())
    }

    fn after(&self) -> Option<&str> {
        self.chain.after.instance()
    }

    fn as_json(&self) -> Value {
        json!({
            "name": self.rule.name,
            "enabled": self.rule.enabled,
            "madeByCommand": self.rule.ours,
            "notebook": self.rule.input["notebook"],
            "instance": self.rule.input["instance"],
            "afterNotebook": self.chain.after.notebook(),
            "afterInstance": self.chain.after.instance(),
        })
    }
}

async fn add(terminal: &Terminal, arguments: &OnRunAddArguments) -> Result<Exit, CliError> {
    let (after, chain, template) = read(arguments)?;
    let account = Account::of(&arguments.stack).await?;
    // Each run would fail, or none would ever start, and nobody would see it.
    account.named(&chain.next.instance).await?;
    if after.instance != chain.next.instance {
        account.named(&after.instance).await?;
    }
    let new = NewRule {
        verb: Link::VERB,
        name: arguments.name.clone().unwrap_or_else(|| usual_name(account.stack_name(), &chain.next.notebook)),
        description: "Starts a run when another one has succeeded.",
        pattern: after.pattern(),
        template,
        bus: Link::bus(&account)?,
    };
    let left = rule::is_free::<Link>(&account, &new).await?;
    let others: Vec<Chain> = rule::all::<Link>(&account).await?.into_iter().map(|link| link.chain).collect();
    if let Some(way) = chain.cycle(&others) {
        return Err(CliError::Usage(endless(&chain, &way)));
    }
    let link: Link = rule::make(terminal, &account, &new, left).await?;
    if arguments.format.output == Format::Json {
        Terminal::result(&rule::as_json(&link, None));
        return Ok(Exit::Done);
    }
    terminal.lines(&format!("{}: {}", new.name, what(&link.rule.input)));
    rule::tell(terminal, &link);
    terminal.next("reveille on-run list");
    Ok(Exit::Done)
}

/// What comes before, the chain and the input template, as far as they can be checked without AWS.
fn read(arguments: &OnRunAddArguments) -> Result<(Step, Chain, String), CliError> {
    let next = Step { notebook: arguments.asked.notebook.clone(), instance: arguments.asked.instance.clone() };
    let instance = arguments.after_on.as_ref().map_or_else(|| next.instance.clone(), ToString::to_string);
    let after = Step { notebook: arguments.after.clone(), instance };
    let before = json!({"instance": after.instance, "notebook": after.notebook, "parameters": Map::new()});
    check_input(&before.to_string()).map_err(|problem| CliError::Usage(format!("--after: {problem}")))?;
    let mut input = asked(&arguments.asked)?;
    complete(&mut input);
    check(&input, &triggers::sample_of_run(&after), Some(HAS)).map_err(of_flag)?;
    let template = triggers::template(&input).map_err(CliError::Usage)?;
    Ok((after.clone(), Chain { after: after.into(), next }, template))
}

fn endless(chain: &Chain, way: &[Step]) -> String {
    if let [_] = way {
        return format!(
            "each run of {} would start the next one, for ever; no rule was made. Name another notebook with --after",
            chain.next.shown()
        );
    }
    let steps: Vec<String> = way.iter().chain([&chain.next]).map(Step::shown).collect();
    format!(
        "these would start each other for ever: {}; no rule was made. To break the circle, let another notebook start it, or remove one of the rules: reveille on-run list",
        steps.join(" -> ")
    )
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
        triggers::{Chain, EVENT, Step},
    };

    fn asked(words: &[&str]) -> Result<(Step, Chain, String), CliError> {
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
        let (after, chain, ours) = asked(&["--after", "orders.ipynb", "-pday={{ date }}"]).unwrap();
        assert_eq!(after.instance, "nightly", "the same, if no other is given");
        assert_eq!(serde_json::from_str::<Value>(&ours.replace(EVENT, event)).unwrap(), of_template);
        assert!(
            endless(&chain, &[chain.next.clone(), after])
                .contains("summary.ipynb on nightly -> orders.ipynb on nightly -> summary.ipynb on nightly")
        );
        let itself = Chain { after: chain.next.clone().into(), ..chain };
        assert!(
            endless(&itself, std::slice::from_ref(&itself.next))
                .starts_with("each run of summary.ipynb on nightly would")
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
