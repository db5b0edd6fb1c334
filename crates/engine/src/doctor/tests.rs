//! What follows from the settings, without ECR: every combination that the calls can answer. The calls themselves are
//! tested on the whole command (`crates/cli/tests/it/doctor.rs`).

use aws::{Frequency, Immutability, RegistryScanning, RepositoryScanning, RepositorySettings, Scanner};

use super::scanning::Scanning;
use super::*;

fn target() -> Target {
    Target {
        account: Some("123456789012".to_owned()),
        region: "eu-west-1".to_owned(),
        repository: "team/app".to_owned(),
        fips: false,
        dual_stack: false,
    }
}

fn failed(operation: &'static str, kind: FailureKind) -> Failure {
    Failure { kind, operation, code: None, message: "so it was".to_owned(), arn: target().arn() }
}

fn settings(own: bool, scanner: Scanner, rules: usize, frequency: Frequency) -> Settings {
    let filters = if frequency == Frequency::Manual { Vec::new() } else { vec!["team/*".to_owned()] };
    Settings {
        repository: Ok(RepositorySettings { scan_on_push: own, tags: Immutability::Immutable }),
        scanning: Scanning::Asked {
            registry: Ok(RegistryScanning { account: target().account, scanner, rules }),
            repository: Ok(RepositoryScanning { scan_on_push: own, frequency, filters }),
        },
    }
}

/// Repository and registry level.
fn states(settings: &Settings) -> (CheckState, CheckState, Option<Fix>) {
    let [_, repository, registry] = settings.checks(&target());
    assert_eq!(registry.fixable, None, "the registry is never changed");
    for check in [&repository, &registry] {
        assert_eq!(check.state == CheckState::Ok, check.remedy.is_none(), "{check:?}");
    }
    (repository.state, registry.state, repository.fixable)
}

#[test]
fn a9_scan_on_push_follows_from_both_levels() {
    use CheckState::{Ok, Problem, Unknown, Warning};
    use Frequency::{Continuous, Manual, OnPush};
    for (own, scanner, rules, frequency, expected, scans) in [
        (true, Scanner::Basic, 0, Manual, (Ok, Ok, None), Some(true)),
        (true, Scanner::Basic, 0, OnPush, (Ok, Ok, None), Some(true)),
        (true, Scanner::Basic, 1, Manual, (Warning, Ok, None), Some(true)),
        (false, Scanner::Basic, 1, OnPush, (Ok, Ok, None), Some(true)),
        (false, Scanner::Basic, 0, Manual, (Problem, Warning, Some(Fix::ScanOnPush)), Some(false)),
        // With enhanced scanning the repository's own setting changes nothing, so there is nothing to mend there.
        (true, Scanner::Enhanced, 1, Manual, (Ok, Problem, None), Some(false)),
        (false, Scanner::Enhanced, 1, Manual, (Ok, Problem, None), Some(false)),
        (false, Scanner::Enhanced, 1, OnPush, (Ok, Ok, None), Some(true)),
        (false, Scanner::Enhanced, 1, Continuous, (Ok, Ok, None), Some(true)),
        (false, Scanner::Basic, 1, Frequency::Other("HOURLY".to_owned()), (Unknown, Unknown, None), None),
    ] {
        let settings = settings(own, scanner.clone(), rules, frequency.clone());
        assert_eq!(states(&settings), expected, "{own} {scanner:?} {rules} {frequency:?}");
        assert_eq!(settings.scans_pushes(), scans, "{own} {scanner:?} {rules} {frequency:?}");
    }
}

#[test]
fn a9_what_could_not_be_read_is_never_ok() {
    let denied = |operation| failed(operation, FailureKind::AccessDenied);
    let nothing = Settings {
        repository: Err(denied("DescribeRepositories")),
        scanning: Scanning::Asked {
            registry: Err(denied("GetRegistryScanningConfiguration")),
            repository: Err(denied("BatchGetRepositoryScanningConfiguration")),
        },
    };
    assert_eq!(states(&nothing), (CheckState::Unknown, CheckState::Unknown, None));
    assert_eq!(nothing.scans_pushes(), None);
    for check in nothing.checks(&target()) {
        assert_eq!((check.state, check.reason), (CheckState::Unknown, Some(model::ReasonCode::AwsAccessDenied)));
        assert!(check.remedy.is_some_and(|remedy| remedy.contains("--for doctor")));
    }

    let own_off =
        Settings { repository: Ok(RepositorySettings { scan_on_push: false, tags: Immutability::Mutable }), ..nothing };
    assert_eq!(states(&own_off), (CheckState::Unknown, CheckState::Unknown, Some(Fix::ScanOnPush)));

    let foreign = Scanning::Foreign { registry: "123456789012".to_owned(), caller: "210987654321".to_owned() };
    let foreign = Settings { scanning: foreign, ..own_off };
    assert_eq!(states(&foreign), (CheckState::Warning, CheckState::Unknown, Some(Fix::ScanOnPush)));
    assert_eq!(foreign.scans_pushes(), None);
}

#[test]
fn a9_only_tags_that_all_can_be_moved_are_mended() {
    let check = |tags| tags::check(&Ok(RepositorySettings { scan_on_push: true, tags }));
    let excepted = || vec!["latest*".to_owned()];
    assert_eq!(check(Immutability::Immutable).state, CheckState::Ok);
    assert_eq!(check(Immutability::Mutable).fixable, Some(Fix::Immutability));
    for tags in [Immutability::ImmutableExcept(excepted()), Immutability::MutableExcept(excepted())] {
        let check = check(tags);
        assert_eq!((check.state, check.fixable), (CheckState::Warning, None));
        assert!(check.found.contains("latest*"));
    }
    assert_eq!(check(Immutability::Other("X".to_owned())).state, CheckState::Unknown);
    let refused = tags::check(&Err(failed("DescribeRepositories", FailureKind::Throttled)));
    assert_eq!((refused.state, refused.reason), (CheckState::Unknown, Some(model::ReasonCode::AwsThrottled)));
}
