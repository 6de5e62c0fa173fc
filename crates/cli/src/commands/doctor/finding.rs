//! What a check found: a verdict, about which thing, and the cure. docs/cli.md lists the checks.

use crate::clients::checkup::Unknown;

/// What is checked, in the order of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Check {
    Region,
    Credentials,
    Clock,
    Stack,
    StackStatus,
    StackOutputs,
    StackParts,
    StateMachine,
    Definition,
    Permissions,
    SweeperRules,
    Sweeper,
    SweepFailures,
    NotifyRule,
    UndeliveredNotifications,
    Undelivered,
    Bucket,
    BucketPublic,
    BucketVersions,
    BucketEvents,
    Triggers,
    TriggerState,
    TriggerTarget,
    TriggerInput,
    TriggerInstance,
    TriggerLoop,
    TriggerBucket,
    TriggerTimes,
    Instances,
    Instance,
    InstanceName,
    Platform,
    LifecycleConfiguration,
    OnStartScript,
    ScriptSize,
    ScriptStack,
    Runner,
    RunnerVersion,
    InstancePermissions,
    Kernel,
    Papermill,
    Network,
    StartPermissions,
    Lease,
    InUse,
}

impl Check {
    /// All of them.
    #[cfg(test)]
    const ALL: [Self; 45] = [
        Self::Region,
        Self::Credentials,
        Self::Clock,
        Self::Stack,
        Self::StackStatus,
        Self::StackOutputs,
        Self::StackParts,
        Self::StateMachine,
        Self::Definition,
        Self::Permissions,
        Self::SweeperRules,
        Self::Sweeper,
        Self::SweepFailures,
        Self::NotifyRule,
        Self::UndeliveredNotifications,
        Self::Undelivered,
        Self::Bucket,
        Self::BucketPublic,
        Self::BucketVersions,
        Self::BucketEvents,
        Self::Triggers,
        Self::TriggerState,
        Self::TriggerTarget,
        Self::TriggerInput,
        Self::TriggerInstance,
        Self::TriggerLoop,
        Self::TriggerBucket,
        Self::TriggerTimes,
        Self::Instances,
        Self::Instance,
        Self::InstanceName,
        Self::Platform,
        Self::LifecycleConfiguration,
        Self::OnStartScript,
        Self::ScriptSize,
        Self::ScriptStack,
        Self::Runner,
        Self::RunnerVersion,
        Self::InstancePermissions,
        Self::Kernel,
        Self::Papermill,
        Self::Network,
        Self::StartPermissions,
        Self::Lease,
        Self::InUse,
    ];

    /// Its name in JSON and in docs/cli.md.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Region => "region",
            Self::Credentials => "credentials",
            Self::Clock => "clock",
            Self::Stack => "stack",
            Self::StackStatus => "stackStatus",
            Self::StackOutputs => "stackOutputs",
            Self::StackParts => "stackParts",
            Self::StateMachine => "stateMachine",
            Self::Definition => "definition",
            Self::Permissions => "permissions",
            Self::SweeperRules => "sweeperRules",
            Self::Sweeper => "sweeper",
            Self::SweepFailures => "sweepFailures",
            Self::NotifyRule => "notifyRule",
            Self::UndeliveredNotifications => "undeliveredNotifications",
            Self::Undelivered => "undelivered",
            Self::Bucket => "bucket",
            Self::BucketPublic => "bucketPublic",
            Self::BucketVersions => "bucketVersions",
            Self::BucketEvents => "bucketEvents",
            Self::Triggers => "triggers",
            Self::TriggerState => "triggerState",
            Self::TriggerTarget => "triggerTarget",
            Self::TriggerInput => "triggerInput",
            Self::TriggerInstance => "triggerInstance",
            Self::TriggerLoop => "triggerLoop",
            Self::TriggerBucket => "triggerBucket",
            Self::TriggerTimes => "triggerTimes",
            Self::Instances => "instances",
            Self::Instance => "instance",
            Self::InstanceName => "instanceName",
            Self::Platform => "platform",
            Self::LifecycleConfiguration => "lifecycleConfiguration",
            Self::OnStartScript => "onStartScript",
            Self::ScriptSize => "scriptSize",
            Self::ScriptStack => "scriptStack",
            Self::Runner => "runner",
            Self::RunnerVersion => "runnerVersion",
            Self::InstancePermissions => "instancePermissions",
            Self::Kernel => "kernel",
            Self::Papermill => "papermill",
            Self::Network => "network",
            Self::StartPermissions => "startPermissions",
            Self::Lease => "lease",
            Self::InUse => "inUse",
        }
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Ok,
    Warn,
    Fail,
    /// It could not be made.
    Unchecked,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) check: Check,
    /// The trigger or the instance; `None`: the stack, or where the command runs.
    pub(crate) about: Option<String>,
    pub(crate) verdict: Verdict,
    pub(crate) what: String,
    /// A command to copy, or a page.
    pub(crate) cure: Option<String>,
    /// The permission that the check would have taken.
    pub(crate) permission: Option<&'static str>,
}

impl Finding {
    pub(crate) fn ok(check: Check, what: impl Into<String>) -> Self {
        Self { check, about: None, verdict: Verdict::Ok, what: what.into(), cure: None, permission: None }
    }

    pub(crate) fn warn(check: Check, what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warn, cure: Some(cure.into()), ..Self::ok(check, what) }
    }

    pub(crate) fn fail(check: Check, what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, ..Self::warn(check, what, cure) }
    }

    pub(crate) fn unchecked(check: Check, unknown: &Unknown) -> Self {
        Self {
            verdict: Verdict::Unchecked,
            permission: unknown.permission(),
            ..Self::ok(check, format!("{}: {}", check.name(), unknown.why()))
        }
    }

    /// The same about a trigger or an instance.
    pub(crate) fn about(self, name: &str) -> Self {
        Self { about: Some(name.to_owned()), ..self }
    }
}

/// The same about one thing.
pub(crate) fn about(name: &str, findings: Vec<Finding>) -> Vec<Finding> {
    findings.into_iter().map(|finding| finding.about(name)).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Check, Finding, Verdict};

    #[test]
    fn the_page_names_each_check() {
        assert_eq!(Check::ALL.len(), Check::InUse as usize + 1);
        let page = include_str!("../../../../../docs/cli.md");
        for check in Check::ALL {
            assert!(page.contains(&format!("`{}`", check.name())), "{} is missing", check.name());
        }
        assert!(page.contains(&format!("There are {} kinds of checks.", Check::ALL.len())));
    }

    /// The verdict of the one finding of a check; panics where there is none or more.
    pub(crate) fn only(findings: &[Finding], check: Check) -> (Verdict, String) {
        let found: Vec<&Finding> = findings.iter().filter(|finding| finding.check == check).collect();
        let [one] = found[..] else { panic!("{check:?}: {findings:#?}") };
        (one.verdict, format!("{} {}", one.what, one.cure.as_deref().unwrap_or_default()))
    }

    /// Asserts that a check ended so, and says this or has it in its cure.
    #[track_caller]
    pub(crate) fn found(findings: &[Finding], check: Check, verdict: Verdict, said: &str) {
        let (ended, words) = only(findings, check);
        assert_eq!(ended, verdict, "{words}");
        assert!(words.contains(said), "{said:?} is not in: {words}");
        assert!(matches!(verdict, Verdict::Ok | Verdict::Unchecked) || !words.ends_with(' '), "it has a cure: {words}");
    }
}
