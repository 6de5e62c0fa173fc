//! Asks for the instances that are looked at, and judges each.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Utc;
use futures_util::{StreamExt, stream};
use reveille_domain::InstanceName;
use reveille_lifecycle::AttachedScript;

use super::{
    finding::{Check, Finding, about},
    instance::{self, Served},
    lease::{self, Recorded},
    permissions, ran,
    script::{self, Attached},
    trigger::Trigger,
    triggers::KnownTriggers,
};
use crate::clients::{
    AT_ONCE, Account, Instance,
    checkup::{InstanceFacts, Known, LastRuns, Unknown, ask},
};

/// How lifecycle configurations of infra/instance.yaml begin.
const OURS: &str = "reveille";
/// More than a person reads.
const MOST: usize = 50;

/// The instances that a person named, or else those that the stack has to do with, and what is said of the choice.
pub(super) async fn chosen(
    account: &Account,
    named: &[InstanceName],
    triggers: &KnownTriggers,
) -> (Vec<InstanceName>, Vec<Finding>) {
    if !named.is_empty() {
        return (named.to_vec(), Vec::new());
    }
    let (recorded, configured) = tokio::join!(
        ask("s3:ListBucket", account.instances_with_records()),
        ask("sagemaker:ListNotebookInstances", account.instances_configured_as(OURS)),
    );
    let listed = match &triggers.instances {
        Ok(listed) => listed,
        Err(unknown) => return (Vec::new(), vec![Finding::unchecked(Check::Instances, unknown)]),
    };
    let mut ours: BTreeSet<String> = triggers.all().filter_map(Trigger::instance).map(str::to_owned).collect();
    let looked = [recorded, configured];
    let not_known: Vec<Finding> =
        looked.iter().filter_map(|asked| Some(Finding::unchecked(Check::Instances, asked.as_ref().err()?))).collect();
    let all_known = not_known.is_empty();
    ours.extend(looked.into_iter().flatten().flatten());
    // What is named by records or triggers may be gone.
    let there = listed.iter().filter(|name| ours.contains(*name));
    let mut ours: Vec<InstanceName> = there.filter_map(|name| InstanceName::parse(name).ok()).collect();
    let left_out = ours.len().saturating_sub(MOST);
    ours.truncate(MOST);
    let said = match (ours.len(), left_out) {
        (0, _) if !all_known => None,
        (0, _) => Some(Finding::ok(
            Check::Instances,
            "no instance of this account has run anything for this stack yet; docs/deploy.md#3-the-notebook-instance makes one",
        )),
        (_, 0) => None,
        (count, left_out) => Some(Finding::warn(
            Check::Instances,
            format!("{count} instances are checked, and {left_out} are not"),
            "reveille doctor INSTANCE (checks the ones that you name)",
        )),
    };
    (ours, not_known.into_iter().chain(said).collect())
}

pub(super) async fn findings(
    account: &Account,
    names: &[InstanceName],
    served: &Served,
    other: Option<&Unknown>,
) -> Vec<Finding> {
    if names.is_empty() {
        return Vec::new();
    }
    let last = ask("states:ListExecutions, states:DescribeExecution", account.last_runs()).await;
    let look = async |name: &InstanceName| Box::pin(one(account, name, served, &last, other)).await;
    let mut looked: Vec<Looked> = stream::iter(names).map(look).buffered(AT_ONCE).collect().await;
    name_runners(account, &mut looked).await;
    // Instances of one release fetch one runner: it is read once.
    let wanted: BTreeSet<&str> = looked.iter().filter_map(|it| Some(it.script.as_ref()?.runner_key.as_str())).collect();
    let read = async |key: &str| (key.to_owned(), ask("s3:GetObject", account.sha256(key)).await);
    let runners: BTreeMap<String, Known<Option<String>>> = stream::iter(wanted).map(read).buffered(2).collect().await;
    let mut findings = Vec::new();
    for Looked { name, findings: mut of_one, script } in looked {
        let found = script.and_then(|it| Some(script::runner(&it, &account.layout, runners.get(&it.runner_key)?)));
        of_one.extend(found);
        of_one.sort_by_key(|finding| finding.check);
        findings.extend(about(name.as_str(), of_one));
    }
    findings
}

