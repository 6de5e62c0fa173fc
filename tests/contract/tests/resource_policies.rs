//! Who may take the templates' roles, send to their queues and publish on their topic: each policy, for each service and each account.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use reveille_contract_tests::conditions::Context;
use reveille_contract_tests::intrinsics::ParametrisedStack;
use reveille_contract_tests::resource_policy::{Asked, PolicyCaller, PolicyVerdict, verdict};
use reveille_contract_tests::transform::transformed;
use reveille_contract_tests::{parse_template, read};
use serde_json::Value;

const OURS: &str = "123456789012";
const OTHERS: &str = "210987654321";
const SERVICES: [&str; 7] = [
    "lambda.amazonaws.com",
    "states.amazonaws.com",
    "events.amazonaws.com",
    "scheduler.amazonaws.com",
    "sagemaker.amazonaws.com",
    "cloudwatch.amazonaws.com",
    "ec2.amazonaws.com",
];

/// Calls that should be allowed and are not, and the reverse, each as a sentence.
struct Judge(Vec<String>);

impl Judge {
    fn asks(&mut self, document: &Value, service: Option<&str>, action: &str, sent: &[(&str, &str)], expected: bool) {
        let context: Context = sent.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let by = service.map_or(PolicyCaller::Anybody, PolicyCaller::Service);
        let asked = Asked { by, action, resource: "arn:ours", context };
        match verdict(document, &asked) {
            Ok(said) if (said == PolicyVerdict::Allowed) == expected => {}
            said => self.0.push(format!("{service:?} {action} {sent:?}: {said:?}")),
        }
    }

    /// A role is taken by its service, for this account, and by nobody else.
    fn trusts(&mut self, document: &Value, own: &str) {
        let account = "aws:SourceAccount";
        for service in SERVICES {
            let is_own = service == own;
            // No document promises that the service sends it.
            self.asks(document, Some(service), "sts:AssumeRole", &[], is_own);
            self.asks(document, Some(service), "sts:AssumeRole", &[(account, OURS)], is_own);
            self.asks(document, Some(service), "sts:AssumeRole", &[(account, OTHERS)], false);
        }
        self.asks(document, None, "sts:AssumeRole", &[(account, OURS)], false);
    }

    /// What is sent comes from a service, for something of this account and region.
    fn takes(&mut self, document: &Value, action: &str, sources: &[(&str, &str)]) {
        let others = [("events", "rule/a"), ("cloudwatch", "alarm:a"), ("sns", "topic")];
        for service in SERVICES {
            self.asks(document, Some(service), action, &[], false);
            for (from, thing) in sources.iter().chain(&others) {
                let own = service == format!("{from}.amazonaws.com") && sources.contains(&(from, thing));
                let arn = |region: &str, account: &str| format!("arn:aws:{from}:{region}:{account}:{thing}");
                self.asks(document, Some(service), action, &[("aws:SourceArn", &arn("eu-west-1", OURS))], own);
                self.asks(document, Some(service), action, &[("aws:SourceArn", &arn("eu-west-1", OTHERS))], false);
                self.asks(document, Some(service), action, &[("aws:SourceArn", &arn("us-east-1", OURS))], false);
            }
        }
        self.asks(document, None, action, &[], false);
    }
}

/// What is wrong with the policies that our own templates write.
fn wrong(stack: &str, instance: &str) -> Vec<String> {
    let mut judge = Judge(Vec::new());
    let (stack, instance) = (parse_template(stack), parse_template(instance));
    let names = [
        ("UndeliveredEvents.Arn", "arn:ours"),
        ("UndeliveredNotifications.Arn", "arn:ours"),
        ("Notifications", "arn:ours"),
        ("NotifyRule.Arn", "arn:aws:events:eu-west-1:123456789012:rule/a"),
        ("PublishProgressFunctionRecordCreated.Arn", "arn:aws:events:eu-west-1:123456789012:rule/p"),
    ];
    let resources = ParametrisedStack::new(&stack, &[]).knowing(&names).resources();
    let progress = ParametrisedStack::new(&stack, &[("PublishProgress", "true")]).knowing(&names).resources();
    let trust = |name: &str| resources[name]["Properties"]["AssumeRolePolicyDocument"].clone();
    judge.trusts(&trust("EventsRole"), "events.amazonaws.com");
    judge.trusts(&trust("SchedulerRole"), "scheduler.amazonaws.com");
    let of_the_instance = ParametrisedStack::new(&instance, &[]).resources();
    judge.trusts(&of_the_instance["Role"]["Properties"]["AssumeRolePolicyDocument"], "sagemaker.amazonaws.com");
    let document = |name: &str| resources[name]["Properties"]["PolicyDocument"].clone();
    judge.takes(&document("UndeliveredEventsPolicy"), "sqs:SendMessage", &[("events", "rule/a")]);
    let undelivered = document("UndeliveredNotificationsPolicy");
    judge.takes(&undelivered, "sqs:SendMessage", &[("events", "rule/a")]);
    let another = [("aws:SourceArn", "arn:aws:events:eu-west-1:123456789012:rule/b")];
    judge.asks(&undelivered, Some("events.amazonaws.com"), "sqs:SendMessage", &another, false);
    let with_progress = &progress["UndeliveredNotificationsPolicy"]["Properties"]["PolicyDocument"];
    for rule in ["rule/a", "rule/p"] {
        let source = format!("arn:aws:events:eu-west-1:123456789012:{rule}");
        let own = [("aws:SourceArn", source.as_str())];
        judge.asks(with_progress, Some("events.amazonaws.com"), "sqs:SendMessage", &own, true);
    }
    judge.asks(with_progress, Some("events.amazonaws.com"), "sqs:SendMessage", &another, false);
    judge.takes(&document("NotificationsPolicy"), "sns:Publish", &[("events", "rule/a"), ("cloudwatch", "alarm:a")]);
    judge.0
}

