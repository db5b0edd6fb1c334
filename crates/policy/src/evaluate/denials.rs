//! The deny list against what is known of an image. What is there denies, whatever a VEX document, an exception or a scanner's own list of things to
//! ignore says of it. What is not known does not deny, and is said.

use std::collections::BTreeMap;

use model::{
    Ask, Facts, ManifestFacts, NonEmpty, Outcome, Purl, Reason, ReasonCode, RuleResult, Sbom, Signal, Signer, Verdict,
};

use super::{listed, packages, sbom};
use crate::denials::{Denial, Denials, DeniedThing};
use crate::document::PackagePattern;

/// The policy that a result of the deny list names.
pub(super) const POLICY: &str = "deny-list";

/// A result for each entry that denies the image; and what could not be looked for.
pub(super) fn judge(denials: &Denials, ask: &Ask, facts: &Facts) -> (Vec<RuleResult>, Vec<String>) {
    let (mut results, mut warnings) = (Vec::new(), Vec::new());
    for denial in &denials.entries {
        match Seen::of(denial, ask, facts) {
            Seen::There(where_) => results.push(result(denial, &where_)),
            Seen::NotThere => {}
            Seen::Unknown(what) => warnings.push(format!(
                "the deny list names {} {}, and {what}: whether the image has it is not known",
                denial.what.kind(),
                denial.what.text()
            )),
        }
    }
    (results, warnings)
}

fn result(denial: &Denial, where_: &str) -> RuleResult {
    let (code, how) = if denial.quarantine {
        (ReasonCode::DenyQuarantined, "quarantined")
    } else {
        (ReasonCode::DenyListed, "denied everywhere")
    };
    let (kind, text) = (denial.what.kind(), denial.what.text());
    let message = format!("{kind} {text} is {how}: {}{where_}", denial.reason);
    RuleResult {
        policy: POLICY.to_owned(),
        rule: denial.id.clone(),
        outcome: Outcome::Fail(NonEmpty::one(Reason::new(code, message))),
        verdict: Verdict::Deny,
        on_unknown: BTreeMap::new(),
        findings: Vec::new(),
        over: Vec::new(),
        notes: Vec::new(),
    }
}

/// Whether an image has what is denied.
enum Seen {
    /// It has, and where.
    There(String),
    NotThere,
    /// Nobody knows, and why.
    Unknown(&'static str),
}

impl Seen {
    fn of(denial: &Denial, ask: &Ask, facts: &Facts) -> Self {
        let manifests = || std::iter::once(&facts.root).chain(facts.platforms.iter().flatten().map(|(_, child)| child));
        let found = |is_there: bool| if is_there { Self::There(String::new()) } else { Self::NotThere };
        match &denial.what {
            DeniedThing::Digest(digest) => {
                let is_denied = |one| one == digest || denial.also.contains(one);
                found(is_denied(&ask.digest) || manifests().any(|manifest| is_denied(&manifest.digest)))
            }
            DeniedThing::Repository(pattern) => found(pattern.covers(&ask.name())),
            DeniedThing::Signer(who) => Self::each(manifests(), |manifest| signed_by(manifest, who)),
            DeniedThing::Vulnerability(name) => Self::each(judged(facts), |manifest| finding(manifest, name)),
            DeniedThing::Package(purl) => {
                let pattern = [PackagePattern(purl.clone())];
                Self::each(judged(facts), |manifest| package(manifest, purl, &pattern))
            }
        }
    }

    /// Over manifests: it is there if it is in one of them, and unknown if it is unknown of one.
    fn each<'a>(manifests: impl Iterator<Item = &'a ManifestFacts>, of: impl Fn(&'a ManifestFacts) -> Self) -> Self {
        let mut together = Self::NotThere;
        for manifest in manifests {
            match of(manifest) {
                there @ Self::There(_) => return there,
                unknown @ Self::Unknown(_) => together = unknown,
                Self::NotThere => {}
            }
        }
        together
    }
}

/// What holds packages: the platforms of an index, or the image itself.
fn judged(facts: &Facts) -> Box<dyn Iterator<Item = &ManifestFacts> + '_> {
    match &facts.platforms {
        Some(platforms) => Box::new(platforms.iter().map(|(_, child)| child)),
        None => Box::new(std::iter::once(&facts.root)),
    }
}

