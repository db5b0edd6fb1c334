//! What stands above an override.

use super::*;

#[test]
fn s6_no_override_goes_past_what_is_denied_by_name_or_revoked() {
    let of = |codes: &[ReasonCode]| {
        let reasons: Vec<Reason> = codes.iter().map(|code| Reason::new(*code, "")).collect();
        may_be_overridden(&reasons)
    };
    assert!(of(&[ReasonCode::VulnMaxExceeded, ReasonCode::ConfigBroken]));
    for above in [
        ReasonCode::DenyListed,
        ReasonCode::DenyQuarantined,
        ReasonCode::SignatureRevoked,
        ReasonCode::VulnDenied,
        ReasonCode::PackagesDenied,
        ReasonCode::SbomDeniedPackage,
    ] {
        assert!(!of(&[ReasonCode::VulnMaxExceeded, above]), "{above:?}");
    }
}
