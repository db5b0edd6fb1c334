//! What an envelope says in one form for JWS and COSE, and the rules for its signed attributes. Nothing here is
//! authenticated. Source: Notary Project signature specification, "Signed Attributes".

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::{Reason, ReasonCode};

use super::algorithm::Algorithm;
use super::{malformed, shown, unsupported};

/// The only content type that there is.
pub(super) const PAYLOAD_TYPE: &str = "application/vnd.cncf.notary.payload.v1+json";
pub(super) const SIGNING_SCHEME: &str = "io.cncf.notary.signingScheme";
pub(super) const SIGNING_TIME: &str = "io.cncf.notary.signingTime";
pub(super) const AUTHENTIC_SIGNING_TIME: &str = "io.cncf.notary.authenticSigningTime";
pub(super) const EXPIRY: &str = "io.cncf.notary.expiry";
pub(super) const TIMESTAMP_SIGNATURE: &str = "io.cncf.notary.timestampSignature";

/// Names that belong to the Notary Project: none of them is passed over.
const RESERVED: &str = "io.cncf.notary.";
/// Attributes that change what the signature is over, and are critical by their own standard (RFC 7797).
const NEVER_PASSED_OVER: [&str; 1] = ["b64"];

/// An envelope as it was read.
#[derive(Debug)]
pub(super) struct Envelope {
    pub(super) algorithm: Algorithm,
    /// What the signature is over.
    pub(super) signed: Vec<u8>,
    pub(super) signature: Vec<u8>,
    pub(super) payload: Vec<u8>,
    pub(super) attributes: Attributes,
    /// Certificates in DER, leaf first, by the envelope's word.
    pub(super) chain: Vec<Vec<u8>>,
    /// An RFC 3161 token over the signature.
    pub(super) timestamp: Option<Vec<u8>>,
}

/// The signed attributes as they stand in the envelope.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) content_type: Option<String>,
    pub(super) signing_scheme: Option<String>,
    pub(super) signing_time: Option<Timestamp>,
    pub(super) authentic_signing_time: Option<Timestamp>,
    pub(super) expiry: Option<Timestamp>,
    pub(super) critical: Vec<String>,
    /// Everything else, with its value as text.
    pub(super) others: BTreeMap<String, String>,
}

/// What the signed attributes mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// `notary.x509`: made at this time by the signer's own word.
    X509(Timestamp),
    /// `notary.x509.signingAuthority`: made at this time by the authority's word.
    SigningAuthority(Timestamp),
}

/// The signed attributes, understood.
#[derive(Debug)]
pub(super) struct Attributes {
    pub(super) scheme: Scheme,
    pub(super) expiry: Option<Timestamp>,
    /// Names of attributes that are neither critical nor known.
    pub(super) passed_over: Vec<String>,
}

impl Header {
    /// Checks the attributes against the specification.
    pub(super) fn attributes(self) -> Result<Attributes, Reason> {
        self.check_critical()?;
        match self.content_type.as_deref() {
            Some(PAYLOAD_TYPE) => {}
            Some(other) => return Err(unsupported(format!("its payload is of the type {}", shown(other)))),
            None => return Err(malformed("it does not say what type its payload is of")),
        }
        let only =
            |name: &str, scheme: &str| malformed(format!("`{name}` does not go with the signing scheme {scheme}"));
        let scheme = match self.signing_scheme.as_deref() {
            Some(scheme @ "notary.x509") => {
                if self.authentic_signing_time.is_some() {
                    return Err(only(AUTHENTIC_SIGNING_TIME, scheme));
                }
                Scheme::X509(self.signing_time.ok_or_else(|| missing(SIGNING_TIME))?)
            }
            Some(scheme @ "notary.x509.signingAuthority") => {
                if self.signing_time.is_some() {
                    return Err(only(SIGNING_TIME, scheme));
                }
                let at = self.authentic_signing_time.ok_or_else(|| missing(AUTHENTIC_SIGNING_TIME))?;
                Scheme::SigningAuthority(at)
            }
            Some(other) => return Err(unsupported(format!("its signing scheme is {}", shown(other)))),
            None => return Err(missing(SIGNING_SCHEME)),
        };
        let (Scheme::X509(at) | Scheme::SigningAuthority(at)) = scheme;
        if self.expiry.is_some_and(|expiry| expiry <= at) {
            return Err(malformed("it expired before it was made, by its own word"));
        }
        Ok(Attributes { scheme, expiry: self.expiry, passed_over: self.others.into_keys().collect() })
    }

