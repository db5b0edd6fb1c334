//! What the document-printing commands share: reading a file a person named — bounded, as UTF-8, with `-` for standard
//! input — and showing what was read. Nothing here reads from a network.

use std::fs::File;
use std::io::{self, Read};

use crate::failure::Failure;

/// The most we read of a pipeline or policy file. Real ones are a few KiB.
pub(crate) const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Reads a whole text file, or standard input for `-`. Refuses instead of truncating.
pub(crate) fn read_text(path: &str) -> Result<String, Failure> {
    if path == "-" {
        return read_bounded(io::stdin().lock(), "standard input");
    }
    let file = File::open(path).map_err(|error| {
        Failure::configuration(format!("cannot open {path}: {error}"))
            .hint("name an existing, readable file, or `-` for standard input")
    })?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(Failure::configuration(format!("{path} is a directory")).hint("name the file itself"));
    }
    read_bounded(file, path)
}

fn read_bounded(source: impl Read, name: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    source
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::configuration(format!("cannot read {name}: {error}")))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(Failure::configuration(format!(
            "{name} is larger than {MAX_FILE_BYTES} bytes, the most that is read"
        ))
        .hint("is it really a pipeline or a policy document?"));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::configuration(format!("{name} is not UTF-8 text")).hint("save it as UTF-8"))?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// Pretty JSON of a value that cannot fail to serialise; our own fault if it does.
pub(crate) fn to_json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(|error| Failure::internal(format!("cannot write JSON: {error}")))
}

/// Text that came from a file or a flag, safe to show on a terminal: control characters become `\u{..}`, and it is
/// cut after `most` characters.
pub(crate) fn shown(text: &str, most: usize) -> String {
    let mut out = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == most {
            out.push('…');
            break;
        }
        if character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn a_file_over_the_limit_is_refused_not_cut() {
        let failure = read_bounded(io::repeat(b'a'), "big").unwrap_err();
        assert_eq!(failure.exit, Exit::Configuration);
        assert!(failure.what.contains("larger than 1048576"));
    }

    #[test]
    fn missing_binary_and_directory_are_configuration_errors_with_a_next_step() {
        let directory = tempfile::tempdir().unwrap();
        let binary = directory.path().join("x");
        std::fs::write(&binary, [0xff, 0xfe]).unwrap();
        for path in [directory.path().to_str().unwrap(), binary.to_str().unwrap(), "/nonexistent/x"] {
            let failure = read_text(path).unwrap_err();
            assert_eq!(failure.exit, Exit::Configuration, "{path}");
            assert!(!failure.hints.is_empty(), "{path}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_not_content() {
        assert_eq!(read_bounded("\u{feff}{}".as_bytes(), "x").unwrap(), "{}");
    }

    #[test]
    fn control_and_bidi_characters_are_made_visible() {
        assert_eq!(shown("a\u{1b}[31m\u{202e}b", 80), "a\\u{1b}[31m\\u{202e}b");
        assert_eq!(shown("abcdef", 3), "abc…");
    }
}
