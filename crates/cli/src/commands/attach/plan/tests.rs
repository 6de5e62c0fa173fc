use aws_sdk_sagemaker::types::NotebookInstanceStatus as Status;
use reveille_domain::layout::Layout;
use reveille_lifecycle::{ON_START, Preamble, render};
use unicode_width::UnicodeWidthStr;

use super::{Facts, change, lines};
use crate::{clients::checkup::Unreadable, ui::terminal::Terminal};

fn facts() -> Facts {
    Facts {
        instance: "nightly".to_owned(),
        status: Status::Stopped,
        platform: Some("notebook-al2023-v1".to_owned()),
        role: Some("arn:aws:iam::1:role/service-role/my-role".to_owned()),
        configuration: None,
        script: Ok(None),
        kept: None,
        layout: Layout { bucket: "runs-1".to_owned(), prefix: "team/".to_owned() },
        taken_over: vec![("RunsPrefix".to_owned(), "team/".to_owned())],
        instance_names: Some("night*".to_owned()),
        makes_instance: false,
        is_taken: false,
    }
}

fn script_for(bucket: &str) -> String {
    let preamble = Preamble {
        bucket: bucket.to_owned(),
        prefix: "team/".to_owned(),
        runner_key: String::new(),
        runner_sha256: String::new(),
    };
    render(ON_START, &preamble).unwrap()
}

fn refused(facts: &Facts) -> String {
    change(facts, None).unwrap_err().to_string()
}

#[test]
fn an_instance_without_anything_gets_all() {
    let change = change(&facts(), None).unwrap();
    assert!(change.attaches && change.warnings.is_empty() && change.replaced.is_none());
    let parameters: Vec<_> = change.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        parameters,
        ["InstanceName=nightly", "CreateInstance=false", "RunsBucket=runs-1", "RunsPrefix=team/", "RoleName=my-role"]
    );
}

#[test]
fn nobody_is_stopped_and_one_that_has_it_need_not_be() {
    for status in [Status::InService, Status::Pending, Status::Stopping] {
        let on = Facts { status: status.clone(), ..facts() };
        let said = refused(&on);
        assert!(said.contains(status.as_str()) && said.contains("aws sagemaker stop-notebook-instance"), "{said}");
        let attached =
            Facts { configuration: Some("reveille-nightly".to_owned()), script: Ok(Some(script_for("runs-1"))), ..on };
        let change = change(&attached, None).unwrap();
        assert!(!change.attaches && change.replaced.is_none(), "{change:?}");
        assert!(!change.parameters.iter().any(|(name, _)| name == "OnStartCommands"), "its own script is ours");
    }
    assert!(change(&Facts { status: Status::Failed, ..facts() }, None).unwrap().attaches);
}

#[test]
fn a_script_of_a_person_goes_on_or_is_replaced_by_name() {
    let own =
        Facts { configuration: Some("mine".to_owned()), script: Ok(Some("set -e\npip list\n".to_owned())), ..facts() };
    let composed = change(&own, None).unwrap();
    assert_eq!(composed.replaced.as_deref(), Some("mine"));
    let commands = "/bin/bash /dev/fd/9 9<<'OWN'\nset -e\npip list\nOWN".to_owned();
    assert!(composed.parameters.contains(&("OnStartCommands".to_owned(), commands)), "{:?}", composed.parameters);
    let given = change(&own, Some("echo mine".to_owned())).unwrap();
    assert!(given.parameters.contains(&("OnStartCommands".to_owned(), "echo mine".to_owned())));
    assert!(given.own_script.unwrap().contains("--on-start"));
    let long = Facts { script: Ok(Some("x".repeat(2000))), ..own.clone() };
    let said = refused(&long);
    assert!(said.contains("mine") && said.contains("--on-start FILE"), "{said}");
    assert!(change(&long, Some(String::new())).is_ok());
    let empty = Facts { script: Ok(Some("\n".to_owned())), ..own };
    assert_eq!(change(&empty, None).unwrap().own_script, None);
}

/// One with a character of Latin-1, say, is there: it must not go as if there were none.
#[test]
fn a_script_that_cannot_be_read_is_refused() {
    let unreadable = |part: &str| Err(Unreadable { why: "it is not in base64".to_owned(), part: part.to_owned() });
    let own = Facts { configuration: Some("mine".to_owned()), script: unreadable("# f\u{fffd}r"), ..facts() };
    let said = refused(&own);
    assert!(said.contains("(lifecycle configuration mine)") && said.contains("it is not in base64"), "{said}");
    assert!(said.contains("--on-start FILE"), "{said}");
    let given = change(&own, Some("echo mine".to_owned())).unwrap();
    assert!(given.own_script.unwrap().contains("is replaced by the commands of --on-start"));
    // Whose it is can be told all the same.
    let theirs = Facts { script: unreadable(&script_for("runs-2")), ..own };
    assert!(refused(&theirs).contains("the runner of another Reveille stack"));
}

/// They stay if nobody gives others, and run at each start.
#[test]
fn commands_that_the_stack_has_are_shown() {
    let kept = Facts { kept: Some("echo kept\necho more".to_owned()), ..facts() };
    for (commands, said) in
        [(None, "go on, and run first (19 characters): echo kept"), (Some(String::new()), "are replaced")]
    {
        let change = change(&kept, commands).unwrap();
        let lines = lines(&Terminal::plain(200), &change, &kept, "reveille-nightly", true).join("\n");
        assert!(lines.contains("its stack's commands") && lines.contains(said), "{lines}");
    }
}

#[test]
fn what_cannot_be_is_said_with_what_to_do() {
    let named = |name: &str| Some(name.to_owned());
    for (facts, said) in [
        (Facts { makes_instance: true, ..facts() }, "deploy instance.yaml over the stack"),
        (Facts { is_taken: true, ..facts() }, "describe-stack-resources --physical-resource-id reveille-nightly"),
        (
            Facts { configuration: named("theirs"), script: Ok(Some(script_for("runs-2"))), ..facts() },
            "reveille detach nightly --stack NAME",
        ),
        (
            Facts { configuration: named("by-hand"), script: Ok(Some(script_for("runs-1"))), ..facts() },
            "reveille doctor nightly",
        ),
        (Facts { platform: named("notebook-al2-v3"), ..facts() }, "--platform-identifier notebook-al2023-v1"),
    ] {
        let message = refused(&facts);
        assert!(message.contains(said), "{message}");
    }
    let other = Facts { instance_names: named("team-*"), ..facts() };
    assert!(change(&other, None).unwrap().warnings[0].contains("InstanceNames is team-*"));
}

#[test]
fn the_lines_fit_and_name_what_it_had() {
    let own = Facts { configuration: Some("mine".to_owned()), script: Ok(Some("pip list".to_owned())), ..facts() };
    let change = change(&own, None).unwrap();
    for width in [60, 80, 200] {
        let lines = lines(&Terminal::plain(width), &change, &own, "reveille-nightly", false);
        assert!(lines.iter().all(|line| line.width() <= width), "{width}: {lines:#?}");
        let all = lines.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
        for said in [
            "reveille-nightly (is made)",
            "mine -> reveille-nightly",
            "it runs first",
            "my-role gets the runner's policy",
        ] {
            assert!(all.contains(said), "{width}: {all}");
        }
    }
}
