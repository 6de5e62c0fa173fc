//! A template with values for its parameters: CloudFormation's functions and conditions applied, as far as our templates use them.

use std::collections::BTreeMap;

use serde_json::Value;

/// A stack: a template, and what its parameters are set to.
#[derive(Debug)]
pub struct ParametrisedStack<'a> {
    /// Its short forms in their long form.
    pub template: &'a Value,
    /// By name.
    pub parameters: BTreeMap<String, String>,
}

/// The default that a template gives a parameter, as text.
#[must_use]
pub fn default_of(parameter: &Value) -> Option<String> {
    match &parameter["Default"] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// What CloudFormation knows of every stack.
const PSEUDO: [(&str, &str); 5] = [
    ("AWS::AccountId", "123456789012"),
    ("AWS::Partition", "aws"),
    ("AWS::Region", "eu-west-1"),
    ("AWS::StackName", "reveille"),
    ("AWS::URLSuffix", "amazonaws.com"),
];

/// What stands for no value at all.
fn is_no_value(value: &Value) -> bool {
    value["Ref"] == "AWS::NoValue"
}

impl<'a> ParametrisedStack<'a> {
    /// The parameters' defaults, but for these.
    #[must_use]
    pub fn new(template: &'a Value, given: &[(&str, &str)]) -> Self {
        let declared = template["Parameters"].as_object().expect("parameters").iter();
        let mut parameters: BTreeMap<String, String> =
            declared.map(|(name, parameter)| (name.clone(), default_of(parameter).unwrap_or_default())).collect();
        for (name, value) in given {
            assert!(parameters.contains_key(*name), "the template has no parameter {name}");
            parameters.insert((*name).to_owned(), (*value).to_owned());
        }
        Self { template, parameters }.knowing(&PSEUDO)
    }

    /// With what resources are called, and their attributes: `RunsBucket`, `RunsBucket.Arn`. Others stay `${Name}`.
    #[must_use]
    pub fn knowing(mut self, names: &[(&str, &str)]) -> Self {
        self.parameters.extend(names.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    /// The resources that this stack has, by their logical names.
    #[must_use]
    pub fn resources(&self) -> BTreeMap<String, Value> {
        let there = |resource: &Value| resource["Condition"].as_str().is_none_or(|name| self.condition(name));
        let all = self.template["Resources"].as_object().expect("resources").iter();
        all.filter(|(_, resource)| there(resource)).map(|(name, it)| (name.clone(), self.value(it))).collect()
    }

    /// A parameter's value, or a resource's name.
    fn named(&self, name: &str) -> Value {
        let value = self.parameters.get(name).cloned();
        if self.template["Parameters"][name]["Type"] == "CommaDelimitedList" {
            return value.expect("a list").split(',').collect();
        }
        value.unwrap_or_else(|| format!("${{{name}}}")).into()
    }

    /// What a target of a rule or of a schedule hands to the execution it starts, for this event.
    #[must_use]
    pub fn input(&self, target: &Value, event: &str) -> String {
        let template = &target["InputTransformer"]["InputTemplate"];
        self.text(if template.is_null() { &target["Input"] } else { template })
            .replace("<aws.events.event.json>", event)
    }

    fn condition(&self, name: &str) -> bool {
        self.holds(&self.template["Conditions"][name])
    }

    fn holds(&self, condition: &Value) -> bool {
        let (function, argument) = condition.as_object().and_then(|fields| fields.iter().next()).expect("a condition");
        let all = || argument.as_array().expect("a list").iter();
        match function.as_str() {
            "Condition" => self.condition(argument.as_str().unwrap()),
            "Fn::Not" => !self.holds(&argument[0]),
            "Fn::And" => all().all(|one| self.holds(one)),
            "Fn::Or" => all().any(|one| self.holds(one)),
            "Fn::Equals" => self.value(&argument[0]) == self.value(&argument[1]),
            other => panic!("{other}"),
        }
    }

    fn text(&self, value: &Value) -> String {
        self.value(value).as_str().unwrap_or_else(|| panic!("{value} is not text")).to_owned()
    }

    /// A value with its functions applied.
    #[must_use]
    pub fn value(&self, value: &Value) -> Value {
        match value {
            Value::Array(items) => items.iter().map(|item| self.value(item)).filter(|it| !is_no_value(it)).collect(),
            Value::Object(_) if is_no_value(value) => value.clone(),
            Value::Object(fields) => match fields.iter().next().map(|(name, argument)| (name.as_str(), argument)) {
                Some(("Ref", name)) => self.named(name.as_str().unwrap()),
                Some(("Fn::GetAtt", path)) => {
                    let path = path.as_array().expect("a resource and its attribute");
                    self.named(&path.iter().map(|part| part.as_str().unwrap()).collect::<Vec<_>>().join("."))
                }
                Some(("Fn::FindInMap", path)) => {
                    let [map, first, second] = [0, 1, 2].map(|at| path[at].as_str().unwrap());
                    self.template["Mappings"][map][first][second].clone()
                }
                Some(("Fn::If", branches)) => {
                    let holds = self.condition(branches[0].as_str().unwrap());
                    self.value(&branches[if holds { 1 } else { 2 }])
                }
                Some(("Fn::Join", arguments)) => {
                    let parts = self.value(&arguments[1]);
                    let parts: Vec<&str> =
                        parts.as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect();
                    parts.join(arguments[0].as_str().unwrap()).into()
                }
                Some(("Fn::Select", arguments)) => {
                    let index = usize::try_from(arguments[0].as_u64().unwrap()).unwrap();
                    self.value(&arguments[1])[index].clone()
                }
                Some(("Fn::Split", arguments)) => {
                    self.text(&arguments[1]).split(arguments[0].as_str().unwrap()).collect()
                }
                Some(("Fn::Sub", text)) => {
                    let text = text.as_str().unwrap().to_owned();
                    let filled =
                        |text: String, (name, value): (&String, &String)| text.replace(&format!("${{{name}}}"), value);
                    self.parameters.iter().fold(text, filled).into()
                }
                _ => fields
                    .iter()
                    .map(|(name, field)| (name.clone(), self.value(field)))
                    .filter(|(_, field)| !is_no_value(field))
                    .collect::<serde_json::Map<_, _>>()
                    .into(),
            },
            scalar => scalar.clone(),
        }
    }
}
