//! Everything about one image but the scans that ECR makes: manifests, configuration, layers, attached documents and the
//! files that the caller hands over, as far as the policy asks for it. Nothing here judges.

mod documents;

use std::sync::Arc;

use futures_util::future::join_all;
use model::{
    Ask, Digest, Facts, KnownBase, ManifestFacts, NonEmpty, Observed, Origin, Platform, Reason, ReasonCode, Signal,
    Timestamp,
};
use policy::{Needs, PolicySet};
use registry::{Client, Location, Reference, Referrers};
use signals::Limits;
use signals::manifest::{Manifest, attestations, manifest};

use crate::attached::{Attached, AttachedKind, Content, attached};
use crate::authenticate::Trust;
use crate::evidence::Evidence;
use crate::kept::Kept;
use crate::parts::Parts;
use crate::scan::signal;
use crate::signed::{SignedContent, Tagged, signed, tagged};
use crate::source::Source;
use documents::{push, take_content, take_signed};

/// Collects from one place.
pub(crate) struct Gatherer<'a> {
    pub(crate) source: &'a Source,
    pub(crate) policies: &'a PolicySet,
    pub(crate) ask: &'a Ask,
    pub(crate) needs: &'a Needs,
    pub(crate) trust: &'a Trust,
    pub(crate) now: Timestamp,
}

/// One manifest to look at.
struct Target {
    digest: Digest,
    bytes: Vec<u8>,
    platform: Option<Platform>,
    attestations: Vec<Digest>,
    /// Whether its signatures are looked at.
    signed: bool,
}

/// What is attached to one manifest, as far as it was asked for.
struct Listed {
    attached: Option<Result<Vec<Attached>, Reason>>,
    signed: Option<Result<SignedContent, Reason>>,
}

/// Facts, and what was found attached on the way.
pub(crate) struct Gathered {
    pub(crate) facts: Facts,
    /// What is attached, with the manifest it is attached to.
    pub(crate) attached: Vec<(Digest, Vec<Attached>)>,
    /// Why what is attached could not be listed.
    pub(crate) unlisted: Vec<(Digest, Reason)>,
}

