//! The forms a decision can be written in. Each renders the same [`View`]; none decides anything.

mod columns;
mod dotenv;
pub(crate) mod facts;
pub(crate) mod github;
mod gitlab;
mod json;
mod junit;
mod markdown;
mod sarif;
mod table;
mod verification;
mod view;
mod words;

use std::path::PathBuf;

pub(crate) use columns::columns;
pub(crate) use dotenv::{dotenv, undecided};
pub(crate) use verification::verification;
pub(crate) use view::{Listed, State, View};
pub(crate) use words::{inert_json, inert_xml, line, logged};

use crate::failure::Failure;

/// A form of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people (default).
    Table,
    /// The decision record.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML, for test reports.
    Junit,
    /// For merge-request comments and step summaries.
    Markdown,
    /// GitLab's container scanning report.
    Gitlab,
    /// Everything that was known about the image, to test and replay policies with.
    Facts,
}

impl Format {
    /// Renders the decision.
    pub(crate) fn render(self, view: &View<'_>, color: bool) -> Result<String, Failure> {
        match self {
            Self::Table => Ok(table::render(view, color)),
            Self::Json => json::render(view).map(words::inert_json),
            Self::Sarif => sarif::render(view).map(words::inert_json),
            Self::Junit => junit::render(view).map(words::inert_xml),
            Self::Markdown => markdown::render(view),
            Self::Gitlab => gitlab::render(view).map(words::inert_json),
            Self::Facts => facts::render(view).map(words::inert_json),
        }
    }
}

/// `FORMAT` to stdout, or `FORMAT=FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    pub format: Format,
    pub file: Option<PathBuf>,
}

impl std::str::FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, file) = match text.split_once('=') {
            Some((_, "")) => return Err("there is no file name after `=`".to_owned()),
            Some((name, file)) => (name, Some(PathBuf::from(file))),
            None => (text, None),
        };
        let format = <Format as clap::ValueEnum>::from_str(name, true).map_err(|_| {
            let names: Vec<String> = <Format as clap::ValueEnum>::value_variants()
                .iter()
                .filter_map(|format| {
                    clap::ValueEnum::to_possible_value(format).map(|value| value.get_name().to_owned())
                })
                .collect();
            format!("{name:?} is not a format; there are {}", names.join(", "))
        })?;
        Ok(Self { format, file })
    }
}
