//! The stack: its status, its parts, its state machine, and whether they are of this command's version.

use super::{
    definition,
    finding::{Check, Finding},
};
use crate::{
    clients::checkup::{Known, MachineFacts, ResourceFacts},
    error::CliError,
};
use reveille_domain::VERSION;

/// The functions of this version, by their names in the template.
pub(super) const FUNCTIONS: [&str; 7] = [
    "AdmitRunFunction",
    "CheckInstanceFunction",
    "StartInstanceFunction",
    "AwaitRunFunction",
    "VerifyStoppedFunction",
    "ConcludeRunFunction",
    "SweepFunction",
];
/// The outputs that this command reads.
pub(super) const OUTPUTS: [&str; 11] = [
    "StateMachineArn",
    "RunsBucketName",
    "NotificationsTopicArn",
    "UndeliveredEventsUrl",
    "UndeliveredEventsArn",
    "SweepFailuresUrl",
    "UndeliveredNotificationsUrl",
    "FunctionLogGroup",
    "EventsRoleArn",
    "SchedulerRoleArn",
    "EventBus",
];
const UPGRADE: &str =
    "docs/upgrade.md: deploy this version's stack over it, or install the stack's version of the command";

/// What is found where the stack cannot be used at all.
pub(super) fn not_found(error: &CliError) -> Finding {
    let cure = match error {
        CliError::NoStack { .. } => {
            "aws cloudformation list-stacks (then --stack NAME or --region REGION); docs/deploy.md makes one"
        }
        CliError::Refused { .. } => {
            "ask for cloudformation:DescribeStacks on the stack; docs/cli.md lists what each command needs"
        }
        CliError::NotOurStack { .. } => UPGRADE,
        _ => "check the network, the region and AWS_ENDPOINT_URL, and run doctor again",
    };
    Finding::fail(Check::Stack, error.to_string(), cure)
}

pub(super) fn status(name: &str, status: &str, reason: Option<&str>) -> Finding {
    let because = reason.filter(|reason| !reason.is_empty()).map(|reason| format!(" ({reason})")).unwrap_or_default();
    let what = format!("the stack {name} is {status}{because}");
    let events = format!("aws cloudformation describe-stack-events --stack-name {name} --max-items 20");
    match status {
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" => Finding::ok(Check::StackStatus, what),
        "UPDATE_ROLLBACK_COMPLETE" => Finding::warn(
            Check::StackStatus,
            format!("{what}: its last update failed and was rolled back, so the version before is deployed"),
            format!("{events} (says what failed), then deploy again"),
        ),
        _ if status.ends_with("_IN_PROGRESS") => Finding::warn(
            Check::StackStatus,
            format!("{what}: somebody is changing it, so what follows may change"),
            format!("aws cloudformation wait stack-update-complete --stack-name {name}, then run doctor again"),
        ),
        "UPDATE_ROLLBACK_FAILED" => Finding::fail(
            Check::StackStatus,
            what,
            format!("aws cloudformation continue-update-rollback --stack-name {name} ({events} says what failed)"),
        ),
        _ => Finding::fail(Check::StackStatus, what, events),
    }
}

/// `missing`: the outputs of [`OUTPUTS`] that it does not have.
pub(super) fn outputs(missing: &[&str]) -> Finding {
    if missing.is_empty() {
        return Finding::ok(
            Check::StackOutputs,
            format!("it has all {} outputs that this command reads", OUTPUTS.len()),
        );
    }
    Finding::warn(
        Check::StackOutputs,
        format!(
            "it has no output {}: it is of another version than this command ({VERSION}), which reads it",
            missing.join(", ")
        ),
        UPGRADE,
    )
}

