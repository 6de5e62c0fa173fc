//! How such a world is played, and what is looked at in it.

use reveille_domain::records::Lease;

use super::Slow;

/// A queue's limit that no test comes to.
pub const LONG: u32 = 86_400;
pub const LEASE: &str = "leases/nightly.json";

/// Plays in paused time.
pub fn play<T>(world: impl AsyncFnOnce() -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async { world().await })
}

pub fn lease(world: &Slow) -> Lease {
    serde_json::from_value(world.record(LEASE).unwrap()).unwrap()
}
