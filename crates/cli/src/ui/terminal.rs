//! Writes to the terminal: colours where a person sees them, one line of progress that is overwritten in place.
//! The one place that prints.

use std::{
    env,
    io::{self, IsTerminal, Write},
    os::fd::AsFd,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use clap::{ColorChoice, builder::StyledStr};
use reveille_domain::shown;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use unicode_width::UnicodeWidthStr;

use crate::ui::{
    advice::{completed, with_options},
    text::{cut, fitted, usage, wrap},
};

/// What a piece of text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Strong,
    Quiet,
    Good,
    Bad,
    Moving,
}

impl Tone {
    const ALL: [Self; 6] = [Self::Plain, Self::Strong, Self::Quiet, Self::Good, Self::Bad, Self::Moving];

    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "\x1b[1m",
            Self::Quiet => "\x1b[2m",
            Self::Good => "\x1b[32m",
            Self::Bad => "\x1b[31m",
            Self::Moving => "\x1b[36m",
        }
    }
}

/// The terminal, or what stands for it.
#[derive(Clone, Debug)]
pub(crate) struct Terminal {
    colours: bool,
    moving: bool,
    /// Columns where no terminal tells them: on a pipe more than any line has.
    fixed_width: Option<usize>,
    /// The options by which a person said where the command works: those of the next one, too.
    place: Arc<[String]>,
    /// What is on the line that is to be overwritten, if the cursor stands on one.
    open: Arc<Mutex<Option<Passing>>>,
}

/// What a line that is to be overwritten shows.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Passing {
    /// A step that is under way.
    Step(String),
    /// Something that means nothing later, such as a clock.
    Moment,
}

impl Terminal {
    /// Colours on a terminal, unless `NO_COLOR` is set (no-color.org) or it is a dumb one, or as a person chose; progress in place on a
    /// terminal only.
    pub(crate) fn of_this_process(choice: ColorChoice) -> Self {
        let terminal = io::stdout().is_terminal() && env::var_os("TERM").is_none_or(|term| term != "dumb");
        let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let fixed_width = (!terminal).then_some(usize::MAX);
        let colours = match choice {
            ColorChoice::Auto => terminal && !plain,
            ColorChoice::Always => true,
            ColorChoice::Never => false,
        };
        Self { colours, moving: terminal, fixed_width, place: Arc::default(), open: Arc::default() }
    }

    /// The same for a command that a person told where it works.
    pub(crate) fn working_at(self, place: Vec<String>) -> Self {
        Self { place: place.into(), ..self }
    }

    /// No colours and nothing that moves, as on a pipe, but so many columns.
    #[cfg(test)]
    pub(crate) fn plain(width: usize) -> Self {
        Self { colours: false, moving: false, fixed_width: Some(width), place: Arc::default(), open: Arc::default() }
    }

    /// How many columns a line may take now: a person may make the window smaller.
    pub(crate) fn width(&self) -> usize {
        self.fixed_width.unwrap_or_else(|| columns(io::stdout()))
    }

