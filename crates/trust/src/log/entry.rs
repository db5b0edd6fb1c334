//! One entry of the audit log: what happened, when and to which image. Its canonical bytes are the leaf of the tree.

use model::{Digest, Timestamp};
use serde_json::{Map, Value};

use super::canonical::{CanonicalError, canonical, read_canonical};

/// The schema of an entry.
pub const SCHEMA: &str = "ecr-gate.dev/audit/v1";
/// The most bytes an entry may have.
pub const MAX_ENTRY: usize = 8 << 20;
/// The most bytes a repository's name may have: that of a host and what registries take as a name.
const MAX_REPOSITORY: usize = 512;

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it happened.
    pub at: Timestamp,
    /// What there is to say of it. Numbers are integers.
    pub body: Map<String, Value>,
    /// UUIDv7.
    pub id: String,
    /// `decision`, `policy.activated`, …
    pub kind: String,
    /// The image it is about, if it is about one.
    pub subject: Option<Subject>,
}

/// An image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its digest.
    pub digest: Digest,
    /// `host/repository`
    pub repository: String,
}

/// Why something is no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// It has no canonical spelling, or another one.
    #[error("the entry: {0}")]
    Spelling(#[from] CanonicalError),
    /// Too many bytes.
    #[error("the entry has {0} bytes; at most {MAX_ENTRY} are kept")]
    TooLarge(usize),
    /// A member that every entry has, missing or of another form.
    #[error("the entry's {name:?} is {why}")]
    Member {
        /// Its name.
        name: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A member that no entry has.
    #[error("an entry has no {0:?}")]
    Unknown(String),
}

impl Entry {
    /// The bytes that are hashed: one line without its end.
    ///
    /// # Errors
    /// It could not be read again.
    pub fn bytes(&self) -> Result<String, EntryError> {
        let mut members = Map::new();
        let mut member = |name: &str, value: Value| members.insert(name.to_owned(), value);
        member("at", self.at.to_string().into());
        member("body", self.body.clone().into());
        member("id", self.id.clone().into());
        member("kind", self.kind.clone().into());
        member("schema", SCHEMA.into());
        if let Some(Subject { digest, repository }) = &self.subject {
            let subject = [("digest", digest.to_string()), ("repository", repository.clone())];
            let subject: Map<String, Value> =
                subject.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
            member("subject", subject.into());
        }
        let text = canonical(&members.clone().into())?;
        if text.len() > MAX_ENTRY {
            return Err(EntryError::TooLarge(text.len()));
        }
        // What the log takes, every verifier takes.
        Self::of(members)?;
        Ok(text)
    }

    /// Reads the bytes of an entry.
    ///
    /// # Errors
    /// They are not those of an entry in its canonical spelling.
    pub fn read(bytes: &[u8]) -> Result<Self, EntryError> {
        if bytes.len() > MAX_ENTRY {
            return Err(EntryError::TooLarge(bytes.len()));
        }
        match read_canonical(bytes)? {
            Value::Object(members) => Self::of(members),
            _ => Err(EntryError::Member { name: "schema", why: "missing: it is no object".to_owned() }),
        }
    }

    pub(super) fn of(mut members: Map<String, Value>) -> Result<Self, EntryError> {
        let schema = text(&mut members, "schema")?;
        if schema != SCHEMA {
            return Err(wrong("schema", format!("{}, and this version reads {SCHEMA:?}", shown(&schema))));
        }
        let at = text(&mut members, "at")?;
        let at = match at.parse::<Timestamp>() {
            Ok(time) if time.to_string() == at => time,
            _ => return Err(wrong("at", format!("{}, no time in UTC as `2026-01-31T12:00:00Z`", shown(&at)))),
        };
        let id = text(&mut members, "id")?;
        if !is_uuid(&id) {
            return Err(wrong("id", format!("{}, no UUID of version 7", shown(&id))));
        }
        let kind = text(&mut members, "kind")?;
        if !is_kind(&kind) {
            return Err(wrong("kind", format!("{}, no word of at most 64 letters, digits, `.`, `-`", shown(&kind))));
        }
        let body = match members.remove("body") {
            Some(Value::Object(body)) => body,
            Some(_) => return Err(wrong("body", "no object".to_owned())),
            None => return Err(wrong("body", "missing".to_owned())),
        };
        let subject = members.remove("subject").map(Subject::of).transpose()?;
        match members.into_iter().next() {
            Some((other, _)) => Err(EntryError::Unknown(other.chars().take(100).collect())),
            None => Ok(Self { at, body, id, kind, subject }),
        }
    }
}

impl Subject {
    fn of(value: Value) -> Result<Self, EntryError> {
        let Value::Object(mut members) = value else { return Err(wrong("subject", "no object".to_owned())) };
        let digest = text(&mut members, "digest")?;
        let digest = digest.parse().map_err(|_| wrong("digest", format!("{}, no digest", shown(&digest))))?;
        let repository = text(&mut members, "repository")?;
        if repository.is_empty() || repository.len() > MAX_REPOSITORY {
            return Err(wrong("repository", format!("{}, no `host/repository`", shown(&repository))));
        }
        match members.into_iter().next() {
            Some((other, _)) => Err(EntryError::Unknown(other.chars().take(100).collect())),
            None => Ok(Self { digest, repository }),
        }
    }
}

fn wrong(name: &'static str, why: String) -> EntryError {
    EntryError::Member { name, why }
}

fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(100).collect::<String>())
}

