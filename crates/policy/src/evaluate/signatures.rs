//! The `signatures` rule: k of n different signers, some of them required (S27). A signer is whoever holds the key or has
//! the identity: one key under two names is one, and two signatures by one are one. What is missing breaks the rule; what
//! could not be had makes it unknown only where it could still make up for what is missing.

use std::collections::{BTreeMap, BTreeSet};

use model::{CertificateIdentity, Digest, Gap, ManifestFacts, Reason, ReasonCode, Signed, SignedArtifact, Signer};

use super::Found;
use super::rule::Scene;
use super::signed::{could_be, led, listed, meant, standing};
use crate::document::Signatures;

/// Who really signed, whatever name a policy gives to them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Holder<'a> {
    Key(&'a Digest),
    Identity(&'a CertificateIdentity, &'a str),
    Subject(&'a str),
    /// Whoever made the artifact at this place, which does not verify.
    Open(usize),
}

/// Under which names who signed.
type Signers<'n, 'a> = BTreeMap<&'n str, BTreeSet<Holder<'a>>>;

pub(super) fn judge(scene: &Scene<'_, '_>, rule: &Signatures, manifest: &ManifestFacts) -> Found {
    let artifacts = match listed(manifest, scene) {
        Ok(artifacts) => artifacts,
        Err(gap) => return Found::open(vec![gap], Vec::new()),
    };
    let names = meant(scene, rule.of.as_deref());
    let (mut signed, mut possible) = (Signers::new(), Signers::new());
    let mut gaps: Vec<(&str, Gap)> = Vec::new();
    let (mut others, mut statements) = (Vec::new(), 0_usize);
    // Whoever signs with a bare key and with a certificate for that key is one holder.
    let bare: BTreeSet<&Digest> = artifacts.iter().filter_map(bare_key).collect();
    for (place, artifact) in artifacts.iter().enumerate() {
        let authentic = match &artifact.verified {
            Ok(authentic) => authentic,
            Err(reasons) => {
                for (name, gap) in could_be(scene, &names, reasons) {
                    possible.entry(name).or_insert_with(BTreeSet::new).insert(Holder::Open(place));
                    gaps.push((name, gap));
                }
                others.extend(led(artifact, reasons.iter().cloned()));
                continue;
            }
        };
        let image = match authentic.content() {
            Signed::Image(image) => image,
            Signed::Statement(_) => {
                statements += 1;
                continue;
            }
        };
        if image.digest != manifest.digest {
            let message = format!("it is about {}", image.digest);
            others.extend(led(artifact, [Reason::new(ReasonCode::SignatureOtherImage, message)]));
            continue;
        }
        let holder = holder(&authentic.proof().signer, &bare);
        let standing = standing(scene, &names, authentic);
        if standing.counts.is_empty() && standing.open.is_empty() {
            others.extend(led(artifact, [standing.why_not(&names, authentic)]));
        }
        for name in &standing.counts {
            signed.entry(name).or_insert_with(BTreeSet::new).insert(holder.clone());
        }
        for (name, gap) in standing.open {
            possible.entry(name).or_insert_with(BTreeSet::new).insert(holder.clone());
            gaps.push((name, gap));
        }
    }
    if is_met(rule, &names, &signed) {
        return Found::passed(others);
    }
    for (name, holders) in &signed {
        possible.entry(name).or_insert_with(BTreeSet::new).extend(holders.iter().cloned());
    }
    if is_met(rule, &names, &possible) {
        // One reason for each is enough, and none for those who signed already.
        let mut told = BTreeSet::new();
        gaps.retain(|(name, _)| !signed.contains_key(name) && told.insert(*name));
        let gaps: Vec<Gap> = gaps.into_iter().map(|(_, gap)| gap).collect();
        if !gaps.is_empty() {
            return Found::open(gaps, others);
        }
    }
    Found::broken(vec![missing(rule, &names, &signed, statements)], others)
}

fn bare_key(artifact: &SignedArtifact) -> Option<&Digest> {
    match &artifact.verified.as_ref().map_or(None, |authentic| Some(authentic.proof()))?.signer {
        Signer::Key { key, .. } => Some(key),
        Signer::Keyless { .. } | Signer::X509 { .. } => None,
    }
}

fn holder<'a>(signer: &'a Signer, bare: &BTreeSet<&Digest>) -> Holder<'a> {
    match signer {
        Signer::X509 { key, .. } if bare.contains(key) => Holder::Key(key),
        Signer::Key { key, .. } => Holder::Key(key),
        Signer::Keyless { identity, issuer, .. } => Holder::Identity(identity, issuer),
        Signer::X509 { subject, .. } => Holder::Subject(subject),
    }
}

