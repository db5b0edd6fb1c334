//! Notary Project signatures: JWS and COSE envelopes, trust stores, timestamps, revocation lists. Source: the Notary
//! Project's signature specification and its "Trust Store and Trust Policy Specification", section "Signature Verification".
//!
//! Integrity and authenticity are decided here; whether the signature counts now (expiry, validity of certificates,
//! revocation, who is trusted) is for policy to say, with its clock. Not done: plugins (refused as unsupported, S28), OCSP
//! and fetching revocation lists (only lists of the trust material are read), certificates on P-521 keys.

mod algorithm;
mod certificate;
mod chain;
mod cose;
mod envelope;
mod json;
mod jws;
mod payload;
mod revocation;
mod subject;
mod timestamp;
mod trust_policy;

use model::{
    Authentic, Digest, NonEmpty, Proof, ProvenTime, Reason, ReasonCode, Signed, Signer, TimeSource, TrustName,
};

use crate::error::MaterialError;
use crate::material::{StoreKind, TrustStore};
use algorithm::Algorithm;
use certificate::Certificate;
use chain::Chain;
use envelope::{Envelope, Scheme};
use revocation::RevocationList;
use timestamp::Witnessed;

pub use trust_policy::{NotationSigner, TrustPolicyError, trust_policy};

/// The largest envelope that is looked at, in bytes; those of the tools have a few thousand.
const MAX_ENVELOPE: usize = 1 << 20;

/// Trust stores, prepared.
#[derive(Debug)]
pub(crate) struct Notation {
    stores: Vec<Store>,
    /// Of all stores: a list speaks for its issuer, whoever hands it over.
    lists: Vec<RevocationList>,
}

#[derive(Debug)]
struct Store {
    name: TrustName,
    kind: StoreKind,
    anchors: Vec<Certificate>,
    timestamp_anchors: Vec<Certificate>,
}

impl Notation {
    pub(crate) fn new(stores: &[TrustStore]) -> Result<Self, MaterialError> {
        let mut prepared = Self { stores: Vec::new(), lists: Vec::new() };
        for store in stores {
            let wrong = |what: &str, number: usize, why: String| {
                MaterialError::new(format!("{what} {} of {}", number + 1, store.name), why)
            };
            let certificates = |what: &str, ders: &[Vec<u8>]| {
                let read = ders.iter().enumerate().map(|(number, der)| {
                    Certificate::read(der).map_err(|error| wrong(what, number, format!("it cannot be read: {error}")))
                });
                read.collect::<Result<Vec<_>, _>>()
            };
            if store.anchors.is_empty() {
                return Err(MaterialError::new(store.name.to_string(), "it has no certificates"));
            }
            prepared.stores.push(Store {
                name: store.name.clone(),
                kind: store.kind,
                anchors: certificates("certificate", &store.anchors)?,
                timestamp_anchors: certificates("timestamp authority", &store.timestamp_anchors)?,
            });
            for (number, der) in store.revocation_lists.iter().enumerate() {
                let list = RevocationList::read(der)
                    .map_err(|error| wrong("revocation list", number, format!("it cannot be read: {error}")))?;
                prepared.lists.push(list);
            }
        }
        Ok(prepared)
    }

    pub(crate) fn jws(&self, subject: &Digest, bytes: &[u8]) -> Result<Authentic<Signed>, NonEmpty<Reason>> {
        self.verify(subject, bytes, jws::read)
    }

    pub(crate) fn cose(&self, subject: &Digest, bytes: &[u8]) -> Result<Authentic<Signed>, NonEmpty<Reason>> {
        self.verify(subject, bytes, cose::read)
    }

