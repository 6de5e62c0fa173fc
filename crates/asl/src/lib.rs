//! The Amazon States Language in `JSONata` mode, for the tests and the simulation.
//!
//! Owns: reading a definition ([`definition`]), the documented fields of the language ([`fields`]), `JSONata`
//! expressions as Step Functions evaluates them ([`expression`]), a lint over whole definitions ([`lint`]) and an
//! interpreter ([`interpreter`]), which runs in simulated time ([`simulated`]).
//!
//! Never does: nothing that is deployed depends on this crate, and it knows nothing of Reveille's own states,
//! functions or error codes; those are passed in.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod definition;
pub mod expression;
pub mod fields;
pub mod interpreter;
pub mod lint;
pub mod simulated;
