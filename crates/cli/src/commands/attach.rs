//! `reveille attach INSTANCE`: lets an instance that exists start the runner. What it needs (the policy and the lifecycle configuration) is a small
//! stack of its own, by infra/instance.yaml; the command makes that, and puts the configuration onto the instance. Stops nobody's session.

mod own_script;
pub(super) mod plan;
pub(super) mod put;
pub(super) mod whose;

use std::collections::BTreeMap;

use plan::{Change, Facts};
use put::Putting;
use serde_json::json;

use super::{
    deploy::{
        come_back,
        standing::{self, How, Standing},
        with_stack,
    },
    stacks::{Agreement, Plan, Planned, Template, settings_lines},
    stop::Stop,
};
use crate::{
    arguments::{AttachArguments, Format},
    clients::{Account, Attach, SageMaker, StackFacts, Stacks, TemplateAt},
    error::CliError,
    exit::Exit,
    ui::terminal::{Terminal, Tone},
};

/// The template of what an instance needs, of this command's version.
pub(super) const TEMPLATE: &str = include_str!("../../../../infra/instance.yaml");
/// Of the stack: the lifecycle configuration that the instance had before.
pub(super) const REPLACED: &str = "reveille:replaced";

/// As the value of that tag: it had none. No lifecycle configuration has such a name, and a tag's value is not empty.
const REPLACED_NONE: &str = "-";

/// Characters that SageMaker takes of a lifecycle configuration's name.
const MAX_CONFIGURATION_CHARS: usize = 63;

/// The stack of what an instance needs.
pub(super) fn stack_of(stack: &str, instance: &str) -> String {
    format!("{stack}-{instance}")
}

/// The lifecycle configuration of that stack.
pub(super) fn configuration_of(instance: &str) -> String {
    format!("reveille-{instance}")
}

/// Before anybody is asked: SageMaker answers nothing about a configuration with a longer name, and would make none.
///
/// # Errors
/// The instance's name is too long for its lifecycle configuration.
fn leaves_room(instance: &str) -> Result<(), CliError> {
    let chars = instance.chars().count();
    let most = MAX_CONFIGURATION_CHARS - configuration_of("").len();
    if chars <= most {
        return Ok(());
    }
    Err(CliError::NotNow(format!(
        "the name {instance} has {chars} characters, and Reveille's runner needs one of at most {most}: the lifecycle configuration is called {}, and SageMaker takes {MAX_CONFIGURATION_CHARS} characters of that. An instance cannot be renamed: make one with a shorter name (docs/deploy.md, step 3), and copy the notebooks there",
        configuration_of("NAME")
    )))
}

pub(crate) async fn run(terminal: &Terminal, arguments: &AttachArguments) -> Result<Exit, CliError> {
    let is_json = arguments.format.output == Format::Json;
    // What was typed is checked first.
    leaves_room(&arguments.instance)?;
    let on_start = arguments.on_start()?;
    Agreement::is_possible(arguments.yes, arguments.dry_run, is_json)?;
    let account = Account::of(&arguments.stack).await?;
    let stacks = Stacks::of(&arguments.stack).await?;
    let stop = Stop::listening();
    let name = stack_of(account.stack_name(), &arguments.instance);
    let again = with_stack(&format!("reveille attach {}", arguments.instance), account.stack_name());
    let how = How { yes: arguments.yes, only_shows: arguments.dry_run, is_json };
    whose::found(&stacks, (&name, &arguments.instance), Some(&account.layout)).await?;
    let standing = Standing::of(&stacks, (&name, standing::OF_AN_INSTANCE)).await?;
    let before = standing.before().cloned();
    let facts = Facts::of(&account, &stacks, arguments, before.as_ref()).await?;
    let change = plan::change(&facts, on_start)?;
    let template = Template::read(TEMPLATE, "infra/instance.yaml")?;
    let kept = before.as_ref().map(|stack| stack.parameters.clone()).unwrap_or_default();
    let settings = template.settings(&change.parameters, &kept)?;
    // What a failed creation left is somebody's only trace of it: it goes when the next try has been checked.
    standing.cleared(terminal, &stacks, &stop, how).await?;
    let sagemaker = SageMaker::of(&stacks.config);
    let attaching = Attaching {
        terminal,
        arguments,
        stacks: &stacks,
        sagemaker: &sagemaker,
        stop: &stop,
        facts: &facts,
        change: &change,
        name: &name,
        again: &again,
    };
    let plan = Plan {
        stacks: &stacks,
        stop: &stop,
        stack: &name,
        before: before.as_ref(),
        template: TemplateAt::Text(TEMPLATE),
        settings: &settings,
        tags: change.attaches.then(|| tags(before.as_ref(), change.replaced.as_deref())).flatten(),
    };
    terminal.passing(Tone::Moving, "  asking CloudFormation what changes");
    let planned = plan.prepare().await?;
    terminal.clear();
    if planned.is_none() && !change.attaches {
        attaching.tell("has everything already");
        return Ok(Exit::Done);
    }
    if !is_json {
        attaching.show(planned.as_ref(), before.as_ref());
        for line in settings_lines(terminal, &settings.changed) {
            terminal.line(&line);
        }
        terminal.line("");
    }
    let question = format!("Attach the runner to {}?", arguments.instance);
    let agreed = Agreement::asked(&stop, arguments.yes, arguments.dry_run, question).await;
    let ended = match agreed {
        Ok(Agreement::Yes) => return attaching.attach(planned).await,
        Ok(Agreement::OnlyShow) => Ok(Exit::Done),
        Ok(Agreement::No) => Err(CliError::NotNow("nothing was changed".to_owned())),
        Err(error) => match &planned {
            Some(planned) => return Err(planned.undone(&stacks, error).await),
            None => Err(error),
        },
    };
    if let Some(planned) = planned {
        planned.discard(&stacks).await?;
    }
    if ended.is_ok() {
        attaching.tell("was not changed (--dry-run)");
    }
    ended
}

