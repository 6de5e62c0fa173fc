//! The published JSON Schemas: those that the code makes, and as strict as the product, by a validator that we did not write.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use reveille_contract_tests::names::names;
use reveille_contract_tests::schemas::{self, closed, validated};
use reveille_contract_tests::{files, read};
use reveille_domain::error::{Code, Evidence, FailedCell, Failure};
use reveille_domain::input::{self, Html, LANGUAGES, NotebookSource, OnRunnerLost, WhenBusy};
use reveille_domain::layout::{AttemptRef, Layout};
use reveille_domain::limits::{MAX_INPUT_BYTES, MAX_PARAMETER_NAME, MAX_PARAMETERS};
use reveille_domain::records::{Outcome, Phase, Phases, Rest, RunStatus};
use reveille_domain::run_event::{DETAIL_TYPE, RunEvent, SOURCE};
use reveille_domain::{InstanceName, RunId};
use serde_json::{Map, Value, json};

/// The inputs of the unit tests.
#[path = "../../../crates/domain/src/input/cases.rs"]
mod cases;

/// What the schema says of each value.
fn takes(schema: &Value, values: &[Value]) -> Vec<bool> {
    // A pattern's `$` is the end of the text (ECMA-262, which JSON Schema names). In Python it is a line's end too.
    let script = r"
from jsonschema import Draft202012Validator, ValidationError, validators
def pattern(validator, pattern, instance, schema):
    if isinstance(instance, str) and not re.search(pattern.replace('$', r'\Z'), instance):
        yield ValidationError('another pattern')
asked = json.load(sys.stdin)
Draft202012Validator.check_schema(asked['schema'])
validator = validators.extend(Draft202012Validator, {'pattern': pattern})(asked['schema'])
print(json.dumps([validator.is_valid(value) for value in asked['values']]))
";
    let answer = validated(script, &json!({"schema": schema, "values": values}));
    let takes: Vec<bool> = serde_json::from_value(answer).unwrap();
    assert_eq!(takes.len(), values.len());
    takes
}

#[test]
fn the_published_schemas_are_those_of_the_code() {
    let mut published = Vec::new();
    for (name, schema) in schemas::all() {
        let path = format!("{}/{name}", schemas::FOLDER);
        assert_eq!(
            read(&path),
            schemas::text(schema),
            "{path} is not what the code takes or writes: run `make schemas`"
        );
        published.push(name.to_owned());
    }
    published.sort();
    assert_eq!(files(schemas::FOLDER), published);
    for (page, schema) in [("input", "input"), ("output", "outcome"), ("output", "event"), ("cli", "command")] {
        assert!(read(&format!("docs/{page}.md")).contains(&format!("(schemas/{schema}.json)")), "{page}: {schema}");
    }
}

/// A value of every kind, and of every kind that is nearly right somewhere.
fn odd_values() -> Vec<Value> {
    let mut values: Vec<Value> =
        ["", "nightly", "a.ipynb", "queue", "fail", "skip", "rerun", "python3", "Queue", "a\n", "600", "true"]
            .into_iter()
            .map(Value::from)
            .collect();
    values.extend([json!(null), json!(true), json!(false), json!([]), json!([1]), json!({}), json!({"x": 1})]);
    values.extend([json!(-1), json!(0), json!(1), json!(29), json!(30), json!(600), json!(7_200), json!(7_201)]);
    values.extend([
        json!(86_400),
        json!(86_401),
        json!(600.5),
        json!(1e20),
        json!({"queue": null}),
        json!({"prefix": 1}),
    ]);
    values
}

