//! EventBridge's rules, its Scheduler's schedules, and the queue of what was not delivered.

use serde_json::{Value, json};

use super::{MACHINE, QUEUE, before, lab, missing, of, seconds};
use crate::stub::StubCall;

const ROLE: &str = "arn:aws:iam::111122223333:role/reveille-SchedulerRole";

/// Name, expression, zone, state, notebook and instance.
const SCHEDULES: [(&str, &str, &str, &str, &str, &str); 4] = [
    ("daily-sales", "cron(10 9 * * ? *)", "UTC", "ENABLED", "reports/daily-sales.ipynb", "nightly"),
    ("hourly-stock", "rate(1 hour)", "UTC", "ENABLED", "stock.ipynb", "warehouse"),
    (
        "monthly-report",
        "cron(0 7 1 * ? *)",
        "America/Argentina/Buenos_Aires",
        "ENABLED",
        "reports/monthly/management-summary.ipynb",
        "reports",
    ),
    ("weekend-cleaning", "cron(30 22 ? * SAT *)", "Europe/Berlin", "DISABLED", "clean/old-exports.ipynb", "nightly"),
];

pub fn answer(call: &StubCall<'_>, body: &Value) -> Option<(u16, String)> {
    schedules(call).or_else(|| rules(call, body)).or_else(|| messages(call.action))
}

fn schedules(call: &StubCall<'_>) -> Option<(u16, String)> {
    let mut words = call.first.split_whitespace();
    let (method, path) = (words.next()?, words.next()?);
    let (place, query) = path.split_once('?').unwrap_or((path, ""));
    let name = place.strip_prefix("/schedules")?.trim_start_matches('/');
    if name.is_empty() {
        let start = query.split('&').find_map(|part| part.strip_prefix("NamePrefix=")).unwrap_or_default();
        let named = SCHEDULES.iter().filter(|it| it.0.starts_with(start));
        let listed: Vec<Value> =
            named.map(|it| json!({"Name": it.0, "GroupName": "default", "Target": {"Arn": MACHINE}})).collect();
        return Some(of(&json!({"Schedules": listed})));
    }
    if method == "POST" && SCHEDULES.iter().any(|it| it.0 == name) {
        return Some((
            409,
            json!({"__type": "ConflictException", "Message": format!("Schedule {name} already exists.")}).to_string(),
        ));
    }
    if method != "GET" {
        return Some(of(&json!({"ScheduleArn": "arn"})));
    }
    let is_new = !SCHEDULES.iter().any(|it| it.0 == name);
    if let Some(mut made) = before(call, &format!("POST /schedules/{name} HTTP/1.1")).next().filter(|_| is_new) {
        made["Name"] = name.into();
        made["CreationDate"] = seconds("2026-11-27T09:30:00Z").into();
        return Some(of(&made));
    }
    let (name, expression, zone, state, notebook, instance) = SCHEDULES.iter().find(|it| it.0 == name)?;
    let mut input = json!({"instance": instance, "notebook": notebook, "parameters": {"region": "emea"}});
    // One was made in the console, without it.
    if *name != "hourly-stock" {
        input["event"] = json!({"source": "aws.scheduler", "detail-type": "Scheduled Event",
            "time": "<aws.scheduler.scheduled-time>", "resources": ["<aws.scheduler.schedule-arn>"]});
    }
    Some(of(&json!({"Name": name, "GroupName": "default", "ScheduleExpression": expression,
        "ScheduleExpressionTimezone": zone, "State": state, "CreationDate": seconds("2026-10-01T08:00:00Z"),
        "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": {"Arn": MACHINE, "RoleArn": ROLE,
        "Input": input.to_string(), "DeadLetterConfig": {"Arn": QUEUE}, "RetryPolicy": {"MaximumEventAgeInSeconds": 900}}})))
}

