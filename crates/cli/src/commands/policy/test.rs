//! `ecr-gate policy test`: judges what test files say is known about images, and compares with what they expect. Nobody is
//! asked and nothing is collected; the judgement is the one that `check` makes.

mod find;
mod report;

use std::path::{Path, PathBuf};

use policy::{Coverage, DocumentError, TestFile, TestOutcome, Tested};

use crate::delivery::apart;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::policies::{self, beside};
use crate::ui::Ui;
use report::{Destination, Form};

/// The largest test file that is read, and the largest facts document.
const LIMIT: usize = 1 << 20;
const FACTS: usize = 32 << 20;

/// Runs the tests that lie beside policies
///
/// A test file (`kind: GatePolicyTest`) names policies, says what is known about an image, and what has to come out. Facts are
/// given in few words, or recorded with `inspect --output json` or `check --output facts=FILE`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 every test passed, 1 a test failed or too few rules are covered, 3 a file cannot be read or used, or there is
            no test, 64 wrong usage.

Examples:
  ecr-gate policy test policies
  ecr-gate policy test production.test.yaml --coverage --output text --output junit=policies.xml")]
pub(crate) struct TestArgs {
    /// Test files, and folders in which every `*.test.yaml` and `*_test.yaml` is one [default: .]
    #[arg(value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// text, json or junit; with =FILE into a file. May be given several times [default: text]
    #[arg(long, value_name = "FORMAT[=FILE]")]
    output: Vec<Destination>,
    /// Show which rules no test saw pass, or saw hold an image back
    #[arg(long)]
    coverage: bool,
    /// Fail if fewer rules than this, in percent, are covered: seen to pass, and to be broken or unknown
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    min_coverage: Option<u8>,
}

/// What came out of one file.
pub(super) struct FileOutcome {
    pub(super) file: String,
    pub(super) name: String,
    pub(super) policies: Vec<String>,
    pub(super) tests: Vec<(String, TestOutcome)>,
}

/// What came out of all of them.
pub(super) struct Outcomes {
    pub(super) files: Vec<FileOutcome>,
    pub(super) coverage: Coverage,
    pub(super) show_coverage: bool,
    pub(super) min_coverage: Option<u8>,
}

impl Outcomes {
    pub(super) fn passed(&self) -> usize {
        self.tests().filter(|outcome| outcome.differences.is_empty()).count()
    }

    pub(super) fn failed(&self) -> usize {
        self.tests().count() - self.passed()
    }

    fn tests(&self) -> impl Iterator<Item = &TestOutcome> {
        self.files.iter().flat_map(|file| file.tests.iter().map(|(_, outcome)| outcome))
    }

    /// True if fewer rules are covered than was asked for.
    pub(super) fn lacks_coverage(&self) -> bool {
        self.min_coverage.is_some_and(|least| self.coverage.percent() < least)
    }
}

impl TestArgs {
    pub(crate) fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let outputs = match self.output.as_slice() {
            [] => vec![Destination { form: Form::Text, file: None }],
            given => given.to_vec(),
        };
        if outputs.iter().filter(|output| output.file.is_none()).count() > 1 {
            return Err(
                Failure::usage("two outputs go to standard output").hint("write all but one to a file: `junit=FILE`")
            );
        }
        // Nothing that is read is written over, and no report of an earlier run stays where this one cannot be run.
        let tests: Vec<Result<Read, Failure>> = find::test_files(&self.paths)?.into_iter().map(Read::file).collect();
        let inputs: Vec<PathBuf> = tests.iter().flatten().flat_map(Read::inputs).collect();
        let inputs: Vec<&Path> = inputs.iter().map(PathBuf::as_path).collect();
        let reports = || outputs.iter().filter_map(|output| output.file.as_deref());
        apart(reports(), &inputs)?;
        for file in reports() {
            files::remove_stale("the earlier report", file)?;
        }
        let mut outcomes = Outcomes {
            files: Vec::new(),
            coverage: Coverage::none(),
            show_coverage: self.coverage || self.min_coverage.is_some(),
            min_coverage: self.min_coverage,
        };
        for test in tests {
            let outcome = test?.run(&mut outcomes.coverage)?;
            outcomes.files.push(outcome);
        }
        for output in &outputs {
            output.write(&outcomes, ui)?;
        }
        Ok(if outcomes.failed() > 0 || outcomes.lacks_coverage() { Exit::Blocked } else { Exit::Allowed })
    }
}

/// A test file, and the policies that it names.
struct Read {
    path: PathBuf,
    file: TestFile,
    policies: Vec<PathBuf>,
}

impl Read {
    fn file(path: PathBuf) -> Result<Self, Failure> {
        let text = files::read_text("the test file", &path, LIMIT)?;
        let file = TestFile::parse(&path.display().to_string(), &text).map_err(told)?;
        let policies = file.policies().iter().map(|listed| beside(&path, listed)).collect();
        Ok(Self { path, file, policies })
    }

    /// Every file that is read for it.
    fn inputs(&self) -> Vec<PathBuf> {
        let facts = self.file.cases().filter_map(|case| case.facts()).map(|listed| beside(&self.path, listed));
        std::iter::once(self.path.clone()).chain(facts).chain(policies::inputs(&self.policies)).collect()
    }

    fn run(&self, coverage: &mut Coverage) -> Result<FileOutcome, Failure> {
        let shown = self.file.file();
        let loaded = policies::load_for_tests(&self.policies, self.file.honours_exceptions());
        let (set, exceptions) =
            loaded.map_err(|failure| failure.hint(format!("{shown} names it, relative to itself")))?;
        coverage.expect(&set);
        let names: Vec<String> = self.policies.iter().map(|path| path.display().to_string()).collect();
        let tested = Tested { policies: &set, files: &names, exceptions: &exceptions };
        let mut tests = Vec::new();
        for case in self.file.cases() {
            let recorded = case.facts().map(|listed| self.facts(case.name(), listed)).transpose()?;
            let recorded = recorded.as_ref().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
            let outcome = case.run(&tested, recorded).map_err(told)?;
            coverage.add(&set, &outcome.judgement);
            tests.push((case.name().to_owned(), outcome));
        }
        let policies = set.ids().iter().map(|id| id.name.clone()).collect();
        Ok(FileOutcome { file: shown.to_owned(), name: self.file.name().to_owned(), policies, tests })
    }

    /// Recorded facts: the name of their file, and its bytes.
    fn facts(&self, test: &str, listed: &str) -> Result<(String, Vec<u8>), Failure> {
        let path = beside(&self.path, listed);
        let read = files::read("the facts", &path, FACTS).map_err(|failure| Failure {
            hints: vec![format!("test {test:?} of {} names them, relative to that file", self.file.file())],
            ..failure
        })?;
        Ok((path.display().to_string(), read))
    }
}

fn told(error: DocumentError) -> Failure {
    let failure = Failure::configuration(error.to_string());
    let keys = || "`ecr-gate policy schema --tests` prints what a test file may say".to_owned();
    failure.hint(error.hint.unwrap_or_else(keys))
}
