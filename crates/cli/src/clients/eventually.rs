//! Looks at what is eventually consistent, such as executions and a bucket's notifications: right after a change, a read may show what was before.

use std::time::Duration;

use tokio::time::sleep;

use crate::error::CliError;

/// A change shows within a second or two.
const LOOKS: u32 = 5;
/// Between two looks.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// Looks until there is what a look waits for; `None`: it did not show.
pub(super) async fn shown<T>(
    mut look: impl AsyncFnMut() -> Result<Option<T>, CliError>,
) -> Result<Option<T>, CliError> {
    for number in 0..LOOKS {
        if number > 0 {
            sleep(LOOK).await;
        }
        if let Some(found) = look().await? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
