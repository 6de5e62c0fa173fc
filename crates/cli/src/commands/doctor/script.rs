//! The on-start script of an instance: that there is one, that it is ours and this version's, whose stack it serves, and which runner it fetches.

use reveille_domain::layout::Layout;
use reveille_lifecycle::{AttachedScript, has_cr, room};

use super::finding::{Check, Finding};
use crate::clients::checkup::{Known, readable};

/// Base64 characters that a later version's script may take more.
const TIGHT: usize = 256;
const DEPLOY: &str =
    "docs/deploy.md#3-the-notebook-instance: deploy instance.yaml of this version over the instance's stack";

/// What is known of an instance's lifecycle configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attached {
    pub(super) name: Option<String>,
    /// Its on-start script in base64; `None`: it has none.
    pub(super) content: Known<Option<String>>,
}

/// What is found, and the script if it is ours: its runner is looked at next.
pub(super) fn script(instance: &str, attached: &Attached, layout: &Layout) -> (Vec<Finding>, Option<AttachedScript>) {
    let attach = format!("while it is stopped: reveille attach {instance} (docs/cli.md#attaching-an-instance)");
    let Some(name) = &attached.name else {
        let what = "it has no lifecycle configuration: each run fails with LifecycleConfigMissing";
        return (vec![Finding::fail(Check::LifecycleConfiguration, what, attach)], None);
    };
    let there = Finding::ok(Check::LifecycleConfiguration, format!("its lifecycle configuration is {name}"));
    let content = match &attached.content {
        Err(unknown) => return (vec![there, Finding::unchecked(Check::OnStartScript, unknown)], None),
        Ok(None) => {
            let what = format!("{name} has no on-start script: each run fails with RunnerSilent");
            return (vec![there, Finding::fail(Check::OnStartScript, what, attach)], None);
        }
        Ok(Some(content)) => content,
    };
    let script = readable(content);
    let Some(read) = AttachedScript::read(&script) else {
        let what = format!(
            "the on-start script of {name} is not Reveille's: it starts no runner, and each run fails with RunnerSilent"
        );
        return (vec![there, Finding::fail(Check::OnStartScript, what, attach)], None);
    };
    let findings = vec![there, version(name, &script, &read), size(name, content), stack(name, &read, layout)];
    (findings, Some(read))
}

fn version(name: &str, script: &str, read: &AttachedScript) -> Finding {
    if has_cr(script) {
        return Finding::fail(
            Check::OnStartScript,
            format!("the on-start script of {name} has Windows line endings (CRLF), so bash fails at its first line"),
            format!("{DEPLOY}, from a file with Linux line endings (LF)"),
        );
    }
    if read.is_current {
        return Finding::ok(Check::OnStartScript, "its on-start script is this version's");
    }
    Finding::warn(
        Check::OnStartScript,
        format!(
            "the on-start script of {name} is Reveille's, but of another version than this command's, or somebody changed it"
        ),
        DEPLOY,
    )
}

fn size(name: &str, content: &str) -> Finding {
    match room(content) {
        Some(room) if room >= TIGHT => {
            Finding::ok(Check::ScriptSize, format!("its script can grow by {room} more base64 characters"))
        }
        room => Finding::warn(
            Check::ScriptSize,
            format!(
                "the script of {name} has {} of the 16,384 characters that SageMaker takes: the next version's may not fit with your own commands",
                16_384 - room.unwrap_or_default()
            ),
            "put your commands (OnStartCommands) into a file below /home/ec2-user/SageMaker, and call it in one line",
        ),
    }
}

/// Whether the runner would look for runs where this stack puts them.
fn stack(name: &str, read: &AttachedScript, layout: &Layout) -> Finding {
    if read.bucket == layout.bucket && read.prefix == layout.prefix {
        return Finding::ok(Check::ScriptStack, "its runner looks for the runs of this stack");
    }
    let theirs = format!("s3://{}/{}", read.bucket, read.prefix);
    let ours = format!("s3://{}/{}", layout.bucket, layout.prefix);
    Finding::fail(
        Check::ScriptStack,
        format!(
            "the script of {name} is for the runs in {theirs}, and this stack's are in {ours}: its runner sees no run of this stack"
        ),
        format!(
            "deploy the instance's stack with RunsBucket={} RunsPrefix={} (docs/deploy.md#3-the-notebook-instance)",
            layout.bucket, layout.prefix
        ),
    )
}

/// Of a stack that does not say which runner counts.
pub(super) fn no_runner<T>(layout: &Layout, installed: &Known<T>) -> Finding {
    let uri = layout.uri(&layout.runner());
    match installed {
        Err(unknown) => Finding::unchecked(Check::Runner, unknown),
        Ok(_) => Finding::fail(
            Check::Runner,
            format!(
                "{uri} is not there, or names no runner: the on-start script starts none, and each run fails with RunnerSilent"
            ),
            format!(
                "docs/errors/RunnerSilent.md#to-put-the-runner-back: write it anew: (cd dist && sha256sum reveille-runner-*) | aws s3 cp - {uri}"
            ),
        ),
    }
}

