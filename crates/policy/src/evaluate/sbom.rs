//! The `sbom` rule: a bill of materials that the policy accepts, that is about this image, and that lists nothing denied.
//! A missing one breaks the rule, one that could not be asked for is unknown (S4); it counts by a signer or a way that the
//! policy lists (S22). Documents that do not count satisfy nothing; what they list is noted.

mod licenses;
mod packages;

use std::collections::BTreeSet;

use model::{
    Clock, Contents, DocumentKind, Gap, ManifestFacts, Observed, Origin, OsPackage, Reason, ReasonCode, Sbom, Signal,
};

use super::Found;
use super::rule::Scene;
use super::sources::{Believing, Standing};
use crate::document::{EvidenceSources, MustMatch, PackagePattern, Sbom as Rule, SbomFormat};

/// How many names a message lists.
const SHOWN: usize = 5;

/// The components that these patterns deny, and those of which it cannot be told: a deny list is on the safe side.
pub(super) fn denied_packages(patterns: &[PackagePattern], sbom: &Sbom) -> Vec<String> {
    let (mut denied, unclear) = packages::denied(Some(patterns), sbom);
    denied.extend(unclear);
    denied
}

pub(super) fn judge(scene: &Scene<'_, '_>, rule: &Rule, manifest: &ManifestFacts) -> Found {
    let believing = Believing::of(scene);
    let mut found = weigh(rule, manifest, &believing);
    believing.add_unreadable(&mut found, rule.from.as_ref(), manifest, DocumentKind::Sbom);
    found
}

fn weigh(rule: &Rule, manifest: &ManifestFacts, believing: &Believing<'_>) -> Found {
    let clock = believing.clock;
    let mut found = Found::nothing();
    let documents = match &manifest.sboms {
        // Nobody looked where this rule looks.
        Signal::Absent(why)
            if why.code == ReasonCode::NotHandedOver
                && rule.from.as_ref().is_some_and(EvidenceSources::look_in_registry) =>
        {
            found.gaps.push(Gap::from(why.clone()));
            return found;
        }
        Signal::Absent(why) => {
            found.gaps = believing.unseen(rule.signers(), manifest);
            if found.gaps.is_empty() {
                found.failures.push(missing(rule, &why.message));
            }
            return found;
        }
        signal => match signal.usable(None, clock) {
            Ok(observed) => &observed.value,
            Err(gap) => {
                found.gaps.push(gap);
                return found;
            }
        },
    };
    let (mut accepted, mut others) = (Vec::new(), Vec::new());
    for document in documents {
        match standing(rule, document, believing) {
            Standing::Open | Standing::Signed(_) => accepted.push(document),
            Standing::Not(why) => {
                found.notes.push(format!("{} does not count: {why}", described(document)));
                others.push(document);
            }
            Standing::Unknown(mut gap) => {
                gap.reason.message.insert_str(0, &format!("{}: ", described(document)));
                found.gaps.push(gap);
                others.push(document);
            }
        }
    }
    if accepted.is_empty() {
        found.gaps.extend(believing.unseen(rule.signers(), manifest));
    }
    if accepted.is_empty() && found.gaps.is_empty() {
        let what = match (documents.len(), rule.from.is_some()) {
            (0, _) => "there is none for this image".to_owned(),
            (count, false) => format!("there are {count}, and the policy has no `from`"),
            (count, true) => format!("none of the {count} there are counts"),
        };
        found.failures.push(missing(rule, &what));
    }
    let about =
        if rule.must_match.is_some() { matching(rule, manifest, &accepted, clock, &mut found) } else { accepted };
    search(rule, &about, &mut found);
    for document in others {
        let mut shown = Found::nothing();
        search(rule, &[document], &mut shown);
        found.notes.extend(shown.failures.into_iter().map(|reason| reason.message));
    }
    found
}

/// Whether a document counts.
fn standing(rule: &Rule, document: &Observed<Sbom>, believing: &Believing<'_>) -> Standing {
    let listed = |formats: &Vec<_>| formats.iter().any(|format: &SbomFormat| format.as_str() == document.value.format);
    match believing.standing(rule.from.as_ref(), &document.origin) {
        Standing::Not(why) => Standing::Not(why),
        _ if !rule.formats.as_ref().is_none_or(listed) => {
            Standing::Not(format!("the rule does not list the format {}", document.value.format))
        }
        standing => standing,
    }
}

fn missing(rule: &Rule, what: &str) -> Reason {
    let reason = Reason::new(ReasonCode::SbomMissing, format!("no bill of materials that counts: {what}"));
    if rule.from.is_some() {
        return reason;
    }
    reason.remedy(
        "Say in the rule whose count: `from: [file]` for those given with `--sbom`, `from: [registry]` for those attached in \
         the repository, names of `spec.signers` for those that they signed.",
    )
}

