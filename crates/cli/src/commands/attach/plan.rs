//! What attaching changes on an instance, decided from what was seen: nothing that a person set up is lost silently.

use aws_sdk_sagemaker::types::NotebookInstanceStatus as Status;
use reveille_domain::layout::Layout;
use reveille_lifecycle::AttachedScript;

use super::{
    configuration_of, own_script,
    put::{Seen, is_at_rest, not_at_rest},
    stack_of, whose,
};
use crate::{
    arguments::AttachArguments,
    clients::{Account, SageMaker, Script, StackFacts, Stacks, is_for},
    commands::stacks::nearest,
    error::CliError,
    ui::{labelled, terminal::Terminal, text::or_none},
    wildcard::matches,
};

/// The platforms on which the runner does not run.
const PLATFORM: &str = "notebook-al2023-";
/// What the instance's stack takes over from the main stack.
const TAKEN_OVER: [&str; 5] = ["RunsPrefix", "RunsKeyArn", "PermissionsBoundaryArn", "RolePath", "OwnerTag"];

/// What was seen.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Facts {
    pub(super) instance: String,
    status: Status,
    platform: Option<String>,
    role: Option<String>,
    /// The lifecycle configuration that it has.
    pub(super) configuration: Option<String>,
    /// The on-start script of that.
    pub(super) script: Script,
    layout: Layout,
    /// What the main stack has of what the instance's stack takes over.
    taken_over: Vec<(String, String)>,
    instance_names: Option<String>,
    /// The commands of a person that its stack has from before.
    kept: Option<String>,
    /// Its stack is there and made it.
    makes_instance: bool,
    /// A lifecycle configuration of the name that ours would have, which that stack did not make.
    is_taken: bool,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) configuration: String,
    /// Whether the instance gets it; else it has it.
    pub(super) attaches: bool,
    /// Of the instance's stack.
    pub(super) parameters: Vec<(String, String)>,
    /// The configuration that it had, if it was not ours.
    pub(super) replaced: Option<String>,
    /// What becomes of the on-start script that it had.
    own_script: Option<String>,
    /// What becomes of the commands that its stack had.
    kept: Option<String>,
    pub(super) warnings: Vec<String>,
}

impl Facts {
    /// # Errors
    /// There is no such instance, or AWS refuses to say.
    pub(super) async fn of(
        account: &Account,
        stacks: &Stacks,
        arguments: &AttachArguments,
        stack: Option<&StackFacts>,
    ) -> Result<Self, CliError> {
        let instance = arguments.instance.clone();
        let sagemaker = SageMaker::of(&stacks.config);
        let Some(seen) = sagemaker.instance(&instance).await? else {
            let others = account.instance_names().await?;
            let near = nearest(&instance, others.iter().map(|(name, _)| name.as_str()));
            let hint =
                near.map_or("to list them: reveille instances".to_owned(), |near| format!("did you mean {near}?"));
            return Err(CliError::NotThere(format!(
                "there is no notebook instance {instance} in {}; {hint}",
                stacks.region
            )));
        };
        let script = match &seen.lifecycle_configuration {
            Some(name) => sagemaker.script(name).await?,
            None => Ok(None),
        };
        let stack = stack.filter(|stack| !stack.is_empty());
        let configuration = configuration_of(&instance);
        let has_it = match stack {
            Some(stack) => whose::has(&stacks.resources(&stack.id).await?, &configuration),
            None => false,
        };
        let parameter = |name: &str| Some((name.to_owned(), account.parameter(name)?));
        Ok(Self {
            status: seen.status,
            platform: seen.platform,
            role: seen.role,
            configuration: seen.lifecycle_configuration,
            script,
            layout: account.layout.clone(),
            taken_over: TAKEN_OVER.into_iter().filter_map(parameter).collect(),
            instance_names: account.parameter("InstanceNames"),
            kept: stack
                .and_then(|stack| stack.parameters.get("OnStartCommands").cloned())
                .filter(|commands| !commands.is_empty()),
            makes_instance: stack
                .is_some_and(|stack| stack.parameters.get("CreateInstance").is_none_or(|value| value == "true")),
            is_taken: !has_it && sagemaker.has_configuration(&configuration).await?,
            instance,
        })
    }

