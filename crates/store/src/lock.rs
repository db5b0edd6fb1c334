//! One process per SQLite file: a lock on a file beside it, which ends with the process, whatever ends that.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};

use crate::StoreError;
use crate::place::Place;

/// The lock. Held as long as this lives.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Takes the lock of this place. PostgreSQL has none: several processes share it.
pub(crate) fn take(place: &Place) -> Result<Option<Lock>, StoreError> {
    let (Some(path), Some(database)) = (place.lock_file(), place.file.as_deref()) else { return Ok(None) };
    let wrong = |error: std::io::Error| StoreError::Address {
        url: place.shown.clone(),
        why: format!("{}: {error}", path.display()),
    };
    let mut file = private().create(true).open(&path).map_err(wrong)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut who = String::new();
            // What the holder wrote is a courtesy; without it the refusal stands all the same.
            let read = (&file).take(20).read_to_string(&mut who);
            let who = who.trim();
            let known = read.is_ok() && !who.is_empty() && who.bytes().all(|byte| byte.is_ascii_digit());
            let by = if known { format!(" (process {who})") } else { String::new() };
            return Err(StoreError::InUse { path: database.display().to_string(), by });
        }
        Err(TryLockError::Error(error)) => return Err(wrong(error)),
    }
    let written = file
        .set_len(0)
        .and_then(|()| file.seek(SeekFrom::Start(0)))
        .and_then(|_| writeln!(file, "{}", std::process::id()));
    written.map_err(wrong)?;
    Ok(Some(Lock { _file: file }))
}

/// Makes the database file where there is none, readable by its owner alone: what is in it is nobody else's business.
pub(crate) fn make_file(place: &Place) -> Result<(), StoreError> {
    let Some(path) = place.file.as_deref() else { return Ok(()) };
    private()
        .create(true)
        .open(path)
        .map(|_| ())
        .map_err(|error| StoreError::Address { url: place.shown.clone(), why: error.to_string() })
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}
