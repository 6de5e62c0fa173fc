//! Writes to the terminal: colours where a person sees them, one line of progress that is overwritten in place.
//! The one place that prints.

use std::{
    env,
    io::{self, IsTerminal, Write},
    sync::Arc,
    sync::atomic::{AtomicBool, Ordering},
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
    /// The cursor stands on a line that is to be overwritten.
    open: Arc<AtomicBool>,
}

impl Terminal {
    /// Colours on a terminal, unless `NO_COLOR` is set (no-color.org) or it is a dumb one; progress in place there only.
    pub(crate) fn of_this_process() -> Self {
        let terminal = io::stdout().is_terminal() && env::var_os("TERM").is_none_or(|term| term != "dumb");
        let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colours: terminal && !plain, moving: terminal, open: Arc::default() }
    }

    /// The text in its tone.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        if self.colours && tone != Tone::Plain { format!("{}{text}\x1b[0m", tone.code()) } else { text.to_owned() }
    }

    /// One line.
    pub(crate) fn line(&self, text: &str) {
        let erase = if self.open.swap(false, Ordering::Relaxed) { "\r\x1b[2K" } else { "" };
        write(&format!("{erase}{text}\n"));
    }

    /// A line that the next one overwrites. Without a terminal: nothing.
    pub(crate) fn passing(&self, text: &str) {
        if self.moving {
            self.open.store(true, Ordering::Relaxed);
            write(&format!("\r\x1b[2K{text}"));
        }
    }

    /// What went wrong, on standard error.
    pub(crate) fn complain(&self, text: &str) {
        if self.open.swap(false, Ordering::Relaxed) {
            write("\n");
        }
        // There is nowhere to say that standard error is closed.
        let _ = writeln!(io::stderr(), "reveille: {text}");
    }
}

/// A closed standard output (`reveille demo | head`) is no reason to stop: what was started must be stopped in order.
fn write(text: &str) {
    let mut out = io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Terminal, Tone};

    #[test]
    fn colours_only_where_they_are_seen() {
        let coloured = Terminal { colours: true, moving: false, open: Arc::default() };
        assert_eq!(coloured.paint(Tone::Good, "ok"), "\x1b[32mok\x1b[0m");
        assert_eq!(coloured.paint(Tone::Plain, "ok"), "ok");
        let plain = Terminal { colours: false, moving: false, open: Arc::default() };
        assert_eq!(plain.paint(Tone::Bad, "no"), "no");
    }
}
