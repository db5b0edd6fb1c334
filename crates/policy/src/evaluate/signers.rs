//! Whether a proof is by a signer that counts, now and when it was made (S27): authentication said who signed what and
//! when that is proven, and this says what the policy makes of it. What cannot be told because trust material is not at
//! hand is [`Counts::Unknown`], never a no and never a yes. Every comparison with the present goes through the clock.

use model::{
    Clock, Gap, Proof, ProvenTime, Reason, ReasonCode, Revocation, Signer as By, Timestamp, TrustMaterial, TrustName,
};

use crate::document::{Key, Keyless, RevocationRule, Revoked, Signer, SignerKind, X509};
use crate::set::Member;

/// Whether something counts as this signer's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Counts {
    /// It does.
    Yes,
    /// It does not, and why.
    No(Reason),
    /// That cannot be told, and why.
    Unknown(Gap),
}

/// Whether a proof counts as one by the signer that the policy gives this name.
pub(super) fn counts(
    member: &Member,
    signer: &str,
    proof: &Proof,
    trust: Option<&TrustMaterial>,
    clock: &Clock,
) -> Counts {
    let Some(declared) = member.signer(signer) else {
        let message = format!("the policy has no signer {signer:?}");
        return Counts::Unknown(Gap::from(Reason::new(ReasonCode::Internal, message)));
    };
    let own = believed(member, proof, trust);
    let candidate = Candidate { member, name: signer, declared, proof: &own, trust, clock };
    match candidate.judge() {
        Ok(()) => Counts::Yes,
        Err(Not::No(reason)) => Counts::No(reason),
        // Whether it is by somebody who never counts does not matter.
        Err(Not::Unknown(_)) if never_counts(member, signer) => {
            let message = format!("signer {signer} is revoked");
            Counts::No(Reason::new(ReasonCode::SignatureRevoked, message))
        }
        Err(Not::Unknown(gap)) => Counts::Unknown(gap),
    }
}

/// True if nothing that this signer signed can count, now or later.
pub(crate) fn never_counts(member: &Member, signer: &str) -> bool {
    member.signer(signer).is_some_and(|declared| declared.revoked == Some(Revoked::Always))
}

/// What of a proof this policy believes: log entries and times that only roots of other policies vouch for are nothing to
/// it, and so are refusals by such roots. A certificate is looked at apart: it needs one root that this policy trusts.
fn believed(member: &Member, proof: &Proof, trust: Option<&TrustMaterial>) -> Proof {
    let trusted = root(member, trust).map_or(&[][..], |roots| roots);
    let known = |proven: &&ProvenTime| proven.root.as_ref().is_none_or(|root| trusted.contains(root));
    let proven = proof.proven.iter().filter(known).cloned().collect();
    let log = proof.log.clone().filter(|log| log.roots.iter().any(|root| trusted.contains(root)));
    let refused = proof.refused.iter().filter(|(root, _)| trusted.contains(root)).cloned().collect();
    Proof { log, proven, refused, ..proof.clone() }
}

/// Whether what this signer signed could be told from what it did not; why not, if not. A signer that never counts needs
/// no material.
pub(super) fn at_hand(member: &Member, signer: &str, trust: Option<&TrustMaterial>) -> Result<(), Gap> {
    let Some(declared) = member.signer(signer).filter(|_| !never_counts(member, signer)) else { return Ok(()) };
    match declared.kind() {
        Some(SignerKind::Key(_)) => key(member, signer, trust).map(|_| ()),
        Some(SignerKind::Keyless(_)) => root(member, trust).map(|_| ()),
        Some(SignerKind::X509(_)) | None if trust.is_none() => Err(no_material(signer)),
        Some(SignerKind::X509(_)) | None => Ok(()),
    }
}

/// Why a proof is not this signer's.
enum Not {
    No(Reason),
    Unknown(Gap),
}

