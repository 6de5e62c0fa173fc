//! A long queue on one instance. `make simulate` plays one of thousands.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "it shows its figures")]

use reveille_simulation::long_queue;

#[test]
fn hundreds_of_runs_are_served_in_order_without_a_pause() {
    println!("{}", long_queue::serve(300).unwrap());
}
