//! How it looks: the terminal, text that fits it, cards. Never asks AWS.

pub(crate) mod card;
pub(crate) mod terminal;
pub(crate) mod text;
