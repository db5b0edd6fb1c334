//! What is signed on an image, for people: one block for each signature and signed statement, with who signed it and when
//! that is proven, or why it does not verify; then what the rules make of it, and what is missing. It decides nothing.

use std::fmt::Write as _;

use engine::{FoundArtifact, FoundContent, FoundProof, FoundProvenance, Verification};
use model::{CertificateIdentity, Reason, Revocation, Signer, TimeSource};

use super::words::{logged, minute};

/// How many artifacts are shown; the JSON form has all.
const BLOCKS: usize = 50;
/// The longest text of one value, and of one sentence.
const VALUE: usize = 300;
const SENTENCE: usize = 1000;

/// The page.
pub(crate) fn verification(record: &Verification, color: bool) -> String {
    let mut text = String::new();
    let (word, code) = match record.exit_code {
        0 => ("VERIFIED", "32"),
        1 => ("NOT VERIFIED", "31"),
        _ => ("NOT DECIDED", "33"),
    };
    let word = if color { format!("\x1b[1;{code}m{word}\x1b[0m") } else { word.to_owned() };
    let _ = writeln!(text, "{word}  {}", logged(&record.image.reference, SENTENCE));
    fact(&mut text, "digest", record.image.digest.as_str());
    fact(&mut text, "found", &found(record));
    for (number, artifact) in record.found.iter().take(BLOCKS).enumerate() {
        let _ = writeln!(text, "\n{}. {}", number + 1, title(artifact));
        block(&mut text, artifact);
    }
    if record.found.len() > BLOCKS {
        let _ = writeln!(text, "\n… and {} more; `--output json` has all", record.found.len() - BLOCKS);
    }
    for unlisted in &record.unavailable {
        let _ = writeln!(text, "\nnot looked at: what is attached to {}", unlisted.subject);
        reason(&mut text, &unlisted.reason);
    }
    text.push('\n');
    for rule in &record.rules {
        let _ = writeln!(text, "rule {}: {}", logged(&rule.rule, VALUE), rule.outcome);
        for why in &rule.reasons {
            reason(&mut text, why);
        }
        for note in &rule.notes {
            let _ = writeln!(text, "  note: {}", logged(note, SENTENCE));
        }
    }
    for warning in &record.warnings {
        let _ = writeln!(text, "warning: {}", logged(warning, SENTENCE));
    }
    let _ = writeln!(text, "trust score {} of 100", record.trust_score.score);
    for part in &record.trust_score.parts {
        let points = format!("{} of {}", part.points, part.weight);
        let _ = writeln!(text, "  {:<12} {points:<8}  {}", part.name, logged(&part.why, VALUE));
    }
    if let Some(until) = record.valid_until {
        let _ = writeln!(text, "the answer holds until {}, as far as time alone can change it", minute(until));
    }
    text
}

