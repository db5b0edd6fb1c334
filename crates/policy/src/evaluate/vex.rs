//! VEX in a rule (S24): a statement softens only if its document is signed by a listed signer or came by a listed way, and
//! names a listed author. What anybody else says is shown, never applied.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    Clock, Digest, Finding, Gap, LastWord, ManifestFacts, Observed, Origin, VexDocument, VexStatus, last_word,
};

use super::names::upper;
use super::sources::{Believing, SKEW, Standing};
use crate::document::Vex;

/// How many statements that are not applied are named.
const MOST_NOTES: usize = 10;

/// The statements about one image, sorted by whether the rule believes them.
pub(super) struct Statements<'a> {
    believed: Index<'a>,
    /// What is not believed, by the reason why.
    others: BTreeMap<String, Index<'a>>,
    /// What the image is named by.
    image: Vec<Digest>,
    /// Documents of which nobody can tell whether they count.
    gaps: Vec<Gap>,
}

/// What the statements come to for one finding.
pub(super) enum Word {
    /// It does not count, by this.
    Softens(String),
    /// Somebody says that it need not count, and is not believed.
    Shown(String),
    Nothing,
}

impl<'a> Statements<'a> {
    pub(super) fn new(
        rule: Option<&Vex>,
        documents: &'a [Observed<VexDocument>],
        image: Vec<Digest>,
        believing: &Believing<'_>,
    ) -> Self {
        let mut sorted = Self { believed: Index::empty(), others: BTreeMap::new(), image, gaps: Vec::new() };
        for observed in documents {
            let index = match believes(rule, observed, believing) {
                Ok(()) => &mut sorted.believed,
                Err(why) => {
                    let why = why.unwrap_or_else(|mut gap| {
                        let named = format!("the VEX document by {}", observed.value.author);
                        gap.reason.message.insert_str(0, &format!("{named}: "));
                        sorted.gaps.push(gap);
                        "cannot tell whether its signer counts".to_owned()
                    });
                    sorted.others.entry(why).or_insert_with(Index::empty)
                }
            };
            index.add(&observed.value, believing.clock);
        }
        sorted
    }

    /// What cannot be told. Whose material is not at hand may have said the opposite of what is believed.
    pub(super) fn gaps(&self, rule: Option<&Vex>, manifest: &ManifestFacts, believing: &Believing<'_>) -> Vec<Gap> {
        let mut gaps = self.gaps.clone();
        if let Some(rule) = rule
            && !self.believed.by_name.is_empty()
        {
            gaps.extend(believing.unseen(rule.from.signers(), manifest));
        }
        gaps
    }

    /// The word about a finding and what it was made from.
    pub(super) fn about(&self, finding: &Finding, parts: &[&Finding]) -> Word {
        let id = &finding.id;
        if let Some(text) = self.believed.softens(finding, parts, &self.image) {
            return match text {
                Ok(text) => Word::Softens(text),
                Err(text) => Word::Shown(format!("{id} is {text}; not applied because it gives no justification")),
            };
        }
        for (why, others) in &self.others {
            if let Some(Ok(text) | Err(text)) = others.softens(finding, parts, &self.image) {
                return Word::Shown(format!("{id} is {text}; not applied because the rule {why}"));
            }
        }
        Word::Nothing
    }
}

/// The first notes, and how many more there are.
pub(super) fn shown(mut notes: Vec<String>) -> Vec<String> {
    let more = notes.len().saturating_sub(MOST_NOTES);
    notes.truncate(MOST_NOTES);
    if more > 0 {
        notes.push(format!("{more} more VEX statements are not applied"));
    }
    notes
}

