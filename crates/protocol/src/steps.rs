//! The steps of the state machine: one file each, named for its state. Every file opens with the step's contract.

pub mod admit_run;
pub mod check_instance;
pub mod conclude_run;
pub mod release_instance;
pub mod start_instance;
pub mod submit_run;
pub mod verify_stopped;
