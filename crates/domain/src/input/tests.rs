use serde_json::json;

use super::cases::with;
use super::*;

fn message(input: &Value) -> String {
    let failure = parse(input).unwrap_err();
    assert_eq!(failure.code, Code::InvalidRequest);
    failure.message
}

#[test]
fn the_usual_page_is_not_recorded() {
    assert!(Html::default().is_full() && !Html::Sanitized.is_full());
}

/// Only a sentence that quotes a value is told in other words.
#[test]
fn a_value_is_taken_out_of_the_readers_sentence() {
    for (problem, told) in [
        ("invalid type: string \"secret\", expected a map", "it has the wrong type or value; expected an object"),
        (
            "invalid value: integer `7`, expected a boolean",
            "it has the wrong type or value; expected true or false, without quotes",
        ),
        ("unknown field `a`, expected `b`", "unknown field `a`, expected `b`"),
        ("missing field `notebook`", "missing field `notebook`"),
    ] {
        assert_eq!(without_value(problem), told);
    }
}

/// docs/input.md: "An input with `keys` and without the event of an object is an
/// [InvalidRequest](errors/InvalidRequest.md)."
#[test]
fn keys_are_strict_and_need_the_event_of_an_object() {
    let object = json!({"source": "aws.s3", "detail": {"bucket": {"name": "b"}, "object": {"key": "k"}}});
    let keys = |keys: Value, event: Value| {
        let mut input = with("keys", keys);
        input["event"] = event;
        input
    };
    let parsed = parse(&keys(json!({"suffix": ".csv"}), object.clone())).unwrap();
    assert_eq!(parsed.keys, Some(Keys { prefix: String::new(), suffix: ".csv".into() }));
    assert_eq!(parse(&with("event", object.clone())).unwrap().keys, None);
    assert!(message(&keys(json!({"sufix": ".csv"}), object.clone())).contains("keys"));
    assert!(message(&keys(json!({"suffix": 1}), object)).contains("keys.suffix"));
    assert!(message(&with("keys", json!({}))).contains("no event of an object"));
    assert!(message(&keys(json!({}), json!({"source": "aws.events"}))).contains("no event of an object"));
}

#[test]
fn two_fields_are_enough() {
    let input = parse(&json!({"instance": "nightly", "notebook": "reports/daily.ipynb"})).unwrap();
    assert_eq!(input.limits.start_seconds, START_SECONDS.default);
    assert_eq!(input.when_busy, WhenBusy::Queue);
    assert_eq!(input.on_runner_lost, OnRunnerLost::Fail);
    assert_eq!(input.html, Html::Full);
    assert!(!input.rerun);
    assert_eq!(input.event, None);
}

#[test]
fn the_documented_input_is_accepted() {
    let parsed = parse(&cases::documented_input()).unwrap();
    assert_eq!((parsed.kernel.as_deref(), parsed.html), (Some("conda_python3"), Html::Sanitized));
}

/// docs/input.md: "Unknown fields are refused by name, at every level of the contract"
#[test]
fn what_is_wrong_is_named() {
    for (input, expected) in cases::bad_inputs() {
        let message = message(&input);
        assert!(message.contains(expected), "{message} should contain {expected}");
        assert!(!message.contains("secret"), "{message}");
        assert!(message.ends_with("start a new execution."), "{message}");
    }
}

/// docs/input.md: "Python's soft keywords (`match`, `type`) are fine."
#[test]
fn a_keyword_of_the_kernels_language_is_no_parameter_name() {
    for keyword in LANGUAGES[0].reserved() {
        let message = message(&with("parameters", json!({keyword: "secret"})));
        assert!(message.starts_with(&format!("parameters.{keyword}: ")), "{message}");
        assert!(!message.contains("secret"), "{message}");
    }
    let mut input = with("parameters", json!({"class": "secret"}));
    let kernels =
        [("python3", true), ("conda_pytorch_p310", true), ("pysparkkernel", true), ("ir", false), ("conda_R", false)];
    for (kernel, refused) in kernels {
        input["kernel"] = json!(kernel);
        assert_eq!(parse(&input).is_err(), refused, "{kernel}");
    }
    for name in ["match", "case", "type", "_", "print", "Class", "classes", "self"] {
        assert!(parse(&with("parameters", json!({name: 1}))).is_ok(), "{name} can be assigned");
    }
}