impl Gatherer<'_> {
    /// Facts of the image with this digest, whose manifest has these bytes.
    pub(crate) async fn image(
        &self,
        digest: &Digest,
        bytes: &[u8],
        evidence: &mut Evidence,
    ) -> Result<Gathered, Reason> {
        let limits = &Limits::STANDARD;
        let inside = attestations(bytes, limits)?;
        let about = |digest: &Digest| -> Vec<Digest> {
            inside.iter().filter(|(about, _)| about == digest).map(|(_, attestation)| attestation.clone()).collect()
        };
        let (targets, others) = match manifest(bytes, limits)? {
            Manifest::Image => {
                let target = Target {
                    digest: digest.clone(),
                    bytes: bytes.to_vec(),
                    platform: None,
                    attestations: Vec::new(),
                    signed: self.needs.signed_root || self.needs.signed_platforms,
                };
                (vec![Ok(target)], Vec::new())
            }
            Manifest::Index(children) => {
                let (wanted, others): (Vec<_>, Vec<_>) =
                    children.into_vec().into_iter().partition(|(platform, _)| self.wants(platform));
                let fetched = wanted.into_iter().map(|(platform, child)| {
                    let attestations = about(&child);
                    async move {
                        match self.source.manifest(&child).await {
                            Err(reason) => Err((platform, child, reason)),
                            Ok(found) => Ok(Target {
                                digest: child,
                                bytes: found.bytes.to_vec(),
                                platform: Some(platform),
                                attestations,
                                signed: self.needs.signed_platforms,
                            }),
                        }
                    }
                });
                (join_all(fetched).await, others)
            }
        };
        let is_index = targets.iter().any(|target| target.as_ref().map_or(true, |target| target.platform.is_some()));
        let config_is_asked = evidence.wants_config();
        let parts = join_all(targets.into_iter().map(|target| async move {
            let target = target?;
            let (facts, listed) = self.manifest(&target, config_is_asked).await;
            Ok((target.platform, facts, listed))
        }))
        .await;
        let mut gathered = self.assemble(digest, is_index, parts, others, evidence).await?;
        if self.needs.signed_root && is_index {
            // Documents about the whole index say nothing of one platform; only signature and provenance do.
            let listed = self.listed(digest, &[], false, true).await;
            gathered.facts.root.signed = self.observed(listed.signed_artifacts(), digest);
        }
        if self.needs.signed_root || self.needs.signed_platforms {
            gathered.facts.trust = self.trust.authenticator().await.ok().map(|known| known.material().clone());
        }
        Ok(gathered)
    }

    /// What is attached to a manifest: its referrers are listed once for all that asks for them.
    async fn listed(&self, digest: &Digest, inside: &[Digest], wants_attached: bool, wants_signed: bool) -> Listed {
        let tags = async { if wants_signed { tagged(self.source, digest).await } else { Ok(Tagged::new()) } };
        let (referrers, tags) = futures_util::future::join(self.source.referrers(digest), tags).await;
        let referrers = match referrers {
            Ok(referrers) => referrers,
            Err(reason) => {
                return Listed {
                    attached: wants_attached.then(|| Err(reason.clone())),
                    signed: wants_signed.then_some(Err(reason)),
                };
            }
        };
        let documents = async {
            if wants_attached {
                Some(Ok(attached(self.source, digest, &referrers, inside, self.now).await))
            } else {
                None
            }
        };
        let signatures = async { if wants_signed { Some(self.signed(digest, &referrers, tags).await) } else { None } };
        let (attached, signed) = futures_util::future::join(documents, signatures).await;
        Listed { attached, signed }
    }

    async fn signed(
        &self,
        digest: &Digest,
        referrers: &Referrers,
        tags: Result<Tagged, Reason>,
    ) -> Result<SignedContent, Reason> {
        let authenticator = self.trust.authenticator().await?;
        let mut elsewhere = Vec::new();
        for name in self.policies.signature_repositories(self.ask) {
            let wrong = |why: String| {
                Reason::new(ReasonCode::RegistryNotFound, format!("the signature repository {name:?}: {why}"))
            };
            let image: model::ImageReference = name.parse().map_err(|error| wrong(format!("{error}")))?;
            elsewhere.push(Location::of(&image).ok_or_else(|| wrong("it names no registry host".to_owned()))?);
        }
        signed(self.source, digest, (referrers, tags?), &elsewhere, &authenticator).await
    }

    async fn assemble(
        &self,
        root: &Digest,
        is_index: bool,
        parts: Vec<Result<Part, (Platform, Digest, Reason)>>,
        others: Vec<(Platform, Digest)>,
        evidence: &mut Evidence,
    ) -> Result<Gathered, Reason> {
        let mut gathered = Gathered {
            facts: Facts::of(ManifestFacts::bare(root.clone(), None)),
            attached: Vec::new(),
            unlisted: Vec::new(),
        };
        let mut manifests: Vec<(Option<Platform>, ManifestFacts)> = Vec::new();
        for part in parts {
            match part {
                Err((platform, digest, reason)) => {
                    manifests.push((Some(platform), unreadable(ManifestFacts::bare(digest, None), &reason)));
                }
                Ok((platform, mut facts, Listed { attached, signed })) => {
                    let handed = evidence.sboms(root, &facts, self.now);
                    facts.sboms = or_none(together(facts.sboms, handed));
                    let handed = evidence.measurements(root, &facts.digest, self.now);
                    facts.measurements = or_none(together(facts.measurements, handed));
                    match attached {
                        Some(Ok(list)) => {
                            let list = take_content(&mut facts, &mut gathered.facts.vex, evidence, list);
                            gathered.attached.push((facts.digest.clone(), list));
                        }
                        Some(Err(reason)) => {
                            facts.unknown(Origin::Registry(facts.digest.to_string()), signal(reason.clone()));
                            gathered.unlisted.push((facts.digest.clone(), reason));
                        }
                        None => {}
                    }
                    if let Some(signed) = signed {
                        take_signed(self.source, self.now, &mut facts, &mut gathered.facts.vex, evidence, signed);
                    }
                    manifests.push((platform, facts));
                }
            }
        }
        for (_, facts) in &mut manifests {
            self.baselines(facts).await;
            let config = match &facts.config {
                Signal::Present(config) => Some(config.value.id.clone()),
                _ => None,
            };
            let bound = evidence.bind(root, &facts.digest, config.as_ref(), self.now);
            facts.reports.extend(bound);
        }
        gathered.facts.bases = self.bases(manifests.iter().map(|(_, facts)| facts)).await;
        evidence.settle(root, manifests.iter_mut().map(|(_, facts)| facts), self.now);
        let handed = evidence.vex(root, manifests.iter().map(|(_, facts)| facts), self.now);
        gathered.facts.vex.splice(0..0, handed);
        if is_index {
            let not_wanted = others.into_iter().map(|(platform, digest)| (platform, ManifestFacts::bare(digest, None)));
            let children = manifests.into_iter().filter_map(|(platform, facts)| platform.map(|name| (name, facts)));
            gathered.facts.platforms = NonEmpty::new(children.chain(not_wanted).collect());
        } else if let Some((_, facts)) = manifests.pop() {
            gathered.facts.root = facts;
        }
        Ok(gathered)
    }

    /// Configuration, layers and attached documents of one manifest.
    async fn manifest(&self, target: &Target, config_is_asked: bool) -> (ManifestFacts, Listed) {
        let needs = self.needs;
        let mut facts = ManifestFacts::bare(target.digest.clone(), None);
        let described = async {
            // An attached report may name the image by its configuration, which is known only when it was opened.
            if !(needs.config || needs.contents || needs.registry_reports || config_is_asked) {
                return None;
            }
            let config = self.source.config(&target.bytes).await;
            let contents = match (&config, needs.contents) {
                (_, false) => None,
                (Ok(config), true) => Some(self.source.contents(config).await),
                (Err(reason), true) => Some(Err(reason.clone())),
            };
            Some((config, contents))
        };
        let listed = async {
            if needs.attached || target.signed {
                self.listed(&target.digest, &target.attestations, needs.attached, target.signed).await
            } else {
                Listed { attached: None, signed: None }
            }
        };
        let (described, listed) = futures_util::future::join(described, listed).await;
        if let Some((config, contents)) = described {
            facts.config = self.observed(config, &target.digest);
            if let Some(contents) = contents {
                facts.contents = self.observed(contents, &target.digest);
            }
        }
        if let Some(state) = listed.state() {
            facts.sboms = self.observed(state.clone().map(|()| Vec::new()), &target.digest);
            facts.measurements = self.observed(state.map(|()| Vec::new()), &target.digest);
        }
        (facts, listed)
    }

    fn observed<T>(&self, read: Result<T, Reason>, digest: &Digest) -> Signal<T> {
        match read {
            Err(reason) => signal(reason),
            Ok(value) => Signal::Present(Observed {
                value,
                origin: self.source.origin(digest),
                at: self.now,
                evidence: digest.clone(),
            }),
        }
    }

    fn wants(&self, platform: &Platform) -> bool {
        self.needs.platforms.as_ref().is_none_or(|named| named.iter().any(|name| name.covers(platform)))
    }

    /// The measurements of the images this one is compared with.
    async fn baselines(&self, facts: &mut ManifestFacts) {
        for baseline in &self.needs.baselines {
            let listed = self.listed(baseline, &[], true, false).await;
            match listed.attached {
                None => {}
                Some(Err(reason)) => facts.measurements = signal(reason),
                Some(Ok(list)) => {
                    for one in list {
                        match one.content {
                            Err(reason) if one.kind == AttachedKind::Measurement => facts.measurements = signal(reason),
                            Err(_) => {}
                            Ok(contents) => {
                                for content in contents {
                                    if let Content::Measurement(list) = content {
                                        push(&mut facts.measurements, list);
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// The approved base images, as their registries have them now.
    async fn bases(&self, manifests: impl Iterator<Item = &ManifestFacts>) -> Vec<(String, Signal<KnownBase>)> {
        let mut names = self.needs.bases.clone();
        let mut platforms = Vec::new();
        for facts in manifests {
            if let Signal::Present(config) = &facts.config {
                names.extend(self.policies.claimed_bases(self.ask, &config.value));
                platforms.push(config.value.platform.clone());
            }
        }
        names.sort_unstable();
        names.dedup();
        platforms.sort_unstable();
        platforms.dedup();
        let Source::Registry { client, parts, .. } = self.source else {
            let none = |name: &String| {
                let message = format!("{name} was not looked up: the image is not in a registry");
                (name.clone(), Signal::NotCollected(Reason::new(ReasonCode::RegistryNotFound, message)))
            };
            return names.iter().map(none).collect();
        };
        // A base image is another one for each platform.
        let wanted = names.iter().flat_map(|name| platforms.iter().map(move |platform| (name, platform)));
        join_all(wanted.map(|(name, platform)| async move {
            let found = base(client, parts, name, platform).await;
            let digest = found.as_ref().map_or_else(|_| Digest::of(name.as_bytes()), |base| base.digest.clone());
            (name.clone(), self.observed(found, &digest))
        }))
        .await
    }
}

type Part = (Option<Platform>, ManifestFacts, Listed);

impl Listed {
    /// Whether everything that was asked for could be listed; nothing if nothing was.
    fn state(&self) -> Option<Result<(), Reason>> {
        let attached = self.attached.as_ref().map(|list| list.as_ref().map(|_| ()));
        let signed = self.signed.as_ref().map(|list| list.as_ref().map(|_| ()));
        let all: Vec<Result<(), &Reason>> = attached.into_iter().chain(signed).collect();
        match all.as_slice() {
            [] => None,
            all => Some(all.iter().copied().collect::<Result<(), &Reason>>().map_err(Reason::clone)),
        }
    }

    fn signed_artifacts(self) -> Result<Vec<model::SignedArtifact>, Reason> {
        match self.signed {
            Some(signed) => signed.map(|signed| signed.artifacts),
            None => Err(Reason::new(ReasonCode::NotCollected, "signatures were not asked for")),
        }
    }
}

/// A base image by its name, for one platform.
async fn base(client: &Client, parts: &Arc<Parts>, name: &str, platform: &Platform) -> Result<KnownBase, Reason> {
    let invalid = |what: String| Reason::new(ReasonCode::RegistryNotFound, what);
    let image: model::ImageReference =
        name.parse().map_err(|error| invalid(format!("the base image {name:?}: {error}")))?;
    let (Some(location), Some(reference)) = (Location::of(&image), Reference::of(&image)) else {
        return Err(invalid(format!("the base image {name:?} names no host, or neither tag nor digest")));
    };
    let found = client.manifest(&location, &reference).await.map_err(|error| error.reason())?;
    let source = Source::Registry { client: client.clone(), location, parts: Arc::clone(parts), kept: Kept::default() };
    let (index, child) = match manifest(&found.bytes, &Limits::STANDARD)? {
        Manifest::Image => (None, found),
        Manifest::Index(children) => {
            let child = children.iter().find(|(offered, _)| platform.covers(offered));
            let Some((_, digest)) = child else {
                return Err(invalid(format!("the base image {name} has no manifest for {platform}")));
            };
            (Some(found.digest.clone()), source.manifest(digest).await?)
        }
    };
    let config = source.config(&child.bytes).await?;
    Ok(KnownBase { digest: child.digest, index, diff_ids: config.diff_ids, created: config.created })
}

/// What the registry has and what was handed over. A source that was not asked adds nothing; one that was asked and failed
/// stays failed: what it would have said is not known (S25).
fn together<T>(attached: Signal<Vec<T>>, handed: Signal<Vec<T>>) -> Signal<Vec<T>> {
    match (attached, handed) {
        (Signal::Present(mut list), Signal::Present(more)) => {
            list.value.extend(more.value);
            Signal::Present(list)
        }
        (attached, Signal::NotCollected(_)) => attached,
        (Signal::NotCollected(_), handed) => handed,
        (Signal::Present(_), failed) | (failed, _) => failed,
    }
}

/// Nothing was handed over, and no policy believes what is in the registry, or there is none to look in. To a rule that does, that
/// is not to know.
pub(crate) fn or_none<T>(signal: Signal<Vec<T>>) -> Signal<Vec<T>> {
    match signal {
        Signal::NotCollected(_) => {
            let message = "none was handed over, and the registry is not believed";
            Signal::Absent(Reason::new(ReasonCode::NotHandedOver, message))
        }
        other => other,
    }
}

/// A platform whose manifest cannot be read: nothing about it is known, and why.
pub(crate) fn unreadable(mut facts: ManifestFacts, reason: &Reason) -> ManifestFacts {
    facts.config = signal(reason.clone());
    facts.contents = signal(reason.clone());
    facts.sboms = signal(reason.clone());
    facts.measurements = signal(reason.clone());
    facts.signed = signal(reason.clone());
    facts.unknown(Origin::Registry(facts.digest.to_string()), signal(reason.clone()));
    facts
}
