//! The content of the few files that are kept until the last layer is read. Packed in pieces, so that the package
//! database of a large image (tens of megabytes) stays small in memory and any page of it can be read.

use std::io::{self, Read};

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

const PIECE: usize = 64 << 10;

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pieces: Vec<Box<[u8]>>,
    size: usize,
}

impl Kept {
    /// Packs what `content` holds; `None` if that takes more than `room` bytes.
    pub(super) fn read(content: &mut impl Read, room: usize) -> io::Result<Option<Self>> {
        let mut compress = Compress::new(Compression::fast(), false);
        let mut kept = Self { pieces: Vec::new(), size: 0 };
        let (mut piece, mut packed, mut used) = (Vec::with_capacity(PIECE), Vec::new(), 0);
        loop {
            piece.clear();
            content.by_ref().take(PIECE as u64).read_to_end(&mut piece)?;
            if piece.is_empty() {
                return Ok(Some(kept));
            }
            compress.reset();
            packed.clear();
            packed.reserve(PIECE + (PIECE >> 3) + 64);
            if compress.compress_vec(&piece, &mut packed, FlushCompress::Finish)? != Status::StreamEnd {
                return Err(io::Error::other("a piece of a file could not be packed"));
            }
            used += packed.len();
            if used > room {
                return Ok(None);
            }
            kept.size += piece.len();
            kept.pieces.push(packed.as_slice().into());
        }
    }

    /// Bytes of the content.
    pub(super) fn len(&self) -> usize {
        self.size
    }

    /// Bytes in memory.
    pub(super) fn packed(&self) -> usize {
        self.pieces.iter().map(|piece| piece.len()).sum()
    }

    /// The whole content.
    pub(super) fn content(&self) -> io::Result<Vec<u8>> {
        let mut content = Vec::with_capacity(self.size);
        for at in 0..self.pieces.len() {
            content.extend(self.piece(at)?);
        }
        Ok(content)
    }

    /// A part of the content, which need not lie in one piece; `None` if it ends before.
    pub(super) fn part(
        &self,
        from: usize,
        count: usize,
        last: &mut Option<(usize, Vec<u8>)>,
    ) -> io::Result<Option<Vec<u8>>> {
        let mut part = Vec::with_capacity(count.min(PIECE));
        if from.checked_add(count).is_none_or(|end| end > self.size) {
            return Ok(None);
        }
        while part.len() < count {
            let at = from + part.len();
            let index = at / PIECE;
            if last.as_ref().is_none_or(|(have, _)| *have != index) {
                *last = Some((index, self.piece(index)?));
            }
            let piece = last.as_ref().map_or(&[][..], |(_, piece)| piece);
            let rest = piece.get(at % PIECE..).unwrap_or(&[]);
            let rest = rest.get(..count - part.len()).unwrap_or(rest);
            if rest.is_empty() {
                return Ok(None);
            }
            part.extend_from_slice(rest);
        }
        Ok(Some(part))
    }

    fn piece(&self, at: usize) -> io::Result<Vec<u8>> {
        let mut piece = Vec::with_capacity(PIECE);
        let packed = self.pieces.get(at).map_or(&[][..], |packed| packed);
        Decompress::new(false).decompress_vec(packed, &mut piece, FlushDecompress::Finish)?;
        Ok(piece)
    }
}
