//! Every fault does on the wire what its name says, to the requests it fits and to no others.

use std::time::{Duration, Instant};

use testkit::oci::{Fault, Registry};

use super::{Answer, ask, get};

const BODY: &[u8] = b"0123456789";

fn with(fault: Fault) -> (Registry, String) {
    let registry = Registry::start();
    let digest = registry.put_blob("app", BODY);
    registry.fault(fault);
    (registry, format!("/v2/app/blobs/{digest}"))
}

fn fetched(fault: Fault) -> Answer {
    let (registry, path) = with(fault);
    get(&registry, &path)
}

#[test]
fn a_fault_fits_by_method_and_path_and_lasts_as_long_as_it_says() {
    let (registry, path) = with(Fault::on("GET", "/blobs/").throttled("7").after(1).times(2));
    let statuses: Vec<u16> = (0..5).map(|_| get(&registry, &path).status).collect();
    assert_eq!(statuses, [200, 429, 429, 200, 200]);
    registry.fault(Fault::on("HEAD", "/blobs/").status(500));
    assert_eq!(get(&registry, &path).status, 200);
    assert_eq!(ask(&registry, &format!("HEAD {path}"), &[], b"").status, 500);
    registry.clear_faults();
    assert_eq!(ask(&registry, &format!("HEAD {path}"), &[], b"").status, 200);
    let throttled = fetched(Fault::on("*", "").throttled("7"));
    assert_eq!((throttled.header("retry-after"), throttled.code().as_str()), (Some("7"), "TOOMANYREQUESTS"));
}

#[test]
fn bodies_are_spoiled_as_they_say() {
    let fault = || Fault::on("GET", "/blobs/");
    let length = |answer: &Answer| answer.header("content-length").map(|length| length.parse::<usize>().unwrap());
    let wrong = fetched(fault().wrong_bytes());
    assert_eq!((wrong.body.len(), length(&wrong)), (10, Some(10)));
    assert_ne!(wrong.body, BODY);
    let cut_short = fetched(fault().truncated(4));
    assert_eq!((cut_short.body.as_slice(), length(&cut_short)), (&BODY[..4], Some(10)));
    let large = fetched(fault().oversized(90));
    assert_eq!((large.body.len(), length(&large)), (100, Some(100)));
    let endless = fetched(fault().endless(25));
    assert_eq!((endless.header("transfer-encoding"), length(&endless)), (Some("chunked"), None));
    assert_eq!(endless.body, b"a\r\n0123456789\r\na\r\n0123456789\r\n5\r\n01234\r\n0\r\n\r\n");
    let other = fetched(fault().body("x").header("Docker-Content-Digest", "sha256:0").without_header("Accept-Ranges"));
    assert_eq!((other.body.as_slice(), length(&other)), (b"x".as_slice(), Some(1)));
    assert_eq!((other.header("docker-content-digest"), other.header("accept-ranges")), (Some("sha256:0"), None));
    assert_eq!(fetched(fault().redirect("http://192.0.2.1/")).header("location"), Some("http://192.0.2.1/"));
}

#[test]
fn answers_are_late_slow_or_missing_and_the_end_of_the_registry_ends_the_wait() {
    let fault = || Fault::on("GET", "/blobs/");
    let began = Instant::now();
    assert_eq!(fetched(fault().delay(Duration::from_millis(60))).body, BODY);
    assert!(began.elapsed() >= Duration::from_millis(60));
    let began = Instant::now();
    assert_eq!(fetched(fault().slow(5, Duration::from_millis(40))).body, BODY);
    assert!(began.elapsed() >= Duration::from_millis(80));
    assert_eq!(fetched(fault().cut()).status, 0);
    let (registry, path) = with(fault().hang(Duration::from_mins(10)));
    let waiting = std::thread::spawn({
        let host = registry.host();
        move || {
            use std::io::{Read, Write};
            let mut stream = std::net::TcpStream::connect(host).unwrap();
            stream.write_all(format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes()).unwrap();
            stream.read(&mut [0]).unwrap_or(0)
        }
    });
    while registry.count("GET", "/blobs/") == 0 {
        std::thread::yield_now();
    }
    drop(registry);
    assert_eq!(waiting.join().unwrap(), 0);
}
