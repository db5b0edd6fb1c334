//! `ecr-gate attest`: signs a statement about an image, such as a test result or a bill of materials, and attaches it as a
//! Sigstore bundle. What policies make of it is judged by `check` and `verify`.

pub(super) mod predicate;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use engine::{Place, attach_bundle, resolve};
use model::{Digest, ImageReference, Statement};
use serde::Serialize;
use serde_json::Value;
use signals::Limits;

use self::predicate::{predicate, predicate_type};
use crate::clock::now;
use crate::commands::input::to_json;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::registry::RegistryArgs;
use crate::signing::{refused, signing_key};
use crate::target::ImageArgs;
use crate::ui::{OutputFormat, Ui};

/// Signs a statement about an image and attaches it, where `check`, `verify` and cosign find it
///
/// The statement is about the image's digest: a tag is resolved once. It is signed with a key file, whose password is read
/// from ECR_GATE_KEY_PASSWORD or COSIGN_PASSWORD, or with a key in AWS KMS, and attached as a Sigstore bundle v0.3. Nothing is
/// uploaded to a transparency log.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 attached or written, 3 access, key, predicate or no such image, 5 registry or KMS unreachable, 64 wrong usage.

Examples:
  ecr-gate attest IMAGE --predicate sbom.cdx.json --type cyclonedx --key ecr-gate.key
  ecr-gate attest IMAGE --predicate result.json --type https://in-toto.io/attestation/test-result/v0.1 --key awskms:///alias/ci
  make-vex | ecr-gate attest IMAGE --predicate - --type openvex --key ecr-gate.key --file vex.sigstore.json")]
pub(crate) struct AttestArgs {
    #[command(flatten)]
    image: ImageArgs,
    /// What is stated, a JSON object; `-` for standard input
    #[arg(long, value_name = "FILE")]
    predicate: String,
    /// The predicate's type: a URI, or slsaprovenance, slsaprovenance1, spdxjson, cyclonedx, vuln, openvex, link
    #[arg(long = "type", value_name = "TYPE")]
    kind: String,
    /// The private key: a file, or awskms:///alias/NAME
    #[arg(long, value_name = "FILE|awskms://…")]
    key: String,
    /// Write the bundle to this file and attach nothing
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    registry: RegistryArgs,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "text", value_name = "FORMAT")]
    output: OutputFormat,
}

/// What was done, for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Attested {
    schema: &'static str,
    subject: Digest,
    predicate_type: String,
    key_id: String,
    referrer: Option<Digest>,
    file: Option<String>,
}

impl AttestArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let kind = predicate_type(&self.kind)?;
        let image = self.image.resolve()?;
        if !matches!(image.place(false)?, Place::Ecr(_) | Place::Registry) {
            return Err(Failure::usage("statements are attached to an image in a registry")
                .hint("push the image first, and name it as docker push does"));
        }
        let reference = image.canonical();
        let predicate = predicate(&self.predicate)?;
        let key = signing_key(&self.key)?;
        let access = self.registry.access()?;
        let subject = match (&reference.digest, &self.file) {
            (Some(digest), Some(_)) => digest.clone(),
            _ => resolve(&reference, &access).await.map_err(|error| refused(error.reason))?,
        };
        readable(&kind, &subject, &predicate)?;
        let public = key.public().await.map_err(refused)?;
        let statement = trust::statement(&repository(&reference), &subject, &kind, &predicate)
            .map_err(|error| Failure::configuration(error.to_string()))?;
        let bundle = key.sign(&statement).await.map_err(refused)?;
        let mut attested = Attested {
            schema: "ecr-gate.dev/attest/v1",
            subject: subject.clone(),
            predicate_type: kind.clone(),
            key_id: public.id().to_string(),
            referrer: None,
            file: self.file.as_ref().map(|file| file.display().to_string()),
        };
        if let Some(file) = &self.file {
            files::write("the bundle", file, &String::from_utf8_lossy(&bundle))?;
        } else {
            let attached = attach_bundle(&reference, &access, &subject, bundle, &kind, now())
                .await
                .map_err(|error| refused(error.reason))?;
            attested.referrer = Some(attached.referrer);
        }
        let text = match self.output {
            OutputFormat::Json => to_json(&attested)?,
            OutputFormat::Text => match (&attested.referrer, &attested.file) {
                (Some(referrer), _) => format!("attached {referrer} to {subject}, signed by the key {}", public.id()),
                (None, Some(file)) => format!("wrote {file}, about {subject}, signed by the key {}", public.id()),
                (None, None) => format!("nothing was written about {subject}"),
            },
        };
        ui.data(&(text + "\n"))?;
        Ok(Exit::Allowed)
    }
}

/// A predicate of a type that the gate reads must be one that it can read: what is attached stays attached.
fn readable(kind: &str, subject: &Digest, predicate: &Value) -> Result<(), Failure> {
    let statement = Statement {
        predicate_type: kind.to_owned(),
        subjects: vec![subject.clone()],
        predicate: predicate.to_string().into_bytes(),
    };
    signals::predicate::read(&statement, &Limits::STANDARD).map(|_| ()).map_err(|error| {
        Failure::configuration(format!("the predicate is no {kind}: {error}"))
            .hint("give the document itself, as the tool wrote it, or another --type")
    })
}

/// `host/repository`: the subject's name, as cosign writes it.
fn repository(reference: &ImageReference) -> String {
    ImageReference { tag: None, digest: None, ..reference.clone() }.to_string()
}
