//! Whether a push is scanned: by the repository's own setting and by the rules of its registry, with basic or enhanced
//! scanning. Source: Amazon ECR user guide, "Scan images for software vulnerabilities" and "Filters to choose which
//! repositories are scanned".

use aws::{Failure, Frequency, RegistryScanning, RepositoryScanning, RepositorySettings, Scanner, Target};

use super::report::{About, DoctorCheck, Fix};
use super::{Patient, account};
use crate::check::Refused;

const SCAN_TYPE: About = About {
    id: "doctor.scanType",
    title: "Basic or enhanced scanning",
    why: "Basic scanning reads operating system packages once per push or request; enhanced scanning (Amazon Inspector) reads \
          language packages too and follows new vulnerabilities.",
};
const SCAN_ON_PUSH: About = About {
    id: "doctor.scanOnPush",
    title: "Scan on push, repository",
    why: "An image that is not scanned when it is pushed has no result until somebody starts a scan, and ECR scans an image \
          once in 24 hours.",
};
const REGISTRY: About = About {
    id: "doctor.registryScanOnPush",
    title: "Scan on push, registry",
    why: "The rules of the registry decide which repositories are scanned and how often; with enhanced scanning they alone do.",
};

/// What is set.
pub(super) struct Settings {
    pub(super) repository: Result<RepositorySettings, Failure>,
    pub(super) scanning: Scanning,
}

/// What the registry says about scanning.
pub(super) enum Scanning {
    /// The registry is another account's, and ECR tells its settings only to that account.
    Foreign { registry: String, caller: String },
    /// What was answered.
    Asked { registry: Result<RegistryScanning, Failure>, repository: Result<RepositoryScanning, Failure> },
}

impl Patient<'_> {
    pub(super) async fn scanning(&self, caller: Option<&str>) -> Result<Scanning, Refused> {
        let foreign = |account: Option<&str>| match (&self.ecr.target().account, account) {
            (Some(theirs), Some(ours)) if theirs != ours => {
                Some(Scanning::Foreign { registry: theirs.clone(), caller: ours.to_owned() })
            }
            _ => None,
        };
        if let Some(foreign) = foreign(account(caller)) {
            return Ok(foreign);
        }
        let registry = self.ask("GetRegistryScanningConfiguration", || self.ecr.registry_scanning()).await?;
        if let Some(foreign) = registry.as_ref().ok().and_then(|registry| foreign(registry.account.as_deref())) {
            return Ok(foreign);
        }
        // The call cannot name an account: that the repository is not in the caller's own registry may mean little.
        let repository = self.tried("BatchGetRepositoryScanningConfiguration", || self.ecr.repository_scanning()).await;
        Ok(Scanning::Asked { registry, repository })
    }
}

impl Settings {
    /// Basic or enhanced, if known.
    pub(super) fn scanner(&self) -> Option<&Scanner> {
        match &self.scanning {
            Scanning::Asked { registry: Ok(registry), .. } => Some(&registry.scanner),
            _ => None,
        }
    }

    /// Whether a push is scanned, if known.
    pub(super) fn scans_pushes(&self) -> Option<bool> {
        let own = self.own();
        match &self.scanning {
            Scanning::Asked { repository: Ok(scanning), .. } => match scanning.frequency {
                Frequency::OnPush | Frequency::Continuous => Some(true),
                Frequency::Manual if self.scanner() == Some(&Scanner::Enhanced) => Some(false),
                Frequency::Manual => own.or(Some(false)),
                Frequency::Other(_) => None,
            },
            _ => own.filter(|on| *on && self.scanner() == Some(&Scanner::Basic)),
        }
    }

    /// The repository's own setting.
    fn own(&self) -> Option<bool> {
        let told = match &self.scanning {
            Scanning::Asked { repository: Ok(scanning), .. } if scanning.scan_on_push => Some(true),
            _ => None,
        };
        told.or(self.repository.as_ref().ok().map(|repository| repository.scan_on_push))
    }

    pub(super) fn checks(&self, target: &Target) -> [DoctorCheck; 3] {
        [self.scan_type(), self.scan_on_push(target), self.registry(target)]
    }

    fn scan_type(&self) -> DoctorCheck {
        match &self.scanning {
            Scanning::Foreign { registry, caller } => foreign(&SCAN_TYPE, registry, caller),
            Scanning::Asked { registry: Err(failure), .. } => SCAN_TYPE.missed(failure),
            Scanning::Asked { registry: Ok(registry), .. } => match &registry.scanner {
                Scanner::Basic => SCAN_TYPE.ok("basic scanning: operating system packages"),
                Scanner::Enhanced => SCAN_TYPE.ok(
                    "enhanced scanning (Amazon Inspector): operating system and language packages; scans are started by rules \
                     of the registry, never by StartImageScan",
                ),
                Scanner::Other(word) => SCAN_TYPE.untold(
                    format!("the registry's scan type is {word:?}, which this version does not know"),
                    "Look for a newer ecr-gate.",
                ),
            },
        }
    }

