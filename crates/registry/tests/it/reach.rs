//! A client that has a list of its registries goes nowhere else (S37).

use std::sync::Arc;

use model::{Digest, ReasonCode};
use registry::{Anonymous, Client, Error, Location, Options, Reach, Reference};
use testkit::oci::{Fault, ImageBuilder, Registry, Settings};

use crate::support::{at, options};

fn listed(hosts: &[&str], networks: &[&str]) -> Reach {
    let owned = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
    Reach::listed(&owned(hosts), &owned(networks)).unwrap()
}

fn latest() -> Reference {
    Reference::Tag("latest".parse().unwrap())
}

fn started() -> Registry {
    let registry = Registry::start();
    registry.push("app", Some("latest"), &ImageBuilder::new().build());
    registry
}

async fn asked(options: Options, host: &str) -> Result<(), Error> {
    let client = Client::new(options, Arc::new(Anonymous)).unwrap();
    client.manifest(&Location::new(host, "app".parse().unwrap()), &latest()).await.map(|_| ())
}

#[tokio::test]
async fn s37_what_is_not_listed_is_not_asked() {
    let (registry, other) = (started(), started());
    let host = registry.host();
    let options = Options { reach: listed(&[&host], &[]), ..options(&[&registry, &other]) };
    asked(options.clone(), &host).await.unwrap();
    let error = asked(options.clone(), &other.host()).await.unwrap_err();
    assert!(matches!(error, Error::OutOfReach { .. }), "{error}");
    assert_eq!(error.reason().code, ReasonCode::RegistryAccessDenied);
    assert!(error.reason().remedy.contains("registries.allowed"));
    let client = Client::new(options.clone(), Arc::new(Anonymous)).unwrap();
    assert!(matches!(client.catalog(&other.host()).await, Err(Error::OutOfReach { .. })));
    // A mirror of what is not listed is no way around the list; one of what is listed needs no entry of its own.
    let digest = Reference::Digest(ImageBuilder::new().build().digest().parse().unwrap());
    for (mirrored, expected) in [(other.host(), false), (host.clone(), true)] {
        let away = if expected { other.host() } else { host.clone() };
        let mirrors = [(mirrored.clone(), vec![away])].into();
        let client = Client::new(Options { mirrors, ..options.clone() }, Arc::new(Anonymous)).unwrap();
        let asked = client.manifest(&Location::new(mirrored, "app".parse().unwrap()), &digest).await;
        assert_eq!(asked.is_ok(), expected);
        assert_eq!(other.requests().is_empty(), !expected);
    }
}

#[tokio::test]
async fn s37_localhost_is_this_machine_where_it_is_listed_and_nothing_else_is() {
    let registry = started();
    let name = registry.host().replace("127.0.0.1", "localhost");
    let at = |reach| Options { reach, insecure_hosts: [registry.host()].into(), ..options(&[]) };
    let with = |reach| Options { insecure_hosts: [name.clone()].into(), ..at(reach) };
    asked(with(listed(&[&name], &[])), &name).await.unwrap();
    asked(with(Reach::OffTheLink), &name).await.unwrap();
    asked(at(listed(&[&registry.host()], &[])), &registry.host()).await.unwrap();
}

#[tokio::test]
async fn s37_addresses_of_the_link_are_asked_by_nobody_who_serves() {
    for reach in [Reach::OffTheLink, listed(&["*.169.254"], &["0.0.0.0/0"])] {
        for host in ["169.254.169.254", "100.100.100.200", "0.0.0.0"] {
            let error = asked(Options { reach: reach.clone(), ..options(&[]) }, host).await.unwrap_err();
            assert!(matches!(error, Error::OutOfReach { .. }), "{host}: {error}");
        }
    }
    let error = asked(Options { reach: Reach::OffTheLink, ..options(&[]) }, "2852039166").await.unwrap_err();
    assert!(error.to_string().contains("169.254.169.254 is a link-local address"), "however it is written: {error}");
}

#[tokio::test]
async fn s37_a_service_follows_redirects_into_listed_networks_alone() {
    let registry = Registry::start();
    let digest: Digest = registry.put_blob("app", b"content").parse().unwrap();
    registry.fault(Fault::on("GET", "/blobs/").redirect("http://10.255.255.1:9/storage?signature=hidden"));
    let blob = async |reach| {
        let options =
            Options { reach, timeout: std::time::Duration::from_millis(300), retries: 0, ..options(&[&registry]) };
        let client = Client::new(options, Arc::new(Anonymous)).unwrap();
        client.blob(&at(&registry, "app"), &digest, 100).await.unwrap_err()
    };
    let error = blob(listed(&[&registry.host()], &[])).await;
    assert!(matches!(error, Error::OutOfReach { .. }), "{error}");
    assert!(error.to_string().contains("10.255.255.1 is a private address") && !error.to_string().contains("hidden"));
    for reach in [listed(&[&registry.host()], &["10.255.0.0/16"]), Reach::OffTheLink, Reach::Anywhere] {
        let error = blob(reach).await;
        assert!(!matches!(error, Error::OutOfReach { .. }), "it is tried, and nobody is there: {error}");
    }
}

#[tokio::test]
async fn s37_a_listed_registry_on_this_machine_may_send_us_to_storage_here_that_is_listed_too() {
    let storage = Registry::start();
    let registry = Settings::new().blobs_from(&storage.url()).start();
    let digest: Digest = registry.put_blob("app", b"content").parse().unwrap();
    storage.put_blob("app", b"content");
    let within = |hosts: &[&str]| {
        let options = Options { reach: listed(hosts, &[]), ..options(&[&registry]) };
        Client::new(options, Arc::new(Anonymous)).unwrap()
    };
    let both = within(&[&registry.host(), &storage.host()]);
    assert_eq!(both.blob(&at(&registry, "app"), &digest, 100).await.unwrap(), "content");
    // Whatever else listens here is none of the registry's.
    let refused = within(&[&registry.host()]).blob(&at(&registry, "app"), &digest, 100).await.unwrap_err();
    assert!(refused.to_string().contains("another service on this machine"), "{refused}");
}
