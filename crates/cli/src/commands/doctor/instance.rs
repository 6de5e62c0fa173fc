//! A notebook instance: whether a run could be started on it.

use aws_sdk_sagemaker::types::NotebookInstanceStatus as Status;
use chrono::{DateTime, Utc};
use reveille_domain::VERSION;

use super::{
    finding::{Check, Finding},
    ran::whose,
};
use crate::{
    clients::checkup::{InstanceFacts, Known, LastOnInstance},
    ui::times,
    wildcard::matches,
};

/// What the stack says of the instances that it serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Served {
    /// `InstanceNames`.
    pub(super) names: Option<String>,
    /// `InstancesInVpc`.
    pub(super) in_vpc: bool,
    /// `InstanceKeyArns`.
    pub(super) keys: Vec<String>,
    /// Whether there are `GitSecretArns`.
    pub(super) git: bool,
}

/// The platforms that start no more.
const ENDED: [&str; 4] = ["notebook-al1-v1", "notebook-al2-v1", "notebook-al2-v2", "notebook-al2-v3"];

/// The name, which is judged without asking.
pub(super) fn name(name: &str, served: &Served) -> Vec<Finding> {
    let lower = name.to_ascii_lowercase();
    let mut findings = Vec::new();
    if let Some(pattern) = served.names.as_deref().filter(|pattern| !matches(pattern, &lower)) {
        findings.push(Finding::fail(
            Check::InstanceName,
            format!("the stack's InstanceNames is {pattern}, which does not fit {name}: its runs end in AccessDenied"),
            "docs/deploy.md#1-the-stack: deploy the stack again with InstanceNames=PATTERN that matches all your instances",
        ));
    }
    if lower != name {
        findings.push(Finding::warn(
            Check::InstanceName,
            "the name has capital letters; SageMaker lower-cases it in ARNs, so no policy and no InstanceNames can name it exactly",
            "make the instance again under a name in lower case (docs/deploy.md#1-the-stack)",
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(Check::InstanceName, "its name fits the stack's InstanceNames"));
    }
    findings
}

/// What SageMaker says of it; nothing more is judged of one that is not there.
pub(super) fn instance(name: &str, facts: &Known<Option<InstanceFacts>>, region: &str, now: DateTime<Utc>) -> Finding {
    let facts = match facts {
        Err(unknown) => return Finding::unchecked(Check::Instance, unknown),
        Ok(None) => {
            let what = format!("there is no notebook instance {name} in {region}");
            return Finding::fail(
                Check::Instance,
                what,
                "reveille instances (lists them); docs/deploy.md#3-the-notebook-instance makes one",
            );
        }
        Ok(Some(facts)) => facts,
    };
    let what = match facts.since {
        Some(since) => format!("it has been {} for {}", facts.status.as_str(), times::duration(now - since)),
        None => format!("it is {}", facts.status.as_str()),
    };
    let describe = format!("aws sagemaker describe-notebook-instance --notebook-instance-name {name}");
    match facts.status {
        Status::Failed => failed(&what, facts.failure.as_deref().unwrap_or("SageMaker gives no reason")),
        Status::Deleting => Finding::fail(
            Check::Instance,
            what,
            "make it again (docs/deploy.md#3-the-notebook-instance), or name another",
        ),
        Status::Pending | Status::Stopping | Status::Updating if is_long(facts.since, now) => Finding::warn(
            Check::Instance,
            format!(
                "{what}, which is unusually long. SageMaker instances sometimes hang like this, and only AWS can free them"
            ),
            format!("{describe}; if it stays so, open a case with AWS Support"),
        ),
        _ => Finding::ok(Check::Instance, what),
    }
}

/// Longer than any usual change takes.
fn is_long(since: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    since.is_some_and(|since| now - since > chrono::TimeDelta::minutes(40))
}

/// A start is legal from Failed, so that one whose last start found no machine is no fault.
fn failed(what: &str, reason: &str) -> Finding {
    let lower = reason.to_ascii_lowercase();
    let said = format!("{what}: {}", reason.trim_end_matches('.'));
    if lower.contains("capacity") {
        Finding::warn(Check::Instance, said, "the next run tries again; reveille explain CapacityUnavailable")
    } else if lower.starts_with("notebook instance lifecycle config") {
        Finding::fail(
            Check::Instance,
            said,
            "reveille explain LifecycleFailed (the on-start script's log says what failed)",
        )
    } else {
        Finding::fail(
            Check::Instance,
            said,
            "reveille explain InstanceUnavailable (fix the cause, then start it once by hand)",
        )
    }
}

/// What can be said of one that is there.
pub(super) fn settings(
    name: &str,
    facts: &InstanceFacts,
    served: &Served,
    ran: Option<&LastOnInstance>,
    now: DateTime<Utc>,
) -> Vec<Finding> {
    vec![platform(name, facts), network(facts, ran, now), start(facts, served)]
}

fn platform(name: &str, facts: &InstanceFacts) -> Finding {
    let stop = format!(
        "while it is stopped: aws sagemaker update-notebook-instance --notebook-instance-name {name} --platform-identifier notebook-al2023-v1"
    );
    match facts.platform.as_deref() {
        Some(platform) if ENDED.contains(&platform) => Finding::fail(
            Check::Platform,
            format!(
                "its platform is {platform} (Amazon Linux 1 or 2), which AWS no longer starts, and the runner does not run on it"
            ),
            stop,
        ),
        Some(platform) if !platform.starts_with("notebook-al2023-") => Finding::warn(
            Check::Platform,
            format!("its platform is {platform}, which Reveille has not been tested on"),
            stop,
        ),
        Some(platform) => Finding::ok(Check::Platform, format!("its platform is {platform}")),
        None => Finding::warn(Check::Platform, "SageMaker names no platform, so it is an old instance", stop),
    }
}

/// Which ways a subnet has is not asked: endpoints, NAT gateways and proxies all serve, and only a run shows whether they do (decision 0062).
fn network(facts: &InstanceFacts, ran: Option<&LastOnInstance>, now: DateTime<Utc>) -> Finding {
    const NEEDED: &str = "S3 and states are needed, sagemaker.api and logs recommended (docs/instance.md#an-instance-in-a-vpc-with-your-own-key-or-with-a-private-git-repository)";
    if facts.reaches_internet {
        return Finding::ok(Check::Network, "it reaches the internet directly");
    }
    let subnet = facts.subnet.as_deref();
    let what = format!("it has no direct way to the internet ({})", subnet.unwrap_or("no subnet either"));
    let cure = subnet.map_or_else(|| NEEDED.to_owned(), |subnet| {
        format!(
            "{NEEDED}. To see the endpoints: aws ec2 describe-vpc-endpoints --filters Name=vpc-id,Values=$(aws ec2 describe-subnets --subnet-ids {subnet} --query Subnets[0].VpcId --output text) --query VpcEndpoints[].[ServiceName,State] --output text"
        )
    });
    match ran {
        Some(LastOnInstance { silent: Some(lack), .. }) => Finding::fail(
            Check::Network,
            format!(
                "{what}, and no runner took its newest run ({}; RunnerSilent). Perhaps its subnet has no way to S3 or Step Functions",
                whose(lack, now)
            ),
            format!("reveille explain RunnerSilent (the on-start script's log says what failed); {cure}"),
        ),
        Some(LastOnInstance { reached: true, .. }) => {
            Finding::ok(Check::Network, format!("{what}, and a runner took its newest run"))
        }
        _ => Finding::warn(
            Check::Network,
            format!("{what}, and no recent run has shown that it reaches S3 and Step Functions through its subnet"),
            cure,
        ),
    }
}

/// Whether StartInstance's role may do what the start of such an instance takes.
fn start(facts: &InstanceFacts, served: &Served) -> Finding {
    const PAGE: &str = "docs/instance.md#an-instance-in-a-vpc-with-your-own-key-or-with-a-private-git-repository: deploy the stack again with";
    let lacks_key = facts
        .key
        .as_deref()
        .filter(|key| !served.keys.iter().any(|arn| arn == key || arn.ends_with(&format!("/{key}"))));
    if let Some(subnet) = facts.subnet.as_deref().filter(|_| !served.in_vpc) {
        let what = format!(
            "it is in the subnet {subnet}, and the stack has InstancesInVpc=false, so starting it may be denied"
        );
        return Finding::warn(Check::StartPermissions, what, format!("{PAGE} InstancesInVpc=true"));
    }
    if let Some(key) = lacks_key {
        let what = format!(
            "its volume has the key {key}, which is not in the stack's InstanceKeyArns, so starting it may be denied"
        );
        return Finding::warn(Check::StartPermissions, what, format!("{PAGE} InstanceKeyArns=ARN"));
    }
    // One with credentials has a name in SageMaker, and no address.
    if let Some(repository) = facts.repository.as_deref().filter(|it| !served.git && !it.starts_with("http")) {
        let what = format!(
            "it clones the repository {repository}, and the stack has no GitSecretArns: if that has a secret, its start may be denied"
        );
        return Finding::warn(Check::StartPermissions, what, format!("{PAGE} GitSecretArns=ARN"));
    }
    Finding::ok(Check::StartPermissions, "the stack has the permissions to start it")
}

/// The runner of the last run on it that ended well.
pub(super) fn runner_version(last: Option<&(DateTime<Utc>, Option<String>)>, now: DateTime<Utc>) -> Finding {
    match last {
        None => Finding::ok(
            Check::RunnerVersion,
            "no run has succeeded on it recently, so its runner's version is not known",
        ),
        Some((at, version)) if version.as_deref() == Some(VERSION) => Finding::ok(
            Check::RunnerVersion,
            format!("its last successful run, {} ago, used runner {VERSION}", times::duration(now - *at)),
        ),
        Some((at, version)) => Finding::warn(
            Check::RunnerVersion,
            format!(
                "its last successful run, {} ago, used runner {}, and this command is {VERSION}",
                times::duration(now - *at),
                version.as_deref().unwrap_or("of a version before 0.1.0")
            ),
            "docs/upgrade.md: upgrade the stack (for a pinned instance, deploy its stack with the new RunnerKey and RunnerSha256), then let the instance stop once",
        ),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_sagemaker::types::NotebookInstanceStatus as Status;
    use chrono::{TimeDelta, Utc};
    use reveille_domain::VERSION;

    use super::{Served, instance, matches, name, runner_version, settings};
    use crate::{
        clients::checkup::{InstanceFacts, Lack, LastOnInstance},
        commands::doctor::finding::{Check, Verdict, tests::found},
    };

    fn facts() -> InstanceFacts {
        InstanceFacts {
            status: Status::Stopped,
            failure: None,
            since: Some(Utc::now()),
            platform: Some("notebook-al2023-v1".to_owned()),
            lifecycle_configuration: None,
            role: None,
            subnet: None,
            reaches_internet: true,
            key: None,
            repository: None,
        }
    }

    #[test]
    fn patterns_are_compared_as_iam_does() {
        for (pattern, name, fits) in [
            ("*", "a", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("team-*", "team-a", true),
            ("team-*-x", "team-a-b-x", true),
            ("*-x", "x", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn a_name_that_the_stack_may_not_touch_is_a_fault() {
        let served = |pattern: &str| Served { names: Some(pattern.to_owned()), ..Served::default() };
        found(&name("nightly", &served("*")), Check::InstanceName, Verdict::Ok, "fits");
        found(&name("nightly", &served("team-*")), Check::InstanceName, Verdict::Fail, "AccessDenied");
        found(&name("Nightly", &served("*")), Check::InstanceName, Verdict::Warn, "capital letters");
    }

    #[test]
    fn what_sagemaker_says_of_it_is_judged() {
        let now = Utc::now();
        let judge = |change: &dyn Fn(&mut InstanceFacts)| {
            let mut facts = facts();
            change(&mut facts);
            [instance("nightly", &Ok(Some(facts)), "eu-west-1", now)]
        };
        found(&judge(&|_| {}), Check::Instance, Verdict::Ok, "Stopped");
        let failed = |reason: &'static str| {
            move |facts: &mut InstanceFacts| {
                facts.status = Status::Failed;
                facts.failure = Some(reason.to_owned());
            }
        };
        found(
            &judge(&failed("Insufficient notebook instance capacity.")),
            Check::Instance,
            Verdict::Warn,
            "CapacityUnavailable",
        );
        let lifecycle =
            failed("Notebook Instance Lifecycle Config 'arn' for Notebook Instance 'arn' took longer than 5 minutes.");
        found(&judge(&lifecycle), Check::Instance, Verdict::Fail, "LifecycleFailed");
        found(&judge(&failed("Disk broke.")), Check::Instance, Verdict::Fail, "Disk broke");
        found(&judge(&|facts| facts.status = Status::Deleting), Check::Instance, Verdict::Fail, "Deleting");
        let hangs = |facts: &mut InstanceFacts| {
            facts.status = Status::Stopping;
            facts.since = Some(now - TimeDelta::hours(3));
        };
        found(&judge(&hangs), Check::Instance, Verdict::Warn, "AWS Support");
        found(&[instance("x", &Ok(None), "eu-west-1", now)], Check::Instance, Verdict::Fail, "no notebook instance x");
    }

    #[test]
    fn what_its_start_and_its_runner_need_is_judged() {
        let judge = |change: &dyn Fn(&mut InstanceFacts), served: &Served, reached| {
            let mut facts = facts();
            change(&mut facts);
            let ran = LastOnInstance { reached, ..LastOnInstance::default() };
            settings("nightly", &facts, served, Some(&ran), Utc::now())
        };
        let none = Served::default();
        for check in [Check::Platform, Check::Network, Check::StartPermissions] {
            found(&judge(&|_| {}, &none, false), check, Verdict::Ok, "");
        }
        for (platform, verdict) in [
            (Some("notebook-al2-v2"), Verdict::Fail),
            (Some("notebook-al2-v3"), Verdict::Fail),
            (Some("notebook-al2027-v1"), Verdict::Warn),
            (None, Verdict::Warn),
        ] {
            let old = |facts: &mut InstanceFacts| facts.platform = platform.map(str::to_owned);
            found(&judge(&old, &none, false), Check::Platform, verdict, "--platform-identifier notebook-al2023-v1");
        }
        let private = |facts: &mut InstanceFacts| {
            facts.subnet = Some("subnet-1".to_owned());
            facts.reaches_internet = false;
        };
        let in_vpc = Served { in_vpc: true, ..Served::default() };
        found(&judge(&private, &in_vpc, false), Check::Network, Verdict::Warn, "docs/instance.md");
        found(&judge(&private, &in_vpc, false), Check::Network, Verdict::Warn, "--subnet-ids subnet-1");
        found(&judge(&private, &in_vpc, true), Check::Network, Verdict::Ok, "took its newest run");
        let mut facts = facts();
        private(&mut facts);
        let lack = Lack { run: "daily-1".to_owned(), at: None, message: String::new() };
        let silent = LastOnInstance { silent: Some(lack), reached: true, ..LastOnInstance::default() };
        let silent = settings("nightly", &facts, &in_vpc, Some(&silent), Utc::now());
        found(&silent, Check::Network, Verdict::Fail, "daily-1; RunnerSilent");
        found(&judge(&private, &none, true), Check::StartPermissions, Verdict::Warn, "InstancesInVpc=true");
        let keyed = |facts: &mut InstanceFacts| facts.key = Some("1234".to_owned());
        found(&judge(&keyed, &none, false), Check::StartPermissions, Verdict::Warn, "InstanceKeyArns");
        let keys = Served { keys: vec!["arn:aws:kms:eu-west-1:1:key/1234".to_owned()], ..Served::default() };
        found(&judge(&keyed, &keys, false), Check::StartPermissions, Verdict::Ok, "");
        let cloned = |facts: &mut InstanceFacts| facts.repository = Some("team-repository".to_owned());
        found(&judge(&cloned, &none, false), Check::StartPermissions, Verdict::Warn, "GitSecretArns");
    }

    #[test]
    fn a_runner_of_another_version_is_told() {
        let now = Utc::now();
        found(&[runner_version(None, now)], Check::RunnerVersion, Verdict::Ok, "not known");
        let ran = |version: Option<&str>| Some((now, version.map(str::to_owned)));
        found(&[runner_version(ran(Some(VERSION)).as_ref(), now)], Check::RunnerVersion, Verdict::Ok, VERSION);
        for old in [Some("0.0.9"), None] {
            found(&[runner_version(ran(old).as_ref(), now)], Check::RunnerVersion, Verdict::Warn, "docs/upgrade.md");
        }
    }
}