/// Name, pattern, notebook and instance, and whether the command made it.
type WorldRule = (&'static str, Value, &'static str, &'static str, bool);

fn all_rules() -> [WorldRule; 4] {
    let upload = |bucket: &str, key: &Value| {
        json!({"source": ["aws.s3"], "detail-type": ["Object Created"],
            "detail": {"bucket": {"name": [bucket]}, "object": {"key": [key]}}})
    };
    let after = |notebook: &str, instance: &str| {
        json!({"source": ["reveille"], "detail-type": ["Notebook Run Status Change"],
            "detail": {"instance": [instance], "notebook": [notebook], "status": ["SUCCEEDED"]}})
    };
    [
        (
            "contracts-trigger-ObjectCreatedRule-1K2QX7",
            upload("acme-legal-contracts", &json!({"suffix": ".pdf"})),
            "contracts/extract-clauses.ipynb",
            "reports",
            false,
        ),
        (
            "reveille-orders",
            upload("acme-incoming", &json!({"wildcard": "orders/*.csv"})),
            "pipelines/orders/import-orders.ipynb",
            "nightly",
            true,
        ),
        ("reveille-forecast", after("reports/daily-sales.ipynb", "nightly"), "forecast.ipynb", "warehouse", true),
        (
            "reveille-summary",
            after("pipelines/orders/import-orders.ipynb", "nightly"),
            "reports/monthly/management-summary.ipynb",
            "reports",
            true,
        ),
    ]
}

fn rules(call: &StubCall<'_>, body: &Value) -> Option<(u16, String)> {
    if let Some(answer) = made_rule(call, body) {
        return Some(answer);
    }
    let named = |field: &str| all_rules().into_iter().chain([lab::rule()]).find(|it| body[field] == it.0);
    Some(match call.action {
        "ListRuleNamesByTarget" if body["TargetArn"] == lab::MACHINE => of(&json!({"RuleNames": [lab::rule().0]})),
        "ListRuleNamesByTarget" => of(&json!({"RuleNames": all_rules().map(|it| it.0)})),
        "DescribeRule" => named("Name").map_or_else(
            || missing("ResourceNotFoundException", "Rule does not exist."),
            |(name, pattern, ..)| described(name, &pattern.to_string()),
        ),
        "ListTargetsByRule" => {
            let (name, _, notebook, instance, _) = named("Rule")?;
            let input = json!({"instance": instance, "notebook": notebook,
                "parameters": {"source": "{{ key }}", "day": "{{ date }}", "table": "orders_emea"}})
            .to_string();
            let template = format!("{},\"event\":<aws.events.event.json>}}", &input[..input.len() - 1]);
            let machine = if name == lab::rule().0 { lab::MACHINE } else { MACHINE };
            of(
                &json!({"Targets": [{"Id": "NotebookRun", "Arn": machine, "RoleArn": ROLE.replace("Scheduler", "Events"),
                "RetryPolicy": {"MaximumEventAgeInSeconds": 900}, "DeadLetterConfig": {"Arn": QUEUE}, "InputTransformer": {"InputTemplate": template}}]}),
            )
        }
        "ListTagsForResource" => {
            let made_here = all_rules()
                .iter()
                .any(|it| it.4 && body["ResourceARN"].as_str().is_some_and(|arn| arn.ends_with(it.0)));
            of(
                &json!({"Tags": if made_here { json!([{"Key": "reveille:stack", "Value": "reveille"}]) } else { json!([]) }}),
            )
        }
        "TestEventPattern" => of(&json!({"Result": body["EventPattern"].as_str()?.contains("acme-incoming")})),
        "PutRule" => of(&json!({"RuleArn": rule_arn(body["Name"].as_str()?)})),
        "DisableRule" | "EnableRule" | "DeleteRule" => of(&json!({})),
        "RemoveTargets" | "PutTargets" => of(&json!({"FailedEntryCount": 0, "FailedEntries": []})),
        _ => return None,
    })
}

/// What EventBridge tells of a rule that the command has just made.
fn made_rule(call: &StubCall<'_>, body: &Value) -> Option<(u16, String)> {
    let put = before(call, "PutRule").next()?;
    let name = put["Name"].as_str()?;
    Some(match call.action {
        "DescribeRule" if body["Name"] == name => described(name, put["EventPattern"].as_str()?),
        "ListTargetsByRule" if body["Rule"] == name => {
            of(&json!({"Targets": before(call, "PutTargets").next().map(|put| put["Targets"].clone())}))
        }
        "ListTagsForResource" if body["ResourceARN"] == rule_arn(name) => of(&json!({"Tags": put["Tags"]})),
        _ => return None,
    })
}

fn described(name: &str, pattern: &str) -> (u16, String) {
    of(&json!({"Name": name, "Arn": rule_arn(name), "State": "ENABLED", "EventPattern": pattern,
        "EventBusName": "default"}))
}

fn rule_arn(name: &str) -> String {
    format!("arn:aws:events:us-east-1:111122223333:rule/{name}")
}

fn messages(action: &str) -> Option<(u16, String)> {
    Some(match action {
        "ReceiveMessage" => {
            let upload = json!({"source": "aws.s3", "detail-type": "Object Created", "detail":
                {"bucket": {"name": "acme-incoming"}, "object": {"key": "orders/2026/11/27/europe-west.csv"}}});
            let run = json!({"instance": "warehouse", "notebook": "stock.ipynb", "parameters": {}});
            of(&json!({"Messages": [
                message("0b1f6f3c-5555-4444-3333-222211110000", "2026-11-27T08:42:00Z", &upload, json!({
                    "RULE_ARN": "arn:aws:events:us-east-1:111122223333:rule/reveille-orders",
                    "ERROR_CODE": "NO_PERMISSIONS",
                    "ERROR_MESSAGE": "User: arn:aws:sts::111122223333:assumed-role/reveille-EventsRole is not authorized to perform: states:StartExecution",
                    "RETRY_ATTEMPTS": "0"})),
                message("77aa0000-1111-2222-3333-444455556666", "2026-11-25T07:00:00Z", &run, json!({
                    "SCHEDULE_ARN": "arn:aws:scheduler:us-east-1:111122223333:schedule/default/hourly-stock",
                    "SCHEDULED_TIME": "2026-11-25T06:45:00Z",
                    "ERROR_CODE": "AWS.Scheduler.InternalServerError"})),
            ]}))
        }
        "ChangeMessageVisibilityBatch" => of(&json!({"Successful": [], "Failed": []})),
        "GetQueueAttributes" => of(&json!({"Attributes": {"ApproximateNumberOfMessagesNotVisible": "0"}})),
        "DeleteMessage" => of(&json!({})),
        _ => return None,
    })
}

fn message(id: &str, since: &str, body: &Value, attributes: Value) -> Value {
    let Value::Object(attributes) = attributes else { unreachable!("they are an object") };
    let text = |(name, value): (String, Value)| (name, json!({"DataType": "String", "StringValue": value}));
    json!({"MessageId": id, "ReceiptHandle": id, "Body": body.to_string(),
        "Attributes": {"SentTimestamp": (seconds(since) * 1_000).to_string()},
        "MessageAttributes": attributes.into_iter().map(text).collect::<serde_json::Map<_, _>>()})
}
