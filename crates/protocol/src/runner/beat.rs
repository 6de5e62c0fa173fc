//! The beats: of every ticket in the inbox, the queued ones too. They depend on nothing else: this loop knows the tokens from
//! the last listing, makes no other call, and runs beside everything that the runner does.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use reveille_domain::ports::{Clock, Log, SendTaskHeartbeat, Sleep, TokenAnswer};

use super::queue::AT_ONCE;
use super::{Runner, RunnerPorts};

/// Between two looks for what is due, at least: each looks at thousands.
const LOOK_APART: Duration = Duration::from_millis(100);
/// The same at most; a new ticket is rung for.
const LOOK_EVERY: Duration = Duration::from_mins(1);

impl<P: RunnerPorts> Runner<'_, P> {
    /// Beats for ever. A failing beat is no reason to stop working: the next one comes within the heartbeat.
    pub(super) async fn beat(&self) -> std::convert::Infallible {
        let mut beating = FuturesUnordered::new();
        let mut due = VecDeque::new();
        let mut until_look = Box::pin(self.ports.sleep(Duration::ZERO));
        let mut looks_soon = true;
        loop {
            while beating.len() < AT_ONCE
                && let Some(run) = due.pop_front()
            {
                if let Some(token) = self.queue.begin_beat(&run, self.ports.now()) {
                    beating.push(async move {
                        let answer = self.ports.send_task_heartbeat(&token).await;
                        (run, token, answer)
                    });
                }
            }
            // What is due is beaten before it is looked what else is.
            let may_look = due.is_empty() && beating.len() < AT_ONCE;
            tokio::select! {
                biased;
                Some((run, token, answer)) = beating.next(), if !beating.is_empty() => match answer {
                    Ok(TokenAnswer::Accepted) => {}
                    Ok(TokenAnswer::Gone) => self.queue.silence(&run, &token),
                    Err(error) => self.ports.log(&format!("a beat for run {run} failed: {error}")),
                },
                () = self.queue.to_beat.notified(), if !looks_soon => {
                    until_look.set(self.ports.sleep(LOOK_APART));
                    looks_soon = true;
                }
                () = &mut until_look, if may_look => {
                    let (now_due, next) = self.queue.due(self.ports.now());
                    due.extend(now_due);
                    until_look.set(self.ports.sleep(next.clamp(LOOK_APART, LOOK_EVERY)));
                    looks_soon = false;
                }
            }
        }
    }
}
