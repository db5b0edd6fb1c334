//! Raw bytes of what facts are read from, kept on the way for whoever records a decision. Bounded: what is too large is left out, the largest first,
//! and the facts still name it by its digest.

use std::sync::{Arc, Mutex, PoisonError};

use model::{Digest, Facts, ManifestFacts, Signal};
use store::EvidenceRow;

/// The most that is kept for one decision, in bytes, unpacked.
pub(crate) const MOST: usize = 16 << 20;

/// The media type of what names pages: the digest of each, a line each, in order.
const PAGES: &str = "application/vnd.ecr-gate.pages.v1";
/// How media types of evidence begin that name other evidence.
const OURS: &str = "application/vnd.ecr-gate.";

/// Keeps bytes, if somebody wants them. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept(Option<Arc<Mutex<Vec<Piece>>>>);

/// One document, or all pages of an answer with the list of them.
#[derive(Debug)]
struct Piece {
    evidence: Digest,
    size: usize,
    rows: Vec<EvidenceRow>,
}

impl Kept {
    /// Keeps what it is given.
    pub(crate) fn wanted() -> Self {
        Self(Some(Arc::default()))
    }

    /// Keeps a document.
    pub(crate) fn keep(&self, media_type: &str, bytes: &[u8]) {
        // A registry says what it likes; what names other evidence is ours alone.
        let is_plain =
            media_type.len() <= 128 && media_type.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        let media_type =
            if is_plain && !media_type.starts_with(OURS) { media_type } else { "application/octet-stream" };
        self.put(bytes.len(), || {
            let row = EvidenceRow::packed(media_type, bytes)?;
            Ok((row.digest.clone(), vec![row]))
        });
    }

    /// Keeps an answer that came in pages, under the digest that facts name it by.
    pub(crate) fn keep_pages(&self, pages: &[Vec<u8>]) {
        self.put(pages.iter().map(Vec::len).sum(), || {
            let mut rows = Vec::new();
            for page in pages {
                rows.push(EvidenceRow::packed("application/json", page)?);
            }
            let digests: Vec<Digest> = rows.iter().map(|row| row.digest.clone()).collect();
            if let [_, _, ..] = digests.as_slice() {
                let list = list_of(&digests);
                rows.push(EvidenceRow { digest: Digest::of(&list), media_type: PAGES.to_owned(), bytes: list });
            }
            Ok((evidence_of(&digests), rows))
        });
    }

    fn put(&self, size: usize, packed: impl FnOnce() -> std::io::Result<(Digest, Vec<EvidenceRow>)>) {
        let Some(kept) = &self.0 else { return };
        if size > MOST {
            return;
        }
        // Bytes that cannot be packed are bytes that are not kept: the facts do not depend on them.
        let Ok((evidence, rows)) = packed() else { return };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.iter().any(|piece| piece.evidence == evidence) {
            return;
        }
        kept.push(Piece { evidence, size, rows });
        while kept.iter().map(|piece| piece.size).sum::<usize>() > MOST {
            let largest = kept.iter().enumerate().max_by_key(|(_, piece)| piece.size).map(|(at, _)| at);
            largest.map(|at| kept.remove(at));
        }
    }

    /// What these facts were read from, as far as it was kept.
    pub(crate) fn behind(&self, facts: &Facts) -> Vec<EvidenceRow> {
        let Some(kept) = &self.0 else { return Vec::new() };
        let named = named(facts);
        let kept = std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner));
        kept.into_iter().filter(|piece| named.contains(&piece.evidence)).flat_map(|piece| piece.rows).collect()
    }
}

/// The list of pages, which names them.
fn list_of(pages: &[Digest]) -> Vec<u8> {
    pages.iter().map(Digest::as_str).collect::<Vec<_>>().join("\n").into_bytes()
}

