//! Licences against the ids that the policy denies: a reader of SPDX licence expressions (SPDX 2.3, annex D), as far as
//! that takes. A text that is no expression is searched for the ids as words.

use std::collections::{BTreeMap, BTreeSet};

use model::Sbom;

use crate::document::LicenseId;

/// Brackets inside brackets; deeper ones are searched for words.
const MAX_DEPTH: u32 = 32;

/// Families whose ids once came without `-only` and `-or-later`.
const GNU: [&str; 4] = ["gpl-", "lgpl-", "agpl-", "gfdl-"];

/// What SPDX documents write where they name no licence.
const NOT_SAID: [&str; 2] = ["NOASSERTION", "NONE"];

/// Each denied licence with the component that has it, and how many components name no SPDX licence.
pub(super) fn denied(ids: &[LicenseId], sbom: &Sbom) -> (Vec<String>, usize) {
    let ids: BTreeSet<String> = ids.iter().map(|id| canonical(&id.0)).collect();
    let (mut hits, mut silent) = (BTreeSet::new(), 0);
    // Thousands of components have a handful of licences: each text is read once.
    let mut known: BTreeMap<&str, (bool, bool)> = BTreeMap::new();
    for component in &sbom.components {
        let mut readable = false;
        for text in component.licenses.iter().filter(|text| !NOT_SAID.contains(&text.trim())) {
            let (is_read, is_denied) = *known.entry(text).or_insert_with(|| {
                let verdict = expression(text, &ids);
                let in_words = || words(text).any(|word| ids.contains(&canonical(word)));
                (verdict.is_some(), verdict.unwrap_or_else(in_words))
            });
            readable |= is_read;
            if is_denied {
                hits.insert(format!("{text} ({} {})", component.name, component.version).replace(" )", ")"));
            }
        }
        silent += usize::from(!readable);
    }
    (hits.into_iter().collect(), silent)
}

/// Whether an expression is denied; `None` if the text is none.
fn expression(text: &str, ids: &BTreeSet<String>) -> Option<bool> {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let mut reader = Reader { tokens: spaced.split_whitespace().peekable(), ids };
    let denied = reader.any_of(MAX_DEPTH)?;
    if reader.tokens.next().is_some() { None } else { Some(denied) }
}

struct Reader<'a, T: Iterator<Item = &'a str>> {
    tokens: std::iter::Peekable<T>,
    ids: &'a BTreeSet<String>,
}

impl<'a, T: Iterator<Item = &'a str>> Reader<'a, T> {
    /// Alternatives: denied if each of them is.
    fn any_of(&mut self, depth: u32) -> Option<bool> {
        let mut denied = self.all_of(depth)?;
        while self.takes("OR") {
            denied &= self.all_of(depth)?;
        }
        Some(denied)
    }

    /// Terms that hold together: denied if one of them is.
    fn all_of(&mut self, depth: u32) -> Option<bool> {
        let mut denied = self.term(depth)?;
        while self.takes("AND") {
            denied |= self.term(depth)?;
        }
        Some(denied)
    }

    fn term(&mut self, depth: u32) -> Option<bool> {
        let token = self.tokens.next()?;
        if token == "(" {
            let denied = self.any_of(depth.checked_sub(1)?)?;
            return (self.tokens.next()? == ")").then_some(denied);
        }
        let id = |token: &str| token != ")" && !is_operator(token) && words(token).eq([token]);
        if !id(token) {
            return None;
        }
        if self.takes("WITH") && !self.tokens.next().is_some_and(id) {
            return None;
        }
        Some(self.ids.contains(&canonical(token)))
    }

    fn takes(&mut self, word: &str) -> bool {
        self.tokens.next_if(|token| token.eq_ignore_ascii_case(word)).is_some()
    }
}

fn is_operator(token: &str) -> bool {
    ["AND", "OR", "WITH"].iter().any(|word| token.eq_ignore_ascii_case(word))
}

/// What could be ids in a text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && !".+-:".contains(c))
        .map(|word| word.trim_end_matches(['.', ':']))
        .filter(|word| !word.is_empty())
}

/// One spelling per licence. Ids are compared without regard to case; `GPL-2.0` and `GPL-2.0+` are the old names of
/// `GPL-2.0-only` and `GPL-2.0-or-later`, `GPL-2` and `GPLv2` those of distributions. Of other licences, `+` adds later
/// versions to the one that is named.
fn canonical(id: &str) -> String {
    let id = id.to_lowercase().replace("gplv", "gpl-");
    let (base, later) = id.strip_suffix('+').map_or((id.as_str(), false), |base| (base, true));
    let Some(family) = GNU.into_iter().find(|family| base.starts_with(family)) else { return base.to_owned() };
    let base = base.split_once("-with-").map_or(base, |(base, _)| base);
    let version = &base[family.len()..];
    let (version, suffix) = version.split_once('-').unwrap_or((version, if later { "or-later" } else { "only" }));
    let zero = if version.contains('.') { "" } else { ".0" };
    format!("{family}{version}{zero}-{suffix}")
}
