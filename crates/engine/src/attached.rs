//! What is attached to an image: referrers, and the attestations that BuildKit keeps inside an index. Each is opened once
//! and read by the parser of its kind. What is signed belongs to the verifier and is only listed here; what is not signed
//! counts only where the policy says that whoever may push to the repository is believed (S22).

use futures_util::FutureExt;
use futures_util::future::join_all;
use model::{Digest, Measurement, Observed, Origin, Reason, ReasonCode, Sbom, Timestamp, VexDocument};
use registry::{Descriptor, Referrers};
use serde::Serialize;
use signals::manifest::{ArtifactBlob, blobs};
use signals::report::Document;
use signals::{Limits, measurement, report, sbom, vex};

use crate::source::Source;

/// What an attached thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum AttachedKind {
    /// A signature or a signed attestation: Sigstore bundle, cosign, Notation.
    Signed,
    /// A scanner's report.
    Report,
    /// A bill of materials.
    Sbom,
    /// A VEX document.
    Vex,
    /// A measurement.
    Measurement,
    /// An unsigned in-toto statement of another kind.
    Statement,
    /// Anything else.
    Other,
}

/// One attached thing and what was read from it.
#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) descriptor: Descriptor,
    pub(crate) artifact_type: String,
    pub(crate) kind: AttachedKind,
    /// What it holds, or why it cannot be read.
    pub(crate) content: Result<Vec<Content>, Reason>,
}

/// What one blob of an attached thing says.
#[derive(Debug)]
pub(crate) enum Content {
    Report(Box<Document>, Digest),
    Sbom(Box<Observed<Sbom>>),
    Vex(Observed<VexDocument>),
    Measurement(Vec<Observed<Measurement>>),
}

/// The kind that an artifact or media type says, without parameters.
fn kind_of(media_type: &str) -> AttachedKind {
    let name = media_type.split(';').next().unwrap_or(media_type).trim().to_ascii_lowercase();
    match name.as_str() {
        measurement::MEDIA_TYPE => AttachedKind::Measurement,
        "application/vnd.cyclonedx+json" | "application/spdx+json" | "text/spdx+json" => AttachedKind::Sbom,
        "application/sarif+json"
        | "application/vnd.security.vulnerability.report"
        | "application/vnd.scanner.adapter.vuln.report.harbor+json"
        | "application/vnd.aquasec.trivy.report+json"
        | "application/vnd.anchore.grype.report+json"
        | "application/vnd.osv+json" => AttachedKind::Report,
        "application/openvex+json" | "application/vnd.openvex+json" | "application/csaf+json" => AttachedKind::Vex,
        "application/vnd.in-toto+json" => AttachedKind::Statement,
        _ if is_signed(&name) => AttachedKind::Signed,
        _ => AttachedKind::Other,
    }
}

/// True if the type is one of signatures and signed attestations, which the verifier reads.
pub(crate) fn is_signed(media_type: &str) -> bool {
    let prefixes = [
        "application/vnd.dev.sigstore.bundle",
        "application/vnd.dev.cosign",
        "application/vnd.cncf.notary",
        "application/vnd.dsse.envelope",
    ];
    // `cosign attach sbom` attaches without signing.
    prefixes.iter().any(|prefix| media_type.starts_with(prefix)) && !media_type.contains("artifact.sbom")
}

/// Opens everything that is attached to `subject`, side by side. `referrers` are its referrers.
pub(crate) async fn attached(
    source: &Source,
    subject: &Digest,
    referrers: &Referrers,
    attestations: &[Digest],
    now: Timestamp,
) -> Vec<Attached> {
    let referred = referrers.descriptors.iter().map(|descriptor| {
        let artifact_type = descriptor.artifact_type.clone().unwrap_or_else(|| descriptor.media_type.clone());
        let bytes = referrers.opened.get(&descriptor.digest).map(|manifest| manifest.bytes.to_vec());
        (descriptor.clone(), artifact_type, bytes, true)
    });
    let inside = attestations.iter().map(|digest| {
        let descriptor = Descriptor::new("application/vnd.oci.image.manifest.v1+json", digest.clone(), 0);
        (descriptor, "application/vnd.in-toto+json".to_owned(), None, false)
    });
    let all: Vec<_> = referred.chain(inside).collect();
    join_all(all.into_iter().map(|(descriptor, artifact_type, bytes, is_referrer)| async move {
        let kind = kind_of(&artifact_type);
        let content = match kind {
            AttachedKind::Signed | AttachedKind::Other => Ok(Vec::new()),
            _ => open(source, subject, &descriptor, About { kind, is_referrer }, bytes, now).await,
        };
        Attached { descriptor, artifact_type, kind, content }
    }))
    .await
}

/// What is known of an attached thing before it is opened.
#[derive(Clone, Copy)]
struct About {
    kind: AttachedKind,
    /// It says itself what it is about; an attestation inside an index does not.
    is_referrer: bool,
}

