//! What a notebook leaves while it executes, and how its uploads go.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use reveille_domain::ports::{
    Call, CallError, CallErrorKind, Cells, LiveBody, LiveOutput, Printed, SavedNotebook, UploadLive,
};
use tokio::time::Instant;

use super::Slow;

/// So many bytes a second it prints.
const BYTES_A_SECOND: u64 = 10;
/// So large it is.
pub const NOTEBOOK_BYTES: u64 = 1_000;

/// How uploads go, and what came of them.
#[derive(Default)]
pub struct Shown {
    /// What the tickets say; 0: off.
    pub every: Cell<u32>,
    /// What each takes.
    pub takes: Cell<Duration>,
    /// How each goes wrong.
    pub fails: Cell<Option<CallErrorKind>>,
    /// Each that was begun: its key, and what it holds.
    pub begun: RefCell<Vec<(String, Vec<u8>)>>,
    /// Those that S3 took.
    pub taken: RefCell<Vec<String>>,
    /// Seconds that each cell of a notebook takes; 0: it tells of none.
    pub cell_takes: Cell<u64>,
}

impl Shown {
    /// The cells of a notebook that begins now.
    pub fn cells(&self) -> Counting {
        Counting { began: Instant::now(), cell_takes: self.cell_takes.get() }
    }
}

/// The cells of a notebook.
pub struct Counting {
    began: Instant,
    cell_takes: u64,
}

impl Counting {
    pub fn now(&self) -> Cells {
        let Some(done) = self.began.elapsed().as_secs().checked_div(self.cell_takes) else { return Cells::default() };
        let done = u32::try_from(done).unwrap();
        Cells { cell: done + 1, cells: 100, done }
    }
}

/// A notebook that prints.
pub struct SlowPrinting {
    began: Instant,
    taken: Cell<u64>,
}

impl Default for SlowPrinting {
    fn default() -> Self {
        Self { began: Instant::now(), taken: Cell::new(0) }
    }
}

impl LiveOutput for SlowPrinting {
    fn take_printed(&self, room: fn(u64) -> usize) -> Printed {
        let from = self.taken.get();
        let printed = self.began.elapsed().as_secs() * BYTES_A_SECOND - from;
        assert!(usize::try_from(printed).unwrap() <= room(from), "it prints little");
        self.taken.set(from + printed);
        Printed { from, bytes: vec![b'x'; printed.try_into().unwrap()] }
    }

    fn saved(&self) -> Option<SavedNotebook> {
        // It is saved each second, for the last time after 500.
        let version = self.began.elapsed().as_secs().min(500).into();
        Some(SavedNotebook { path: "output.ipynb".into(), bytes: NOTEBOOK_BYTES, version })
    }
}

impl UploadLive for Slow {
    async fn upload_live(&self, key: &str, body: LiveBody<'_>) -> Call<()> {
        let bytes = if let LiveBody::Printed(text) = body { text.to_vec() } else { Vec::new() };
        self.shown.begun.borrow_mut().push((key.to_owned(), bytes));
        tokio::time::sleep(self.shown.takes.get()).await;
        if let Some(kind) = self.shown.fails.get() {
            let (resource, message) = (key.to_owned(), "it went wrong".to_owned());
            return Err(CallError { kind, action: "s3:PutObject", resource, message });
        }
        self.shown.taken.borrow_mut().push(key.to_owned());
        Ok(())
    }
}
