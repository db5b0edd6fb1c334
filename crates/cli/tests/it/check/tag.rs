//! A16: the tag is resolved once, every later call is by digest, and a tag that moves is an error.

use std::sync::atomic::{AtomicUsize, Ordering};

use testkit::fixtures::{self, Scan, digest, now};
use testkit::{Answer, Script};

use crate::gate::{Gate, basic, no_scan, pushed, scan, scanned};

fn tag_stands_for(n: u64) -> Answer {
    Answer::json(fixtures::describe_images(&digest(n), &["v1"], pushed()))
}

/// The tag stands for the first digest, then for the second one. Both have a clean scan.
fn moving() -> Script {
    Script::new().on("DescribeImages", tag_stands_for(1)).on("DescribeImages", tag_stands_for(2)).always(
        "DescribeImageScanFindings",
        |request| {
            let digest = request.digest().unwrap_or("none").to_owned();
            Answer::json(Scan::basic(&digest, now() - 60).value())
        },
    )
}

#[test]
fn a16_the_tag_is_resolved_first_and_everything_else_is_by_digest() {
    let pages = basic().findings(3, "LOW").pages(1);
    let looks = AtomicUsize::new(0);
    let script = scanned([])
        .on("StartImageScan", Answer::json(fixtures::start_image_scan(&digest(1), "IN_PROGRESS")))
        .always("DescribeImageScanFindings", move |request| {
            if looks.fetch_add(1, Ordering::SeqCst) == 0 {
                return no_scan();
            }
            let follows = |token| pages.iter().position(|page| page["nextToken"] == token).unwrap() + 1;
            Answer::json(pages[request.next_token().map_or(0, follows)].clone())
        });
    let gate = Gate::new(script);
    gate.check().run().exits(0);
    let requests = gate.ecr.requests();
    let operations: Vec<&str> = requests.iter().map(|request| request.operation.as_str()).collect();
    assert_eq!(
        operations,
        [
            "DescribeImages",
            "DescribeImageScanFindings",
            "StartImageScan",
            "DescribeImageScanFindings",
            "DescribeImageScanFindings",
            "DescribeImageScanFindings",
            "DescribeImages",
        ]
    );
    let (resolving, judging): (Vec<_>, Vec<_>) =
        requests.iter().partition(|request| request.operation == "DescribeImages");
    for request in resolving {
        assert_eq!((request.tag(), request.digest()), (Some("v1"), None), "{request:?}");
    }
    for request in judging {
        assert_eq!((request.tag(), request.digest()), (None, Some(digest(1).as_str())), "{request:?}");
        assert_eq!(request.body["registryId"], fixtures::ACCOUNT);
        assert_eq!(request.body["repositoryName"], fixtures::REPOSITORY);
    }
}

#[test]
fn a16_tag_that_moves_is_an_error() {
    let gate = Gate::new(moving());
    let ran = gate.check().run().exits(3).because("image.tagMoved").says(&digest(1)).says(&digest(2));
    assert_ne!(ran.record()["verdict"], "allow");
    assert_eq!(ran.record()["image"]["digest"], digest(1), "the digest that was judged");
    assert_eq!(ran.variable("ECR_GATE_DIGEST"), Some(digest(1).as_str()));
    assert_eq!(ran.variable("VULN_TOTAL"), None);
    assert!(
        gate.ecr.requests().iter().all(|request| request.digest().is_none_or(|asked| asked == digest(1))),
        "the other image is never looked at"
    );
}

#[test]
fn a16_a_tag_that_vanishes_is_an_error() {
    let script = scan(&basic());
    let gate = Gate::new(script.on("DescribeImages", Answer::error("ImageNotFoundException", "the image is gone")));
    gate.check().run().exits(3).because("aws.imageNotFound");
}

#[test]
fn a16_tag_and_digest_have_to_agree() {
    let gate = Gate::new(scan(&basic()));
    let ran = gate.check().image(fixtures::image("v1", &digest(2))).run().exits(3).because("image.tagMoved");
    ran.says(&digest(1)).says(&digest(2));
    assert_eq!(gate.ecr.operations(), ["DescribeImages"], "nothing is judged");
    gate.ecr.set(scan(&basic()));
    gate.check().image(fixtures::image("v1", &digest(1))).run().exits(0);
}

#[test]
fn a16_by_digest_alone_nothing_is_said_about_tags() {
    let gate = Gate::new(moving());
    gate.check().image(fixtures::image("", &digest(1))).run().exits(0);
    assert_eq!(gate.ecr.operations(), ["DescribeImages", "DescribeImageScanFindings"]);
    let first = &gate.ecr.requests()[0];
    assert_eq!((first.tag(), first.digest()), (None, Some(digest(1).as_str())));
}

/// A blocking finding of the first digest stays a block or becomes an error, never green.
#[test]
fn a16_moving_away_from_a_blocked_image_is_no_way_out() {
    let script = Script::new()
        .on("DescribeImages", tag_stands_for(1))
        .on("DescribeImages", tag_stands_for(2))
        .on("DescribeImageScanFindings", Answer::json(basic().finding("CVE-2024-0001", "CRITICAL").value()));
    let ran = Gate::new(script).check().run();
    assert!([1, 3].contains(&ran.code), "{ran:#?}");
}
