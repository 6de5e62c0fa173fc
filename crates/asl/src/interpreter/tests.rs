//! Cases of our own, each with the document of AWS that it comes from, for what the recordings do not hold.

#![expect(clippy::needless_pass_by_value, reason = "json!(...) is written where it is used")]

mod callbacks;
mod lifecycle;
mod limits;
mod states;
mod world;
