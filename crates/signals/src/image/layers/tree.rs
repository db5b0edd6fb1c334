//! The files of an image as its layers leave them, as far as anything is asked about them: folders, symbolic links,
//! executables, and files whose names matter. Source: OCI image-spec `layer.md`, "Applying Changesets" and "Whiteouts".
//!
//! Paths are taken as containerd does when it unpacks: the folders of an entry's path may be symbolic links of lower
//! layers and are followed inside the image, the last part is not.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::kept::Kept;
use super::program::Program;

/// As many symbolic links as Linux follows for one path.
const MOST_LINKS: usize = 40;
/// What a node takes beside its name, with its share of the map it is in.
const NODE: usize = 128;

/// Parts of a path from the root; none is empty, `.` or `..`.
pub(super) type Path = Vec<Box<[u8]>>;

#[derive(Debug)]
pub(super) struct Node {
    /// The layer that made it.
    layer: u32,
    pub(super) is: Is,
    /// What is in a folder; empty for all else.
    pub(super) children: BTreeMap<Box<[u8]>, Node>,
}

#[derive(Debug)]
pub(super) enum Is {
    Directory,
    Symlink(Box<[u8]>),
    File(Arc<File>),
    /// A device or a pipe.
    Special,
}

/// A regular file. Hard links share it.
#[derive(Debug)]
pub(super) struct File {
    pub(super) executable: bool,
    pub(super) size: u64,
    pub(super) program: Program,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    /// Nobody asks for it.
    Unread,
    Kept(Kept),
    /// It should have been kept, and why it is not.
    Refused(String),
}

/// What a path leads to.
#[derive(Debug)]
pub(super) struct Found<'a> {
    /// The path without symbolic links.
    pub(super) path: Path,
    /// `None` if nothing is known there.
    pub(super) node: Option<&'a Node>,
}

/// Bytes in memory, about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    /// Of nodes, names and targets of links.
    pub(super) names: usize,
    /// Of kept contents.
    pub(super) kept: usize,
}

/// A path that leads in a circle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Circle;

#[derive(Debug)]
pub(super) struct Tree {
    root: Node,
}

impl Tree {
    pub(super) fn new() -> Self {
        Self { root: Node::new(0, Is::Directory) }
    }