#[test]
fn roles_queue_and_topic_are_for_the_services_of_this_account() {
    assert_eq!(wrong(&read("infra/template.yaml"), &read("infra/instance.yaml")), Vec::<String>::new());
}

/// Each fault is in a condition, a principal or an action.
#[test]
fn a_policy_that_lets_others_in_or_locks_the_service_out_is_noticed() {
    let (stack, instance) = (read("infra/template.yaml"), read("infra/instance.yaml"));
    let account = "StringEqualsIfExists: { \"aws:SourceAccount\": !Ref AWS::AccountId }";
    let rule = "\"arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/*\"";
    for (there, instead) in [
        (account, "StringEquals: { \"aws:SourceAccount\": !Ref AWS::AccountId }"),
        (account, "StringEqualsIfExists: { \"aws:SourceAccount\": \"210987654321\" }"),
        (account, "StringLikeIfExists: { \"aws:SourceAccount\": \"*\" }"),
        (account, "StringEqualsIfExists: { \"aws:PrincipalTag/team\": a }"),
        (account, "StringNotEqualsIfExists: { \"aws:SourceAccount\": \"210987654321\" }"),
        ("Principal: { Service: events.amazonaws.com }", "Principal: \"*\""),
        ("Principal: { Service: scheduler.amazonaws.com }", "Principal: { Service: events.amazonaws.com }"),
        (rule, "\"arn:${AWS::Partition}:events:${AWS::Region}:*:rule/*\""),
        (rule, "\"arn:${AWS::Partition}:events:*:${AWS::AccountId}:rule/*\""),
        (rule, "\"arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:schedule/*\""),
        ("cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:*", "cloudwatch:${AWS::Region}:*:alarm:*"),
        ("- !GetAtt NotifyRule.Arn", "- \"arn:aws:events:*:123456789012:rule/*\""),
        ("- !GetAtt NotifyRule.Arn", "- !Ref NotifyRule"),
    ] {
        assert!(stack.contains(there), "{there}");
        assert!(!wrong(&stack.replacen(there, instead, 1), &instance).is_empty(), "nobody notices {instead}");
    }
    let without = instance.replacen(account, "StringEqualsIfExists: { \"aws:SourceAccount\": \"1\" }", 1);
    assert!(!wrong(&stack, &without).is_empty());
}

/// Those that SAM writes: of the functions and of the state machine.
#[test]
fn roles_that_sam_makes_are_taken_by_their_service_alone() {
    let template = transformed("infra/template.yaml");
    let mut seen = 0;
    for (name, resource) in template["Resources"].as_object().unwrap() {
        let own = match name.strip_suffix("FunctionRole") {
            Some(_) => "lambda.amazonaws.com",
            None if name == "NotebookRunRole" => "states.amazonaws.com",
            None => continue,
        };
        seen += 1;
        let mut judge = Judge(Vec::new());
        for service in SERVICES.map(Some).into_iter().chain([None]) {
            let trust = &resource["Properties"]["AssumeRolePolicyDocument"];
            judge.asks(trust, service, "sts:AssumeRole", &[], service == Some(own));
        }
        assert_eq!(judge.0, Vec::<String>::new(), "{name}");
    }
    assert_eq!(seen, 10, "nine functions, and the state machine");
}
