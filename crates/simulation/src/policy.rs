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
    let own = STATEMENTS.iter().filter(|statement| statement.actions.contains(&action));
    own.flat_map(|statement| statement.resources).any(|pattern| is_of(pattern, instance, resource))
}

/// Whether a statement's pattern is of this resource, for this instance. A prefix comes first, and no wildcard before a name.
fn is_of(pattern: &str, instance: &str, resource: &str) -> bool {
    let pattern = pattern.strip_prefix("${RunsPrefix}").unwrap_or(pattern);
    let Some((before, after)) = pattern.split_once("${InstanceName}") else { return matches(pattern, resource) };
    let rest = resource.strip_prefix(before).and_then(|rest| rest.strip_prefix(instance));
    rest.is_some_and(|rest| matches(after, rest))
}

/// IAM's wildcard: any characters, a slash too.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == text };
    let Some(rest) = text.strip_prefix(before) else { return false };
    if !after.contains('*') {
        return rest.ends_with(after);
    }
    (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| matches(after, &rest[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_read_without_its_placeholders_being_filled_in() {
        for pattern in STATEMENTS.iter().flat_map(|statement| statement.resources) {
            let rest = pattern.trim_start_matches("${RunsPrefix}");
            assert!(!rest.contains("${RunsPrefix}"), "{pattern}: the prefix comes first");
            let (before, after) = rest.split_once("${InstanceName}").unwrap_or(("", rest));
            assert!(!before.contains('*') && !after.contains("${"), "{pattern}: no wildcard before the one name");
        }
    }

    #[test]
    fn a_wildcard_is_any_characters() {
        for (pattern, text, is_it) in [
            ("a/*", "a/", true),
            ("a/*", "a/b/c", true),
            ("a/*", "b/", false),
            ("*", "", true),
            ("a*c", "ac", true),
            ("a*c", "abcbc", true),
            ("a*c", "abcd", false),
            ("a*c", "c", false),
            ("a*b*c", "a/b/b/c", true),
            ("a*b*c", "a/c", false),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(matches(pattern, text), is_it, "{pattern} {text}");
        }
    }

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