/// The value of a parameter whose name is a keyword is in no message.
#[test]
fn a_secret_under_a_keyword_is_not_told() {
    let text = r#"{"instance": "nightly", "notebook": "50-param-keyword-secret/nb.ipynb",
        "parameters": {"class": "hunter2-secret-value"}}"#;
    let failure = read(&InputText::new(text)).unwrap_err();
    assert_eq!(failure.code, Code::InvalidRequest);
    assert!(failure.message.starts_with("parameters.class: class is a Python keyword"), "{failure}");
    assert!(!failure.message.contains("hunter2"), "{failure}");
}

#[test]
fn a_notebook_that_cannot_be_one_is_refused_by_the_fields_name() {
    for bad in ["../a.ipynb", "s3:/b/x.ipynb", "s3://-a.-/x.ipynb", "", "a.ipynb/"] {
        let message = message(&with("notebook", json!(bad)));
        assert!(message.starts_with("notebook: \""), "{bad}: {message}");
    }
}

/// Every field of the contract, by its path: required or not.
fn fields() -> Vec<(Vec<&'static str>, bool)> {
    let nested =
        contract::NESTED.iter().flat_map(|(name, fields, _)| fields.iter().map(move |field| vec![*name, *field]));
    let all = contract::FIELDS.iter().map(|name| vec![*name]).chain(nested);
    all.map(|path| {
        let required = contract::REQUIRED.iter().any(|(name, _)| path == [*name]);
        (path, required)
    })
    .collect()
}

/// One rule, whatever the field: null is as if the field were not there.
///
/// docs/input.md: "An optional field that is `null`, at any level, gets its default. A required field must not be `null`."
#[test]
fn null_is_the_default_everywhere() {
    let event = json!({"source": "aws.s3", "time": null, "detail": {"bucket": {"name": "b"}, "object": {"key": "k", "etag": null}}});
    let full = json!({"instance": "nightly", "notebook": "a.ipynb", "parameters": {"n": null, "deep": [null, {"x": null}]},
        "event": event, "keys": {"prefix": "k", "suffix": "k"}, "whenBusy": "skip", "kernel": "ir", "html": "sanitized",
        "onRunnerLost": "rerun", "limits": {"startSeconds": 31, "queueSeconds": 32, "runSeconds": 33, "stopSeconds": 34}, "rerun": true});
    assert!(parse(&full).is_ok());
    assert_eq!(fields().len(), 17, "the fields of docs/input.md, each of which is tried here");
    for (path, required) in fields() {
        let mut without = full.clone();
        let (last, parents) = path.split_last().unwrap();
        let parent = parents.iter().fold(&mut without, |value, name| &mut value[*name]);
        parent.as_object_mut().unwrap().remove(*last).unwrap();
        let mut null = full.clone();
        *path.iter().fold(&mut null, |value, name| &mut value[*name]) = Value::Null;
        if path == ["event"] {
            // Keys need one.
            without.as_object_mut().unwrap().remove("keys");
            null["keys"] = Value::Null;
        }
        let (absent, null_read) = (parse(&without), parse(&null));
        assert_eq!(absent.is_err(), required, "{path:?}");
        if required {
            let message = null_read.as_ref().unwrap_err().message.clone();
            assert!(message.starts_with(&format!("{last}: it is null, and a run needs it; give ")), "{message}");
        } else {
            assert_eq!(null_read, absent, "{path:?}");
        }
        assert_eq!(
            without_nulls(&null),
            without_nulls(&without),
            "{path:?}: two inputs that mean the same are one trigger"
        );
        // What is inside of what belongs to the user is no absence.
        let Ok(input) = null_read else { continue };
        if path[0] != "parameters" {
            assert_eq!(input.parameters, *full["parameters"].as_object().unwrap(), "{path:?}");
        }
        if path[0] != "event" {
            assert_eq!(input.event.as_ref(), Some(&full["event"]), "{path:?}");
        }
    }
    assert!(
        message(&json!({"instance": "a", "notebook": "a.ipynb", "nothing": null}))
            .contains("unknown field \"nothing\"")
    );
}

