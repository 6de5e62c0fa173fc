//! What looks at many things forgive: an AWS that is asked too often, and what goes between a list and a look at it.

use std::time::Duration;

use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tokio::time::{Instant, sleep};

use crate::error::{CliError, is_too_often};

/// Step Functions answers some hundreds of calls at once, and then some ten in a second.
const PAUSE: Duration = Duration::from_secs(2);
/// How long one thing is asked for again.
const PATIENCE: Duration = Duration::from_mins(1);

/// What AWS answers, once it does not say any more that it is asked too often; what it says at last, if it goes on saying that.
pub(super) async fn patiently<T, E: ProvideErrorMetadata>(mut ask: impl AsyncFnMut() -> Result<T, E>) -> Result<T, E> {
    let until = Instant::now() + PATIENCE;
    loop {
        match ask().await {
            Err(error) if error.code().is_some_and(is_too_often) && Instant::now() < until => sleep(PAUSE).await,
            answered => return answered,
        }
    }
}

/// `None` in place of a run that Step Functions does not know: lists lag behind, and it forgets runs between a list and a look.
pub(crate) fn unless_forgotten<T>(found: Result<T, CliError>) -> Result<Option<T>, CliError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(CliError::NoRun { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
