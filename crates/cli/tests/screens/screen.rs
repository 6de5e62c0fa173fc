//! A screen at each width, and the file that holds how it looked when somebody looked at it.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use tempfile::TempDir;

use crate::{
    stub::Stub,
    terminal::{at_terminal, without_colours},
    world,
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
    answer: &'a str,
    asks: Asks,
}

/// As whom the command asks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    WhoMay,
    /// AWS refuses every call.
    WhoMayNot,
    WithoutCredentials,
}

impl<'a> Screen<'a> {
    pub const fn of(name: &'a str, arguments: &'a [&'a str]) -> Self {
        Self { name, arguments, answer: "n\n", asks: Asks::WhoMay }
    }

    pub const fn asked_by(self, asks: Asks) -> Self {
        Self { asks, ..self }
    }

    /// What is wrong with the screen: it is not as its file says, or wider than its terminal.
    fn problem(&self) -> Option<String> {
        let path = folder().join(format!("{}.txt", self.name));
        let (shown, too_wide) = self.shown();
        if std::env::var_os(WRITE).is_some() {
            fs::write(&path, &shown).unwrap();
        }
        let before = fs::read_to_string(&path).unwrap_or_default();
        if before != shown {
            return Some(format!("{} has changed; to write it: make screens\n{shown}", path.display()));
        }
        (!too_wide.is_empty()).then(|| format!("{} is wider than its terminal: {too_wide:#?}", self.name))
    }

    /// What is seen at each width, and the lines that do not fit theirs.
    fn shown(&self) -> (String, Vec<String>) {
        let mut too_wide = Vec::new();
        let mut all = format!("$ reveille {}\n", self.arguments.join(" "));
        for columns in WIDTHS {
            let coloured = at_terminal(self.command(&[]), columns, self.answer);
            let plain = without_colours(&coloured.text);
            let fits = |line: &&str| line.chars().count() <= columns.into() || is_to_be_copied(line);
            too_wide.extend(plain.lines().filter(|line| !fits(line)).map(|line| format!("{columns}: {line}")));
            writeln!(all, "\n---- {columns} columns, exit code {}", coloured.code.unwrap()).unwrap();
            all += &plain;
            let quiet = at_terminal(self.command(&[("NO_COLOR", "1")]), columns, self.answer);
            assert_eq!((quiet.text, quiet.code), (plain, coloured.code), "NO_COLOR takes the colours, and no more");
            if columns == 80 {
                all += "\n---- 80 columns, in colour\n";
                all += &coloured.text.replace('\x1b', "␛");
            }
        }
        let piped = self.command(&[]).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (said, complained) = (text(piped.stdout), text(piped.stderr));
        assert!(!said.contains('\x1b') && !complained.contains('\x1b'), "{said}{complained}");
        let piped = format!("\n---- on a pipe\n{said}\n---- on a pipe, standard error\n{complained}");
        (all + &piped, too_wide)
    }

    /// Each call has an AWS of its own: what one changes, the next one does not see.
    fn command(&self, environment: &[(&str, &str)]) -> Command {
        let refuses = self.asks == Asks::WhoMayNot;
        let stub = Stub::start(move |call| Some(if refuses { world::refusal() } else { world::answer(call) }));
        let mut command = stub.command(env!("CARGO_BIN_EXE_reveille"), self.arguments);
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
    ["Next: ", "https://"].iter().any(|start| line.trim_start().starts_with(start))
}
