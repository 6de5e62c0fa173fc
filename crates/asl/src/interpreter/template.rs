//! A field of a definition whose strings may be expressions, compiled once.

use jsonata_core::value::{JMap, JValue};
use serde_json::Value;
use std::rc::Rc;

use super::machine_error::MachineError;
use super::site::Site;
use super::value;
use super::view::{EvaluationError, View};
use crate::expression;

/// A field, ready to be evaluated.
#[derive(Debug)]
pub(crate) enum Template {
    /// Holds no expression.
    Literal(JValue),
    Expression(Box<Site>),
    Array(Vec<Template>),
    /// The members' names in their order, with nothing for each, and its value's template.
    Object(Rc<JMap>, Vec<Template>),
}

impl Template {
    pub(crate) fn compile(state: &str, location: &str, value: &Value) -> Result<Self, MachineError> {
        match value {
            Value::String(text) => match expression::unwrap(text) {
                Some(source) => Ok(Self::Expression(Box::new(Site::compile(state, location, source)?))),
                None => Ok(Self::Literal(JValue::from(text.as_str()))),
            },
            Value::Array(items) => {
                let items = items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| Self::compile(state, &format!("{location}[{index}]"), item))
                    .collect::<Result<Vec<_>, _>>()?;
                let literal = items.iter().map(Self::literal).collect::<Option<Vec<_>>>();
                Ok(literal.map_or(Self::Array(items), |values| Self::Literal(JValue::from(values))))
            }
            Value::Object(members) => {
                let members = members
                    .iter()
                    .map(|(key, member)| {
                        let template = Self::compile(state, &format!("{location}/{key}"), member)?;
                        Ok((key.clone(), template))
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                let literal = members
                    .iter()
                    .map(|(key, member)| Some((key.clone(), member.literal()?)))
                    .collect::<Option<JMap>>();
                Ok(match literal {
                    Some(map) => Self::Literal(JValue::Object(Rc::new(map))),
                    None => Self::object(members),
                })
            }
            other => Ok(Self::Literal(JValue::from(other.clone()))),
        }
    }

    fn object(members: Vec<(String, Self)>) -> Self {
        let (names, members): (Vec<_>, Vec<_>) = members.into_iter().unzip();
        Self::Object(Rc::new(names.into_iter().map(|name| (name, JValue::Null)).collect()), members)
    }

    fn literal(&self) -> Option<JValue> {
        match self {
            Self::Literal(value) => Some(value.clone()),
            _ => None,
        }
    }

    pub(crate) fn evaluate(&self, view: &View) -> Result<JValue, EvaluationError> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Expression(site) => view.evaluate(site),
            Self::Array(items) => {
                let items = items.iter().map(|item| item.evaluate(view)).collect::<Result<Vec<_>, _>>()?;
                Ok(JValue::from(items))
            }
            Self::Object(shape, members) => {
                // The names are hashed once, when the template is compiled.
                let mut object = JMap::clone(shape);
                for (slot, member) in object.values_mut().zip(members) {
                    *slot = member.evaluate(view)?;
                }
                Ok(JValue::Object(Rc::new(object)))
            }
        }
    }

    /// Evaluates a field that must be a number of seconds: whole, and not negative.
    pub(crate) fn evaluate_seconds(&self, view: &View) -> Result<u64, EvaluationError> {
        let value = self.evaluate(view)?;
        whole_seconds(&value).ok_or_else(|| self.unexpected("number", &value))
    }

    /// Evaluates a timeout or heartbeat, which cannot be 0.
    pub(crate) fn evaluate_positive_seconds(&self, view: &View) -> Result<u64, EvaluationError> {
        match self.evaluate_seconds(view)? {
            0 => Err(self.unexpected("positive number", &JValue::from(0_i64))),
            seconds => Ok(seconds),
        }
    }

    /// Evaluates a field that must be a string.
    pub(crate) fn evaluate_string(&self, view: &View) -> Result<String, EvaluationError> {
        let value = self.evaluate(view)?;
        match value.as_str() {
            Some(text) => Ok(text.to_owned()),
            None => Err(self.unexpected("string", &value)),
        }
    }

    /// Evaluates a condition. Anything but a boolean fails ("Choice workflow state", `JSONata`).
    pub(crate) fn evaluate_condition(&self, view: &View) -> Result<bool, EvaluationError> {
        let value = self.evaluate(view)?;
        value.as_bool().ok_or_else(|| self.unexpected("boolean", &value))
    }

    fn unexpected(&self, expected: &'static str, value: &JValue) -> EvaluationError {
        let (source, location) = match self {
            Self::Expression(site) => (site.expression.source().to_owned(), site.location.clone()),
            // A literal of the wrong kind; AWS refuses it when the machine is created.
            _ => (value::to_json(value).to_string(), "a literal".to_owned()),
        };
        EvaluationError::unexpected(source, location, expected, value)
    }
}

/// The most seconds that AWS takes for a wait or a timeout ("Wait workflow state", "Task workflow state").
const MAX_SECONDS: f64 = 99_999_999.0;

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked: whole, and 0 to 99,999,999")]
fn whole_seconds(value: &JValue) -> Option<u64> {
    let number = value.as_f64()?;
    (number.fract() == 0.0 && (0.0..=MAX_SECONDS).contains(&number)).then_some(number as u64)
}
