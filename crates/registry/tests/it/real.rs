//! Against Debian's `docker-registry` (distribution 2.8: Basic login, no referrers API), with `skopeo` as the other
//! client. What is not installed is skipped with a line that says so.

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Digest, ReasonCode};
use registry::{Anonymous, Client, Location, Options, Reference, ReferrersBy};
use testkit::oci::{ImageBuilder, Layer, Layout};
use tokio::io::AsyncReadExt;

use crate::support::{Wallet, basic, subject};

/// A running registry with one account, ended when it is dropped.
struct Distribution {
    process: Child,
    host: String,
    folder: tempfile::TempDir,
}

impl Drop for Distribution {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn is_there(program: &str) -> bool {
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .any(|folder| folder.join(program).is_file());
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}

impl Distribution {
    fn start() -> Option<Self> {
        Self::start_with(tempfile::tempdir().unwrap(), "")
    }

    /// Starts with more settings for the part `http`.
    fn start_with(folder: tempfile::TempDir, http: &str) -> Option<Self> {
        if !(is_there("docker-registry") && is_there("htpasswd") && is_there("skopeo")) {
            return None;
        }
        let account = Command::new("htpasswd").args(["-Bbn", "ci", "secret"]).output().unwrap();
        assert!(account.status.success());
        std::fs::write(folder.path().join("htpasswd"), account.stdout).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let host = format!("127.0.0.1:{port}");
        let settings = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
             storage: {{filesystem: {{rootdirectory: {data}}}, delete: {{enabled: true}}}}\n\
             http: {{addr: {host}{http}}}\n\
             auth: {{htpasswd: {{realm: test, path: {data}/htpasswd}}}}\n",
            data = folder.path().display(),
        );
        std::fs::write(folder.path().join("config.yml"), settings).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(folder.path().join("config.yml"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let registry = Self { process, host, folder };
        let begin = Instant::now();
        while TcpStream::connect(&registry.host).is_err() {
            let log = || std::fs::read_to_string(registry.folder.path().join("log"));
            assert!(begin.elapsed() < Duration::from_secs(20), "docker-registry does not start: {:?}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(registry)
    }

    fn options(&self) -> Options {
        Options { insecure_hosts: [self.host.clone()].into(), retries: 1, ..Options::default() }
    }

    fn client(&self) -> Client {
        Client::new(self.options(), Wallet::of(basic("ci", "secret"))).unwrap()
    }

    fn at(&self, repository: &str) -> Location {
        Location::new(self.host.as_str(), repository.parse().unwrap())
    }

    fn skopeo(&self, arguments: &[&str]) -> String {
        let run = Command::new("skopeo").args(arguments).current_dir(self.folder.path()).output().unwrap();
        assert!(run.status.success(), "skopeo {arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8(run.stdout).unwrap()
    }

    /// Pushes a layout folder with skopeo.
    fn push(&self, layout: &Path, name: &str) {
        self.skopeo(&[
            "copy",
            "--insecure-policy",
            "--dest-tls-verify=false",
            "--dest-creds",
            "ci:secret",
            &format!("oci:{}:v1", layout.display()),
            &format!("docker://{}/{name}", self.host),
        ]);
    }
}

#[tokio::test]
async fn what_skopeo_pushes_is_read_and_what_is_attached_is_found() {
    let Some(registry) = Distribution::start() else { return };
    let image = ImageBuilder::new().layer(Layer::new().file("etc/motd", "hello")).build();
    let layout = registry.folder.path().join("layout");
    Layout::new().with(Some("v1"), &image).write(&layout);
    registry.push(&layout, "team/app:v1");
    let (client, place) = (registry.client(), registry.at("team/app"));
    let tag = Reference::Tag("v1".parse().unwrap());
    let manifest = client.manifest(&place, &tag).await.unwrap();
    assert_eq!((manifest.digest.as_str(), manifest.bytes.as_ref()), (image.digest(), image.manifest.bytes.as_slice()));
    assert_eq!(client.head(&place, &tag).await.unwrap(), subject(&image));
    let by_skopeo = registry.skopeo(&[
        "inspect",
        "--raw",
        "--tls-verify=false",
        "--creds",
        "ci:secret",
        &format!("docker://{}/team/app:v1", registry.host),
    ]);
    assert_eq!(by_skopeo.as_bytes(), manifest.bytes);
    let layer = &image.layers[0];
    let blob =
        registry::Descriptor::new(layer.media_type.as_str(), layer.digest.parse().unwrap(), layer.bytes.len() as u64);
    let mut read = Vec::new();
    client.blob_stream(&place, &blob).await.unwrap().read_to_end(&mut read).await.unwrap();
    assert_eq!(read, layer.bytes);
    assert_eq!(client.blob(&place, &blob.digest, blob.size).await.unwrap(), layer.bytes);

    let none = client.referrers(&place, &manifest.digest, None).await.unwrap();
    assert_eq!((none.descriptors.len(), none.by), (0, ReferrersBy::FallbackTag));
    for n in ["1", "2"] {
        let layers = vec![("text/plain".to_owned(), n.into())];
        client
            .push_referrer(&place, &manifest.descriptor(), "application/vnd.example", layers, BTreeMap::new())
            .await
            .unwrap();
    }
    let found = client.referrers(&place, &manifest.digest, Some("application/vnd.example")).await.unwrap();
    assert_eq!(found.descriptors.len(), 2);
    let listed = registry.skopeo(&[
        "inspect",
        "--raw",
        "--tls-verify=false",
        "--creds",
        "ci:secret",
        &format!("docker://{}/team/app:{}", registry.host, manifest.digest.as_str().replace(':', "-")),
    ]);
    assert!(found.descriptors.iter().all(|entry| listed.contains(entry.digest.as_str())), "{listed}");

    let mut tags: Vec<String> = client.tags(&place).await.unwrap().iter().map(ToString::to_string).collect();
    tags.sort();
    assert_eq!(tags, [manifest.digest.as_str().replace(':', "-"), "v1".to_owned()]);
    let repositories = client.catalog(&registry.host).await.unwrap();
    assert_eq!(repositories.iter().map(model::Repository::as_str).collect::<Vec<_>>(), ["team/app"]);
}

#[tokio::test]
async fn a_real_registry_refuses_and_misses_things_as_the_scripted_one_does() {
    let Some(registry) = Distribution::start() else { return };
    let place = registry.at("team/none");
    let tag = Reference::Tag("v1".parse().unwrap());
    let error = registry.client().manifest(&place, &tag).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
    let error = registry.client().blob(&place, &Digest::of(b"x"), 10).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
    for client in [
        Client::new(registry.options(), Arc::new(Anonymous)).unwrap(),
        Client::new(registry.options(), Wallet::of(basic("ci", "wrong"))).unwrap(),
    ] {
        let error = client.manifest(&place, &tag).await.unwrap_err();
        assert_eq!(error.code(), ReasonCode::RegistryAccessDenied, "{error}");
        let error = client.referrers(&place, &Digest::of(b"x"), None).await.unwrap_err();
        assert_eq!(error.code(), ReasonCode::RegistryAccessDenied, "{error}");
    }
}

/// A certificate authority and a certificate of it for 127.0.0.1, as PEM files `ca.pem`, `server.pem`, `server.key`.
fn certificates(folder: &Path) {
    let openssl = |arguments: &[&str]| {
        let run = Command::new("openssl").args(arguments).current_dir(folder).output().unwrap();
        assert!(run.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    };
    std::fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n").unwrap();
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let authority =
        ["req", "-x509", "-days", "2", "-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.pem"];
    openssl(&[&authority[..], &key[..]].concat());
    let request = ["req", "-subj", "/CN=127.0.0.1", "-keyout", "server.key", "-out", "server.csr"];
    openssl(&[&request[..], &key[..]].concat());
    let sign = ["x509", "-req", "-days", "2", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key"];
    openssl(&[&sign[..], &["-CAcreateserial", "-extfile", "names", "-out", "server.pem"]].concat());
}

#[tokio::test]
async fn a_private_authority_is_believed_when_it_is_given_and_only_then() {
    if !is_there("openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let pem = std::fs::read(folder.path().join("ca.pem")).unwrap();
    let path = folder.path().display();
    let tls = format!(", tls: {{certificate: {path}/server.pem, key: {path}/server.key}}");
    let Some(registry) = Distribution::start_with(folder, &tls) else { return };
    let client = |ca_pem: Vec<Vec<u8>>, insecure: bool| {
        let mut options = Options { ca_pem, retries: 0, ..registry.options() };
        if !insecure {
            options.insecure_hosts.clear();
        }
        Client::new(options, Wallet::of(basic("ci", "secret"))).unwrap()
    };
    let (place, tag) = (registry.at("app"), Reference::Tag("v1".parse().unwrap()));
    let error = client(vec![pem.clone()], false).manifest(&place, &tag).await.unwrap_err();
    assert!(error.is_not_found(), "logged in over TLS, and there is nothing: {error}");
    let error = client(Vec::new(), false).manifest(&place, &tag).await.unwrap_err();
    assert!(error.code() == ReasonCode::RegistryUnavailable && error.to_string().contains("certificate"), "{error}");
    let error = client(vec![pem], true).manifest(&place, &tag).await.unwrap_err();
    assert!(!error.is_not_found(), "plain http to a TLS port says nothing: {error}");
}
