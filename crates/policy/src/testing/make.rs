//! Facts from few words. What is not given is left as nobody collected it; what is given wrongly is a problem with its place.

mod documents;
mod image;
mod scans;
mod signed;
mod signers;

use std::borrow::Cow;

use model::{
    Ask, Attested, Digest, Facts, ManifestFacts, NonEmpty, Observed, Origin, Platform, Reason, ReasonCode, Signal,
    SignedArtifact, SignedDuration, Timestamp, UnknownClass,
};

use super::given::{By, Given, Manifest, Unknown};
use crate::document::Problem;
use crate::document::places::Step;
use crate::set::PolicySet;
use signers::Signers;

/// Evidence and proofs that nothing is said about are this old.
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Where in the document something is given.
#[derive(Debug, Clone)]
pub(super) struct At(Vec<Step>);

impl At {
    /// The given facts of a test.
    pub(super) fn given(test: usize) -> Self {
        Self::test(test).key("given")
    }

    /// A test.
    pub(super) fn test(test: usize) -> Self {
        Self(vec![Step::Key("tests".to_owned()), Step::Item(test)])
    }

    pub(super) fn key(&self, key: &str) -> Self {
        let mut path = self.0.clone();
        path.push(Step::Key(key.to_owned()));
        Self(path)
    }

    fn item(&self, index: usize) -> Self {
        let mut path = self.0.clone();
        path.push(Step::Item(index));
        Self(path)
    }

    pub(super) fn wrong(&self, what: impl Into<String>, hint: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(self.0.clone(), what, hint)
    }
}

/// What all parts of given facts are made with.
struct Maker<'a> {
    signers: Signers<'a>,
    now: Timestamp,
    region: String,
}

/// One manifest: what it is called by, and what is made of it so far.
struct Making<'a> {
    digest: &'a Digest,
    at: &'a At,
    /// What is signed on it, of which documents by signers are a part.
    signed: Vec<SignedArtifact>,
}

/// The keys that are about one manifest, of an image or of a platform.
struct About<'a> {
    pushed: Option<crate::document::Duration>,
    scans: Option<&'a [super::given::Scan]>,
    config: Option<&'a super::given::Config>,
    contents: Option<&'a super::given::Contents>,
    sboms: Option<&'a [super::given::Sbom]>,
    measurements: Option<&'a [super::given::Measurement]>,
    signed: Option<&'a [super::given::Signed]>,
    unknown: Option<&'a Unknown>,
    platform: Option<&'a Platform>,
}

/// The question and the facts that a test gives. `files` are the names of the policies' files: paths in a policy are relative
/// to its own.
pub(super) fn facts(
    given: &Given,
    environment: &str,
    now: Timestamp,
    set: &PolicySet,
    files: &[String],
    at: &At,
) -> Result<(Ask, Facts), Problem> {
    let image = given.image.0.clone();
    let digest = image.digest.clone().unwrap_or_else(|| Digest::of(image.to_string().as_bytes()));
    let region = match image.host.as_deref().map(str::parse::<model::EcrHost>) {
        Some(Ok(host)) => host.region,
        Some(Err(_)) | None => "eu-west-1".to_owned(),
    };
    let signers = Signers::new(set, files, given.missing_keys.as_ref(), now, at)?;
    let maker = Maker { signers, now, region };
    let (root, platforms) = match &given.platforms {
        None => (maker.manifest(&digest, &About::image(given), at)?, None),
        Some(platforms) => {
            let children = maker.platforms(given, platforms, &digest, at)?;
            (maker.manifest(&digest, &About::index(given), at)?, Some(children))
        }
    };
    let mut facts = Facts { platforms, trust: maker.signers.material(), ..Facts::of(root) };
    facts.bases = maker.bases(given, &facts, at)?;
    facts.vex = maker.vex(given, &mut facts, at)?;
    for seen in given.first_seen.iter().flatten() {
        let about = (seen.vulnerability.as_str().to_owned(), seen.package.clone());
        facts.first_seen.insert(about, maker.ago(seen.age.0));
    }
    Ok((Ask { image, digest, environment: environment.to_owned() }, facts))
}

