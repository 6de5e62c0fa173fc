//! How it looks: the terminal, text that fits it, cards. Never asks AWS.

pub(crate) mod advice;
pub(crate) mod bar;
pub(crate) mod card;
pub(crate) mod json;
pub(crate) mod labelled;
pub(crate) mod phases;
pub(crate) mod question;
pub(crate) mod report;
pub(crate) mod shell;
pub(crate) mod table;
pub(crate) mod terminal;
pub(crate) mod text;
pub(crate) mod times;