impl From<Gap> for Not {
    fn from(gap: Gap) -> Self {
        Self::Unknown(gap)
    }
}

struct Candidate<'a> {
    member: &'a Member,
    name: &'a str,
    declared: &'a Signer,
    proof: &'a Proof,
    trust: Option<&'a TrustMaterial>,
    clock: &'a Clock,
}

impl Candidate<'_> {
    fn judge(&self) -> Result<(), Not> {
        self.is_meant()?;
        if let Some((_, reason)) = self.proof.refused.first() {
            return Err(Not::No(reason.clone()));
        }
        self.revoked()?;
        self.log()?;
        self.window()?;
        self.certificate()
    }

    fn no(&self, code: ReasonCode, why: &str) -> Result<(), Not> {
        Err(Not::No(Reason::new(code, format!("{} is signer {}, and {why}", self.proof.signer, self.name))))
    }

    /// It is by whom the policy means.
    fn is_meant(&self) -> Result<(), Not> {
        let name = self.name;
        let other = |why: String| {
            let message = format!("{} is not signer {name}: {why}", self.proof.signer);
            Err(Not::No(Reason::new(ReasonCode::SignatureIdentity, message)))
        };
        match (self.declared.kind(), &self.proof.signer) {
            (Some(SignerKind::Key(declared)), By::Key { key: made_by, .. }) => {
                if key(self.member, name, self.trust)? == made_by {
                    return Ok(());
                }
                other(format!("that is another key{}", named(declared)))
            }
            (Some(SignerKind::Keyless(wanted)), By::Keyless { identity, issuer, claims, .. }) => {
                let differs = differing(wanted, identity.as_str(), issuer, |claim| claims.get(claim));
                if !differs.is_empty() {
                    return other(differs.join(", "));
                }
                let trusted = root(self.member, self.trust)?;
                if self.proof.roots.iter().any(|root| trusted.contains(root)) {
                    return Ok(());
                }
                let message =
                    format!("{} is not signer {name}: no trusted root of this policy vouches", self.proof.signer);
                Err(Not::No(Reason::new(ReasonCode::SignatureUntrusted, message)))
            }
            (Some(SignerKind::X509(wanted)), By::X509 { stores, subject, .. }) => {
                self.in_store(wanted, stores, subject)
            }
            (Some(SignerKind::Key(_)), _) => other("that is a key".to_owned()),
            (Some(SignerKind::Keyless(_)), _) => other("that is a keyless identity".to_owned()),
            (Some(SignerKind::X509(_)), _) => other("that is a certificate of a trust store".to_owned()),
            (None, _) => {
                let message = format!("signer {name} is not of one kind");
                Err(Not::Unknown(Gap::from(Reason::new(ReasonCode::Internal, message))))
            }
        }
    }

    fn in_store(&self, wanted: &X509, stores: &[TrustName], subject: &str) -> Result<(), Not> {
        let store = trust_name(self.member, self.name);
        let why = if !stores.contains(&store) {
            "its chain does not end at the certificates of that signer".to_owned()
        } else if wanted.subjects.as_ref().is_some_and(|list| !list.iter().any(|wanted| wanted.is_met_by(subject))) {
            let list: Vec<String> = wanted.subjects.iter().flatten().map(|wanted| format!("`{wanted}`")).collect();
            format!("the subject has not all of {}", list.join(" or of "))
        } else {
            return Ok(());
        };
        let message = format!("{} is not signer {}: {why}", self.proof.signer, self.name);
        Err(Not::No(Reason::new(ReasonCode::SignatureIdentity, message)))
    }

    /// What is proven to be older than a revocation may still count; nothing else does.
    fn revoked(&self) -> Result<(), Not> {
        match self.declared.revoked {
            None => Ok(()),
            Some(Revoked::Always) => self.no(ReasonCode::SignatureRevoked, "that signer is revoked"),
            Some(Revoked::At(_)) if self.proof.proven.is_empty() => {
                let why = "that signer is revoked, and nothing proves that this was signed before";
                self.no(ReasonCode::SignatureRevoked, why)
            }
            Some(Revoked::At(at)) => match self.proof.proven.iter().find(|proven| proven.at >= at) {
                None => Ok(()),
                Some(proven) => {
                    let why = format!("that signer is revoked since {at}; this was signed at {}", proven.at);
                    self.no(ReasonCode::SignatureRevoked, &why)
                }
            },
        }
    }

    fn log(&self) -> Result<(), Not> {
        if self.declared.needs_log() && self.proof.log.is_none() {
            // Without roots no log is known, and an entry could not have been verified.
            root(self.member, self.trust)?;
            self.no(ReasonCode::SignatureLogMissing, "nothing shows this in a transparency log")?;
        }
        if self.declared.keyless.is_some() && self.proof.proven.is_empty() {
            // Its certificate is valid for minutes; without a witness nobody knows when it was used.
            self.no(ReasonCode::SignatureTimeUnproven, "nothing trusted proves when it signed")?;
        }
        Ok(())
    }

    /// The time in which the policy lets the signer count.
    fn window(&self) -> Result<(), Not> {
        let (since, until) = (self.declared.not_before.map(|day| day.0), self.declared.not_after.map(|day| day.0));
        let outside = |what: &str, moment: Timestamp| {
            self.no(ReasonCode::SignatureWindow, &format!("it counts only {what} {moment}"))
        };
        if self.proof.proven.is_empty() {
            return match (since, until) {
                (Some(since), _) if !self.clock.reached(since) => outside("from", since),
                (_, Some(until)) if self.clock.reached(until) => {
                    let why = format!("it counted only until {until}; nothing proves that this was signed before");
                    self.no(ReasonCode::SignatureWindow, &why)
                }
                _ => Ok(()),
            };
        }
        for proven in &self.proof.proven {
            let why = match (since, until) {
                (Some(since), _) if proven.at < since => format!("it counts only from {since}"),
                (_, Some(until)) if proven.at >= until => format!("it counted only until {until}"),
                _ => continue,
            };
            let why = format!("{why}; this was signed at {}", proven.at);
            return self.no(ReasonCode::SignatureWindow, &why);
        }
        Ok(())
    }

    /// The certificate's own validity, the end that the signer set, and revocation by the certificate's issuer.
    fn certificate(&self) -> Result<(), Not> {
        if let Some((start, end)) = self.proof.window {
            for proven in &self.proof.proven {
                if proven.at < start || proven.at > end {
                    let why = format!("its certificate holds from {start} to {end}; it signed at {}", proven.at);
                    return self.no(ReasonCode::SignatureCertificateTime, &why);
                }
            }
            if self.proof.proven.is_empty() {
                if !self.clock.reached(start) {
                    let why = format!("its certificate holds only from {start}");
                    return self.no(ReasonCode::SignatureCertificateTime, &why);
                }
                if past(self.clock, end) {
                    let why = format!("its certificate ended at {end}; no trusted timestamp proves it signed before");
                    return self.no(ReasonCode::SignatureExpired, &why);
                }
            }
        }
        if let Some(expires) = self.proof.expires
            && self.clock.reached(expires)
        {
            return self.no(ReasonCode::SignatureExpired, &format!("it let this signature end at {expires}"));
        }
        let (Some(SignerKind::X509(wanted)), By::X509 { revocation, subject, .. }) =
            (self.declared.kind(), &self.proof.signer)
        else {
            return Ok(());
        };
        if wanted.timestamp.is_some() && self.proof.proven.is_empty() {
            return self.no(ReasonCode::SignatureTimeUnproven, "no trusted authority proves when it signed");
        }
        let unknown = |what: String| {
            let message = format!("signer {}: {what}", self.name);
            Err(Not::Unknown(Gap::from(Reason::new(ReasonCode::TrustRevocationUnavailable, message))))
        };
        match revocation {
            Revocation::Revoked { since } => {
                let why = format!("a certificate of its chain is revoked by its issuer since {since}");
                self.no(ReasonCode::SignatureRevoked, &why)
            }
            Revocation::Good { until } if self.clock.reached(*until) => {
                unknown(format!("the revocation list for {subject} was to be replaced by {until}"))
            }
            Revocation::NotAsked if wanted.revocation() == RevocationRule::IfNamed => unknown(format!(
                "the chain of {subject} names a service for revocation, no service is asked, and no list of it is given"
            )),
            Revocation::NotChecked | Revocation::NotAsked if wanted.revocation() == RevocationRule::Required => {
                unknown(format!("no revocation list is given for every issuer of the chain of {subject}"))
            }
            Revocation::Good { .. } | Revocation::NotChecked | Revocation::NotAsked => Ok(()),
        }
    }
}