/// Gives each script that starts what the stack installed the runner that it would start now.
async fn name_runners(account: &Account, looked: &mut [Looked]) {
    let follows = |it: &Looked| it.script.as_ref().is_some_and(|script| script.runner_key.is_empty());
    if !looked.iter().any(follows) {
        return;
    }
    let installed = ask("s3:GetObject", account.installed_runner()).await;
    for it in looked.iter_mut().filter(|it| follows(it)) {
        if let (Ok(Some((key, sha256))), Some(script)) = (&installed, &mut it.script) {
            script.runner_key.clone_from(key);
            script.runner_sha256.clone_from(sha256);
        } else {
            it.script = None;
            it.findings.push(script::no_runner(&account.layout, &installed));
        }
    }
}

/// What was found of an instance so far.
struct Looked {
    name: InstanceName,
    findings: Vec<Finding>,
    /// Its script, if that fetches a runner from this stack's bucket.
    script: Option<AttachedScript>,
}

async fn one(
    account: &Account,
    name: &InstanceName,
    served: &Served,
    last: &Known<LastRuns>,
    other: Option<&Unknown>,
) -> Looked {
    let now = Utc::now();
    let (facts, lease) = tokio::join!(
        ask("sagemaker:DescribeNotebookInstance", account.instance_facts(name.as_str())),
        ask("s3:GetObject", account.lease_facts(name)),
    );
    let mut findings = vec![instance::instance(name.as_str(), &facts, &account.region, now)];
    let Ok(Some(facts)) = facts else { return Looked { name: name.clone(), findings, script: None } };
    findings.extend(instance::name(name.as_str(), served));
    let ran = last.as_ref().ok().and_then(|last| last.on(name.as_str()));
    findings.extend(instance::settings(name.as_str(), &facts, served, ran, now));
    findings.push(match last {
        Ok(_) => instance::runner_version(ran.and_then(|ran| ran.well.as_ref()), now),
        Err(unknown) => Finding::unchecked(Check::RunnerVersion, unknown),
    });
    findings.extend(ran::findings(last, name.as_str(), now));
    findings.extend(permissions::of_instance(account, facts.role.as_deref(), name.as_str(), other).await);
    let (of_script, fetched) = script::script(name.as_str(), &attached(account, &facts).await, &account.layout);
    findings.extend(of_script);
    let holder = match &lease {
        Ok(Ok(Some(lease))) => Some(ask("s3:GetObject, states:DescribeExecution", account.holder(name, lease)).await),
        _ => None,
    };
    findings.extend(lease::findings(&listed(name, &facts), &Recorded { lease, holder }, &account.layout, now));
    // A runner of another stack is in another bucket.
    let script = fetched.filter(|script| script.bucket == account.layout.bucket);
    Looked { name: name.clone(), findings, script }
}

async fn attached(account: &Account, facts: &InstanceFacts) -> Attached {
    let Some(name) = facts.lifecycle_configuration.clone() else { return Attached { name: None, content: Ok(None) } };
    let content = ask("sagemaker:DescribeNotebookInstanceLifecycleConfig", account.on_start(&name)).await;
    Attached { name: Some(name), content }
}

/// The same as a list shows it.
fn listed(name: &InstanceName, facts: &InstanceFacts) -> Instance {
    Instance {
        name: name.clone(),
        kind: String::new(),
        status: facts.status.clone(),
        since: facts.since,
        has_lifecycle_configuration: facts.lifecycle_configuration.is_some(),
        lease: None,
        is_lease_damaged: false,
        holder: None,
    }
}
