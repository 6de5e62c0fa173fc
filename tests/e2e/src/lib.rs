//! reveille-e2e