impl<'a> About<'a> {
    fn image(given: &'a Given) -> Self {
        Self {
            pushed: given.pushed,
            scans: given.scans.as_deref(),
            config: given.config.as_ref(),
            contents: given.contents.as_ref(),
            sboms: given.sboms.as_deref(),
            measurements: given.measurements.as_deref(),
            signed: given.signed.as_deref(),
            unknown: given.unknown.as_ref(),
            platform: None,
        }
    }

    fn index(given: &'a Given) -> Self {
        Self {
            pushed: given.pushed,
            scans: None,
            config: None,
            contents: None,
            sboms: None,
            measurements: None,
            signed: given.signed.as_deref(),
            unknown: given.unknown.as_ref(),
            platform: None,
        }
    }

    fn platform(platform: &'a Platform, manifest: &'a Manifest, index: &'a Given) -> Self {
        Self {
            pushed: manifest.pushed.or(index.pushed),
            scans: manifest.scans.as_deref(),
            config: manifest.config.as_ref(),
            contents: manifest.contents.as_ref(),
            sboms: manifest.sboms.as_deref(),
            measurements: manifest.measurements.as_deref(),
            signed: manifest.signed.as_deref(),
            unknown: manifest.unknown.as_ref(),
            platform: Some(platform),
        }
    }
}

impl Maker<'_> {
    /// This long ago. Beyond the calendar's start is its start.
    fn ago(&self, age: SignedDuration) -> Timestamp {
        self.now.checked_sub(age).unwrap_or(Timestamp::MIN)
    }

    fn platforms(
        &self,
        given: &Given,
        platforms: &std::collections::BTreeMap<Platform, Manifest>,
        index: &Digest,
        at: &At,
    ) -> Result<NonEmpty<(Platform, ManifestFacts)>, Problem> {
        let unknown = given.unknown.as_ref();
        let beside = [
            ("scans", given.scans.is_some()),
            ("config", given.config.is_some() || unknown.is_some_and(|unknown| unknown.config.is_some())),
            ("contents", given.contents.is_some() || unknown.is_some_and(|unknown| unknown.contents.is_some())),
            ("sboms", given.sboms.is_some() || unknown.is_some_and(|unknown| unknown.sboms.is_some())),
            (
                "measurements",
                given.measurements.is_some() || unknown.is_some_and(|unknown| unknown.measurements.is_some()),
            ),
        ];
        if let Some((key, _)) = beside.iter().find(|(_, there)| *there) {
            let what = format!("`{key}` stands beside `platforms`, and is about the manifest of one platform");
            return Err(at.wrong(what, "write it below the platforms that it is about"));
        }
        let mut children = Vec::new();
        for (platform, manifest) in platforms {
            let made_up = || Digest::of(format!("{index} {platform}").as_bytes());
            let digest = manifest.digest.clone().unwrap_or_else(made_up);
            let at = at.key("platforms").key(&platform.to_string());
            let about = About::platform(platform, manifest, given);
            children.push((platform.clone(), self.manifest(&digest, &about, &at)?));
        }
        let none = || at.key("platforms").wrong("`platforms` is empty", "an index without a platform holds nothing");
        NonEmpty::new(children).ok_or_else(none)
    }

    fn manifest(&self, digest: &Digest, about: &About<'_>, at: &At) -> Result<ManifestFacts, Problem> {
        let mut facts = ManifestFacts::bare(digest.clone(), about.pushed.map(|age| self.ago(age.0)));
        let mut making = Making { digest, at, signed: Vec::new() };
        facts.reports = self.scans(about.scans.unwrap_or(&[]), &mut making)?;
        if let Some(config) = about.config {
            facts.config = Signal::Present(self.observed(self.config(config, about.platform, &making)?));
        }
        if let Some(contents) = about.contents {
            facts.contents = Signal::Present(self.observed(Self::contents(contents, &making)?));
        }
        if let Some(sboms) = about.sboms {
            let list = self.sboms(sboms, &mut making)?;
            facts.sboms = Signal::Present(self.observed(list));
        }
        if let Some(measurements) = about.measurements {
            let list = self.measurements(measurements, &mut making)?;
            facts.measurements = Signal::Present(self.observed(list));
        }
        let documents = std::mem::take(&mut making.signed);
        if about.signed.is_some() || !documents.is_empty() {
            let mut list = self.signed(about.signed.unwrap_or(&[]), &making)?;
            list.extend(documents);
            facts.signed = Signal::Present(self.observed(list));
        }
        put_unknown(about.unknown, &mut facts, at)?;
        Ok(facts)
    }

    /// Where evidence came from: `name` is what a file or a place in the registry would be called. What a signer signed
    /// stands among what is signed, too, as a statement of this type.
    fn origin(
        &self,
        by: Option<&By>,
        name: &str,
        kind: &str,
        making: &mut Making<'_>,
        at: &At,
    ) -> Result<Origin, Problem> {
        let by = match by {
            None => return Ok(Origin::File(name.to_owned())),
            Some(By::Name(way)) if way == "file" => return Ok(Origin::File(name.to_owned())),
            Some(By::Name(way)) if way == "registry" => {
                return Ok(Origin::Registry(Digest::of(name.as_bytes()).to_string()));
            }
            Some(By::Name(way)) if way == "ecr" => return Ok(Origin::Ecr(self.region.clone())),
            Some(by) => by,
        };
        let proof = self.signers.proof(by, None, None, &at.key("by"))?;
        let made = super::made::statement(making.digest.clone(), kind, b"{}".to_vec(), proof.clone());
        let artifact = signed::artifact(&proof, Ok(made), None, name);
        let manifest = artifact.manifest.clone();
        making.signed.push(artifact);
        Ok(Origin::Attestation(Box::new(Attested { manifest, proof })))
    }

    fn observed<T>(&self, value: T) -> Observed<T> {
        self.observed_from(value, Origin::Registry("given".to_owned()))
    }

    fn observed_from<T>(&self, value: T, origin: Origin) -> Observed<T> {
        Observed { value, origin, at: self.now, evidence: Digest::of(b"given") }
    }
}

