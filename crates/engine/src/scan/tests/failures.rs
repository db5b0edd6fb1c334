//! Calls that bring no answer: a scan that is not there, one that may not be started, throttling, the network.

use super::*;

/// Long after the time in which a scan on push appears.
fn long_ago() -> Talk {
    Talk::new().pushed(3600)
}

/// A scan was asked for, and refused for this reason.
fn refused(mut talk: Talk, kind: FailureKind, code: ReasonCode) -> Talk {
    starts(&talk.fails(FailureKind::ScanNotFound));
    let (wait, why) = waits(talk.refuses(kind));
    assert_eq!((wait, why), (Duration::from_millis(200), code), "{kind:?}: one more look at once");
    talk
}

#[test]
fn a6_a_missing_scan_is_started_once_and_waited_for() {
    let mut talk = long_ago();
    starts(&talk.fails(FailureKind::ScanNotFound));
    polls(talk.reply(Reply::Started), ReasonCode::ScanPending);
    for _ in 0..100 {
        polls(talk.fails(FailureKind::ScanNotFound), ReasonCode::ScanPending);
    }
    done(talk.scan(&basic(NOW - 5)));
}

#[test]
fn a6_without_leave_to_start_a_scan_on_push_has_two_minutes_to_appear() {
    for (seconds, waiting) in [(0, true), (119, true), (120, false), (3600, false)] {
        let mut talk = Talk::new().without_start().pushed(seconds);
        let step = talk.fails(FailureKind::ScanNotFound);
        if waiting {
            polls(step, ReasonCode::ScanNotStartable);
        } else {
            let signal = stops(step);
            assert!(matches!(&signal, Signal::Absent(why) if why.code == ReasonCode::ScanNotStartable), "{signal:?}");
        }
    }
}

#[test]
fn a6_the_limit_of_one_scan_a_day_is_waited_out() {
    for talk in [Talk::new(), long_ago()] {
        let mut talk = refused(talk, FailureKind::ScanLimit, ReasonCode::ScanMissing);
        for _ in 0..100 {
            polls(talk.fails(FailureKind::ScanNotFound), ReasonCode::ScanMissing);
        }
        done(talk.scan(&basic(NOW - 5)));
    }
}

#[test]
fn a6_a_start_that_is_denied_waits_only_for_a_scan_on_push() {
    let mut talk = refused(Talk::new().pushed(60), FailureKind::AccessDenied, ReasonCode::AwsAccessDenied);
    polls(talk.fails(FailureKind::ScanNotFound), ReasonCode::AwsAccessDenied);
    done(talk.scan(&basic(NOW - 5)));

    let mut talk = refused(long_ago(), FailureKind::AccessDenied, ReasonCode::AwsAccessDenied);
    let signal = stops(talk.fails(FailureKind::ScanNotFound));
    let why = signal.why_not().unwrap();
    assert_eq!((why.code, why.code.class()), (ReasonCode::AwsAccessDenied, Some(UnknownClass::AccessDenied)));
    assert!(why.message.contains("ecr:StartImageScan"), "{}", why.message);
}

#[test]
fn a12_where_enhanced_scanning_refuses_a_start_inspector_has_a_quarter_of_an_hour() {
    for (seconds, waiting) in [(0, true), (899, true), (900, false)] {
        let talk = Talk::new().pushed(seconds);
        let mut talk = refused(talk, FailureKind::InvalidRequest, ReasonCode::AwsInvalidRequest);
        let step = talk.fails(FailureKind::ScanNotFound);
        if waiting {
            polls(step, ReasonCode::ScanMissing);
        } else {
            let signal = stops(step);
            assert!(matches!(&signal, Signal::Absent(why) if why.code == ReasonCode::ScanMissing), "{signal:?}");
        }
    }
}

#[test]
fn a4_a_start_that_fails_otherwise_stops() {
    for (kind, code) in [
        (FailureKind::UnsupportedImage, ReasonCode::ScanUnsupported),
        (FailureKind::ImageArchived, ReasonCode::ScanImageArchived),
        (FailureKind::ImageNotFound, ReasonCode::AwsImageNotFound),
        (FailureKind::RepositoryNotFound, ReasonCode::AwsRepositoryNotFound),
        (FailureKind::CredentialsExpired, ReasonCode::AwsCredentialsExpired),
        (FailureKind::Malformed, ReasonCode::AwsMalformed),
        (FailureKind::Unknown, ReasonCode::AwsUnknownError),
    ] {
        let mut talk = long_ago();
        starts(&talk.fails(FailureKind::ScanNotFound));
        stops_for(talk.refuses(kind), code);
    }
}

#[test]
fn a2_a_start_cut_off_by_throttling_or_the_network_is_tried_again() {
    for kind in [FailureKind::Throttled, FailureKind::Network, FailureKind::ServerFault] {
        let mut talk = long_ago();
        starts(&talk.fails(FailureKind::ScanNotFound));
        waits(talk.refuses(kind));
        starts(&talk.fails(FailureKind::ScanNotFound));
    }
}

