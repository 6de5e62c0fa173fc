//! Where the timer's sweeps are. A sweep may be cut off anywhere: by the function's timeout, where calls are slow, or by a
//! crash. Its place is kept so that the same thing does not cut off one sweep after another and hold up everything else.
//!
//! A sweep writes down that it began, before it looks at anything. The one after a sweep that was cut off is careful: it
//! looks at one thing after another and keeps its place as it goes, and such sweeps begin with the leases and with the
//! executions by turns. The first thing of a sweep is passed before it is looked at, every other one afterwards. So
//! whatever was cut off is the first thing of a later sweep, and is passed there, whatever becomes of it. (Decision 0044.)

use chrono::{DateTime, Utc};
use reveille_domain::ports::{Call, Clock, GetObject, PutObject};

use super::decide::Cursor;
use super::swept::{self, Swept};
use crate::stack::Stack;
use crate::store;

/// What a sweep looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepPart {
    /// The instances that have a lease.
    Leases,
    /// The executions that ended.
    Executions,
}

/// A sweep's place.
pub struct SweepPlace<'a, P> {
    /// The stack that is swept.
    pub stack: &'a Stack,
    /// Its ports.
    pub ports: &'a P,
    /// How far it came.
    pub cursor: Cursor,
    /// Sweeps in a row, up to this one, that were cut off.
    cut_off: u32,
    /// Nothing was looked at yet.
    is_first: bool,
    /// Whether the record could be read, or there is none: one that is not known is not written over.
    is_known: bool,
}

impl<'a, P: Clock + GetObject + PutObject> SweepPlace<'a, P> {
    /// Goes on where the sweep before came to, and writes down that a sweep began.
    pub async fn begin(stack: &'a Stack, ports: &'a P, swept: &mut Swept) -> Self {
        let read = store::read::<Cursor>(ports, &stack.layout.sweeper()).await;
        let read = store::or_evidence(read, &mut Vec::new());
        let is_known = read.is_ok();
        // The beginning is as good a place as any. If the place could not be read, the next sweep reads it again.
        let stored = read.unwrap_or_else(|error| {
            swept.failed(error);
            None
        });
        let before = stored.map_or_else(Cursor::default, |stored| stored.record);
        let cut_off = before.unfinished;
        let cursor = Cursor { unfinished: cut_off.saturating_add(1), ..before };
        let place = Self { stack, ports, cursor, cut_off, is_first: true, is_known };
        place.keep().await;
        place
    }

    /// What costs money comes first; after a sweep that was cut off, or that had no time for it, the other.
    pub const fn order(&self) -> [SweepPart; 2] {
        let turned = !self.cut_off.is_multiple_of(2);
        if turned == self.cursor.executions_first {
            [SweepPart::Leases, SweepPart::Executions]
        } else {
            [SweepPart::Executions, SweepPart::Leases]
        }
    }

    /// Whether the sweep before was cut off.
    pub const fn is_careful(&self) -> bool {
        self.cut_off > 0
    }

    /// Writes the place down. That this fails holds up nothing, and the sweep's end tells of it.
    pub async fn keep(&self) {
        let _ = self.write().await;
    }

    async fn write(&self) -> Call<()> {
        if !self.is_known {
            return Ok(());
        }
        store::put(self.ports, &self.stack.layout.sweeper(), &self.cursor).await
    }

    /// The sweep came to its end. Calls may have been so slow that a part had no time: the next sweep begins with that.
    pub async fn end(mut self, without_time: Option<SweepPart>, swept: &mut Swept) {
        self.cursor.unfinished = 0;
        self.cursor.executions_first = without_time == Some(SweepPart::Executions);
        if let Err(error) = self.write().await {
            swept.failed(error);
        }
    }

    /// Looks at things, as [`swept::each`] does, or carefully. `passed`: puts the cursor behind one.
    pub async fn each<'t, T, R, F: Future<Output = R>>(
        &mut self,
        things: &'t [T],
        end: DateTime<Utc>,
        passed: impl Fn(&mut Cursor, &'t T),
        look: impl Fn(&'t T) -> F,
    ) -> Vec<R> {
        if !self.is_careful() {
            return swept::each(self.ports, things, end, look).await;
        }
        let mut answers = Vec::new();
        for thing in things {
            if self.ports.now() >= end {
                break;
            }
            passed(&mut self.cursor, thing);
            let is_first = std::mem::take(&mut self.is_first);
            if is_first {
                self.keep().await;
            }
            answers.push(look(thing).await);
            if !is_first {
                self.keep().await;
            }
        }
        answers
    }
}
