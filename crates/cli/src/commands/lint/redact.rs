//! Takes secrets out of text before it is shown. Works on the look of a value, not on where it stands; rather hides too
//! much than too little. Variables (`$X`, `${{ … }}`) are names, not secrets, and stay.

/// Beginnings of AWS key ids.
const KEY_PREFIXES: [&str; 4] = ["AKIA", "ASIA", "AROA", "AIDA"];
/// A name that contains one of these is followed by a secret.
const SECRET_NAMES: [&str; 8] =
    ["secret", "token", "password", "passwd", "access_key", "access-key", "accesskey", "api_key"];

/// The most that is looked at; what is shown is shorter by far.
const MAX_BYTES: usize = 4096;

/// `text` without anything that looks like a secret. Of a very long text only the beginning, up to a word's end.
pub(super) fn redact(text: &str) -> String {
    let text = if text.len() > MAX_BYTES {
        let end =
            text.char_indices().map(|(index, _)| index).take_while(|index| *index <= MAX_BYTES).last().unwrap_or(0);
        text[..end].rfind(|c| !is_word(c)).map_or("", |end| &text[..end])
    } else {
        text
    };
    let without_values = redact_assignments(text);
    let mut out = String::with_capacity(without_values.len());
    let mut rest = without_values.as_str();
    while let Some(start) = rest.find(is_word) {
        out.push_str(&rest[..start]);
        let word_end = rest[start..].find(|c| !is_word(c)).map_or(rest.len(), |end| start + end);
        let word = &rest[start..word_end];
        if let Some((at, end)) = find_key_id(word, &KEY_PREFIXES) {
            out.push_str(&word[..at + 4]);
            out.push_str("[redacted]");
            rest = &rest[start + end..];
            continue;
        }
        if looks_random(word) && !out.ends_with("sha256:") {
            out.push_str("[redacted]");
        } else {
            out.push_str(word);
        }
        rest = &rest[word_end..];
    }
    out.push_str(rest);
    redact_user_info(&out)
}

/// Where a literal AWS access key id stands.
pub(super) fn key_id(text: &str) -> Option<usize> {
    find_key_id(text, &KEY_PREFIXES[..2]).map(|(start, _)| start)
}

/// One of `prefixes` and at least 12 upper-case letters and digits: where it begins and ends.
fn find_key_id(text: &str, prefixes: &[&str]) -> Option<(usize, usize)> {
    let candidates = prefixes.iter().filter_map(|prefix| {
        text.match_indices(prefix).find_map(|(start, _)| {
            let tail = text[start + prefix.len()..]
                .bytes()
                .take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
                .count();
            (tail >= 12).then_some((start, start + prefix.len() + tail))
        })
    });
    candidates.min()
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '_')
}

/// 32 characters or more with upper case, lower case and digits mixed, and more than short path parts.
fn looks_random(word: &str) -> bool {
    let has = |test: fn(&u8) -> bool| word.bytes().any(|byte| test(&byte));
    word.len() >= 32
        && word.split('/').any(|part| part.len() >= 12)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_digit)
}

/// `SECRET…=value`, `password: value`, `--token value`.
fn redact_assignments(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    while let Some(found) = SECRET_NAMES.iter().filter_map(|name| lower[done..].find(name).map(|at| done + at)).min() {
        let name_end = lower[found..]
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '"' | '\'')))
            .map_or(text.len(), |end| found + end);
        let after = &text[name_end..];
        let value_at = name_end + after.len() - after.trim_start_matches([' ', '=', ':', '"', '\'', '\t']).len();
        let assigned = text[name_end..value_at].contains(['=', ':']);
        let value_end =
            text[value_at..].find([' ', '"', '\'', ';', ',', '\t']).map_or(text.len(), |end| value_at + end);
        let value = &text[value_at..value_end];
        if assigned
            && !value.is_empty()
            && !value.starts_with(['$', '<', '|', '>', '{', '[', '`', '%'])
            && !is_harmless(value)
        {
            out.push_str(&text[done..value_at]);
            out.push_str("[redacted]");
            done = value_end;
        } else {
            out.push_str(&text[done..name_end]);
            done = name_end;
        }
    }
    out.push_str(&text[done..]);
    out
}

/// What stands after `id-token:` and friends without being a secret.
fn is_harmless(value: &str) -> bool {
    ["write", "read", "none", "true", "false", "null"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// `https://user:pass@host` → `https://[redacted]@host`.
fn redact_user_info(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://").map(|at| at + 3) {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'')).unwrap_or(rest.len());
        if let Some(at) = rest[..end].rfind('@') {
            out.push_str("[redacted]");
            rest = &rest[at..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go() {
        for (text, expected) in [
            ("key AKIAIOSFODNN7EXAMPLE end", "key AKIA[redacted] end"),
            ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY x", "AWS_SECRET_ACCESS_KEY=[redacted] x"),
            ("AWS_SECRET_ACCESS_KEY: \"short\"", "AWS_SECRET_ACCESS_KEY: \"[redacted]\""),
            ("aws-secret-access-key: abc", "aws-secret-access-key: [redacted]"),
            ("echo wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "echo [redacted]"),
            ("docker login -u x --password=hunter2", "docker login -u x --password=[redacted]"),
            ("git clone https://me:hunter2@host/x", "git clone https://[redacted]@host/x"),
            ("ü token=é; ok", "ü token=[redacted]; ok"),
        ] {
            assert_eq!(redact(text), expected);
        }
    }

    #[test]
    fn names_and_digests_stay() {
        for text in [
            "AWS_SECRET_ACCESS_KEY: ${{ secrets.AWS_SECRET }}",
            "export AWS_SECRET_ACCESS_KEY=$(jq -r .Secret)",
            "id-token: write",
            "image: repo/app@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "arn:aws:iam::123456789012:role/ci",
        ] {
            assert_eq!(redact(text), text);
        }
    }

    #[test]
    fn key_ids_are_found_in_place() {
        assert_eq!(key_id("x: AKIAIOSFODNN7EXAMPLE"), Some(3));
        assert_eq!(key_id("+eAKIAIOSFODNN7EXAMPLE"), Some(2));
        assert_eq!(key_id("AKIA is a prefix; ASIAN"), None);
        assert_eq!(
            redact("x=AKIAIOSFODNN7EXAMPLEAKIAIOSFODNN7EXAMPLE,AKIAIOSFODNN7EXAMPLE"),
            "x=AKIA[redacted],AKIA[redacted]"
        );
        assert!(redact(&"wJalrXUtnFEMIxK7MDENGxbPxRfiCYEXAMPLEKEY".repeat(200)).is_empty());
    }
}
