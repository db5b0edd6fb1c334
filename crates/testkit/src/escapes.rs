//! Percent-encoding as queries and forms use it (URL standard, `application/x-www-form-urlencoded`), undone.

use std::collections::BTreeMap;

/// The fields of a query or a form.
pub(crate) fn pairs(text: &str) -> BTreeMap<String, String> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (unescaped(name, true), unescaped(value, true))
    };
    text.split('&').filter(|text| !text.is_empty()).map(pair).collect()
}

/// `%41` undone, and in a query `+` too; what is no valid escape stays.
pub(crate) fn unescaped(text: &str, in_query: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        let digits = (ahead.next().and_then(digit), ahead.next().and_then(digit));
        match (byte, digits) {
            (b'%', (Some(high), Some(low))) => {
                bytes.push(high * 16 + low);
                rest = ahead;
            }
            (b'+', _) if in_query => bytes.push(b' '),
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::{pairs, unescaped};

    #[test]
    fn escapes_are_undone_and_broken_ones_are_kept() {
        assert_eq!(unescaped("arn%3Aaws+x%2", true), "arn:aws x%2");
        assert_eq!(unescaped("%%zz%C3%A9", true), "%%zzé");
        assert_eq!(unescaped("sha256%3Aab+c%2", false), "sha256:ab+c%2");
        let read = pairs("scope=repository%3Aapp%3Apull&n=2&last=a+b&flag");
        let wanted = [("flag", ""), ("last", "a b"), ("n", "2"), ("scope", "repository:app:pull")];
        assert!(read.iter().map(|(name, value)| (name.as_str(), value.as_str())).eq(wanted), "{read:?}");
    }
}
