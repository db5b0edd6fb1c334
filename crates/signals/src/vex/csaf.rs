//! CSAF 2.0, profile VEX (`document.category` is `csaf_vex`). Products are named by ids that the product tree explains; a
//! product that is a part of another one is that part in that product and nowhere else.

use std::collections::BTreeMap;

use model::{Digest, VexDocument, VexProduct, VexStatement, VexStatus, VulnerabilityId};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::sbom::{
    self,
    json::{self, Budget},
};
use crate::{Limits, ParseError};

const FORMAT: &str = "CSAF document";

#[derive(Deserialize)]
struct Csaf {
    document: About,
    product_tree: Option<Tree>,
    vulnerabilities: Vec<Vulnerability>,
}

#[derive(Deserialize)]
struct About {
    category: String,
    csaf_version: String,
    publisher: Publisher,
    tracking: Tracking,
}

#[derive(Deserialize)]
struct Publisher {
    name: String,
}

#[derive(Deserialize)]
struct Tracking {
    id: Option<String>,
    current_release_date: Option<String>,
}

#[derive(Deserialize)]
struct Tree {
    #[serde(default, deserialize_with = "json::list")]
    branches: Option<Vec<Branch>>,
    #[serde(default, deserialize_with = "json::list")]
    full_product_names: Option<Vec<Product>>,
    #[serde(default, deserialize_with = "json::list")]
    relationships: Option<Vec<Relationship>>,
    #[serde(default, deserialize_with = "json::list")]
    product_groups: Option<Vec<Group>>,
}

#[derive(Deserialize)]
struct Branch {
    #[serde(default, deserialize_with = "json::list")]
    branches: Option<Vec<Branch>>,
    product: Option<Product>,
}

#[derive(Deserialize)]
struct Product {
    #[serde(rename = "product_id")]
    id: String,
    name: String,
    #[serde(rename = "product_identification_helper")]
    helper: Option<Helper>,
}

#[derive(Deserialize)]
struct Helper {
    purl: Option<String>,
    #[serde(default, deserialize_with = "json::list")]
    hashes: Option<Vec<File>>,
}

#[derive(Deserialize)]
struct File {
    file_hashes: Vec<Hash>,
}

#[derive(Deserialize)]
struct Hash {
    algorithm: String,
    value: String,
}

#[derive(Deserialize)]
struct Relationship {
    product_reference: String,
    relates_to_product_reference: String,
    full_product_name: Product,
}

#[derive(Deserialize)]
struct Group {
    group_id: String,
    product_ids: Vec<String>,
}

#[derive(Deserialize)]
struct Vulnerability {
    cve: Option<String>,
    #[serde(default, deserialize_with = "json::list")]
    ids: Option<Vec<Id>>,
    product_status: Option<ProductStatus>,
    #[serde(default, deserialize_with = "json::list")]
    flags: Option<Vec<Remark>>,
    #[serde(default, deserialize_with = "json::list")]
    threats: Option<Vec<Remark>>,
}

#[derive(Deserialize)]
struct Id {
    text: String,
}

/// The lists of product ids; a list under another name is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProductStatus {
    #[serde(default, deserialize_with = "json::list")]
    first_affected: Option<Vec<String>>,
    #[serde(default, deserialize_with = "json::list")]
    known_affected: Option<Vec<String>>,
    #[serde(default, deserialize_with = "json::list")]
    last_affected: Option<Vec<String>>,
    #[serde(default, deserialize_with = "json::list")]
    under_investigation: Option<Vec<String>>,
    #[serde(default, deserialize_with = "json::list")]
    first_fixed: Option<Vec<String>>,
    #[serde(default, deserialize_with = "json::list")]
    fixed: Option<Vec<String>>,
    #[serde(default, deserialize_with = "json::list")]
    known_not_affected: Option<Vec<String>>,
    #[serde(rename = "recommended")]
    _recommended: Option<IgnoredAny>,
}

/// A flag, which has a label, or a threat, which has a category and details.
#[derive(Deserialize)]
struct Remark {
    label: Option<String>,
    category: Option<String>,
    details: Option<String>,
    #[serde(default, deserialize_with = "json::list")]
    product_ids: Option<Vec<String>>,
    #[serde(default, deserialize_with = "json::list")]
    group_ids: Option<Vec<String>>,
}

pub(super) fn document(bytes: &[u8], limits: &Limits) -> Result<VexDocument, ParseError> {
    let Csaf { document, product_tree, vulnerabilities } = json::read(FORMAT, bytes)?;
    if document.csaf_version != "2.0" {
        let cause = format!("version {} is not known; 2.0 is read", json::shown(&document.csaf_version));
        return Err(ParseError::new(FORMAT, "document.csaf_version", cause));
    }
    if document.category != "csaf_vex" {
        let cause = format!("{} is no VEX document; the category csaf_vex is read", json::shown(&document.category));
        return Err(ParseError::new(FORMAT, "document.category", cause));
    }
    let tree = Named::read(product_tree.as_ref(), limits)?;
    let date = document.tracking.current_release_date.as_ref();
    let at = json::maybe_time(FORMAT, "document.tracking.current_release_date", date)?;
    let mut budget = Budget::new(FORMAT, limits);
    let mut statements = Vec::new();
    for (number, vulnerability) in vulnerabilities.iter().enumerate() {
        let place = format!("vulnerabilities[{number}]");
        let ids = vulnerability.ids.iter().flatten().map(|id| &id.text);
        let names: Vec<VulnerabilityId> =
            vulnerability.cve.iter().chain(ids).filter_map(VulnerabilityId::new).collect();
        if names.is_empty() {
            return Err(ParseError::new(FORMAT, place, "the vulnerability has neither cve nor ids"));
        }
        let flags = tree.about(vulnerability.flags.iter().flatten());
        let is_impact = |remark: &&Remark| remark.category.as_deref() == Some("impact");
        let threats = tree.about(vulnerability.threats.iter().flatten().filter(is_impact));
        let bytes: usize = names.iter().map(|name| name.as_str().len() + size_of::<String>()).sum();
        for (status, id) in vulnerability.product_status.iter().flat_map(ProductStatus::each) {
            let product = tree.product(id).ok_or_else(|| {
                let cause = format!("{} is not in the product tree", json::shown(id));
                ParseError::new(FORMAT, format!("{place}.product_status"), cause)
            })?;
            let flag = flags.get(id).and_then(|flag| flag.label.as_deref());
            let note = threats.get(id).and_then(|threat| threat.details.clone());
            budget.take(1, bytes + super::bytes(&product) + note.as_ref().map_or(0, String::len))?;
            statements.push(VexStatement {
                vulnerabilities: names.clone(),
                products: vec![product],
                status,
                justification: super::one_of(&super::JUSTIFICATIONS, FORMAT, format!("{place}.flags"), flag)?,
                note,
                at,
            });
            json::count(FORMAT, "vulnerabilities", statements.len(), limits)?;
        }
    }
    Ok(VexDocument { format: "csaf".to_owned(), id: document.tracking.id, author: document.publisher.name, statements })
}

