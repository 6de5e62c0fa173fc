//! Archives of the engine in the one runs bucket of all scenarios: while there is one, engines are made from it and not from
//! PyPI, whoever's they are.

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

static ARCHIVES: RwLock<()> = RwLock::const_new(());

/// As long as it is held there is none: for an engine that must come from PyPI.
pub(crate) async fn none() -> RwLockReadGuard<'static, ()> {
    ARCHIVES.read().await
}

/// As long as it is held one may be there, and nobody makes an engine from PyPI.
pub(crate) async fn one() -> RwLockWriteGuard<'static, ()> {
    ARCHIVES.write().await
}
