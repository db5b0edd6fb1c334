//! Exit codes: the one place where an outcome becomes a number.

/// The exit codes of every command. Stable: scripts and pipelines rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Allowed, or the command did what was asked.
    Allowed = 0,
    /// Blocked by policy; for `lint`, `doctor` and `iam-policy --lint`: something to mend was found.
    Blocked = 1,
    /// The scanner ended without a usable result.
    NoResult = 2,
    /// Access or configuration error.
    Configuration = 3,
    /// Not decided in time.
    Undecided = 4,
    /// The service cannot be reached, or an internal error.
    Unavailable = 5,
    /// The command line is wrong.
    Usage = 64,
    /// Ended by Ctrl-C (128 + SIGINT).
    Interrupted = 130,
}
