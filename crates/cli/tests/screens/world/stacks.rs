//! CloudFormation, and who asks.

use super::{Asks, BUCKET, MACHINE, QUEUE, lab};
use crate::stub::StubCall;

const NO_STACK: &str =
    "<ErrorResponse><Error><Code>ValidationError</Code><Message>Stack does not exist</Message></Error></ErrorResponse>";

/// What the template of a main stack says that it is.
const MAIN: &str = "Reveille: runs notebooks";
/// The stack, and the lifecycle configuration, of the instance to which somebody attached the runner.
const OF_SANDBOX: &str = "reveille-sandbox";
const PARTS_OF_SANDBOX: [(&str, &str); 2] =
    [("RunnerPolicy", "AWS::IAM::Policy"), ("LifecycleConfig", "AWS::SageMaker::NotebookInstanceLifecycleConfig")];

/// What the stack has, by its names in the template.
const PARTS: [(&str, &str); 14] = [
    ("AdmitRunFunction", "AWS::Lambda::Function"),
    ("CheckInstanceFunction", "AWS::Lambda::Function"),
    ("StartInstanceFunction", "AWS::Lambda::Function"),
    ("AwaitRunFunction", "AWS::Lambda::Function"),
    ("VerifyStoppedFunction", "AWS::Lambda::Function"),
    ("ConcludeRunFunction", "AWS::Lambda::Function"),
    ("SweepFunction", "AWS::Lambda::Function"),
    ("EventsRole", "AWS::IAM::Role"),
    ("SchedulerRole", "AWS::IAM::Role"),
    ("NotebookRun", "AWS::StepFunctions::StateMachine"),
    ("RunsBucket", "AWS::S3::Bucket"),
    ("NotificationsTopic", "AWS::SNS::Topic"),
    ("UndeliveredEvents", "AWS::SQS::Queue"),
    ("SweepFailures", "AWS::SQS::Queue"),
];

pub fn answer(call: &StubCall<'_>, asks: Asks) -> Option<(u16, String)> {
    let body = call.body;
    let action = body.strip_prefix("Action=")?.split('&').next()?;
    let field = |name: &str| body.split('&').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    let content = match action {
        "DescribeStacks" => {
            let stacks = all(asks);
            let named = field("StackName").map(|name| name.replace("%3A", ":").replace("%2F", "/"));
            let wanted = |(name, _): &&(&str, String)| named.as_ref().is_none_or(|it| it == name || *it == id(name));
            let found: String = stacks.iter().filter(wanted).map(|(_, stack)| stack.as_str()).collect();
            if found.is_empty() {
                return Some((400, NO_STACK.to_owned()));
            }
            format!("<Stacks>{found}</Stacks>")
        }
        "ListImports" => return Some((400, NO_STACK.to_owned())),
        "ListStackResources" if field("StackName").is_some_and(|name| name.contains(OF_SANDBOX)) => {
            parts_of("StackResourceSummaries", &PARTS_OF_SANDBOX)
        }
        "ListStackResources" => parts_of("StackResourceSummaries", &PARTS),
        "DescribeStackResources" => parts_of("StackResources", &PARTS),
        "GetTemplate" => {
            r#"<TemplateBody>{"Resources": {"RunsBucket": {"DeletionPolicy": "RetainExceptOnCreate"}}}</TemplateBody>"#
                .to_owned()
        }
        // By its name it is known what it changes.
        "CreateChangeSet" => format!("<Id>{}</Id><StackId>id</StackId>", field("StackName")?),
        "DescribeChangeSet" => {
            let changes = if field("ChangeSetName") == Some("reveille") { of_release() } else { of_instance() };
            format!("<Status>CREATE_COMPLETE</Status><Changes>{changes}</Changes>")
        }
        "DeleteChangeSet" | "DeleteStack" | "ListChangeSets" => String::new(),
        "SimulatePrincipalPolicy" => simulated(body),
        "GetCallerIdentity" => "<Arn>arn:aws:iam::111122223333:user/ana</Arn>".to_owned(),
        _ => return None,
    };
    Some((200, format!("<{action}Response><{action}Result>{content}</{action}Result></{action}Response>")))
}

/// What IAM says of a role's actions on one resource: a boundary denies the schedules' role the queue, and nobody granted the instances' role that
/// they stop themselves.
fn simulated(body: &str) -> String {
    let actions = body.split('&').filter(|field| field.starts_with("ActionNames.")).filter_map(|it| it.split_once('='));
    let result = |(_, action): (&str, &str)| {
        let action = action.replace("%3A", ":");
        let of = |role: &str, denied: &str| body.contains(role) && action == denied;
        let boundary = of("SchedulerRole", "sqs:SendMessage");
        let denied = boundary || of("notebooks", "sagemaker:StopNotebookInstance");
        format!(
            "<member><EvalActionName>{action}</EvalActionName><EvalDecision>{}</EvalDecision><PermissionsBoundaryDecisionDetail>\
             <AllowedByPermissionsBoundary>{}</AllowedByPermissionsBoundary></PermissionsBoundaryDecisionDetail></member>",
            if denied { "implicitDeny" } else { "allowed" },
            !boundary
        )
    };
    format!("<EvaluationResults>{}</EvaluationResults>", actions.map(result).collect::<String>())
}

/// What a stack of an instance is made of.
fn of_instance() -> String {
    change("Add", "RunnerPolicy", "IAM::Policy", "")
        + &change("Add", "LifecycleConfig", "SageMaker::NotebookInstanceLifecycleConfig", "")
}

