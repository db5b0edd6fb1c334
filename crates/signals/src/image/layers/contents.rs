//! What the layers hold, when all are read: the operating system, its packages, the entrypoint. A package database that
//! is there and cannot be read is named as such, wherever symbolic links lead; only a file that is not there is "none".

use std::collections::BTreeSet;

use model::{Contents, Entrypoint, OsPackage, OsRelease};

use super::entrypoint::Search;
use super::kept::Kept;
use super::packages::{Installed, apk, deb, rpm};
use super::tree::{Circle, Content, Found, Is, Node, Path, text};
use super::{NOTED, Reader, STATUS_FOLDER};
use crate::ParseError;

const DATABASE: &str = "package database";
const RPM_FOLDERS: [&str; 4] = ["/var/lib/rpm", "/usr/lib/sysimage/rpm", "/usr/share/rpm", "/usr/lib/rpm"];
const APK: [&str; 2] = ["/lib/apk/db/installed", "/usr/lib/apk/db/installed"];
/// Databases of other package managers: their file or folder.
const OTHERS: [(&str, &str); 4] = [
    ("pacman", "/var/lib/pacman/local"),
    ("opkg", "/usr/lib/opkg/status"),
    ("opkg", "/var/lib/opkg/status"),
    ("portage", "/var/db/pkg"),
];

/// What is at the path of a database.
enum There<'a> {
    Nothing,
    Kept(&'a Kept),
    Folder(Path, &'a Node),
    /// It is there, and why it was not kept.
    Unreadable(String),
}

pub(super) fn contents(reader: &Reader) -> Result<Contents, ParseError> {
    let mut found = Databases {
        reader,
        seen: BTreeSet::new(),
        names: Vec::new(),
        packages: Vec::new(),
        removed: Vec::new(),
        unreadable: Vec::new(),
    };
    found.dpkg()?;
    for path in APK {
        found.text_database("apk", path, apk::installed)?;
    }
    for folder in RPM_FOLDERS {
        found.rpm(folder)?;
    }
    for (name, path) in OTHERS {
        match found.at(path)? {
            There::Nothing => {}
            There::Folder(_, node) if node.children.is_empty() => {}
            _ => found.unreadable.push(format!("{name}: {path} is of a package manager whose database is not read")),
        }
    }
    let Databases { mut names, mut packages, mut removed, mut unreadable, .. } = found;
    for list in [&mut names, &mut unreadable] {
        list.sort();
        list.dedup();
    }
    for list in [&mut packages, &mut removed] {
        list.sort();
        list.dedup();
    }
    let entrypoint = if reader.crowded && !reader.image.arguments.is_empty() {
        Entrypoint::NotDecidable("the image has more programs than are kept in memory".to_owned())
    } else {
        Search { image: &reader.image, tree: &reader.tree }.entrypoint()
    };
    Ok(Contents { os: os_release(reader)?, databases: names, packages, removed, unreadable, entrypoint })
}

struct Databases<'a> {
    reader: &'a Reader,
    /// Files that were read, so that a second path to one does not count it again.
    seen: BTreeSet<Path>,
    names: Vec<String>,
    packages: Vec<OsPackage>,
    removed: Vec<OsPackage>,
    unreadable: Vec<String>,
}

