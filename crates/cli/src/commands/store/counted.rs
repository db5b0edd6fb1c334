//! Bytes on their way in or out, counted: one line on a terminal, redrawn now and then.

use std::io::{BufRead, Read, Result, Write, stderr};

use crate::ui::Ui;

/// How many bytes lie between two looks.
const STEP: u64 = 8 << 20;

/// What is read or written, and how much it was.
pub(super) struct Counted<T> {
    inner: T,
    ui: Ui,
    what: &'static str,
    bytes: u64,
    shown: u64,
}

impl<T> Counted<T> {
    pub(super) fn new(inner: T, what: &'static str, ui: Ui) -> Self {
        Self { inner, ui, what, bytes: 0, shown: 0 }
    }

    /// Clears the line; gives back what was wrapped, and the number of bytes.
    pub(super) fn end(self) -> (T, u64) {
        if self.shown > 0 {
            let _ = write!(stderr().lock(), "\r\x1b[K");
        }
        (self.inner, self.bytes)
    }

    fn count(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if self.ui.stderr_is_terminal && !self.ui.quiet && self.bytes - self.shown >= STEP {
            let _ = write!(stderr().lock(), "\r\x1b[K{} MiB {}", self.bytes >> 20, self.what);
            self.shown = self.bytes;
        }
    }
}

impl<T: Write> Write for Counted<T> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let written = self.inner.write(bytes)?;
        self.count(written);
        Ok(written)
    }

    fn flush(&mut self) -> Result<()> {
        self.inner.flush()
    }
}

impl<T: BufRead> Read for Counted<T> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
        let read = self.inner.read(bytes)?;
        self.count(read);
        Ok(read)
    }
}

impl<T: BufRead> BufRead for Counted<T> {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.inner.consume(amount);
        self.count(amount);
    }
}
