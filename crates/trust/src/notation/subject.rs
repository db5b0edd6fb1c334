//! A distinguished name as text. Source: RFC 4514; attribute names of RFC 4514 and RFC 4519.

use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::{Encode, Tag, Tagged};
use x509_cert::name::Name;

const NAMES: [(&str, &str); 16] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "SERIALNUMBER"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "TITLE"),
    ("2.5.4.13", "DESCRIPTION"),
    ("2.5.4.17", "POSTALCODE"),
    ("2.5.4.42", "GIVENNAME"),
    ("2.5.4.97", "ORGANIZATIONIDENTIFIER"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
];

/// The name as text, the most special part first.
pub(super) fn text(name: &Name) -> String {
    let parts = name.0.iter().rev().map(|part| {
        let attributes: Vec<_> = part.0.iter().map(attribute).collect();
        attributes.join("+")
    });
    parts.collect::<Vec<_>>().join(",")
}

fn attribute(attribute: &AttributeTypeAndValue) -> String {
    let oid = attribute.oid.to_string();
    let name = NAMES.iter().find(|(known, _)| *known == oid).map(|(_, name)| *name);
    match (name, string(attribute)) {
        (Some(name), Some(value)) => format!("{name}={}", escaped(&value)),
        (name, _) => {
            let der = attribute.value.to_der().map_or_else(|_| "?".to_owned(), hex::encode);
            format!("{}=#{der}", name.unwrap_or(&oid))
        }
    }
}

/// The value, if it is a string whose encoding leaves no doubt.
#[expect(clippy::disallowed_methods, reason = "bytes that are no text of their encoding are shown as hexadecimal")]
fn string(attribute: &AttributeTypeAndValue) -> Option<String> {
    let bytes = attribute.value.value();
    match attribute.value.tag() {
        Tag::Utf8String => String::from_utf8(bytes.to_vec()).ok(),
        Tag::PrintableString | Tag::Ia5String | Tag::TeletexString | Tag::NumericString | Tag::VisibleString
            if bytes.is_ascii() =>
        {
            Some(bytes.iter().map(|byte| char::from(*byte)).collect())
        }
        Tag::BmpString if bytes.len().is_multiple_of(2) => {
            let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).collect::<Result<_, _>>().ok()
        }
        _ => None,
    }
}

fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (position, c) in value.chars().enumerate() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => text.extend(['\\', c]),
            '#' if position == 0 => text.push_str("\\#"),
            ' ' if position == 0 || position == last => text.push_str("\\ "),
            c if c.is_control() => {
                let mut buffer = [0; 4];
                for byte in c.encode_utf8(&mut buffer).bytes() {
                    text.push('\\');
                    text.push_str(&hex::encode_upper([byte]));
                }
            }
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use x509_cert::der::Any;
    use x509_cert::der::asn1::SetOfVec;
    use x509_cert::name::RelativeDistinguishedName;

    use super::*;

    fn name(parts: &[&[(&str, Tag, &[u8])]]) -> Name {
        let part = |part: &&[(&str, Tag, &[u8])]| {
            let attributes: Vec<_> = part
                .iter()
                .map(|(oid, tag, value)| AttributeTypeAndValue {
                    oid: oid.parse().unwrap(),
                    value: Any::new(*tag, value.to_vec()).unwrap(),
                })
                .collect();
            RelativeDistinguishedName(SetOfVec::try_from(attributes).unwrap())
        };
        x509_cert::name::RdnSequence(parts.iter().map(part).collect())
    }

    #[test]
    fn s27_subjects_are_written_as_rfc_4514_does() {
        let plain = name(&[
            &[("2.5.4.6", Tag::PrintableString, b"US")],
            &[("2.5.4.10", Tag::Utf8String, b"Sue, Grabbit and Runn")],
            &[("2.5.4.11", Tag::Utf8String, b"Sales"), ("2.5.4.3", Tag::Utf8String, b"J.  Smith")],
        ]);
        // Attributes of one part are a set, which DER sorts.
        assert_eq!(text(&plain), "OU=Sales+CN=J.  Smith,O=Sue\\, Grabbit and Runn,C=US");
        let odd = name(&[
            &[("1.3.6.1.4.1.1466.0", Tag::OctetString, &[0x48, 0x69])],
            &[("2.5.4.3", Tag::Utf8String, " #a\"\r\u{9b}\\ ".as_bytes())],
            &[("2.5.4.7", Tag::BmpString, &[0, 0x4c, 0x01, 0x0d])],
            &[("2.5.4.8", Tag::TeletexString, &[0xe9])],
        ]);
        assert_eq!(text(&odd), "ST=#1401e9,L=L\u{10d},CN=\\ #a\\\"\\0D\\C2\\9B\\\\\\ ,1.3.6.1.4.1.1466.0=#04024869");
        assert_eq!(text(&name(&[])), "");
    }
}
