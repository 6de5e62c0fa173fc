//! Changing a lease by compare-and-swap, with a bounded number of tries against others who change it too.

use reveille_domain::InstanceName;
use reveille_domain::layout::Layout;
use reveille_domain::ports::{GetObject, PutObject};
use reveille_domain::records::Lease;

use crate::store::{self, StoreError, Stored};

/// Tries of one compare-and-swap. An instance's lease has three writers at most at a time (a start, a runner, a
/// stop), each of which writes a few times in a boot's life.
const SWAP_TRIES: u32 = 8;

/// Reads the lease of an instance.
///
/// # Errors
/// The call's, or `Unreadable`.
pub async fn read<P: GetObject>(
    layout: &Layout,
    ports: &P,
    instance: &InstanceName,
) -> Result<Option<Stored<Lease>>, StoreError> {
    store::read(ports, &layout.lease(instance)).await
}

/// Changes the lease: `change` sees what is there and answers what to write, or `None` to leave it. Answers what
/// is there afterwards.
///
/// # Errors
/// The call's, `Unreadable`, or `Contended` when others changed it at every try.
pub async fn update<P: GetObject + PutObject>(
    layout: &Layout,
    ports: &P,
    instance: &InstanceName,
    mut change: impl FnMut(Option<&Lease>) -> Option<Lease>,
) -> Result<Option<Stored<Lease>>, StoreError> {
    let key = layout.lease(instance);
    for _ in 0..SWAP_TRIES {
        let before = read(layout, ports, instance).await?;
        let Some(after) = change(before.as_ref().map(|stored| &stored.record)) else { return Ok(before) };
        let etag = before.as_ref().map(|stored| stored.etag.as_str());
        if let Some(etag) = store::swap(ports, &key, &after, etag).await? {
            return Ok(Some(Stored { record: after, etag }));
        }
        // 412 may be our own write whose answer was lost: the nonce tells.
        if let Some(now) = read(layout, ports, instance).await?
            && now.record.nonce == after.nonce
        {
            return Ok(Some(now));
        }
    }
    Err(StoreError::Contended { key, tries: SWAP_TRIES })
}
