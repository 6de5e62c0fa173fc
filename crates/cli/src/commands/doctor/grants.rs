//! What each role needs: the grants of docs/iam.md, which `make pages` writes here from the templates, with the names that the stack has.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use super::stack::find;
use crate::clients::checkup::{ResourceFacts, Wish};
use crate::wildcard::matches;

/// A role of infra/instance.yaml. The others are the main stack's.
const OF_INSTANCE: &str = "Role";
/// Stands in a resource for what a policy writes as `*`.
const ANY: &str = "example";

static GRANTS: LazyLock<Vec<Grant>> =
    LazyLock::new(|| serde_json::from_str(include_str!("grants.json")).unwrap_or_default());

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Grant {
    role: String,
    /// Whose role it is, in words.
    of: String,
    action: String,
    on: String,
    why: String,
    /// The parameter without which the role does not have it.
    only_with: Option<String>,
    #[serde(default)]
    context: BTreeMap<String, String>,
}

/// A role, and what it is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RoleNeeds {
    pub(super) arn: String,
    pub(super) of: &'static str,
    pub(super) wishes: Vec<Wish>,
    /// Of an action on a resource: what it is for, and the resource as the policy has it.
    whys: BTreeMap<(String, String), (&'static str, String)>,
}

impl RoleNeeds {
    /// What an action on a resource is for, and the resource as the policy has it.
    pub(super) fn why(&self, action: &str, resource: &str) -> (&'static str, &str) {
        let known = self.whys.get(&(action.to_owned(), resource.to_owned()));
        known.map(|(why, pattern)| (*why, pattern.as_str())).unwrap_or_default()
    }

    /// How many permissions are asked about.
    pub(super) fn count(&self) -> usize {
        self.whys.len()
    }

    fn new(arn: String, of: &'static str) -> Self {
        Self { arn, of, wishes: Vec::new(), whys: BTreeMap::new() }
    }

    fn add(&mut self, grant: &'static Grant, pattern: String, context: &BTreeMap<String, String>) {
        let resource = concrete(&pattern);
        let known = self.whys.insert((grant.action.clone(), resource.clone()), (&grant.why, pattern));
        if known.is_some() {
            return;
        }
        match self.wishes.iter_mut().find(|wish| wish.resource == resource && wish.context == *context) {
            Some(wish) => wish.actions.push(grant.action.clone()),
            None => {
                self.wishes.push(Wish { actions: vec![grant.action.clone()], resource, context: context.clone() });
            }
        }
    }
}

/// What the names in the grants stand for.
pub(super) struct Named<'a> {
    /// The state machine's ARN, which has the partition, the region and the account.
    pub(super) machine: &'a str,
    pub(super) bucket: &'a str,
    pub(super) prefix: &'a str,
    pub(super) parts: &'a [ResourceFacts],
    pub(super) parameter: &'a dyn Fn(&str) -> Option<String>,
}