/// What an answer in pages is named by: one page is its own evidence, several are named by the digest of their digests.
pub(crate) fn evidence_of(pages: &[Digest]) -> Digest {
    match pages {
        [only] => only.clone(),
        several => Digest::of(&list_of(several)),
    }
}

/// The pages that this is a list of; nothing for anything else.
pub(crate) fn pages(row: &EvidenceRow) -> Vec<Digest> {
    let text = if row.media_type == PAGES { std::str::from_utf8(&row.bytes).unwrap_or("") } else { "" };
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// The digests of the documents that facts were read from: reports, bills of materials, measurements, VEX documents, signed artifacts.
pub(crate) fn named(facts: &Facts) -> Vec<Digest> {
    let manifests = std::iter::once(&facts.root).chain(facts.platforms.iter().flatten().map(|(_, child)| child));
    let mut named: Vec<Digest> = facts.vex.iter().map(|document| document.evidence.clone()).collect();
    manifests.for_each(|manifest| of_manifest(manifest, &mut named));
    named.sort_unstable();
    named.dedup();
    named
}

fn of_manifest(facts: &ManifestFacts, named: &mut Vec<Digest>) {
    for report in &facts.reports {
        match &report.scan {
            Signal::Present(scan) => named.push(scan.evidence.clone()),
            Signal::Unavailable { last: Some(scan), .. } => named.push(scan.evidence.clone()),
            _ => {}
        }
    }
    if let Signal::Present(list) = &facts.sboms {
        named.extend(list.value.iter().map(|sbom| sbom.evidence.clone()));
    }
    if let Signal::Present(list) = &facts.measurements {
        named.extend(list.value.iter().map(|run| run.evidence.clone()));
    }
    if let Signal::Present(list) = &facts.signed {
        named.extend(list.value.iter().map(|artifact| artifact.envelope.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_is_left_out_first_and_nothing_is_kept_that_the_facts_do_not_name() {
        let kept = Kept::wanted();
        let (large, small, other) = (vec![b'a'; MOST - 10], vec![b'b'; 20], b"other".to_vec());
        for bytes in [&large, &small, &other, &small] {
            kept.keep("application/json", bytes);
        }
        kept.keep("application/json", &vec![b'c'; MOST + 1]);
        let mut facts = Facts::of(ManifestFacts::bare(Digest::of(b"image"), None));
        let reason = || model::Reason::new(model::ReasonCode::Internal, "none");
        assert_eq!(kept.behind(&facts), []);
        for bytes in [&large, &small, &other] {
            kept.keep("application/json", bytes);
        }
        let document =
            model::VexDocument { format: "openvex".into(), id: None, author: "a".into(), statements: vec![] };
        let at = model::Timestamp::UNIX_EPOCH;
        for bytes in [&large, &small] {
            let origin = model::Origin::File("f".into());
            let evidence = Digest::of(bytes);
            facts.vex.push(model::Observed { value: document.clone(), origin, at, evidence });
        }
        facts.root.sboms = Signal::Failed(reason());
        let rows = kept.behind(&facts);
        assert_eq!(rows.iter().map(|row| row.digest.clone()).collect::<Vec<_>>(), [Digest::of(&small)]);
        assert_eq!(Kept::default().behind(&facts), []);
    }

    #[test]
    fn pages_are_kept_with_the_list_that_names_them() {
        let kept = Kept::wanted();
        kept.keep_pages(&[b"one".to_vec(), b"two".to_vec()]);
        let all = kept.0.as_ref().map(|kept| std::mem::take(&mut *kept.lock().unwrap())).unwrap();
        let pages = [Digest::of(b"one"), Digest::of(b"two")];
        let digests: Vec<Digest> = all[0].rows.iter().map(|row| row.digest.clone()).collect();
        assert_eq!(all[0].evidence, evidence_of(&pages));
        assert_eq!(digests, [pages[0].clone(), pages[1].clone(), evidence_of(&pages)]);
        assert_eq!(evidence_of(&pages[..1]), pages[0]);
    }
}
