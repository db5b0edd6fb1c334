//! dpkg's `status`, and `status.d` of distroless images: stanzas of `Field: value`. Source: deb822(5), dpkg-query(1)
//! for the package states.

use model::OsPackage;

use super::{Broken, Installed, add, word};

/// States in which a package's files are there.
const THERE: [&str; 6] =
    ["installed", "unpacked", "half-configured", "half-installed", "triggers-awaited", "triggers-pending"];

#[derive(Default)]
struct Stanza<'a> {
    line: usize,
    package: Option<&'a [u8]>,
    version: Option<&'a [u8]>,
    architecture: Option<&'a [u8]>,
    status: Option<&'a [u8]>,
}

/// The installed packages. Those whose files are there count, also if their configuration was not finished.
pub(in super::super) fn installed(database: &[u8], most: usize) -> Installed {
    read(database, most, State::Installed)
}

/// Packages that were removed and whose configuration stayed. Some scanners list them as if they were there.
pub(in super::super) fn removed(database: &[u8], most: usize) -> Installed {
    read(database, most, State::Removed)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Installed,
    Removed,
    Never,
}

fn read(database: &[u8], most: usize, wanted: State) -> Installed {
    let mut packages = Vec::new();
    let mut stanza = Stanza::default();
    for (number, line) in database.split(|byte| *byte == b'\n').enumerate().map(|(at, line)| (at + 1, line)) {
        if line.trim_ascii().is_empty() {
            stanza.end(&mut packages, most, wanted)?;
            stanza = Stanza::default();
            continue;
        }
        if stanza.line == 0 {
            stanza.line = number;
        }
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            continue;
        }
        let place = format!("line {number}");
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return Err(Broken::new(place, "it is no `Field: value`"));
        };
        let field = match line[..colon].to_ascii_lowercase().as_slice() {
            b"package" => &mut stanza.package,
            b"version" => &mut stanza.version,
            b"architecture" => &mut stanza.architecture,
            b"status" => &mut stanza.status,
            _ => continue,
        };
        if field.replace(&line[colon + 1..]).is_some() {
            return Err(Broken::new(place, "the field is there twice"));
        }
    }
    stanza.end(&mut packages, most, wanted)?;
    Ok(packages)
}

impl Stanza<'_> {
    fn end(&self, packages: &mut Vec<OsPackage>, most: usize, wanted: State) -> Result<(), Broken> {
        if self.line == 0 {
            return Ok(());
        }
        let place = format!("the package that begins in line {}", self.line);
        if self.state(&place)? != wanted {
            return Ok(());
        }
        let value = |field: Option<&[u8]>, what: &str| {
            field
                .ok_or_else(|| Broken::new(&place, format!("there is no {what}")))
                .and_then(|text| word(text, what, &place))
        };
        let package = OsPackage {
            kind: "deb".to_owned(),
            name: value(self.package, "package name")?,
            version: value(self.version, "version")?,
            architecture: self.architecture.map_or(Ok(String::new()), |text| word(text, "architecture", &place))?,
        };
        add(packages, package, most)
    }

    /// `Status: wanted error state`. Tools that write a database without dpkg leave it out for what they install.
    fn state(&self, place: &str) -> Result<State, Broken> {
        let Some(status) = self.status else { return Ok(State::Installed) };
        let words: Vec<&[u8]> = status.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            [_, _, b"not-installed"] => Ok(State::Never),
            [_, _, b"config-files"] => Ok(State::Removed),
            [_, _, state] if THERE.iter().any(|there| there.as_bytes() == *state) => Ok(State::Installed),
            _ => {
                let shown: String = String::from_utf8_lossy(status).chars().take(60).collect();
                Err(Broken::new(place, format!("the status {shown:?} is unknown")))
            }
        }
    }
}