impl Named<'_> {
    /// The stack's roles, as far as it has them. What they do to instances is asked about for these instances.
    pub(super) fn of_stack(&self, instances: &[&str]) -> Vec<RoleNeeds> {
        let pattern = (self.parameter)("InstanceNames").unwrap_or_else(|| "*".to_owned());
        let mut names: Vec<String> =
            instances.iter().filter(|name| matches(&pattern, name)).map(|name| (*name).to_owned()).collect();
        if names.is_empty() {
            names.push(pattern);
        }
        let mut roles: Vec<(&str, RoleNeeds)> = Vec::new();
        for grant in GRANTS.iter().filter(|grant| grant.role != OF_INSTANCE) {
            let Some(part) = find(self.parts, &grant.role) else { continue };
            if roles.last().is_none_or(|(name, _)| *name != grant.role) {
                roles.push((&grant.role, RoleNeeds::new(self.role_arn(&part.id), &grant.of)));
            }
            if let Some((_, role)) = roles.last_mut() {
                self.fill(role, grant, "InstanceNames", &names);
            }
        }
        roles.into_iter().map(|(_, role)| role).collect()
    }

    /// An instance's role.
    pub(super) fn of_instance(&self, arn: &str, name: &str) -> RoleNeeds {
        let mut role = RoleNeeds::new(arn.to_owned(), "the instance");
        for grant in GRANTS.iter().filter(|grant| grant.role == OF_INSTANCE) {
            self.fill(&mut role, grant, "InstanceName", &[name.to_owned()]);
        }
        role
    }

    fn fill(&self, role: &mut RoleNeeds, grant: &'static Grant, of_instances: &str, names: &[String]) {
        if !grant.only_with.as_deref().is_none_or(|parameter| self.is_on(parameter)) {
            return;
        }
        let value = |text: &str| self.filled(text, &[]).pop();
        let context: Option<BTreeMap<String, String>> =
            grant.context.iter().map(|(key, text)| Some((key.clone(), value(text)?))).collect();
        // A name that this stack does not have: nothing can be asked.
        let Some(context) = context else { return };
        for resource in self.filled(&grant.on, &[(of_instances, names)]) {
            role.add(grant, resource, &context);
        }
    }

    /// Whether a parameter turns on what is granted only with it.
    fn is_on(&self, parameter: &str) -> bool {
        (self.parameter)(parameter).is_some_and(|value| !value.is_empty() && value != "false")
    }

    /// The text with values for its names, once for each value of a list; none, if a name has none.
    fn filled(&self, text: &str, lists: &[(&str, &[String])]) -> Vec<String> {
        let Some((before, rest)) = text.split_once("${") else { return vec![text.to_owned()] };
        let Some((name, after)) = rest.split_once('}') else { return Vec::new() };
        let values = match lists.iter().find(|(list, _)| *list == name) {
            Some((_, values)) => values.to_vec(),
            None => self.values(name),
        };
        let ends = self.filled(after, lists);
        let all = values.iter().flat_map(|value| ends.iter().map(move |end| format!("{before}{value}{end}")));
        all.collect()
    }

    fn values(&self, name: &str) -> Vec<String> {
        let arn = |index| self.machine.split(':').nth(index).unwrap_or_default().to_owned();
        let one = match name {
            "AWS::Partition" => arn(1),
            "AWS::Region" => arn(3),
            "AWS::AccountId" => arn(4),
            "AWS::URLSuffix" if arn(1) == "aws-cn" => "amazonaws.com.cn".to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            "NotebookRun" => self.machine.to_owned(),
            "NotebookRun.Name" => arn(6),
            "RunsBucketParameter.Value" | "RunsBucket" => self.bucket.to_owned(),
            "RunsPrefix" => self.prefix.to_owned(),
            name => {
                if let Some(value) = (self.parameter)(name) {
                    return value.split(',').map(str::trim).map(str::to_owned).collect();
                }
                match find(self.parts, name) {
                    Some(part) => self.part_arn(part),
                    None => return Vec::new(),
                }
            }
        };
        vec![one]
    }

    /// CloudFormation has a queue by its address, and a function by its name.
    fn part_arn(&self, part: &ResourceFacts) -> String {
        let [partition, region, account] =
            ["AWS::Partition", "AWS::Region", "AWS::AccountId"].map(|name| self.values(name).concat());
        match part.id.rsplit_once('/') {
            _ if part.id.starts_with("arn:") => part.id.clone(),
            Some((_, queue)) => format!("arn:{partition}:sqs:{region}:{account}:{queue}"),
            None => format!("arn:{partition}:lambda:{region}:{account}:function:{}", part.id),
        }
    }

    fn role_arn(&self, id: &str) -> String {
        let path = (self.parameter)("RolePath").unwrap_or_else(|| "/".to_owned());
        let [partition, account] = ["AWS::Partition", "AWS::AccountId"].map(|name| self.values(name).concat());
        format!("arn:{partition}:iam::{account}:role{path}{id}")
    }
}

/// One thing of those that a pattern stands for. SageMaker's ARNs have names in lower case.
fn concrete(resource: &str) -> String {
    match resource {
        "*" => resource.to_owned(),
        other if other.contains(":notebook-instance/") => other.replace('*', ANY).to_ascii_lowercase(),
        other => other.replace('*', ANY),
    }
}

#[cfg(test)]
mod tests;