    /// The text in its tone, and without anything that would end or change it.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        let text = shown::plain(text);
        if self.colours && tone != Tone::Plain && !text.is_empty() {
            format!("{}{text}{RESET}", tone.code())
        } else {
            text
        }
    }

    /// One line.
    pub(crate) fn line(&self, text: &str) {
        let erase = if self.close().is_some() { ERASE } else { "" };
        write(&format!("{erase}{}\n", only_tones(text)));
    }

    /// What a person would type next, below an answer.
    pub(crate) fn next(&self, command: &str) {
        self.line("");
        self.line(&format!("{} {}", self.paint(Tone::Quiet, "Next:"), self.command(command)));
    }

    /// A command that a person would type next, where this one works.
    pub(crate) fn command(&self, command: &str) -> String {
        if command.starts_with("reveille ") { completed(command, &self.place) } else { command.to_owned() }
    }

    /// A sentence of this command's own, whose commands a person would type next, where this one works. Never of what somebody else wrote: a
    /// notebook's error is evidence, and stays as it is.
    pub(crate) fn advice(&self, text: &str) -> String {
        with_options(text, &self.place)
    }

    /// A sentence, in as many lines as it takes.
    pub(crate) fn lines(&self, text: &str) {
        for line in fitted(text, self.width()) {
            self.line(&line);
        }
    }

    /// A sentence behind a mark, in as many lines as it takes, its lines below each other.
    pub(crate) fn marked(&self, tone: Tone, mark: &str, text: &str) {
        for line in self.marked_lines(tone, mark, text) {
            self.line(&line);
        }
    }

    /// The lines of a sentence behind a mark.
    pub(crate) fn marked_lines(&self, tone: Tone, mark: &str, text: &str) -> Vec<String> {
        let indent = mark.width() + 1;
        let lines = wrap(text, self.width().saturating_sub(indent).max(1));
        let first = format!("{} {}", self.paint(tone, mark), lines.first().map_or("", String::as_str));
        let more = lines.iter().skip(1).map(|line| format!("{:indent$}{line}", ""));
        std::iter::once(first).chain(more).collect()
    }

    /// An answer for a program: JSON, whose own escapes leave no control character in it.
    pub(crate) fn result(answer: &serde_json::Value) {
        // A value that was parsed or made by us can be written.
        let text = serde_json::to_string_pretty(answer).unwrap_or_default();
        write(&format!("{text}\n"));
    }

    /// Text that a program or a person asked for as it is: its lines, without what would move the cursor on a terminal.
    pub(crate) fn verbatim(&self, text: &str) {
        let text = if self.moving { shown::plain(text) } else { text.to_owned() };
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        write(&format!("{text}{end}"));
    }

    /// A page of help: as clap writes it, but for a usage that is wider than the terminal.
    pub(crate) fn help(&self, page: &StyledStr) {
        let text = if self.colours { page.ansi().to_string() } else { page.to_string() };
        let lines: Vec<String> = text.lines().flat_map(|line| usage(line, self.width())).collect();
        write(&format!("{}\n", lines.join("\n")));
    }

    /// Takes away what was to be overwritten.
    pub(crate) fn clear(&self) {
        if self.close().is_some() {
            write(ERASE);
        }
    }

    /// Whether a person sees what moves.
    pub(crate) const fn moves(&self) -> bool {
        self.moving
    }

    /// What is worth knowing and no answer, on standard error.
    pub(crate) fn note(&self, text: &str) {
        self.clear();
        complain_in_lines(&self.advice(text));
    }

    /// A line that the next one overwrites, and that means nothing later.
    pub(crate) fn passing(&self, tone: Tone, text: &str) {
        self.overwrite(tone, text, Passing::Moment);
    }

    /// A step that is under way, on a line that the next one overwrites.
    pub(crate) fn step(&self, what: &str) {
        self.overwrite(Tone::Plain, &format!("  · {what} …"), Passing::Step(what.to_owned()));
    }

    /// Without a terminal: nothing. The line is cut, because only the last row of a line that the terminal breaks can be overwritten.
    fn overwrite(&self, tone: Tone, text: &str, passing: Passing) {
        if self.moving {
            *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(passing);
            let text = self.paint(tone, &cut(text, self.width().saturating_sub(1)));
            write(&format!("{ERASE}{text}"));
        }
    }

    /// What was to be overwritten.
    fn close(&self) -> Option<Passing> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// What went wrong, on standard error.
    pub(crate) fn complain(&self, text: &str) {
        if let Some(passing) = self.close() {
            write(&self.left_of(&passing));
        }
        complain_in_lines(&format!("reveille: {}", self.advice(text)));
    }

    /// What stays of a line when something went wrong: the step that failed does, as one.
    fn left_of(&self, passing: &Passing) -> String {
        match passing {
            Passing::Step(step) => {
                let cross = self.paint(Tone::Bad, "✗");
                format!("{ERASE}  {cross} {}\n", cut(step, self.width().saturating_sub(4)))
            }
            Passing::Moment => ERASE.to_owned(),
        }
    }
}

/// Standard error, in lines that fit it: also of what is told before there is a terminal.
pub(crate) fn complain_in_lines(text: &str) {
    // There is nowhere to say that standard error is closed.
    let _ = writeln!(io::stderr(), "{}", in_lines(text));
}

/// A text in lines that fit standard error.
pub(super) fn in_lines(text: &str) -> String {
    let width = if io::stderr().is_terminal() { columns(io::stderr()) } else { usize::MAX };
    fitted(text, width).join("\n")
}

/// To the beginning of the line, and nothing on it.
const ERASE: &str = "\r\x1b[2K";

const RESET: &str = "\x1b[0m";

/// A line with our own tones, and no other sequence: what was not painted comes through here only.
fn only_tones(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('\x1b') {
        let (before, escape) = rest.split_at(start);
        kept.push_str(&shown::plain(before));
        let Some(code) = Tone::ALL
            .iter()
            .map(|tone| tone.code())
            .chain([RESET])
            .find(|code| !code.is_empty() && escape.starts_with(code))
        else {
            kept.push_str(&shown::plain(escape));
            return kept;
        };
        kept.push_str(code);
        rest = &escape[code.len()..];
    }
    kept.push_str(&shown::plain(rest));
    kept
}