impl ProductStatus {
    fn each(&self) -> impl Iterator<Item = (VexStatus, &str)> {
        [
            (VexStatus::Affected, &self.first_affected),
            (VexStatus::Affected, &self.known_affected),
            (VexStatus::Affected, &self.last_affected),
            (VexStatus::UnderInvestigation, &self.under_investigation),
            (VexStatus::Fixed, &self.first_fixed),
            (VexStatus::Fixed, &self.fixed),
            (VexStatus::NotAffected, &self.known_not_affected),
        ]
        .into_iter()
        .flat_map(|(status, list)| list.iter().flatten().map(move |id| (status, id.as_str())))
    }
}

/// The product tree by ids.
struct Named<'a> {
    products: BTreeMap<&'a str, &'a Product>,
    relationships: BTreeMap<&'a str, &'a Relationship>,
    groups: BTreeMap<&'a str, &'a Group>,
}

impl<'a> Named<'a> {
    fn read(tree: Option<&'a Tree>, limits: &Limits) -> Result<Self, ParseError> {
        let mut named = Self { products: BTreeMap::new(), relationships: BTreeMap::new(), groups: BTreeMap::new() };
        let Some(tree) = tree else { return Ok(named) };
        for product in tree.full_product_names.iter().flatten() {
            named.add(product)?;
        }
        let mut open: Vec<&Branch> = tree.branches.iter().flatten().collect();
        while let Some(branch) = open.pop() {
            open.extend(branch.branches.iter().flatten());
            branch.product.iter().try_for_each(|product| named.add(product))?;
        }
        for relationship in tree.relationships.iter().flatten() {
            named.add(&relationship.full_product_name)?;
            named.relationships.insert(&relationship.full_product_name.id, relationship);
        }
        for group in tree.product_groups.iter().flatten() {
            if named.groups.insert(&group.group_id, group).is_some() {
                return Err(twice(&group.group_id));
            }
        }
        json::count(FORMAT, "product_tree", named.products.len(), limits)?;
        Ok(named)
    }

    fn add(&mut self, product: &'a Product) -> Result<(), ParseError> {
        match self.products.insert(&product.id, product) {
            None => Ok(()),
            Some(_) => Err(twice(&product.id)),
        }
    }

    fn product(&self, id: &str) -> Option<VexProduct> {
        let product = self.products.get(id)?;
        let named = product.read();
        let is_named = named.purl.is_some() || !named.digests.is_empty();
        let Some(relationship) = self.relationships.get(id).filter(|_| !is_named) else { return Some(named) };
        // A part of a part is named by no purl of its own, and so by nothing that matches.
        let part = self.products.get(relationship.product_reference.as_str())?;
        let whole = self.products.get(relationship.relates_to_product_reference.as_str())?;
        let name = part.purl().unwrap_or(&part.name);
        Some(VexProduct { subcomponents: vec![super::part(Some(name))], ..whole.read() })
    }

    /// The first remark about each product; one that names no product is about none.
    fn about<'r>(&self, remarks: impl Iterator<Item = &'r Remark>) -> BTreeMap<&'r str, &'r Remark>
    where
        'a: 'r,
    {
        let mut about = BTreeMap::new();
        for remark in remarks {
            let groups = remark.group_ids.iter().flatten().filter_map(|group| self.groups.get(group.as_str()));
            let grouped = groups.flat_map(|group| &group.product_ids);
            for id in remark.product_ids.iter().flatten().chain(grouped) {
                about.entry(id.as_str()).or_insert(remark);
            }
        }
        about
    }
}

fn twice(id: &str) -> ParseError {
    ParseError::new(FORMAT, "product_tree", format!("the id {} stands twice", json::shown(id)))
}

impl Product {
    fn purl(&self) -> Option<&str> {
        self.helper.as_ref().and_then(|helper| helper.purl.as_deref())
    }

    fn read(&self) -> VexProduct {
        let files = self.helper.iter().flat_map(|helper| helper.hashes.iter().flatten());
        let hashes = files.flat_map(|file| &file.file_hashes);
        let by_hash = hashes.filter_map(|hash| sbom::digest_of(&hash.algorithm, &hash.value));
        let digests: Vec<Digest> = super::once(by_hash.chain(self.purl().and_then(sbom::digest_in)));
        VexProduct { digests, purl: self.purl().and_then(super::purl), subcomponents: vec![] }
    }
}
