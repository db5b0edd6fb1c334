//! How old an image is, by whose date, until when that holds, and which dates nobody meant.

use model::{ImageConfig, ScanReport, Scanner, Signal};
use proptest::prelude::*;

use super::*;
use crate::evaluate::tests::image::{codes, digest, facts, image, messages};
use crate::scene::{days, now, time};

const NANO: SignedDuration = SignedDuration::from_nanos(1);

fn rule(text: &str) -> Rule {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn built(text: &str, created: Option<Timestamp>) -> (Vec<ReasonCode>, Option<Timestamp>, String) {
    let clock = Clock::at(now());
    let found = judge(&rule(text), &facts(ImageConfig { created, ..image() }), &clock);
    (codes(&found), clock.horizon(), messages(&found))
}

#[test]
fn b16_the_age_is_limited_and_the_verdict_holds_until_it_is_reached() {
    let (young, until, _) = built("{ max: 90d }", Some(now() - days(90) + NANO));
    assert_eq!((young, until), (vec![], Some(now() + NANO)), "s8: until then");
    let (old, until, text) = built("{ max: 90d }", Some(now() - days(90)));
    assert_eq!((old, until), (vec![ReasonCode::AgeExceeded], None));
    assert!(text.contains("built at 2025-12-10T12:00Z, 90d ago; the policy allows 90d"), "{text}");
}

#[test]
fn b16_an_image_may_have_to_be_old_enough_and_is_from_that_moment_on() {
    let (ripe, until, _) = built("{ min: 3d }", Some(now() - days(3)));
    assert_eq!((ripe, until), (vec![], None));
    let (fresh, until, text) = built("{ min: 3d }", Some(now() - days(3) + NANO));
    assert_eq!((fresh, until), (vec![ReasonCode::AgeTooYoung], Some(now() + NANO)), "s8: until then");
    assert!(text.contains("asks for 3d at least"), "{text}");
    let both = "{ min: 3d, max: 30d }";
    assert_eq!(built(both, Some(now() - days(2))).0, [ReasonCode::AgeTooYoung]);
    assert_eq!(built(both, Some(now() - days(10))).0, []);
    assert_eq!(built(both, Some(now() - days(30))).0, [ReasonCode::AgeExceeded]);
}

#[test]
fn b16_a_date_that_nobody_meant_is_neither_young_nor_old_enough() {
    for text in ["{ max: 90d }", "{ min: 1d }", "{ max: 36500d }"] {
        for fixed in [
            None,
            Some("1970-01-01T00:00:00Z"),
            Some("1970-01-01T00:00:01Z"),
            Some("1980-01-01T00:00:01Z"),
            Some("0001-01-01T00:00:00Z"),
        ] {
            let (unknown, _, says) = built(text, fixed.map(time));
            assert_eq!(unknown, [ReasonCode::AgeUnproven], "{text} {fixed:?}");
            assert!(says.contains("SOURCE_DATE_EPOCH"), "{says}");
        }
        let skew = SignedDuration::from_mins(10);
        assert!(!built(text, Some(now() + skew)).0.contains(&ReasonCode::AgeUnproven), "clocks differ a little");
        let (future, until, _) = built(text, Some(now() + skew + NANO));
        assert_eq!((future, until), (vec![ReasonCode::AgeUnproven], Some(now() + NANO)), "s9: not believed before");
    }
}

#[test]
fn b16_without_a_configuration_the_age_is_unknown() {
    let bare = ManifestFacts::bare(digest("image"), Some(now() - days(1)));
    let found = judge(&rule("{ max: 90d }"), &bare, &Clock::at(now()));
    assert_eq!((found.failures.len(), codes(&found)), (0, vec![ReasonCode::NotCollected]), "a push is no build");
}

fn pushed(at: Option<Timestamp>, scan: Option<Signal<model::CompleteScan>>) -> Found {
    let config = ImageConfig { created: Some(time("1970-01-01T00:00:00Z")), ..image() };
    let mut manifest = ManifestFacts { pushed_at: at, ..facts(config) };
    manifest.reports.extend(scan.map(|scan| {
        let origin = Origin::Ecr("eu-central-1".to_owned());
        ScanReport { scanner: Scanner::Ecr, tool: None, origin, scan, unproven: Vec::new() }
    }));
    judge(&rule("{ max: 90d, min: 1d, of: pushed }"), &manifest, &Clock::at(now()))
}

#[test]
fn b16_the_push_is_dated_by_the_registry_alone() {
    assert_eq!(codes(&pushed(Some(now() - days(2)), None)), [], "whatever the image says about its build");
    let old = pushed(Some(now() - days(90)), None);
    assert_eq!(codes(&old), [ReasonCode::AgeExceeded]);
    assert!(messages(&old).contains("pushed at 2025-12-10"), "{old:?}");
    assert_eq!(codes(&pushed(Some(now()), None)), [ReasonCode::AgeTooYoung]);
    assert_eq!(codes(&pushed(Some(now() + days(1)), None)), [ReasonCode::AgeUnproven]);
    let elsewhere = pushed(None, None);
    assert_eq!((elsewhere.failures.len(), codes(&elsewhere)), (0, vec![ReasonCode::AgeNotSaid]));
    let why = Reason::new(ReasonCode::AwsThrottled, "slow down");
    let away = pushed(None, Some(Signal::Unavailable { why, last: None }));
    assert_eq!((away.failures.len(), codes(&away)), (0, vec![ReasonCode::AwsThrottled]), "why ECR did not say");
    assert!(messages(&away).starts_with("when the image was pushed is not known: slow down"));
}

#[test]
fn b16_documents_that_make_no_sense_are_refused() {
    for (text, says) in [
        ("{ max: 90 }", "duration"),
        ("{ maxAge: 90d }", "maxAge"),
        ("{ max: 90d, of: created }", "created"),
        ("{ max: -1d }", "duration"),
    ] {
        let error = serde_saphyr::from_str::<Rule>(text).expect_err(text).to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
    for (text, says) in [
        ("{}", "asks nothing"),
        ("{ of: pushed }", "asks nothing"),
        ("{ max: 0d }", "allows no image"),
        ("{ min: 0s }", "asks nothing"),
        ("{ min: 90d, max: 90d }", "not less"),
        ("{ min: 91d, max: 90d }", "not less"),
    ] {
        let (what, hint) = rule(text).check("r").expect_err(text);
        assert!(what.contains("\"r\"") && what.contains(says) && !hint.is_empty(), "{text}: {what}");
    }
    assert_eq!(rule("{ min: 1d, max: 90d, of: built }").check("r"), Ok(()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn b16_a_stricter_limit_never_lets_more_through(
        minutes in -30..200_000_i64, one in 1..3000_u32, other in 1..3000_u32,
    ) {
        let created = Some(now() - SignedDuration::from_mins(minutes));
        let passes = |key: &str, hours: u32| built(&format!("{{ {key}: {hours}h }}"), created).0.is_empty();
        let (less, more) = (one.min(other), one.max(other));
        prop_assert!(!passes("max", less) || passes("max", more));
        prop_assert!(!passes("min", more) || passes("min", less));
    }
}