async fn open(
    source: &Source,
    subject: &Digest,
    descriptor: &Descriptor,
    about: About,
    bytes: Option<Vec<u8>>,
    now: Timestamp,
) -> Result<Vec<Content>, Reason> {
    let kind = about.kind;
    let bytes = match bytes {
        Some(bytes) => bytes,
        None => source.manifest(&descriptor.digest).await?.bytes.to_vec(),
    };
    if about.is_referrer {
        let claimed = signals::manifest::subject(&bytes, &Limits::STANDARD)?;
        if claimed.as_ref() != Some(subject) {
            // A list under a fallback tag is written by whoever may push; only the manifest itself says what it is about.
            let message = format!("{} is listed as a referrer of {subject}, but is not about it", descriptor.digest);
            return Err(Reason::new(ReasonCode::RegistryMalformed, message));
        }
    }
    let list = blobs(&bytes, &Limits::STANDARD)?;
    let read = join_all(list.iter().map(|blob| content(source, subject, descriptor, kind, blob, now).boxed())).await;
    let mut contents = Vec::new();
    for content in read {
        contents.extend(content?);
    }
    Ok(contents)
}

async fn content(
    source: &Source,
    subject: &Digest,
    referrer: &Descriptor,
    kind: AttachedKind,
    blob: &ArtifactBlob,
    now: Timestamp,
) -> Result<Option<Content>, Reason> {
    // A blob may say more exactly what it is than the manifest around it.
    let own = kind_of(&blob.media_type);
    let kind = if own == AttachedKind::Other { kind } else { own };
    let limits = &Limits::STANDARD;
    let origin = Origin::Registry(referrer.digest.to_string());
    let bytes = match kind {
        AttachedKind::Signed | AttachedKind::Other => return Ok(None),
        _ => source.document(&blob.digest, &blob.media_type).await?,
    };
    let evidence = blob.digest.clone();
    let name = referrer.digest.short();
    let wrong = |code: ReasonCode, error: signals::ParseError| Reason::new(code, format!("attached {name}: {error}"));
    let observed = |value: Sbom| {
        Content::Sbom(Box::new(Observed { value, origin: origin.clone(), at: now, evidence: evidence.clone() }))
    };
    Ok(Some(match kind {
        AttachedKind::Report => {
            let document = report::parse(&bytes, limits).map_err(|error| wrong(ReasonCode::ScanMalformed, error))?;
            Content::Report(Box::new(document), evidence)
        }
        AttachedKind::Sbom => {
            observed(sbom::parse(&bytes, limits).map_err(|error| wrong(ReasonCode::SbomInvalid, error))?)
        }
        AttachedKind::Vex => {
            let value = vex::parse(&bytes, limits).map_err(|error| wrong(ReasonCode::VexInvalid, error))?;
            Content::Vex(Observed { value, origin, at: now, evidence })
        }
        AttachedKind::Measurement => {
            let values =
                measurement::parse(&bytes, limits).map_err(|error| wrong(ReasonCode::MeasurementInvalid, error))?;
            let each = |value| Observed { value, origin: origin.clone(), at: now, evidence: evidence.clone() };
            Content::Measurement(values.into_iter().map(each).collect())
        }
        AttachedKind::Statement => {
            let predicate = predicate_type(&bytes).map_err(|error| wrong(ReasonCode::SbomInvalid, error))?;
            let is_sbom = predicate.starts_with("https://spdx.dev/Document")
                || predicate.starts_with("https://cyclonedx.org/bom");
            if !is_sbom {
                return Ok(None);
            }
            let (subjects, mut value) =
                sbom::from_statement(&bytes, limits).map_err(|error| wrong(ReasonCode::SbomInvalid, error))?;
            if !subjects.contains(subject) {
                let message = format!("attached {name}: the statement is about another image than {subject}");
                return Err(Reason::new(ReasonCode::SbomMismatch, message));
            }
            value.describes.extend(subjects);
            observed(value)
        }
        AttachedKind::Signed | AttachedKind::Other => return Ok(None),
    }))
}

/// `predicateType` of an in-toto statement.
fn predicate_type(bytes: &[u8]) -> Result<String, signals::ParseError> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Statement {
        predicate_type: String,
    }
    serde_json::from_slice::<Statement>(bytes)
        .map(|statement| statement.predicate_type)
        .map_err(|error| signals::ParseError::json("in-toto statement", &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b19_kinds_are_told_by_type_and_signed_things_are_left_to_the_verifier() {
        for (media_type, kind) in [
            ("application/vnd.cyclonedx+json; version=1.6", AttachedKind::Sbom),
            ("application/spdx+json", AttachedKind::Sbom),
            ("application/sarif+json", AttachedKind::Report),
            ("application/vnd.dev.sigstore.bundle.v0.3+json", AttachedKind::Signed),
            ("application/vnd.cncf.notary.signature", AttachedKind::Signed),
            ("application/vnd.in-toto+json", AttachedKind::Statement),
            (measurement::MEDIA_TYPE, AttachedKind::Measurement),
            ("application/vnd.example", AttachedKind::Other),
        ] {
            assert_eq!(kind_of(media_type), kind, "{media_type}");
        }
    }
}
