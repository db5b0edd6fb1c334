//! Which statements are about a finding, and which of them has the last word (S24). Who is believed (S22) and which
//! status softens what is the policy's business: give only documents that count.
//!
//! What takes a finding away has to name its product exactly. What says that a product is affected, or that nobody knows,
//! need not: it takes back an earlier word about any version.

use crate::{Digest, Finding, Package, Purl, VexDocument, VexProduct, VexStatement, VexStatus};

/// The statement that decides about a finding, and the document it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastWord<'a> {
    /// The document, with its author and id.
    pub document: &'a VexDocument,
    /// The statement.
    pub statement: &'a VexStatement,
}

impl VexStatement {
    /// True if the finding would not count by this statement: not affected with a justification, or fixed.
    pub fn softens(&self) -> bool {
        self.weight() == 0
    }

    /// How hard a statement is; of two that were made at the same moment the harder one counts.
    fn weight(&self) -> u8 {
        let justified = self.justification.as_ref().is_some_and(|why| !why.trim().is_empty());
        match self.status {
            VexStatus::Fixed => 0,
            VexStatus::NotAffected if justified => 0,
            VexStatus::NotAffected => 1,
            VexStatus::UnderInvestigation => 2,
            VexStatus::Affected => 3,
        }
    }

    fn is_exact(&self) -> bool {
        matches!(self.status, VexStatus::NotAffected | VexStatus::Fixed)
    }

    /// True if it is about this vulnerability. An advisory about several CVEs is softened by none of them.
    fn is_about(&self, finding: &Finding) -> bool {
        self.vulnerabilities
            .iter()
            .any(|name| if self.is_exact() { finding.is(name.as_str()) } else { finding.mentions(name.as_str()) })
    }
}

/// True if the product is named exactly, and is the image or holds everything that the finding is about: its digest is one
/// of the image's and it is meant as a whole or in these very packages, or its package URL is that of the packages, with
/// their version. A finding that names no package is only covered by the whole image.
pub fn applies(product: &VexProduct, finding: &Finding, image: &[Digest]) -> bool {
    if finding.packages.is_empty() {
        return is_image(product, image) && product.subcomponents.is_empty();
    }
    finding.packages.iter().all(|package| covers(product, package, image, true))
}

/// The last statement about a finding in an image of these digests. Each package of the finding needs a word; if they
/// differ, the hardest is the word about the finding. Statements without a time come before all others.
pub fn last_word<'a>(
    documents: impl IntoIterator<Item = &'a VexDocument>,
    finding: &Finding,
    image: &[Digest],
) -> Option<LastWord<'a>> {
    let about: Vec<LastWord<'a>> = documents
        .into_iter()
        .flat_map(|document| document.statements.iter().map(move |statement| LastWord { document, statement }))
        .filter(|word| word.statement.is_about(finding))
        .collect();
    let packages: Vec<Option<&Package>> =
        if finding.packages.is_empty() { vec![None] } else { finding.packages.iter().map(Some).collect() };
    let mut hardest: Option<LastWord<'a>> = None;
    for package in packages {
        let said = |word: &&LastWord<'a>| {
            word.statement.products.iter().any(|product| {
                let exact = word.statement.is_exact();
                match package {
                    Some(package) => covers(product, package, image, exact),
                    None => is_image(product, image) && (product.subcomponents.is_empty() || !exact),
                }
            })
        };
        let last = about.iter().filter(said).max_by_key(|word| (word.statement.at, word.statement.weight()))?;
        if hardest.is_none_or(|hardest| rank(last) > rank(&hardest)) {
            hardest = Some(*last);
        }
    }
    hardest
}

fn rank(word: &LastWord<'_>) -> (u8, Option<jiff::Timestamp>) {
    (word.statement.weight(), word.statement.at)
}

/// True if the product has one of the image's digests.
fn is_image(product: &VexProduct, image: &[Digest]) -> bool {
    let named = product.purl.as_deref().and_then(Purl::parse).and_then(|purl| purl.digest());
    product.digests.iter().chain(&named).any(|digest| image.contains(digest))
}

/// True if what is said about the product is said about this package of the image.
fn covers(product: &VexProduct, package: &Package, image: &[Digest], exact: bool) -> bool {
    let installed = package.purl.as_deref().and_then(Purl::parse);
    let is_package = |named: &str| match (Purl::parse(named), &installed) {
        (Some(named), Some(installed)) if exact => named.names(installed),
        (Some(named), Some(installed)) => {
            named.is_same_package(installed)
                && (named.version.is_none() || named.full_version() == installed.full_version())
        }
        _ => false,
    };
    let part = product.subcomponents.iter().any(|part| is_package(part));
    if is_image(product, image) {
        return product.subcomponents.is_empty() || part;
    }
    // A part of a product that is not this image says nothing about the part elsewhere, unless it is a warning.
    let named = product.purl.as_deref().is_some_and(is_package);
    if exact { named && product.subcomponents.is_empty() } else { named || part }
}

#[cfg(test)]
mod tests;
