//! OpenVEX 0.0.1 to 0.2.0. The older versions name vulnerabilities and products by plain text, and parts of products beside
//! them; both ways are read in every version. Keys that are not known are refused in statements and products: a part under
//! a misspelt key would be left out, and the statement would be about the whole.

use std::collections::BTreeMap;

use model::{Digest, Timestamp, VexDocument, VexProduct, VexStatement, VexStatus, VulnerabilityId};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::sbom::{
    self,
    json::{self, Budget},
};
use crate::{Limits, ParseError};

const FORMAT: &str = "OpenVEX document";
const NAMESPACE: &str = "https://openvex.dev/ns";

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "@id")]
    id: Option<String>,
    author: String,
    timestamp: Option<String>,
    last_updated: Option<String>,
    statements: Vec<Statement>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    #[serde(rename = "@id")]
    _id: Option<IgnoredAny>,
    #[serde(rename = "version")]
    _version: Option<IgnoredAny>,
    #[serde(rename = "supplier")]
    _supplier: Option<IgnoredAny>,
    #[serde(rename = "vuln_description")]
    _description: Option<IgnoredAny>,
    #[serde(rename = "action_statement_timestamp")]
    _action_at: Option<IgnoredAny>,
    vulnerability: Vulnerability,
    #[serde(default, deserialize_with = "json::list")]
    products: Option<Vec<Product>>,
    #[serde(default, deserialize_with = "json::list")]
    subcomponents: Option<Vec<Product>>,
    status: String,
    status_notes: Option<String>,
    justification: Option<String>,
    #[serde(rename = "impact_statement")]
    impact: Option<String>,
    #[serde(rename = "action_statement")]
    action: Option<String>,
    timestamp: Option<String>,
    last_updated: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Vulnerability {
    Name(String),
    Object {
        name: String,
        #[serde(default)]
        aliases: Vec<String>,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Product {
    Name(String),
    Object(Box<Named>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    #[serde(rename = "@id")]
    id: Option<String>,
    identifiers: Option<Identifiers>,
    hashes: Option<BTreeMap<String, String>>,
    #[serde(rename = "supplier")]
    _supplier: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "json::list")]
    subcomponents: Option<Vec<Product>>,
}

#[derive(Deserialize)]
struct Identifiers {
    purl: Option<String>,
}

pub(super) fn document(bytes: &[u8], context: &str, limits: &Limits) -> Result<VexDocument, ParseError> {
    let version = context.strip_prefix(NAMESPACE).map(|rest| rest.trim_start_matches("/v").trim_end_matches('/'));
    if !version.is_some_and(|version| version.is_empty() || version.starts_with("0.0.") || version.starts_with("0.2."))
    {
        let cause = format!("{} is not known; OpenVEX 0.0 and 0.2 are read", json::shown(context));
        return Err(ParseError::new(FORMAT, "@context", cause));
    }
    let document: Document = json::read(FORMAT, bytes)?;
    let products = |statement: &Statement| statement.products.as_ref().map_or(0, Vec::len);
    json::count(FORMAT, "statements", document.statements.iter().map(|one| 1 + products(one)).sum(), limits)?;
    let said_at = latest("", document.timestamp.as_ref(), document.last_updated.as_ref())?;
    let mut budget = Budget::new(FORMAT, limits);
    let read = |(number, statement)| read(&format!("statements[{number}]"), statement, said_at, &mut budget);
    Ok(VexDocument {
        format: "openvex".to_owned(),
        id: document.id,
        author: document.author,
        statements: document.statements.into_iter().enumerate().map(read).collect::<Result<_, _>>()?,
    })
}

fn read(
    place: &str,
    statement: Statement,
    said_at: Option<Timestamp>,
    budget: &mut Budget,
) -> Result<VexStatement, ParseError> {
    let wrong = |field: &str, cause: String| ParseError::new(FORMAT, format!("{place}.{field}"), cause);
    let status = match statement.status.as_str() {
        "not_affected" => VexStatus::NotAffected,
        "affected" => VexStatus::Affected,
        "fixed" => VexStatus::Fixed,
        "under_investigation" => VexStatus::UnderInvestigation,
        other => return Err(wrong("status", format!("{} is no status", json::shown(other)))),
    };
    let names = match statement.vulnerability {
        Vulnerability::Name(name) => vec![name],
        Vulnerability::Object { name, aliases } => std::iter::once(name).chain(aliases).collect(),
    };
    let vulnerabilities: Vec<VulnerabilityId> = names.into_iter().filter_map(VulnerabilityId::new).collect();
    if vulnerabilities.is_empty() {
        return Err(wrong("vulnerability", "it has no name".to_owned()));
    }
    let beside: Vec<String> = statement.subcomponents.iter().flatten().map(Product::part).collect();
    let bytes = beside.iter().map(|part| part.len() + size_of::<String>()).sum();
    budget.take(statement.products.as_ref().map_or(0, Vec::len), bytes)?;
    let justification = statement.justification.as_deref();
    let notes = [statement.impact, statement.status_notes, statement.action];
    let notes: Vec<String> = notes.into_iter().flatten().filter(|note| !note.trim().is_empty()).collect();
    Ok(VexStatement {
        vulnerabilities,
        products: statement.products.iter().flatten().map(|product| product.read(&beside)).collect(),
        status,
        justification: super::one_of(&super::JUSTIFICATIONS, FORMAT, format!("{place}.justification"), justification)?,
        note: if notes.is_empty() { None } else { Some(notes.join("; ")) },
        at: latest(place, statement.timestamp.as_ref(), statement.last_updated.as_ref())?.or(said_at),
    })
}

/// What was made at one time and changed at another is said at the later one.
fn latest(place: &str, made: Option<&String>, changed: Option<&String>) -> Result<Option<Timestamp>, ParseError> {
    let place = |field| if place.is_empty() { String::from(field) } else { format!("{place}.{field}") };
    let made = json::maybe_time(FORMAT, &place("timestamp"), made)?;
    Ok(made.max(json::maybe_time(FORMAT, &place("last_updated"), changed)?))
}

impl Product {
    /// The package URL or else the id.
    fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Object(named) => {
                named.identifiers.as_ref().and_then(|identifiers| identifiers.purl.as_deref()).or(named.id.as_deref())
            }
        }
    }

    /// The name of a part; a part of a part is narrower than its name, and so named by nothing.
    fn part(&self) -> String {
        match self {
            Self::Object(named) if named.subcomponents.as_ref().is_some_and(|parts| !parts.is_empty()) => String::new(),
            _ => super::part(self.name()),
        }
    }

    fn read(&self, beside: &[String]) -> VexProduct {
        let mut digests: Vec<Digest> = self.name().and_then(sbom::digest_in).into_iter().collect();
        let mut subcomponents = beside.to_vec();
        if let Self::Object(named) = self {
            digests.extend(named.id.as_deref().and_then(sbom::digest_in));
            digests.extend(named.hashes.iter().flatten().filter_map(|(name, hex)| sbom::digest_of(name, hex)));
            subcomponents.extend(named.subcomponents.iter().flatten().map(Self::part));
        }
        VexProduct { digests: super::once(digests), purl: self.name().and_then(super::purl), subcomponents }
    }
}
