//! Layers read one after another into what an image holds. Each is streamed once; kept are a small tree of names, a
//! summary of each executable, and the content of package databases. Source: OCI image-spec `layer.md`.
//!
//! What runtimes would do differently or not at all is refused: `..` in a path, unknown kinds of entries, hard links to
//! folders, a packing other than the media type's.

mod contents;
mod entrypoint;
mod kept;
mod packages;
mod program;
mod tar;
mod tree;
mod unpack;

use std::collections::BTreeMap;
use std::io::{BufReader, Read};
use std::sync::Arc;

use model::{Contents, ImageConfig};

use self::kept::Kept;
use self::program::Program;
use self::tar::{Archive, Entry, Kind};
use self::tree::{Content, File, Found, Is, Path, Size, Tree, parts};
use self::unpack::{Packing, Unpacked};
use crate::{Limits, ParseError};

const LAYER: &str = "image layer";
/// Bytes that the tree of names may take. Past the first number only links and noted files are taken in, and nothing
/// can be said about the entrypoint; past the second the image is refused.
const MOST_NAMES: usize = 24 << 20;
const MOST_NAMES_AT_ALL: usize = 28 << 20;
/// How far below a limit the tree must be when it is measured anew, so that it is not measured all the time.
const SLACK: usize = 1 << 20;
/// Bytes of the kept files, packed.
const MOST_KEPT: usize = 24 << 20;
/// Bytes of one package database, unpacked.
const MOST_DATABASE: u64 = 256 << 20;
/// Parts of a path and bytes of a path.
const MOST_PARTS: usize = 512;
const MOST_PATH: usize = 4096;
const MOST_PART: usize = 255;

/// Files whose content is kept, wherever symbolic links lead to them from.
const KEPT: [&str; 9] = [
    "/etc/os-release",
    "/usr/lib/os-release",
    "/var/lib/dpkg/status",
    "/lib/apk/db/installed",
    "/usr/lib/apk/db/installed",
    "/var/lib/rpm/rpmdb.sqlite",
    "/usr/lib/sysimage/rpm/rpmdb.sqlite",
    "/usr/share/rpm/rpmdb.sqlite",
    "/usr/lib/rpm/rpmdb.sqlite",
];
/// The folder of which all files are kept but checksums.
const STATUS_FOLDER: &str = "/var/lib/dpkg/status.d";
/// Names that files of package databases have, so that one that lies in an unexpected place is known to be there.
const NOTED: [&str; 8] = [
    "os-release",
    "status",
    "installed",
    "Packages",
    "Packages.db",
    "rpmdb.sqlite",
    "rpmdb.sqlite-wal",
    "rpmdb.sqlite-journal",
];

/// Reads the layers of one image, lowest first, and says what they hold together. Each layer once, in the order of the
/// manifest; after an error there is no answer.
#[derive(Debug)]
pub struct Reader {
    image: Image,
    limits: Limits,
    tree: Tree,
    /// Layers read to their end.
    read: usize,
    /// An error was returned: what was read since is not whole.
    broken: bool,
    /// There are too many names to keep all executables.
    crowded: bool,
    /// What the tree takes, counted up; exact after it was measured.
    size: Size,
    /// Executables of the same kind are one.
    programs: BTreeMap<Program, Arc<File>>,
}

/// What is asked of the configuration.
#[derive(Debug)]
struct Image {
    platform: model::Platform,
    arguments: Vec<String>,
    working_dir: String,
    path: Vec<String>,
    layers: usize,
}

impl Reader {
    /// A reader for an image of this configuration.
    pub fn new(config: &ImageConfig, limits: &Limits) -> Self {
        let image = Image {
            platform: config.platform.clone(),
            arguments: config.entrypoint.iter().chain(&config.command).cloned().collect(),
            working_dir: config.working_dir.clone(),
            path: config.path.clone(),
            layers: config.layers.len(),
        };
        Self {
            image,
            limits: *limits,
            tree: Tree::new(),
            read: 0,
            broken: false,
            crowded: false,
            size: Size::NONE,
            programs: BTreeMap::new(),
        }
    }

    /// Reads one layer from its packed bytes, lowest first. That the bytes are those of the layer's digest is the
    /// caller's to check.
    ///
    /// # Errors
    /// The layer is of an unknown type or kept elsewhere, cannot be unpacked, is no tar archive, holds what no runtime
    /// would unpack, or is over the limits.
    pub fn layer(&mut self, media_type: &str, bytes: impl Read) -> Result<(), ParseError> {
        let layer = self.read + 1;
        let outcome = self.entries(media_type, bytes);
        self.broken |= outcome.is_err();
        self.read = layer;
        outcome.map_err(|(entry, cause)| {
            let place = if entry.is_empty() { format!("layer {layer}") } else { format!("layer {layer}, {entry}") };
            ParseError::new(LAYER, place, cause)
        })
    }

