//! What a notebook prints and saves while it executes, as its runner sees it.

use std::cell::Cell;

use reveille_domain::ports::{LiveOutput, Printed, SavedNotebook};

/// A notebook that prints and saves something whenever it is looked at.
#[derive(Default)]
pub struct Printing(Cell<u64>);

impl LiveOutput for Printing {
    fn take_printed(&self, _: fn(u64) -> usize) -> Printed {
        let from = self.0.get();
        self.0.set(from + 1);
        Printed { from, bytes: vec![b'\n'] }
    }

    fn saved(&self) -> Option<SavedNotebook> {
        self.0.set(self.0.get() + 1);
        Some(SavedNotebook { path: "output.ipynb".into(), bytes: 1_000, version: self.0.get().into() })
    }
}