    /// Follows a path from the root, the symbolic link at its end too if `last` says so.
    pub(super) fn find(&self, path: &[u8], last: bool) -> Result<Found<'_>, Circle> {
        self.follow(parts(path), last)
    }

    /// The same for a path in parts.
    pub(super) fn follow(&self, path: impl IntoIterator<Item = Box<[u8]>>, last: bool) -> Result<Found<'_>, Circle> {
        let mut todo: VecDeque<Box<[u8]>> = path.into_iter().collect();
        let (mut done, mut links): (Path, usize) = (Vec::new(), 0);
        // The nodes on the way, as long as there are any: `nodes[n]` is at `done[..n]`.
        let mut nodes = vec![&self.root];
        while let Some(part) = todo.pop_front() {
            if &*part == b".." {
                done.pop();
                nodes.truncate(done.len() + 1);
                continue;
            }
            let here = if nodes.len() == done.len() + 1 { nodes.last() } else { None };
            let next = here.and_then(|node| node.children.get(&part));
            if let Some(Node { is: Is::Symlink(target), .. }) = next
                && (last || !todo.is_empty())
            {
                links += 1;
                if links > MOST_LINKS {
                    return Err(Circle);
                }
                if target.starts_with(b"/") {
                    done.clear();
                    nodes.truncate(1);
                }
                parts(target).into_iter().rev().for_each(|part| todo.push_front(part));
                continue;
            }
            done.push(part);
            nodes.extend(next);
        }
        let node = if nodes.len() == done.len() + 1 { nodes.last().copied() } else { None };
        Ok(Found { path: done, node })
    }

    /// Puts something at a path without symbolic links, and says what it takes. A folder over a folder keeps what is
    /// in it.
    pub(super) fn put(&mut self, path: &[Box<[u8]>], is: Is, layer: u32) -> Size {
        let Some((name, folders)) = path.split_last() else { return Size::NONE };
        let (mut node, mut size) = (&mut self.root, Size::NONE);
        for folder in folders {
            node = node.folder(layer).entry(folder.clone()).or_insert_with(|| {
                let new = Node::new(layer, Is::Directory);
                size = size.and(new.size(folder));
                new
            });
        }
        let children = node.folder(layer);
        match (children.get_mut(name), is) {
            (Some(there @ Node { is: Is::Directory, .. }), Is::Directory) => there.layer = layer,
            (_, is) => {
                let new = Node::new(layer, is);
                size = size.and(new.size(name));
                children.insert(name.clone(), new);
            }
        }
        size
    }

    /// Takes away what is at a path without symbolic links.
    pub(super) fn remove(&mut self, path: &[Box<[u8]>]) {
        if let Some((name, folders)) = path.split_last()
            && let Some(folder) = self.get_mut(folders)
        {
            folder.children.remove(name);
        }
    }

    /// Hides what lower layers have at a path without symbolic links.
    pub(super) fn white_out(&mut self, path: &[Box<[u8]>], layer: u32) {
        if let Some((name, folders)) = path.split_last()
            && let Some(folder) = self.get_mut(folders)
            && let Some(node) = folder.children.get_mut(name)
            && !node.stays(layer)
        {
            folder.children.remove(name);
        }
    }

    /// Hides what lower layers have inside a folder.
    pub(super) fn white_out_inside(&mut self, path: &[Box<[u8]>], layer: u32) {
        if let Some(folder) = self.get_mut(path) {
            folder.children.retain(|_, node| node.stays(layer));
        }
    }

    /// What all of it takes.
    pub(super) fn size(&self) -> Size {
        self.root.size_with_children(&[])
    }

    fn get_mut(&mut self, path: &[Box<[u8]>]) -> Option<&mut Node> {
        path.iter().try_fold(&mut self.root, |node, part| node.children.get_mut(part))
    }
}

impl Node {
    fn new(layer: u32, is: Is) -> Self {
        Self { layer, is, children: BTreeMap::new() }
    }

    /// What is in this folder; anything else gives way to a folder.
    fn folder(&mut self, layer: u32) -> &mut BTreeMap<Box<[u8]>, Self> {
        if !matches!(self.is, Is::Directory) {
            *self = Self::new(layer, Is::Directory);
        }
        &mut self.children
    }

    /// Takes away what is of lower layers; true if something is left.
    fn stays(&mut self, layer: u32) -> bool {
        self.children.retain(|_, node| node.stays(layer));
        self.layer == layer || !self.children.is_empty()
    }

    /// What this node takes under its name, without its children.
    fn size(&self, name: &[u8]) -> Size {
        let (target, kept) = match &self.is {
            Is::File(file) => match &file.content {
                Content::Kept(kept) => (0, kept.packed()),
                Content::Unread | Content::Refused(_) => (0, 0),
            },
            Is::Symlink(target) => (target.len(), 0),
            Is::Directory | Is::Special => (0, 0),
        };
        Size { names: NODE + name.len() + target, kept }
    }

    fn size_with_children(&self, name: &[u8]) -> Size {
        let below = self.children.iter().map(|(name, node)| node.size_with_children(name));
        below.fold(self.size(name), Size::and)
    }
}

impl Size {
    pub(super) const NONE: Self = Self { names: 0, kept: 0 };

    pub(super) fn and(self, other: Self) -> Self {
        Self { names: self.names.saturating_add(other.names), kept: self.kept.saturating_add(other.kept) }
    }
}

/// The parts of a path; empty ones and `.` say nothing.
pub(super) fn parts(path: &[u8]) -> Path {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".").map(Box::from).collect()
}

/// A path in parts as text, for people.
pub(super) fn text(path: &[Box<[u8]>]) -> String {
    if path.is_empty() {
        return "/".to_owned();
    }
    path.iter().fold(String::new(), |text, part| text + "/" + &String::from_utf8_lossy(part))
}
