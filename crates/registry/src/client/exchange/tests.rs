//! Where redirects may lead, as far as it can be told without following them.

use std::sync::Arc;

use super::*;
use crate::{Anonymous, Client, Options};

/// Why a redirect is refused; nothing if it may be followed.
fn refused(from: &str, to: &str, insecure: &[&str]) -> Option<String> {
    refused_within(Reach::Anywhere, from, to, insecure)
}

fn refused_within(reach: Reach, from: &str, to: &str, insecure: &[&str]) -> Option<String> {
    let insecure_hosts = insecure.iter().map(|host| (*host).to_owned()).collect();
    let client = Client::new(Options { insecure_hosts, reach, ..Options::default() }, Arc::new(Anonymous)).unwrap();
    let from: Url = from.parse().unwrap();
    let question = Question {
        method: Method::GET,
        host: "registry.example",
        url: from.clone(),
        scope: String::new(),
        asked: Asked { host: "registry.example".into(), repository: None, what: "blob".into() },
        accept: None,
        body: None,
        follow: Follow::Storage,
    };
    let headers = HeaderMap::from_iter([(LOCATION, to.parse().unwrap())]);
    client.inner.target(&question, &from, &headers).err().map(|failure| failure.error.to_string())
}

#[test]
fn s37_a_redirect_never_leaves_https_and_never_leads_to_a_special_address() {
    let https = "https://registry.example/v2/a/blobs/x";
    assert_eq!(refused(https, "https://storage.example/x?signature=y", &[]), None);
    assert_eq!(refused(https, "/elsewhere", &[]), None);
    assert_eq!(refused(https, "https://10.1.2.3/x", &[]), None, "storage behind a private endpoint");
    let plain = refused(https, "http://storage.example/x?signature=hidden", &["storage.example"]).unwrap();
    assert!(plain.contains("away from https") && !plain.contains("hidden"), "{plain}");
    for special in ["https://127.0.0.1/x", "https://localhost/x", "https://[::1]:5000/x", "https://169.254.169.254/x"] {
        assert!(refused(https, special, &[]).is_some(), "{special}");
    }
    assert_eq!(refused(https, "https://127.0.0.1:9000/x", &["127.0.0.1:9000"]), None, "who lists it wants it");
    let loopback = "http://127.0.0.1:5000/v2/a/blobs/x";
    assert_eq!(refused(loopback, "http://127.0.0.1:9000/x", &["127.0.0.1:5000"]), None);
    assert!(refused(loopback, "http://169.254.169.254/x", &["127.0.0.1:5000"]).is_some());
}

#[test]
fn s37_a_listed_registry_on_this_machine_leads_to_no_other_port_of_it() {
    let listed = || Reach::listed(&["127.0.0.1:5000".to_owned()], &[]).unwrap();
    let from = "http://127.0.0.1:5000/v2/a/blobs/x";
    let only = ["127.0.0.1:5000"];
    assert_eq!(refused_within(listed(), from, "/elsewhere", &only), None);
    for other in ["http://127.0.0.1:9000/x", "http://localhost:6379/x", "http://127.0.0.1/x", "https://[::1]:5001/x"] {
        let why = refused_within(listed(), from, other, &only).unwrap();
        assert!(why.contains("another service on this machine"), "{why}");
    }
    assert_eq!(refused_within(listed(), from, "http://127.0.0.1:9000/x", &["127.0.0.1:9000"]), None, "it is listed");
}

#[test]
fn the_client_may_be_used_from_any_thread() {
    fn is_send<T: Send>(_: &T) {}
    let client = Client::new(Options::default(), Arc::new(Anonymous)).unwrap();
    let place = crate::Location::new("registry.example", "a".parse().unwrap());
    let digest = model::Digest::of(b"");
    is_send(&client.manifest(&place, &digest.clone().into()));
    is_send(&client.referrers(&place, &digest, None));
    is_send(&client.blob_stream(&place, &crate::Descriptor::of("x", b"")));
    is_send(&client.push_blob(&place, "x", Bytes::new()));
}
