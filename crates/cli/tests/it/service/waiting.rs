//! S11: a pipeline waits while it is pending, and is not allowed by waiting.

use std::time::Duration;

use super::*;

#[test]
fn s11_pending_is_asked_again_until_it_is_decided() {
    for (end, code) in [(allowed(), 0), (denied(), 1)] {
        let waiting = pending();
        let service = Service::start(move |_, number| match number {
            0 | 1 => Answer::json(200, &answer(&waiting)).header("retry-after", "1"),
            _ => Answer::json(200, &answer(&end)),
        });
        let ran = check(&bare(), &service)
            .timeout("20s")
            .args(&["--verbose"])
            .run()
            .exits(code)
            .says("pending, asking again in 1 s");
        assert!(ran.took >= Duration::from_secs(2), "{ran:?}");
        let seen = service.seen();
        assert_eq!(seen.len(), 3, "a deny ends any waiting at once");
        assert_ne!(seen[0].header("idempotency-key"), seen[1].header("idempotency-key"), "each is an ask of its own");
    }
}

#[test]
fn s11_pending_to_the_end_is_no_allow() {
    let waiting = pending();
    let service = Service::start(move |_, _| Answer::json(200, &answer(&waiting)).header("retry-after", "3600"));
    let ran = check(&bare(), &service).timeout("2s").run().exits(4).because("scan.pending");
    assert!(ran.took >= Duration::from_secs(1) && ran.took < Duration::from_secs(8), "{ran:?}");
    assert!(service.seen().len() >= 2, "one last look shortly before the time is up");
    assert_eq!(ran.variable("ECR_GATE_VERDICT"), Some("pending"));
}

#[test]
fn s11_time_that_runs_out_while_the_service_looks_is_pending_too() {
    let waiting = pending();
    let service = Service::start(move |_, number| match number {
        0 => Answer::json(200, &answer(&waiting)).header("retry-after", "1"),
        _ => Answer::json(200, &answer(&waiting)).late(Duration::from_secs(15)),
    });
    check(&bare(), &service).timeout("3s").run().exits(4).because("scan.pending");
}

#[test]
fn a_tag_that_moves_while_it_is_waited_for_is_no_allow() {
    let (mut waiting, end) = (pending(), allowed());
    waiting["image"]["digest"] = digest(2).into();
    let service = Service::start(move |_, number| match number {
        0 => Answer::json(200, &answer(&waiting)).header("retry-after", "1"),
        _ => Answer::json(200, &answer(&end)),
    });
    check(&bare(), &service).timeout("20s").run().exits(3).because("image.tagMoved");
}

#[test]
fn an_interrupt_ends_the_waiting() {
    let waiting = pending();
    let service = Service::start(move |_, _| Answer::json(200, &answer(&waiting)).header("retry-after", "60"));
    let gate = bare();
    let started = check(&gate, &service).timeout("50s").start();
    while service.seen().is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    started.signal("INT");
    let ran = started.end().exits(130);
    assert_eq!(ran.variable("ECR_GATE_VERDICT"), Some("pending"));
}
