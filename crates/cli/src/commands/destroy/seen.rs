//! What a stack has, what stays of it, and what still needs it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    arguments::DestroyArguments,
    clients::{Account, Change, Effect, StackFacts, StackResource, Stacks},
    commands::{deploy::with_stack, on_run, on_upload, stacks::show},
    error::CliError,
    ui::terminal::{Terminal, Tone},
};

/// More than anybody reads.
const MOST_RUNS: usize = 20;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    stack: String,
    changes: Vec<Change>,
    /// The runs bucket, if it stays.
    bucket: Option<String>,
    runs: Vec<String>,
    /// Each as the command that removes it.
    triggers: Vec<String>,
    /// Stacks that use the outputs of this one.
    importers: Vec<String>,
    /// Each with its lifecycle configuration.
    instances: Vec<(String, String)>,
    /// What could not be looked for, each as a sentence.
    not_checked: Vec<String>,
    /// A deletion began before: what was checked then need not be whole now.
    is_half_gone: bool,
}

impl Seen {
    /// # Errors
    /// AWS refuses to say.
    pub(super) async fn of(
        stacks: &Stacks,
        stack: &StackFacts,
        arguments: &DestroyArguments,
    ) -> Result<Self, CliError> {
        let is_half_gone = stack.status == "DELETE_FAILED";
        let mut seen = Self { stack: stack.name.clone(), is_half_gone, ..Self::default() };
        if stack.is_empty() {
            return Ok(seen);
        }
        let resources = stacks.resources(&stack.id).await?;
        let kept = kept(&stacks.template(&stack.id).await?);
        seen.bucket = bucket(stack, &resources, &kept);
        seen.changes = changes(resources, &kept);
        let mut importers = BTreeSet::new();
        for export in stack.outputs.iter().filter_map(|output| output.export.as_deref()) {
            importers.extend(stacks.importers(export).await?);
        }
        seen.importers = importers.into_iter().collect();
        match Account::on(stacks.config.clone(), &arguments.stack).await {
            Ok(account) => seen.ask(&account).await?,
            // One whose creation failed has no runs and no triggers.
            Err(CliError::NotOurStack { .. }) if never_was(&stack.status) => {}
            Err(CliError::NotOurStack { output, .. }) => seen.skip("its runs, triggers and instances", output),
            Err(error) => return Err(error),
        }
        Ok(seen)
    }

    fn skip(&mut self, what: &str, output: &str) {
        self.not_checked.push(format!("{what}: the stack {} has no output {output}", self.stack));
    }