/// Inputs of every kind, good and bad.
fn inputs() -> Vec<Value> {
    let object = json!({"source": "aws.s3", "detail": {"bucket": {"name": "b"}, "object": {"key": "k"}}});
    let full = json!({"instance": "nightly", "notebook": "a.ipynb", "parameters": {"n": null}, "event": object,
        "keys": {"prefix": "k", "suffix": "k"}, "whenBusy": "skip", "kernel": "ir", "html": "sanitized", "onRunnerLost": "rerun", "rerun": true,
        "limits": {"startSeconds": 31, "queueSeconds": 32, "runSeconds": 33, "stopSeconds": 34}});
    let mut inputs = vec![full.clone(), cases::documented_input()];
    inputs.extend(odd_values());
    inputs.extend(cases::bad_inputs().into_iter().map(|(input, _)| input));
    inputs.extend(cases::bad_notebooks().into_iter().map(|(notebook, _)| cases::with("notebook", notebook.into())));
    inputs.extend(cases::good_notebooks().into_iter().map(|notebook| cases::with("notebook", notebook.into())));
    let instances = cases::good_instances().into_iter().chain(cases::bad_instances());
    inputs.extend(instances.map(|instance| cases::with("instance", instance.into())));

    // Every field, left out or odd.
    let places = full.as_object().unwrap().iter().flat_map(|(name, value)| {
        let nested = value.as_object().filter(|_| ["limits", "keys"].contains(&name.as_str()));
        let nested = nested.into_iter().flatten().map(|(inner, _)| format!("/{name}/{inner}"));
        std::iter::once(format!("/{name}")).chain(nested.collect::<Vec<_>>())
    });
    for place in places.collect::<Vec<_>>() {
        inputs.extend(without(&full, &place));
        for value in odd_values() {
            let mut input = full.clone();
            *input.pointer_mut(&place).unwrap() = value;
            inputs.push(input);
        }
    }
    for pointer in ["/event/detail", "/event/detail/object", "/event/detail/object/key"] {
        inputs.extend(without(&full, pointer));
        for value in [json!(null), json!(""), json!([]), json!({}), json!("key")] {
            let mut input = full.clone();
            *input.pointer_mut(pointer).unwrap() = value;
            inputs.push(input);
        }
    }

    let kernels =
        [json!(null), json!("python3"), json!("PYTHON"), json!("conda_x"), json!("xconda_x"), json!("CONDA_r")];
    for kernel in kernels.into_iter().chain(
        [
            "pySpark",
            "ipykernel",
            "ir",
            "IR",
            "bash",
            "julia-1.11",
            ".net-csharp",
            ".x",
            ".",
            "..",
            ".-",
            "-.",
            "x.",
            "a b",
            "é",
        ]
        .map(Value::from),
    ) {
        let others = ["match", "Class", "classes", "_", "1a", "a-b", "ü", "a\n", "RANDOM", "NULL", "end", "_day"];
        for name in LANGUAGES[0].reserved().chain(others) {
            let mut input = cases::with("parameters", json!({name: 1}));
            input["kernel"] = kernel.clone();
            inputs.push(input);
        }
    }
    for value in [json!({}), json!([{"a": 1}]), json!([[1]]), json!([1, null]), json!("x")] {
        for kernel in ["bash", "ir"] {
            let mut input = cases::with("parameters", json!({"a": value}));
            input["kernel"] = kernel.into();
            inputs.push(input);
        }
    }
    for length in [1, 128, 129] {
        inputs.push(cases::with("kernel", "k".repeat(length).into()));
    }
    for length in [MAX_PARAMETER_NAME, MAX_PARAMETER_NAME + 1] {
        inputs.push(cases::with("parameters", json!({"p".repeat(length): 1})));
    }
    for count in [MAX_PARAMETERS, MAX_PARAMETERS + 1] {
        let many: Map<String, Value> = (0..count).map(|one| (format!("p{one}"), json!(one))).collect();
        inputs.push(cases::with("parameters", many.into()));
    }
    inputs
}

/// Without what is there.
fn without(value: &Value, pointer: &str) -> Option<Value> {
    let mut value = value.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    value.pointer_mut(parent)?.as_object_mut()?.remove(name)?;
    Some(value)
}

#[test]
fn the_schema_of_the_input_takes_what_the_product_takes() {
    let inputs = inputs();
    let (mut good, mut bad) = (0, 0);
    for (input, taken) in inputs.iter().zip(takes(&schemas::input(), &inputs)) {
        let read = input::parse(input);
        if read.is_ok() {
            good += 1;
        } else {
            bad += 1;
        }
        // A length in bytes is told by the product only.
        let in_bytes = input["notebook"].as_str().is_some_and(|notebook| notebook.chars().count() < notebook.len());
        if in_bytes && read.is_err() && taken {
            continue;
        }
        assert_eq!(taken, read.is_ok(), "the schema takes it: {taken}; the product says {read:?} of {input}");
    }
    assert!(good > 150 && bad > 400, "{good} good, {bad} bad");
}

