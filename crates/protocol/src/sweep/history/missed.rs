//! Executions that a pass came to and could not enter: an outcome that cannot be read, a call that was refused each time, or no outcome yet.
//!
//! The place remembers some of them. Each is tried again by a number of sweeps, behind everything else; after that it is given
//! up and counted, and the command says how many there are.

use std::collections::BTreeSet;
use std::pin::pin;

use futures_util::StreamExt;
use reveille_domain::history::HistoryMissed;
use reveille_domain::limits::{MAX_HISTORY_MISSED, MAX_HISTORY_TRIES};

use super::enter::{Looked, NotEntered};
use super::{HistoryPorts, Keeper, Kept, looks};

/// Tries those again that earlier sweeps remembered.
pub(super) async fn try_again<P: HistoryPorts>(keeper: &mut Keeper<'_, P>) {
    keeper.give_up();
    let Some(Kept { before, place }) = &mut keeper.kept else { return };
    let now: BTreeSet<&str> = place.missed.iter().map(|missed| missed.arn.as_str()).collect();
    let earlier = before.missed.iter().filter(|missed| now.contains(missed.arn.as_str()));
    let earlier: Vec<String> = earlier.take(keeper.left).map(|missed| missed.arn.clone()).collect();
    if earlier.is_empty() || keeper.ports.now() >= keeper.end {
        return;
    }
    // Counted first: a try may take the sweep's whole time.
    for missed in place.missed.iter_mut().filter(|missed| earlier.contains(&missed.arn)) {
        missed.tries += 1;
    }
    let earlier: Vec<&str> = earlier.iter().map(String::as_str).collect();
    let mut looks = pin!(looks(keeper.stack, keeper.ports, &earlier, keeper.end));
    while let Some((arn, looked)) = looks.next().await {
        keeper.was_tried(arn, looked);
    }
    keeper.give_up();
}

impl<P> Keeper<'_, P> {
    /// Those that are tried again anyway.
    pub(super) fn remembered(&self) -> BTreeSet<String> {
        let missed = self.kept.iter().flat_map(|kept| &kept.place.missed);
        missed.map(|missed| missed.arn.clone()).collect()
    }

    /// Remembers one that could not be entered; of too many, only the number.
    pub(super) fn remember(&mut self, arn: &str) {
        let Some(Kept { place, .. }) = &mut self.kept else { return };
        if place.missed.len() < MAX_HISTORY_MISSED {
            place.missed.push(HistoryMissed { arn: arn.to_owned(), tries: 1 });
        } else {
            place.lacking += 1;
        }
    }

    /// Notes what came of one that is remembered.
    pub(super) fn was_tried(&mut self, arn: &str, looked: Result<Looked, NotEntered>) {
        match (looked, &mut self.kept) {
            (Ok(Looked::Done), Some(Kept { place, .. })) => place.missed.retain(|missed| missed.arn != arn),
            (Ok(_), _) => {}
            (Err(NotEntered::Run(failure) | NotEntered::History(failure)), _) => self.swept.history_failed(&failure),
        }
    }

    /// Gives those up that were tried often enough.
    fn give_up(&mut self) {
        let Some(Kept { place, .. }) = &mut self.kept else { return };
        let before = place.missed.len();
        place.missed.retain(|missed| missed.tries < MAX_HISTORY_TRIES);
        place.lacking += (before - place.missed.len()) as u64;
    }
}