    /// Why it should not be deleted any more: somebody may have started runs while a person read and typed.
    ///
    /// # Errors
    /// AWS refuses to say.
    pub(super) async fn objection_now(
        &self,
        stacks: &Stacks,
        arguments: &DestroyArguments,
    ) -> Result<Option<String>, CliError> {
        let running = match Account::on(stacks.config.clone(), &arguments.stack).await {
            Ok(account) => account.under_way(MOST_RUNS).await?,
            Err(CliError::NotOurStack { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        let runs = running.iter().map(|execution| execution.run().to_string()).collect();
        Ok(Self { stack: self.stack.clone(), runs, ..Self::default() }.objection(arguments.force))
    }

    async fn ask(&mut self, account: &Account) -> Result<(), CliError> {
        let running = account.under_way(MOST_RUNS).await?;
        self.runs = running.iter().map(|execution| execution.run().to_string()).collect();
        self.instances = account.attached_here().await?;
        // Those of small stacks are among them, and need those stacks first.
        if self.importers.is_empty() {
            let schedules = account.schedules(None).await?;
            let remove = |verb: &str, name: &str| with_stack(&format!("reveille {verb} remove {name}"), &self.stack);
            let mut triggers: Vec<String> = schedules.iter().map(|it| remove("schedule", &it.name)).collect();
            triggers.extend(on_upload::made_here(account).await?.iter().map(|name| remove("on-upload", name)));
            match on_run::made_here(account).await {
                Ok(names) => triggers.extend(names.iter().map(|name| remove("on-run", name))),
                // A bus that is gone has no rules.
                Err(CliError::NotThere(_)) => {}
                Err(CliError::NotOurStack { output, .. }) => self.skip("its triggers on runs", output),
                Err(error) => return Err(error),
            }
            self.triggers = triggers;
        }
        Ok(())
    }

    /// How many resources go.
    pub(super) fn deleted(&self) -> usize {
        self.changes.iter().filter(|change| change.effect == Effect::Removed).count()
    }

    pub(super) fn show(&self, terminal: &Terminal, stack: &StackFacts, region: &str) {
        terminal.lines(&format!("The stack {} in {region} ({}) will be deleted:", stack.name, stack.status));
        terminal.line("");
        if !self.changes.is_empty() {
            show(terminal, &self.changes);
            terminal.line("");
        }
        if let Some(bucket) = &self.bucket {
            terminal.marked(
                Tone::Good,
                "✓",
                &format!("The bucket {bucket} is kept, with all records and outputs of the runs."),
            );
        }
        if !self.instances.is_empty() {
            let names: Vec<&str> = self.instances.iter().map(|(instance, _)| instance.as_str()).collect();
            terminal.marked(
                Tone::Moving,
                "!",
                &format!(
                    "Have the lifecycle configuration of this stack's runner, and keep it: {}. It then finds no runs, and leaves the instance alone.",
                    names.join(", ")
                ),
            );
        }
        for what in &self.not_checked {
            terminal.marked(Tone::Moving, "!", &format!("Not checked: {what}."));
        }
        if self.bucket.is_some() || !self.instances.is_empty() || !self.not_checked.is_empty() {
            terminal.line("");
        }
    }

    /// Why it should not be deleted as things are.
    pub(super) fn objection(&self, force: bool) -> Option<String> {
        let stack = &self.stack;
        if !self.importers.is_empty() {
            let delete =
                self.importers.iter().map(|name| format!("aws cloudformation delete-stack --stack-name {name}"));
            return Some(format!(
                "CloudFormation does not delete {stack} while other stacks use it. Delete those first:\n  {}",
                delete.collect::<Vec<_>>().join("\n  ")
            ));
        }
        if force {
            return None;
        }
        if !self.triggers.is_empty() {
            return Some(format!(
                "these triggers would be left, and start runs of a stack that is gone. Remove them first, or add --force:\n  {}",
                self.triggers.join("\n  ")
            ));
        }
        if !self.runs.is_empty() {
            return Some(format!(
                "runs are under way, and without the stack nobody stops the instances that they left on. Wait for them or stop them first, or add --force:\n  {}",
                with_stack(&format!("reveille cancel {}", self.runs.join(" ")), stack)
            ));
        }
        if !self.not_checked.is_empty() && !self.is_half_gone {
            return Some(format!(
                "not everything that needs the stack could be looked for. To delete it all the same, add --force:\n  {}",
                self.not_checked.join("\n  ")
            ));
        }
        None
    }

    /// What is left, each with the command that removes it.
    pub(super) fn remains(&self) -> Vec<String> {
        let mut remains = Vec::new();
        if let Some(bucket) = &self.bucket {
            remains.push(format!(
                "The bucket {bucket} is kept. It keeps old versions too: to remove it, choose Empty in the S3 console, then: aws s3 rb s3://{bucket}"
            ));
        }
        for (instance, _) in &self.instances {
            let detach = with_stack(&format!("reveille detach {instance}"), &self.stack);
            remains.push(format!(
                "The instance {instance} has a lifecycle configuration that is of no use any more: {detach}"
            ));
        }
        remains
    }

    pub(super) fn as_json(&self, stack: &StackFacts, status: &str) -> Value {
        let names = |effect| {
            let of = self.changes.iter().filter(move |change| change.effect == effect);
            of.map(|change| change.resource.as_str()).collect::<Vec<_>>()
        };
        json!({
            "stack": stack.name,
            "status": status,
            "deletes": names(Effect::Removed),
            "keeps": names(Effect::Kept),
            "bucket": self.bucket,
            "instances": self.instances.iter().map(|(instance, _)| instance).collect::<Vec<_>>(),
            "runs": self.runs,
            "triggers": self.triggers,
            "notChecked": self.not_checked,
        })
    }
}

/// Whether a stack never was whole, so that nothing can use it.
fn never_was(status: &str) -> bool {
    matches!(status, "CREATE_FAILED" | "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED")
}

/// The logical names of what stays, in a template as CloudFormation expanded it.
fn kept(template: &str) -> BTreeSet<String> {
    let template: Value = serde_json::from_str(template).unwrap_or_default();
    let resources = template["Resources"].as_object().cloned().unwrap_or_default();
    let stays = |it: &Value| {
        // A stack that has been made keeps these; the second goes only with a creation that fails.
        matches!(it["DeletionPolicy"].as_str(), Some("Retain" | "RetainExceptOnCreate"))
    };
    resources.into_iter().filter(|(_, resource)| stays(resource)).map(|(name, _)| name).collect()
}

fn changes(resources: Vec<StackResource>, kept: &BTreeSet<String>) -> Vec<Change> {
    let mut changes: Vec<Change> = resources
        .into_iter()
        .map(|it| Change {
            effect: if kept.contains(&it.logical) { Effect::Kept } else { Effect::Removed },
            resource: it.logical,
            kind: it.kind,
            properties: Vec::new(),
        })
        .collect();
    changes.sort_by(|one, other| (one.effect, &one.kind).cmp(&(other.effect, &other.kind)));
    changes
}

/// The bucket with the records: one that the stack made stays by its policy, one that it was given is not its own.
fn bucket(stack: &StackFacts, resources: &[StackResource], kept: &BTreeSet<String>) -> Option<String> {
    let made = resources.iter().find(|it| it.logical == "RunsBucket" && kept.contains(&it.logical));
    let given = stack.parameters.get("ExistingRunsBucket").filter(|name| !name.is_empty()).cloned();
    made.map(|it| it.physical.clone()).or(given)
}

#[cfg(test)]
mod tests {
    use super::{Seen, bucket, changes, kept};
    use crate::clients::{Effect, StackFacts, StackResource};

    fn resource(logical: &str, kind: &str) -> StackResource {
        StackResource { logical: logical.to_owned(), physical: format!("{logical}-1"), kind: kind.to_owned() }
    }

    #[test]
    fn what_stays_is_told_from_what_goes() {
        let template = r#"{"Resources": {"RunsBucket": {"DeletionPolicy": "RetainExceptOnCreate"}, "Queue": {"DeletionPolicy": "Delete"}, "Role": {}}}"#;
        let kept = kept(template);
        assert_eq!(kept.iter().collect::<Vec<_>>(), ["RunsBucket"]);
        let resources = vec![resource("RunsBucket", "AWS::S3::Bucket"), resource("Queue", "AWS::SQS::Queue")];
        let stack = StackFacts::default();
        assert_eq!(bucket(&stack, &resources, &kept).as_deref(), Some("RunsBucket-1"));
        let given = [("ExistingRunsBucket".to_owned(), "mine".to_owned())].into();
        let adopted = StackFacts { parameters: given, ..StackFacts::default() };
        assert_eq!(bucket(&adopted, &[], &kept).as_deref(), Some("mine"));
        let effects: Vec<_> = changes(resources, &kept).into_iter().map(|it| (it.effect, it.resource)).collect();
        assert_eq!(effects, [(Effect::Removed, "Queue".to_owned()), (Effect::Kept, "RunsBucket".to_owned())]);
    }

    #[test]
    fn what_needs_the_stack_is_named_with_its_command() {
        let seen = Seen { stack: "mine".to_owned(), ..Seen::default() };
        assert_eq!(seen.objection(false), None);
        let running = Seen { runs: vec!["daily-1".to_owned(), "daily-2".to_owned()], ..seen.clone() };
        assert!(running.objection(false).unwrap().ends_with("reveille cancel daily-1 daily-2 --stack mine"));
        assert_eq!(running.objection(true), None);
        let blind = Seen { not_checked: vec!["its triggers on runs: no output".to_owned()], ..seen.clone() };
        assert!(blind.objection(false).unwrap().ends_with("add --force:\n  its triggers on runs: no output"));
        assert_eq!(blind.objection(true), None);
        // Whoever began the deletion was asked then.
        assert_eq!(Seen { is_half_gone: true, ..blind }.objection(false), None);
        // CloudFormation would refuse, whatever is told.
        let used = Seen { importers: vec!["orders".to_owned()], ..running };
        for force in [false, true] {
            assert!(used.objection(force).unwrap().ends_with("delete-stack --stack-name orders"));
        }
        let bound = Seen {
            bucket: Some("b".to_owned()),
            instances: vec![("nightly".to_owned(), "reveille-nightly".to_owned())],
            ..seen
        };
        let remains = bound.remains();
        assert!(
            remains[0].ends_with("aws s3 rb s3://b") && remains[1].ends_with("reveille detach nightly --stack mine"),
            "{remains:?}"
        );
    }
}
