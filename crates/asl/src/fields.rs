//! The fields of the Amazon States Language in `JSONata` mode: which exist, where, and which must be there.
//!
//! Source: "State machine structure in Amazon States Language", "Using Amazon States Language to define Step Functions
//! workflows" (one page a state type) and "Transforming data with `JSONata` in Step Functions", all in the AWS Step
//! Functions Developer Guide.
//! Owns: these tables. Never does: reads a definition; that is [`crate::lint`]'s and the interpreter's work.

/// One kind of object in a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// What the object is called in a message.
    pub name: &'static str,
    /// Fields that must be there.
    pub required: &'static [&'static str],
    /// Fields that may be there.
    pub optional: &'static [&'static str],
}

/// The fields of every state, whatever its type.
const COMMON: &[&str] = &["Type", "Comment", "QueryLanguage"];

/// Fields that belong to the other query language: named in messages, so that a reader knows what to write instead.
pub const JSONPATH_ONLY: &[&str] = &[
    "InputPath",
    "OutputPath",
    "Parameters",
    "Result",
    "ResultPath",
    "ResultSelector",
    "SecondsPath",
    "TimestampPath",
    "TimeoutSecondsPath",
    "HeartbeatSecondsPath",
    "ItemsPath",
    "MaxConcurrencyPath",
    "ToleratedFailureCountPath",
    "ToleratedFailurePercentagePath",
    "ErrorPath",
    "CausePath",
    "Variable",
];

/// The definition as a whole.
pub const MACHINE: Shape = Shape {
    name: "state machine",
    required: &["StartAt", "States", "QueryLanguage"],
    optional: &["Comment", "Version", "TimeoutSeconds"],
};

/// A branch of a Parallel state.
pub const BRANCH: Shape = Shape { name: "branch", required: &["StartAt", "States"], optional: &["Comment"] };

/// One entry of `Retry`.
pub const RETRIER: Shape = Shape {
    name: "retrier",
    required: &["ErrorEquals"],
    optional: &["IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds", "JitterStrategy", "Comment"],
};

/// One entry of `Catch`.
pub const CATCHER: Shape =
    Shape { name: "catcher", required: &["ErrorEquals", "Next"], optional: &["Assign", "Output", "Comment"] };

/// One entry of `Choices`.
pub const CHOICE_RULE: Shape =
    Shape { name: "choice rule", required: &["Condition", "Next"], optional: &["Assign", "Output", "Comment"] };

/// The shapes of the state types, by the value of `Type`. `Next` or `End` is checked apart: exactly one of them.
const STATES: &[(&str, Shape)] = &[
    (
        "Task",
        Shape {
            name: "Task state",
            required: &["Resource"],
            optional: &[
                "Arguments",
                "Credentials",
                "TimeoutSeconds",
                "HeartbeatSeconds",
                "Retry",
                "Catch",
                "Assign",
                "Output",
                "Next",
                "End",
            ],
        },
    ),
    ("Pass", Shape { name: "Pass state", required: &[], optional: &["Assign", "Output", "Next", "End"] }),
    ("Choice", Shape { name: "Choice state", required: &["Choices"], optional: &["Default", "Assign", "Output"] }),
    (
        "Wait",
        Shape {
            name: "Wait state",
            required: &[],
            optional: &["Seconds", "Timestamp", "Assign", "Output", "Next", "End"],
        },
    ),
    ("Succeed", Shape { name: "Succeed state", required: &[], optional: &["Output"] }),
    ("Fail", Shape { name: "Fail state", required: &[], optional: &["Error", "Cause"] }),
    (
        "Parallel",
        Shape {
            name: "Parallel state",
            required: &["Branches"],
            optional: &["Arguments", "Retry", "Catch", "Assign", "Output", "Next", "End"],
        },
    ),
];

/// The shape of the states of type `state_type`; `None` for a type this crate does not run (Map among them).
#[must_use]
pub fn of_state(state_type: &str) -> Option<Shape> {
    STATES.iter().find(|(name, _)| *name == state_type).map(|(_, shape)| *shape)
}

/// Whether `field` may be in a state of this shape.
#[must_use]
pub fn allowed_in_state(shape: &Shape, field: &str) -> bool {
    COMMON.contains(&field) || allowed(shape, field)
}

/// Whether `field` may be in an object of this shape.
#[must_use]
pub fn allowed(shape: &Shape, field: &str) -> bool {
    shape.required.contains(&field) || shape.optional.contains(&field)
}

/// Whether the states of this type end a branch without `Next` or `End`.
#[must_use]
pub fn is_terminal_type(state_type: &str) -> bool {
    matches!(state_type, "Succeed" | "Fail")
}

/// Whether the states of this type have `Next` or `End`.
#[must_use]
pub fn has_next_or_end(state_type: &str) -> bool {
    !is_terminal_type(state_type) && state_type != "Choice"
}
