//! Certificates and revocation lists as they lie in files: PEM, several in one file, or one in DER. What is in them is
//! judged by whoever uses them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub(super) const CERTIFICATE: &str = "CERTIFICATE";
pub(super) const REVOCATION_LIST: &str = "X509 CRL";

/// How many a file may hold.
const MOST: usize = 1000;

/// The DER of every block in a file. Text around the blocks says nothing; a block of another kind is a mistake.
pub(super) fn read(bytes: &[u8], label: &str) -> Result<Vec<Vec<u8>>, String> {
    // A DER structure begins with SEQUENCE, which no text does.
    if bytes.first() == Some(&0x30) && !bytes.starts_with(b"0-") && std::str::from_utf8(bytes).is_err() {
        return Ok(vec![bytes.to_vec()]);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| format!("it holds no {label}, in PEM or DER"))?;
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let (found, body) = after.split_once("-----").ok_or("a PEM block has no label")?;
        if found != label {
            return Err(format!(
                "it holds a {}, where {label} is asked for",
                found.chars().take(60).collect::<String>()
            ));
        }
        let (body, after) =
            body.split_once(&format!("-----END {label}-----")).ok_or("a PEM block is cut off: it has no end line")?;
        let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let der = STANDARD.decode(body).map_err(|_| "a PEM block is not base64")?;
        if der.is_empty() || blocks.len() == MOST {
            return Err(format!("it holds an empty block, or more than {MOST}"));
        }
        blocks.push(der);
        rest = after;
    }
    if blocks.is_empty() { Err(format!("it holds no {label}, in PEM or DER")) } else { Ok(blocks) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem(label: &str, der: &[u8]) -> String {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
    }

    #[test]
    fn s27_a_file_holds_several_blocks_in_pem_or_one_in_der() {
        let file =
            format!("subject=CN = a\n{}\nsubject=CN = b\n{}", pem(CERTIFICATE, b"one"), pem(CERTIFICATE, b"two"));
        assert_eq!(read(file.as_bytes(), CERTIFICATE).unwrap(), [b"one".to_vec(), b"two".to_vec()]);
        let windows = file.replace('\n', "\r\n");
        assert_eq!(read(windows.as_bytes(), CERTIFICATE).unwrap().len(), 2);
        let der = [0x30, 0x82, 0x01, 0x00];
        assert_eq!(read(&der, REVOCATION_LIST).unwrap(), [der.to_vec()]);
    }

    #[test]
    fn s27_what_is_none_or_cut_off_is_refused() {
        let whole = pem(CERTIFICATE, b"one");
        for (bytes, why) in [
            (String::new(), "no CERTIFICATE"),
            ("text".to_owned(), "no CERTIFICATE"),
            (whole.replace("-----END CERTIFICATE-----", ""), "cut off"),
            (whole.clone() + "-----BEGIN CERTIFICATE-----\nAAAA", "cut off"),
            (whole.clone() + "-----BEGIN CERT", "no label"),
            (whole.clone() + &pem("PRIVATE KEY", b"x"), "holds a PRIVATE KEY"),
            (pem("X509 CRL", b"x"), "holds a X509 CRL"),
            (pem(CERTIFICATE, b""), "empty block"),
            (whole.replace("b25l", "b2!l"), "not base64"),
        ] {
            let error = read(bytes.as_bytes(), CERTIFICATE).unwrap_err();
            assert!(error.contains(why), "{bytes:?}: {error}");
        }
        assert!(read(&[0xff, 0xfe], CERTIFICATE).is_err());
    }
}