    /// The instance, as a person is shown it.
    pub(super) fn seen(&self) -> Seen {
        Seen { status: self.status.clone(), configuration: self.configuration.clone(), role: self.role.clone() }
    }

    /// All that can be read of its on-start script.
    fn readable(&self) -> Option<&str> {
        self.script.as_ref().map_or_else(|unreadable| Some(unreadable.part.as_str()), Option::as_deref)
    }

    fn has_ours(&self) -> bool {
        self.configuration.as_deref() == Some(configuration_of(&self.instance).as_str())
    }
}

/// Decides. `commands` are those that a person gave.
///
/// # Errors
/// It cannot be done as things are, with what to do.
pub(super) fn change(facts: &Facts, commands: Option<String>) -> Result<Change, CliError> {
    let Facts { instance, .. } = facts;
    objection(facts).map_or(Ok(()), |problem| Err(CliError::NotNow(problem)))?;
    let attaches = !facts.has_ours();
    if attaches {
        at_rest(facts)?;
    }
    let (commands, own_script) = goes_on(facts, attaches, commands)?;
    let mut parameters = vec![
        ("InstanceName".to_owned(), instance.clone()),
        ("CreateInstance".to_owned(), "false".to_owned()),
        ("RunsBucket".to_owned(), facts.layout.bucket.clone()),
    ];
    // What the main stack has counts, also where it went back to a default.
    parameters.extend(facts.taken_over.iter().cloned());
    parameters.extend(role_name(facts).map(|role| ("RoleName".to_owned(), role)));
    let kept = facts.kept.as_deref().filter(|kept| commands.as_deref() != Some(*kept)).map(|kept| {
        let becomes = if commands.is_some() { "are replaced" } else { "go on, and run first" };
        format!("{becomes} ({} characters): {}", kept.len(), kept.lines().next().unwrap_or_default())
    });
    parameters.extend(commands.map(|commands| ("OnStartCommands".to_owned(), commands)));
    Ok(Change {
        configuration: configuration_of(instance),
        kept,
        attaches,
        parameters,
        replaced: facts.configuration.clone().filter(|_| attaches),
        own_script,
        warnings: warnings(facts),
    })
}

/// The commands that the stack gets, and what becomes of the script that the instance has.
///
/// # Errors
/// It has one that cannot go on, and nobody gave other commands.
fn goes_on(
    facts: &Facts,
    attaches: bool,
    commands: Option<String>,
) -> Result<(Option<String>, Option<String>), CliError> {
    let own = match &facts.script {
        _ if !attaches => None,
        Ok(script) => script.as_deref().filter(|script| !script.trim().is_empty()).map(Ok),
        Err(unreadable) => Some(Err(unreadable)),
    };
    let script = match (commands, own) {
        (None, None) => return Ok((None, None)),
        (Some(commands), own) => {
            let said = own.map(|_| "is replaced by the commands of --on-start".to_owned());
            return Ok((Some(commands), said));
        }
        (None, Some(Err(unreadable))) => {
            return Err(cannot_go_on(facts, &own_script::CannotGoOn(unreadable.why.clone())));
        }
        (None, Some(Ok(script))) => script,
    };
    let commands = own_script::as_commands(script).map_err(|problem| cannot_go_on(facts, &problem))?;
    Ok((Some(commands), Some(format!("goes on: it runs first, in a shell of its own ({} characters)", script.len()))))
}