/// `found`: the checksum of what stands in the bucket under the key.
pub(super) fn runner(read: &AttachedScript, layout: &Layout, found: &Known<Option<String>>) -> Finding {
    let uri = layout.uri(&read.runner_key);
    match found {
        Err(unknown) => Finding::unchecked(Check::Runner, unknown),
        Ok(None) => Finding::fail(
            Check::Runner,
            format!(
                "the runner {uri} is not there: the on-start script starts none, and each run fails with RunnerSilent"
            ),
            format!(
                "docs/errors/RunnerSilent.md#to-put-the-runner-back: copy the release's files there: aws s3 cp dist/ s3://{}/artifacts/ --recursive --exclude '*' --include 'reveille-runner-*' --include 'reveille-engine-*'",
                layout.bucket
            ),
        ),
        Ok(Some(sha256)) if *sha256 != read.runner_sha256 => Finding::fail(
            Check::Runner,
            format!(
                "the runner {uri} has the SHA-256 {}..., and the on-start script wants {}...: it refuses that runner",
                start(sha256),
                start(&read.runner_sha256)
            ),
            "docs/errors/RunnerSilent.md#to-put-the-runner-back: copy the release's runner there again, and find out who wrote that object",
        ),
        Ok(Some(sha256)) => Finding::ok(
            Check::Runner,
            format!("its runner is in the bucket, and is the one that it asks for ({}...)", start(sha256)),
        ),
    }
}

/// Enough of a checksum to tell two apart.
fn start(sha256: &str) -> &str {
    sha256.get(..12).unwrap_or(sha256)
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::base64;
    use reveille_domain::layout::Layout;
    use reveille_lifecycle::{ON_START, Preamble, render};

    use super::{Attached, no_runner, runner, script};
    use crate::{
        clients::checkup::Unknown,
        commands::doctor::finding::{Check, Finding, Verdict, tests::found},
    };

    fn layout() -> Layout {
        Layout { bucket: "runs".to_owned(), prefix: String::new() }
    }

    fn rendered() -> String {
        let preamble = Preamble {
            bucket: "runs".to_owned(),
            prefix: String::new(),
            runner_key: "artifacts/reveille-runner".to_owned(),
            runner_sha256: "ab".repeat(32),
        };
        render(ON_START, &preamble).unwrap()
    }

    fn judge(text: &str) -> Vec<Finding> {
        let attached = Attached { name: Some("mine".to_owned()), content: Ok(Some(base64::encode(text))) };
        script("nightly", &attached, &layout()).0
    }

    #[test]
    fn a_script_of_ours_is_known() {
        let findings = judge(&rendered());
        for check in [Check::LifecycleConfiguration, Check::OnStartScript, Check::ScriptSize, Check::ScriptStack] {
            found(&findings, check, Verdict::Ok, "");
        }
    }

    #[test]
    fn what_keeps_a_runner_from_starting_is_found() {
        let none = Attached { name: None, content: Ok(None) };
        found(
            &script("nightly", &none, &layout()).0,
            Check::LifecycleConfiguration,
            Verdict::Fail,
            "LifecycleConfigMissing",
        );
        let empty = Attached { name: Some("mine".to_owned()), content: Ok(None) };
        found(&script("nightly", &empty, &layout()).0, Check::OnStartScript, Verdict::Fail, "no on-start script");
        let denied = Attached {
            name: Some("mine".to_owned()),
            content: Err(Unknown::Denied("sagemaker:DescribeNotebookInstanceLifecycleConfig")),
        };
        found(&script("nightly", &denied, &layout()).0, Check::OnStartScript, Verdict::Unchecked, "LifecycleConfig");
        found(&judge("#!/bin/bash\necho mine\n"), Check::OnStartScript, Verdict::Fail, "is not Reveille's");
        found(&judge(&rendered().replace('\n', "\r\n")), Check::OnStartScript, Verdict::Fail, "CRLF");
        let older = rendered().replace("FETCH_TRIES=3", "FETCH_TRIES=2");
        found(&judge(&older), Check::OnStartScript, Verdict::Warn, "another version");
        let elsewhere = rendered().replace("REVEILLE_BUCKET='runs'", "REVEILLE_BUCKET='other'");
        found(&judge(&elsewhere), Check::ScriptStack, Verdict::Fail, "s3://other/");
        let long = rendered().replace(
            "set -u\n",
            &format!("{}\nset -u\n", "#".repeat((16_384 - rendered().len() * 4 / 3) * 3 / 4 - 40)),
        );
        found(&judge(&long), Check::ScriptSize, Verdict::Warn, "OnStartCommands");
    }

    #[test]
    fn a_runner_that_is_missing_or_replaced_is_found() {
        let attached = Attached { name: Some("mine".to_owned()), content: Ok(Some(base64::encode(rendered()))) };
        let read = script("nightly", &attached, &layout()).1.unwrap();
        let judge = |sha256: Option<String>| [runner(&read, &layout(), &Ok(sha256))];
        found(&judge(Some("ab".repeat(32))), Check::Runner, Verdict::Ok, "abababababab");
        found(&judge(Some("cd".repeat(32))), Check::Runner, Verdict::Fail, "refuses that runner");
        found(&judge(None), Check::Runner, Verdict::Fail, "s3://runs/artifacts/reveille-runner is not there");
        let denied = [runner(&read, &layout(), &Err(Unknown::Denied("s3:GetObject")))];
        found(&denied, Check::Runner, Verdict::Unchecked, "s3:GetObject");
        found(&[no_runner(&layout(), &Ok(()))], Check::Runner, Verdict::Fail, "s3://runs/runner.sha256");
        let denied = Err::<(), _>(Unknown::Denied("s3:GetObject"));
        found(&[no_runner(&layout(), &denied)], Check::Runner, Verdict::Unchecked, "s3:GetObject");
    }
}
