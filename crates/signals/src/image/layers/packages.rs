//! The databases in which package managers say what is installed: dpkg, apk, rpm. Each reader takes the whole database
//! and refuses one that it does not understand, because half of it would be "not installed".

pub(super) mod apk;
pub(super) mod deb;
pub(super) mod rpm;
mod sqlite;

use model::OsPackage;

/// Where a database is broken, and how.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) place: String,
    pub(super) cause: String,
}

impl Broken {
    fn new(place: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { place: place.into(), cause: cause.into() }
    }
}

/// What a reader makes of a database.
pub(super) type Installed = Result<Vec<OsPackage>, Broken>;

/// A value that is a name, version or architecture: text without blanks.
fn word(bytes: &[u8], what: &str, place: &str) -> Result<String, Broken> {
    let text = std::str::from_utf8(bytes).map_or("", str::trim);
    let good = !text.is_empty() && !text.chars().any(|letter| letter.is_whitespace() || letter.is_control());
    if good {
        Ok(text.to_owned())
    } else {
        let shown: String = String::from_utf8_lossy(bytes).chars().take(60).collect();
        Err(Broken::new(place, format!("{shown:?} is no {what}")))
    }
}

/// Puts a package to the others, of which there are at most so many.
fn add(packages: &mut Vec<OsPackage>, package: OsPackage, most: usize) -> Result<(), Broken> {
    if packages.len() >= most {
        return Err(Broken::new("", format!("it lists more than {most} packages")));
    }
    packages.push(package);
    Ok(())
}

#[cfg(test)]
pub(super) mod tests;
