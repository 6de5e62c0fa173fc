//! `reveille doctor`: what goes wrong in practice, each with its cure. What is asked is asked at the same time; each file below judges a group
//! of facts.

mod account;
mod bucket;
mod definition;
mod finding;
mod grants;
mod instance;
mod instances;
mod lease;
mod permissions;
mod ran;
mod screen;
mod script;
mod stack;
mod sweeps;
mod trigger;
mod triggers;

use chrono::Utc;
use reveille_domain::InstanceName;

use finding::{Check, Finding, Verdict};
use instance::Served;

use crate::{
    arguments::{DoctorArguments, Format},
    clients::{
        Account,
        checkup::{Known, ResourceFacts, Unknown, ask, greet},
        configured, status_of,
    },
    error::CliError,
    exit::Exit,
    ui::terminal::Terminal,
};

pub(crate) async fn run(terminal: &Terminal, arguments: &DoctorArguments) -> Result<Exit, CliError> {
    terminal.step("asking AWS");
    let mut findings = Box::pin(examine(arguments)).await;
    terminal.clear();
    for cure in findings.iter_mut().filter_map(|finding| finding.cure.as_mut()) {
        *cure = terminal.advice(cure);
    }
    match arguments.format.output {
        Format::Json => Terminal::result(&screen::as_json(&findings)),
        Format::Table => screen::show(terminal, &findings),
    }
    Ok(exit(&findings))
}

/// By the worst finding. Without credentials nothing else is known.
fn exit(findings: &[Finding]) -> Exit {
    let failed = |finding: &&Finding| finding.verdict == Verdict::Fail;
    match findings.iter().find(failed) {
        None => Exit::Done,
        Some(finding) if finding.check == Check::Credentials => Exit::NoCredentials,
        Some(_) => Exit::Unsound,
    }
}

/// All findings, in the order of the screen.
async fn examine(arguments: &DoctorArguments) -> Vec<Finding> {
    let configured = match configured(&arguments.stack).await {
        Ok(configured) => configured,
        Err(error) => return account::not_configured(&error),
    };
    let region = configured.config.region().map(ToString::to_string).unwrap_or_default();
    let (greeting, stack) =
        tokio::join!(greet(&configured.config), Account::on(configured.config.clone(), &arguments.stack));
    let mut findings = account::configured(&region, configured.expires, &greeting, Utc::now());
    if findings.iter().any(|finding| finding.verdict == Verdict::Fail && finding.check == Check::Credentials) {
        return findings;
    }
    match stack {
        Ok(account) => {
            let ((stack, parts), triggers) = tokio::join!(of_stack(&account), triggers::known(&account));
            let (looked_at, rest) = instances::chosen(&account, &arguments.instances, &triggers).await;
            let names: Vec<&str> = looked_at.iter().map(InstanceName::as_str).collect();
            let served = served(&account);
            let other = permissions::another_version(&stack);
            let (permissions, of_triggers, of_instances) = tokio::join!(
                permissions::of_stack(&account, &stack, &parts, &names),
                triggers::findings(&account, &triggers),
                instances::findings(&account, &looked_at, &served, other.as_ref()),
            );
            let mut stack: Vec<Finding> = stack.into_iter().chain(permissions).collect();
            stack.sort_by_key(|finding| finding.check);
            findings.extend(stack.into_iter().chain(of_triggers).chain(rest).chain(of_instances));
        }
        Err(error @ (CliError::Refused { .. } | CliError::NoCredentials { .. })) => {
            findings.push(Finding { check: Check::Credentials, ..stack::not_found(&error) });
        }
        Err(error) => {
            findings.push(stack::not_found(&error));
            // One whose first creation failed has no outputs: its status says more than that.
            if let (CliError::NotOurStack { .. }, name) = (&error, &arguments.stack.stack)
                && let Ok((status, reason)) = status_of(&configured.config, name).await
            {
                findings.push(stack::status(name, &status, reason.as_deref()));
            }
        }
    }
    findings
}

/// What the stack grants its functions.
fn served(account: &Account) -> Served {
    let list = |name: &str| -> Vec<String> {
        let value = account.parameter(name).unwrap_or_default();
        value.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    };
    Served {
        names: account.parameter("InstanceNames"),
        in_vpc: account.parameter("InstancesInVpc").as_deref() == Some("true"),
        keys: list("InstanceKeyArns"),
        git: !list("GitSecretArns").is_empty(),
    }
}

