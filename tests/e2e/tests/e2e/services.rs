//! What services do without a role of the stack's: take a role, deliver to its topic, queue and functions. Held against the policies of
//! these, as what roles call is held against theirs.

use std::collections::BTreeSet;

use reveille_contract_tests::iam::texts;
use reveille_contract_tests::resource_policy::{Asked, PolicyCaller, PolicyVerdict, verdict};
use reveille_contract_tests::transform::transformed;
use reveille_local::RoleCall;
use serde_json::{Value, json};

use crate::permissions::{JudgedStack, TEMPLATE};

/// A service's own name, where the notes have a role's ARN.
const SERVICE: &str = ".amazonaws.com";
/// What must have been noted when each scenario ran: an empty list would be no proof.
const SURE: [(&str, &str); 6] = [
    ("lambda.amazonaws.com", "sts:AssumeRole"),
    ("states.amazonaws.com", "sts:AssumeRole"),
    ("events.amazonaws.com", "sts:AssumeRole"),
    ("scheduler.amazonaws.com", "sts:AssumeRole"),
    ("events.amazonaws.com", "sns:Publish"),
    ("events.amazonaws.com", "lambda:InvokeFunction"),
];

/// A value of the template, with what the stack knows in place of intrinsics.
fn resolved(stack: &JudgedStack, value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| resolved(stack, item)).collect(),
        Value::Object(fields) if ["Ref", "Fn::Sub", "Fn::GetAtt"].iter().any(|name| fields.contains_key(*name)) => {
            stack.resolve(&texts(value).concat(), "").into()
        }
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, field)| (name.clone(), resolved(stack, field)));
            Value::Object(fields.collect())
        }
        scalar => scalar.clone(),
    }
}

/// What the template says of who may do something to one of its resources.
fn document(stack: &JudgedStack, template: &Value, logical: &str) -> Value {
    let resource = &template["Resources"][logical];
    if resource["Type"] == "AWS::IAM::Role" {
        return resolved(stack, &resource["Properties"]["AssumeRolePolicyDocument"]);
    }
    let itself = json!({"Ref": logical});
    let mut statements = Vec::new();
    for other in template["Resources"].as_object().expect("resources").values() {
        let of = &other["Properties"];
        let about = |list: &str| of[list].as_array().is_some_and(|all| all.contains(&itself));
        if about("Queues") || about("Topics") {
            statements.extend(of["PolicyDocument"]["Statement"].as_array().expect("statements").clone());
        } else if other["Type"] == "AWS::Lambda::Permission" && of["FunctionName"] == itself {
            let condition = json!({"ArnLike": {"aws:SourceArn": of["SourceArn"]}});
            let principal = json!({"Service": of["Principal"]});
            statements.push(json!({
                "Effect": "Allow", "Principal": principal, "Action": of["Action"], "Condition": condition,
            }));
        }
    }
    resolved(stack, &json!({"Statement": statements}))
}

/// The faults of one call: it is not allowed, or would be whatever it was for.
fn of_call(document: &Value, call: &RoleCall) -> Option<String> {
    let RoleCall { role, action, resource, context } = call;
    let asked = Asked { by: PolicyCaller::Service(role), action, resource, context: context.clone() };
    let said = match verdict(document, &asked) {
        Ok(PolicyVerdict::Allowed) => None,
        said => Some(format!(
            "{role} calls {action} on {resource} with {context:?}, which its policy does not allow: {said:?}"
        )),
    };
    let source = "aws:SourceArn";
    let elsewhere = context.get(source).map(|_| "arn:aws:events:us-east-1:999999999999:rule/x".to_owned());
    let others = elsewhere.map(|arn| Asked { context: [(source.to_owned(), arn)].into(), ..asked });
    let is_open = others.is_some_and(|asked| verdict(document, &asked) == Ok(PolicyVerdict::Allowed));
    said.or_else(|| is_open.then(|| format!("{role} may call {action} on {resource} for anybody's rule")))
}

/// What is wrong with what services did to this stack. `whole`: every scenario ran.
pub fn faults(stack: &JudgedStack, noted: &[RoleCall], whole: bool) -> Vec<String> {
    let template = transformed(TEMPLATE);
    let (mut faults, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for call in noted.iter().filter(|call| call.role.ends_with(SERVICE)) {
        let role = call.resource.rsplit('/').next().expect("a name");
        let logical = stack.roles.get(role).map(String::as_str).or_else(|| stack.logical(&call.resource));
        // Of another stack.
        let Some(logical) = logical else { continue };
        seen.insert((call.role.as_str(), call.action.as_str()));
        faults.extend(of_call(&document(stack, &template, logical), call));
    }
    for (service, action) in SURE.iter().filter(|call| whole && !seen.contains(*call)) {
        faults.insert(format!("{service} was not seen to call {action}: it is not noted any more"));
    }
    faults.into_iter().collect()
}
