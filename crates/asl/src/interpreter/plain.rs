//! The expressions that nearly every field is: a path of names from a variable, a comparison of one with a text, a choice
//! between two. They are read straight from the values, without the evaluator and without building `$states` for it.
//!
//! Never decides what is odd: wherever a path meets an array, a function or nothing, there is no answer here, and the
//! evaluator gives it.

use jsonata_core::ast::{AstNode, BinaryOp, PathStep};
use jsonata_core::value::JValue;

/// Whoever knows the variables.
pub(crate) trait Known {
    /// Where a path begins, and the names that are left of it.
    fn start<'a>(&'a self, variable: &str, names: &'a [String]) -> Option<(&'a JValue, &'a [String])>;
}

/// An expression of that kind.
#[derive(Debug)]
pub(crate) enum Plain {
    Literal(JValue),
    /// The variable, and the names after it.
    Path(String, Vec<String>),
    Equal(Box<[Plain; 2]>),
    /// Condition, then, else.
    Choice(Box<[Plain; 3]>),
    Exists(Box<Plain>),
}

impl Plain {
    /// `None`: it is of another kind.
    pub(crate) fn of(node: &AstNode) -> Option<Self> {
        match node {
            AstNode::String(text) => Some(Self::Literal(JValue::from(text.as_str()))),
            AstNode::Number(number) if number.is_finite() => Some(Self::Literal(JValue::Number(*number))),
            AstNode::Boolean(value) => Some(Self::Literal(JValue::Bool(*value))),
            AstNode::Null => Some(Self::Literal(JValue::Null)),
            AstNode::Variable(name) if !name.is_empty() => Some(Self::Path(name.clone(), Vec::new())),
            AstNode::Path { steps } => Self::path(steps),
            AstNode::Binary { op: BinaryOp::Equal, lhs, rhs } => {
                Some(Self::Equal(Box::new([Self::of(lhs)?, Self::of(rhs)?])))
            }
            AstNode::Conditional { condition, then_branch, else_branch: Some(other) } => {
                Some(Self::Choice(Box::new([Self::of(condition)?, Self::of(then_branch)?, Self::of(other)?])))
            }
            AstNode::Function { name, args, is_builtin: true } if name == "exists" => match args.as_slice() {
                [argument @ (AstNode::Variable(_) | AstNode::Path { .. })] => {
                    Some(Self::Exists(Box::new(Self::of(argument)?)))
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn path(steps: &[PathStep]) -> Option<Self> {
        // A step with nothing but its node: no predicate, and no binding.
        let bare = |step: &PathStep| *step == PathStep::new(step.node.clone());
        let (first, names) = steps.split_first()?;
        let AstNode::Variable(variable) = &first.node else { return None };
        if variable.is_empty() || !steps.iter().all(bare) {
            return None;
        }
        let name = |step: &PathStep| match &step.node {
            AstNode::Name(name) => Some(name.clone()),
            _ => None,
        };
        Some(Self::Path(variable.clone(), names.iter().map(name).collect::<Option<_>>()?))
    }

    /// Its value; `None`: ask the evaluator.
    pub(crate) fn value(&self, view: &impl Known) -> Option<JValue> {
        match self {
            Self::Literal(value) => Some(value.clone()),
            Self::Path(variable, names) => {
                let (start, names) = view.start(variable, names)?;
                let found = names.iter().try_fold(start, |value, name| value.get(name))?;
                matches!(
                    found,
                    JValue::Null | JValue::Bool(_) | JValue::Number(_) | JValue::String(_) | JValue::Object(_)
                )
                .then(|| found.clone())
            }
            Self::Equal(sides) => match (sides[0].value(view)?, sides[1].value(view)?) {
                (JValue::String(one), JValue::String(other)) => Some(JValue::Bool(one == other)),
                _ => None,
            },
            Self::Choice(parts) => match parts[0].value(view)? {
                JValue::Bool(true) => parts[1].value(view),
                JValue::Bool(false) => parts[2].value(view),
                _ => None,
            },
            Self::Exists(path) => path.value(view).map(|_| JValue::Bool(true)),
        }
    }
}
