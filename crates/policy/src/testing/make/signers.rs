//! Who signs in a test: the signers of the policies, with keys, identities and trusted roots made from what the policies say
//! about them. No key file is read: one key is what is named in one way.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use model::{
    CertificateIdentity, Digest, LogEntry, Proof, ProvenTime, Reason, ReasonCode, Revocation, SignedDuration,
    Signer as By, TimeSource, Timestamp, TrustMaterial, TrustName,
};

use super::{At, HOUR};
use crate::document::{
    Key, Keyless, PUBLIC_GOOD, Problem, RevocationRule, Revoked, Signer, SignerKind, X509, X509Kind,
};
use crate::error::suggest;
use crate::set::PolicySet;
use crate::testing::given;

/// The signers of the policies under test.
pub(super) struct Signers<'a> {
    known: Vec<Known<'a>>,
    roots: BTreeMap<String, Vec<Digest>>,
    missing: BTreeMap<TrustName, ReasonCode>,
    now: Timestamp,
}

/// One signer, and its key if it is one.
struct Known<'a> {
    name: TrustName,
    declared: &'a Signer,
    key: Option<Digest>,
}

/// How long a certificate's revocation list still holds.
const LIST_HOLDS: SignedDuration = SignedDuration::from_hours(30 * 24);
const SECOND: SignedDuration = SignedDuration::from_secs(1);

impl<'a> Signers<'a> {
    pub(super) fn new(
        set: &'a PolicySet,
        files: &[String],
        missing: Option<&BTreeMap<String, ReasonCode>>,
        now: Timestamp,
        at: &At,
    ) -> Result<Self, Problem> {
        let (mut known, mut roots) = (Vec::new(), BTreeMap::new());
        for (place, member) in set.documents().enumerate() {
            let file = files.get(place).map_or("", String::as_str);
            for (signer, declared) in member.policy.spec.signers.iter().flatten() {
                let name = TrustName { policy: member.id.name.clone(), signer: signer.clone() };
                let key = match declared.kind() {
                    Some(SignerKind::Key(key)) => Some(key_digest(key, file)),
                    _ => None,
                };
                known.push(Known { name, declared, key });
            }
            let named = member.policy.spec.trust.as_ref().and_then(|trust| trust.roots.as_ref());
            let public_good = vec![PUBLIC_GOOD.to_owned()];
            let mut digests: Vec<Digest> =
                named.unwrap_or(&public_good).iter().map(|root| root_digest(root, file)).collect();
            digests.sort_unstable();
            digests.dedup();
            roots.insert(member.id.name.clone(), digests);
        }
        let mut signers = Self { known, roots, missing: BTreeMap::new(), now };
        for (name, code) in missing.into_iter().flatten() {
            let at = at.key("missingKeys").key(name);
            if code.class().is_none() {
                let what = format!("{code} is no reason why a key could not be had");
                return Err(at.wrong(what, "such as trust.keyUnavailable or trust.keyDenied"));
            }
            let named = signers.find(name, &at)?;
            if named.key.is_none() {
                return Err(at.wrong(format!("signer {name:?} has no key"), "name a signer with `key`"));
            }
            let name = named.name.clone();
            signers.missing.insert(name, *code);
        }
        Ok(signers)
    }

