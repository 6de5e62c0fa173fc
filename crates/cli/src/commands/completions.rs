//! `reveille completions` and `reveille man`: what a shell and `man` need. Asks nothing of AWS.

use std::{fs, io, path::Path};

use clap::CommandFactory;
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};

use crate::{
    arguments::{Arguments, CompletionsArguments, ManArguments, Shell},
    error::CliError,
    exit::Exit,
    ui::terminal::Terminal,
};

/// Set by the lines that are printed. `COMPLETE`, which is usual, may be anybody's.
pub(crate) const VARIABLE: &str = "REVEILLE_COMPLETE";

/// Prints the lines that a shell runs when it starts. They call the command again for each Tab.
pub(crate) fn run(terminal: &Terminal, arguments: &CompletionsArguments) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    let shell: &dyn EnvCompleter = match arguments.shell {
        Shell::Bash => &Bash,
        Shell::Fish => &Fish,
        Shell::Zsh => &Zsh,
    };
    let written = shell.write_registration(VARIABLE, "reveille", "reveille", &this_program(), &mut script);
    written.map_err(cannot_write(Path::new("the lines")))?;
    terminal.verbatim(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}

/// By its path where it is not on `PATH` as `reveille`: a checkout's.
fn this_program() -> String {
    std::env::current_exe().map_or_else(|_| "reveille".to_owned(), |path| path.display().to_string())
}

/// Writes a page for the command and for each verb.
pub(crate) fn man(terminal: &Terminal, arguments: &ManArguments) -> Result<Exit, CliError> {
    let folder = &arguments.folder;
    fs::create_dir_all(folder).map_err(cannot_write(folder))?;
    clap_mangen::generate_to(Arguments::command(), folder).map_err(cannot_write(folder))?;
    terminal.line(&format!("the manual pages are in {}", folder.display()));
    terminal.next(&format!("man {}", folder.join("reveille.1").display()));
    Ok(Exit::Done)
}

fn cannot_write(path: &Path) -> impl FnOnce(io::Error) -> CliError {
    let path = path.to_owned();
    move |source| CliError::Write { path, source }
}
