//! The layer that a scanner found a package in. It tells who brought the package and decides nothing, so what is no
//! digest is not said, and refuses no report. Sources: Trivy `pkg/fanal/types` (`Layer`), Syft `file.Location`, the
//! Inspector API (`sourceLayerHash`), osv-scanner `ImageOriginDetails`.

use std::collections::BTreeSet;

use model::{Digest, PackageLayer};

/// A layer by the digest that `diff_ids` has, by the one that the manifest has, or by both.
pub(crate) fn layer(diff_id: Option<&str>, digest: Option<&str>) -> Option<PackageLayer> {
    PackageLayer::named(diff_id.and_then(read), digest.and_then(read))
}

/// A layer by the places in the image that name the package, each a path with the `diff_id` of the layer that wrote it.
/// A package database is written anew with each change of any package: the package came then or before.
pub(crate) fn of_places<'p>(places: impl Iterator<Item = (&'p str, Option<&'p str>)>) -> Option<PackageLayer> {
    let (mut own, mut shared) = (BTreeSet::new(), BTreeSet::new());
    for (path, layer) in places {
        let Some(diff_id) = layer.and_then(read) else { continue };
        if is_database(path) { &mut shared } else { &mut own }.insert(diff_id);
    }
    let (layers, or_below) = if own.is_empty() { (shared, true) } else { (own, false) };
    let mut layers = layers.into_iter();
    match (layers.next(), layers.next()) {
        (Some(only), None) => Some(PackageLayer { diff_id: Some(only), digest: None, or_below }),
        _ => None,
    }
}

/// A file that lists all packages of the image.
fn is_database(path: &str) -> bool {
    let rpm = ["/var/lib/rpm/", "/usr/lib/sysimage/rpm/", "/usr/share/rpm/"];
    path.ends_with("/dpkg/status") || path.ends_with("/apk/db/installed") || rpm.iter().any(|at| path.starts_with(at))
}

#[expect(clippy::manual_ok_err, reason = "what is no digest is not said, and no evidence is lost by it")]
fn read(text: &str) -> Option<Digest> {
    match text.trim().parse() {
        Ok(digest) => Some(digest),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(name: &str) -> Digest {
        Digest::of(name.as_bytes())
    }

    #[test]
    fn b23_a_layer_is_named_by_a_digest_or_not_at_all() {
        let a = digest("a");
        let named = layer(Some(a.as_str()), Some("")).unwrap();
        assert_eq!((named.diff_id, named.digest, named.or_below), (Some(a.clone()), None, false));
        assert_eq!(layer(None, Some(a.as_str())).unwrap().digest, Some(a));
        assert_eq!(layer(Some("9d48c3bd43c5"), None), None);
        assert_eq!(layer(None, None), None);
    }

    #[test]
    fn b23_a_package_database_says_only_that_the_package_came_no_later() {
        let (a, b) = (digest("a"), digest("b"));
        let (a, b) = (Some(a.as_str()), Some(b.as_str()));
        let of = |places: &[(&'static str, Option<&str>)]| {
            of_places(places.iter().copied()).map(|layer| (layer.diff_id.unwrap(), layer.or_below))
        };
        let (status, sums) = ("/var/lib/dpkg/status", "/var/lib/dpkg/info/zlib1g.md5sums");
        assert_eq!(of(&[(status, b), (sums, a)]), Some((digest("a"), false)), "its own file says when it came");
        for database in [status, "/lib/apk/db/installed", "/usr/lib/apk/db/installed", "/var/lib/rpm/rpmdb.sqlite"] {
            assert_eq!(of(&[(database, b)]), Some((digest("b"), true)), "{database}");
        }
        assert_eq!(of(&[("/app/a.jar", a)]), Some((digest("a"), false)));
        assert_eq!(of(&[("/app/a.jar", a), ("/app/b.jar", b)]), None, "in two layers");
        assert_eq!(of(&[("/app/a.jar", None), ("/app/b.jar", Some("layer"))]), None);
    }
}
