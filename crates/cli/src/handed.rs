//! Files that the caller hands over: scanner reports, bills of materials, VEX documents, measurements.

use std::path::{Path, PathBuf};

use engine::{HandedFile, HandedOver};
use model::Scanner;

use crate::failure::Failure;
use crate::files;

/// The largest file that is read.
const LIMIT: usize = 64 << 20;

/// Evidence from files; its format is told by its content.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Evidence from files")]
pub(crate) struct HandedArgs {
    /// A scanner's report: Trivy, Grype, Snyk, Harbor, Inspector, SARIF, CycloneDX, OSV, or a saved ECR answer; several times
    ///
    /// Judged instead of asking ECR, unless the policy requires ECR too. `FORMAT=FILE` refuses a file of another format.
    /// A policy has to accept `file` as a source; the built-in one does.
    #[arg(long, value_name = "[FORMAT=]FILE")]
    pub report: Vec<String>,
    /// A bill of materials: CycloneDX or SPDX JSON; several times
    #[arg(long, value_name = "FILE")]
    pub sbom: Vec<PathBuf>,
    /// A VEX document: OpenVEX, CycloneDX or CSAF JSON; several times
    #[arg(long, value_name = "FILE")]
    pub vex: Vec<PathBuf>,
    /// Measurements, as `ecr-gate measure record` writes them; several times
    #[arg(long, value_name = "FILE")]
    pub measurement: Vec<PathBuf>,
}

impl HandedArgs {
    /// Nothing is handed over.
    pub(crate) fn none() -> Self {
        Self { report: Vec::new(), sbom: Vec::new(), vex: Vec::new(), measurement: Vec::new() }
    }

    /// True if anything is handed over.
    pub(crate) fn is_given(&self) -> bool {
        self.has_reports() || !(self.sbom.is_empty() && self.vex.is_empty() && self.measurement.is_empty())
    }

    /// True if there is a report.
    pub(crate) fn has_reports(&self) -> bool {
        !self.report.is_empty()
    }

    /// The files, as far as they can be told from the arguments.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        let reports = self.report.iter().filter_map(|text| report_file(text).ok()).map(|(_, path)| path);
        reports.chain(self.sbom.iter().chain(&self.vex).chain(&self.measurement).cloned()).collect()
    }

    /// Reads them.
    pub(crate) fn read(&self) -> Result<HandedOver, Failure> {
        let mut handed = HandedOver::default();
        for text in &self.report {
            let (scanner, path) = report_file(text)?;
            handed.reports.push(file("the report", &path, scanner)?);
        }
        let list = |what: &str, paths: &[PathBuf]| -> Result<Vec<HandedFile>, Failure> {
            paths.iter().map(|path| file(what, path, None)).collect()
        };
        handed.sboms = list("the bill of materials", &self.sbom)?;
        handed.vex = list("the VEX document", &self.vex)?;
        handed.measurements = list("the measurement", &self.measurement)?;
        Ok(handed)
    }
}

fn file(what: &str, path: &Path, scanner: Option<Scanner>) -> Result<HandedFile, Failure> {
    Ok(HandedFile { name: path.display().to_string(), scanner, bytes: files::read(what, path, LIMIT)?, about: None })
}

/// `FORMAT=FILE` or `FILE`.
fn report_file(text: &str) -> Result<(Option<Scanner>, PathBuf), Failure> {
    let (scanner, file) = match text.split_once('=') {
        Some((format, file)) => match Scanner::parse(format) {
            Some(scanner) => (Some(scanner), file),
            None if format.contains(['/', '.']) => (None, text),
            None => {
                let known: Vec<&str> = Scanner::ALL.iter().map(|scanner| scanner.as_str()).collect();
                return Err(Failure::usage(format!("--report: {format:?} is not a report format"))
                    .hint(format!("there are {}; without `FORMAT=` the content tells", known.join(", "))));
            }
        },
        None => (None, text),
    };
    if file.is_empty() {
        return Err(Failure::usage("--report: there is no file name"));
    }
    Ok((scanner, PathBuf::from(file)))
}