/// Words, not the JSON of a reader's own types; and never a list for the fields of an object.
#[test]
fn a_value_of_another_shape_is_refused() {
    let object = json!({"source": "aws.s3", "detail": {"bucket": {"name": "b"}, "object": {"key": "k"}}});
    for (field, _) in fields() {
        let [field] = field[..] else { continue };
        for wrong in
            [json!({"queue": null}), json!({"fail": null}), json!([1]), json!([]), json!(1.5), json!(["a", "b"])]
        {
            let is_its_type = match field {
                "event" => true,
                "parameters" => wrong.is_object(),
                _ => false,
            };
            let mut input = with("event", object.clone());
            input[field] = wrong.clone();
            if is_its_type {
                assert!(parse(&input).is_ok(), "{field}: {wrong}");
            } else {
                let message = message(&input);
                assert!(message.contains(field), "{field}: {wrong}: {message}");
            }
        }
    }
}

/// A value that somebody typed, or a million of them, leaves room for what is wrong with it and what to do.
#[test]
fn no_value_pushes_the_explanation_out_of_the_message() {
    let huge = "x\u{1b}é\u{202e}".repeat(6_000);
    let object = json!({"source": "aws.s3", "detail": {"bucket": {"name": "b"}, "object": {"key": huge}}});
    let mut many = Map::new();
    many.insert(huge.clone(), json!(1));
    let mut inputs: Vec<Value> = fields()
        .into_iter()
        .map(|(path, _)| {
            let mut input = json!({"instance": "a", "notebook": "a.ipynb", "event": object, "keys": {}, "limits": {}});
            *path.iter().fold(&mut input, |value, name| &mut value[*name]) = json!([huge.clone()]);
            input
        })
        .collect();
    for field in contract::FIELDS {
        inputs.push(with(field, json!(huge)));
        inputs.push(with(field, Value::Object(many.clone())));
    }
    inputs.push(with(&huge, json!(1)));
    inputs.push(with("notebook", json!(format!("{huge}.ipynb"))));
    inputs.push(with("notebook", json!(format!("s3://{huge}/a.ipynb"))));
    inputs.push(with("notebook", json!(format!("s3://bucket/{}.ipynb", "k".repeat(60_000)))));
    let mut refused = 0;
    for input in inputs {
        let text = InputText::from(&input);
        let Err(failure) = read(&text) else { continue };
        refused += 1;
        assert!(failure.message.ends_with("Correct the input and start a new execution."), "{}", failure.message);
        assert!(failure.message.chars().count() < 600, "{}", failure.message);
        assert!(!failure.message.chars().any(shown::is_hidden), "{:?}", failure.message);
    }
    assert!(refused > 30, "{refused}");
}

/// docs/input.md: "The whole input, as JSON without spaces, is at most 65,536 bytes."
#[test]
fn an_input_just_over_the_limit_is_refused() {
    let mut input = with("parameters", json!({"a": ""}));
    let room = MAX_INPUT_BYTES - input.to_string().len();
    input["parameters"]["a"] = json!("x".repeat(room));
    assert!(parse(&input).is_ok());
    input["parameters"]["a"] = json!("x".repeat(room + 1));
    let said = message(&input);
    assert!(said.contains("65537 bytes of JSON; at most 65536"), "{said}");
    assert!(said.contains("Its largest field is parameters.a, with "), "{said}");
}

/// A schema takes it for a whole number, so it is not among the cases.
#[test]
fn seconds_with_a_point_are_told_how_they_are_written() {
    for text in ["600.0", "6e2", "\"600\"", "\" 600 \""] {
        let input = InputText::new(format!(
            r#"{{"instance": "a", "notebook": "a.ipynb", "limits": {{"runSeconds": {text}}}}}"#
        ));
        let message = read(&input).unwrap_err().message;
        assert!(message.contains("between 1 and 86400: write 600, without quotes and without a point"), "{message}");
    }
    for text in ["600.5", "1e9", "\"1e9\"", "\"ten\"", "-0", "true", "\"NaN\""] {
        let input = InputText::new(format!(
            r#"{{"instance": "a", "notebook": "a.ipynb", "limits": {{"runSeconds": {text}}}}}"#
        ));
        let message = read(&input).unwrap_err().message;
        assert!(message.contains("between 1 and 86400. Correct"), "{text}: {message}");
    }
}