    /// The trust material that would have been at hand.
    pub(super) fn material(&self) -> Option<TrustMaterial> {
        if self.known.is_empty() {
            return None;
        }
        let key = |known: &Known<'_>| {
            let key = known.key.clone()?;
            let answer = match self.missing.get(&known.name) {
                Some(code) => Err(Reason::new(*code, format!("the key of signer {} could not be had", known.name))),
                None => Ok(key),
            };
            Some((known.name.clone(), answer))
        };
        let roots = self.roots.iter().map(|(policy, roots)| (policy.clone(), Ok(roots.clone())));
        let keys = self.known.iter().filter_map(key).collect();
        Some(TrustMaterial { digest: Digest::of(b"the trust material of a test"), keys, roots: roots.collect() })
    }

    /// The proof of who signed, and when: `age` ago, or when nothing is said, at a moment at which the signer counts if it
    /// does not count now.
    pub(super) fn proof(
        &self,
        by: &given::By,
        age: Option<SignedDuration>,
        log: Option<bool>,
        at: &At,
    ) -> Result<Proof, Problem> {
        let (signer, roots, declared) = match by {
            given::By::Name(name) => {
                let known = self.find(name, at)?;
                let roots = self.roots.get(&known.name.policy).cloned();
                (self.signer(known, at)?, roots.unwrap_or_else(Vec::new), Some(known.declared))
            }
            given::By::Keyless(keyless) => {
                let claims = keyless.claims.iter().flatten();
                let claims = claims.map(|(name, value)| (name.clone(), value.clone())).collect();
                (by_identity(&keyless.identity, &keyless.issuer, claims), self.all_roots(), None)
            }
            given::By::Key(name) => {
                let key = Digest::of(format!("a key of nobody: {name}").as_bytes());
                (By::Key { key, algorithm: "ecdsa-p256".to_owned() }, self.all_roots(), None)
            }
        };
        let keyless = matches!(signer, By::Keyless { .. });
        let moment = match (age, declared) {
            (Some(age), _) => Some(self.now.checked_sub(age).unwrap_or(Timestamp::MIN)),
            (None, Some(declared)) => self.counting(declared),
            (None, None) => keyless.then(|| self.now.checked_sub(HOUR).unwrap_or(Timestamp::MIN)),
        };
        let logged = log.unwrap_or_else(|| declared.map_or(keyless, Signer::needs_log));
        let witness = match &signer {
            By::X509 { .. } if declared.and_then(|signer| signer.x509.as_ref()).is_some_and(vouches) => {
                TimeSource::SigningAuthority
            }
            By::X509 { .. } => TimeSource::TimestampAuthority,
            _ if logged => TimeSource::TransparencyLog,
            _ => TimeSource::TimestampAuthority,
        };
        let proven = moment.map(|at| ProvenTime { at, by: witness, root: None });
        let log = logged.then(|| LogEntry { log: "given".to_owned(), index: 1, roots: roots.clone() });
        let roots = if keyless { roots } else { Vec::new() };
        Ok(Proof { proven: proven.into_iter().collect(), log, roots, ..Proof::of(signer) })
    }

    fn all_roots(&self) -> Vec<Digest> {
        let mut all: Vec<Digest> = self.roots.values().flatten().cloned().collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// A moment at which the signer counts, where one has to be proven.
    fn counting(&self, declared: &Signer) -> Option<Timestamp> {
        let since = declared.not_before.map(|day| day.0);
        let revoked = match declared.revoked {
            Some(Revoked::At(at)) => Some(at),
            Some(Revoked::Always) | None => None,
        };
        let end = declared.not_after.map(|day| day.0).into_iter().chain(revoked).min();
        let asked = declared.x509.as_ref().is_some_and(|x509| x509.timestamp.is_some());
        let over = end.is_some_and(|end| end <= self.now);
        if !(declared.keyless.is_some() || asked || revoked.is_some() || over) {
            return None;
        }
        let mut moment = self.now.checked_sub(HOUR).unwrap_or(Timestamp::MIN);
        if let Some(end) = end.filter(|end| moment >= *end) {
            moment = end.checked_sub(SECOND).unwrap_or(Timestamp::MIN);
        }
        // One that counts only from tomorrow on does not count today.
        Some(since.map_or(moment, |since| moment.max(since)).min(self.now))
    }

    /// The signer of this name.
    fn find(&self, name: &str, at: &At) -> Result<&Known<'a>, Problem> {
        let full = |known: &&Known<'_>| known.name.to_string() == name;
        if let Some(exact) = self.known.iter().find(full) {
            return Ok(exact);
        }
        let mut named = self.known.iter().filter(|known| known.name.signer == name);
        let Some(first) = named.next() else {
            let mut there: Vec<&str> = self.known.iter().map(|known| known.name.signer.as_str()).collect();
            there.dedup();
            let hint = suggest(name, &there).unwrap_or_else(|| "the policies under test declare no signers".to_owned());
            return Err(at.wrong(format!("{name:?} is no signer of the policies under test"), hint));
        };
        let same = |other: &Known<'_>| {
            first.key.is_some() && first.key == other.key
                || first.declared.keyless.is_some()
                    && format!("{:?}", first.declared) == format!("{:?}", other.declared)
        };
        match named.find(|other| !same(other)) {
            None => Ok(first),
            Some(other) => {
                let what = format!("{name:?} is a signer of several policies");
                Err(at.wrong(what, format!("write `{}` or `{}`", first.name, other.name)))
            }
        }
    }

    /// The signer as its signatures would show it.
    fn signer(&self, known: &Known<'_>, at: &At) -> Result<By, Problem> {
        let name = &known.name;
        match known.declared.kind() {
            Some(SignerKind::Key(_)) => {
                let key = known.key.clone().unwrap_or_else(|| Digest::of(name.to_string().as_bytes()));
                Ok(By::Key { key, algorithm: "ecdsa-p256".to_owned() })
            }
            Some(SignerKind::Keyless(keyless)) => sampled(name, keyless, at),
            Some(SignerKind::X509(x509)) => Ok(self.certificate(name, x509)),
            None => Err(at.wrong(format!("signer {name} is not of one kind"), "")),
        }
    }

    fn certificate(&self, name: &TrustName, x509: &X509) -> By {
        let of = |what: &str| Digest::of(format!("{what} of {name}").as_bytes());
        let subject = x509.subjects.iter().flatten().next();
        let revocation = match x509.revocation() {
            RevocationRule::Required | RevocationRule::IfNamed => {
                Revocation::Good { until: self.now.checked_add(LIST_HOLDS).unwrap_or(Timestamp::MAX) }
            }
            RevocationRule::IfGiven => Revocation::NotChecked,
        };
        By::X509 {
            stores: vec![name.clone()],
            subject: subject.map_or_else(|| format!("CN={}", name.signer), ToString::to_string),
            certificate: of("the certificate"),
            key: of("the key of the certificate"),
            revocation,
        }
    }
}