pub(super) fn parts(stack: &str, parts: &Known<Vec<ResourceFacts>>) -> Vec<Finding> {
    let parts = match parts {
        Ok(parts) => parts,
        Err(unknown) => return vec![Finding::unchecked(Check::StackParts, unknown)],
    };
    let mut findings: Vec<Finding> = parts.iter().filter(|part| part.status.ends_with("_FAILED")).map(failed).collect();
    let missing: Vec<&str> = FUNCTIONS.into_iter().filter(|name| find(parts, name).is_none()).collect();
    if !missing.is_empty() {
        let what = format!(
            "the stack has no {}: it is of another version than this command ({VERSION}), or a part of it was deleted",
            missing.join(", ")
        );
        findings.push(Finding::fail(Check::StackParts, what, UPGRADE));
    }
    if findings.is_empty() {
        let what = format!("its {} parts are there, {} functions among them", parts.len(), FUNCTIONS.len());
        findings.push(Finding::ok(Check::StackParts, what));
    }
    let drift = format!("aws cloudformation detect-stack-drift --stack-name {stack}");
    findings.into_iter().map(|it| if it.cure.is_none() { it } else { with(it, &drift) }).collect()
}

fn with(finding: Finding, more: &str) -> Finding {
    Finding { cure: finding.cure.as_ref().map(|cure| format!("{cure}; to see what differs: {more}")), ..finding }
}

fn failed(part: &ResourceFacts) -> Finding {
    let reason = part.reason.as_deref().unwrap_or("CloudFormation gives no reason");
    Finding::fail(
        Check::StackParts,
        format!("{} ({}) is {}: {reason}", part.name, part.id, part.status),
        "remove the cause and deploy again (docs/deploy.md)",
    )
}

/// A part by its name in the template.
pub(super) fn find<'a>(parts: &'a [ResourceFacts], name: &str) -> Option<&'a ResourceFacts> {
    parts.iter().find(|part| part.name == name && part.status != "DELETE_COMPLETE")
}

pub(super) fn machine(
    arn: &str,
    machine: &Known<Option<MachineFacts>>,
    parts: &Known<Vec<ResourceFacts>>,
) -> Vec<Finding> {
    let machine = match machine {
        Err(unknown) => return vec![Finding::unchecked(Check::StateMachine, unknown)],
        Ok(None) => {
            let what = format!("the state machine {arn} does not exist any more, so no run can start");
            return vec![Finding::fail(Check::StateMachine, what, "deploy the stack again (docs/deploy.md)")];
        }
        Ok(Some(machine)) => machine,
    };
    let mut findings = vec![if machine.status == "ACTIVE" {
        Finding::ok(Check::StateMachine, "the state machine is ACTIVE")
    } else {
        let what = format!("the state machine is {}, so no run can start", machine.status);
        Finding::fail(Check::StateMachine, what, "deploy the stack again under another name (docs/deploy.md)")
    }];
    findings.push(definition_of(machine, parts));
    findings
}

fn definition_of(machine: &MachineFacts, parts: &Known<Vec<ResourceFacts>>) -> Finding {
    if let Some(place) = definition::difference(&definition::ours(), &machine.definition) {
        let what = format!(
            "the state machine's definition does not match this command's version ({VERSION}); the first difference is at {place}"
        );
        return Finding::warn(Check::Definition, what, UPGRADE);
    }
    // A function that was replaced by hand has another name than CloudFormation knows.
    let stranger = definition::functions(&machine.definition).into_iter().find(|arn| !is_of_stack(arn, parts));
    match stranger {
        Some(arn) => Finding::fail(
            Check::Definition,
            format!("the state machine calls {arn}, which is not a function of the stack"),
            "deploy the stack again (docs/deploy.md)",
        ),
        None => Finding::ok(
            Check::Definition,
            format!("its definition is that of version {VERSION}, and calls the stack's functions"),
        ),
    }
}

