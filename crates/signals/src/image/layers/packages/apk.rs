//! apk's `installed`: stanzas of `X:value`, of which P, V and A are read. Source: Alpine wiki "Apk spec", "Installed
//! Database V2".

use model::OsPackage;

use super::{Broken, Installed, add, word};

#[derive(Default)]
struct Stanza<'a> {
    line: usize,
    package: Option<&'a [u8]>,
    version: Option<&'a [u8]>,
    architecture: Option<&'a [u8]>,
}

/// The installed packages.
pub(in super::super) fn installed(database: &[u8], most: usize) -> Installed {
    let mut packages = Vec::new();
    let mut stanza = Stanza::default();
    for (number, line) in database.split(|byte| *byte == b'\n').enumerate().map(|(at, line)| (at + 1, line)) {
        if line.is_empty() {
            stanza.end(&mut packages, most)?;
            stanza = Stanza::default();
            continue;
        }
        if stanza.line == 0 {
            stanza.line = number;
        }
        let place = format!("line {number}");
        let [letter, b':', value @ ..] = line else {
            return Err(Broken::new(place, "it is no `X:value`"));
        };
        let field = match letter {
            b'P' => &mut stanza.package,
            b'V' => &mut stanza.version,
            b'A' => &mut stanza.architecture,
            _ => continue,
        };
        if field.replace(value).is_some() {
            return Err(Broken::new(place, "the field is there twice"));
        }
    }
    stanza.end(&mut packages, most)?;
    Ok(packages)
}

impl Stanza<'_> {
    fn end(&self, packages: &mut Vec<OsPackage>, most: usize) -> Result<(), Broken> {
        if self.line == 0 {
            return Ok(());
        }
        let place = format!("the package that begins in line {}", self.line);
        let value = |field: Option<&[u8]>, what: &str| {
            field
                .ok_or_else(|| Broken::new(&place, format!("there is no {what}")))
                .and_then(|text| word(text, what, &place))
        };
        let package = OsPackage {
            kind: "apk".to_owned(),
            name: value(self.package, "package name")?,
            version: value(self.version, "version")?,
            architecture: self.architecture.map_or(Ok(String::new()), |text| word(text, "architecture", &place))?,
        };
        add(packages, package, most)
    }
}
