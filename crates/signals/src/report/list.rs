//! What bounds the work on a report: lists that end, other names without repetition, and a sum of all that findings hold.
//! A few bytes of JSON are many bytes of memory, and a text that many findings share is there once in the report and once
//! in each of them. Not here: how many findings a scan may have, which the readers ask of [`Limits`].

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

use model::{Finding, Package, VulnerabilityId};
use serde::{Deserialize, Deserializer, de};

use crate::{Limits, ParseError};

/// A list of at most as many elements as a scan may have findings, or fewer. `null` is no list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List<T, const MOST: usize = { Limits::STANDARD.findings }>(pub(super) Vec<T>);

impl<T, const MOST: usize> List<T, MOST> {
    /// The elements of a list that may be left out.
    pub(super) fn each(list: Option<&Self>) -> std::slice::Iter<'_, T> {
        list.map_or(&[][..], |list| list.0.as_slice()).iter()
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for List<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T, const MOST: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MOST: usize> de::Visitor<'de> for Visitor<T, MOST> {
            type Value = List<T, MOST>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = list.next_element()? {
                    if elements.len() >= MOST {
                        return Err(de::Error::custom(format_args!("the list has more than {MOST} elements")));
                    }
                    elements.push(element);
                }
                Ok(List(elements))
            }
        }
        deserializer.deserialize_seq(Visitor(PhantomData))
    }
}

/// Gives a finding these other names: blank ones, its own and repetitions are left out, whatever their case.
pub(super) fn add_aliases<'t>(finding: &mut Finding, names: impl IntoIterator<Item = &'t str>) {
    let folded = |id: &VulnerabilityId| id.as_str().to_ascii_uppercase();
    let mut known: BTreeSet<String> = finding.names().map(folded).collect();
    for alias in names.into_iter().filter_map(|name| VulnerabilityId::new(name.trim())) {
        if known.insert(folded(&alias)) {
            finding.aliases.push(alias);
        }
    }
}

/// How much findings may hold together: four times what a report may have. An honest one needs less than it is long.
#[derive(Debug)]
pub(super) struct Budget {
    format: &'static str,
    most: usize,
    spent: usize,
}

impl Budget {
    pub(super) fn new(format: &'static str, limits: &Limits) -> Self {
        Self { format, most: limits.bytes.saturating_mul(4), spent: 0 }
    }

    /// Counts a finding, except for its packages.
    pub(super) fn finding(&mut self, finding: &Finding) -> Result<(), ParseError> {
        let names: usize = finding.names().map(|id| id.as_str().len() + size_of::<VulnerabilityId>()).sum();
        let url = finding.url.as_ref().map_or(0, String::len);
        self.spend(names + url + size_of::<Finding>())
    }

    /// Counts a package.
    pub(super) fn package(&mut self, package: &Package) -> Result<(), ParseError> {
        let purl = package.purl.as_ref().map_or(0, String::len);
        let named = package.layer.iter().flat_map(|layer| layer.diff_id.iter().chain(&layer.digest));
        let layer: usize = named.map(|digest| digest.as_str().len()).sum();
        self.spend(package.name.len() + package.version.len() + purl + layer + size_of::<Package>())
    }

    fn spend(&mut self, bytes: usize) -> Result<(), ParseError> {
        self.spent = self.spent.saturating_add(bytes);
        if self.spent > self.most {
            let cause = format!("its findings hold more than {} bytes, which is all that is read", self.most);
            return Err(ParseError::new(self.format, "", cause));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a5_a_list_is_a_list_and_ends() {
        let read = |text: &str| serde_json::from_str::<List<u8>>(text).map(|list| list.0);
        assert_eq!(read("[1,2]").unwrap(), [1, 2]);
        assert_eq!(read("[]").unwrap(), [0; 0]);
        for bad in ["null", "{}", "[null]", "[1", "3", "[300]"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<List<u8, 2>>("[1,2]").is_ok());
        assert!(serde_json::from_str::<List<u8, 2>>("[1,2,3]").is_err());
        let long = |count: usize| format!("[{}1]", "1,".repeat(count - 1));
        assert_eq!(read(&long(Limits::STANDARD.findings)).unwrap().len(), Limits::STANDARD.findings);
        assert!(read(&long(Limits::STANDARD.findings + 1)).unwrap_err().to_string().contains("more than 200000"));
    }

    #[test]
    fn b14_other_names_are_named_once() {
        let mut finding = Finding::new(VulnerabilityId::new("GHSA-1").unwrap(), model::Severity::Low);
        add_aliases(&mut finding, ["CVE-1", "ghsa-1", " cve-1 ", "", "CVE-2"]);
        add_aliases(&mut finding, ["CVE-2", "CVE-3"]);
        assert_eq!(
            finding.aliases.iter().map(VulnerabilityId::as_str).collect::<Vec<_>>(),
            ["CVE-1", "CVE-2", "CVE-3"]
        );
    }

    #[test]
    fn a5_what_findings_hold_together_is_bounded() {
        let mut budget = Budget::new("sample", &Limits { bytes: 1_000, ..Limits::STANDARD });
        let finding = Finding::new(VulnerabilityId::new("x".repeat(1_500)).unwrap(), model::Severity::Low);
        assert!(budget.finding(&finding).is_ok() && budget.finding(&finding).is_ok());
        assert!(budget.finding(&finding).is_err());
        let mut budget = Budget::new("sample", &Limits { bytes: 1_000, ..Limits::STANDARD });
        let package = Package {
            name: "x".repeat(3_000),
            version: String::new(),
            fix: model::Fix::NotSaid,
            purl: None,
            layer: None,
        };
        assert!(budget.package(&package).is_ok());
        assert!(budget.package(&package).is_err());
    }
}