    /// What the layers hold together.
    ///
    /// # Errors
    /// Not all layers were read, or a package database is broken or too large.
    pub fn finish(self) -> Result<Contents, ParseError> {
        if self.broken || self.read != self.image.layers {
            let cause = format!("{} of {} layers were read to their end", self.read, self.image.layers);
            return Err(ParseError::new(
                LAYER,
                "",
                if self.broken { "a layer could not be read".to_owned() } else { cause },
            ));
        }
        contents::contents(&self)
    }

    fn entries(&mut self, media_type: &str, bytes: impl Read) -> Result<(), (String, String)> {
        let no_entry = |cause: String| (String::new(), cause);
        if self.broken {
            return Err(no_entry("a layer before this one could not be read".to_owned()));
        }
        let unpacked = Unpacked::new(Packing::of(media_type).map_err(no_entry)?, bytes)
            .map_err(|error| no_entry(error.to_string()))?;
        let mut archive = Archive::new(BufReader::with_capacity(128 << 10, unpacked));
        let layer = u32::try_from(self.read).unwrap_or(u32::MAX);
        let mut last = String::new();
        loop {
            let after =
                |cause: String| if last.is_empty() { (String::new(), cause) } else { (format!("after {last}"), cause) };
            let Some(entry) = archive.next().map_err(|error| after(error.to_string()))? else { break };
            last = String::from_utf8_lossy(&entry.path).chars().take(200).collect();
            self.entry(&entry, &mut archive, layer).map_err(|cause| (format!("entry {last}"), cause))?;
        }
        archive.finish().map_err(|error| no_entry(error.to_string()))
    }

    fn entry(&mut self, entry: &Entry, content: &mut impl Read, layer: u32) -> Result<(), String> {
        if entry.path.len() > MOST_PATH || entry.link.len() > MOST_PATH {
            return Err(format!("its path or the path it links to is longer than {MOST_PATH} bytes"));
        }
        let mut path = parts(&entry.path);
        if path.iter().any(|part| **part == *b"..") {
            return Err("its path leads out of the image by `..`".to_owned());
        }
        // The root itself.
        let Some(name) = path.pop() else { return Ok(()) };
        let folder =
            self.tree.follow(path, true).map_err(|_| "the folders of its path link in a circle".to_owned())?.path;
        if let Some(hidden) = name.strip_prefix(b".wh.") {
            return self.white_out(folder, hidden, layer);
        }
        let mut path = folder;
        path.push(name);
        if path.len() > MOST_PARTS || path.iter().any(|part| part.len() > MOST_PART) {
            return Err(format!("its path has more than {MOST_PARTS} parts, or one of more than {MOST_PART} bytes"));
        }
        if let Some(is) = self.made(entry, &path, content)? {
            self.size = self.size.and(self.tree.put(&path, is, layer));
            self.make_room()
        } else {
            self.tree.remove(&path);
            Ok(())
        }
    }

    fn white_out(&mut self, mut folder: Path, hidden: &[u8], layer: u32) -> Result<(), String> {
        match hidden {
            b".wh..opq" => self.tree.white_out_inside(&folder, layer),
            // What AUFS keeps for itself.
            _ if hidden.starts_with(b".wh.") => {}
            b"" | b"." | b".." => return Err("it hides no file that could be there".to_owned()),
            _ => {
                folder.push(hidden.into());
                self.tree.white_out(&folder, layer);
            }
        }
        Ok(())
    }

    /// What an entry makes; `None` for what nobody asks about.
    fn made(&mut self, entry: &Entry, path: &[Box<[u8]>], content: &mut impl Read) -> Result<Option<Is>, String> {
        Ok(match entry.kind {
            Kind::Directory if self.crowded => {
                // No new ones; one that is there stays, and a link gives way.
                let there = self.tree.follow(path.to_vec(), false).map_or(None, |found| found.node);
                there.is_some_and(|node| matches!(node.is, Is::Directory)).then_some(Is::Directory)
            }
            Kind::Directory => Some(Is::Directory),
            Kind::Symlink if entry.link.is_empty() => return Err("it is a symbolic link to nothing".to_owned()),
            Kind::Symlink => Some(Is::Symlink(entry.link.as_slice().into())),
            Kind::Special => Some(Is::Special),
            Kind::HardLink => self.linked(&entry.link, path)?,
            Kind::File | Kind::SparseFile => self.file(entry, path, content)?.map(Is::File),
        })
    }

