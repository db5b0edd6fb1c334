//! How much of the gate one review, one registry and one connection may take.

use std::net::TcpStream;

use super::*;

/// So many images of the registry, which says nothing about any of them.
fn silent(stage: &Stage, images: usize) -> Vec<String> {
    stage.registry.fault(Fault::on("*", "team/silent").hang(Duration::from_mins(1)));
    let name = stage.registry.reference("team/silent");
    (0..images).map(|number| format!("{name}@sha256:{number:064}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn s30_reviews_of_many_images_of_a_silent_registry_keep_no_other_review_waiting() {
    let stage = Stage::new().await;
    let images = silent(&stage, 1000);
    let elsewhere = |image: String| image.replace(&stage.registry.host(), &by_name(&stage.registry));
    // One after the other: what the first looks at goes on after its deadline.
    for round in 0..3 {
        let good = elsewhere(stage.good(&format!("team/good-{round}")));
        let bad = elsewhere(stage.bad(&format!("team/bad-{round}")));
        let images: Vec<&str> = images.iter().skip(round * 100).map(String::as_str).collect();
        let many = pod("shop", &images);
        let meanwhile = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let began = Instant::now();
            let allowed = stage.asked("/admission/validate?timeout=2s", &pod("shop", &[&good])).await;
            assert_eq!(allowed["allowed"], true, "{allowed}");
            let system = stage.asked("/admission/validate?timeout=2s", &pod("kube-system", &[&good, &bad])).await;
            assert_eq!(causes(&system), ["config.broken"], "it is answered: {system}");
            assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        };
        let (denied, ()) = tokio::join!(stage.asked("/admission/validate?timeout=2s", &many), meanwhile);
        let count = images.len();
        assert!(message(&denied).contains(&format!("{count} of {count} images may not run")), "{denied}");
        assert!(causes(&denied).iter().all(|cause| ["deadline", "registry.unavailable"].contains(cause)), "{denied}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s30_bodies_that_are_promised_and_do_not_come_take_no_memory_from_others() {
    let stage = Stage::new().await;
    let good = stage.good("team/good");
    let head = "POST /admission/validate HTTP/1.1\r\nhost: gate\r\ncontent-type: application/json\r\n";
    let mut open = Vec::new();
    for encoding in ["identity", "gzip"].repeat(20) {
        let mut connection = TcpStream::connect(stage.served.admission.unwrap()).unwrap();
        let head = format!("{head}content-encoding: {encoding}\r\ncontent-length: {}\r\n\r\n{{", 8 << 20);
        connection.write_all(head.as_bytes()).unwrap();
        open.push(connection);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let began = Instant::now();
    assert_eq!(stage.validated(&pod("shop", &[&good])).await["allowed"], true);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    drop(open);
}