/// True once the last moment at which something holds is over.
fn past(clock: &Clock, end: Timestamp) -> bool {
    let after = end.checked_add(model::SignedDuration::from_nanos(1));
    after.is_ok_and(|after| clock.reached(after))
}

/// What differs from the identity that is meant.
fn differing<'c>(
    wanted: &Keyless,
    identity: &str,
    issuer: &str,
    claim: impl Fn(&str) -> Option<&'c String>,
) -> Vec<String> {
    let mut differs = Vec::new();
    if !wanted.identity.is_match(identity) {
        differs.push(format!("the identity has to be {}", wanted.identity));
    }
    if !wanted.issuer.is_match(issuer) {
        differs.push(format!("the issuer has to be {}", wanted.issuer));
    }
    for (name, pattern) in wanted.claims.iter().flatten() {
        match claim(name) {
            Some(value) if pattern.is_match(value) => {}
            Some(value) => differs.push(format!("{name} is {value} and has to be {pattern}")),
            None => differs.push(format!("the certificate has no {name}, which has to be {pattern}")),
        }
    }
    differs
}

fn named(key: &Key) -> String {
    match key {
        Key::File(name) | Key::Kms(name) => format!(" than {name}"),
        Key::Inline(_) => String::new(),
    }
}

fn trust_name(member: &Member, signer: &str) -> TrustName {
    TrustName { policy: member.id.name.clone(), signer: signer.to_owned() }
}