impl<'a> Databases<'a> {
    fn at(&mut self, path: &str) -> Result<There<'a>, ParseError> {
        let found = match self.reader.tree.find(path.as_bytes(), true) {
            Ok(found) => found,
            Err(Circle) => return Ok(There::Unreadable(format!("{path} links in a circle"))),
        };
        self.there(path, found)
    }

    fn there(&mut self, path: &str, found: Found<'a>) -> Result<There<'a>, ParseError> {
        let Found { path: real, node } = found;
        let shown = text(&real);
        let Some(node) = node else {
            // Other files than the noted ones are not in the tree, so a link to one may lead to something.
            let name = real.last().map_or(&b""[..], |name| name);
            let known = shown == path || name == b"status.d" || NOTED.iter().any(|noted| noted.as_bytes() == name);
            let unknown = || There::Unreadable(format!("{path} links to {shown}, which is not read"));
            return Ok(if known { There::Nothing } else { unknown() });
        };
        Ok(match &node.is {
            Is::Directory => There::Folder(real, node),
            Is::Symlink(_) | Is::Special => There::Unreadable(format!("{shown} is no regular file")),
            Is::File(file) => match &file.content {
                Content::Unread => There::Unreadable(format!("{path} is the file {shown}, which is not read")),
                Content::Refused(cause) => return Err(ParseError::new(DATABASE, path, cause.clone())),
                // Read already under another path.
                Content::Kept(_) if !self.seen.insert(real) => There::Nothing,
                Content::Kept(kept) => There::Kept(kept),
            },
        })
    }

    fn add(&mut self, name: &str, path: &str, installed: Installed) -> Result<(), ParseError> {
        let packages = installed.map_err(|broken| {
            let place = if broken.place.is_empty() { path.to_owned() } else { format!("{path}, {}", broken.place) };
            ParseError::new(DATABASE, place, broken.cause)
        })?;
        self.packages.extend(packages);
        self.names.push(name.to_owned());
        if self.packages.len() > self.reader.limits.entries {
            let cause = format!("the image has more than {} packages", self.reader.limits.entries);
            return Err(ParseError::new(DATABASE, path, cause));
        }
        Ok(())
    }

    fn text_database(
        &mut self,
        name: &str,
        path: &str,
        read: impl FnOnce(&[u8], usize) -> Installed,
    ) -> Result<(), ParseError> {
        match self.at(path)? {
            There::Nothing => Ok(()),
            There::Kept(kept) => {
                let content = content(kept, path, self.reader.limits.bytes)?;
                self.add(name, path, read(&content, self.reader.limits.entries))
            }
            There::Folder(..) => {
                self.unreadable.push(format!("{name}: {path} is a folder"));
                Ok(())
            }
            There::Unreadable(why) => {
                self.unreadable.push(format!("{name}: {why}"));
                Ok(())
            }
        }
    }

    fn dpkg(&mut self) -> Result<(), ParseError> {
        let mut removed = Vec::new();
        self.text_database("dpkg", "/var/lib/dpkg/status", |database, most| {
            removed = deb::removed(database, most)?;
            deb::installed(database, most)
        })?;
        self.removed = removed;
        let name = "dpkg status.d";
        let (real, folder) = match self.at(STATUS_FOLDER)? {
            There::Nothing => return Ok(()),
            There::Folder(real, folder) => (real, folder),
            There::Kept(_) => {
                self.unreadable.push(format!("{name}: {STATUS_FOLDER} is no folder"));
                return Ok(());
            }
            There::Unreadable(why) => {
                self.unreadable.push(format!("{name}: {why}"));
                return Ok(());
            }
        };
        for file in folder.children.keys().filter(|file| !file.ends_with(b".md5sums")) {
            let mut path = real.clone();
            path.push(file.clone());
            let shown = text(&path);
            match self.reader.tree.follow(path, true) {
                Err(Circle) => self.unreadable.push(format!("{name}: {shown} links in a circle")),
                Ok(found) => match self.there(&shown, found)? {
                    There::Nothing => {}
                    There::Kept(kept) => {
                        let content = content(kept, &shown, self.reader.limits.bytes)?;
                        self.add(name, &shown, deb::installed(&content, self.reader.limits.entries))?;
                    }
                    There::Folder(..) => self.unreadable.push(format!("{name}: {shown} is a folder")),
                    There::Unreadable(why) => self.unreadable.push(format!("{name}: {why}")),
                },
            }
        }
        Ok(())
    }

    fn rpm(&mut self, folder: &str) -> Result<(), ParseError> {
        for (name, format) in [("Packages", "Berkeley DB"), ("Packages.db", "ndb")] {
            let path = format!("{folder}/{name}");
            if !matches!(self.at(&path)?, There::Nothing) {
                self.unreadable.push(format!("rpm: {path} is of the older format {format}, which is not read"));
            }
        }
        let path = format!("{folder}/rpmdb.sqlite");
        match self.at(&path)? {
            There::Nothing => Ok(()),
            There::Folder(..) => {
                self.unreadable.push(format!("rpm sqlite: {path} is a folder"));
                Ok(())
            }
            There::Unreadable(why) => {
                self.unreadable.push(format!("rpm sqlite: {why}"));
                Ok(())
            }
            There::Kept(kept) => {
                if let Some(why) = self.unfinished(&path) {
                    self.unreadable.push(format!("rpm sqlite: {why}"));
                    return Ok(());
                }
                self.add("rpm sqlite", &path, rpm::installed(kept, self.reader.limits.entries))
            }
        }
    }

    /// Changes that SQLite has written beside the database and not into it. rpm leaves empty files of these names.
    fn unfinished(&self, database: &str) -> Option<String> {
        ["-wal", "-journal"].into_iter().find_map(|ending| {
            let path = format!("{database}{ending}");
            let found = self.reader.tree.find(path.as_bytes(), true);
            match found.as_ref().map(|found| found.node.map(|node| &node.is)) {
                Ok(None) => None,
                Ok(Some(Is::File(file))) if file.size == 0 => None,
                Ok(_) | Err(Circle) => Some(format!("{path} holds changes that are not in the database yet")),
            }
        })
    }
}

fn content(kept: &Kept, path: &str, most: usize) -> Result<Vec<u8>, ParseError> {
    if kept.len() > most {
        let cause = format!("it has {} bytes; at most {most} are read", kept.len());
        return Err(ParseError::new(DATABASE, path, cause));
    }
    kept.content().map_err(|error| ParseError::new(DATABASE, path, error.to_string()))
}

/// `/etc/os-release`, or the file in `/usr/lib` if that is not there. Source: os-release(5).
fn os_release(reader: &Reader) -> Result<Option<OsRelease>, ParseError> {
    for path in ["/etc/os-release", "/usr/lib/os-release"] {
        let Ok(Found { node: Some(Node { is: Is::File(file), .. }), .. }) = reader.tree.find(path.as_bytes(), true)
        else {
            continue;
        };
        let Content::Kept(kept) = &file.content else { continue };
        let content = content(kept, path, reader.limits.bytes)?;
        let content = String::from_utf8_lossy(&content);
        let value = |name: &str| {
            let lines = content.lines().filter_map(|line| line.trim().split_once('='));
            lines.rev().find(|(key, _)| *key == name).map(|(_, value)| value.trim_matches(['"', '\'']).to_owned())
        };
        return Ok(Some(OsRelease {
            id: value("ID").filter(|id| !id.is_empty()).unwrap_or_else(|| "linux".to_owned()),
            version: value("VERSION_ID").unwrap_or_else(String::new),
        }));
    }
    Ok(None)
}