/// The tags that the stack gets: a change set's take the place of all that it has, so those that people gave it stay. `None`: they are as they
/// are to be.
fn tags(before: Option<&StackFacts>, replaced: Option<&str>) -> Option<Vec<(String, String)>> {
    let has = before.map(|stack| stack.tags.clone()).unwrap_or_default();
    // CloudFormation's own take no change.
    let mut tags: BTreeMap<String, String> = has.into_iter().filter(|(name, _)| !name.starts_with("aws:")).collect();
    let had = tags.get(REPLACED).map(String::as_str);
    let value = replaced.or(had.map(|_| REPLACED_NONE))?;
    if had == Some(value) {
        return None;
    }
    tags.insert(REPLACED.to_owned(), value.to_owned());
    Some(tags.into_iter().collect())
}

/// The lifecycle configuration that an instance had before, as its stack says.
pub(super) fn replaced_of(stack: &StackFacts) -> Option<&str> {
    stack.tags.get(REPLACED).map(String::as_str).filter(|name| *name != REPLACED_NONE)
}

struct Attaching<'a> {
    terminal: &'a Terminal,
    arguments: &'a AttachArguments,
    stacks: &'a Stacks,
    sagemaker: &'a SageMaker,
    stop: &'a Stop,
    facts: &'a Facts,
    change: &'a Change,
    /// The instance's stack.
    name: &'a str,
    again: &'a str,
}

