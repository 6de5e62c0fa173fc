//! What a role may do, by IAM's own simulation of its policies, its permissions boundary and the organization's policies.

use std::collections::BTreeMap;

use aws_sdk_iam::{
    Client,
    operation::simulate_principal_policy::SimulatePrincipalPolicyError,
    types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType as Decision},
};

use crate::{clients::Account, error::CliError};

/// Actions of a role on one resource. IAM accepts several resources in one call, but its answers then do not say clearly which one each is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) actions: Vec<String>,
    pub(crate) resource: String,
    /// What such a call brings along.
    pub(crate) context: BTreeMap<String, String>,
}

/// Why a role may not do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Denial {
    /// No policy of the role allows it.
    NotGranted,
    /// A statement denies it.
    Statement,
    Boundary,
    /// A policy of the organization.
    Organization,
}

/// What IAM says of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Simulated {
    /// The actions that it may not do, and why.
    Denied(Vec<(String, Denial)>),
    NoSuchRole,
}

/// What is asked, in a message.
const SIMULATE: &str = "simulate the role's permissions";
/// Pages of an answer that are read. IAM may give fewer results than were asked for in each; a wish has some ten actions.
const MOST_PAGES: usize = 20;

impl Account {
    /// Asks what a role may not do of a wish.
    pub(crate) async fn simulate(&self, role: &str, wish: &Wish) -> Result<Simulated, CliError> {
        let entries = wish.context.iter().map(|(key, value)| entry(key, value)).collect();
        let call = Client::new(&self.config)
            .simulate_principal_policy()
            .policy_source_arn(role)
            .set_action_names(Some(wish.actions.clone()))
            .resource_arns(&wish.resource)
            .set_context_entries(Some(entries));
        let mut pages = call.into_paginator().send();
        let mut results = Vec::new();
        for _ in 0..MOST_PAGES {
            match pages.next().await {
                None => break,
                Some(Ok(page)) => results.extend(page.evaluation_results.unwrap_or_default()),
                Some(Err(error))
                    if error
                        .as_service_error()
                        .is_some_and(SimulatePrincipalPolicyError::is_no_such_entity_exception) =>
                {
                    return Ok(Simulated::NoSuchRole);
                }
                Some(Err(error)) => return Err(CliError::asked(SIMULATE, &error)),
            }
        }
        judged(&wish.actions, results)
    }
}

/// What IAM said of each action. If it says nothing of one, that is an error, not a permission.
fn judged(actions: &[String], results: Vec<EvaluationResult>) -> Result<Simulated, CliError> {
    let told = |action: &&String| results.iter().any(|result| result.eval_action_name.eq_ignore_ascii_case(action));
    match actions.iter().find(|action| !told(action)) {
        Some(action) => Err(CliError::Asked {
            action: SIMULATE.into(),
            message: format!("IAM answered, and said nothing of {action}"),
        }),
        None => Ok(Simulated::Denied(results.into_iter().filter_map(denial).collect())),
    }
}

fn entry(key: &str, value: &str) -> ContextEntry {
    let kind = match value {
        "true" | "false" => ContextKeyTypeEnum::Boolean,
        _ => ContextKeyTypeEnum::String,
    };
    ContextEntry::builder().context_key_name(key).context_key_values(value).context_key_type(kind).build()
}

fn denial(result: EvaluationResult) -> Option<(String, Denial)> {
    let why = match result.eval_decision {
        Decision::Allowed => return None,
        _ if result.organizations_decision_detail.is_some_and(|detail| !detail.allowed_by_organizations) => {
            Denial::Organization
        }
        _ if result.permissions_boundary_decision_detail.is_some_and(|it| !it.allowed_by_permissions_boundary) => {
            Denial::Boundary
        }
        Decision::ExplicitDeny => Denial::Statement,
        _ => Denial::NotGranted,
    };
    Some((result.eval_action_name, why))
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::types::{
        EvaluationResult, OrganizationsDecisionDetail, PermissionsBoundaryDecisionDetail,
        PolicyEvaluationDecisionType as Decision,
    };

    use super::{Denial, Simulated, denial, judged};

    /// IAM may give fewer results than were asked for.
    #[test]
    fn an_action_without_an_answer_is_not_allowed_by_that() {
        let result = |name: &str, decision| {
            EvaluationResult::builder().eval_action_name(name).eval_decision(decision).build().unwrap()
        };
        let actions = ["s3:GetObject".to_owned(), "s3:PutObject".to_owned()];
        let one = vec![result("s3:getobject", Decision::Allowed)];
        let error = judged(&actions, one.clone()).unwrap_err();
        assert!(error.to_string().contains("said nothing of s3:PutObject"), "{error}");
        let both = [one, vec![result("s3:PutObject", Decision::ImplicitDeny)]].concat();
        let denied = vec![("s3:PutObject".to_owned(), Denial::NotGranted)];
        assert_eq!(judged(&actions, both).unwrap(), Simulated::Denied(denied));
    }

    #[test]
    fn a_denial_says_which_policy_denies() {
        let judge = |decision, boundary: Option<bool>, organization: Option<bool>| {
            let boundary = boundary
                .map(|it| PermissionsBoundaryDecisionDetail::builder().allowed_by_permissions_boundary(it).build());
            let organization =
                organization.map(|it| OrganizationsDecisionDetail::builder().allowed_by_organizations(it).build());
            let result = EvaluationResult::builder().eval_action_name("s3:GetObject").eval_decision(decision);
            let result = result
                .set_permissions_boundary_decision_detail(boundary)
                .set_organizations_decision_detail(organization)
                .build();
            denial(result.unwrap()).map(|(action, why)| {
                assert_eq!(action, "s3:GetObject");
                why
            })
        };
        assert_eq!(judge(Decision::Allowed, Some(true), Some(true)), None);
        assert_eq!(judge(Decision::ImplicitDeny, None, None), Some(Denial::NotGranted));
        assert_eq!(judge(Decision::ImplicitDeny, Some(true), Some(true)), Some(Denial::NotGranted));
        assert_eq!(judge(Decision::ExplicitDeny, Some(true), None), Some(Denial::Statement));
        assert_eq!(judge(Decision::ImplicitDeny, Some(false), Some(true)), Some(Denial::Boundary));
        assert_eq!(judge(Decision::ExplicitDeny, Some(false), None), Some(Denial::Boundary));
        assert_eq!(judge(Decision::ExplicitDeny, Some(true), Some(false)), Some(Denial::Organization));
        // What a later IAM calls otherwise is no permission.
        assert_eq!(judge("somethingNew".into(), None, None), Some(Denial::NotGranted));
    }
}