fn is_of_stack(arn: &str, parts: &Known<Vec<ResourceFacts>>) -> bool {
    // What CloudFormation has is not known: the definition is judged alone.
    let Ok(parts) = parts else { return true };
    FUNCTIONS
        .iter()
        .filter_map(|name| find(parts, name))
        .any(|part| arn == part.id || arn.ends_with(&format!(":function:{}", part.id)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{FUNCTIONS, machine, not_found, outputs, parts, status};
    use crate::{
        clients::checkup::{MachineFacts, ResourceFacts, Unknown},
        commands::doctor::{
            definition,
            finding::{Check, Verdict, tests::found},
        },
        error::CliError,
    };

    fn part(name: &str, status: &str) -> ResourceFacts {
        ResourceFacts { name: name.to_owned(), id: format!("r-{name}"), status: status.to_owned(), reason: None }
    }

    fn all() -> Vec<ResourceFacts> {
        FUNCTIONS.iter().map(|name| part(name, "CREATE_COMPLETE")).collect()
    }

    /// The definition as a deployment makes it.
    fn deployed() -> Value {
        let mut text = definition::ours().to_string();
        for name in FUNCTIONS {
            let arn = format!("arn:aws:lambda:eu-west-1:1:function:r-{name}");
            text = text.replace(&format!("${{{name}Arn}}"), &arn);
        }
        for (name, value) in
            [("Partition", "aws"), ("StartPollSeconds", "30"), ("StopPollSeconds", "15"), ("HeartbeatSeconds", "300")]
        {
            text = text.replace(&format!("${{{name}}}"), value);
        }
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_stack_is_whole_changing_or_broken() {
        for (word, verdict, said) in [
            ("CREATE_COMPLETE", Verdict::Ok, "CREATE_COMPLETE"),
            ("UPDATE_COMPLETE", Verdict::Ok, "UPDATE_COMPLETE"),
            ("UPDATE_IN_PROGRESS", Verdict::Warn, "somebody is changing it"),
            ("UPDATE_ROLLBACK_COMPLETE", Verdict::Warn, "describe-stack-events"),
            ("UPDATE_ROLLBACK_FAILED", Verdict::Fail, "continue-update-rollback"),
            ("ROLLBACK_COMPLETE", Verdict::Fail, "describe-stack-events"),
            ("DELETE_FAILED", Verdict::Fail, "(a bucket)"),
        ] {
            found(&[status("reveille", word, Some("a bucket"))], Check::StackStatus, verdict, said);
        }
        found(&[outputs(&[])], Check::StackOutputs, Verdict::Ok, "11 outputs");
        found(&[outputs(&["EventBus"])], Check::StackOutputs, Verdict::Warn, "no output EventBus");
        let gone = CliError::NoStack { stack: "reveille".to_owned(), region: "eu-west-1".to_owned(), ours: Vec::new() };
        found(&[not_found(&gone)], Check::Stack, Verdict::Fail, "list-stacks");
    }

    #[test]
    fn a_part_that_is_missing_or_failed_is_named() {
        found(&parts("reveille", &Ok(all())), Check::StackParts, Verdict::Ok, "7 parts");
        let lacks = all().into_iter().filter(|part| part.name != "SweepFunction").collect();
        found(&parts("reveille", &Ok(lacks)), Check::StackParts, Verdict::Fail, "no SweepFunction");
        let broken = all().into_iter().chain([part("NotifyRule", "UPDATE_FAILED")]).collect();
        found(
            &parts("reveille", &Ok(broken)),
            Check::StackParts,
            Verdict::Fail,
            "NotifyRule (r-NotifyRule) is UPDATE_FAILED",
        );
        let denied = Err(Unknown::Denied("cloudformation:DescribeStackResources"));
        found(
            &parts("reveille", &denied),
            Check::StackParts,
            Verdict::Unchecked,
            "cloudformation:DescribeStackResources",
        );
    }

    #[test]
    fn a_definition_of_another_version_or_with_a_strangers_function_is_found() {
        let judge = |status: &str, definition| {
            machine("arn", &Ok(Some(MachineFacts { status: status.to_owned(), definition })), &Ok(all()))
        };
        let good = judge("ACTIVE", deployed());
        found(&good, Check::StateMachine, Verdict::Ok, "ACTIVE");
        found(&good, Check::Definition, Verdict::Ok, "the stack's functions");
        found(&judge("DELETING", deployed()), Check::StateMachine, Verdict::Fail, "DELETING");
        let mut older = deployed();
        older["States"]["AwaitRun"]["TimeoutSeconds"] = json!(1);
        found(&judge("ACTIVE", older), Check::Definition, Verdict::Warn, "States.AwaitRun.TimeoutSeconds");
        let moved = deployed().to_string().replace("r-AwaitRunFunction", "mine");
        let moved = serde_json::from_str(&moved).unwrap();
        found(&judge("ACTIVE", moved), Check::Definition, Verdict::Fail, "function:mine");
        found(&machine("arn:m", &Ok(None), &Ok(all())), Check::StateMachine, Verdict::Fail, "arn:m does not exist");
    }
}
