//! Scans that a test gives.

use model::{Finding, Fix, Origin, Package, Reason, ReasonCode, ScanReport, Scanner, Signal};

use super::{At, HOUR, Maker, Making, unknown};
use crate::document::Problem;
use crate::testing::given::{self, By};
use crate::testing::made;

/// The type of statement that a signed report is.
const REPORT: &str = "https://cosign.sigstore.dev/attestation/vuln/v1";

impl Maker<'_> {
    pub(super) fn scans(&self, scans: &[given::Scan], making: &mut Making<'_>) -> Result<Vec<ScanReport>, Problem> {
        let at = making.at.key("scans");
        scans.iter().enumerate().map(|(index, scan)| self.scan(scan, making, &at.item(index))).collect()
    }

    fn scan(&self, scan: &given::Scan, making: &mut Making<'_>, at: &At) -> Result<ScanReport, Problem> {
        let given::Scan { scanner, tool, by, age, continuous, findings, unknown: why, unproven } = scan;
        let scanner = *scanner;
        if scanner == Scanner::Unknown {
            return Err(at.wrong("`scanner` names no scanner", "write the name of a scanner, as policies do"));
        }
        if continuous == &Some(true) && scanner != Scanner::Ecr {
            return Err(at.wrong("`continuous` is for the scanner ecr", "leave the key out"));
        }
        if why.is_some() && (findings.is_some() || unproven.is_some() || continuous.is_some() || age.is_some()) {
            return Err(at.wrong("`unknown` says that there is no scan", "leave out what is said of the scan"));
        }
        let own_way = By::Name("ecr".to_owned());
        let by = by.as_ref().or(if scanner == Scanner::Ecr { Some(&own_way) } else { None });
        if matches!(by, Some(By::Name(way)) if way == "ecr") && scanner != Scanner::Ecr {
            return Err(at.wrong("`by: ecr` is for the scanner ecr", "write `file`, `registry` or who signed it"));
        }
        let origin: Origin = self.origin(by, &format!("{scanner}.json"), REPORT, making, at)?;
        let report =
            |scan, unproven| ScanReport { scanner, tool: tool.clone(), origin: origin.clone(), scan, unproven };
        if let Some(code) = why {
            return Ok(report(unknown(*code, &at.key("unknown"))?, Vec::new()));
        }
        let findings = findings.iter().flatten().enumerate();
        let findings: Vec<Finding> =
            findings.map(|(index, given)| finding(given, &at.key("findings").item(index))).collect::<Result<_, _>>()?;
        if unproven == &Some(true) {
            let why = Reason::new(ReasonCode::ScanUnproven, "it proves no whole scan");
            return Ok(report(Signal::Failed(why), findings));
        }
        let moment = self.ago(age.map_or(HOUR, |age| age.0));
        let whole = made::complete(scanner, continuous == &Some(true), findings, None, moment, moment)
            .map_err(|error| at.wrong(error.to_string(), ""))?;
        let observed = self.observed_from(whole, origin.clone());
        Ok(report(Signal::Present(observed), Vec::new()))
    }
}

fn finding(given: &given::Finding, at: &At) -> Result<Finding, Problem> {
    let fix = match (&given.fixed_in, given.no_fix) {
        (Some(_), Some(true)) => return Err(at.wrong("`fixedIn` and `noFix` contradict each other", "leave one out")),
        (Some(version), _) => Fix::In(version.clone()),
        (None, Some(true)) => Fix::None,
        (None, _) => Fix::NotSaid,
    };
    let purl = given.purl.as_ref().map(|purl| &purl.0);
    let name = given.package.clone().or_else(|| purl.map(|purl| purl.name.clone()));
    let packages = match name {
        Some(name) => {
            let version = given.version.clone().or_else(|| purl.and_then(|purl| purl.version.clone()));
            let version = version.unwrap_or_else(String::new);
            vec![Package { name, version, fix, purl: purl.map(ToString::to_string), layer: None }]
        }
        None if fix != Fix::NotSaid || given.version.is_some() => {
            return Err(at.wrong("a version or a fix without a `package`", "name the package"));
        }
        None => Vec::new(),
    };
    Ok(Finding {
        aliases: given.aliases.iter().flatten().cloned().collect(),
        packages,
        cvss_tenths: given.cvss.map(|score| score.0),
        epss_millionths: given.epss.map(|probability| probability.0),
        exploit_available: given.exploit,
        suppressed: given.suppressed.clone(),
        ..Finding::new(given.id.clone(), given.severity.0.clone())
    })
}
