//! SageMaker's notebook instances.

use serde_json::{Value, json};

use super::{missing, of, seconds};

/// Name, type, status, when that changed, and the lifecycle configuration: the data team's own, or the one that `attach` made.
const ALL: [(&str, &str, &str, &str, Option<&str>); 5] = [
    ("churn-model-training", "ml.p3.2xlarge", "InService", "2026-11-26T16:05:00Z", Some("data-team")),
    ("nightly", "ml.t3.medium", "InService", "2026-11-27T09:12:00Z", Some("data-team")),
    ("old-experiments", "ml.t2.medium", "Stopped", "2026-03-02T10:00:00Z", None),
    ("reports", "ml.m5.xlarge", "Stopped", "2026-11-27T06:25:00Z", Some("data-team")),
    ("sandbox", "ml.t3.medium", "Failed", "2026-11-20T12:00:00Z", Some("reveille-sandbox")),
];

pub fn is_there(name: &str) -> bool {
    ALL.iter().any(|it| it.0 == name)
}

pub fn answer(action: &str, body: &Value) -> Option<(u16, String)> {
    match action {
        "ListNotebookInstances" => Some(of(&json!({"NotebookInstances": ALL.map(|it| shown(&it))}))),
        "DescribeNotebookInstance" => {
            let named = ALL.iter().find(|it| body["NotebookInstanceName"] == it.0);
            Some(named.map_or_else(|| missing("ValidationException", "RecordNotFound"), |it| of(&shown(it))))
        }
        // An own script, without Reveille's runner.
        "DescribeNotebookInstanceLifecycleConfig" if body["NotebookInstanceLifecycleConfigName"] == "data-team" => {
            Some(of(&json!({"OnStart": [{"Content": "IyEvYmluL2Jhc2gKc2V0IC1lCnBpcCBpbnN0YWxsIHB5b2RiYwo="}]})))
        }
        "DescribeNotebookInstanceLifecycleConfig" => Some(missing("ValidationException", "RecordNotFound")),
        _ => None,
    }
}

fn shown((name, kind, status, since, configuration): &(&str, &str, &str, &str, Option<&str>)) -> Value {
    let mut shown = json!({"NotebookInstanceName": name, "InstanceType": kind, "NotebookInstanceStatus": status,
        "NotebookInstanceArn": format!("arn:aws:sagemaker:us-east-1:111122223333:notebook-instance/{name}"),
        "LastModifiedTime": seconds(since), "PlatformIdentifier": "notebook-al2023-v1",
        "RoleArn": "arn:aws:iam::111122223333:role/notebooks"});
    if let Some(configuration) = configuration {
        shown["NotebookInstanceLifecycleConfigName"] = json!(configuration);
    }
    shown
}
