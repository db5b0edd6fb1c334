//! `trustedIdentities`: subjects of certificates, as far as the document itself has to be sound. Source: Notary Project,
//! "Trusted Identities Constraints"; RFC 4514.

use std::collections::BTreeSet;

use super::super::shown;

const SUBJECT: &str = "x509.subject:";

/// A subject that an entry trusts.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) text: String,
    attributes: BTreeSet<(String, String)>,
}

impl Identity {
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let subject = text.strip_prefix(SUBJECT);
        let subject = subject.ok_or_else(|| format!("the identity {} does not begin with `{SUBJECT}`", shown(text)))?;
        let mut attributes = BTreeSet::new();
        for part in split(subject) {
            let (name, value) = part.split_once('=').unwrap_or((&part, ""));
            let (name, value) = (name.trim().to_ascii_uppercase(), value.trim());
            if name.is_empty() || value.is_empty() {
                return Err(format!("the identity {} is no list of NAME=VALUE", shown(text)));
            }
            let name = if name == "S" { "ST".to_owned() } else { name };
            if attributes.iter().any(|(other, _)| *other == name) {
                return Err(format!("the identity {} has {name} twice", shown(text)));
            }
            attributes.insert((name, value.to_owned()));
        }
        for required in ["C", "ST", "O"] {
            if !attributes.iter().any(|(name, _)| name == required) {
                return Err(format!("the identity {} lacks {required}", shown(text)));
            }
        }
        Ok(Self { text: text.to_owned(), attributes })
    }

    /// Whether whoever is the other one is also this one.
    pub(super) fn includes(&self, other: &Self) -> bool {
        self.attributes.is_subset(&other.attributes)
    }
}

/// Parts between `,` or `+`, where neither is escaped.
fn split(subject: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for c in subject.chars() {
        match (c, parts.last_mut()) {
            (',' | '+', _) if !escaped => parts.push(String::new()),
            (c, Some(part)) => part.push(c),
            (_, None) => {}
        }
        escaped = c == '\\' && !escaped;
    }
    parts
}