/// The accepted documents that are about this image; says so if there are none.
fn matching<'a>(
    rule: &Rule,
    manifest: &ManifestFacts,
    accepted: &[&'a Observed<Sbom>],
    clock: &Clock,
    found: &mut Found,
) -> Vec<&'a Observed<Sbom>> {
    let image_id = manifest.config.usable(None, clock).map(|config| &config.value.id);
    let named = |document: &&&Observed<Sbom>| {
        let describes = &document.value.describes;
        describes.contains(&manifest.digest) || image_id.as_ref().is_ok_and(|id| describes.contains(*id))
    };
    let about: Vec<&Observed<Sbom>> = accepted.iter().filter(named).copied().collect();
    if about.is_empty() {
        if accepted.is_empty() {
            return about;
        }
        if let Err(gap) = image_id {
            // One of the digests may be the image id, which could not be had.
            if accepted.iter().any(|document| !document.value.describes.is_empty()) {
                found.gaps.push(gap);
                return about;
            }
        }
        found.failures.push(names_another(manifest, accepted));
        return about;
    }
    for document in accepted.iter().filter(|document| !named(document)) {
        found.notes.push(format!("{} is not about this image and was not searched", described(document)));
    }
    if rule.must_match == Some(MustMatch::OsPackages) {
        match manifest.contents.usable(None, clock) {
            Err(gap) => found.gaps.push(gap),
            Ok(contents) => same_packages(&contents.value, &about, found),
        }
    }
    about
}

fn names_another(manifest: &ManifestFacts, accepted: &[&Observed<Sbom>]) -> Reason {
    let digests: BTreeSet<&str> =
        accepted.iter().flat_map(|document| &document.value.describes).map(model::Digest::as_str).collect();
    let digests: Vec<&str> = digests.into_iter().collect();
    let named = if digests.is_empty() { "no digest at all".to_owned() } else { first(&digests) };
    let message = format!(
        "no bill of materials names this image, {}, by the digest of its manifest or configuration; named is {named}",
        manifest.digest
    );
    Reason::new(ReasonCode::SbomMismatch, message).remedy(
        "Make it from the image in the registry, by digest and for each platform apart: the digest of an index does not \
         say whose packages it lists.",
    )
}

/// At least one document lists what the package databases of the layers hold.
fn same_packages(contents: &Contents, about: &[&Observed<Sbom>], found: &mut Found) {
    if !contents.unreadable.is_empty() {
        let message = format!("cannot compare the packages: {} cannot be read", first(&contents.unreadable));
        found.gaps.push(Gap::from(Reason::new(ReasonCode::ContentUnsupported, message)));
        return;
    }
    let closest = about
        .iter()
        .map(|document| (model::compare(&document.value, contents), document))
        .min_by_key(|(compared, _)| compared.missing.len() + compared.phantom.len());
    let Some((compared, document)) = closest else { return };
    if compared.is_match() {
        if contents.databases.is_empty() {
            let note = "the layers hold no package database: there was nothing to compare packages with";
            found.notes.push(note.to_owned());
        }
        return;
    }
    let named = |packages: &[OsPackage]| {
        let names: Vec<String> =
            packages.iter().map(|package| format!("{} {} {}", package.kind, package.name, package.version)).collect();
        first(&names)
    };
    let mut parts = Vec::new();
    if !compared.missing.is_empty() {
        parts.push(format!("not listed but in the image: {}", named(&compared.missing)));
    }
    if !compared.phantom.is_empty() {
        parts.push(format!("listed but not in the image: {}", named(&compared.phantom)));
    }
    let message = format!("{} lists other packages than the image holds; {}", described(document), parts.join("; "));
    found.failures.push(Reason::new(ReasonCode::SbomMismatch, message));
}

/// Looks for what is denied.
fn search(rule: &Rule, documents: &[&Observed<Sbom>], found: &mut Found) {
    for document in documents {
        let sbom = &document.value;
        let named = described(document);
        let (denied, unclear) = packages::denied(rule.deny_packages.as_deref(), sbom);
        if !denied.is_empty() {
            let message = format!("{named} lists denied packages: {}", first(&denied));
            found.failures.push(Reason::new(ReasonCode::SbomDeniedPackage, message));
        }
        if !unclear.is_empty() {
            let message =
                format!("{named} does not say enough to tell whether these are denied packages: {}", first(&unclear));
            let remedy = "Make it with a tool that writes a package URL with a version for every component.";
            found.gaps.push(Gap::from(Reason::new(ReasonCode::SbomInvalid, message).remedy(remedy)));
        }
        let Some(ids) = &rule.deny_licenses else { continue };
        let (denied, silent) = licenses::denied(ids, sbom);
        if !denied.is_empty() {
            let message = format!("{named} lists denied licences: {}", first(&denied));
            found.failures.push(Reason::new(ReasonCode::SbomDeniedLicense, message));
        }
        if silent > 0 {
            let total = sbom.components.len();
            found.notes.push(format!("{named} names no SPDX licence for {silent} of {total} components"));
        }
    }
}

/// The first few, and how many there are.
fn first<T: AsRef<str>>(names: &[T]) -> String {
    let shown: Vec<&str> = names.iter().take(SHOWN).map(AsRef::as_ref).collect();
    let shown = shown.join(", ");
    if names.len() > SHOWN {
        format!("{shown} and {} more ({} in all)", names.len() - SHOWN, names.len())
    } else {
        shown
    }
}

/// The document as people know it.
fn described(document: &Observed<Sbom>) -> String {
    let format = match document.value.format.as_str() {
        "cyclonedx" => "CycloneDX",
        "spdx" => "SPDX",
        other => other,
    };
    match &document.origin {
        Origin::File(name) => format!("the {format} bill of materials {name}"),
        Origin::Registry(name) => format!("the {format} bill of materials {name} in the registry"),
        Origin::Attestation(attested) => format!("the {format} bill of materials {attested}"),
        Origin::Ecr(region) => format!("the {format} bill of materials from ECR in {region}"),
    }
}

#[cfg(test)]
mod tests;
