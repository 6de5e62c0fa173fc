//! A state machine's definition, held against the one that this version deploys. Pure.

use serde_json::Value;

/// As it is deployed, with `${NAME}` for what a deployment puts in.
const DEFINITION: &str = include_str!("../../../../../statemachines/notebook_run.asl.json");

/// This version's.
pub(super) fn ours() -> Value {
    serde_json::from_str(DEFINITION).unwrap_or_default()
}

/// Where two definitions differ first, as a path; `None`: a deployment of ours makes the other.
pub(super) fn difference(ours: &Value, deployed: &Value) -> Option<String> {
    at(ours, deployed, "")
}

fn at(ours: &Value, deployed: &Value, path: &str) -> Option<String> {
    let differs = || Some(if path.is_empty() { "its beginning".to_owned() } else { path.to_owned() });
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (ours, deployed) {
        (Value::Object(ours), Value::Object(deployed)) => {
            let missing = ours.iter().find_map(|(name, value)| match deployed.get(name) {
                Some(other) => at(value, other, &below(name)),
                None => Some(below(name)),
            });
            missing.or_else(|| deployed.keys().find(|name| !ours.contains_key(*name)).map(|name| below(name)))
        }
        (Value::Array(ours), Value::Array(deployed)) if ours.len() == deployed.len() => ours
            .iter()
            .zip(deployed)
            .enumerate()
            .find_map(|(index, (one, other))| at(one, other, &below(&index.to_string()))),
        (Value::String(ours), Value::String(deployed)) if fits(ours, deployed) => None,
        // Whoever deploys may write a number as a text or the other way round; their values are compared.
        (Value::Number(one), Value::Number(other)) if one.as_f64() == other.as_f64() => None,
        (ours, deployed) if ours == deployed => None,
        _ => differs(),
    }
}

/// Whether a text is what a deployment makes of ours: anything in place of each `${NAME}`.
fn fits(ours: &str, deployed: &str) -> bool {
    let mut pieces = ours.split("${");
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = deployed.strip_prefix(first) else { return false };
    let mut last = None;
    for piece in pieces {
        let Some((_, literal)) = piece.split_once('}') else { return false };
        last = Some(literal);
        match rest.find(literal) {
            Some(place) => rest = &rest[place + literal.len()..],
            None => return false,
        }
    }
    match last {
        None => rest.is_empty(),
        // The value stands at the end.
        Some("") => true,
        Some(literal) => deployed.ends_with(literal),
    }
}

/// The functions that a definition calls.
pub(super) fn functions(definition: &Value) -> Vec<&str> {
    let states = definition["States"].as_object().into_iter().flatten();
    states.filter_map(|(_, state)| state["Arguments"]["FunctionName"].as_str()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{difference, fits, functions, ours};

    #[test]
    fn what_a_deployment_puts_in_is_no_difference() {
        for (ours, deployed, same) in [
            ("arn:${Partition}:states:::lambda:invoke", "arn:aws-cn:states:::lambda:invoke", true),
            ("arn:${Partition}:states:::lambda:invoke", "arn:aws:states:::lambda:other", false),
            ("{% ${StartPollSeconds} * $waiting.patience %}", "{% 30 * $waiting.patience %}", true),
            ("{% ${StartPollSeconds} * $waiting.patience %}", "{% 30 + $waiting.patience %}", false),
            ("${AdmitRunFunctionArn}", "arn:aws:lambda:eu-west-1:1:function:a", true),
            ("plain", "plain", true),
            ("plain", "plainer", false),
        ] {
            assert_eq!(fits(ours, deployed), same, "{ours} {deployed}");
        }
    }

    #[test]
    fn the_first_difference_is_named() {
        let ours = json!({"a": {"b": [1, {"c": "x"}]}, "d": 1});
        for (other, place) in [
            (json!({"a": {"b": [1, {"c": "x"}]}, "d": 1.0}), None),
            (json!({"a": {"b": [1, {"c": "y"}]}, "d": 1}), Some("a.b.1.c")),
            (json!({"a": {"b": [1]}, "d": 1}), Some("a.b")),
            (json!({"a": {"b": [1, {"c": "x"}]}}), Some("d")),
            (json!({"a": {"b": [1, {"c": "x"}]}, "d": 1, "e": 1}), Some("e")),
            (json!(null), Some("its beginning")),
        ] {
            assert_eq!(difference(&ours, &other).as_deref(), place, "{other}");
        }
    }

    #[test]
    fn this_versions_definition_calls_six_functions() {
        let definition = ours();
        assert_eq!(functions(&definition).len(), 6);
        assert_eq!(difference(&definition, &definition), None);
    }
}
