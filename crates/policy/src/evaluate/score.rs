//! The trust score: how much is known about an image from people who count, in points from 0 to 100 (S43, M9). A number to
//! compare and to watch; nothing is decided by it. Only signers that the matching policies declare give points, and each
//! part gives all of its points or none.

use std::borrow::Cow;

use model::{Ask, Clock, Facts, ManifestFacts, Origin, Proof, Sbom, Signal, Signed, SignedArtifact, Timestamp};
use serde::{Deserialize, Serialize};

use super::signers::{Counts, counts};
use crate::document::VSA;
use crate::set::{Member, PolicySet};

/// How much is known about an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrustScore {
    /// The sum of the points, 0 to 100.
    pub score: u8,
    /// What it is made of.
    pub parts: Vec<TrustPart>,
}

/// One part of the trust score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrustPart {
    /// What is looked at.
    pub name: Cow<'static, str>,
    /// How many points it can give.
    pub weight: u8,
    /// How many it gives.
    pub points: u8,
    /// Why.
    pub why: String,
}

impl TrustScore {
    /// The parts and their weights, as they are published; together 100.
    pub const WEIGHTS: [(&'static str, u8); 6] = [
        ("signature", 25),
        ("signingTime", 10),
        ("provenance", 25),
        ("sbom", 10),
        ("signedSbom", 10),
        ("completeScan", 20),
    ];
}

/// Why a part gives its points, or why not.
type Part = Result<String, String>;

/// The trust score of an image under the policies that match.
pub fn trust_score(set: &PolicySet, ask: &Ask, facts: &Facts, now: Timestamp) -> TrustScore {
    let clock = Clock::at(now);
    let members: Vec<&Member> = set.matching(ask).collect();
    let known = Known { members, facts, clock: &clock };
    let found: [Part; 6] = [
        known.root_or_all(|manifest| known.signed(manifest, false)),
        known.root_or_all(|manifest| known.signed(manifest, true)),
        known.root_or_all(|manifest| known.provenance(manifest)),
        known.all(|manifest| known.sbom(manifest, false)),
        known.all(|manifest| known.sbom(manifest, true)),
        known.all(scan),
    ];
    let parts: Vec<TrustPart> = TrustScore::WEIGHTS
        .into_iter()
        .zip(found)
        .map(|((name, weight), found)| match found {
            Ok(why) => TrustPart { name: name.into(), weight, points: weight, why },
            Err(why) => TrustPart { name: name.into(), weight, points: 0, why },
        })
        .collect();
    TrustScore { score: parts.iter().map(|part| part.points).sum(), parts }
}

struct Known<'a> {
    members: Vec<&'a Member>,
    facts: &'a Facts,
    clock: &'a Clock,
}

impl Known<'_> {
    /// True of the digest that is asked about, or of each platform of it.
    fn root_or_all(&self, part: impl Fn(&ManifestFacts) -> Part) -> Part {
        match (part(&self.facts.root), &self.facts.platforms) {
            (Err(why), Some(_)) => self.all(part).map_err(|_| why),
            (answer, _) => answer,
        }
    }

    /// True of the image, or of each platform of an index.
    fn all(&self, part: impl Fn(&ManifestFacts) -> Part) -> Part {
        let Some(platforms) = &self.facts.platforms else { return part(&self.facts.root) };
        let mut last = None;
        for (platform, manifest) in platforms {
            let lead = |why: String| format!("{platform}: {why}");
            last = Some(part(manifest).map(lead).map_err(lead)?);
        }
        last.ok_or_else(|| "there is nothing to look at".to_owned())
    }

    /// The signer that a proof counts as, by any of the policies.
    fn counts(&self, proof: &Proof) -> Option<String> {
        let trust = self.facts.trust.as_ref();
        let mut names = self.members.iter().flat_map(|member| member.signer_names().map(move |name| (member, name)));
        names
            .find(|(member, name)| counts(member, name, proof, trust, self.clock) == Counts::Yes)
            .map(|(_, name)| name.to_owned())
    }

    fn signed(&self, manifest: &ManifestFacts, at_a_proven_time: bool) -> Part {
        let mut why_not = "no signature is by a signer that counts".to_owned();
        for artifact in artifacts(manifest)? {
            let Ok(authentic) = &artifact.verified else { continue };
            let Signed::Image(image) = authentic.content() else { continue };
            let proof = authentic.proof();
            if image.digest != manifest.digest {
                continue;
            }
            let Some(name) = self.counts(proof) else { continue };
            match proof.proven.first() {
                Some(proven) if at_a_proven_time => return Ok(format!("{name} provably signed at {}", proven.at)),
                None if at_a_proven_time => why_not = format!("nothing proves when {name} signed"),
                _ => return Ok(format!("{name} signed")),
            }
        }
        Err(why_not)
    }

    fn provenance(&self, manifest: &ManifestFacts) -> Part {
        for artifact in artifacts(manifest)? {
            let (Ok(authentic), Some(Ok(provenance))) = (&artifact.verified, &artifact.provenance) else { continue };
            let Signed::Statement(statement) = authentic.content() else { continue };
            if !statement.subjects.contains(&manifest.digest) || statement.predicate_type == VSA {
                continue;
            }
            if let Some(name) = self.counts(authentic.proof()) {
                return Ok(format!("{name} says that {} built it", provenance.builder));
            }
        }
        Err("no provenance is by a signer that counts".to_owned())
    }

    fn sbom(&self, manifest: &ManifestFacts, signed: bool) -> Part {
        let Signal::Present(observed) = &manifest.sboms else { return Err(why_not(&manifest.sboms)) };
        if !signed {
            let there = observed.value.first().map(|document: &model::Observed<Sbom>| document.value.format.clone());
            return there
                .map(|format| format!("there is one ({format})"))
                .ok_or_else(|| "there is no bill of materials".to_owned());
        }
        let by = observed.value.iter().find_map(|document| match &document.origin {
            Origin::Attestation(attested) => self.counts(&attested.proof),
            Origin::Ecr(_) | Origin::File(_) | Origin::Registry(_) => None,
        });
        by.map(|name| format!("{name} signed it"))
            .ok_or_else(|| "no bill of materials is signed by a signer that counts".to_owned())
    }
}

fn scan(manifest: &ManifestFacts) -> Part {
    let scanned = manifest.reports.iter().find(|report| matches!(report.scan, Signal::Present(_)));
    scanned
        .map(|report| format!("{} completed a scan", report.scanner))
        .ok_or_else(|| "no scanner completed a scan".to_owned())
}

fn artifacts(manifest: &ManifestFacts) -> Result<&[SignedArtifact], String> {
    match &manifest.signed {
        Signal::Present(observed) => Ok(&observed.value),
        other => Err(why_not(other)),
    }
}

fn why_not<T>(signal: &Signal<T>) -> String {
    signal.why_not().map_or_else(String::new, |why| why.message.clone())
}

#[cfg(test)]
mod tests;