#[test]
fn a2_throttling_backs_off_and_never_gives_up() {
    let mut talk = Talk::new();
    let seconds: Vec<u64> = (0..50).map(|_| waits(talk.fails(FailureKind::Throttled)).0.as_secs()).collect();
    assert_eq!(seconds[..7], [2, 4, 8, 16, 32, 60, 60]);
    assert!(seconds[7..].iter().all(|wait| *wait == 60), "{seconds:?}");
    // An answer ends the series.
    polls(talk.scan(&Scan::only_status(&digest(1), "IN_PROGRESS")), ReasonCode::ScanPending);
    assert_eq!(waits(talk.fails(FailureKind::Throttled)), (Duration::from_secs(2), ReasonCode::AwsThrottled));
    // A quick poll is not made slower by the first failure.
    talk.subject.poll_interval = Duration::from_millis(100);
    polls_after_success(&mut talk);
    assert_eq!(waits(talk.fails(FailureKind::Throttled)).0, Duration::from_millis(100));
}

fn polls_after_success(talk: &mut Talk) {
    let (wait, _) = waits(talk.scan(&Scan::only_status(&digest(1), "IN_PROGRESS")));
    assert_eq!(wait, talk.subject.poll_interval);
}

#[test]
fn a2_the_network_has_six_chances_in_a_row() {
    for kind in [FailureKind::Network, FailureKind::ServerFault] {
        let mut talk = Talk::new();
        for wait in [1, 2, 4, 8, 8] {
            assert_eq!(waits(talk.fails(kind)), (Duration::from_secs(wait), ReasonCode::AwsUnavailable));
        }
        let signal = stops(talk.fails(kind));
        assert!(matches!(&signal, Signal::Unavailable { why, last: None } if why.code == ReasonCode::AwsUnavailable));

        let mut talk = Talk::new();
        for _ in 0..5 {
            waits(talk.fails(kind));
        }
        polls_after_success(&mut talk);
        assert_eq!(waits(talk.fails(kind)).0, Duration::from_secs(1));
    }
}

#[test]
fn a2_a_start_has_six_chances_whatever_is_seen_in_between() {
    let mut talk = long_ago();
    for wait in [1, 2, 4, 8, 8] {
        starts(&talk.fails(FailureKind::ScanNotFound));
        assert_eq!(waits(talk.refuses(FailureKind::ServerFault)).0, Duration::from_secs(wait));
    }
    starts(&talk.fails(FailureKind::ScanNotFound));
    stops_for(talk.refuses(FailureKind::ServerFault), ReasonCode::AwsUnavailable);
}

#[test]
fn a4_what_asking_again_cannot_mend_stops_at_once() {
    for (kind, code) in [
        (FailureKind::AccessDenied, ReasonCode::AwsAccessDenied),
        (FailureKind::CredentialsMissing, ReasonCode::AwsCredentialsMissing),
        (FailureKind::CredentialsExpired, ReasonCode::AwsCredentialsExpired),
        (FailureKind::CredentialsInvalid, ReasonCode::AwsCredentialsInvalid),
        (FailureKind::RepositoryNotFound, ReasonCode::AwsRepositoryNotFound),
        (FailureKind::ImageNotFound, ReasonCode::AwsImageNotFound),
        (FailureKind::UnsupportedImage, ReasonCode::ScanUnsupported),
        (FailureKind::ImageArchived, ReasonCode::ScanImageArchived),
        (FailureKind::InvalidRequest, ReasonCode::AwsInvalidRequest),
        (FailureKind::ScanLimit, ReasonCode::AwsThrottled),
        (FailureKind::TooLarge, ReasonCode::AwsAnswerTooLarge),
        (FailureKind::Malformed, ReasonCode::AwsMalformed),
        (FailureKind::Unknown, ReasonCode::AwsUnknownError),
    ] {
        // Neither before the first answer nor between two pages, where a refused token alone is worth another try.
        stops_for(Talk::new().fails(kind), code);
        if kind == FailureKind::InvalidRequest {
            continue;
        }
        let mut talk = Talk::new();
        next_page(talk.page(&basic(NOW - 60).findings(2, "LOW").pages(1)[0]));
        stops_for(talk.fails(kind), code);
    }
}

#[test]
fn no_reason_becomes_a_signal_with_a_scan() {
    for code in ReasonCode::ALL {
        let signal: Signal<model::CompleteScan> = signal(Reason::new(*code, "said"));
        assert_eq!(signal.why_not().map(|why| why.code), Some(*code));
        let clock = model::Clock::at(at(NOW));
        assert!(signal.usable(Some(SignedDuration::from_hours(1)), &clock).is_err(), "{code}");
    }
}