/// Why it cannot be done, whether the instance is stopped or not.
fn objection(facts: &Facts) -> Option<String> {
    let Facts { instance, layout, .. } = facts;
    let (stack, configuration) = (stack_of("STACK", instance), configuration_of(instance));
    if facts.makes_instance {
        return Some(format!(
            "{instance} was made by its stack, which gives it its lifecycle configuration: to renew that, deploy instance.yaml over the stack (docs/upgrade.md)"
        ));
    }
    if facts.is_taken {
        return Some(format!(
            "there is a lifecycle configuration {configuration} already, and not from the stack that this command makes ({stack}). `aws cloudformation describe-stack-resources --physical-resource-id {configuration}` names its stack. While {instance} is stopped: aws sagemaker update-notebook-instance --notebook-instance-name {instance} --lifecycle-config-name {configuration}"
        ));
    }
    let script = facts.readable().and_then(AttachedScript::read).filter(|_| !facts.has_ours());
    if script.as_ref().is_some_and(|script| is_for(script, layout)) {
        return Some(format!(
            "{instance} has this stack's runner already, by the lifecycle configuration {}, which this command did not make; to check it: reveille doctor {instance}",
            facts.configuration.as_deref().unwrap_or_default()
        ));
    }
    if let Some(other) = script {
        return Some(format!(
            "{instance} has the runner of another Reveille stack (its runs are in s3://{}/{}), and an instance belongs to one: detach it there first: reveille detach {instance} --stack NAME",
            other.bucket, other.prefix
        ));
    }
    if let Some(platform) = facts.platform.as_deref().filter(|platform| !platform.starts_with(PLATFORM)) {
        return Some(format!(
            "{instance} is on the platform {platform}, and the runner needs Amazon Linux 2023. While it is stopped: aws sagemaker update-notebook-instance --notebook-instance-name {instance} --platform-identifier notebook-al2023-v1"
        ));
    }
    None
}

fn at_rest(facts: &Facts) -> Result<(), CliError> {
    if is_at_rest(&facts.status) {
        return Ok(());
    }
    Err(not_at_rest(&facts.instance, &facts.status))
}

fn cannot_go_on(facts: &Facts, problem: &own_script::CannotGoOn) -> CliError {
    CliError::NotNow(format!(
        "{} has an on-start script (lifecycle configuration {}) that cannot go on within Reveille's: {}. Put it into a file below /home/ec2-user/SageMaker on the instance, write the line that calls it into a file here, and add: --on-start FILE",
        facts.instance,
        facts.configuration.as_deref().unwrap_or_default(),
        problem.0
    ))
}

/// The role's name; its path is no part of it.
fn role_name(facts: &Facts) -> Option<String> {
    facts.role.as_deref()?.rsplit('/').next().map(str::to_owned)
}

fn warnings(facts: &Facts) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(pattern) = facts.instance_names.as_deref().filter(|pattern| !matches(pattern, &facts.instance)) {
        warnings.push(format!(
            "The stack's InstanceNames is {pattern}, which does not fit {}: its runs end in AccessDenied until the stack has a pattern that fits all your instances (reveille deploy --release ... -p InstanceNames=PATTERN)",
            facts.instance
        ));
    }
    warnings
}

/// What a person should know of it.
pub(super) fn lines(terminal: &Terminal, change: &Change, facts: &Facts, stack: &str, exists: bool) -> Vec<String> {
    let had = or_none(facts.configuration.as_deref());
    let configuration = if change.attaches {
        format!("{had} -> {}", change.configuration)
    } else {
        format!("{} (it has it)", change.configuration)
    };
    let mut told = vec![
        ("stack", format!("{stack} ({})", if exists { "changes" } else { "is made" })),
        ("configuration", configuration),
    ];
    told.extend(change.own_script.clone().map(|said| ("its on-start script", said)));
    told.extend(change.kept.clone().map(|said| ("its stack's commands", said)));
    told.extend(role_name(facts).map(|role| ("role", format!("{role} gets the runner's policy"))));
    let width = told.iter().map(|(label, _)| label.len()).max().unwrap_or_default() + 2;
    told.iter().flat_map(|(label, value)| labelled::lines(terminal, width, label, value)).collect()
}

#[cfg(test)]
mod tests;
