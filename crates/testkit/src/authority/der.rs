//! DER, written by hand: enough for certificates and timestamps, and free to write what no library would.

/// One element: a tag, the length and the contents.
pub(super) fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut encoded = vec![tag];
    let length = contents.len();
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => encoded.push(short),
        _ => {
            let bytes: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            encoded.push(0x80 | u8::try_from(bytes.len()).unwrap());
            encoded.extend(bytes);
        }
    }
    encoded.extend_from_slice(contents);
    encoded
}

pub(super) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

/// A set in the order DER asks for.
pub(super) fn set(parts: &[&[u8]]) -> Vec<u8> {
    element(0x31, &sorted(parts))
}

/// The elements of a set, in the order DER asks for.
pub(super) fn sorted(parts: &[&[u8]]) -> Vec<u8> {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    parts.concat()
}

/// A number that is not negative.
pub(super) fn integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let mut number = bytes[start..].to_vec();
    if number.first().is_none_or(|first| *first >= 0x80) {
        number.insert(0, 0);
    }
    element(0x02, &number)
}

pub(super) fn number(value: u64) -> Vec<u8> {
    integer(&value.to_be_bytes())
}

pub(super) fn truth() -> Vec<u8> {
    element(0x01, &[0xff])
}

pub(super) fn octets(bytes: &[u8]) -> Vec<u8> {
    element(0x04, bytes)
}

pub(super) fn bits(bytes: &[u8]) -> Vec<u8> {
    element(0x03, &[&[0], bytes].concat())
}

pub(super) fn text(text: &str) -> Vec<u8> {
    element(0x0c, text.as_bytes())
}

/// A constructed element with a tag of its own.
pub(super) fn explicit(tag: u8, contents: &[u8]) -> Vec<u8> {
    element(0xa0 | tag, contents)
}

pub(super) fn object_id(dotted: &str) -> Vec<u8> {
    let arcs: Vec<u64> = dotted.split('.').map(|arc| arc.parse().unwrap()).collect();
    let mut encoded = Vec::new();
    for arc in std::iter::once(arcs[0] * 40 + arcs[1]).chain(arcs[2..].iter().copied()) {
        let mut digits = vec![u8::try_from(arc & 0x7f).unwrap()];
        let mut rest = arc >> 7;
        while rest > 0 {
            digits.push(0x80 | u8::try_from(rest & 0x7f).unwrap());
            rest >>= 7;
        }
        encoded.extend(digits.into_iter().rev());
    }
    element(0x06, &encoded)
}

/// A moment of a certificate, before 2050.
pub(super) fn short_time(seconds: i64) -> Vec<u8> {
    element(0x17, format_time(seconds, "%y%m%d%H%M%SZ").as_bytes())
}

/// A moment of a timestamp.
pub(super) fn long_time(seconds: i64) -> Vec<u8> {
    element(0x18, format_time(seconds, "%Y%m%d%H%M%SZ").as_bytes())
}

fn format_time(seconds: i64, format: &str) -> String {
    jiff::Timestamp::from_second(seconds).unwrap().strftime(format).to_string()
}

/// A PEM file of one block.
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