/// Puts reasons in place of what could not be known.
fn put_unknown(unknown: Option<&Unknown>, facts: &mut ManifestFacts, at: &At) -> Result<(), Problem> {
    let Some(unknown) = unknown else { return Ok(()) };
    let at = at.key("unknown");
    put(&mut facts.config, unknown.config, &at.key("config"))?;
    put(&mut facts.contents, unknown.contents, &at.key("contents"))?;
    put(&mut facts.sboms, unknown.sboms, &at.key("sboms"))?;
    put(&mut facts.measurements, unknown.measurements, &at.key("measurements"))?;
    put(&mut facts.signed, unknown.signed, &at.key("signed"))
}

fn put<T>(place: &mut Signal<T>, code: Option<ReasonCode>, at: &At) -> Result<(), Problem> {
    let Some(code) = code else { return Ok(()) };
    if matches!(place, Signal::Present(_)) {
        return Err(at.wrong("it is given and unknown at once", "leave one of them out"));
    }
    *place = unknown(code, at)?;
    Ok(())
}

/// Not known for this reason.
fn unknown<T>(code: ReasonCode, at: &At) -> Result<Signal<T>, Problem> {
    let why = Reason::new(code, code.meaning().trim_end_matches('.'));
    Ok(match code.class() {
        None => {
            let what = format!("{code} is no reason why something is not known");
            return Err(at.wrong(what, "docs/reference/reasons.md lists them: take one with a class"));
        }
        Some(UnknownClass::ScanPending) => Signal::Pending(why),
        Some(UnknownClass::ScanUnsupported) => Signal::Unsupported(why),
        Some(UnknownClass::ScanMissing | UnknownClass::NotFound) => Signal::Absent(why),
        Some(
            UnknownClass::AccessDenied
            | UnknownClass::Throttled
            | UnknownClass::RegistryUnavailable
            | UnknownClass::TrustUnavailable
            | UnknownClass::StoreUnavailable
            | UnknownClass::Deadline,
        ) => Signal::Unavailable { why, last: None },
        Some(_) if code == ReasonCode::NotCollected => Signal::NotCollected(why),
        Some(_) => Signal::Failed(why),
    })
}