/// Who sent too much is told what of it to shorten.
#[test]
fn the_field_that_makes_an_input_too_large_is_named() {
    let huge = "x".repeat(MAX_INPUT_BYTES);
    let many: Map<String, Value> = (0..90).map(|one| (format!("p{one}"), json!("x".repeat(1_000)))).collect();
    for (field, value, named) in [
        ("event", json!({"detail": huge}), "event, with "),
        ("keys", json!({"prefix": huge}), "keys, with "),
        ("kernel", json!(huge), "kernel, with "),
        ("parameters", json!({"a": 1, "b": {"c": [huge]}}), "parameters.b, with "),
        ("parameters", json!(huge), "parameters, with "),
        ("parameters", Value::Object(many), "parameters, with "),
        ("a\u{202e}b", json!(huge), "ab, with "),
    ] {
        let said = message(&with(field, value));
        assert!(said.contains(&format!(" Its largest field is {named}")) && said.len() < 400, "{field}: {said}");
    }
}

/// A parameter that is half of them or less is not to blame.
#[test]
fn a_parameter_is_named_if_it_is_more_than_half_of_them() {
    let largest = |letters: usize| {
        contract::largest_field(&json!({"parameters": {"a": "x".repeat(letters), "b": 1}}))
            .map(|(name, bytes)| format!("{name} {bytes}"))
    };
    assert_eq!(largest(10).as_deref(), Some("parameters 24"));
    assert_eq!(largest(11).as_deref(), Some("parameters.a 13"));
}

/// docs/input.md: "An input that is refused still has an outcome and an event, filed under the instance if the input
/// names one, otherwise below `runs/_invalid/`."
#[test]
fn the_instance_of_an_invalid_input_is_still_known() {
    for known in [
        r#"{"instance": "a", "x": 1}"#,
        r#"{"instance": "a", "parameters": {"x": 1e400, "s": "\ud800 } , \"instance\": \"b\""}}"#,
        r#"{"x": [[[NaN]], -Infinity], "instance" : "a" , "y": }"#,
        r#"{"instance": "b", "instance": "a"}"#,
        &format!(r#"{{"x": {}1{}, "instance": "a"}}"#, "[".repeat(5_000), "]".repeat(5_000)),
        r#"{"instance": "a", "x": "#,
    ] {
        let input = InputText::new(known);
        assert_eq!(instance_of(&input).map(|name| name.to_string()).as_deref(), Some("a"), "{known:.80}");
    }
    for unknown in
        [r#"{"instance": "../a"}"#, "3", "", "null", r#"{"x": {"instance": "a"}}"#, r#"{"instance": 3}"#, "[1, 2"]
    {
        assert_eq!(instance_of(&InputText::new(unknown)), None, "{unknown}");
    }
}

/// It is what the whole input says, though the whole is read only where that matters.
#[test]
fn an_input_repeats_itself_where_it_is_valid_and_says_so() {
    for (field, expected) in [
        (r#""onRunnerLost": "rerun""#, true),
        (r#""onRunnerLost": "fail", "onRunnerLost" : "rerun" "#, false),
        (r#""\u006fnRunnerLost": "r\u0065run""#, true),
        (r#""onRunnerLost": "rerun", "ofNoVersion": 1"#, false),
        (r#""onRunnerLost": "fail""#, false),
        (r#""onRunnerLost": null"#, false),
        (r#""parameters": {"onRunnerLost": "rerun"}"#, false),
    ] {
        let input = InputText::new(format!(r#"{{"instance": "a", "notebook": "a.ipynb", {field}}}"#));
        let whole = read(&input).is_ok_and(|input| input.on_runner_lost == OnRunnerLost::Rerun);
        assert_eq!((repeats(&input), whole), (expected, expected), "{field}");
    }
}
