//! What the commands that change a stack have in common: the parameters are checked, the change is shown, somebody agrees, and it is followed.
//! Until then only a change set is made, and whatever ends the command takes it away again.

mod change;
pub(super) mod follow;
mod make;
mod nearest;
pub(super) mod parameters;

pub(super) use change::{as_json, settings_lines, show};
pub(super) use follow::{Ended, Operation};
pub(super) use make::{Agreement, Plan, Planned};
pub(super) use nearest::nearest;
pub(super) use parameters::Template;
