//! Who has to have signed, in the words of the command line: keys, a keyless identity, Notation's trust policy. They become
//! words of a policy; nothing is verified here.

use std::path::{Path, PathBuf};

use policy::{SignedBy, StoreSigner, Wanted, WantedStatement, X509Kind};
use trust::{NotationSigner, StoreKind, trust_policy};

use crate::commands::attest::predicate::predicate_type;
use crate::failure::Failure;
use crate::files;
use crate::signing::is_kms;

/// The largest trust policy that is read.
const LIMIT: usize = 1 << 20;
/// How many certificates one trust store may hold.
const MOST: usize = 1000;

/// Who has to have signed. Several are all asked for.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Signers")]
pub(crate) struct SignerArgs {
    /// A public key: a PEM file, or awskms:///alias/NAME; several times
    #[arg(long, value_name = "FILE|awskms://…")]
    pub key: Vec<String>,
    /// The identity in the certificate, exactly: an e-mail address, or the URI of a workflow
    #[arg(long, value_name = "TEXT", conflicts_with = "certificate_identity_regexp")]
    pub certificate_identity: Option<String>,
    /// The same as a regular expression for the whole identity
    #[arg(long, value_name = "REGEXP")]
    pub certificate_identity_regexp: Option<String>,
    /// The OIDC issuer in the certificate, exactly
    #[arg(long, value_name = "URL", conflicts_with = "certificate_oidc_issuer_regexp")]
    pub certificate_oidc_issuer: Option<String>,
    /// The same as a regular expression for the whole issuer
    #[arg(long, value_name = "REGEXP")]
    pub certificate_oidc_issuer_regexp: Option<String>,
    /// Notation's trust policy (`trustpolicy.json`); the entry that is about the image's repository counts
    #[arg(long, value_name = "FILE", requires = "notation_trust_store")]
    pub notation_trust_policy: Option<PathBuf>,
    /// Notation's trust store, the folder with `x509/ca/NAME/…`
    #[arg(long, value_name = "DIR", requires = "notation_trust_policy")]
    pub notation_trust_store: Option<PathBuf>,
    /// A certificate revocation list for Notation's signatures, in PEM or DER; several times. None is ever fetched
    #[arg(long, value_name = "FILE", requires = "notation_trust_policy")]
    pub revocation_list: Vec<PathBuf>,
    /// One of the signers is enough
    #[arg(long)]
    pub any_signer: bool,
    /// Ask for a signed statement of this type instead of a signature: a URI, or slsaprovenance, cyclonedx, vuln, …
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// Ask for signed provenance by this builder; `*` within a path segment, `**` across; one of several is enough
    #[arg(long, value_name = "PATTERN")]
    pub builder: Vec<String>,
    /// Ask for signed provenance from this source repository, such as github.com/acme/app; a pattern, as for --builder
    #[arg(long, value_name = "PATTERN")]
    pub source: Vec<String>,
    /// Ask for signed provenance from this branch or tag, such as refs/heads/main; a pattern, as for --builder
    #[arg(long, value_name = "PATTERN")]
    pub source_ref: Vec<String>,
    /// A Sigstore trusted root; several times [default: the one of Sigstore's public instance]
    #[arg(long, value_name = "FILE")]
    pub trusted_root: Vec<String>,
    /// Signatures by keys count only with an entry in a transparency log; keyless ones always need one
    #[arg(long)]
    pub transparency_log: bool,
    /// Look for signatures in this repository too, such as registry.example.com/signatures; several times
    #[arg(long, value_name = "REPOSITORY")]
    pub signature_repository: Vec<String>,
}

impl SignerArgs {
    /// The words of a policy; nothing if the flags name nobody. `scope` is the image's repository with its registry.
    ///
    /// # Errors
    /// The flags do not fit together, or a file of Notation's cannot be used.
    pub(super) fn words(&self, scope: &str, environment: Option<String>) -> Result<Option<SignedBy>, Failure> {
        for key in &self.key {
            is_kms(key)?;
        }
        let keyless = self.keyless()?;
        let x509 = self.x509(scope)?;
        let named = self.key.len() + usize::from(keyless.is_some());
        if named + x509.len() == 0 {
            let idle = [
                ("--trusted-root", !self.trusted_root.is_empty()),
                ("--signature-repository", !self.signature_repository.is_empty()),
                ("--transparency-log", self.transparency_log),
                ("--any-signer", self.any_signer),
                ("--type", self.kind.is_some()),
                ("--builder", !self.builder.is_empty()),
                ("--source", !self.source.is_empty()),
                ("--source-ref", !self.source_ref.is_empty()),
            ];
            if let Some((flag, _)) = idle.into_iter().find(|(_, given)| *given) {
                return Err(Failure::usage(format!("{flag} goes with a signer of the command line")).hint(
                    "give --key or --certificate-identity; a policy says it in `spec.trust` and `spec.signers`",
                ));
            }
            return Ok(None);
        }
        if named > 0 && x509.len() > 1 && !self.any_signer {
            return Err(Failure::usage("the trust policy names stores of both kinds, of which one is enough")
                .hint("together with other signers that is for a policy file to say; or add --any-signer"));
        }
        Ok(Some(SignedBy {
            environment,
            keys: self.key.clone(),
            keyless,
            any: self.any_signer || x509.len() > 1,
            what: self.what()?,
            x509,
            trusted_roots: self.trusted_root.clone(),
            repositories: self.signature_repository.clone(),
            transparency_log: self.transparency_log,
        }))
    }

