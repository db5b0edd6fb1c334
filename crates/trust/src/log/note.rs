//! Signed notes (<https://c2sp.org/signed-note>): a text, an empty line, and a line for each signature. What a note says is nobody's word
//! until a key that is known has verified it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The largest note that is read: a checkpoint with the signatures of many witnesses.
pub const MAX_NOTE: usize = 256 << 10;
/// The most signatures that are looked at.
const MAX_SIGNATURES: usize = 64;
/// What a line with a signature begins with: an em dash and a blank.
const DASH: &str = "\u{2014} ";

/// Why a note, a checkpoint or a key of a log cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// Larger than any note.
    #[error("the note has {0} bytes; at most {MAX_NOTE} are read")]
    TooLarge(usize),
    /// Not a signed note.
    #[error("it is no signed note: {0}")]
    NotANote(&'static str),
    /// A signed note that is no checkpoint.
    #[error("the note is no checkpoint: {0}")]
    NotACheckpoint(&'static str),
    /// Nobody who is known signed it.
    #[error("the note is not signed by {0}")]
    NotSigned(String),
    /// A signature in the name of the key that is not the key's.
    #[error("a signature in the name of {0} is not made by that key: the note was changed, or the key is another one")]
    WrongSignature(String),
    /// A checkpoint of another log than the key is for.
    #[error("the checkpoint is one of the log {origin:?}, and the key is that of {key:?}")]
    OtherLog {
        /// Whose checkpoint it is.
        origin: String,
        /// Whose key it is.
        key: String,
    },
    /// The name cannot stand in a note.
    #[error("{0:?} cannot name a log: a name has 1 to 255 bytes, no blank, no control character and no `+`")]
    Name(String),
    /// Not the key of a verifier.
    #[error("it is no verifier key (`NAME+HASH+KEY`): {0}")]
    NotAVerifierKey(&'static str),
    /// The private key cannot be used.
    #[error("the private key of the log: {0}")]
    PrivateKey(String),
}

/// Whether this can name a key of ours or a log. Others may take longer names, and characters that no terminal shows.
pub(super) fn check_name(name: &str) -> Result<(), NoteError> {
    if !is_name(name) || name.len() > 255 || name.chars().any(char::is_control) {
        return Err(NoteError::Name(name.chars().take(300).collect()));
    }
    Ok(())
}

/// Whether this can name a key in a note.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|character| character.is_whitespace() || character == '+')
}

/// A note taken apart. Nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnverifiedNote<'a> {
    /// What was signed, with its last newline.
    pub(super) text: &'a str,
    pub(super) signatures: Vec<UnverifiedSignature<'a>>,
}

/// One line with a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnverifiedSignature<'a> {
    pub(super) name: &'a str,
    pub(super) id: [u8; 4],
    pub(super) signature: Vec<u8>,
}

impl<'a> UnverifiedNote<'a> {
    pub(super) fn read(note: &'a str) -> Result<Self, NoteError> {
        let wrong = NoteError::NotANote;
        if note.len() > MAX_NOTE {
            return Err(NoteError::TooLarge(note.len()));
        }
        if note.bytes().any(|byte| byte < b' ' && byte != b'\n') {
            return Err(wrong("a control character stands in it"));
        }
        // The text may have empty lines, the signatures have none: the last one parts them.
        let at = note.rfind("\n\n").ok_or(wrong("no empty line parts text and signatures"))?;
        let (text, signatures) = (&note[..=at], &note[at + 2..]);
        let signatures = signatures.strip_suffix('\n').ok_or(wrong("the last line has no end"))?;
        let signatures = signatures.split('\n').map(UnverifiedSignature::read).collect::<Result<Vec<_>, _>>()?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(wrong("it has too many signatures"));
        }
        Ok(Self { text, signatures })
    }
}

impl<'a> UnverifiedSignature<'a> {
    fn read(line: &'a str) -> Result<Self, NoteError> {
        let wrong = NoteError::NotANote;
        let line = line.strip_prefix(DASH).ok_or(wrong("a line after the text is no signature"))?;
        let (name, encoded) = line.split_once(' ').ok_or(wrong("a signature has no name"))?;
        if !is_name(name) {
            return Err(wrong("the name of a signature is none"));
        }
        let bytes = STANDARD.decode(encoded).map_err(|_| wrong("a signature is not base64"))?;
        let (id, signature) = bytes.split_first_chunk().ok_or(wrong("a signature is too short"))?;
        if signature.is_empty() {
            return Err(wrong("a signature is too short"));
        }
        Ok(Self { name, id: *id, signature: signature.to_vec() })
    }
}

/// The line of a signature, with its end.
pub(super) fn signature_line(name: &str, id: [u8; 4], signature: &[u8]) -> String {
    format!("{DASH}{name} {}\n", STANDARD.encode([&id[..], signature].concat()))
}
