//! `Retry` and `Catch` around whatever a state attempts.

use std::rc::Rc;

use super::failure::Failure;
use super::machine::{Handlers, Next};
use super::retry::Attempts;
use super::run::{Done, Here, Run, within_limit};
use super::task::Tasks;
use super::view::StateContext;

impl<T: Tasks> Run<T> {
    /// Attempts until it succeeds, no retrier takes the failure any more, and then lets a catcher take it. `attempt`
    /// is given the number of retries so far.
    pub(crate) async fn handled(
        &self,
        here: &Here<'_>,
        handlers: &Handlers,
        attempt: impl AsyncFn(u32) -> Result<Done, Failure>,
    ) -> Result<Done, Failure> {
        let mut attempts = Attempts::new(&handlers.retriers);
        let mut retries = 0;
        loop {
            let failure = match attempt(retries).await {
                Ok(done) => return Ok(done),
                Err(failure) => failure,
            };
            match attempts.next(&failure, &self.sources.random) {
                Some(delay) => crate::simulated::sleep(delay).await,
                None => return self.caught(here, handlers, failure, retries),
            }
            retries += 1;
        }
    }

    /// The first catcher that takes the failure decides; without `Output`, the error output goes on ("Handling errors",
    /// "Fallback states").
    fn caught(&self, here: &Here, handlers: &Handlers, failure: Failure, retries: u32) -> Result<Done, Failure> {
        let Some(catcher) = handlers.catchers.iter().find(|catcher| failure.matches(&catcher.error_equals)) else {
            return Err(failure);
        };
        let context = StateContext { retry_count: retries, state: Rc::clone(&here.state.name), ..here.context.clone() };
        let output = failure.error_output();
        if catcher.effects.output.is_none() {
            within_limit(&output, &here.state.name)?;
        }
        let view = self.view_in(here, &context).with_error_output(output.clone());
        self.apply(here, &catcher.effects, &view, output, Next::To(catcher.next))
    }
}