    /// What has to be signed.
    fn what(&self) -> Result<WantedStatement, Failure> {
        Ok(WantedStatement {
            predicate_type: self.kind.as_deref().map(predicate_type).transpose()?,
            builders: self.builder.clone(),
            sources: self.source.clone(),
            refs: self.source_ref.clone(),
        })
    }

    fn keyless(&self) -> Result<Option<(Wanted, Wanted)>, Failure> {
        let wanted = |exact: &Option<String>, regexp: &Option<String>| {
            let exact = exact.clone().map(Wanted::Exact);
            exact.or_else(|| regexp.clone().map(Wanted::Regex))
        };
        let identity = wanted(&self.certificate_identity, &self.certificate_identity_regexp);
        let issuer = wanted(&self.certificate_oidc_issuer, &self.certificate_oidc_issuer_regexp);
        let blank = |wanted: &Option<Wanted>| match wanted {
            Some(Wanted::Exact(text) | Wanted::Regex(text)) => text.trim().is_empty(),
            None => false,
        };
        if blank(&identity) || blank(&issuer) {
            return Err(Failure::usage("the identity or issuer that was given is empty"));
        }
        match (identity, issuer) {
            (None, None) => Ok(None),
            (Some(identity), Some(issuer)) => Ok(Some((identity, issuer))),
            (Some(_), None) => Err(Failure::usage("an identity counts only together with who vouched for it")
                .hint("add --certificate-oidc-issuer, such as https://token.actions.githubusercontent.com")),
            (None, Some(_)) => Err(Failure::usage("an issuer vouches for everybody who has an account there")
                .hint("add --certificate-identity, the workflow or person that has to have signed")),
        }
    }

    fn x509(&self, scope: &str) -> Result<Vec<StoreSigner>, Failure> {
        let (Some(policy), Some(folder)) = (&self.notation_trust_policy, &self.notation_trust_store) else {
            return Ok(Vec::new());
        };
        let wrong = |why: String| Failure::configuration(format!("the trust policy {}: {why}", policy.display()));
        let signer = trust_policy(&files::read("the trust policy", policy, LIMIT)?, scope)
            .map_err(|error| wrong(error.to_string()))?;
        let lists = self.revocation_list.iter().map(|path| text(path)).collect::<Result<Vec<_>, _>>()?;
        stores(&signer, folder, &lists)
    }
}

/// One signer for each kind of store: of several stores of a kind, any will do.
fn stores(signer: &NotationSigner, folder: &Path, lists: &[String]) -> Result<Vec<StoreSigner>, Failure> {
    let mut timestamp_authorities = Vec::new();
    for name in &signer.timestamp_stores {
        timestamp_authorities.extend(certificates(&folder.join("x509/tsa").join(name))?);
    }
    let subjects: Vec<String> = signer
        .identities
        .iter()
        .filter(|identity| *identity != "*")
        .map(|identity| identity.strip_prefix("x509.subject:").unwrap_or(identity).trim().to_owned())
        .collect();
    let mut found = Vec::new();
    for (kind, meant, place) in [
        (X509Kind::Ca, StoreKind::Ca, "x509/ca"),
        (X509Kind::SigningAuthority, StoreKind::SigningAuthority, "x509/signingAuthority"),
    ] {
        let mut anchors = Vec::new();
        for (_, name) in signer.stores.iter().filter(|(kind, _)| *kind == meant) {
            anchors.extend(certificates(&folder.join(place).join(name))?);
        }
        if !anchors.is_empty() {
            found.push(StoreSigner {
                kind,
                certificates: anchors,
                timestamp_authorities: timestamp_authorities.clone(),
                revocation_lists: lists.to_vec(),
                subjects: subjects.clone(),
                strict: signer.strict,
                timestamp: signer.timestamp_required,
            });
        }
    }
    Ok(found)
}

/// The certificate files of one trust store, at least one.
fn certificates(folder: &Path) -> Result<Vec<String>, Failure> {
    let wrong = |why: String| {
        Failure::configuration(format!("the trust store {}: {why}", folder.display()))
            .hint("the folder of --notation-trust-store holds `x509/ca/NAME/`, `x509/signingAuthority/NAME/`, `x509/tsa/NAME/`")
    };
    let mut list = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| wrong(error.to_string()))? {
        let path = entry.map_err(|error| wrong(error.to_string()))?.path();
        // Mounted secrets have folders of such names beside their files.
        if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"..")) {
            continue;
        }
        if !path.is_file() {
            return Err(wrong(format!("{} is no file", path.display())));
        }
        list.push(text(&path)?);
        if list.len() > MOST {
            return Err(wrong(format!("it holds more than {MOST} files")));
        }
    }
    if list.is_empty() {
        return Err(wrong("it holds no certificate".to_owned()));
    }
    list.sort_unstable();
    Ok(list)
}

fn text(path: &Path) -> Result<String, Failure> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Failure::configuration(format!("the name of {} is not UTF-8 text", path.display())))
}

#[cfg(test)]
mod tests;