/// What a release changes on the main stack.
fn of_release() -> String {
    let of = |action: &str, name: &str, kind: &str, replaced: &str, property: &str| {
        let target = format!("<Target><Attribute>Properties</Attribute><Name>{property}</Name></Target>");
        let more = format!("<Replacement>{replaced}</Replacement><Details><member>{target}</member></Details>");
        change(action, name, kind, &more)
    };
    let functions = PARTS.iter().filter(|(_, kind)| kind.ends_with("::Function"));
    let functions = functions.map(|(name, _)| of("Modify", name, "Lambda::Function", "False", "Code"));
    functions.collect::<String>()
        + &of("Modify", "NotebookRun", "StepFunctions::StateMachine", "False", "DefinitionString")
        + &of("Modify", "SweepFailures", "SQS::Queue", "True", "QueueName")
        + &of("Modify", "SweepFunctionTimer", "Events::Rule", "Conditional", "EventBusName")
        + &change("Add", "FunctionErrorsAlarm", "CloudWatch::Alarm", "")
        + &change("Remove", "SweepFunctionExecutionEnded", "Events::Rule", "")
}

fn change(action: &str, name: &str, kind: &str, more: &str) -> String {
    format!(
        "<member><Type>Resource</Type><ResourceChange><Action>{action}</Action><LogicalResourceId>{name}</LogicalResourceId>\
         <ResourceType>AWS::{kind}</ResourceType>{more}</ResourceChange></member>"
    )
}

fn parts_of(list: &str, parts: &[(&str, &str)]) -> String {
    let part = |(name, kind): &(&str, &str)| {
        let physical = match *kind {
            "AWS::SageMaker::NotebookInstanceLifecycleConfig" => OF_SANDBOX.to_owned(),
            "AWS::SQS::Queue" => format!("https://sqs.us-east-1.amazonaws.com/111122223333/reveille-{name}"),
            _ => format!("reveille-{name}"),
        };
        format!(
            "<member><LogicalResourceId>{name}</LogicalResourceId><PhysicalResourceId>{physical}</PhysicalResourceId>\
             <ResourceType>{kind}</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus></member>"
        )
    };
    format!("<{list}>{}</{list}>", parts.iter().map(part).collect::<String>())
}

/// The stacks of the account: with other programs' among them.
fn all(asks: Asks) -> Vec<(&'static str, String)> {
    let release = [("ArtifactsBucket", "acme-releases"), ("ArtifactsPrefix", "reveille-0.2.0/")];
    let lake = stack("data-lake", "The lake of the data team", &[], "");
    if asks == Asks::BesideOtherStacks {
        return ["notebooks-of-sales", "notebooks-of-finance"]
            .map(|name| (name, stack(name, MAIN, &[], &outputs(MACHINE, BUCKET))))
            .into_iter()
            .chain([("data-lake", lake)])
            .collect();
    }
    let of_sandbox = [("CreateInstance", "false"), ("InstanceName", "sandbox"), ("RunsBucket", BUCKET)];
    vec![
        ("reveille", stack("reveille", MAIN, &release, &outputs(MACHINE, BUCKET))),
        ("reveille-lab", stack("reveille-lab", MAIN, &[], &outputs(lab::MACHINE, lab::BUCKET))),
        (OF_SANDBOX, stack(OF_SANDBOX, "A notebook instance for Reveille", &of_sandbox, "")),
        ("data-lake", lake),
    ]
}

fn id(name: &str) -> String {
    format!("arn:aws:cloudformation:us-east-1:111122223333:stack/{name}/1")
}

fn outputs(machine: &str, bucket: &str) -> String {
    let queue = "https://sqs.us-east-1.amazonaws.com/111122223333";
    let outputs = [
        ("StateMachineArn", machine.to_owned()),
        ("RunsBucketName", bucket.to_owned()),
        ("SchedulerRoleArn", "arn:aws:iam::111122223333:role/reveille-SchedulerRole".to_owned()),
        ("EventsRoleArn", "arn:aws:iam::111122223333:role/reveille-EventsRole".to_owned()),
        ("UndeliveredEventsArn", QUEUE.to_owned()),
        ("UndeliveredEventsUrl", format!("{queue}/reveille-UndeliveredEvents")),
        ("SweepFailuresUrl", format!("{queue}/reveille-SweepFailures")),
        ("UndeliveredNotificationsUrl", format!("{queue}/reveille-UndeliveredNotifications")),
        ("NotificationsTopicArn", "arn:aws:sns:us-east-1:111122223333:reveille-notifications".to_owned()),
        ("FunctionLogGroup", "/aws/lambda/reveille".to_owned()),
        ("EventBus", "default".to_owned()),
    ];
    let output = |(key, value): (&str, String)| {
        format!("<member><OutputKey>{key}</OutputKey><OutputValue>{value}</OutputValue></member>")
    };
    outputs.map(output).concat()
}

fn stack(name: &str, description: &str, parameters: &[(&str, &str)], outputs: &str) -> String {
    let parameter = |(key, value): &(&str, &str)| {
        format!("<member><ParameterKey>{key}</ParameterKey><ParameterValue>{value}</ParameterValue></member>")
    };
    let parameters: String = parameters.iter().map(parameter).collect();
    let tags = "<member><Key>reveille:replaced</Key><Value>data-team</Value></member>";
    let tags = if name == OF_SANDBOX { tags } else { "" };
    format!(
        "<member><StackName>{name}</StackName><StackId>{}</StackId><Description>{description}</Description>\
         <CreationTime>2026-09-01T08:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus>\
         <Parameters>{parameters}</Parameters><Tags>{tags}</Tags><Outputs>{outputs}</Outputs></member>",
        id(name)
    )
}
