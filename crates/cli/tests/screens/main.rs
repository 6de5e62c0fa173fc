//! Every screen as a person sees it: the real program at terminals of 60, 80 and 200 columns, in colour and without, and on a pipe, at an AWS
//! that a test makes up and at a time that stands still. `make screens` writes them anew: look at what changed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../bucket/mod.rs"]
mod bucket;
mod changes;
mod faults;
mod help;
mod hostile;
mod runs;
mod screen;
#[path = "../stub/mod.rs"]
mod stub;
mod terminal;
mod triggers;
mod world;

use screen::have_a_file_each;

#[test]
fn each_file_is_a_screens() {
    have_a_file_each(&[changes::ALL, faults::ALL, help::ALL, hostile::ALL, runs::ALL, triggers::ALL]);
}