    /// What has to be understood is listed, is there, and is understood.
    fn check_critical(&self) -> Result<(), Reason> {
        let present = [
            (SIGNING_SCHEME, self.signing_scheme.is_some(), true),
            (SIGNING_TIME, self.signing_time.is_some(), false),
            (AUTHENTIC_SIGNING_TIME, self.authentic_signing_time.is_some(), true),
            (EXPIRY, self.expiry.is_some(), true),
        ];
        for (position, name) in self.critical.iter().enumerate() {
            if self.critical.get(..position).is_some_and(|before| before.contains(name)) {
                return Err(malformed(format!("its critical attributes name {} twice", shown(name))));
            }
            let known = present.iter().find(|(known, ..)| known == name).map(|(_, present, _)| *present);
            if !known.unwrap_or_else(|| self.others.contains_key(name)) {
                return Err(malformed(format!(
                    "its critical attributes name {}, which is not among them",
                    shown(name)
                )));
            }
        }
        for (name, present, critical) in present {
            if present && critical && !self.critical.iter().any(|listed| listed == name) {
                return Err(malformed(format!("`{name}` is not marked critical")));
            }
        }
        let unknown: Vec<_> = self
            .others
            .iter()
            .filter(|(name, _)| {
                self.critical.contains(name)
                    || name.to_ascii_lowercase().starts_with(RESERVED)
                    || NEVER_PASSED_OVER.contains(&name.as_str())
            })
            .map(|(name, value)| format!("{} ({})", shown(name), shown(value)))
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let message = format!("it has critical attributes that were not evaluated: {}", unknown.join(", "));
        Err(Reason::new(ReasonCode::SignatureUnsupported, message).remedy(
            "Sign without a verification plugin (AWS Signer needs one), or verify this signature with the plugin.",
        ))
    }
}

fn missing(name: &str) -> Reason {
    malformed(format!("`{name}` is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            content_type: Some(PAYLOAD_TYPE.to_owned()),
            signing_scheme: Some("notary.x509".to_owned()),
            signing_time: Some(Timestamp::UNIX_EPOCH),
            authentic_signing_time: None,
            expiry: None,
            critical: vec![SIGNING_SCHEME.to_owned()],
            others: BTreeMap::new(),
        }
    }

    fn refused(change: impl FnOnce(&mut Header)) -> ReasonCode {
        let mut header = header();
        change(&mut header);
        header.attributes().unwrap_err().code
    }

    #[test]
    fn s28_attributes_that_are_not_understood_are_unsupported_and_never_passed_over() {
        assert!(header().attributes().is_ok());
        let with = |name: &'static str, critical: bool| {
            refused(move |header| {
                header.others.insert(name.to_owned(), "x".to_owned());
                if critical {
                    header.critical.push(name.to_owned());
                }
            })
        };
        let unsupported = ReasonCode::SignatureUnsupported;
        assert_eq!(with("com.amazonaws.signer.signingJob", true), unsupported);
        assert_eq!(with("io.cncf.notary.verificationPlugin", true), unsupported);
        assert_eq!(with("io.cncf.notary.verificationPlugin", false), unsupported);
        assert_eq!(with("IO.cncf.notary.verificationPlugin", false), unsupported);
        assert_eq!(with("b64", false), unsupported);
        assert_eq!(refused(|header| header.content_type = Some("text/plain".to_owned())), unsupported);
        assert_eq!(refused(|header| header.signing_scheme = Some("notary.x510".to_owned())), unsupported);
        let mut passed_over = header();
        passed_over.others.insert("com.acme.build".to_owned(), "7".to_owned());
        assert_eq!(passed_over.attributes().unwrap().passed_over, ["com.acme.build"]);
    }

    #[test]
    fn s28_attributes_against_the_specification_are_malformed() {
        let later = Timestamp::from_second(60).unwrap();
        let cases: [fn(&mut Header); 9] = [
            |header| header.content_type = None,
            |header| header.signing_time = None,
            |header| header.critical.clear(),
            |header| header.critical.push(SIGNING_SCHEME.to_owned()),
            |header| header.critical.push(EXPIRY.to_owned()),
            |header| header.critical.push("alg".to_owned()),
            |header| {
                header.authentic_signing_time = Some(Timestamp::UNIX_EPOCH);
                header.critical.push(AUTHENTIC_SIGNING_TIME.to_owned());
            },
            |header| header.signing_scheme = Some("notary.x509.signingAuthority".to_owned()),
            |header| {
                header.expiry = Some(Timestamp::UNIX_EPOCH);
                header.critical.push(EXPIRY.to_owned());
            },
        ];
        for (number, change) in cases.into_iter().enumerate() {
            assert_eq!(refused(change), ReasonCode::SignatureMalformed, "case {number}");
        }
        assert_eq!(refused(|header| header.expiry = Some(later)), ReasonCode::SignatureMalformed, "not critical");
        let mut expiring = header();
        expiring.expiry = Some(later);
        expiring.critical.push(EXPIRY.to_owned());
        assert_eq!(expiring.attributes().unwrap().expiry, Some(later));
    }
}
