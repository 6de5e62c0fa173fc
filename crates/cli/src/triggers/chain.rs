//! A run after a run: the pattern of its rule, which infra/trigger-run.yaml makes of the same words, and chains that would never end.

use std::collections::{BTreeMap, BTreeSet};

use reveille_domain::event::SOURCE;
use serde_json::{Value, json};

/// What stands for the next notebook and its instance where the rule's input names none: no notebook's name, so it is in no circle.
const UNKNOWN: &str = "(none)";

/// A notebook on an instance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Step {
    pub(crate) notebook: String,
    pub(crate) instance: String,
}

impl Step {
    pub(crate) fn shown(&self) -> String {
        format!("{} on {}", self.notebook, self.instance)
    }
}

/// When one has succeeded, the next runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) after: Step,
    pub(crate) next: Step,
}

impl Chain {
    /// The rule's event pattern.
    pub(crate) fn pattern(&self) -> Value {
        json!({
            "source": [SOURCE],
            "detail-type": ["Notebook Run Status Change"],
            "detail": {"instance": [self.after.instance], "notebook": [self.after.notebook], "status": ["SUCCEEDED"]},
        })
    }

    /// What a rule does, as far as its pattern and its input tell: anybody may have made it. One that takes several names is read by the first.
    /// One that `add` did not finish has no input, and is read all the same: it can be listed and removed.
    pub(crate) fn read(pattern: &Value, input: &Value) -> Option<Self> {
        let is_run = pattern["source"].as_array()?.contains(&Value::from(SOURCE));
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let detail = Some(&pattern["detail"]).filter(|_| is_run)?;
        let after = Step { notebook: text(&detail["notebook"][0])?, instance: text(&detail["instance"][0])? };
        let next = |name: &str| text(&input[name]).unwrap_or_else(|| UNKNOWN.to_owned());
        Some(Self { after, next: Step { notebook: next("notebook"), instance: next("instance") } })
    }

    /// The steps from this chain's next back to what it comes after, if these chains lead there: with it they would run for ever.
    pub(crate) fn cycle(&self, others: &[Self]) -> Option<Vec<Step>> {
        let mut from: BTreeMap<&Step, &Step> = BTreeMap::new();
        let mut seen = BTreeSet::from([&self.next]);
        let mut reached = vec![&self.next];
        while let Some(step) = reached.pop() {
            if *step == self.after {
                let mut way = vec![step.clone()];
                while let Some(before) = from.get(&way[way.len() - 1]) {
                    way.push((*before).clone());
                }
                way.reverse();
                return Some(way);
            }
            for chain in others.iter().filter(|chain| chain.after == *step) {
                if seen.insert(&chain.next) {
                    from.insert(&chain.next, step);
                    reached.push(&chain.next);
                }
            }
        }
        None
    }
}

/// Our own event, as a run that has succeeded publishes it.
pub(crate) fn sample(after: &Step) -> Value {
    json!({
        "version": "0", "id": "00000000-0000-0000-0000-000000000000", "detail-type": "Notebook Run Status Change", "source": SOURCE,
        "account": "111122223333", "time": "2026-11-26T08:00:00Z", "region": "us-east-1", "resources": [],
        "detail": {"run": "run", "attempt": 1, "status": "SUCCEEDED", "instance": after.instance, "notebook": after.notebook},
    })
}

#[cfg(test)]
mod tests {
    use reveille_contract_tests::{intrinsics::ParametrisedStack, template};
    use serde_json::{Value, json};

    use super::{Chain, Step};

    fn step(name: &str) -> Step {
        Step { notebook: format!("{name}.ipynb"), instance: "nightly".to_owned() }
    }

    fn chain(after: &str, next: &str) -> Chain {
        Chain { after: step(after), next: step(next) }
    }

    /// A rule of the command and one of the small stack have the same pattern.
    #[test]
    fn the_pattern_is_that_of_the_template() {
        let template = template("infra/trigger-run.yaml");
        let given = [
            ("AfterInstance", "nightly"),
            ("AfterNotebook", "a.ipynb"),
            ("Instance", "other"),
            ("Notebook", "b.ipynb"),
        ];
        let stack = ParametrisedStack::new(&template, &given);
        let of_template = stack.value(&template["Resources"]["RunSucceededRule"]["Properties"]["EventPattern"]);
        let next = Step { notebook: "b.ipynb".to_owned(), instance: "other".to_owned() };
        let ours = Chain { after: step("a"), next };
        assert_eq!(ours.pattern(), of_template);
        let input = json!({"instance": "other", "notebook": "b.ipynb"});
        assert_eq!(Chain::read(&of_template, &input), Some(ours));
        for pattern in [Value::Null, json!({"source": ["aws.s3"]}), json!({"source": ["reveille"]})] {
            assert_eq!(Chain::read(&pattern, &input), None);
        }
        let unfinished = Chain::read(&of_template, &Value::Null).expect("it can be listed and removed");
        assert_eq!((unfinished.after, unfinished.next.shown()), (step("a"), "(none) on (none)".to_owned()));
    }

    #[test]
    fn chains_that_would_run_for_ever_are_found() {
        for (others, new, way) in [
            (&[][..], ("a", "a"), Some("a")),
            (&[("a", "b")], ("b", "a"), Some("a b")),
            (&[("a", "b"), ("b", "c"), ("b", "d")], ("c", "a"), Some("a b c")),
            (&[("a", "b"), ("b", "c")], ("a", "c"), None),
            (&[("x", "y"), ("y", "x")], ("a", "x"), None),
            (&[("x", "y"), ("y", "x")], ("x", "y"), Some("y x")),
        ] {
            let others: Vec<Chain> = others.iter().map(|(after, next)| chain(after, next)).collect();
            let found = chain(new.0, new.1).cycle(&others);
            let found = found
                .map(|way| way.iter().map(|step| step.notebook.replace(".ipynb", "")).collect::<Vec<_>>().join(" "));
            assert_eq!(found.as_deref(), way, "{new:?}");
        }
        let elsewhere = Chain { next: Step { instance: "other".to_owned(), ..step("a") }, ..chain("b", "a") };
        assert_eq!(elsewhere.cycle(&[chain("a", "b")]), None, "the same notebook on another instance is another step");
    }
}