fn no_material(signer: &str) -> Gap {
    let message = format!("the trust material of signer {signer} was not read");
    Gap::from(Reason::new(ReasonCode::TrustRootMissing, message))
}

/// The digest of a signer's key.
fn key<'a>(member: &Member, signer: &str, trust: Option<&'a TrustMaterial>) -> Result<&'a model::Digest, Gap> {
    match trust.and_then(|trust| trust.keys.get(&trust_name(member, signer))) {
        Some(Ok(digest)) => Ok(digest),
        Some(Err(why)) => Err(unavailable(why)),
        None => Err(no_material(signer)),
    }
}

/// The trusted roots of a policy are at hand.
fn root<'a>(member: &Member, trust: Option<&'a TrustMaterial>) -> Result<&'a [model::Digest], Gap> {
    let policy = &member.id.name;
    match trust.and_then(|trust| trust.roots.get(policy)) {
        Some(Ok(roots)) => Ok(roots),
        Some(Err(why)) => Err(unavailable(why)),
        None => {
            let message = format!("the trusted roots of policy {policy} were not read");
            Err(Gap::from(Reason::new(ReasonCode::TrustRootMissing, message)))
        }
    }
}

/// Whatever kept the material away, it is the trust material that is missing.
fn unavailable(why: &Reason) -> Gap {
    let class = why.code.class().unwrap_or(model::UnknownClass::TrustUnavailable);
    Gap { class, reason: why.clone() }
}

#[cfg(test)]
mod tests;