    fn scan_on_push(&self, target: &Target) -> DoctorCheck {
        let own = self.own();
        let word = |on: bool| if on { "on" } else { "off" };
        let fix_it = "`ecr-gate doctor --fix` turns on scan on push for the repository; images that are there already get \
                      their scan from `ecr-gate check`, or when they are pushed again.";
        if self.scanner() == Some(&Scanner::Enhanced) {
            return match (own, &self.repository) {
                (Some(on), _) => SCAN_ON_PUSH.ok(format!(
                    "the repository's own setting is {}, and ignored: with enhanced scanning the rules of the registry decide",
                    word(on)
                )),
                (None, Err(failure)) => SCAN_ON_PUSH.missed(failure),
                (None, Ok(_)) => SCAN_ON_PUSH.ok("with enhanced scanning the rules of the registry decide"),
            };
        }
        match (&self.scanning, own) {
            (Scanning::Asked { repository: Ok(scanning), registry }, _) => match (&scanning.frequency, own) {
                (Frequency::OnPush | Frequency::Continuous, Some(false)) => {
                    SCAN_ON_PUSH.ok("images are scanned when they are pushed: off for the repository, on by a rule of the registry")
                }
                (Frequency::OnPush | Frequency::Continuous, _) => SCAN_ON_PUSH.ok("images are scanned when they are pushed"),
                (Frequency::Manual, Some(true)) if registry.as_ref().is_ok_and(|registry| registry.rules > 0) => SCAN_ON_PUSH
                    .warning(
                        "the repository's own setting is on, but ECR counts it as MANUAL: the registry has rules and none \
                         matches the repository",
                        self.rule_remedy(target),
                    ),
                (Frequency::Manual, Some(true)) => SCAN_ON_PUSH.ok("on, by the repository's own setting"),
                (Frequency::Manual, _) => SCAN_ON_PUSH
                    .problem("off: a pushed image is not scanned until somebody starts a scan", fix_it)
                    .fix(Fix::ScanOnPush),
                (Frequency::Other(word), _) => SCAN_ON_PUSH.untold(
                    format!("the scan frequency is {word:?}, which this version does not know"),
                    "Look for a newer ecr-gate.",
                ),
            },
            (_, Some(true)) => {
                SCAN_ON_PUSH.ok("on, by the repository's own setting, which counts as long as basic scanning is used")
            }
            (Scanning::Asked { repository: Err(failure), .. }, Some(false)) => {
                let missed = SCAN_ON_PUSH.missed(failure);
                let found = format!("off for the repository; whether a rule of the registry scans it: {}", missed.found);
                DoctorCheck { found, ..missed }.fix(Fix::ScanOnPush)
            }
            (Scanning::Foreign { registry, .. }, Some(false)) => SCAN_ON_PUSH
                .warning(
                    format!("off for the repository; whether a rule of the registry scans it, only account {registry} can see"),
                    fix_it,
                )
                .fix(Fix::ScanOnPush),
            (_, None) => match &self.repository {
                Err(failure) => SCAN_ON_PUSH.missed(failure),
                Ok(_) => SCAN_ON_PUSH.untold("nothing says whether images are scanned when they are pushed", fix_it),
            },
        }
    }

    fn registry(&self, target: &Target) -> DoctorCheck {
        let scanning = match &self.scanning {
            Scanning::Foreign { registry, caller } => return foreign(&REGISTRY, registry, caller),
            Scanning::Asked { repository: Err(failure), .. } => return REGISTRY.missed(failure),
            Scanning::Asked { repository: Ok(scanning), .. } => scanning,
        };
        let by = match scanning.filters.as_slice() {
            [] => String::new(),
            filters => format!(" (filter {})", filters.join(", ")),
        };
        match &scanning.frequency {
            // Without a filter that matched it is the repository's own setting that is told here.
            Frequency::OnPush
                if by.is_empty() && self.own() == Some(true) && self.scanner() != Some(&Scanner::Enhanced) =>
            {
                REGISTRY.ok("no rule of the registry is needed: the repository's own setting is on")
            }
            Frequency::OnPush => REGISTRY.ok(format!("SCAN_ON_PUSH{by}")),
            Frequency::Continuous => {
                REGISTRY.ok(format!("CONTINUOUS_SCAN{by}: scanned on push and again when vulnerabilities become known"))
            }
            Frequency::Manual if self.scanner() == Some(&Scanner::Enhanced) => REGISTRY.problem(
                "MANUAL: enhanced scanning is on and no rule of the registry matches the repository, so its images are \
                 never scanned",
                self.rule_remedy(target),
            ),
            Frequency::Manual if self.own() == Some(true) => {
                REGISTRY.ok("MANUAL: no rule of the registry matches the repository, its own setting is on")
            }
            Frequency::Manual => {
                REGISTRY.warning("MANUAL: no rule of the registry matches the repository", self.rule_remedy(target))
            }
            Frequency::Other(word) => REGISTRY.untold(
                format!("the scan frequency is {word:?}, which this version does not know"),
                "Look for a newer ecr-gate.",
            ),
        }
    }

    /// Rules are the registry's: every repository is touched, so this is for a person to do.
    fn rule_remedy(&self, target: &Target) -> String {
        let kind = if self.scanner() == Some(&Scanner::Enhanced) { "ENHANCED" } else { "BASIC" };
        format!(
            "Let whoever owns the registry add a rule that matches: `aws ecr put-registry-scanning-configuration --scan-type \
             {kind} --rules '[{{\"scanFrequency\":\"SCAN_ON_PUSH\",\"repositoryFilters\":[{{\"filter\":\"{}\",\
             \"filterType\":\"WILDCARD\"}}]}}]'`. It replaces all rules of the registry: repeat those that are there.",
            target.repository
        )
    }
}

fn foreign(about: &About, registry: &str, caller: &str) -> DoctorCheck {
    about.untold(
        format!("the registry belongs to account {registry}, and the caller to {caller}: ECR tells this only to its own account"),
        format!("Run doctor with a role of account {registry}."),
    )
}
