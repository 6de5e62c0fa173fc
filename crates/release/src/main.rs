//! `reveille-release`: called by `make release`, which builds what it is handed.

use std::{env, ffi::OsString, path::PathBuf, process::ExitCode};

use reveille_release::{Architecture, Parts, Programs, ReleaseError, assemble};

const USAGE: &str = "usage: reveille-release --programs ARCHITECTURE=FOLDER... --engine ARCHIVE --revision COMMIT --built-with COMPILERS [--source ADDRESS] --output FOLDER";

fn main() -> ExitCode {
    match parsed(env::args_os().skip(1)).and_then(|(parts, output)| assemble(&parts, &output)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn parsed(mut arguments: impl Iterator<Item = OsString>) -> Result<(Parts, PathBuf), ReleaseError> {
    let wrong = |what: &str| ReleaseError::Usage(format!("{what}\n{USAGE}"));
    let (mut programs, mut engine, mut revision, mut built_with) = (Vec::new(), None, None, None);
    let (mut source, mut output) = (None, None);
    while let Some(option) = arguments.next() {
        let option = option.to_string_lossy().into_owned();
        let value = arguments.next().ok_or_else(|| wrong(&format!("{option} needs a value")))?;
        let text = || value.to_str().ok_or_else(|| wrong(&format!("{option}: the value is not valid text")));
        match option.as_str() {
            "--programs" => {
                let (name, folder) =
                    text()?.split_once('=').ok_or_else(|| wrong("--programs takes ARCHITECTURE=FOLDER"))?;
                let architecture =
                    Architecture::named(name).ok_or_else(|| wrong(&format!("{name} is neither x86_64 nor arm64")))?;
                programs.push(Programs { architecture, folder: folder.into() });
            }
            "--revision" => revision = Some(text()?.to_owned()),
            "--built-with" => built_with = Some(text()?.to_owned()),
            "--source" => source = Some(text()?.to_owned()),
            "--engine" => engine = Some(PathBuf::from(&value)),
            "--output" => output = Some(PathBuf::from(&value)),
            _ => return Err(wrong(&format!("{option} is not an option"))),
        }
    }
    let missing = |option: &str| wrong(&format!("{option} is missing"));
    let parts = Parts {
        root: ".".into(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        revision: revision.ok_or_else(|| missing("--revision"))?,
        built_with: built_with.ok_or_else(|| missing("--built-with"))?,
        programs,
        engine: engine.ok_or_else(|| missing("--engine"))?,
        source,
    };
    Ok((parts, output.ok_or_else(|| missing("--output"))?))
}
