//! Policy: versioned documents, exceptions, and their evaluation.
//!
//! [`evaluate`] is pure: policies, question, facts, exceptions and time in, a [`model::Judgement`] out, the same one for
//! the same arguments. Nothing here knows a clock, a file or a network.
#![warn(missing_docs)]

mod denials;
mod document;
mod error;
mod evaluate;
mod exceptions;
mod explain;
mod fail_on;
mod lint;
pub mod path;
mod rego;
#[cfg(test)]
mod scene;
mod set;
mod testing;
mod written;

pub use denials::{Denial, Denials, DeniedThing, RepositoryPattern};
pub use document::compared_host as canonical_host;
pub use document::until as end_of;
pub use document::{Action, OnUnknown, Policy, Rule, Vulnerabilities, X509Kind, predicate_type, schema};
pub use error::DocumentError;
pub use evaluate::{TrustPart, TrustScore, evaluate, evaluate_beside, trust_score};
pub use exceptions::{ExceptionFinding, Exceptions, FileException, Granted, Waived, exceptions_schema};
pub use explain::{ExplainedPolicy, ExplainedRule};
pub use fail_on::{FailOn, FailOnError};
pub use lint::Remark;
pub use path::{PathToGreen, path_to_green};
pub use set::{
    COMMAND_LINE_POLICY, EnvironmentError, FileReader, FileUse, KeySource, Needs, PolicySet, RootSource, SignedBy,
    SourceOf, StandIn, StoreSigner, TrustSource, Wanted, WantedStatement, signed_by,
};
pub use testing::{Coverage, Difference, RuleSeen, TestCase, TestFile, TestOutcome, Tested, Why, tests_schema};
pub use written::written;
