//! Documents about an image that a test gives: bills of materials, measurements, VEX.

use model::{
    Component, Digest, Facts, Observed, Purl, Sbom, Signal, SignedArtifact, VexDocument, VexProduct, VexStatement,
};

use super::{At, HOUR, Maker, Making};
use crate::document::Problem;
use crate::testing::given::{self, About, Given, OfImage, SbomFormat};

/// The types of statement that signed documents are.
const CYCLONEDX: &str = "https://cyclonedx.org/bom";
const SPDX: &str = "https://spdx.dev/Document";
const MEASUREMENT: &str = "https://ecr-gate.dev/measurement/v1";
const OPENVEX: &str = "https://openvex.dev/ns/v0.2.0";

impl Maker<'_> {
    pub(super) fn sboms(&self, list: &[given::Sbom], making: &mut Making<'_>) -> Result<Vec<Observed<Sbom>>, Problem> {
        let at = making.at.key("sboms");
        list.iter().enumerate().map(|(index, sbom)| self.sbom(sbom, index, making, &at.item(index))).collect()
    }

    fn sbom(
        &self,
        given: &given::Sbom,
        index: usize,
        making: &mut Making<'_>,
        at: &At,
    ) -> Result<Observed<Sbom>, Problem> {
        let given::Sbom { format, by, about, components, licenses, built } = given;
        let (name, version, kind) = match format {
            SbomFormat::CycloneDx => ("cyclonedx", "1.6", CYCLONEDX),
            SbomFormat::Spdx => ("spdx", "2.3", SPDX),
        };
        let components: Vec<&Purl> = components.iter().flatten().map(|purl| &purl.0).collect();
        if let Some(other) = licenses.iter().flat_map(|of| of.keys()).find(|purl| !components.contains(&&purl.0)) {
            let what = format!("`licenses` names {}, which is none of the components", other.0);
            return Err(at.wrong(what, "list it in `components`"));
        }
        let licenses_of = |purl: &Purl| {
            let mut of = licenses.iter().flatten().filter(|(other, _)| other.0 == *purl).map(|(_, list)| list.clone());
            of.next().unwrap_or_else(Vec::new)
        };
        let component = |purl: &Purl| Component {
            purl: Some(purl.to_string()),
            name: purl.name.clone(),
            version: purl.version.clone().unwrap_or_else(String::new),
            licenses: licenses_of(purl),
            hashes: Vec::new(),
        };
        let mut listed: Vec<Component> = components.into_iter().map(component).collect();
        listed.sort_unstable();
        let describes = match about.unwrap_or(About::Image) {
            About::Image => vec![making.digest.clone()],
            About::Other => vec![Digest::of(b"another image")],
            About::Nothing => Vec::new(),
        };
        let origin = self.origin(by.as_ref(), &format!("sbom-{index}.{name}.json"), kind, making, at)?;
        let sbom = Sbom {
            format: name.to_owned(),
            version: version.to_owned(),
            created: built.map(|age| self.ago(age.0)),
            tools: Vec::new(),
            describes,
            name: None,
            components: listed,
        };
        Ok(self.observed_from(sbom, origin))
    }

    pub(super) fn measurements(
        &self,
        list: &[given::Measurement],
        making: &mut Making<'_>,
    ) -> Result<Vec<Observed<model::Measurement>>, Problem> {
        let at = making.at.key("measurements");
        let mut made = Vec::new();
        for (index, given) in list.iter().enumerate() {
            let at = at.item(index);
            if given.samples.is_empty() {
                return Err(at.wrong("`samples` is empty", "a measurement has at least one"));
            }
            let origin =
                self.origin(given.by.as_ref(), &format!("measurement-{index}.json"), MEASUREMENT, making, &at)?;
            let measurement = model::Measurement {
                subject: match &given.of {
                    None | Some(OfImage::Own) => making.digest.clone(),
                    Some(OfImage::Other(digest)) => digest.clone(),
                },
                metric: given.metric.clone(),
                samples: given.samples.clone(),
                tool: "given".to_owned(),
                stage: given.stage.clone().unwrap_or_else(|| "smoke".to_owned()),
                at: self.ago(given.age.map_or(HOUR, |age| age.0)),
            };
            made.push(self.observed_from(measurement, origin));
        }
        Ok(made)
    }

    /// VEX documents are about the whole image; what a signer signed is attached to what was asked for, and to each platform.
    pub(super) fn vex(&self, given: &Given, facts: &mut Facts, at: &At) -> Result<Vec<Observed<VexDocument>>, Problem> {
        let mut documents = Vec::new();
        for (index, vex) in given.vex.iter().flatten().enumerate() {
            let at = at.key("vex").item(index);
            let digest = facts.root.digest.clone();
            let mut making = Making { digest: &digest, at: &at, signed: Vec::new() };
            let origin = self.origin(vex.by.as_ref(), &format!("vex-{index}.json"), OPENVEX, &mut making, &at)?;
            self.attach(facts, &making.signed);
            let images: Vec<Digest> = facts
                .platforms
                .iter()
                .flatten()
                .map(|(_, child)| child.digest.clone())
                .chain([facts.root.digest.clone()])
                .collect();
            let statement = |(place, given): (usize, &given::VexStatement)| {
                self.said(given, &images, &at.key("statements").item(place))
            };
            let statements = vex.statements.iter().enumerate().map(statement).collect::<Result<Vec<_>, _>>()?;
            let (format, author) = ("openvex".to_owned(), vex.author.clone());
            documents.push(self.observed_from(VexDocument { format, id: None, author, statements }, origin));
        }
        Ok(documents)
    }

    fn said(&self, given: &given::VexStatement, images: &[Digest], at: &At) -> Result<VexStatement, Problem> {
        let (digests, purl) = match given.product.as_deref() {
            None | Some("image") => (images.to_vec(), None),
            Some(text) => {
                let purl = Purl::parse(text).ok_or_else(|| {
                    let what = format!("`product` is {text:?}, and neither `image` nor a package URL");
                    at.wrong(what, "write `image`, or the package as in pkg:deb/debian/openssl@3.0.8")
                })?;
                (Vec::new(), Some(purl.to_string()))
            }
        };
        Ok(VexStatement {
            vulnerabilities: vec![given.vulnerability.clone()],
            products: vec![VexProduct { digests, purl, subcomponents: Vec::new() }],
            status: given.status,
            justification: given.justification.clone(),
            note: None,
            at: given.age.map(|age| self.ago(age.0)),
        })
    }

    fn attach(&self, facts: &mut Facts, signed: &[SignedArtifact]) {
        if signed.is_empty() {
            return;
        }
        let children = facts.platforms.iter_mut().flatten().map(|(_, child)| &mut child.signed);
        for list in children.chain([&mut facts.root.signed]) {
            match list {
                Signal::Present(observed) => observed.value.extend(signed.iter().cloned()),
                Signal::NotCollected(why) if why.code == model::ReasonCode::NotCollected => {
                    *list = Signal::Present(self.observed(signed.to_vec()));
                }
                // It could not be listed, whatever is there.
                _ => {}
            }
        }
    }
}
