//! What came out of tests, in the form that was asked for.

mod json;
mod junit;
mod text;

use std::path::PathBuf;

use policy::{Difference, TestOutcome, Why};

use super::{FileOutcome, Outcomes};
use crate::failure::Failure;
use crate::files;
use crate::ui::Ui;

/// A form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For test reports.
    Junit,
}

/// `FORMAT` to stdout, or `FORMAT=FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Destination {
    pub(super) form: Form,
    pub(super) file: Option<PathBuf>,
}

impl std::str::FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, file) = match text.split_once('=') {
            Some((_, "")) => return Err("there is no file name after `=`".to_owned()),
            Some((name, file)) => (name, Some(PathBuf::from(file))),
            None => (text, None),
        };
        let form = <Form as clap::ValueEnum>::from_str(name, true)
            .map_err(|_| format!("{name:?} is not a format; there are text, json, junit"))?;
        Ok(Self { form, file })
    }
}

impl Destination {
    pub(super) fn write(&self, outcomes: &Outcomes, ui: Ui) -> Result<(), Failure> {
        let text = match self.form {
            Form::Text => text::render(outcomes, self.file.is_none() && ui.color),
            Form::Json => json::render(outcomes)?,
            Form::Junit => junit::render(outcomes)?,
        };
        match &self.file {
            Some(file) => files::write("the report", file, &text),
            None => ui.data(&text),
        }
    }
}

/// Every difference, each with the reasons that no difference before it had: what is said once about a rule holds for all.
fn differing(outcome: &TestOutcome) -> Vec<(&Difference, Vec<&Why>)> {
    let mut said: Vec<&Why> = Vec::new();
    let mut differing = Vec::new();
    for difference in &outcome.differences {
        let new: Vec<&Why> = difference.reasons.iter().filter(|why| !said.contains(why)).collect();
        said.extend(&new);
        differing.push((difference, new));
    }
    differing
}
