//! What would start itself for ever: a trigger whose runs write objects that it takes.

use reveille_domain::layout::Layout;
use serde_json::{Map, Value};

use super::{Watched, places};

/// What a trigger starts: its notebook as the input has it, and the parameters as a run would have them for the key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Starts<'a> {
    pub(crate) notebook: &'a str,
    pub(crate) parameters: &'a Map<String, Value>,
    pub(crate) key: &'a str,
    /// Parameters of which a person says that the notebook only reads what they name.
    pub(crate) reads: &'a [String],
}

/// What speaks against a trigger, as a sentence.
pub(crate) fn problem(watched: &Watched, layout: &Layout, starts: &Starts<'_>) -> Option<String> {
    certain_problem(watched, layout, starts).or_else(|| parameters(watched, starts))
}

/// The same without what only a person can know: what the notebook does with its parameters.
pub(crate) fn certain_problem(watched: &Watched, layout: &Layout, starts: &Starts<'_>) -> Option<String> {
    runs_bucket(watched, layout).or_else(|| notebook(watched, starts))
}

/// Each run writes its records and outputs there.
fn runs_bucket(watched: &Watched, layout: &Layout) -> Option<String> {
    let meet = watched.prefix.starts_with(&layout.prefix) || layout.prefix.starts_with(&watched.prefix);
    (watched.bucket == layout.bucket && meet).then(|| {
        let cure = if layout.prefix.is_empty() {
            "watch another bucket".to_owned()
        } else {
            format!("watch another bucket, or a --prefix outside of {}", layout.prefix)
        };
        format!(
            "the stack writes the outputs of its runs to s3://{}/{}, so each run would start the next, for ever; {cure}",
            layout.bucket, layout.prefix
        )
    })
}

/// Whoever may upload could then change what runs.
fn notebook(watched: &Watched, starts: &Starts<'_>) -> Option<String> {
    let (bucket, key) = object(starts.notebook)?;
    watched.take(bucket, key).then(|| {
        format!(
            "{} is itself among the objects that start a run, so whoever may upload there could change the notebook and run code on the instance; keep the notebook in another place",
            starts.notebook
        )
    })
}

/// A parameter that names a place among the objects which are taken, and not the object that started the run.
fn parameters(watched: &Watched, starts: &Starts<'_>) -> Option<String> {
    let (name, text) = places::named(watched, starts.parameters, starts.reads, (&watched.bucket, starts.key))?;
    Some(format!(
        "the parameter {name} would be {text} when {} lands, and an object there starts a run too. If the notebook writes there, runs would start runs for ever: let it write outside of {}. If it only reads there, add: --reads {name}",
        starts.key,
        watched.shown()
    ))
}

/// The bucket and the key of an `s3://` URI.
pub(crate) fn object(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix("s3://")?.split_once('/')
}

#[cfg(test)]
mod tests {
    use reveille_domain::layout::Layout;
    use serde_json::{Value, json};

    use super::{Starts, problem};
    use crate::triggers::Watched;

    fn found(watched: (&str, &str, &str), notebook: &str, parameters: &Value, runs: (&str, &str)) -> Option<String> {
        let watched = Watched::new(watched.0, watched.1, watched.2).unwrap();
        let layout = Layout { bucket: runs.0.to_owned(), prefix: runs.1.to_owned() };
        let key = watched.example();
        let reads = ["lookup".to_owned()];
        let parameters = parameters.as_object().unwrap();
        problem(&watched, &layout, &Starts { notebook, parameters, key: &key, reads: &reads })
    }

    #[test]
    fn a_trigger_on_the_outputs_of_runs_is_refused() {
        for (prefix, runs, refused) in [
            ("", "", true),
            ("orders/", "", true),
            ("", "reveille/", true),
            ("reveille/", "reveille/", true),
            ("reveille/runs/", "reveille/", true),
            ("reve", "reveille/", true),
            ("orders/", "reveille/", false),
        ] {
            let said = found(("in-1", prefix, ".csv"), "a.ipynb", &json!({}), ("in-1", runs));
            assert_eq!(said.is_some(), refused, "{prefix} {runs}: {said:?}");
        }
        assert_eq!(found(("in-1", "", ""), "a.ipynb", &json!({}), ("runs", "")), None);
    }

    #[test]
    fn a_trigger_whose_notebook_writes_what_it_takes_is_refused() {
        let of_key = |suffix: &str| json!({"target": format!("s3://in-1/orders/example.csv{suffix}")});
        for (suffix, parameters, refused) in [
            (".csv", json!({"source": "s3://in-1/orders/example.csv"}), false),
            (".csv", of_key(".parquet"), false),
            (".csv", of_key(".csv"), true),
            (".csv", json!({"target": "s3://in-1/orders/out.csv"}), true),
            (".csv", json!({"target": "s3://in-1/orders/"}), true),
            (".csv", json!({"target": "s3://in-1/orders/done/"}), true),
            (".csv", json!({"target": "s3://in-1/orders"}), true),
            (".csv", json!({"bucket": "in-1", "target": "orders/done"}), true),
            (".csv", json!({"deep": [1, {"a": "s3://in-1/orders/out.csv"}]}), true),
            (".csv", json!({"lookup": "s3://in-1/orders/out.csv"}), false),
            (".csv", json!({"target": "s3://in-1/done/out.csv"}), false),
            (".csv", json!({"target": "s3://in-2/orders/out.csv"}), false),
            (".csv", json!({"target": "orders/out.csv", "n": null, "s": "s3://in-1"}), false),
        ] {
            let said = found(("in-1", "orders/", suffix), "a.ipynb", &parameters, ("runs", ""));
            assert_eq!(said.is_some(), refused, "{parameters}: {said:?}");
        }
        for suffix in ["", ".csv"] {
            for target in ["s3://in-1", "s3://in-1/", "s3://in-1/done/"] {
                let anywhere = found(("in-1", "", suffix), "a.ipynb", &json!({"target": target}), ("runs", ""));
                assert!(anywhere.expect(target).contains("--reads target"));
            }
            for target in ["s3://in-1", "s3://in-1/"] {
                let outside = found(("in-1", "orders/", suffix), "a.ipynb", &json!({"target": target}), ("runs", ""));
                assert_eq!(outside, None, "{target}");
            }
        }
    }

    #[test]
    fn a_notebook_that_uploaders_could_change_is_refused() {
        for (notebook, refused) in [
            ("s3://in-1/orders/a.ipynb", true),
            ("s3://in-1/code/a.ipynb", false),
            ("s3://code/orders/a.ipynb", false),
            ("orders/a.ipynb", false),
        ] {
            assert_eq!(
                found(("in-1", "orders/", ""), notebook, &json!({}), ("runs", "")).is_some(),
                refused,
                "{notebook}"
            );
        }
    }
}
