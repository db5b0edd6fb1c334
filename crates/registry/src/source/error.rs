//! The ways in which a layout or archive cannot be believed, one variant each, and the reason each becomes.

use std::io::{self, Read};

use model::{Digest, Reason, ReasonCode};

use super::reference::LocalReference;

/// What is wrong with a local image, and with which.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reference}: {fault}")]
pub struct SourceError {
    /// What was opened, as it was written.
    pub reference: String,
    /// What is wrong.
    pub fault: Box<Fault>,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// No such file or folder.
    #[error("{path} is not there")]
    NotThere {
        /// The path.
        path: String,
    },
    /// A file where a folder should be, or the other way round, or neither.
    #[error("{path} is not a {expected}")]
    WrongKind {
        /// The path.
        path: String,
        /// `file` or `folder`.
        expected: &'static str,
    },
    /// The machine cannot read it.
    #[error("{what} cannot be read: {why}")]
    Unreadable {
        /// Which file.
        what: String,
        /// What the system says.
        why: String,
    },
    /// It has no `oci-layout`.
    #[error("it is not an OCI image layout: the file oci-layout is not there")]
    NotALayout {
        /// True if it looks like an archive of `docker save`.
        docker: bool,
    },
    /// It has no `manifest.json`.
    #[error("it is not an archive of `docker save`: the file manifest.json is not there")]
    NotADockerArchive {
        /// True if it looks like an OCI image layout.
        layout: bool,
    },
    /// A version of the layout that is not known.
    #[error("oci-layout names the version {found:?}; 1.0.0 is known")]
    LayoutVersion {
        /// What it names.
        found: String,
    },
    /// A document is not in its form.
    #[error("{what} is not in its form: {why}")]
    Document {
        /// Which document.
        what: String,
        /// What was expected and what was seen.
        why: String,
    },
    /// A document says different things to different readers.
    #[error("{what} has the key {found:?}, which other programs read as {read:?}")]
    Ambiguous {
        /// Which document.
        what: String,
        /// The key.
        found: String,
        /// The key it would be taken for.
        read: &'static str,
    },
    /// The media type that points to a document is not the one inside it.
    #[error("{what} is listed as {listed}, but it is {found}")]
    MediaType {
        /// Which document.
        what: String,
        /// What its descriptor says.
        listed: String,
        /// What it says itself, or what it holds.
        found: String,
    },
    /// Something that is named is not there.
    #[error("{what} is named, but it is not there")]
    Missing {
        /// What.
        what: String,
    },
    /// Content with another digest.
    #[error("{what} has the digest {found}, not {expected}")]
    DigestMismatch {
        /// Which content.
        what: String,
        /// What it is named by.
        expected: Digest,
        /// What its bytes have.
        found: Digest,
    },
    /// Content of another size.
    #[error("{what} has {found} bytes, not {expected}")]
    SizeMismatch {
        /// Which content.
        what: String,
        /// What its descriptor says.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// Larger than the limit.
    #[error("{what} has more than {limit} bytes")]
    TooLarge {
        /// What.
        what: String,
        /// The limit.
        limit: u64,
    },
    /// More than the limit.
    #[error("it has more than {limit} {what}")]
    TooMany {
        /// What.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The configuration and the list of layers disagree.
    #[error("the image has {layers} layers, but its configuration lists {diff_ids}")]
    LayerCount {
        /// Layers in the archive's list.
        layers: usize,
        /// `rootfs.diff_ids`.
        diff_ids: usize,
    },
    /// No image at all.
    #[error("it lists no image")]
    Empty,
    /// Several images and no word which is meant.
    #[error("it has several images, and the reference does not say which:\n{}", lines(.listed))]
    SeveralImages {
        /// What there is, one line each.
        listed: Vec<String>,
    },
    /// Two images of the same name.
    #[error("the name {name:?} stands for several images:\n{}", lines(.listed))]
    SameName {
        /// The name.
        name: String,
        /// What there is of that name, one line each.
        listed: Vec<String>,
    },
    /// No image of that name or digest.
    #[error("it has no image {asked}; it has:\n{}", lines(.listed))]
    NoSuchImage {
        /// What was asked for.
        asked: String,
        /// What there is, one line each.
        listed: Vec<String>,
    },
    /// An image of `docker save` was asked for its manifest.
    #[error("an archive of `docker save` holds no manifest that a registry would know")]
    NoManifests,
    /// The file is not a tar archive.
    #[error("it is not a tar archive: {why}")]
    NotATar {
        /// What was seen.
        why: String,
    },
    /// The archive ends within an entry.
    #[error("the archive ends within {what}")]
    Truncated {
        /// Which entry.
        what: String,
    },
    /// An entry's path leads out of the archive.
    #[error("the archive has the entry {name:?}, which leads out of it")]
    Escape {
        /// The entry.
        name: String,
    },
    /// An entry is a link.
    #[error("the archive has the link {name:?}; a layout has none")]
    Link {
        /// The entry.
        name: String,
    },
    /// An entry is neither a file nor a folder.
    #[error("the archive has the entry {name:?}, which is neither a file nor a folder")]
    Special {
        /// The entry.
        name: String,
    },
    /// A document is there twice.
    #[error("the archive has {name} twice; programs differ in which they read")]
    Twice {
        /// The entry.
        name: String,
    },
    /// Compressed in a way that is not read here.
    #[error("{what} is compressed with {with}, which is not read here")]
    Compressed {
        /// What.
        what: String,
        /// The format.
        with: &'static str,
    },
}

fn lines(listed: &[String]) -> String {
    const SHOWN: usize = 20;
    let mut lines: Vec<String> = listed.iter().take(SHOWN).map(|line| format!("  {line}")).collect();
    if listed.len() > SHOWN {
        lines.push(format!("  and {} more", listed.len() - SHOWN));
    }
    if lines.is_empty() { "  nothing".to_owned() } else { lines.join("\n") }
}

impl SourceError {
    pub(super) fn new(reference: &LocalReference, fault: Fault) -> Self {
        Self { reference: reference.to_string(), fault: Box::new(fault) }
    }

    /// The reason for people: what happened, to what, and the next step.
    pub fn reason(&self) -> Reason {
        let reason = Reason::new(ReasonCode::SourceInvalid, self.to_string());
        match self.fault.as_ref() {
            Fault::NotThere { .. } | Fault::WrongKind { .. } => reason.remedy(
                "Check the path; it ends at the first `:` and relative ones count from the working folder.",
            ),
            Fault::Unreadable { .. } => reason.remedy("Check that the file may be read and that its disk is sound."),
            Fault::NotALayout { docker: true } => reason.remedy("Write docker-archive: in the place of oci-archive:."),
            Fault::NotADockerArchive { layout: true } => {
                reason.remedy("Write oci-archive: in the place of docker-archive:.")
            }
            Fault::SeveralImages { .. } | Fault::SameName { .. } | Fault::NoSuchImage { .. } => {
                reason.remedy("Name one that is listed: append `:NAME` or `@DIGEST` to the path.")
            }
            Fault::NoManifests => reason.remedy(
                "For what concerns a digest, judge the image in its registry, or write it as a layout: `skopeo copy … oci:DIR`.",
            ),
            Fault::Compressed { .. } => {
                reason.remedy("Decompress the archive, or write the image as a layout: `skopeo copy … oci:DIR`.")
            }
            Fault::TooLarge { .. } | Fault::TooMany { .. } => {
                reason.remedy("Write the one image alone into a layout; the limits are documented.")
            }
            _ => reason,
        }
    }

    /// The error inside an error of reading a layer's stream.
    pub fn of_io(error: &io::Error) -> Option<&Self> {
        error.get_ref().and_then(|inner| inner.downcast_ref())
    }
}

impl Fault {
    /// As an error of reading a stream.
    pub(super) fn into_io(self) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, self)
    }

    /// An error of the system.
    pub(super) fn io(what: impl Into<String>, error: &io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Self>()) {
            Some(fault) => fault.clone(),
            None => Self::Unreadable { what: what.into(), why: error.to_string() },
        }
    }
}

/// A stream whose errors say which source they are about.
pub(super) struct Named {
    reference: LocalReference,
    stream: Box<dyn Read + Send>,
}

impl Named {
    pub(super) fn new(reference: LocalReference, stream: Box<dyn Read + Send>) -> Self {
        Self { reference, stream }
    }
}

impl Read for Named {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer).map_err(|error| {
            let kind = error.kind();
            if kind == io::ErrorKind::Interrupted {
                return error;
            }
            io::Error::new(kind, SourceError::new(&self.reference, Fault::io("a layer", &error)))
        })
    }
}