fn signed_by(manifest: &ManifestFacts, who: &str) -> Seen {
    let Signal::Present(list) = &manifest.signed else {
        return if matches!(manifest.signed, Signal::Absent(_)) {
            Seen::NotThere
        } else {
            Seen::Unknown("its signatures were not looked at")
        };
    };
    // What does not verify proves nothing of anybody.
    let verified = list.value.iter().flat_map(|artifact| &artifact.verified);
    let mut signers = verified.map(|authentic| &authentic.proof().signer);
    match signers.find(|signer| is_signer(signer, who)) {
        Some(signer) => Seen::There(format!(" (signed by {signer})")),
        None => Seen::NotThere,
    }
}

fn is_signer(signer: &Signer, who: &str) -> bool {
    match signer {
        Signer::Key { key, .. } => key.as_str() == who,
        Signer::Keyless { identity, certificate, .. } => identity.as_str() == who || certificate.as_str() == who,
        Signer::X509 { subject, certificate, key, .. } => {
            subject == who || certificate.as_str() == who || key.as_str() == who
        }
    }
}

fn finding(manifest: &ManifestFacts, name: &str) -> Seen {
    let mut was_scanned = false;
    for report in &manifest.reports {
        let scanned = match &report.scan {
            Signal::Present(scan) => Some(scan.value.findings()),
            Signal::Unavailable { last: Some(last), .. } => Some(last.value.findings()),
            _ => None,
        };
        was_scanned |= scanned.is_some();
        let mut all = scanned.into_iter().flatten().chain(&report.unproven);
        if let Some(finding) = all.find(|finding| finding.mentions(name)) {
            return Seen::There(format!(" ({} in {})", finding.id.as_str(), finding.package_names()));
        }
    }
    if was_scanned { Seen::NotThere } else { Seen::Unknown("no scan of it is known") }
}

fn package(manifest: &ManifestFacts, purl: &Purl, pattern: &[PackagePattern]) -> Seen {
    let mut was_listed = false;
    if let Signal::Present(contents) = &manifest.contents {
        was_listed |= contents.value.unreadable.is_empty() && !contents.value.packages.is_empty();
        let held: Vec<String> = packages::those(pattern, &contents.value);
        if !held.is_empty() {
            return Seen::There(format!(" (in its layers: {})", listed(&held)));
        }
    }
    if let Signal::Present(list) = &manifest.sboms {
        for document in &list.value {
            was_listed = true;
            let held: Vec<String> = in_sbom(pattern, &document.value);
            if !held.is_empty() {
                return Seen::There(format!(" (in its bill of materials: {})", listed(&held)));
            }
        }
    }
    let found = manifest.reports.iter().flat_map(|report| match &report.scan {
        Signal::Present(scan) => scan.value.findings(),
        _ => &report.unproven,
    });
    let mut named = found.flat_map(|finding| &finding.packages).filter_map(|package| package.purl.as_deref());
    let is_it = |text: &str| {
        Purl::parse(text).is_some_and(|other| {
            purl.is_same_package(&other)
                && purl.full_version().is_none_or(|version| other.full_version() == Some(version))
        })
    };
    if let Some(text) = named.find(|text| is_it(text)) {
        return Seen::There(format!(" (a scanner found {text})"));
    }
    if was_listed { Seen::NotThere } else { Seen::Unknown("no list of its packages is known") }
}

fn in_sbom(pattern: &[PackagePattern], document: &Sbom) -> Vec<String> {
    sbom::denied_packages(pattern, document)
}

#[cfg(test)]
mod tests;
