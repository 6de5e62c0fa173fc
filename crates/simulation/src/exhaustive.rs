//! Every order of effects of a small world, instead of a sample of many worlds: each remote call of the real steps and of the
//! real runner waits until the search lets it go on, and the search tries every answer to "what is next".
//!
//! - It owns the bounds ([`bounds`]) and the search ([`search`]). The choices of one play are the world's ([`crate::world::choices`]).
//! - Futures cannot be copied. So a choice that was not taken is tried by playing the world from its beginning along the choices
//!   before it. A state that was seen ends a play ([decision 0038](../../docs/adr/0038-exhaustive-where-it-can-be.md)).
//! - It never judges: the guarantees are the simulation's own.

pub mod bounds;
pub mod search;