/// docs/input.md names them too: whoever checks an input beforehand should know what is left.
#[test]
fn what_a_schema_cannot_say_is_known() {
    let beyond = [
        cases::with("parameters", json!({"a": "x".repeat(MAX_INPUT_BYTES)})),
        cases::with("notebook", format!("{}.ipynb", "é".repeat(125)).into()),
        cases::with("limits", json!({"runSeconds": 600.0})),
    ];
    for (input, taken) in beyond.iter().zip(takes(&schemas::input(), &beyond)) {
        assert!(taken && input::parse(input).is_err(), "{input:.200}");
    }
    let whole = r#"{"instance": "a", "notebook": "a.ipynb", "parameters": {"n": 9007199254740993}}"#;
    assert!(input::read(&reveille_domain::InputText::new(whole)).is_err());
    assert_eq!(takes(&schemas::input(), &[serde_json::from_str(whole).unwrap()]), [true]);
}

fn time() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 123_000_000).unwrap()
}

/// An outcome with everything that one can have.
fn full_outcome() -> Outcome {
    let cell = FailedCell {
        number: 3,
        error_name: "ValueError".into(),
        error_value: "no column".into(),
        traceback_tail: vec!["ValueError: no column".into()],
    };
    let evidence = Evidence { cell: Some(cell), log_tail: vec!["the end".into()] };
    let phase = Some(Phase::between(time(), time()));
    Outcome {
        run: RunId::from_key("daily-0123456789"),
        attempt: 1,
        status: RunStatus::Failed,
        code: Some(Code::NotebookFailed),
        failure: Some(Failure::new(Code::NotebookFailed, "Cell 3 raised.").with_evidence(evidence)),
        instance: InstanceName::parse("nightly").ok(),
        notebook: NotebookSource::parse("s3://bucket/a.ipynb").ok(),
        source_sha256: Some("0".repeat(64)),
        runner_version: Some("1.2.3".into()),
        outputs: BTreeMap::from([("html".to_owned(), "s3://b/runs/nightly/r/1/output.html".to_owned())]),
        html_error: Some("it took too long".into()),
        phases: Phases { starting: phase, queued: phase, running: phase, stopping: phase },
        instance_after: Rest::AtRest,
        execution_arn: "arn:aws:states:eu-west-1:111122223333:execution:NotebookRun:daily".into(),
        redrive_count: 0,
        admitted_at: Some(time()),
        concluded_at: time(),
    }
}

/// An outcome with nothing that one need not have.
fn small_outcome() -> Outcome {
    Outcome {
        status: RunStatus::Succeeded,
        code: None,
        failure: None,
        instance: None,
        notebook: None,
        source_sha256: None,
        runner_version: None,
        outputs: BTreeMap::new(),
        html_error: None,
        phases: Phases::default(),
        admitted_at: None,
        ..full_outcome()
    }
}

/// The event of an outcome, as a target receives it.
fn event_of(outcome: &Outcome, instance: &str) -> Value {
    let at = AttemptRef { instance: instance.into(), run: outcome.run.clone(), attempt: outcome.attempt };
    let layout = Layout { bucket: "b".into(), prefix: String::new() };
    json!({"source": SOURCE, "detail-type": DETAIL_TYPE, "detail": RunEvent::of(outcome, &at, &outcome.execution_arn, &layout)})
}

/// Every place of a document.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    for (name, inner) in value.as_object().into_iter().flatten() {
        let place = format!("{at}/{name}");
        places(inner, &place, found);
        found.push(place);
    }
}

