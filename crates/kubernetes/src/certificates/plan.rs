//! What is to be done, from what is there and the time alone.

use std::time::Duration;

use serde::Serialize;

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// The first authority is made; or anew, because there is none that can be used.
    MakeAuthority,
    /// The next authority is made: it is announced, and signs nothing yet.
    MakeNext,
    /// The next authority signs from now on; the one before is still announced.
    ChangeOver,
    /// The authority before is announced no longer.
    DropPrevious,
    /// A certificate is made.
    MakeCertificate,
}

/// How long what lasts.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// An authority.
    pub authority: Duration,
    /// So long before its end the next one is made.
    pub authority_before: Duration,
    /// A certificate.
    pub certificate: Duration,
    /// So long before its end the next one is made.
    pub certificate_before: Duration,
    /// How long both authorities are announced before and after a change.
    pub overlap: Duration,
}

impl Lifetimes {
    /// # Errors
    /// What does not go together.
    pub fn check(&self) -> Result<(), &'static str> {
        let Self { authority, authority_before, certificate, certificate_before, overlap } = *self;
        if certificate_before >= certificate {
            return Err(
                "a certificate is renewed before it begins: it has to last longer than the time before its end",
            );
        }
        if authority_before >= authority {
            return Err("an authority is renewed before it begins: it has to last longer than the time before its end");
        }
        if authority_before < certificate + overlap * 3 {
            return Err(
                "an authority is renewed too late: certificates and the overlap have to fit into the time before its end",
            );
        }
        Ok(())
    }
}

/// What is there.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known {
    /// From when until when the authority that signs holds.
    pub(super) current: Option<(i64, i64)>,
    /// The same of the one that follows.
    pub(super) next: Option<(i64, i64)>,
    /// When it was changed over, where the one before is still announced.
    pub(super) changed_over: Option<i64>,
    /// When the certificate ends.
    pub(super) certificate: Option<i64>,
    /// The authority that signs made it, for all names, and its key is there.
    pub(super) is_of_current: bool,
}

