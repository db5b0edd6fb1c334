//! Tests of policies: a file beside the policies says what is known about an image and what has to come out. The judgement is
//! made by [`crate::evaluate`], by nothing else; here facts are made from few words, and what came out is compared with what
//! was expected. Nothing is read: texts and bytes are arguments.

mod coverage;
mod document;
mod given;
pub(crate) mod made;
mod make;
mod run;
#[cfg(test)]
mod tests;

pub use coverage::{Coverage, RuleSeen};
pub use document::tests_schema;
pub use run::{Difference, TestCase, TestFile, TestOutcome, Tested, Why};
