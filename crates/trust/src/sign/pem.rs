//! The private key in a PEM file (RFC 7468, and the older forms of OpenSSL): finds the one block that is a key and decodes
//! it into memory that is wiped. Which kinds of keys there are is the caller's to know.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::SignError;

/// The largest key file that is looked at; an RSA key of 8192 bits has 7 KiB.
const MAX_FILE: usize = 64 << 10;

/// One decoded block.
pub(super) struct Block<'a> {
    pub(super) label: &'a str,
    pub(super) contents: Zeroizing<Vec<u8>>,
}

/// The first block that is not merely the parameters of a curve, which OpenSSL writes before the key.
pub(super) fn private_block(file: &[u8]) -> Result<Block<'_>, SignError> {
    if file.len() > MAX_FILE {
        return Err(SignError::new(format!("the key file has {} bytes; at most {MAX_FILE} are read", file.len())));
    }
    let no_pem = || SignError::new("no private key in PEM: there is no block -----BEGIN … PRIVATE KEY-----");
    let mut rest = std::str::from_utf8(file).map_err(|_| no_pem())?;
    loop {
        let (_, after) = rest.split_once("-----BEGIN ").ok_or_else(no_pem)?;
        let (label, after) = after.split_once("-----").ok_or_else(no_pem)?;
        let (body, after) = after
            .split_once(&format!("-----END {label}-----"))
            .ok_or_else(|| SignError::new("the private key's PEM block is cut off: it has no end line"))?;
        if label == "EC PARAMETERS" {
            rest = after;
            continue;
        }
        if label.ends_with("PUBLIC KEY") || label == "CERTIFICATE" {
            return Err(SignError::new(format!("the file holds a {label}, not a private key")));
        }
        if body.contains("ENCRYPTED") {
            return Err(encrypted_otherwise());
        }
        let text = Zeroizing::new(body.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect::<Vec<u8>>());
        let contents = STANDARD
            .decode(&*text)
            .map(Zeroizing::new)
            .map_err(|_| SignError::new("the private key's PEM block is not base64"))?;
        return Ok(Block { label, contents });
    }
}

/// For encryption that only OpenSSL reads.
pub(super) fn encrypted_otherwise() -> SignError {
    SignError::new(
        "the private key is encrypted in a form that is not read here: decrypt it with `openssl pkey`, or turn it into \
         cosign's form with `cosign import-key-pair`",
    )
}

/// A PEM file of one block, its lines 64 characters long.
pub(crate) fn encode(label: &str, contents: &[u8]) -> Zeroizing<String> {
    let text = Zeroizing::new(STANDARD.encode(contents));
    let mut file = Zeroizing::new(String::with_capacity(text.len() + text.len() / 64 + 2 * label.len() + 40));
    file.push_str("-----BEGIN ");
    file.push_str(label);
    file.push_str("-----\n");
    for (at, character) in text.char_indices() {
        if at > 0 && at % 64 == 0 {
            file.push('\n');
        }
        file.push(character);
    }
    file.push_str("\n-----END ");
    file.push_str(label);
    file.push_str("-----\n");
    file
}