/// What is to be done now.
pub(super) fn plan(known: &Known, lifetimes: &Lifetimes, now: i64) -> Vec<Step> {
    let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let overlap = seconds(lifetimes.overlap);
    let holds = |times: Option<(i64, i64)>| times.is_some_and(|(_, ends)| ends > now);
    let mut steps = Vec::new();
    let mut is_of_current = known.is_of_current;
    let next_is_known =
        known.next.is_some_and(|(begins, _)| now.saturating_sub(begins) >= overlap) && holds(known.next);
    match known.current {
        // There is nothing left to wait for.
        _ if !holds(known.current) && holds(known.next) => steps.push(Step::ChangeOver),
        _ if !holds(known.current) => steps.push(Step::MakeAuthority),
        _ if next_is_known => steps.push(Step::ChangeOver),
        Some((_, ends)) => {
            let is_old = ends.saturating_sub(now) <= seconds(lifetimes.authority_before);
            let is_quiet = known.changed_over.is_none_or(|then| now.saturating_sub(then) >= overlap);
            if known.changed_over.is_some() && is_quiet && is_of_current {
                steps.push(Step::DropPrevious);
            }
            if is_old && !holds(known.next) && known.changed_over.is_none() {
                steps.push(Step::MakeNext);
            }
        }
        None => {}
    }
    if steps.iter().any(|step| matches!(step, Step::MakeAuthority | Step::ChangeOver)) {
        is_of_current = false;
    }
    let ends = known.certificate.filter(|_| is_of_current);
    if ends.is_none_or(|ends| ends.saturating_sub(now) <= seconds(lifetimes.certificate_before)) {
        steps.push(Step::MakeCertificate);
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn days(days: u64) -> Duration {
        Duration::from_hours(days * 24)
    }

    fn lifetimes() -> Lifetimes {
        Lifetimes {
            authority: days(1825),
            authority_before: days(365),
            certificate: days(90),
            certificate_before: days(30),
            overlap: days(1),
        }
    }

    /// What is there after these steps, as making them leaves it.
    fn after(known: Known, steps: &[Step], now: i64) -> Known {
        steps.iter().fold(known, |known, step| match step {
            Step::MakeAuthority => Known {
                current: Some((now, now + 1825 * DAY)),
                is_of_current: false,
                next: None,
                changed_over: None,
                ..known
            },
            Step::MakeNext => Known { next: Some((now, now + 1825 * DAY)), ..known },
            Step::ChangeOver => {
                Known { current: known.next, next: None, changed_over: Some(now), is_of_current: false, ..known }
            }
            Step::DropPrevious => Known { changed_over: None, ..known },
            Step::MakeCertificate => Known { certificate: Some(now + 90 * DAY), is_of_current: true, ..known },
        })
    }

    #[test]
    fn d1_over_twenty_years_there_is_always_a_certificate_that_everybody_believes() {
        let mut known = Known::default();
        let (mut changes, mut certificates) = (0, 0);
        for day in 0..20 * 365 {
            let now = day * DAY;
            let steps = plan(&known, &lifetimes(), now);
            // What was announced before today, at least since yesterday.
            let announced = (known.current, known.next);
            for step in &steps {
                changes += i32::from(*step == Step::ChangeOver);
                certificates += i32::from(*step == Step::MakeCertificate);
            }
            if steps.contains(&Step::ChangeOver) {
                assert!(announced.1.is_some_and(|(since, _)| since < now), "it was announced for a day: {day}");
            }
            assert!(day == 0 || !steps.contains(&Step::MakeAuthority), "it is never begun anew: {day}");
            known = after(known, &steps, now);
            assert!(known.is_of_current && known.certificate.is_some_and(|ends| ends > now + 29 * DAY), "day {day}");
            assert!(known.current.is_some_and(|(_, ends)| ends > now + 360 * DAY), "day {day}");
            assert!(plan(&known, &lifetimes(), now).is_empty(), "doing it again does nothing: {day} {known:?}");
        }
        assert_eq!(changes, 4);
        assert!((120..130).contains(&certificates), "{certificates}");
    }

    #[test]
    fn d1_a_run_that_was_left_out_or_broke_off_is_made_up_for() {
        let now = 10_000 * DAY;
        let fine = Known {
            current: Some((now - DAY, now + 1000 * DAY)),
            certificate: Some(now + 60 * DAY),
            is_of_current: true,
            ..Known::default()
        };
        let planned = |known: Known| plan(&known, &lifetimes(), now);
        assert_eq!(planned(fine), []);
        assert_eq!(planned(Known { certificate: None, ..fine }), [Step::MakeCertificate]);
        assert_eq!(planned(Known { is_of_current: false, ..fine }), [Step::MakeCertificate]);
        assert_eq!(planned(Known { certificate: Some(now + 30 * DAY), ..fine }), [Step::MakeCertificate]);
        assert_eq!(planned(Known { current: Some((0, now + 365 * DAY)), ..fine }), [Step::MakeNext]);
        assert_eq!(planned(Known { current: Some((0, now)), ..fine }), [Step::MakeAuthority, Step::MakeCertificate]);
        // Nobody ran it for a year: the next one was announced long ago.
        let late = Known { current: Some((0, now - DAY)), next: Some((now - 300 * DAY, now + 1000 * DAY)), ..fine };
        assert_eq!(planned(late), [Step::ChangeOver, Step::MakeCertificate]);
        assert_eq!(
            planned(Known { next: Some((now - DAY + 1, now + DAY)), ..fine }),
            [],
            "not announced for long enough"
        );
        // The one before stays as long as a certificate of it may be shown.
        let changed = Known { changed_over: Some(now - 2 * DAY), ..fine };
        assert_eq!(planned(changed), [Step::DropPrevious]);
        assert_eq!(planned(Known { changed_over: Some(now - DAY + 1), ..fine }), []);
        assert_eq!(planned(Known { is_of_current: false, ..changed }), [Step::MakeCertificate]);
    }

    #[test]
    fn lifetimes_go_together() {
        assert_eq!(lifetimes().check(), Ok(()));
        assert!(Lifetimes { certificate_before: days(90), ..lifetimes() }.check().is_err());
        assert!(Lifetimes { authority_before: days(1825), ..lifetimes() }.check().is_err());
        assert!(Lifetimes { authority_before: days(80), ..lifetimes() }.check().is_err());
    }
}
