//! reveille-cli
