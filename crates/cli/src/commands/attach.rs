//! `reveille attach INSTANCE`: lets an instance that exists start the runner. What it needs (the policy and the lifecycle configuration) is a small
//! stack of its own, by infra/instance.yaml; the command makes that, and puts the configuration onto the instance. Stops nobody's session.

mod own_script;
pub(super) mod plan;

use std::time::Duration;

use aws_sdk_sagemaker::types::NotebookInstanceStatus as Status;
use plan::{Change, Facts};
use serde_json::json;
use tokio::time::sleep;

use super::{
    deploy::{
        standing::{self, How},
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
/// How its description begins.
pub(super) const OURS: &str = "A notebook instance for Reveille";
/// Of the stack: the lifecycle configuration that the instance had before.
pub(super) const REPLACED: &str = "reveille:replaced";

/// A change of an instance takes seconds.
const LOOK: Duration = Duration::from_secs(2);

/// The stack of what an instance needs.
pub(super) fn stack_of(stack: &str, instance: &str) -> String {
    format!("{stack}-{instance}")
}

/// The lifecycle configuration of that stack.
pub(super) fn configuration_of(instance: &str) -> String {
    format!("reveille-{instance}")
}

pub(crate) async fn run(terminal: &Terminal, arguments: &AttachArguments) -> Result<Exit, CliError> {
    let is_json = arguments.format.output == Format::Json;
    Agreement::is_possible(arguments.yes, arguments.dry_run, is_json)?;
    let account = Account::of(&arguments.stack).await?;
    let stacks = Stacks::of(&arguments.stack).await?;
    let stop = Stop::listening();
    let name = stack_of(account.stack_name(), &arguments.instance);
    let again = with_stack(&format!("reveille attach {}", arguments.instance), account.stack_name());
    let how = How { yes: arguments.yes, only_shows: arguments.dry_run, is_json };
    let before = standing::settled(terminal, &stacks, &stop, (&name, OURS), how).await?;
    let facts = Facts::of(&account, &stacks, arguments, before.as_ref()).await?;
    let change = plan::change(&facts, arguments.on_start()?)?;
    let template = Template::read(TEMPLATE, "infra/instance.yaml")?;
    let kept = before.as_ref().map(|stack| stack.parameters.clone()).unwrap_or_default();
    let settings = template.settings(&change.parameters, &kept)?;
    let attaching =
        Attaching { terminal, arguments, stacks: &stacks, stop: &stop, change: &change, name: &name, again: &again };
    let plan = Plan {
        stacks: &stacks,
        stop: &stop,
        stack: &name,
        before: before.as_ref(),
        template: TemplateAt::Text(TEMPLATE),
        settings: &settings,
        tags: change.replaced.clone().map(|replaced| vec![(REPLACED.to_owned(), replaced)]),
    };
    terminal.passing(Tone::Moving, "  asking CloudFormation what changes");
    let planned = plan.prepare().await?;
    terminal.clear();
    if planned.is_none() && !change.attaches {
        attaching.tell("has everything already");
        return Ok(Exit::Done);
    }
    if !is_json {
        attaching.show(&facts, planned.as_ref(), before.as_ref());
        for line in settings_lines(terminal, &settings.changed) {
            terminal.line(&line);
        }
        terminal.line("");
    }
    let question = format!("Attach the runner to {}?", arguments.instance);
    let agreed = Agreement::asked(&stop, arguments.yes, arguments.dry_run, question).await;
    let ended = match agreed {
        Ok(Agreement::Yes) => return attaching.attach(planned, facts.configuration.as_deref()).await,
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

struct Attaching<'a> {
    terminal: &'a Terminal,
    arguments: &'a AttachArguments,
    stacks: &'a Stacks,
    stop: &'a Stop,
    change: &'a Change,
    /// The instance's stack.
    name: &'a str,
    again: &'a str,
}

impl Attaching<'_> {
    fn is_json(&self) -> bool {
        self.arguments.format.output == Format::Json
    }

    fn show(&self, facts: &Facts, planned: Option<&Planned>, before: Option<&StackFacts>) {
        let terminal = self.terminal;
        let instance = &self.arguments.instance;
        terminal.lines(&format!("The instance {instance} gets Reveille's runner:"));
        terminal.line("");
        for line in plan::lines(terminal, self.change, facts, self.name, before.is_some()) {
            terminal.line(&line);
        }
        terminal.line("");
        if let Some(planned) = planned {
            planned.show(terminal);
            terminal.line("");
        }
        for warning in &self.change.warnings {
            terminal.marked(Tone::Moving, "!", warning);
        }
    }

    async fn attach(&self, planned: Option<Planned>, had: Option<&str>) -> Result<Exit, CliError> {
        if let Some(planned) = planned {
            let operation = planned.begin(self.stacks).await?;
            let ended = operation.follow(self.terminal, self.stacks, self.stop, !self.is_json(), self.again).await?;
            if !ended.is_well() {
                return Err(CliError::NotNow(format!(
                    "{}. The instance was not changed",
                    ended.problem("making what the instance needs", self.name)
                )));
            }
        }
        if self.change.attaches {
            let sagemaker = SageMaker::of(&self.stacks.config);
            let changed = put(
                self.terminal,
                &sagemaker,
                &self.arguments.instance,
                Attach::Configuration(&self.change.configuration),
            );
            changed.await.map_err(|error| CliError::Afterwards {
                done: format!("the stack {} has what the instance needs", self.name),
                error: Box::new(error),
                next: self.again.to_owned(),
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
                &self.arguments.stack.stack,
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

/// Changes an instance's lifecycle configuration, and waits until SageMaker has done so.
///
/// # Errors
/// AWS refuses, or the instance ends as something else than stopped.
pub(super) async fn put(
    terminal: &Terminal,
    sagemaker: &SageMaker,
    instance: &str,
    attach: Attach<'_>,
) -> Result<(), CliError> {
    sagemaker.attach(instance, attach).await?;
    loop {
        let facts = sagemaker.instance(instance).await?;
        match facts.map(|facts| (facts.status, facts.failure)) {
            None => return Err(CliError::NotThere(format!("the instance {instance} was deleted meanwhile"))),
            Some((Status::Updating, _)) => {}
            // Whoever starts it meanwhile starts it with the new configuration.
            Some((Status::Stopped | Status::Pending | Status::InService, _)) => break,
            Some((status, failure)) => {
                return Err(CliError::NotNow(format!(
                    "the instance {instance} is {} ({})",
                    status.as_str(),
                    failure.as_deref().unwrap_or("SageMaker gives no reason")
                )));
            }
        }
        terminal.passing(Tone::Moving, &format!("  SageMaker changes {instance}"));
        sleep(LOOK).await;
    }
    terminal.clear();
    Ok(())
}
