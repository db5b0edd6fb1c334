//! Verifies an export while it streams by: what is kept is one line and the edge of the tree, however long the log is.

use std::collections::BTreeMap;

use model::Timestamp;

use super::MAX_LINE;
use super::error::{ExportError, Fault, shown};
use super::line::{EntryLine, Header, checkpoint, is_checkpoint};
use crate::log::{Frontier, TreeHead, UnverifiedCheckpoint, VerifierKey, leaf_hash};

/// The most kinds of entries that are counted.
const MAX_KINDS: usize = 1000;
/// The most stretches of dropped entries that are listed.
const MAX_STRETCHES: usize = 100;

/// Takes an export in pieces and says at the end what it is, or what is wrong with it.
#[derive(Debug, Clone)]
pub struct ExportVerifier {
    key: Option<VerifierKey>,
    known: Vec<(TreeHead, Option<Continuity>)>,
    /// The beginning of a line whose end has not come yet.
    partial: Vec<u8>,
    lines: u64,
    state: State,
    failed: Option<ExportError>,
}

#[derive(Debug, Clone)]
enum State {
    Header,
    Entries(Box<Seen>),
    End(Box<Verified>),
}

/// What was seen so far.
#[derive(Debug, Clone)]
struct Seen {
    origin: String,
    from: u64,
    tree: Frontier,
    kinds: BTreeMap<String, u64>,
    times: Option<(Timestamp, Timestamp)>,
    dropped: u64,
    stretches: Vec<(u64, u64)>,
}

/// An export that verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How many entries were logged before the first one.
    pub from: u64,
    /// The tree after the last one, as the checkpoint says.
    pub head: TreeHead,
    /// The checkpoint, to be kept.
    pub note: String,
    /// The key that signed the checkpoint; `None` where no key was given, so that nobody vouches for it.
    pub signed_by: Option<VerifierKey>,
    /// How many entries there are of each kind.
    pub kinds: BTreeMap<String, u64>,
    /// The earliest and the latest time of an entry.
    pub times: Option<(Timestamp, Timestamp)>,
    /// How many entries are there by their hash only, because retention dropped their bytes.
    pub dropped: u64,
    /// Which: the first of them, each stretch from its first to its last place.
    pub dropped_stretches: Vec<(u64, u64)>,
    /// The checkpoints that were known before, in the order in which they were given.
    pub known: Vec<(TreeHead, Continuity)>,
}

/// What an export shows about a checkpoint that was known before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continuity {
    /// The log begins with it.
    Extends,
    /// The export begins after it, so that it cannot show it.
    NotCovered,
}

impl ExportVerifier {
    /// With the key of the log. Without one it is shown that the export fits its checkpoint, and not who signed that.
    pub fn new(key: Option<VerifierKey>) -> Self {
        let (known, partial) = (Vec::new(), Vec::new());
        Self { key, known, partial, lines: 0, state: State::Header, failed: None }
    }

    /// A checkpoint that is known from before: the log has to begin with it.
    #[must_use]
    pub fn known(mut self, head: TreeHead) -> Self {
        self.known.push((head, None));
        self
    }

    /// How many lines were verified.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// The next piece of the export, of any length.
    ///
    /// # Errors
    /// The first thing that is wrong; from then on always that.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), ExportError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.take(piece).map_err(|fault| self.fail(fault))
    }

    /// That this was all.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn finish(mut self) -> Result<Verified, ExportError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if !self.partial.is_empty() {
            return Err(self.fail(Fault::CutLine));
        }
        match self.state {
            State::End(verified) => Ok(*verified),
            State::Header | State::Entries(_) => Err(self.fail(Fault::NoCheckpoint)),
        }
    }

    fn fail(&mut self, fault: Fault) -> ExportError {
        let error = ExportError { line: self.lines + 1, fault };
        self.failed = Some(error.clone());
        error
    }

    fn take(&mut self, mut piece: &[u8]) -> Result<(), Fault> {
        while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            let (head, rest) = (&piece[..end], &piece[end + 1..]);
            if self.partial.is_empty() {
                self.line(head)?;
            } else {
                self.hold(head)?;
                let line = std::mem::take(&mut self.partial);
                self.line(&line)?;
            }
            self.lines += 1;
            piece = rest;
        }
        self.hold(piece)
    }

    fn hold(&mut self, piece: &[u8]) -> Result<(), Fault> {
        if self.partial.len() + piece.len() > MAX_LINE {
            return Err(Fault::LongLine);
        }
        self.partial.extend_from_slice(piece);
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Fault> {
        if line.len() > MAX_LINE {
            return Err(Fault::LongLine);
        }
        match &mut self.state {
            State::Header => {
                let Header { origin, before } = Header::read(line)?;
                let other = self.known.iter().find(|(head, _)| head.origin != origin);
                if let Some((TreeHead { origin: known, size, .. }, _)) = other {
                    return Err(Fault::KnownOtherLog { size: *size, known: known.clone(), origin });
                }
                compare(&mut self.known, &before)?;
                self.state = State::Entries(Box::new(Seen::new(origin, before)));
                Ok(())
            }
            State::Entries(seen) if EntryLine::is(line) => {
                seen.entry(EntryLine::read(line)?)?;
                compare(&mut self.known, &seen.tree)
            }
            State::Entries(seen) if is_checkpoint(line) => {
                let note = checkpoint(line)?;
                let verified = seen.end(note, self.key.as_ref(), &self.known)?;
                self.state = State::End(Box::new(verified));
                Ok(())
            }
            State::Entries(_) => Err(Fault::Line("the line was changed: it is neither an entry nor the checkpoint")),
            State::End(_) => Err(Fault::AfterEnd),
        }
    }
}