/// The terminal's columns. One that does not tell them is taken for the usual one.
fn columns(of: impl AsFd) -> usize {
    let told = rustix::termios::tcgetwinsize(of).map(|size| usize::from(size.ws_col)).unwrap_or_default();
    if told == 0 { USUAL_COLUMNS } else { told.max(FEWEST_COLUMNS) }
}

/// What a terminal has had since the VT100.
const USUAL_COLUMNS: usize = 80;
/// Narrower ones break the lines themselves.
const FEWEST_COLUMNS: usize = 40;

/// Why something of the answer was not written. One place, because standard output is one.
static LOST: Mutex<Option<io::Error>> = Mutex::new(None);

/// Why a part of the answer was not written, if one was not (a full disk). Asked at the end: what was started must be stopped in order.
pub(crate) fn lost_output() -> Option<io::Error> {
    LOST.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Whether something was written that nobody read any more.
static UNREAD: AtomicBool = AtomicBool::new(false);

/// Whether whoever read standard output has seen enough (`| head -1`). Asked of the pipe, because what is written next may be hours away.
pub(crate) fn is_reader_gone() -> bool {
    let out = io::stdout();
    let mut pipe = [PollFd::new(&out, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let is_told = poll(&mut pipe, Some(&at_once)).is_ok();
    is_told && pipe[0].revents().intersects(PollFlags::ERR | PollFlags::HUP) || UNREAD.load(Ordering::Relaxed)
}

/// A closed standard output (`reveille demo | head`) is what its reader wants.
fn write(text: &str) {
    let mut out = io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => UNREAD.store(true, Ordering::Relaxed),
        Err(error) => *LOST.lock().unwrap_or_else(PoisonError::into_inner) = Some(error),
        Ok(()) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{ERASE, Passing, Terminal, Tone, only_tones};

    #[test]
    fn only_our_own_sequences_reach_the_terminal() {
        let coloured = Terminal { colours: true, ..Terminal::plain(80) };
        let hostile = "a\x1b[0m\x1b[2J\u{9b}1A\x1bcb\u{202e}";
        assert_eq!(coloured.paint(Tone::Bad, hostile), "\x1b[31mab\x1b[0m");
        let ours = format!("{} {}", coloured.paint(Tone::Good, "✓"), coloured.paint(Tone::Quiet, "1.0 s"));
        assert_eq!(only_tones(&ours), ours);
        assert_eq!(only_tones("x\x1b]0;t\x07y\x1b[1A\x1b[2Kz"), "xyz");
    }

    /// Whatever the step's own text looks like.
    #[test]
    fn a_step_that_failed_stays_and_a_clock_does_not() {
        let terminal = Terminal::plain(80);
        for step in ["deploying", "  · waiting …", "wait …"] {
            assert_eq!(terminal.left_of(&Passing::Step(step.to_owned())), format!("{ERASE}  ✗ {step}\n"));
        }
        let hostile = Passing::Step("\x1b[2Jx".to_owned());
        assert_eq!(terminal.left_of(&hostile), format!("{ERASE}  ✗ x\n"));
        assert_eq!(terminal.left_of(&Passing::Moment), ERASE);
    }

    #[test]
    fn a_sentence_stays_behind_its_mark() {
        let coloured = Terminal { colours: true, ..Terminal::plain(12) };
        let lines = coloured.marked_lines(Tone::Good, "✓", "nightly was seen stopped");
        assert_eq!(lines, ["\x1b[32m✓\x1b[0m nightly", "  was seen", "  stopped"]);
        assert_eq!(Terminal::plain(12).marked_lines(Tone::Quiet, "Next:", "a bc"), ["Next: a bc"]);
    }

    #[test]
    fn the_next_command_works_where_this_one_does() {
        let terminal = Terminal::plain(80).working_at(vec!["--stack lab".to_owned(), "--region eu-west-1".to_owned()]);
        assert_eq!(terminal.command("reveille runs"), "reveille runs --stack lab --region eu-west-1");
        assert_eq!(terminal.command("reveille runs --stack a"), "reveille runs --stack a --region eu-west-1");
        assert_eq!(terminal.command("man reveille"), "man reveille");
        assert_eq!(Terminal::plain(80).command("reveille runs"), "reveille runs");
    }

    #[test]
    fn colours_only_where_they_are_seen() {
        let coloured = Terminal { colours: true, ..Terminal::plain(80) };
        assert_eq!(coloured.paint(Tone::Good, "ok"), "\x1b[32mok\x1b[0m");
        assert_eq!(coloured.paint(Tone::Plain, "ok"), "ok");
        assert_eq!(Terminal::plain(80).paint(Tone::Bad, "no"), "no");
    }
}
