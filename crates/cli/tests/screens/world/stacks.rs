//! CloudFormation, and who asks.

use super::{BUCKET, MACHINE, QUEUE};

const NO_STACK: &str =
    "<ErrorResponse><Error><Code>ValidationError</Code><Message>Stack does not exist</Message></Error></ErrorResponse>";

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

pub fn answer(body: &str) -> Option<(u16, String)> {
    let action = body.strip_prefix("Action=")?.split('&').next()?;
    let content = match action {
        "DescribeStacks"
            if body.contains("StackName=")
                && !body.contains("StackName=reveille&")
                && !body.ends_with("StackName=reveille") =>
        {
            return Some((400, NO_STACK.to_owned()));
        }
        "DescribeStacks" => stack(),
        "ListImports" => return Some((400, NO_STACK.to_owned())),
        "ListStackResources" => parts("StackResourceSummaries"),
        "DescribeStackResources" => parts("StackResources"),
        "GetTemplate" => {
            r#"<TemplateBody>{"Resources": {"RunsBucket": {"DeletionPolicy": "RetainExceptOnCreate"}}}</TemplateBody>"#
                .to_owned()
        }
        "CreateChangeSet" => "<Id>made</Id><StackId>id</StackId>".to_owned(),
        "DescribeChangeSet" => {
            let change = |(name, kind): (&str, &str)| {
                format!(
                    "<member><Type>Resource</Type><ResourceChange><Action>Add</Action><LogicalResourceId>{name}</LogicalResourceId>\
                     <ResourceType>{kind}</ResourceType></ResourceChange></member>"
                )
            };
            let made = [
                ("RunnerPolicy", "AWS::IAM::Policy"),
                ("LifecycleConfig", "AWS::SageMaker::NotebookInstanceLifecycleConfig"),
            ];
            format!("<Status>CREATE_COMPLETE</Status><Changes>{}</Changes>", made.map(change).concat())
        }
        "DeleteChangeSet" | "DeleteStack" | "ListChangeSets" => String::new(),
        "GetCallerIdentity" => "<Arn>arn:aws:iam::111122223333:user/ana</Arn>".to_owned(),
        _ => return None,
    };
    Some((200, format!("<{action}Response><{action}Result>{content}</{action}Result></{action}Response>")))
}

fn parts(of: &str) -> String {
    let part = |(name, kind): (&str, &str)| {
        format!(
            "<member><LogicalResourceId>{name}</LogicalResourceId><PhysicalResourceId>reveille-{name}</PhysicalResourceId>\
             <ResourceType>{kind}</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus></member>"
        )
    };
    format!("<{of}>{}</{of}>", PARTS.map(part).concat())
}

fn stack() -> String {
    let queue = "https://sqs.us-east-1.amazonaws.com/111122223333";
    let outputs = [
        ("StateMachineArn", MACHINE.to_owned()),
        ("RunsBucketName", BUCKET.to_owned()),
        ("SchedulerRoleArn", "arn:aws:iam::111122223333:role/reveille-SchedulerRole".to_owned()),
        ("EventsRoleArn", "arn:aws:iam::111122223333:role/reveille-EventsRole".to_owned()),
        ("UndeliveredEventsArn", QUEUE.to_owned()),
        ("UndeliveredEventsUrl", format!("{queue}/reveille-UndeliveredEvents")),
        ("SweepFailuresUrl", format!("{queue}/reveille-SweepFailures")),
        ("NotificationsTopicArn", "arn:aws:sns:us-east-1:111122223333:reveille-notifications".to_owned()),
        ("FunctionLogGroup", "/aws/lambda/reveille".to_owned()),
        ("EventBus", "default".to_owned()),
    ];
    let output = |(key, value): (&str, String)| {
        format!("<member><OutputKey>{key}</OutputKey><OutputValue>{value}</OutputValue></member>")
    };
    format!(
        "<Stacks><member><StackName>reveille</StackName><StackId>arn:aws:cloudformation:us-east-1:111122223333:stack/reveille/1</StackId>\
         <Description>Reveille: runs notebooks</Description><CreationTime>2026-09-01T08:00:00Z</CreationTime>\
         <StackStatus>CREATE_COMPLETE</StackStatus><Outputs>{}</Outputs></member></Stacks>",
        outputs.map(output).concat()
    )
}
