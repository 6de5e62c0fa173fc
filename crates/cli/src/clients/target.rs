//! How the target of a trigger starts runs, of a rule as of a schedule.

/// What a trigger's target has besides its input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TargetSettings {
    pub(crate) role: Option<String>,
    /// The queue of what could not be delivered.
    pub(crate) dead_letters: Option<String>,
    /// How long is tried to deliver an event.
    pub(crate) age_seconds: Option<i32>,
}
