//! Why a definition cannot be run.

/// Why a definition cannot be run.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MachineError {
    /// A field that is not of the language at that place, or of the other query language.
    #[error("state '{state}' has the field '{field}', which {why}: take it out")]
    Field {
        /// The state; empty for the machine itself.
        state: String,
        /// The field, with its place inside the state.
        field: String,
        /// Why it is refused.
        why: &'static str,
    },
    /// A field is missing or has a value of the wrong kind.
    #[error("state '{state}': the field '{field}' {problem}: correct it")]
    Value {
        /// The state; empty for the machine itself.
        state: String,
        /// The field, with its place inside the state.
        field: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A transition to a state that does not exist.
    #[error("state '{state}': '{field}' names '{target}', which is not a state there: name one")]
    Target {
        /// The state; empty for the machine itself.
        state: String,
        /// The field, with its place inside the state.
        field: String,
        /// What it names.
        target: String,
    },
    /// An expression does not compile.
    #[error("state '{state}', field '{location}': {reason}")]
    Expression {
        state: String,
        /// Where the expression is.
        location: String,
        /// The compiler's own words.
        reason: String,
    },
    /// A type of state that this interpreter does not run.
    #[error("state '{state}' is of the type '{kind}', which this interpreter does not run: use another")]
    Kind {
        state: String,
        /// Its type.
        kind: String,
    },
    /// Branches nested too deep.
    #[error("state '{state}' is nested too deep: flatten it")]
    Depth { state: String },
    /// The ARN has no name to make the ARNs of executions from.
    #[error("'{arn}' is not the ARN of a state machine (arn:aws:states:REGION:ACCOUNT:stateMachine:NAME): pass one")]
    Arn {
        /// What was given.
        arn: String,
    },
}
