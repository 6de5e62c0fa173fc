//! `reveille detach INSTANCE`: takes the runner off an instance that `attach` gave it. The instance gets back what it had, and its stack goes.

use aws_sdk_sagemaker::types::NotebookInstanceStatus as Status;
use serde_json::json;

use super::{
    attach::{
        configuration_of,
        put::{Putting, Seen, is_at_rest, not_at_rest},
        replaced_of, stack_of, whose,
    },
    deploy::{come_back, with_stack},
    stacks::{Agreement, Operation},
    stop::Stop,
};
use crate::{
    arguments::{DetachArguments, Format},
    clients::{Attach, SageMaker, StackFacts, Stacks},
    error::CliError,
    exit::Exit,
    ui::terminal::{Terminal, Tone},
};

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Facts {
    instance: String,
    /// `None`: there is no such instance any more.
    status: Option<Status>,
    configuration: Option<String>,
    role: Option<String>,
    /// The lifecycle configuration that it had before, if that is still there.
    replaced: Option<String>,
    stack: Option<StackFacts>,
    /// Whether that stack made the lifecycle configuration of the name that ours has.
    has_ours: bool,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Change {
    detaches: bool,
    deletes_stack: bool,
}

pub(crate) async fn run(terminal: &Terminal, arguments: &DetachArguments) -> Result<Exit, CliError> {
    let is_json = arguments.format.output == Format::Json;
    Agreement::is_possible(arguments.yes, arguments.dry_run, is_json)?;
    // Without the main stack: it may be gone already.
    let stacks = Stacks::of(&arguments.stack).await?;
    let sagemaker = SageMaker::of(&stacks.config);
    let stop = Stop::listening();
    // As attach names it: a person may give an ARN.
    let main = whose::name_of(&arguments.stack.stack);
    let (instance, name) = (&arguments.instance, stack_of(main, &arguments.instance));
    let facts = Facts::of(&stacks, &sagemaker, &name, instance).await?;
    let change = decide(&facts)?;
    let answer = json!({
        "instance": instance, "stack": name, "lifecycleConfiguration": facts.after(&change), "detaches": change.detaches,
        "deletesStack": change.deletes_stack,
    });
    if !change.detaches && !change.deletes_stack {
        if is_json {
            Terminal::result(&answer);
        } else {
            terminal.marked(Tone::Good, "✓", &format!("{instance} has no runner of this stack"));
        }
        return Ok(Exit::Done);
    }
    if !is_json {
        for line in lines(&facts, &change, &name) {
            terminal.marked(Tone::Quiet, "-", &line);
        }
    }
    let question = format!("Detach the runner from {instance}?");
    match Agreement::asked(&stop, arguments.yes, arguments.dry_run, question).await? {
        Agreement::Yes => {}
        Agreement::OnlyShow => {
            if is_json {
                Terminal::result(&answer);
            } else {
                terminal.note("nothing was changed (--dry-run)");
            }
            return Ok(Exit::Done);
        }
        Agreement::No => return Err(CliError::NotNow("nothing was changed".to_owned())),
    }
    let again = with_stack(&format!("reveille detach {instance}"), main);
    let putting = Putting { terminal, sagemaker: &sagemaker, stop: &stop, instance, again: &again };
    putting.is_still(facts.seen().as_ref(), change.detaches).await?;
    if change.detaches {
        let to = facts.replaced.as_deref().map_or(Attach::Nothing, Attach::Configuration);
        putting.put(to).await?;
    }
    if let Some(stack) = facts.stack.as_ref().filter(|_| change.deletes_stack) {
        let deleted = async {
            putting.goes_on()?;
            delete(terminal, &stacks, &stop, stack, is_json, &again).await
        };
        deleted.await.map_err(|error| match error {
            CliError::Detached => CliError::Detached,
            error => CliError::Afterwards {
                done: format!("the instance {instance} has no runner any more"),
                error: Box::new(error),
                next: again.clone(),
            },
        })?;
    }
    if is_json {
        Terminal::result(&answer);
    } else {
        terminal.marked(Tone::Good, "✓", &format!("{instance} has no runner any more"));
    }
    Ok(Exit::Done)
}

impl Facts {
    async fn of(stacks: &Stacks, sagemaker: &SageMaker, name: &str, instance: &str) -> Result<Self, CliError> {
        let seen = sagemaker.instance(instance).await?;
        let its_stack = whose::found(stacks, (name, instance), None).await?;
        if seen.is_none() && its_stack.is_none() {
            return Err(CliError::NotThere(format!(
                "there is no notebook instance {instance} in {}; to list them: reveille instances",
                stacks.region
            )));
        }
        let has_ours = match &its_stack {
            Some(stack) => whose::has(&stacks.resources(&stack.id).await?, &configuration_of(instance)),
            None => false,
        };
        let replaced = match its_stack.as_ref().and_then(replaced_of) {
            Some(name) if sagemaker.has_configuration(name).await? => Some(name.to_owned()),
            _ => None,
        };
        let (status, configuration, role) = match seen {
            Some(seen) => (Some(seen.status), seen.lifecycle_configuration, seen.role),
            None => (None, None, None),
        };
        Ok(Self { instance: instance.to_owned(), status, configuration, role, replaced, stack: its_stack, has_ours })
    }

    /// The instance, as a person is shown it.
    fn seen(&self) -> Option<Seen> {
        let status = self.status.clone()?;
        Some(Seen { status, configuration: self.configuration.clone(), role: self.role.clone() })
    }

    /// What the instance has then.
    fn after(&self, change: &Change) -> Option<&str> {
        if change.detaches { self.replaced.as_deref() } else { self.configuration.as_deref() }
    }
}

/// # Errors
/// It cannot be done as things are, with what to do.
fn decide(facts: &Facts) -> Result<Change, CliError> {
    let Facts { instance, stack, .. } = facts;
    let made_it = |stack: &StackFacts| stack.parameters.get("CreateInstance").is_none_or(|value| value == "true");
    if let Some(stack) = stack.as_ref().filter(|stack| !stack.is_empty() && made_it(stack)) {
        let name = &stack.name;
        return Err(CliError::NotNow(format!(
            "{instance} was made by the stack {name}, whose deletion deletes the instance and its volume: to keep the instance, keep that stack. To delete both: aws cloudformation delete-stack --stack-name {name}"
        )));
    }
    if let Some(stack) = stack.as_ref().filter(|stack| stack.is_moving()) {
        let name = &stack.name;
        return Err(CliError::NotNow(format!(
            "the stack {name} is {}: wait until that has ended: reveille deploy --follow --stack {name}",
            stack.status
        )));
    }
    let ours = configuration_of(instance);
    let detaches = facts.configuration.as_deref() == Some(ours.as_str());
    if detaches && !facts.has_ours {
        return Err(CliError::NotNow(format!(
            "the lifecycle configuration {ours} was not made by reveille attach. `aws cloudformation describe-stack-resources --physical-resource-id {ours}` names its stack. To take it off while {instance} is stopped: aws sagemaker update-notebook-instance --notebook-instance-name {instance} --disassociate-lifecycle-config"
        )));
    }
    match &facts.status {
        Some(status) if detaches && !is_at_rest(status) => Err(not_at_rest(instance, status)),
        _ => Ok(Change { detaches, deletes_stack: stack.is_some() }),
    }
}

fn lines(facts: &Facts, change: &Change, stack: &str) -> Vec<String> {
    let mut lines = Vec::new();
    if change.detaches {
        let had = facts.configuration.as_deref().unwrap_or_default();
        lines.push(match &facts.replaced {
            Some(replaced) => {
                format!("{} gets its former lifecycle configuration back: {had} -> {replaced}", facts.instance)
            }
            None => format!("{} has no lifecycle configuration any more (now {had})", facts.instance),
        });
    }
    if change.deletes_stack {
        lines.push(format!("the stack {stack} is deleted: the lifecycle configuration, the role that nobody uses, and the policy, which the instance's role loses"));
    }
    lines.push("what the runner put onto the volume stays: ~/SageMaker/.reveille".to_owned());
    lines
}

async fn delete(
    terminal: &Terminal,
    stacks: &Stacks,
    stop: &Stop,
    stack: &StackFacts,
    is_json: bool,
    again: &str,
) -> Result<(), CliError> {
    let operation = Operation::deletion(stacks, stop, stack, None).await?;
    let ended = operation.follow(terminal, stacks, stop, !is_json, &come_back(&stack.id, again)).await?;
    if ended.is_well() {
        return Ok(());
    }
    Err(CliError::NotNow(ended.problem("the deletion", &stack.name, again)))
}

#[cfg(test)]
mod tests {
    use aws_sdk_sagemaker::types::NotebookInstanceStatus as Status;

    use super::{Change, Facts, decide, lines};
    use crate::clients::StackFacts;

    fn stack(creates: &str) -> StackFacts {
        StackFacts {
            name: "reveille-nightly".to_owned(),
            status: "CREATE_COMPLETE".to_owned(),
            parameters: [("CreateInstance".to_owned(), creates.to_owned())].into(),
            ..StackFacts::default()
        }
    }

    fn attached() -> Facts {
        Facts {
            instance: "nightly".to_owned(),
            status: Some(Status::Stopped),
            configuration: Some("reveille-nightly".to_owned()),
            stack: Some(stack("false")),
            has_ours: true,
            ..Facts::default()
        }
    }

    #[test]
    fn what_is_attached_is_taken_off_and_what_was_there_comes_back() {
        let change = decide(&attached()).unwrap();
        assert_eq!(change, Change { detaches: true, deletes_stack: true });
        let had = Facts { replaced: Some("mine".to_owned()), ..attached() };
        assert!(lines(&had, &change, "reveille-nightly")[0].ends_with("reveille-nightly -> mine"));
        assert_eq!(had.after(&change), Some("mine"));
        // Half done, it is completed: the instance has none any more, or is gone.
        for facts in
            [Facts { configuration: None, ..attached() }, Facts { status: None, configuration: None, ..attached() }]
        {
            assert_eq!(decide(&facts).unwrap(), Change { detaches: false, deletes_stack: true });
        }
        let done = Facts { configuration: Some("mine".to_owned()), stack: None, ..attached() };
        assert_eq!(decide(&done).unwrap(), Change { detaches: false, deletes_stack: false });
    }

    #[test]
    fn what_would_lose_something_is_refused() {
        for (facts, said) in [
            (Facts { status: Some(Status::InService), ..attached() }, "aws sagemaker stop-notebook-instance"),
            (Facts { stack: Some(stack("true")), ..attached() }, "deletes the instance and its volume"),
            (Facts { stack: None, has_ours: false, ..attached() }, "--disassociate-lifecycle-config"),
            // Another stack's, by hand: this stack's deletion would not delete it, and the instance would lose what it is to have.
            (Facts { has_ours: false, ..attached() }, "was not made by reveille attach"),
            (
                Facts {
                    stack: Some(StackFacts { status: "UPDATE_IN_PROGRESS".to_owned(), ..stack("false") }),
                    ..attached()
                },
                "reveille deploy --follow --stack reveille-nightly",
            ),
        ] {
            let message = decide(&facts).unwrap_err().to_string();
            assert!(message.contains(said), "{message}");
        }
    }
}
