//! What skopeo writes, where it is installed.

use std::process::Command;

use testkit::oci::Layout;

use super::*;

/// Copies an image; false if there is no skopeo here.
fn copied(from: &str, to: &str) -> bool {
    let run = Command::new("skopeo").args(["--insecure-policy", "copy", "--quiet", from, to]).output();
    let Ok(run) = run else {
        eprintln!("skipped: skopeo is not installed");
        return false;
    };
    assert!(run.status.success(), "{from} {to}: {}", String::from_utf8_lossy(&run.stderr));
    true
}

#[test]
fn f7_layouts_and_archives_of_skopeo_are_read() {
    let (place, image) = (Place::new(), image("a"));
    let source = place.folder(&Layout::new().with(Some("v1"), &image)).to_string();
    let at = |name: &str| place.path(name).display().to_string();
    for (kind, to) in [
        ("oci:", format!("{}:tag", at("plain"))),
        ("oci-archive:", format!("{}:tag", at("a.tar"))),
        ("oci-archive:", at("b.tar")),
        ("docker-archive:", format!("{}:example.com/team/app:tag", at("c.tar"))),
        ("docker-archive:", at("d.tar")),
    ] {
        let written = format!("{kind}{to}");
        if !copied(&source, &written) {
            return;
        }
        let reference = LocalReference::parse(&written).unwrap().unwrap();
        let read = everything(&reference).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(read.config.digest.as_str(), image.config.digest, "{written}");
        let digest = read.manifest.map(|manifest| manifest.digest.to_string());
        assert_eq!(digest.is_none(), kind == "docker-archive:", "{written}");
        assert!(digest.is_none_or(|digest| digest == image.digest()), "{written}");
    }
}
