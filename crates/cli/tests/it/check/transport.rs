//! A5 on the wire: whatever the network does to an answer, it never turns green, and nothing hangs.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use testkit::fixtures::digest;
use testkit::{Answer, Script};

use crate::gate::{Gate, SHORT, basic, described, scan, scanned};

const FINDINGS: &str = "DescribeImageScanFindings";

fn clean() -> Answer {
    Answer::json(basic().value())
}

/// Either call answers so first, and then as it should.
fn once(operation: &str, answer: Answer) -> Script {
    let script = Script::new().on(operation, answer);
    script.on("DescribeImages", described()).on(FINDINGS, clean())
}

/// Either call answers so for ever.
fn always(operation: &str, answer: Answer) -> Script {
    let good = if operation == FINDINGS { "DescribeImages" } else { FINDINGS };
    let right = if good == FINDINGS { clean() } else { described() };
    Script::new().on(operation, answer).on(good, right)
}

#[test]
fn a5_a_fault_that_passes_is_waited_out() {
    for operation in ["DescribeImages", FINDINGS] {
        for fault in [
            Answer::cut(),
            Answer::truncated(basic().value(), 40),
            Answer::error("ServerException", "sorry"),
            Answer::raw(502, "text/html", "<html>Bad Gateway</html>"),
            Answer::raw(503, "text/plain", ""),
            Answer::error_status(500, "InternalFailure", "sorry").closing(),
        ] {
            let gate = Gate::new(once(operation, fault.clone()));
            let ran = gate.check().run();
            assert_eq!(ran.code, 0, "{operation} {fault:?}: {ran:#?}");
            assert!(gate.ecr.count(operation) >= 2);
        }
    }
}

#[test]
fn a5_a_fault_that_stays_ends_unavailable() {
    for operation in ["DescribeImages", FINDINGS] {
        for fault in [
            Answer::cut(),
            Answer::truncated(basic().value(), 40),
            Answer::error("ServerException", "sorry"),
            Answer::raw(500, "application/x-amz-json-1.1", ""),
            Answer::raw(502, "text/html", "<html>Bad Gateway</html>"),
            Answer::raw(504, "application/json", basic().value().to_string()),
        ] {
            let gate = Gate::new(always(operation, fault.clone()));
            let ran = gate.check().timeout("30s").run();
            assert_eq!(ran.code, 5, "{operation} {fault:?}: {ran:#?}");
            let ran = ran.because("aws.unavailable").within(Duration::from_secs(8));
            assert!((2..=8).contains(&gate.ecr.count(operation)), "{operation}: {ran:#?}");
        }
    }
}

#[test]
fn a5_an_answer_cut_anywhere_is_never_the_whole() {
    let text = basic().finding("CVE-2024-0001", "LOW").value().to_string();
    let cuts: Vec<usize> = (0..text.len()).step_by(text.len() / 40 + 1).chain([text.len() - 1]).collect();
    let codes = crate::gate::each(&cuts, |gate, keep| {
        // Cut by the connection.
        gate.ecr.set(scanned([Answer::truncated(basic().finding("CVE-2024-0001", "LOW").value(), *keep)]));
        let by_connection = gate.check().timeout(SHORT).run().code;
        // Cut, with a length that fits: only the document itself can tell.
        gate.ecr.set(scanned([Answer::text(&text[..*keep])]));
        (by_connection, gate.check().timeout(SHORT).run().code)
    });
    assert!(codes.iter().all(|codes| *codes == (5, 2)), "{codes:?}");
}

#[test]
fn a5_slow_answers_are_read_within_the_time() {
    let dripping = |pause| Answer::slow(basic().value(), 32, Duration::from_millis(pause));
    let gate = Gate::new(scanned([dripping(10)]));
    gate.check().run().exits(0);
    for operation in ["DescribeImages", FINDINGS] {
        let gate = Gate::new(always(operation, dripping(300)));
        gate.check().timeout("1s").run().exits(4).because("deadline").within(Duration::from_secs(3));
    }
    let gate = Gate::new(scanned([clean().after(Duration::from_millis(500))]));
    gate.check().run().exits(0);
}

#[test]
fn a5_silence_ends_with_the_time() {
    for operation in ["DescribeImages", FINDINGS] {
        let gate = Gate::new(always(operation, Answer::hang(Duration::from_secs(50))));
        let ran = gate.check().timeout("1s").run().exits(4).because("deadline").within(Duration::from_secs(3));
        ran.says(operation);
    }
    // The confirmation of the tag counts too.
    let script = scan(&basic()).on("DescribeImages", Answer::hang(Duration::from_secs(50)));
    Gate::new(script).check().timeout("1s").run().exits(4).within(Duration::from_secs(3));
}

