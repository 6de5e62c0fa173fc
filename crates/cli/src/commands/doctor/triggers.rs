//! Asks for the stack's triggers, and judges each.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Utc;
use futures_util::{StreamExt, stream};

use super::{
    finding::{Check, Finding, about},
    trigger::{self, On, Surroundings, Trigger},
};
use crate::{
    clients::{
        AT_ONCE, Account, DEFAULT_BUS,
        checkup::{BucketEvents, Known, ask},
    },
    triggers::Chain,
};

const RULES: &str =
    "events:ListRuleNamesByTarget, events:DescribeRule, events:ListTargetsByRule, events:ListTagsForResource";
const SCHEDULES: &str = "scheduler:ListSchedules, scheduler:GetSchedule";

/// The triggers, as far as one may ask for them.
pub(super) struct KnownTriggers {
    rules: Known<Vec<Trigger>>,
    schedules: Known<Vec<Trigger>>,
    /// The instances of the account, which the triggers name.
    pub(super) instances: Known<Vec<String>>,
}

impl KnownTriggers {
    /// Those that are known.
    pub(super) fn all(&self) -> impl Iterator<Item = &Trigger> {
        self.rules.iter().chain(&self.schedules).flatten()
    }
}

pub(super) async fn known(account: &Account) -> KnownTriggers {
    let rules = async {
        let mut found = account.rules(DEFAULT_BUS).await?;
        // Where the stack publishes how its runs ended.
        let bus = account.output("EventBus").unwrap_or_else(|_| DEFAULT_BUS.to_owned());
        if bus != DEFAULT_BUS {
            found.extend(account.rules(&bus).await?);
        }
        Ok(found.into_iter().map(Trigger::of_rule).collect())
    };
    let schedules = async {
        let found = account.schedules(None).await?;
        Ok(found.iter().map(|schedule| Trigger::of_schedule(schedule, Utc::now())).collect())
    };
    let instances =
        async { Ok(account.listed().await?.into_iter().map(|instance| instance.name.to_string()).collect()) };
    let (rules, schedules, instances) =
        tokio::join!(ask(RULES, rules), ask(SCHEDULES, schedules), ask("sagemaker:ListNotebookInstances", instances));
    KnownTriggers { rules, schedules, instances }
}

pub(super) async fn findings(account: &Account, known: &KnownTriggers) -> Vec<Finding> {
    let mut findings: Vec<Finding> = [&known.rules, &known.schedules]
        .into_iter()
        .filter_map(|known| known.as_ref().err().map(|unknown| Finding::unchecked(Check::Triggers, unknown)))
        .collect();
    let count = known.all().count();
    if count == 0 && findings.is_empty() {
        let what = "nothing starts runs automatically: this stack has no rules and no schedules (reveille on-upload add, or schedule add)";
        findings.push(Finding::ok(Check::Triggers, what));
    }
    let buckets: BTreeSet<&str> = known.all().flat_map(Trigger::buckets).map(String::as_str).collect();
    let look =
        async |bucket: &str| (bucket.to_owned(), ask("s3:GetBucketNotification", account.bucket_events(bucket)).await);
    let buckets: BTreeMap<String, Known<BucketEvents>> =
        stream::iter(buckets).map(look).buffered(AT_ONCE).collect().await;
    let chains: Vec<Chain> = known.all().filter_map(chain).collect();
    let around = Surroundings {
        layout: &account.layout,
        roles: [account.output("EventsRoleArn").ok(), account.output("SchedulerRoleArn").ok()],
        instances: &known.instances,
        buckets: &buckets,
        chains: &chains,
    };
    findings.extend(known.all().flat_map(|it| about(&it.name, trigger::findings(it, &around))));
    findings
}

fn chain(trigger: &Trigger) -> Option<Chain> {
    match &trigger.on {
        On::Run(chain) => Some(chain.clone()),
        _ => None,
    }
}