/// Holds a schema to a type: the schema takes what the type writes, with each of the names that it has, and refuses what the type could
/// not be read from.
fn hold(schema: &Value, full: &Value, written: &[Value], read: impl Fn(&Value) -> bool) {
    let closed = closed(schema);
    for (document, taken) in written.iter().zip(takes(&closed, written)) {
        assert!(taken && read(document), "{document}");
    }
    let mut paths = Vec::new();
    places(full, "", &mut paths);
    let mut changed: Vec<(String, Value)> =
        paths.iter().filter_map(|path| Some((format!("without {path}"), without(full, path)?))).collect();
    let removed = changed.len();
    for path in &paths {
        for other in [json!(17.5), json!("?"), json!([7]), json!({"?": 7}), json!(true)] {
            let mut document = full.clone();
            let place = document.pointer_mut(path).unwrap();
            if std::mem::discriminant(place) != std::mem::discriminant(&other) {
                *place = other;
                changed.push((format!("{path}: {place}"), document));
            }
        }
    }
    let documents: Vec<Value> = changed.iter().map(|(_, document)| document.clone()).collect();
    for (number, ((what, document), taken)) in changed.iter().zip(takes(schema, &documents)).enumerate() {
        if number < removed {
            assert_eq!(taken, read(document), "{what}");
        } else {
            assert!(!taken && !read(document), "{what}");
        }
    }
    assert!(changed.len() > 60, "{}", changed.len());
}

/// docs/output.md: "Its [JSON Schema](schemas/outcome.json) lists every field."
#[test]
fn the_schema_of_the_outcome_is_that_of_the_type() {
    let full = json!(full_outcome());
    for name in names::<Outcome>() {
        assert!(full.get(name).is_some(), "{name} is in the fullest outcome");
    }
    let mut written = vec![full.clone(), json!(small_outcome())];
    for status in names::<RunStatus>() {
        written.push(json!({"status": status}));
    }
    written.extend(names::<Rest>().into_iter().map(|rest| json!({"instanceAfter": rest})));
    written.extend(names::<Code>().into_iter().map(|code| json!({"code": code})));
    for document in &mut written[2..] {
        let mut outcome = full.clone();
        outcome.as_object_mut().unwrap().append(document.as_object_mut().unwrap());
        *document = outcome;
    }
    hold(&schemas::outcome(), &full, &written, |value| serde_json::from_value::<Outcome>(value.clone()).is_ok());
}

/// docs/output.md: "Its [JSON Schema](schemas/event.json) lists every field."
#[test]
fn the_schema_of_the_event_is_that_of_the_type() {
    let full = event_of(&full_outcome(), "nightly");
    let written = [full.clone(), event_of(&small_outcome(), "_invalid")];
    assert_eq!(written[1]["detail"]["instance"], Value::Null);
    let read = |value: &Value| {
        let known = value["source"] == SOURCE && value["detail-type"] == DETAIL_TYPE;
        let fields = value["detail"].as_object().map(|detail| detail.keys().cloned().collect::<Vec<_>>());
        // A reader takes a missing field for null; what is written has it.
        let complete = fields
            .is_some_and(|fields| names::<RunEvent>().iter().all(|name| fields.iter().any(|field| field == name)));
        known && complete && serde_json::from_value::<RunEvent>(value["detail"].clone()).is_ok()
    };
    hold(&schemas::event(), &full, &written, read);
}

/// The JSON blocks of a page.
fn blocks(page: &str) -> Vec<Value> {
    let text = read(page);
    let blocks = text.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.map(|block| serde_json::from_str(block).unwrap_or_else(|error| panic!("{page}: {error}: {block}"))).collect()
}

#[test]
fn the_examples_of_the_documents_fit_the_schemas() {
    let input = blocks("docs/input.md").remove(0);
    assert_eq!(takes(&schemas::input(), &[input]), [true]);
    let output = blocks("docs/output.md");
    let outcomes: Vec<Value> = output.iter().filter(|block| block.get("concludedAt").is_some()).cloned().collect();
    let events: Vec<Value> = output.iter().filter(|block| block["detail"].get("run").is_some()).cloned().collect();
    assert_eq!((outcomes.len(), events.len()), (2, 1));
    assert_eq!(takes(&closed(&schemas::outcome()), &outcomes), [true, true]);
    assert_eq!(takes(&closed(&schemas::event()), &events), [true]);
}

/// The names come from the types, whatever they are called there.
#[test]
fn names_are_those_of_the_json() {
    assert_eq!(names::<WhenBusy>(), ["queue", "skip", "fail"]);
    assert_eq!(names::<Html>(), ["full", "sanitized"]);
    assert_eq!(names::<OnRunnerLost>(), ["fail", "rerun"]);
    assert!(names::<Outcome>().contains(&"sourceSha256"));
}
