//! reveille-contract
