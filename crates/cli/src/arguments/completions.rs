//! The grammar of `reveille completions` and `reveille man`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Args, Debug)]
pub(crate) struct CompletionsArguments {
    /// The shell: `source <(reveille completions bash)` in its start-up file turns completion on
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// The shells of the systems on which the command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Fish,
    Zsh,
}

#[derive(Args, Debug)]
pub(crate) struct ManArguments {
    /// The folder, such as ~/.local/share/man/man1
    pub(crate) folder: PathBuf,
}