fn found(record: &Verification) -> String {
    let verified = record.found.iter().filter(|artifact| artifact.verified);
    let signatures =
        verified.clone().filter(|artifact| matches!(artifact.content, Some(FoundContent::Signature { .. })));
    let (signatures, verified) = (signatures.count(), verified.count());
    match record.found.len() {
        0 => "nothing signed".to_owned(),
        all => format!(
            "{}, {}, {} that {} not verify",
            count(signatures, "signature"),
            count(verified - signatures, "signed statement"),
            all - verified,
            if all - verified == 1 { "does" } else { "do" }
        ),
    }
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn title(artifact: &FoundArtifact) -> String {
    let what = match &artifact.content {
        None => "does not verify",
        Some(FoundContent::Signature { .. }) => "verified signature on the image",
        Some(FoundContent::Statement { .. }) => "verified statement about the image",
    };
    format!("{what} ({})", artifact.format.as_str())
}

fn block(text: &mut String, artifact: &FoundArtifact) {
    if let Some(platform) = &artifact.platform {
        fact(text, "about", &format!("{platform} {}", artifact.subject));
    }
    fact(text, "place", &format!("{} ({})", artifact.place, artifact.manifest.short()));
    match &artifact.content {
        Some(FoundContent::Statement { predicate_type }) => fact(text, "says", predicate_type),
        Some(FoundContent::Signature { reference, annotations }) => {
            if let Some(reference) = reference {
                fact(text, "signed as", reference);
            }
            for (name, value) in annotations.iter().take(20) {
                fact(text, "annotation", &format!("{name}={value}"));
            }
        }
        None => {}
    }
    if let Some(proof) = &artifact.proof {
        signer(text, &proof.signer);
        times(text, proof);
    }
    if let Some(provenance) = &artifact.provenance {
        built(text, provenance);
    }
    for why in &artifact.reasons {
        reason(text, why);
    }
}

fn signer(text: &mut String, signer: &Signer) {
    match signer {
        Signer::Key { key, algorithm } => fact(text, "signer", &format!("the holder of the {algorithm} key {key}")),
        Signer::Keyless { identity, issuer, claims, .. } => {
            let kind = match identity {
                CertificateIdentity::Email(_) => "e-mail",
                CertificateIdentity::Uri(_) => "URI",
                CertificateIdentity::UserName(_) => "user name",
            };
            fact(text, "signer", &format!("{} ({kind})", identity.as_str()));
            fact(text, "issuer", issuer);
            for (name, value) in claims.iter().take(30) {
                fact(text, "claim", &format!("{name}={value}"));
            }
        }
        Signer::X509 { stores, subject, revocation, .. } => {
            fact(text, "signer", subject);
            let stores: Vec<String> = stores.iter().map(ToString::to_string).collect();
            fact(text, "trusted by", &stores.join(", "));
            let revocation = match revocation {
                Revocation::Good { until } => format!("not revoked, by lists that hold until {}", minute(*until)),
                Revocation::Revoked { since } => format!("revoked since {}", minute(*since)),
                Revocation::NotChecked => "not known: no list is given, and no certificate names a service".to_owned(),
                Revocation::NotAsked => {
                    "not known: no list is given, and the service that is named is not asked".to_owned()
                }
            };
            fact(text, "revocation", &revocation);
        }
    }
}

fn times(text: &mut String, proof: &FoundProof) {
    for proven in &proof.proven {
        let by = match proven.by {
            TimeSource::TransparencyLog => "the transparency log",
            TimeSource::TimestampAuthority => "a timestamp authority",
            TimeSource::SigningAuthority => "the signing authority",
        };
        fact(text, "signed at", &format!("{}, proven by {by}", minute(proven.at)));
    }
    if proof.proven.is_empty() {
        let claimed = proof.claimed.map_or_else(String::new, |at| format!("; the signer says {}", minute(at)));
        fact(text, "signed at", &format!("not proven{claimed}"));
    }
    if let Some(entry) = &proof.log {
        fact(text, "log entry", &format!("{} of the log {}", entry.index, entry.log));
    }
    if let Some((start, end)) = proof.window {
        fact(text, "certificate", &format!("valid from {} to {}", minute(start), minute(end)));
    }
    if let Some(expires) = proof.expires {
        fact(text, "expires", &minute(expires));
    }
    for note in &proof.notes {
        fact(text, "note", note);
    }
}

fn built(text: &mut String, provenance: &FoundProvenance) {
    fact(text, "builder", &provenance.builder);
    fact(text, "build type", &provenance.build_type);
    let parts = [
        ("source", &provenance.source),
        ("ref", &provenance.git_ref),
        ("commit", &provenance.commit),
        ("workflow", &provenance.workflow),
    ];
    for (name, value) in parts {
        fact(text, name, value.as_deref().unwrap_or("not said"));
    }
}

fn fact(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "  {name:<12} {}", logged(value, VALUE));
}

fn reason(text: &mut String, reason: &Reason) {
    let _ = writeln!(text, "  {}: {}", reason.code, logged(&reason.message, SENTENCE));
    let _ = writeln!(text, "    -> {}", logged(&reason.remedy, SENTENCE));
}

#[cfg(test)]
mod tests;
