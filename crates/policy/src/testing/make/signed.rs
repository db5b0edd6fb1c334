//! What a test says is signed: signatures, statements, provenance, and what does not verify.

use model::{
    Authentic, Digest, NonEmpty, Proof, Provenance, Reason, SignatureFormat, Signed, SignedArtifact, Signer,
    SourceRevision,
};
use serde_json::json;

use super::{At, Maker, Making};
use crate::document::Problem;
use crate::testing::given;
use crate::testing::made;

/// The type of provenance that tests give.
const PROVENANCE: &str = "https://slsa.dev/provenance/v1";
/// Types that are read as provenance.
const PROVENANCES: [&str; 2] = ["https://slsa.dev/provenance", "https://in-toto.io/Provenance"];

type Verified = Result<Authentic<Signed>, NonEmpty<Reason>>;

impl Maker<'_> {
    pub(super) fn signed(&self, list: &[given::Signed], making: &Making<'_>) -> Result<Vec<SignedArtifact>, Problem> {
        let at = making.at.key("signed");
        list.iter()
            .enumerate()
            .map(|(index, one)| self.one_signed(one, index, making.digest, &at.item(index)))
            .collect()
    }

    fn one_signed(
        &self,
        given: &given::Signed,
        index: usize,
        digest: &Digest,
        at: &At,
    ) -> Result<SignedArtifact, Problem> {
        let given::Signed { by, age, log, kind, predicate, provenance, refused } = given;
        let place = format!("signed {index}");
        let by = match (by, refused) {
            (Some(by), None) => by,
            (None, Some(code)) => {
                if age.is_some() || log.is_some() || kind.is_some() || predicate.is_some() || provenance.is_some() {
                    return Err(at.wrong("what is `refused` says nothing", "leave the other keys out"));
                }
                let why = Reason::new(*code, code.meaning().trim_end_matches('.'));
                return Ok(found(SignatureFormat::Bundle, Err(NonEmpty::one(why)), None, &place));
            }
            (Some(_), Some(_)) => {
                return Err(at.wrong(
                    "`by` and `refused` at once: who signed what does not verify is not known",
                    "leave one out",
                ));
            }
            (None, None) => {
                return Err(at.wrong("it says neither `by` nor `refused`", "say who signed, or why it does not verify"));
            }
        };
        if let given::By::Name(way) = by
            && ["file", "registry", "ecr"].contains(&way.as_str())
        {
            return Err(at.key("by").wrong(format!("{way:?} is no signer"), "name a signer of the policy"));
        }
        let proof = self.signers.proof(by, age.map(|age| age.0), *log, &at.key("by"))?;
        match (kind, provenance) {
            (Some(_), Some(_)) => Err(at.wrong("`type` and `provenance` at once", "write two entries")),
            (None, None) if predicate.is_some() => {
                Err(at.wrong("`predicate` without `type`", "say what type of statement it is"))
            }
            (None, None) => Ok(artifact(&proof, Ok(made::signature(digest.clone(), proof.clone())), None, &place)),
            (None, Some(_)) if predicate.is_some() => {
                Err(at.wrong("`predicate` beside `provenance`", "`provenance` says what the statement says"))
            }
            (None, Some(of)) => {
                let provenance = built(of);
                let predicate = json!({
                    "buildDefinition": { "buildType": provenance.build_type },
                    "runDetails": { "builder": { "id": provenance.builder } },
                });
                let made =
                    made::statement(digest.clone(), PROVENANCE, predicate.to_string().into_bytes(), proof.clone());
                Ok(artifact(&proof, Ok(made), Some(provenance), &place))
            }
            (Some(kind), None) => {
                if PROVENANCES.iter().any(|family| kind.0.starts_with(family)) {
                    return Err(at.wrong(
                        format!("`type: {}` is provenance", kind.0),
                        "write `provenance: {builder: …, source: …}`, which says what `provenance` rules read",
                    ));
                }
                let predicate = predicate.as_ref().map_or_else(|| "{}".to_owned(), |predicate| predicate.0.to_string());
                let made = made::statement(digest.clone(), &kind.0, predicate.into_bytes(), proof.clone());
                Ok(artifact(&proof, Ok(made), None, &place))
            }
        }
    }
}

/// Something signed, in the form that its signer would have written.
pub(super) fn artifact(
    proof: &Proof,
    verified: Verified,
    provenance: Option<Provenance>,
    place: &str,
) -> SignedArtifact {
    let format = match (&proof.signer, verified.as_ref().map(Authentic::content)) {
        (Signer::X509 { .. }, _) => SignatureFormat::NotationJws,
        (Signer::Keyless { .. }, _) => SignatureFormat::Bundle,
        (Signer::Key { .. }, Ok(Signed::Image(_))) => SignatureFormat::CosignSignature,
        (Signer::Key { .. }, _) => SignatureFormat::DsseEnvelope,
    };
    found(format, verified, provenance, place)
}

/// Each has a manifest of its own, made from its place.
fn found(format: SignatureFormat, verified: Verified, provenance: Option<Provenance>, place: &str) -> SignedArtifact {
    let artifact = made::artifact(format, verified, provenance);
    SignedArtifact { manifest: Digest::of(place.as_bytes()), ..artifact }
}

fn built(given: &given::Provenance) -> Provenance {
    let given::Provenance { builder, build_type, source, git_ref, commit, workflow, parameters } = given;
    let text = |text: &Option<String>| text.clone().unwrap_or_else(String::new);
    let said = source.is_some() || git_ref.is_some() || commit.is_some();
    Provenance {
        predicate_type: PROVENANCE.to_owned(),
        builder: text(builder),
        build_type: text(build_type),
        source: said.then(|| SourceRevision {
            repository: text(source),
            git_ref: git_ref.clone(),
            commit: commit.clone(),
        }),
        workflow: workflow.clone(),
        parameters: parameters.iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect(),
        materials: Vec::new(),
        invocation: None,
        finished: None,
    }
}
