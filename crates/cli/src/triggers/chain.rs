//! A run after a run: the pattern of its rule, which infra/trigger-run.yaml makes of the same words, and chains that would never end.

use std::collections::{BTreeMap, BTreeSet};

use reveille_domain::{event::SOURCE, run_event::DETAIL_TYPE};
use serde_json::{Value, json};

use super::uploads::OWN;

/// What stands for the next notebook and its instance where the rule's input names none: no notebook's name, so it is in no circle.
const UNKNOWN: &str = "(none)";
/// The status of a run that has succeeded, in our event.
const SUCCEEDED: &str = "SUCCEEDED";

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

    /// The event pattern of a rule that takes its runs that have succeeded.
    pub(crate) fn pattern(&self) -> Value {
        json!({
            "source": [SOURCE],
            "detail-type": [DETAIL_TYPE],
            "detail": {"instance": [self.instance], "notebook": [self.notebook], "status": [SUCCEEDED]},
        })
    }
}

/// When a run has ended that the rule takes, the next one starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) after: After,
    pub(crate) next: Step,
}

impl Chain {
    /// What a rule does, as far as its pattern and its input tell: anybody may have made it.
    /// One that `add` did not finish has no input, and is read all the same: it can be listed and removed.
    pub(crate) fn read(pattern: &Value, input: &Value) -> Option<Self> {
        let has =
            |field: &str, value: &str| pattern[field].as_array().is_some_and(|all| all.iter().any(|it| it == value));
        let is_run = has("source", SOURCE) || pattern.get("source").is_none() && has("detail-type", DETAIL_TYPE);
        let after = Some(After::read(pattern.get("detail"))).filter(|_| is_run)?;
        let next = |name: &str| input[name].as_str().unwrap_or(UNKNOWN).to_owned();
        Some(Self { after, next: Step { notebook: next("notebook"), instance: next("instance") } })
    }

    /// The steps from this chain's next back to one that it comes after, if these chains lead there for certain: with it they would run for ever.
    pub(crate) fn cycle(&self, others: &[Self]) -> Option<Vec<Step>> {
        if self.next.notebook == UNKNOWN {
            return None;
        }
        let mut from: BTreeMap<&Step, &Step> = BTreeMap::new();
        let mut seen = BTreeSet::from([&self.next]);
        let mut reached = vec![&self.next];
        while let Some(step) = reached.pop() {
            if self.after.takes(step) {
                let mut way = vec![step.clone()];
                while let Some(before) = from.get(&way[way.len() - 1]) {
                    way.push((*before).clone());
                }
                way.reverse();
                return Some(way);
            }
            for chain in others.iter().filter(|chain| chain.after.takes(step)) {
                if chain.next.notebook != UNKNOWN && seen.insert(&chain.next) {
                    from.insert(&chain.next, step);
                    reached.push(&chain.next);
                }
            }
        }
        None
    }
}

/// The runs that a rule takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct After {
    notebooks: Names,
    instances: Names,
    statuses: Names,
}

/// What a pattern says of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Names {
    /// Nothing.
    Any,
    /// That it is one of these.
    Of(Vec<String>),
    /// What only EventBridge can tell.
    Own,
}

impl Names {
    fn read(detail: Option<&Value>, field: &str) -> Self {
        let Some(values) = detail.and_then(|detail| detail.get(field)) else { return Self::Any };
        let name = |value: &Value| value.as_str().map(str::to_owned);
        values.as_array().and_then(|values| values.iter().map(name).collect()).map_or(Self::Own, Self::Of)
    }

    /// Whether this is one of them for certain.
    fn have(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Of(names) => names.iter().any(|one| one == name),
            Self::Own => false,
        }
    }

    /// The only one.
    fn only(&self) -> Option<&str> {
        match self {
            Self::Of(names) => names.first().filter(|_| names.len() == 1).map(String::as_str),
            Self::Any | Self::Own => None,
        }
    }

    fn shown(&self, any: &str) -> String {
        match self {
            Self::Any => any.to_owned(),
            Self::Of(names) => names.join(", "),
            Self::Own => OWN.to_owned(),
        }
    }
}

impl After {
    fn read(detail: Option<&Value>) -> Self {
        let read = |field| Names::read(detail, field);
        // A pattern that says either this or that is one that only EventBridge can tell.
        if detail.is_some_and(|detail| !detail.is_object() || detail.get("$or").is_some()) {
            return Self { notebooks: Names::Own, instances: Names::Own, statuses: Names::Own };
        }
        Self { notebooks: read("notebook"), instances: read("instance"), statuses: read("status") }
    }

    /// Whether it takes a run of this step that has succeeded, for certain.
    pub(crate) fn takes(&self, step: &Step) -> bool {
        self.notebooks.have(&step.notebook) && self.instances.have(&step.instance) && self.statuses.have(SUCCEEDED)
    }