/// The stack, its bucket and what nobody waits for; and the stack's parts.
async fn of_stack(account: &Account) -> (Vec<Finding>, Known<Vec<ResourceFacts>>) {
    let queue = async |output: &'static str| match account.output(output) {
        Ok(url) => ask("sqs:GetQueueAttributes", account.messages(&url)).await,
        Err(error) => Err(Unknown::Failed(error.to_string())),
    };
    let sweeper = account.layout.sweeper();
    let (parts, machine, bucket, place, failures, notifications, undelivered) = tokio::join!(
        ask("cloudformation:DescribeStackResources", account.resources()),
        ask("states:DescribeStateMachine", account.machine()),
        account.bucket_facts(publishes_progress(account)),
        ask("s3:GetObject", account.heading(&sweeper)),
        queue("SweepFailuresUrl"),
        queue("UndeliveredNotificationsUrl"),
        queue("UndeliveredEventsUrl"),
    );
    let name = account.stack_name();
    let (status, reason) = account.stack_status();
    let missing: Vec<&str> = stack::OUTPUTS.into_iter().filter(|output| account.output(output).is_err()).collect();
    let mut findings = vec![stack::status(name, status, reason), stack::outputs(&missing)];
    findings.extend(stack::parts(name, &parts));
    findings.extend(stack::machine(&account.state_machine, &machine, &parts));
    findings.extend(own_rules(account, &parts).await);
    let schedule = account.parameter("SweepSchedule").unwrap_or_default();
    findings.push(sweeps::sweeper(&place, &schedule, account.stack_made(), Utc::now()));
    findings.push(sweeps::sweep_failures(&failures));
    findings.push(sweeps::undelivered_notifications(&notifications));
    findings.push(sweeps::undelivered(&undelivered));
    let adopted = account.parameter("ExistingRunsBucket").is_some_and(|name| !name.is_empty());
    findings.extend(bucket::bucket(&account.layout.bucket, &account.region, adopted, &bucket));
    (findings, parts)
}

const STAYS: &str = "an instance that a run left on stays on, and a stopped run gets no outcome";

/// The rules that call the sweeper, and the one that tells how runs ended.
async fn own_rules(account: &Account, parts: &Known<Vec<ResourceFacts>>) -> Vec<Finding> {
    let one = async |check, name, for_what| {
        let found = match parts {
            Err(unknown) => Err(unknown.clone()),
            Ok(parts) => match stack::find(parts, name) {
                None => Ok(None),
                Some(part) => ask("events:DescribeRule, events:ListTargetsByRule", account.rule_facts(&part.id)).await,
            },
        };
        sweeps::rule(check, name, for_what, parts, &found)
    };
    let [timer, ended] = sweeps::SWEEPER_RULES;
    let progress = async {
        if !publishes_progress(account) {
            return None;
        }
        Some(one(Check::NotifyRule, sweeps::PROGRESS_RULE, "no QUEUED and RUNNING events are published").await)
    };
    let (timer, ended, notify, progress) = tokio::join!(
        one(Check::SweeperRules, timer, STAYS),
        one(Check::SweeperRules, ended, "a stopped run gets its outcome some minutes late"),
        one(Check::NotifyRule, sweeps::NOTIFY_RULE, "nobody is told when runs end"),
        progress,
    );
    [timer, ended, notify].into_iter().chain(progress).collect()
}

fn publishes_progress(account: &Account) -> bool {
    account.parameter("PublishProgress").as_deref() == Some("true")
}

#[cfg(test)]
mod tests {
    use super::{
        exit,
        finding::{Check, Finding},
    };
    use crate::exit::Exit;

    #[test]
    fn the_exit_code_is_that_of_the_worst_finding() {
        let (fine, odd) = (Finding::ok(Check::Clock, "a"), Finding::warn(Check::Clock, "a", "b"));
        assert_eq!(exit(&[fine.clone(), odd.clone()]), Exit::Done);
        assert_eq!(exit(&[fine, odd, Finding::fail(Check::Lease, "a", "b")]).number(), 3);
        assert_eq!(exit(&[Finding::fail(Check::Credentials, "a", "b")]).number(), 4);
    }
}