impl Attaching<'_> {
    fn is_json(&self) -> bool {
        self.arguments.format.output == Format::Json
    }

    fn show(&self, planned: Option<&Planned>, before: Option<&StackFacts>) {
        let terminal = self.terminal;
        let instance = &self.arguments.instance;
        terminal.lines(&format!("The instance {instance} gets Reveille's runner:"));
        terminal.line("");
        for line in plan::lines(terminal, self.change, self.facts, self.name, before.is_some()) {
            terminal.line(&line);
        }
        terminal.line("");
        if let Some(planned) = planned {
            planned.show(terminal);
            terminal.line("");
        }
        for warning in &self.change.warnings {
            terminal.marked(Tone::Moving, "!", &terminal.advice(warning));
        }
    }

    /// Before the stack changes, and once more before the instance does: making the stack takes minutes.
    ///
    /// # Errors
    /// The instance is not as it was shown, or a person ends the command.
    async fn is_still(&self, putting: &Putting<'_>) -> Result<(), CliError> {
        if !self.change.attaches {
            return putting.goes_on();
        }
        putting.is_still(Some(&self.facts.seen()), true).await?;
        let Some(had) = &self.facts.configuration else { return Ok(()) };
        if self.sagemaker.script(had).await? == self.facts.script {
            return Ok(());
        }
        Err(CliError::NotNow(format!(
            "somebody else changed the on-start script of {had} since it was read. The instance was left as it is; to take the new one: {}",
            self.again
        )))
    }

    async fn attach(&self, planned: Option<Planned>) -> Result<Exit, CliError> {
        let (instance, had) = (self.arguments.instance.as_str(), self.facts.configuration.as_deref());
        let putting = Putting {
            terminal: self.terminal,
            sagemaker: self.sagemaker,
            stop: self.stop,
            instance,
            again: self.again,
        };
        if let Some(planned) = planned {
            if let Err(error) = self.is_still(&putting).await {
                return Err(planned.undone(self.stacks, error).await);
            }
            let operation = planned.begin(self.stacks, self.stop).await?;
            let ended = operation
                .follow(self.terminal, self.stacks, self.stop, !self.is_json(), &come_back(self.name, self.again))
                .await?;
            if !ended.is_well() {
                return Err(CliError::NotNow(format!(
                    "{}. The instance was not changed",
                    ended.problem("making what the instance needs", self.name, self.again)
                )));
            }
        }
        if self.change.attaches {
            let changed = async {
                self.is_still(&putting).await?;
                putting.put(Attach::Configuration(&self.change.configuration)).await
            };
            changed.await.map_err(|error| match error {
                // It has been told.
                CliError::Detached => error,
                error => CliError::Afterwards {
                    done: format!("the stack {} has what the instance needs", self.name),
                    error: Box::new(error),
                    next: self.again.to_owned(),
                },
            })?;
        }
        let configuration = &self.change.configuration;
        self.tell(&format!("has the lifecycle configuration {configuration}"));
        if !self.is_json() {
            if let Some(had) = had.filter(|had| *had != configuration) {
                self.terminal
                    .note(&format!("{had}, which it had before, is still there; `reveille detach` puts it back"));
            }
            self.terminal.next(&with_stack(
                &format!("reveille doctor {}", self.arguments.instance),
                whose::name_of(&self.arguments.stack.stack),
            ));
        }
        Ok(Exit::Done)
    }

    fn tell(&self, what: &str) {
        let instance = &self.arguments.instance;
        if self.is_json() {
            let Change { configuration, attaches, replaced, .. } = self.change;
            Terminal::result(&json!({
                "instance": instance, "stack": self.name, "lifecycleConfiguration": configuration, "attaches": attaches,
                "replaces": replaced, "warnings": self.change.warnings,
            }));
        } else {
            self.terminal.marked(Tone::Good, "✓", &format!("{instance} {what}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{REPLACED, TEMPLATE, leaves_room, replaced_of, tags};
    use crate::clients::StackFacts;

    fn stack(tags: &[(&str, &str)]) -> StackFacts {
        let tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        StackFacts { tags, ..StackFacts::default() }
    }

    fn after(before: &StackFacts, replaced: Option<&str>) -> StackFacts {
        let given = tags(Some(before), replaced);
        StackFacts {
            tags: given.map_or_else(|| before.tags.clone(), |tags| tags.into_iter().collect()),
            ..before.clone()
        }
    }

    #[test]
    fn a_stacks_own_tags_stay() {
        let theirs = after(&stack(&[("team", "data"), ("aws:cloud", "x")]), Some("mine"));
        assert_eq!(theirs.tags, stack(&[("team", "data"), (REPLACED, "mine")]).tags);
        assert_eq!(tags(None, Some("mine")), Some(vec![(REPLACED.to_owned(), "mine".to_owned())]));
        assert_eq!(tags(None, None), None);
        assert_eq!(tags(Some(&stack(&[("team", "data")])), None), None);
        assert_eq!(tags(Some(&theirs), Some("mine")), None);
    }

    /// The template takes the same names.
    #[test]
    fn a_name_leaves_room_for_its_configurations() {
        assert!(leaves_room(&"n".repeat(54)).is_ok());
        let problem = leaves_room(&"n".repeat(55)).unwrap_err().to_string();
        assert!(problem.contains("has 55 characters") && problem.contains("at most 54: "), "{problem}");
        let parameter = TEMPLATE.split("\n  InstanceName:\n").nth(1).unwrap().split("Description").next().unwrap();
        assert!(parameter.contains("MaxLength: 54\n"), "{parameter}");
    }

    /// Else `detach` would put back what an earlier attachment replaced.
    #[test]
    fn what_was_replaced_once_is_forgotten() {
        let before = stack(&[("team", "data"), (REPLACED, "mine")]);
        assert_eq!(replaced_of(&before), Some("mine"));
        let again = after(&before, None);
        assert_eq!((replaced_of(&again), again.tags["team"].as_str()), (None, "data"));
        assert_eq!(replaced_of(&after(&again, Some("other"))), Some("other"));
    }
}