    /// The only notebook that it takes.
    pub(crate) fn notebook(&self) -> Option<&str> {
        self.notebooks.only()
    }

    /// The only instance that it takes.
    pub(crate) fn instance(&self) -> Option<&str> {
        self.instances.only()
    }

    /// As people say it: `orders.ipynb on nightly`.
    pub(crate) fn shown(&self) -> String {
        if (&self.notebooks, &self.instances) == (&Names::Own, &Names::Own) {
            return OWN.to_owned();
        }
        let ended = match &self.statuses {
            Names::Of(statuses) if statuses == &[SUCCEEDED] => String::new(),
            Names::Any => ", however it ends".to_owned(),
            others => format!(" ({})", others.shown("")),
        };
        format!("{} on {}{ended}", self.notebooks.shown("any notebook"), self.instances.shown("any instance"))
    }

    /// A step that it may take, for an example.
    pub(crate) fn example(&self) -> Step {
        let some = |name: Option<&str>, other: &str| name.unwrap_or(other).to_owned();
        Step { notebook: some(self.notebook(), "example.ipynb"), instance: some(self.instance(), "example") }
    }
}

impl From<Step> for After {
    fn from(Step { notebook, instance }: Step) -> Self {
        let of = |name| Names::Of(vec![name]);
        Self { notebooks: of(notebook), instances: of(instance), statuses: of(SUCCEEDED.to_owned()) }
    }
}

/// Our own event, as a run that has succeeded publishes it.
pub(crate) fn sample(after: &Step) -> Value {
    json!({
        "version": "0", "id": "00000000-0000-0000-0000-000000000000", "detail-type": DETAIL_TYPE, "source": SOURCE,
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
        Chain { after: step(after).into(), next: step(next) }
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
        assert_eq!(step("a").pattern(), of_template);
        let ours = Chain { after: step("a").into(), next };
        let input = json!({"instance": "other", "notebook": "b.ipynb"});
        assert_eq!(Chain::read(&of_template, &input), Some(ours));
        for pattern in [
            Value::Null,
            json!({"source": ["aws.s3"]}),
            json!({"source": "reveille"}),
            json!({"source": ["x"], "detail-type": ["Notebook Run Status Change"]}),
        ] {
            assert_eq!(Chain::read(&pattern, &input), None);
        }
        let unfinished = Chain::read(&of_template, &Value::Null).expect("it can be listed and removed");
        assert_eq!((unfinished.after, unfinished.next.shown()), (step("a").into(), "(none) on (none)".to_owned()));
    }

    /// Anybody may have made a rule on our events.
    #[test]
    fn rules_that_others_made_are_listed_whatever_they_name() {
        let read = |detail: &Value| {
            let pattern = json!({"source": ["reveille"], "detail": detail});
            Chain::read(&pattern, &json!({"instance": "nightly", "notebook": "b.ipynb"})).unwrap()
        };
        let (this, other) = (step("a"), step("b"));
        for (detail, shown, takes) in [
            (json!({"status": ["SUCCEEDED"]}), "any notebook on any instance", [true, true]),
            (json!({"notebook": ["a.ipynb"]}), "a.ipynb on any instance, however it ends", [true, false]),
            (
                json!({"instance": ["nightly"], "status": ["FAILED"]}),
                "any notebook on nightly (FAILED)",
                [false, false],
            ),
            (
                json!({"notebook": ["a.ipynb", "b.ipynb"], "instance": ["nightly", "c"], "status": ["SUCCEEDED", "FAILED"]}),
                "a.ipynb, b.ipynb on nightly, c (SUCCEEDED, FAILED)",
                [true, true],
            ),
            (
                json!({"notebook": [{"prefix": "a"}], "status": ["SUCCEEDED"]}),
                "(by a pattern of its own) on any instance",
                [false, false],
            ),
            (
                json!({"$or": [{"notebook": ["a.ipynb"]}, {"instance": ["c"]}]}),
                "(by a pattern of its own)",
                [false, false],
            ),
        ] {
            let chain = read(&detail);
            assert_eq!(chain.after.shown(), shown);
            assert_eq!([chain.after.takes(&this), chain.after.takes(&other)], takes, "{detail}");
            assert_eq!(chain.cycle(&[]).is_some(), takes[1], "{detail}: it may start itself");
        }
        let all = Chain::read(&json!({"source": ["reveille"]}), &Value::Null).unwrap();
        assert_eq!(all.after.shown(), "any notebook on any instance, however it ends");
        let by_type = json!({"detail-type": ["Notebook Run Status Change"]});
        assert_eq!(Chain::read(&by_type, &Value::Null), Some(all.clone()));
        assert_eq!(all.cycle(std::slice::from_ref(&all)), None, "it has no input, and so no next");
        assert!(chain("b", "a").cycle(&[read(&json!({}))]).is_some(), "it starts b after a");
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