fn text(members: &mut Map<String, Value>, name: &'static str) -> Result<String, EntryError> {
    match members.remove(name) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(wrong(name, "no text".to_owned())),
        None => Err(wrong(name, "missing".to_owned())),
    }
}

fn is_kind(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    text.as_bytes().first().is_some_and(u8::is_ascii_lowercase) && text.len() <= 64 && text.bytes().all(fits)
}

fn is_uuid(text: &str) -> bool {
    let fits = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        14 => byte == b'7',
        19 => matches!(byte, b'8' | b'9' | b'a' | b'b'),
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    };
    text.len() == 36 && text.bytes().enumerate().all(fits)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry() -> Value {
        json!({
            "at": "2026-01-31T12:00:00.5Z",
            "body": {"verdict": "deny"},
            "id": "019c1234-5678-7abc-8def-0123456789ab",
            "kind": "decision",
            "schema": SCHEMA,
            "subject": {"digest": format!("sha256:{}", "ab".repeat(32)), "repository": "registry.example/team/app"},
        })
    }

    #[test]
    fn o3_an_entry_is_written_as_it_is_read() {
        let text = canonical(&entry()).unwrap();
        let read = Entry::read(text.as_bytes()).unwrap();
        assert_eq!(read.kind, "decision");
        assert_eq!(read.subject.as_ref().unwrap().repository, "registry.example/team/app");
        assert_eq!(read.bytes().unwrap(), text);
        let without = Entry { subject: None, ..read };
        assert_eq!(Entry::read(without.bytes().unwrap().as_bytes()), Ok(without));
    }

    #[test]
    fn o3_what_lacks_a_member_or_has_one_of_another_form_is_no_entry() {
        for (place, value, says) in [
            ("/at", json!("2026-01-31T12:00:00.50Z"), "\"at\""),
            ("/at", json!("2026-01-31T13:00:00+01:00"), "\"at\""),
            ("/at", json!("yesterday"), "\"at\""),
            ("/at", json!(5), "\"at\""),
            ("/body", json!([]), "\"body\""),
            ("/id", json!("019C1234-5678-7abc-8def-0123456789ab"), "\"id\""),
            ("/id", json!("019c1234-5678-4abc-8def-0123456789ab"), "\"id\""),
            ("/kind", json!(""), "\"kind\""),
            ("/kind", json!("a decision"), "\"kind\""),
            ("/schema", json!("ecr-gate.dev/audit/v2"), "\"schema\""),
            ("/subject", json!(null), "\"subject\""),
            ("/subject/digest", json!("sha256:ab"), "\"digest\""),
            ("/subject/repository", json!(""), "\"repository\""),
            ("/subject", json!({"digest": format!("sha256:{}", "ab".repeat(32))}), "\"repository\""),
        ] {
            let mut other = entry();
            *other.pointer_mut(place).unwrap() = value;
            let error = Entry::read(canonical(&other).unwrap().as_bytes()).unwrap_err().to_string();
            assert!(error.contains(says), "{place}: {error}");
        }
        for name in ["at", "body", "id", "kind", "schema"] {
            let mut other = entry();
            other.as_object_mut().unwrap().remove(name);
            let error = Entry::read(canonical(&other).unwrap().as_bytes()).unwrap_err();
            assert!(matches!(&error, EntryError::Member { name: of, .. } if *of == name), "{error}");
        }
        let mut other = entry();
        other["more"] = json!(1);
        let error = Entry::read(canonical(&other).unwrap().as_bytes()).unwrap_err();
        assert_eq!(error, EntryError::Unknown("more".to_owned()));
        other = entry();
        other["subject"]["more"] = json!(1);
        let error = Entry::read(canonical(&other).unwrap().as_bytes()).unwrap_err();
        assert_eq!(error, EntryError::Unknown("more".to_owned()));
        for none in ["[]", "null", "\"x\"", ""] {
            assert!(Entry::read(none.as_bytes()).is_err(), "{none}");
        }
    }

    #[test]
    fn o3_nothing_is_written_that_could_not_be_read() {
        let good = Entry::read(canonical(&entry()).unwrap().as_bytes()).unwrap();
        let float = Map::from_iter([("score".to_owned(), json!(9.8))]);
        let large = Map::from_iter([("text".to_owned(), json!("x".repeat(MAX_ENTRY)))]);
        let bad = [
            Entry { kind: "a decision".to_owned(), ..good.clone() },
            Entry { id: "1".to_owned(), ..good.clone() },
            Entry { body: float, ..good.clone() },
            Entry { body: large, ..good },
        ];
        for entry in bad {
            assert!(entry.bytes().is_err(), "{}", entry.id);
        }
    }
}
