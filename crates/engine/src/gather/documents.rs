//! What attached documents say, moved into the facts: unsigned ones as the registry's word, signed ones with who signed
//! them. What cannot be read leaves unknown what it would have said.

use model::{
    Attested, DocumentKind, ManifestFacts, Observed, Origin, Reason, Signal, Signed, Timestamp, UnreadableDocument,
};
use signals::predicate::{self, Content as Says, Kind};

use crate::attached::{Attached, AttachedKind, Content};
use crate::evidence::Evidence;
use crate::scan::signal;
use crate::signed::SignedContent;
use crate::source::Source;

/// Moves what was read from attached documents into the facts; what could not be read makes the signal a failure, because
/// what it would have said is not known.
pub(super) fn take_content(
    facts: &mut ManifestFacts,
    vex: &mut Vec<Observed<model::VexDocument>>,
    evidence: &mut Evidence,
    list: Vec<Attached>,
) -> Vec<Attached> {
    let mut kept = Vec::new();
    for mut one in list {
        match std::mem::replace(&mut one.content, Ok(Vec::new())) {
            Err(reason) => {
                match one.kind {
                    AttachedKind::Measurement => facts.measurements = signal(reason.clone()),
                    AttachedKind::Sbom | AttachedKind::Statement => facts.sboms = signal(reason.clone()),
                    // It may say the opposite of what is there: nobody knows.
                    AttachedKind::Report | AttachedKind::Vex => {
                        facts.unknown(Origin::Registry(one.descriptor.digest.to_string()), signal(reason.clone()));
                    }
                    AttachedKind::Signed | AttachedKind::Other => {}
                }
                one.content = Err(reason);
            }
            Ok(contents) => {
                for content in contents {
                    match content {
                        Content::Report(document, digest) => {
                            // Attached to this manifest, and about it unless it says otherwise.
                            let mut document = *document;
                            if document.subject.manifests.is_empty() && document.subject.config.is_none() {
                                document.subject.manifests.push(facts.digest.clone());
                            }
                            let origin = Origin::Registry(one.descriptor.digest.to_string());
                            evidence.attach(document, origin, digest);
                        }
                        Content::Sbom(sbom) => push(&mut facts.sboms, vec![*sbom]),
                        Content::Measurement(list) => push(&mut facts.measurements, list),
                        Content::Vex(document) => vex.push(document),
                    }
                }
            }
        }
        kept.push(one);
    }
    kept
}

pub(super) fn push<T>(signal: &mut Signal<Vec<T>>, more: Vec<T>) {
    if let Signal::Present(list) = signal {
        list.value.extend(more);
    }
}

/// Moves what signed statements say into the facts, each with who signed it. One that cannot be read leaves unknown
/// what it would have said.
pub(super) fn take_signed(
    source: &Source,
    now: Timestamp,
    facts: &mut ManifestFacts,
    vex: &mut Vec<Observed<model::VexDocument>>,
    evidence: &mut Evidence,
    signed: Result<SignedContent, Reason>,
) {
    let digest = facts.digest.clone();
    let SignedContent { artifacts, contents } = match signed {
        Ok(signed) => signed,
        Err(reason) => {
            facts.unknown(Origin::Registry(digest.to_string()), signal(reason.clone()));
            facts.signed = signal(reason);
            return;
        }
    };
    for (artifact, content) in artifacts.iter().zip(contents) {
        let (Ok(authentic), Some(content)) = (&artifact.verified, content) else { continue };
        let attested = Attested { manifest: artifact.manifest.clone(), proof: authentic.proof().clone() };
        let origin = Origin::Attestation(Box::new(attested));
        let evidence_digest = artifact.envelope.clone();
        let (at, origin_of) = (now, || origin.clone());
        match content {
            Ok(Says::Sbom(sbom)) => {
                let sbom = Observed { value: *sbom, origin, at, evidence: evidence_digest };
                push(&mut facts.sboms, vec![sbom]);
            }
            Ok(Says::Vex(document)) => {
                vex.push(Observed { value: *document, origin, at, evidence: evidence_digest });
            }
            Ok(Says::Measurements(list)) => {
                let each = |value| Observed { value, origin: origin_of(), at, evidence: evidence_digest.clone() };
                push(&mut facts.measurements, list.into_iter().map(each).collect());
            }
            Ok(Says::Report(document)) => {
                let mut document = *document;
                // The signed statement says which image it is about, unless the report says otherwise.
                if document.subject.manifests.is_empty() && document.subject.config.is_none() {
                    document.subject.manifests.push(digest.clone());
                }
                evidence.attach(document, origin, evidence_digest);
            }
            Ok(Says::Provenance(_) | Says::Other) => {}
            Err(reason) => {
                let predicate = match authentic.content() {
                    Signed::Statement(statement) => statement.predicate_type.as_str(),
                    Signed::Image(_) => continue,
                };
                match predicate::kind(predicate) {
                    Kind::Sbom => {
                        facts.unreadable.push(UnreadableDocument { kind: DocumentKind::Sbom, origin, reason });
                    }
                    Kind::Measurement => {
                        facts.unreadable.push(UnreadableDocument { kind: DocumentKind::Measurement, origin, reason });
                    }
                    Kind::Vex | Kind::Report => facts.unknown(origin, signal(reason)),
                    Kind::Provenance | Kind::Other => {}
                }
            }
        }
    }
    let origin = source.origin(&digest);
    facts.signed = Signal::Present(Observed { value: artifacts, origin, at: now, evidence: digest });
}
