//! What the role of a notebook instance may do: the policy of `infra/instance.yaml`, as the hostile notebook meets it. A
//! contract test holds the two together; whatever is not allowed here is denied.

/// One statement: what is allowed, and on what. `${InstanceName}` stands for the instance, `${RunsPrefix}` for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The IAM actions.
    pub actions: &'static [&'static str],
    /// The resources. Of S3 the key behind the bucket, of others the ARN; `*` is everything.
    pub resources: &'static [&'static str],
}

/// The statements that the simulation enforces: those on records, tokens and the instance, in the template's order.
pub const STATEMENTS: [Statement; 6] = [
    Statement {
        actions: &["s3:GetObject"],
        resources: &[
            "${RunsPrefix}runner.sha256",
            "artifacts/reveille-runner*",
            "artifacts/reveille-engine-*",
            "${RunsPrefix}runs/${InstanceName}/*",
            "${RunsPrefix}inbox/${InstanceName}/*",
            "${RunsPrefix}leases/${InstanceName}.json",
        ],
    },
    Statement {
        actions: &["s3:PutObject"],
        resources: &[
            "${RunsPrefix}runs/${InstanceName}/*/claim.json",
            "${RunsPrefix}runs/${InstanceName}/*/progress.json",
            "${RunsPrefix}runs/${InstanceName}/*/report.json",
            "${RunsPrefix}runs/${InstanceName}/*/output.ipynb",
            "${RunsPrefix}runs/${InstanceName}/*/output.html",
            "${RunsPrefix}runs/${InstanceName}/*/log.txt",
            "${RunsPrefix}live/${InstanceName}/*",
            "${RunsPrefix}leases/${InstanceName}.json",
        ],
    },
    Statement {
        actions: &["s3:DeleteObject"],
        resources: &["${RunsPrefix}inbox/${InstanceName}/*", "${RunsPrefix}leases/${InstanceName}.json"],
    },
    Statement { actions: &["s3:ListBucket"], resources: &[""] },
    Statement {
        actions: &["states:SendTaskSuccess", "states:SendTaskFailure", "states:SendTaskHeartbeat"],
        resources: &["*"],
    },
    Statement { actions: &["sagemaker:StopNotebookInstance"], resources: &["notebook-instance/${InstanceName}"] },
];

/// Whether the role of an instance may do this. `resource`: a key, `notebook-instance/<name>`, or a token.
#[must_use]
pub fn allows(instance: &str, action: &str, resource: &str) -> bool {
    STATEMENTS.iter().filter(|statement| statement.actions.contains(&action)).any(|statement| {
        statement.resources.iter().any(|pattern| {
            let pattern = pattern.replace("${RunsPrefix}", "").replace("${InstanceName}", instance);
            matches(&pattern, resource)
        })
    })
}

/// IAM's wildcard: any characters, a slash too.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == text };
    let Some(rest) = text.strip_prefix(before) else { return false };
    (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| matches(after, &rest[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instances_role_reaches_its_own_records_and_no_other() {
        for (action, resource, allowed) in [
            ("s3:PutObject", "leases/nb-0.json", true),
            ("s3:PutObject", "leases/nb-1.json", false),
            ("s3:PutObject", "runs/nb-0/r/1/report.json", true),
            ("s3:PutObject", "runs/nb-0/r/1/deeper/report.json", true),
            ("s3:PutObject", "runs/nb-0/r/1/outcome.json", false),
            ("s3:PutObject", "runs/nb-0/r/request.json", false),
            ("s3:PutObject", "runs/nb-01/r/1/report.json", false),
            ("s3:PutObject", "inbox/nb-0/r", false),
            ("s3:DeleteObject", "inbox/nb-0/r", true),
            ("s3:DeleteObject", "inbox/nb-1/r", false),
            ("s3:DeleteObject", "runs/nb-0/r/1/claim.json", false),
            ("s3:PutObject", "triggers/1", false),
            ("s3:PutObject", "live/nb-0/r/1/partial.ipynb", true),
            ("s3:PutObject", "live/nb-1/r/1/partial.ipynb", false),
            ("s3:GetObject", "live/nb-0/r/1/partial.ipynb", false),
            ("s3:DeleteObject", "live/nb-0/r/1/partial.ipynb", false),
            ("sagemaker:StopNotebookInstance", "notebook-instance/nb-0", true),
            ("sagemaker:StopNotebookInstance", "notebook-instance/nb-1", false),
            ("sagemaker:StartNotebookInstance", "notebook-instance/nb-0", false),
            ("states:SendTaskSuccess", "any token", true),
            ("states:StartExecution", "any", false),
            ("events:PutEvents", "the bus", false),
        ] {
            assert_eq!(allows("nb-0", action, resource), allowed, "{action} {resource}");
        }
    }
}