    /// The same file under another name.
    fn linked(&self, target: &[u8], path: &[Box<[u8]>]) -> Result<Option<Is>, String> {
        let mut folders = parts(target);
        let name = folders.pop().filter(|_| !folders.iter().any(|part| **part == *b".."));
        let Some(name) = name.filter(|name| **name != *b"..") else {
            return Err("it is a hard link to no file".to_owned());
        };
        let circle = |_| "the path it links to goes in a circle".to_owned();
        let Found { path: mut real, .. } = self.tree.follow(folders, true).map_err(circle)?;
        real.push(name);
        let Found { node, .. } = self.tree.follow(real.clone(), false).map_err(circle)?;
        match node.map(|node| &node.is) {
            Some(Is::Directory) => Err("it is a hard link to a folder".to_owned()),
            Some(Is::Symlink(target)) => Ok(Some(Is::Symlink(target.clone()))),
            Some(Is::Special) => Ok(Some(Is::Special)),
            Some(Is::File(file)) => Ok(Some(Is::File(Arc::clone(file)))),
            None => Ok(self.is_noted(path).then(|| {
                let program = Program::Unknown("it is a hard link to a file of which nothing is known");
                Is::File(Arc::new(File { executable: false, size: 0, program, content: Content::Unread }))
            })),
        }
    }

    fn file(
        &mut self,
        entry: &Entry,
        path: &[Box<[u8]>],
        content: &mut impl Read,
    ) -> Result<Option<Arc<File>>, String> {
        const SPARSE: &str = "it is stored as a sparse file, which is not read";
        let (kept, noted) = (is_kept(path), self.is_noted(path));
        let (executable, sparse) = (entry.mode & 0o111 != 0, entry.kind == Kind::SparseFile);
        let failed = |error: std::io::Error| error.to_string();
        if kept {
            let content = if sparse { Content::Refused(SPARSE.to_owned()) } else { self.keep(entry.size, content)? };
            let program = Program::Unknown("its content is not that of a program");
            return Ok(Some(Arc::new(File { executable, size: entry.size, program, content })));
        }
        if !noted && (!executable || self.crowded) {
            return Ok(None);
        }
        let program = match (executable, sparse) {
            (true, true) => Program::Unknown(SPARSE),
            (true, false) => Program::read(content).map_err(failed)?,
            (false, _) => Program::Unfit("it is not executable"),
        };
        if noted {
            return Ok(Some(Arc::new(File { executable, size: entry.size, program, content: Content::Unread })));
        }
        if !self.programs.contains_key(&program) {
            self.size.names += program.size();
        }
        let file = || File { executable, size: 0, program: program.clone(), content: Content::Unread };
        Ok(Some(Arc::clone(self.programs.entry(program.clone()).or_insert_with(|| Arc::new(file())))))
    }

    fn keep(&mut self, size: u64, content: &mut impl Read) -> Result<Content, String> {
        if size > MOST_DATABASE {
            return Ok(Content::Refused(format!("it has {size} bytes; at most {MOST_DATABASE} are read")));
        }
        let room = |kept: usize| MOST_KEPT.saturating_sub(kept);
        if u64::try_from(room(self.size.kept)).unwrap_or(u64::MAX) < size {
            // What upper layers have replaced is counted still.
            self.size.kept = self.tree.size().kept;
        }
        Kept::read(content, room(self.size.kept))
            .map_err(|error| error.to_string())?
            .map(Content::Kept)
            .ok_or_else(|| format!("it and the other package databases take more than {MOST_KEPT} bytes"))
    }

    /// Sees to it that the tree stays within its bounds.
    fn make_room(&mut self) -> Result<(), String> {
        if self.size.names <= if self.crowded { MOST_NAMES_AT_ALL } else { MOST_NAMES } {
            return Ok(());
        }
        let programs = self.programs.keys().map(Program::size).sum::<usize>();
        self.size = self.tree.size().and(Size { names: programs, kept: 0 });
        if self.size.names > MOST_NAMES_AT_ALL - SLACK {
            return Err(format!(
                "the links, folders and programs of the image take more than {MOST_NAMES_AT_ALL} bytes"
            ));
        }
        self.crowded |= self.size.names > MOST_NAMES - SLACK;
        Ok(())
    }

    /// True for files that are known to be there although they are not executable.
    fn is_noted(&self, path: &[Box<[u8]>]) -> bool {
        let Some((name, folders)) = path.split_last() else { return false };
        let command = self.image.arguments.first().map(String::as_bytes);
        NOTED.iter().any(|noted| noted.as_bytes() == &**name)
            || folders.last().is_some_and(|folder| **folder == *b"status.d")
            || name.starts_with(b"ld-")
            || command.and_then(|command| command.rsplit(|byte| *byte == b'/').next()) == Some(&**name)
    }
}

/// True for files whose content is kept.
fn is_kept(path: &[Box<[u8]>]) -> bool {
    let is = |wanted: &str, path: &[Box<[u8]>]| {
        wanted.as_bytes().split(|byte| *byte == b'/').skip(1).eq(path.iter().map(|part| &**part))
    };
    KEPT.iter().any(|wanted| is(wanted, path))
        || path.split_last().is_some_and(|(name, folder)| !name.ends_with(b".md5sums") && is(STATUS_FOLDER, folder))
}

#[cfg(test)]
mod tests;
