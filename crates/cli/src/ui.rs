//! Where words go: stdout carries data, stderr speaks to people. Colour only on a terminal and never the only
//! carrier of meaning (`NO_COLOR`, <https://no-color.org>).

use std::io::{self, IsTerminal, Write};

use crate::failure::Failure;

/// The two streams and what they can show. Writing takes `self` even where nothing is looked up, so that whoever holds no
/// `Ui` cannot print.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::struct_excessive_bools)] // four independent facts about two streams
pub(crate) struct Ui {
    /// stdout may carry colour.
    pub color: bool,
    /// stderr is a terminal: progress may be redrawn in place.
    pub stderr_is_terminal: bool,
    /// stderr may carry colour.
    pub stderr_color: bool,
    /// `--quiet`: nothing on stderr but errors.
    pub quiet: bool,
}

impl Ui {
    /// Looks at the streams and at `NO_COLOR`.
    pub(crate) fn detect(quiet: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let stderr_is_terminal = io::stderr().is_terminal();
        Self {
            color: wanted && io::stdout().is_terminal(),
            stderr_is_terminal,
            stderr_color: wanted && stderr_is_terminal,
            quiet,
        }
    }

    /// Writes data to stdout, with one newline at its end. A closed pipe (`| head`) is not an error.
    #[allow(clippy::unused_self)]
    pub(crate) fn data(self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        let result = out
            .write_all(text.as_bytes())
            .and_then(|()| if text.ends_with('\n') { Ok(()) } else { out.write_all(b"\n") })
            .and_then(|()| out.flush());
        match result {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::internal(format!("writing to standard output failed: {error}")))
            }
            _ => Ok(()),
        }
    }

    /// One line for people, on stderr; silent with `--quiet`.
    pub(crate) fn say(self, text: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// One line that is redrawn on a terminal, for what goes on a while.
    pub(crate) fn redraw(self, text: &str) {
        if !self.quiet && self.stderr_is_terminal {
            // Cut at the edge of the terminal: a line that wraps could not be redrawn.
            let _ = write!(io::stderr().lock(), "\r\x1b[K\x1b[?7l{text}\x1b[?7h");
        }
    }

    /// Takes the line that is redrawn away.
    pub(crate) fn clear(self) {
        if !self.quiet && self.stderr_is_terminal {
            let _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }

    /// `error:`, in red where that shows.
    pub(crate) fn error_word(self) -> &'static str {
        if self.stderr_color { "\x1b[1;31merror:\x1b[0m" } else { "error:" }
    }

    /// One line that is never silenced: errors and warnings.
    #[allow(clippy::unused_self)]
    pub(crate) fn insist(self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

/// How a command answers that lists something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ListFormat {
    /// For people.
    #[value(alias = "text")]
    Table,
    /// For programs.
    Json,
}

/// How a command other than `check` answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people.
    #[value(alias = "table")]
    Text,
    /// For programs.
    Json,
}