    fn verify(
        &self,
        subject: &Digest,
        bytes: &[u8],
        read: fn(&[u8]) -> Result<Envelope, Reason>,
    ) -> Result<Authentic<Signed>, NonEmpty<Reason>> {
        if bytes.len() > MAX_ENVELOPE {
            let message = format!("it has {} bytes; at most {MAX_ENVELOPE} are read", bytes.len());
            return Err(NonEmpty::one(malformed(message)));
        }
        let envelope = read(bytes).map_err(NonEmpty::one)?;
        let chain = Chain::read(&envelope.chain).map_err(NonEmpty::one)?;
        integrity(&envelope, &chain).map_err(NonEmpty::one)?;
        // What the signer wrote is authentic now, whoever that is: from here on every reason is told.
        match (payload::read(&envelope.payload, subject), self.authenticity(&envelope, &chain)) {
            (Ok(image), Ok(proof)) => Ok(Authentic::by_verifier(Signed::Image(image), proof)),
            (Err(reason), Ok(_)) | (Ok(_), Err(reason)) => Err(NonEmpty::one(reason)),
            (Err(payload), Err(authenticity)) => {
                let mut reasons = NonEmpty::one(authenticity);
                reasons.push(payload);
                Err(reasons)
            }
        }
    }

    fn authenticity(&self, envelope: &Envelope, chain: &Chain) -> Result<Proof, Reason> {
        chain.check()?;
        let matching = self.matching(envelope.attributes.scheme, chain)?;
        let mut notes = Vec::new();
        if !envelope.attributes.passed_over.is_empty() {
            let names: Vec<_> = envelope.attributes.passed_over.iter().map(|name| shown(name)).collect();
            notes.push(format!("These attributes, which are not critical, were not evaluated: {}.", names.join(", ")));
        }
        let (claimed, (matching, proven)) = match envelope.attributes.scheme {
            Scheme::SigningAuthority(at) => {
                let made = Witnessed { at, earliest: at, latest: at };
                check_time(chain, made, "the signing authority says that it was made")?;
                if envelope.timestamp.is_some() {
                    notes.push(
                        "Its timestamp was not evaluated: the signing authority vouches for the time.".to_owned(),
                    );
                }
                (None, (matching, vec![ProvenTime { at, by: TimeSource::SigningAuthority, root: None }]))
            }
            Scheme::X509(at) => (Some(at), self.timestamps(envelope, chain, matching, &mut notes)?),
        };
        let mut stores: Vec<_> = matching.iter().map(|store| store.name.clone()).collect();
        stores.sort_unstable();
        stores.dedup();
        let leaf = chain.leaf();
        let mut proof = Proof::of(Signer::X509 {
            stores,
            subject: subject::text(&leaf.parsed().tbs_certificate.subject),
            certificate: Digest::of(leaf.der()),
            key: Digest::of(&leaf.key_der().map_err(|error| malformed(error.to_string()))?),
            revocation: revocation::of_chain(chain.certificates(), &self.lists),
        });
        proof.window = Some(chain.window());
        proof.proven = proven;
        proof.claimed = claimed;
        proof.expires = envelope.attributes.expiry;
        proof.notes = notes;
        Ok(proof)
    }

    /// The stores that one of the chain's certificates is in, of the kind that goes with the scheme.
    fn matching(&self, scheme: Scheme, chain: &Chain) -> Result<Vec<&Store>, Reason> {
        let kind = match scheme {
            Scheme::X509(_) => StoreKind::Ca,
            Scheme::SigningAuthority(_) => StoreKind::SigningAuthority,
        };
        let is_in = |store: &&Store| {
            let mut anchors = store.anchors.iter();
            anchors.any(|anchor| chain.certificates().iter().any(|certificate| certificate.der() == anchor.der()))
        };
        let (matching, others): (Vec<_>, Vec<_>) =
            self.stores.iter().filter(is_in).partition(|store| store.kind == kind);
        if !matching.is_empty() {
            return Ok(matching);
        }
        let leaf = chain.leaf();
        let message = match others.first() {
            Some(other) => {
                format!(
                    "{leaf} chains to {}, which is a store of another type than the signing scheme asks for",
                    other.name
                )
            }
            None if self.stores.is_empty() => format!("it is by {leaf}, and no trust store is given"),
            None => format!("{leaf} chains to no certificate of the trust stores"),
        };
        Err(Reason::new(ReasonCode::SignatureUntrusted, message))
    }