fn vouches(x509: &X509) -> bool {
    x509.kind == X509Kind::SigningAuthority
}

/// An identity that the policy means.
fn sampled(name: &TrustName, keyless: &Keyless, at: &At) -> Result<By, Problem> {
    let wanted = [("issuer", &keyless.issuer), ("identity", &keyless.identity)];
    let claims = keyless.claims.iter().flatten().map(|(claim, pattern)| (claim.as_str(), pattern));
    let mut samples = BTreeMap::new();
    for (what, pattern) in wanted.into_iter().chain(claims) {
        let Some(sample) = pattern.sample() else {
            let what =
                format!("the {what} of signer {} is a regular expression: nobody can say which one it is", name.signer);
            return Err(at.wrong(what, "say it: `by: {keyless: {issuer: …, identity: …, claims: {…}}}`"));
        };
        samples.insert(what.to_owned(), sample);
    }
    let mut take = |what: &str| samples.remove(what).unwrap_or_else(String::new);
    let (issuer, identity) = (take("issuer"), take("identity"));
    Ok(by_identity(&identity, &issuer, samples))
}

fn by_identity(identity: &str, issuer: &str, claims: BTreeMap<String, String>) -> By {
    let certificate = Digest::of(format!("the certificate of {identity} by {issuer}").as_bytes());
    let named = if identity.contains("://") { CertificateIdentity::Uri } else { CertificateIdentity::Email };
    By::Keyless { identity: named(identity.to_owned()), issuer: issuer.to_owned(), claims, certificate }
}

/// One key is what is named in one way: the file where it lies, the text itself, or its name in a service.
fn key_digest(key: &Key, policy: &str) -> Digest {
    let named = match key {
        Key::File(path) => beside(policy, path),
        Key::Inline(pem) => pem.split_whitespace().collect(),
        Key::Kms(name) => name.clone(),
    };
    Digest::of(format!("the key {named}").as_bytes())
}

fn root_digest(root: &str, policy: &str) -> Digest {
    let named = if root == PUBLIC_GOOD { root.to_owned() } else { beside(policy, root) };
    Digest::of(format!("the trusted root {named}").as_bytes())
}

/// A path that a policy names, seen from where the policy lies, without the steps back.
fn beside(policy: &str, path: &str) -> String {
    let folder = Path::new(policy).parent().map_or_else(|| Path::new("").to_owned(), Path::to_owned);
    let mut parts: Vec<Component<'_>> = Vec::new();
    let whole = folder.join(path);
    for part in whole.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(parts.last(), Some(Component::Normal(_))) => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.iter().collect::<std::path::PathBuf>().display().to_string()
}