/// Compares the tree with each known checkpoint of its size.
fn compare(known: &mut [(TreeHead, Option<Continuity>)], tree: &Frontier) -> Result<(), Fault> {
    for (head, shown_already) in known.iter_mut().filter(|(head, _)| head.size == tree.size()) {
        let root = tree.root();
        if root != head.root {
            let (computed, known) = (shown(&root), shown(&head.root));
            return Err(Fault::Rewritten { size: head.size, computed, known });
        }
        *shown_already = Some(Continuity::Extends);
    }
    Ok(())
}

impl Seen {
    fn new(origin: String, tree: Frontier) -> Self {
        let from = tree.size();
        Self { origin, from, tree, kinds: BTreeMap::new(), times: None, dropped: 0, stretches: Vec::new() }
    }

    fn entry(&mut self, line: EntryLine<'_>) -> Result<(), Fault> {
        let EntryLine { index, hash, entry } = line;
        let expected = self.tree.size();
        if index != expected {
            return Err(Fault::Gap { expected, found: index });
        }
        match entry {
            Some((bytes, entry)) => {
                let computed = leaf_hash(bytes);
                if computed != hash {
                    return Err(Fault::Hash { index, computed: shown(&computed), said: shown(&hash) });
                }
                let (first, last) = self.times.unwrap_or((entry.at, entry.at));
                self.times = Some((first.min(entry.at), last.max(entry.at)));
                *self.kinds.entry(entry.kind).or_insert(0) += 1;
                if self.kinds.len() > MAX_KINDS {
                    return Err(Fault::Kinds(MAX_KINDS));
                }
            }
            None => self.drop_out(index),
        }
        self.tree.append(hash);
        Ok(())
    }

    fn drop_out(&mut self, index: u64) {
        self.dropped += 1;
        match self.stretches.last_mut() {
            Some((_, last)) if *last + 1 == index => *last = index,
            _ => {
                if self.stretches.len() < MAX_STRETCHES {
                    self.stretches.push((index, index));
                }
            }
        }
    }

    fn end(
        &mut self,
        note: String,
        key: Option<&VerifierKey>,
        known: &[(TreeHead, Option<Continuity>)],
    ) -> Result<Verified, Fault> {
        let unverified = UnverifiedCheckpoint::read(&note)?;
        let head = match key {
            Some(key) => unverified.verify(key)?.head().clone(),
            None => unverified.unverified_head().clone(),
        };
        if head.origin != self.origin {
            return Err(Fault::Origin { header: self.origin.clone(), checkpoint: head.origin });
        }
        if head.size != self.tree.size() {
            return Err(Fault::Size { signed: head.size, there: self.tree.size() });
        }
        let root = self.tree.root();
        if root != head.root {
            return Err(Fault::Root { computed: shown(&root), signed: shown(&head.root) });
        }
        if let Some((longer, _)) = known.iter().find(|(known, _)| known.size > head.size) {
            return Err(Fault::Shorter { known: longer.size, to: head.size });
        }
        let continuity = |(head, shown): &(TreeHead, Option<Continuity>)| {
            // One that was not met lies before the export.
            (head.clone(), shown.unwrap_or(Continuity::NotCovered))
        };
        Ok(Verified {
            from: self.from,
            head,
            note,
            signed_by: key.cloned(),
            kinds: std::mem::take(&mut self.kinds),
            times: self.times,
            dropped: self.dropped,
            dropped_stretches: std::mem::take(&mut self.stretches),
            known: known.iter().map(continuity).collect(),
        })
    }
}