    /// What the timestamp proves. Those stores fall away that name timestamp authorities and none of them made it.
    fn timestamps<'a>(
        &self,
        envelope: &Envelope,
        chain: &Chain,
        matching: Vec<&'a Store>,
        notes: &mut Vec<String>,
    ) -> Result<(Vec<&'a Store>, Vec<ProvenTime>), Reason> {
        let Some(token) = &envelope.timestamp else { return Ok((matching, Vec::new())) };
        let mut kept = Vec::new();
        let mut witnessed = None;
        let mut without = Vec::new();
        let mut refused = None;
        for store in matching {
            if store.timestamp_anchors.is_empty() {
                without.push(store.name.to_string());
                kept.push(store);
                continue;
            }
            let found = timestamp::verify(token, &envelope.signature, &store.timestamp_anchors, &self.lists);
            let found = found.map_err(|why| {
                Reason::new(
                    ReasonCode::SignatureTimestamp,
                    format!("its timestamp is refused for {}: {why}", store.name),
                )
            });
            let found = found.and_then(|found| {
                check_time(chain, found, "a timestamp authority says that it existed")?;
                Ok(ProvenTime { at: found.at, by: TimeSource::TimestampAuthority, root: None })
            });
            match found {
                Ok(proven) => {
                    witnessed = Some(proven);
                    kept.push(store);
                }
                Err(reason) => refused = Some(reason),
            }
        }
        match refused {
            Some(reason) if kept.is_empty() => return Err(reason),
            Some(reason) => notes.push(format!("It does not count for every signer: {}.", reason.message)),
            None => {}
        }
        // Whoever names no timestamp authority believes none: a time that others believe proves nothing to them.
        if !without.is_empty() {
            notes
                .push(format!("Its timestamp was not evaluated: {} names no timestamp authority.", without.join(", ")));
            return Ok((kept, Vec::new()));
        }
        Ok((kept, witnessed.into_iter().collect()))
    }
}

/// The leaf's key made the signature over payload and attributes, with the one algorithm that goes with it.
fn integrity(envelope: &Envelope, chain: &Chain) -> Result<(), Reason> {
    let key = chain.leaf().key();
    let invalid = |message: String| Reason::new(ReasonCode::SignatureInvalid, message);
    let algorithm = Algorithm::of(key)?;
    if algorithm != envelope.algorithm {
        let message = format!("it says {:?}, and the key of {} takes {algorithm:?}", envelope.algorithm, chain.leaf());
        return Err(invalid(message));
    }
    if !algorithm.verifies(key, &envelope.signed, &envelope.signature) {
        return Err(invalid(format!("it was not made by the key of {} over what it holds", chain.leaf())));
    }
    Ok(())
}

/// All of the time in which it may have been made lies in the time in which the certificates are valid.
fn check_time(chain: &Chain, made: Witnessed, who: &str) -> Result<(), Reason> {
    let (from, to) = chain.window();
    if from <= made.earliest && made.latest <= to {
        return Ok(());
    }
    let message = format!("{who} at {}; its certificates are valid from {from} to {to}", made.at);
    Err(Reason::new(ReasonCode::SignatureCertificateTime, message))
}

fn malformed(message: impl Into<String>) -> Reason {
    Reason::new(ReasonCode::SignatureMalformed, message)
}

fn unsupported(message: impl Into<String>) -> Reason {
    Reason::new(ReasonCode::SignatureUnsupported, message)
}

/// A text out of an envelope as messages may show it: short, and without anything that a terminal would obey.
fn shown(text: &str) -> String {
    const MOST: usize = 80;
    let mut start: String = text.chars().take(MOST).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    format!("{start:?}")
}
