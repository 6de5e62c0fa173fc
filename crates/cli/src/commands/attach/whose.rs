//! Whose a stack is that has the name of an instance's. `STACK-INSTANCE` may be that of several: `etl` of `reveille-prod` and `prod-etl` of
//! `reveille` have one. Decides from what was seen; changes nothing.

use reveille_domain::layout::Layout;

use crate::{
    clients::{StackFacts, StackResource, Stacks},
    commands::deploy::standing,
    error::CliError,
};

/// The type of a lifecycle configuration.
const CONFIGURATION: &str = "AWS::SageMaker::NotebookInstanceLifecycleConfig";

/// Whether a stack has a lifecycle configuration. Its id there is its name, or an ARN that ends in it.
pub(in crate::commands) fn has(resources: &[StackResource], configuration: &str) -> bool {
    resources.iter().any(|it| it.kind == CONFIGURATION && it.physical.rsplit('/').next() == Some(configuration))
}

/// A stack's own name, which may be given by its ARN: `arn:aws:cloudformation:REGION:ACCOUNT:stack/NAME/ID`. The stack may be gone.
pub(in crate::commands) fn name_of(stack: &str) -> &str {
    let of_arn = stack.strip_prefix("arn:").and_then(|arn| arn.split('/').nth(1));
    of_arn.unwrap_or(stack)
}

/// The stack with the name that an instance's has; `None`: there is none. `layout` is where the main stack puts its runs, if there is one.
///
/// # Errors
/// It is something else's, or AWS refuses to say.
pub(in crate::commands) async fn found(
    stacks: &Stacks,
    (name, instance): (&str, &str),
    layout: Option<&Layout>,
) -> Result<Option<StackFacts>, CliError> {
    let Some(stack) = stacks.found(name).await? else { return Ok(None) };
    if stack.is_empty() && !stacks.is_free(&stack).await? {
        return Err(CliError::NotNow(format!(
            "somebody else is about to make the stack {name}: it has a change set that is not of this command, and nothing was changed. To see it: aws cloudformation list-change-sets --stack-name {name}"
        )));
    }
    let description = stacks.description(&stack).await?;
    match objection(&stack, &description, instance, layout) {
        None => Ok(Some(stack)),
        Some(problem) => Err(CliError::NotNow(problem)),
    }
}

fn objection(stack: &StackFacts, description: &str, instance: &str, layout: Option<&Layout>) -> Option<String> {
    let name = &stack.name;
    let by_hand = "Nothing was changed. Give it a stack of another name by hand: docs/deploy.md, \"An instance that you already have\"";
    if stack.is_empty() {
        return None;
    }
    if description.starts_with(standing::OURS) {
        return Some(format!(
            "the stack {name} is a main stack of Reveille, and not the one that {instance} gets, which would have the same name. {by_hand}"
        ));
    }
    if !description.starts_with(standing::OF_AN_INSTANCE) {
        return Some(format!(
            "the stack {name} is not one that reveille attach made, and the one that {instance} gets would have the same name. {by_hand}"
        ));
    }
    let has = |parameter: &str| stack.parameters.get(parameter).map(String::as_str).unwrap_or_default();
    if has("InstanceName") != instance {
        return Some(format!(
            "the stack {name} is that of another instance, {}, and the one that {instance} gets would have the same name. {by_hand}",
            has("InstanceName")
        ));
    }
    let (bucket, prefix) = (has("RunsBucket"), has("RunsPrefix"));
    if let Some(layout) = layout.filter(|layout| layout.bucket != bucket || layout.prefix != prefix) {
        return Some(format!(
            "the stack {name} is for runs in s3://{bucket}/{prefix}, and this stack has its runs in s3://{}/{}. Take that runner off first: reveille detach {instance}",
            layout.bucket, layout.prefix
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use reveille_domain::layout::Layout;

    use super::{CONFIGURATION, has, name_of, objection, standing::OF_AN_INSTANCE};
    use crate::clients::{StackFacts, StackResource};

    fn stack(instance: &str) -> StackFacts {
        StackFacts {
            name: "reveille-prod-etl".to_owned(),
            status: "CREATE_COMPLETE".to_owned(),
            parameters: [("InstanceName", instance), ("RunsBucket", "runs-1"), ("RunsPrefix", "team/")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..StackFacts::default()
        }
    }

    fn layout(bucket: &str) -> Layout {
        Layout { bucket: bucket.to_owned(), prefix: "team/".to_owned() }
    }

    /// `etl` of the stack `reveille-prod`, and `prod-etl` of the stack `reveille`.
    #[test]
    fn two_instances_whose_stacks_would_have_one_name_are_told_apart() {
        assert_eq!(objection(&stack("etl"), OF_AN_INSTANCE, "etl", Some(&layout("runs-1"))), None);
        assert_eq!(objection(&stack("etl"), OF_AN_INSTANCE, "etl", None), None, "the main stack may be gone");
        for (instance, description, bucket, said) in [
            ("prod-etl", OF_AN_INSTANCE, "runs-1", "is that of another instance, etl"),
            ("etl", OF_AN_INSTANCE, "runs-2", "is for runs in s3://runs-1/team/"),
            ("etl", "Reveille: runs notebooks", "runs-1", "is a main stack of Reveille"),
            ("etl", "A database", "runs-1", "is not one that reveille attach made"),
        ] {
            let problem = objection(&stack("etl"), description, instance, Some(&layout(bucket))).unwrap();
            assert!(problem.contains(said), "{problem}");
        }
        // A change set made it, and nothing is in it.
        let empty = StackFacts { status: "REVIEW_IN_PROGRESS".to_owned(), ..StackFacts::default() };
        assert_eq!(objection(&empty, "", "etl", None), None);
    }

    #[test]
    fn a_stack_has_what_it_lists() {
        let of = |kind: &str, physical: &str| StackResource {
            logical: "LifecycleConfig".to_owned(),
            physical: physical.to_owned(),
            kind: kind.to_owned(),
        };
        let arn = "arn:aws:sagemaker:eu-west-1:1:notebook-instance-lifecycle-config/reveille-etl";
        assert!(has(&[of("AWS::IAM::Role", "x"), of(CONFIGURATION, "reveille-etl")], "reveille-etl"));
        assert!(has(&[of(CONFIGURATION, arn)], "reveille-etl"));
        assert!(!has(&[of(CONFIGURATION, "reveille-prod-etl"), of("AWS::IAM::Role", "reveille-etl")], "reveille-etl"));
    }

    #[test]
    fn a_stack_by_its_arn_has_a_name() {
        assert_eq!(name_of("arn:aws:cloudformation:eu-west-1:1:stack/reveille-prod/0a1b"), "reveille-prod");
        assert_eq!(name_of("reveille"), "reveille");
    }
}