#[test]
fn a5_200_with_something_else_is_no_answer() {
    for operation in ["DescribeImages", FINDINGS] {
        for body in [
            "<html><body>Sign in to the Wi-Fi</body></html>",
            "",
            " ",
            "null",
            "[]",
            "0",
            "\"COMPLETE\"",
            "{}",
            "{\"message\":\"ok\"}",
            "\u{feff}{}",
        ] {
            for content_type in ["application/x-amz-json-1.1", "text/html", "application/json; charset=utf-8"] {
                let gate = Gate::new(always(operation, Answer::raw(200, content_type, body)));
                let ran = gate.check().timeout(SHORT).run();
                assert_eq!(ran.code, 2, "{operation} {content_type} {body:?}: {ran:#?}");
            }
        }
        let binary = Answer::raw(200, "application/x-amz-json-1.1", vec![0xff, 0xfe, 0, 1, 2]);
        Gate::new(always(operation, binary)).check().run().exits(2);
    }
}

#[test]
fn a5_other_statuses_are_no_answer() {
    let whole = basic().value().to_string();
    let described_whole = testkit::fixtures::describe_images(&digest(1), &["v1"], crate::gate::pushed()).to_string();
    for operation in ["DescribeImages", FINDINGS] {
        let body = if operation == FINDINGS { &whole } else { &described_whole };
        for status in [201, 202, 204, 206, 301, 302, 304, 307, 400, 404, 418] {
            let answer = Answer::raw(status, "application/x-amz-json-1.1", body.as_bytes());
            let gate = Gate::new(always(operation, answer.header("Location", "http://127.0.0.1:9/")));
            let ran = gate.check().timeout(SHORT).run();
            // A 2xx with the whole answer in it is one to the SDK; the scan has to come with 200.
            assert!(ran.code != 0 || status < 300 && operation == "DescribeImages", "{operation} {status}: {ran:#?}");
        }
    }
}

/// Nobody asked for compression.
#[test]
fn a5_an_encoded_body_is_not_guessed_at() {
    let gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0xae, 5, 0, 0x43, 0xbf, 0xa6, 0xa3, 2, 0, 0, 0];
    let answer = Answer::raw(200, "application/x-amz-json-1.1", gzip).header("Content-Encoding", "gzip");
    for operation in ["DescribeImages", FINDINGS] {
        Gate::new(always(operation, answer.clone())).check().run().exits(2);
    }
}

#[test]
fn a5_a_body_over_64_mib_is_refused() {
    let mut body = basic().value().to_string().into_bytes();
    body.resize((64 << 20) + 1, b' ');
    let gate = Gate::new(scanned([Answer::raw(200, "application/x-amz-json-1.1", body)]));
    gate.check().timeout("30s").run().exits(2).because("aws.answerTooLarge");
}

/// A body without end, in an address space of 700 MiB.
#[test]
fn a5_a_body_without_end_does_not_fill_the_memory() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || endless(stream));
        }
    });
    let gate = Gate::new(Script::new());
    let check = gate.check().timeout("40s").env("AWS_ENDPOINT_URL", &format!("http://{address}"));
    check.run_within(700 << 10).exits(2).because("aws.answerTooLarge");
}

fn endless(mut stream: TcpStream) {
    let mut request = [0; 16 << 10];
    let _ = stream.read(&mut request);
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut chunk = format!("{:x}\r\n", 1 << 20).into_bytes();
    chunk.resize(chunk.len() + (1 << 20), b' ');
    chunk.extend(b"\r\n");
    let mut sent = stream.write_all(head.as_bytes());
    while sent.is_ok() {
        sent = stream.write_all(&chunk);
    }
    let _ = stream.shutdown(Shutdown::Both);
}

/// JSON that is nested without end is an error, not a crash.
#[test]
fn a5_deep_nesting_is_refused() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let field = basic().value().to_string().replacen('{', &format!("{{\"x\":{deep},"), 1);
    Gate::new(scanned([Answer::text(deep)])).check().run().exits(2);
    // In a field that nobody reads it does no harm.
    let ran = Gate::new(scanned([Answer::text(field)])).check().run();
    assert!([0, 2].contains(&ran.code), "{ran:#?}");
}
