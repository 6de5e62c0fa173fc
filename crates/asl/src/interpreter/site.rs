//! An expression of a definition, and where it is.

use super::machine_error::MachineError;
use super::plain::Plain;
use crate::expression::Expression;

/// An expression and its place, named as AWS's messages name it: `Output/a/b[0]`.
#[derive(Debug)]
pub(crate) struct Site {
    pub expression: Expression,
    pub location: String,
    /// Whether it needs `$states`, and in it the context object, which costs something to build.
    pub needs_states: bool,
    pub needs_context: bool,
    /// The quick way to its value, where it is as simple as most.
    pub plain: Option<Plain>,
}

impl Site {
    pub(crate) fn compile(state: &str, location: &str, source: &str) -> Result<Self, MachineError> {
        let expression = Expression::compile(source).map_err(|error| MachineError::Expression {
            state: state.to_owned(),
            location: location.to_owned(),
            reason: error.to_string(),
        })?;
        let reads = expression.reads();
        let needs_context = reads.whole_states || reads.states.contains("context");
        Ok(Self {
            needs_states: needs_context || !reads.states.is_empty(),
            needs_context,
            plain: Plain::of(expression.ast()),
            location: location.to_owned(),
            expression,
        })
    }
}