/// Whether a document is believed; if not, why, or why that cannot be told.
fn believes(
    rule: Option<&Vex>,
    observed: &Observed<VexDocument>,
    believing: &Believing<'_>,
) -> Result<(), Result<String, Gap>> {
    let Some(rule) = rule else { return Err(Ok("has no `vex`".to_owned())) };
    let by_author = rule.authors.as_ref().is_none_or(|authors| authors.list(&observed.value.author));
    let stranger = || Err(Ok("does not list this author by this way".to_owned()));
    match believing.standing(Some(&rule.from), &observed.origin) {
        Standing::Open | Standing::Signed(_) | Standing::Unknown(_) if !by_author => stranger(),
        Standing::Open | Standing::Signed(_) => Ok(()),
        Standing::Not(why) if matches!(observed.origin, Origin::Attestation(_)) => {
            Err(Ok(format!("does not believe its signer: {why}")))
        }
        Standing::Not(_) => stranger(),
        Standing::Unknown(gap) => Err(Err(gap)),
    }
}

/// Documents, and which statements name a vulnerability.
struct Index<'a> {
    documents: Vec<&'a VexDocument>,
    by_name: BTreeMap<String, BTreeSet<(usize, usize)>>,
}

impl<'a> Index<'a> {
    fn empty() -> Self {
        Self { documents: Vec::new(), by_name: BTreeMap::new() }
    }

    fn add(&mut self, document: &'a VexDocument, clock: &Clock) {
        for (at, statement) in document.statements.iter().enumerate() {
            // What is dated in the future was not said yet, as far as it would soften anything.
            let said = statement.at.is_none_or(|at| clock.reached(at.checked_sub(SKEW).unwrap_or(at)));
            if !said && matches!(statement.status, VexStatus::NotAffected | VexStatus::Fixed) {
                continue;
            }
            for name in &statement.vulnerabilities {
                let name = upper(name.as_str().trim());
                self.by_name.entry(name).or_insert_with(BTreeSet::new).insert((self.documents.len(), at));
            }
        }
        self.documents.push(document);
    }

    /// What the last word is, if it says that the finding need not count: with a justification `Ok`, without `Err`.
    fn softens(&self, finding: &Finding, parts: &[&Finding], image: &[Digest]) -> Option<Result<String, String>> {
        if self.by_name.is_empty() {
            return None;
        }
        let names = finding.names().map(|name| upper(name.as_str().trim()));
        let about: BTreeSet<(usize, usize)> =
            names.filter_map(|name| self.by_name.get(&name)).flatten().copied().collect();
        if about.is_empty() {
            return None;
        }
        // Only what names the vulnerability, so that ten thousand statements are not read for each finding.
        let mut documents: BTreeMap<usize, VexDocument> = BTreeMap::new();
        for (document, statement) in about {
            let whole = self.documents[document];
            let part = documents.entry(document).or_insert_with(|| VexDocument {
                format: whole.format.clone(),
                id: whole.id.clone(),
                author: whole.author.clone(),
                statements: Vec::new(),
            });
            part.statements.push(whole.statements[statement].clone());
        }
        // What one source says of no package in particular is only covered by a word about the whole image.
        let whole = parts.iter().any(|part| part.packages.is_empty()) && !finding.packages.is_empty();
        if whole {
            let anywhere = Finding { packages: Vec::new(), ..finding.clone() };
            if !last_word(documents.values(), &anywhere, image).is_some_and(|word| word.statement.softens()) {
                return None;
            }
        }
        let word = last_word(documents.values(), finding, image)?;
        match word.statement.status {
            VexStatus::NotAffected | VexStatus::Fixed if word.statement.softens() => Some(Ok(text(&word))),
            VexStatus::NotAffected => Some(Err(text(&word))),
            _ => None,
        }
    }
}

/// `not_affected: component_not_present, by security@acme.example (openvex)`
fn text(word: &LastWord<'_>) -> String {
    let status = match word.statement.status {
        VexStatus::NotAffected => "not_affected",
        VexStatus::Fixed => "fixed",
        VexStatus::Affected => "affected",
        VexStatus::UnderInvestigation => "under_investigation",
    };
    let why = word.statement.justification.as_ref().map_or_else(String::new, |why| format!(": {}", why.trim()));
    format!("{status}{why}, by {} ({})", word.document.author, word.document.format)
}
