//! Signs with the test authority for suites that are not in Rust: writes a trusted root, a bundle, the layer of cosign v2
//! with its annotations, and the public key of the signer with a key. For tests only; what it signs means nothing.
//!
//! `test-authority --out DIR --subject sha256:… [--seed TEXT] [--identity URI-OR-EMAIL] [--issuer URL] [--claim NUMBER=TEXT]…
//! [--at RFC3339] [--type URI --predicate FILE | --statement FILE | --message] [--by-key]
//! [--entry hashedrekord|dsse|intoto|tiles|none] [--timestamp] [--fault NAME]`, or `test-authority --faults`.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

use testkit::authority::{Authority, Content, Entry, Fault, Identity, Request};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut request = Request::image("");
    let (mut out, mut seed, mut kind, mut predicate, mut fault) = (None, "test".to_owned(), None, None, None);
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{name} needs a value"));
        match name.as_str() {
            "--faults" => {
                for fault in Fault::ALL {
                    writeln!(std::io::stdout(), "{} {}", fault.name(), fault.reason())?;
                }
                return Ok(());
            }
            "--out" => out = Some(PathBuf::from(value()?)),
            "--seed" => seed = value()?,
            "--subject" => request.subject = value()?,
            "--issuer" => request.issuer = value()?,
            "--identity" => {
                let name = value()?;
                let is_email = name.contains('@') && !name.contains("://");
                request.identities = vec![if is_email { Identity::Email(name) } else { Identity::Uri(name) }];
            }
            "--claim" => {
                let claim = value()?;
                let (number, text) = claim.split_once('=').ok_or("--claim is NUMBER=TEXT")?;
                let number = number.parse()?;
                request.claims.retain(|(known, _)| *known != number);
                request.claims.push((number, text.to_owned()));
            }
            "--at" => request.at = value()?.parse::<jiff::Timestamp>()?.as_second(),
            "--type" => kind = Some(value()?),
            "--predicate" => predicate = Some(serde_json::from_slice(&fs::read(value()?)?)?),
            "--statement" => request.content = Content::Raw(fs::read(value()?)?),
            "--message" => request.content = Content::Message,
            "--by-key" => request = request.by_key(),
            "--timestamp" => request.timestamp = true,
            "--entry" => {
                request.entry = match value()?.as_str() {
                    "hashedrekord" => Entry::Hashedrekord,
                    "dsse" => Entry::Dsse,
                    "intoto" => Entry::Intoto,
                    "tiles" => Entry::Tiles,
                    "none" => Entry::Nowhere,
                    other => return Err(format!("no such entry: {other}").into()),
                }
            }
            "--fault" => {
                let name = value()?;
                fault = Some(Fault::from_name(&name).ok_or_else(|| format!("no such fault: {name}"))?);
            }
            other => return Err(format!("unknown argument {other}").into()),
        }
    }
    match (kind, predicate) {
        (Some(predicate_type), Some(predicate)) => request.content = Content::Statement { predicate_type, predicate },
        (None, None) => {}
        _ => return Err("--type and --predicate go together".into()),
    }
    if let Some(fault) = fault {
        request = request.with(fault);
    }
    let out = out.ok_or("--out is missing")?;
    if request.subject.len() != "sha256:".len() + 64 {
        return Err("--subject is sha256: and 64 digits".into());
    }
    fs::create_dir_all(&out)?;
    let authority = Authority::new(&seed);
    fs::write(out.join("trusted_root.json"), authority.trusted_root())?;
    fs::write(out.join("signer.pub"), authority.public_key())?;
    fs::write(out.join("bundle.json"), authority.bundle(&request))?;
    if request.entry != Entry::Tiles && fault != Some(Fault::EntryKind) {
        let layer = authority.layer(&request);
        fs::write(out.join("layer"), &layer.bytes)?;
        let about = serde_json::json!({"mediaType": layer.media_type, "annotations": layer.annotations});
        fs::write(out.join("layer.json"), serde_json::to_vec_pretty(&about)?)?;
    }
    Ok(())
}
