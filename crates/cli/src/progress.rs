//! What a waiting check tells people: one line redrawn on a terminal, lines with `--verbose`, else nothing.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine::{Event, Progress};

use crate::output::logged;
use crate::ui::Ui;

/// Tells on stderr.
#[derive(Debug)]
pub(crate) struct Teller {
    ui: Ui,
    verbose: bool,
    timeout: Duration,
    open_line: AtomicBool,
}

impl Teller {
    pub(crate) fn new(ui: Ui, verbose: bool, timeout: Duration) -> Self {
        Self { ui, verbose, timeout, open_line: AtomicBool::new(false) }
    }

    /// Clears the line that is redrawn.
    pub(crate) fn finish(&self) {
        if self.open_line.swap(false, Ordering::Relaxed) {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }
}

impl Progress for Teller {
    fn event(&self, event: &Event<'_>) {
        let text = match event {
            Event::Resolved { digest } => format!("judging {digest}"),
            Event::Index { platforms } => format!("an index: judging {platforms} platforms"),
            Event::Started { digest } => format!("starting a scan of {}", digest.short()),
            Event::Page { pages } => format!("{pages} page{} of findings read", if *pages == 1 { "" } else { "s" }),
            Event::Waiting { elapsed, next, why } => format!(
                "{} of {}: {}; next look in {}",
                seconds(*elapsed),
                seconds(self.timeout),
                why.message,
                seconds(*next)
            ),
        };
        if self.ui.quiet {
            return;
        }
        if self.verbose || !self.ui.stderr_is_terminal {
            if self.verbose {
                self.ui.say(&format!("ecr-gate: {}", logged(&text, 500)));
            }
            return;
        }
        let text = match event {
            // What may be cut off comes last.
            Event::Waiting { elapsed, next, why } => {
                let [elapsed, of, next] = [*elapsed, self.timeout, *next].map(seconds);
                format!("{elapsed} of {of}, next look in {next}: {}", why.message)
            }
            _ => text,
        };
        let line: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
        // Cut at the edge of the terminal: a line that wraps could not be redrawn.
        let _ = write!(std::io::stderr().lock(), "\r\x1b[K\x1b[?7l{line}\x1b[?7h");
        self.open_line.store(true, Ordering::Relaxed);
    }
}

fn seconds(duration: Duration) -> String {
    if duration < Duration::from_secs(10) {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} s", duration.as_secs())
    }
}