/// True if enough different signers signed, and every one that is required.
fn is_met(rule: &Signatures, names: &[&str], signed: &Signers<'_, '_>) -> bool {
    let required: Vec<&str> = rule.required.iter().flatten().map(String::as_str).collect();
    different(&required, signed) == required.len() && different(names, signed) >= rule.threshold()
}

/// How many of these names different holders signed under: the largest matching of names and holders. If the required
/// names can be matched at all, a largest matching of all names can keep every one of them.
fn different(names: &[&str], signed: &Signers<'_, '_>) -> usize {
    let mut taken: BTreeMap<&Holder<'_>, &str> = BTreeMap::new();
    names.iter().filter(|name| place(name, signed, &mut taken, &mut BTreeSet::new())).count()
}

/// Finds a holder for a name, moving others to another holder of theirs where that makes room.
fn place<'s>(
    name: &'s str,
    signed: &'s Signers<'_, '_>,
    taken: &mut BTreeMap<&'s Holder<'s>, &'s str>,
    tried: &mut BTreeSet<&'s Holder<'s>>,
) -> bool {
    for holder in signed.get(name).into_iter().flatten() {
        if !tried.insert(holder) {
            continue;
        }
        let free = match taken.get(holder).copied() {
            None => true,
            Some(other) => place(other, signed, taken, tried),
        };
        if free {
            taken.insert(holder, name);
            return true;
        }
    }
    false
}

/// Who has to sign yet.
fn missing(rule: &Signatures, names: &[&str], signed: &Signers<'_, '_>, statements: usize) -> Reason {
    let absent: Vec<&str> = names.iter().filter(|name| !signed.contains_key(*name)).copied().collect();
    if signed.is_empty() {
        let aside = match statements {
            0 => String::new(),
            1 => " (a signed statement is attached, which is no signature on the image)".to_owned(),
            count => format!(" ({count} signed statements are attached, which are no signatures on the image)"),
        };
        let message = format!("no signature counts: missing is {}{aside}", asked(rule, names));
        return Reason::new(ReasonCode::SignatureMissing, message);
    }
    let there: Vec<&str> = signed.keys().copied().collect();
    let mut parts = vec![format!("{} signed, and asked for is {}", there.join(", "), asked(rule, names))];
    if !absent.is_empty() {
        parts.push(format!("missing: {}", absent.join(", ")));
    }
    let different = different(&there, signed);
    if different < there.len() {
        parts.push(format!("behind {} are {different} different signers, and each counts once", there.join(", ")));
    }
    Reason::new(ReasonCode::SignatureThreshold, parts.join("; "))
}

/// What the rule asks for, in words.
fn asked(rule: &Signatures, names: &[&str]) -> String {
    let threshold = rule.threshold();
    let required = rule.required.as_ref().filter(|required| required.len() < names.len());
    let number = match names {
        [only] => return (*only).to_owned(),
        names if threshold >= names.len() => format!("each of {}", names.join(", ")),
        names => format!("{threshold} of {}", names.join(", ")),
    };
    match required {
        Some(required) => format!("{number} with {}", required.join(", ")),
        None => number,
    }
}

#[cfg(test)]
mod tests;
