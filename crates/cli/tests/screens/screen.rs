//! A screen at each width, and the file that holds how it looked when somebody looked at it.

use std::{
    ffi::OsStr,
    fmt::Write,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use reveille_domain::shown;
use tempfile::TempDir;
use unicode_width::UnicodeWidthStr;

use crate::{
    stub::Stub,
    terminal::{at_terminal, has_only_tones, without_colours},
    world::{self, Asks},
};

const WIDTHS: [u16; 3] = [60, 80, 200];
/// Set by `make screens`.
const WRITE: &str = "REVEILLE_WRITE_SCREENS";

/// The clock that stands still, compiled.
static CLOCK: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens/clock.c");
    let mut command = Command::new("cc");
    command.args(["-shared", "-fPIC", "-o"]).arg(folder.path().join("clock.so")).arg(source);
    let status = command.arg(format!("-DAT={}", world::now().timestamp())).status().unwrap();
    assert!(status.success(), "cc made no clock");
    folder
});

/// Holds screens against their files.
pub fn are_as_they_were(screens: &[Screen<'_>]) {
    let problems: Vec<String> = screens.iter().filter_map(Screen::problem).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Holds the files against the screens: each file is one's, and each screen has its own. What no screen is held against says nothing.
pub fn have_a_file_each(screens: &[&[Screen<'_>]]) {
    let mut names: Vec<String> =
        screens.iter().copied().flatten().map(|screen| format!("{}.txt", screen.name)).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all, "two screens have one file");
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap());
    for stale in files.filter(|file| !names.iter().any(|name| **name == *file.file_name())) {
        if std::env::var_os(WRITE).is_some() {
            fs::remove_file(stale.path()).unwrap();
        } else {
            panic!("{} is no screen's; to remove it: make screens", stale.path().display());
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens/snapshots")
}

/// One call of the command, and the name of its file.
pub struct Screen<'a> {
    name: &'a str,
    arguments: &'a [&'a str],
    /// A last argument, which need not be UTF-8.
    bytes: Option<&'a [u8]>,
    /// A file where the command is called, and what is in it.
    file: Option<(&'a str, &'a [u8])>,
    answer: &'a str,
    asks: Asks,
}

impl<'a> Screen<'a> {
    pub const fn of(name: &'a str, arguments: &'a [&'a str]) -> Self {
        Self { name, arguments, bytes: None, file: None, answer: "n\n", asks: Asks::WhoMay }
    }

    pub const fn asked_by(self, asks: Asks) -> Self {
        Self { asks, ..self }
    }

    pub const fn and_bytes(self, bytes: &'a [u8]) -> Self {
        Self { bytes: Some(bytes), ..self }
    }

    pub const fn beside(self, file: &'a str, bytes: &'a [u8]) -> Self {
        Self { file: Some((file, bytes)), ..self }
    }

    /// What a person types, where each character can be seen.
    fn typed(&self) -> String {
        let is_plain = |word: &str| {
            !word.is_empty() && word.chars().all(|sign| sign.is_ascii_alphanumeric() || "-_./:@=,".contains(sign))
        };
        let word = |word: &&str| if is_plain(word) { (*word).to_owned() } else { format!("{word:?}") };
        let bytes = self.bytes.map(|bytes| format!("\"{}\"", bytes.escape_ascii()));
        let words: Vec<String> = self.arguments.iter().map(word).chain(bytes).collect();
        format!("$ reveille {}\n", words.join(" "))
    }

    /// What is wrong with the screen: it is not as its file says, is wider than its terminal, or does more to it than colour it.
    fn problem(&self) -> Option<String> {
        let path = folder().join(format!("{}.txt", self.name));
        let (shown, wrong) = self.shown();
        if std::env::var_os(WRITE).is_some() {
            fs::write(&path, &shown).unwrap();
        }
        let before = fs::read_to_string(&path).unwrap_or_default();
        if before != shown {
            return Some(format!("{} has changed; to write it: make screens\n{shown}", path.display()));
        }
        (!wrong.is_empty()).then(|| format!("{}: {wrong:#?}", self.name))
    }

    /// What is seen at each width, and what is wrong with it.
    fn shown(&self) -> (String, Vec<String>) {
        let mut wrong = Vec::new();
        let mut all = self.typed();
        let here = tempfile::tempdir().unwrap();
        if let Some((name, bytes)) = self.file {
            fs::write(here.path().join(name), bytes).unwrap();
        }
        for columns in WIDTHS {
            let coloured = at_terminal(self.command(&here, &[]), columns, self.answer);
            let plain = without_colours(&coloured.text);
            let fits = |line: &&str| line.width() <= columns.into() || is_to_be_copied(line);
            let too_wide = plain.lines().filter(|line| !fits(line));
            wrong.extend(too_wide.map(|line| format!("wider than {columns}: {line}")));
            let is_hidden = |sign: char| sign != '\n' && shown::is_hidden(sign);
            if plain.contains(is_hidden) || !has_only_tones(&coloured.text) {
                wrong.push(format!("it does more than colour: {:?}", coloured.text));
            }
            writeln!(all, "\n---- {columns} columns, exit code {}", coloured.code.unwrap()).unwrap();
            all += &plain;
            let quiet = at_terminal(self.command(&here, &[("NO_COLOR", "1")]), columns, self.answer);
            if (&quiet.text, quiet.code) != (&plain, coloured.code) {
                wrong.push(format!("NO_COLOR takes the colours, and no more: {}", quiet.text));
            }
            if columns == 80 {
                all += "\n---- 80 columns, in colour\n";
                all += &coloured.text.replace('\x1b', "␛");
            }
        }
        let piped = self.command(&here, &[]).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (said, complained) = (text(piped.stdout), text(piped.stderr));
        if said.contains('\x1b') || complained.contains('\x1b') {
            wrong.push(format!("colours on a pipe: {said:?} {complained:?}"));
        }
        let piped = format!("\n---- on a pipe\n{said}\n---- on a pipe, standard error\n{complained}");
        (all + &piped, wrong)
    }

    /// Each call has an AWS of its own: what one changes, the next one does not see.
    fn command(&self, here: &TempDir, environment: &[(&str, &str)]) -> Command {
        let asks = self.asks;
        let stub = Stub::start(move |call| Some(world::answer(call, asks)));
        let mut command = stub.command(env!("CARGO_BIN_EXE_reveille"), self.arguments);
        command.args(self.bytes.map(OsStr::from_bytes)).current_dir(here.path());
        command.env("LD_PRELOAD", CLOCK.path().join("clock.so")).env("TZ", "UTC").env_remove("NO_COLOR");
        // What whoever runs the tests has set for themselves.
        for name in ["COLUMNS", "REVEILLE_STACK", "REVEILLE_PRICES", "AWS_ENDPOINT_URL_S3"] {
            command.env_remove(name);
        }
        if self.asks == Asks::WithoutCredentials {
            command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY").env_remove("AWS_SESSION_TOKEN");
            command.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_CONFIG_FILE", "/dev/null");
            command.env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
        }
        command.envs(environment.iter().copied());
        command
    }
}

/// A command or an address to copy is one line, however narrow the terminal is.
fn is_to_be_copied(line: &str) -> bool {
    line.starts_with("      reveille ")
        || ["Next: ", "https://"].iter().any(|start| line.trim_start().starts_with(start))
}
