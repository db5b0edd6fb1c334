//! What starts, and what would be open to strangers and does not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::setup::{Setup, shown};
use crate::config::{Auth, Config, Registries, Role, Tls, TokenEntry};
use crate::exit::Exit;
use crate::failure::Failure;

fn config(folder: &std::path::Path, listen: &str) -> Config {
    Config { listen: Some(listen.to_owned()), data_dir: Some(folder.join("data")), ..Config::default() }
}

fn token() -> TokenEntry {
    TokenEntry {
        name: "ci".to_owned(),
        sha256: "ab".repeat(32),
        role: Some(Role::Read),
        grants: Vec::new(),
        person: None,
    }
}

fn tls() -> Tls {
    Tls { certificate: "tls.crt".into(), key: "tls.key".into() }
}

fn setup(config: Config) -> Result<Setup, Failure> {
    Setup::of(config, engine::RegistrySettings::default())
}

#[test]
fn s36_without_configuration_it_is_loopback_one_folder_and_a_token_for_changes() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { data_dir: Some(folder.path().join("deep/data")), ..Config::default() };
    let setup = setup(config).unwrap();
    assert_eq!(setup.listen.to_string(), "127.0.0.1:8181");
    assert!(setup.anonymous_reads && setup.tls.is_none());
    let admin = setup.admin.unwrap();
    assert!(admin.made && admin.file.ends_with("deep/data/admin.token"));
    assert_eq!(setup.database, format!("sqlite:{}", folder.path().join("deep/data/gate.db").display()));
    let mode = |path: &str| fs::metadata(folder.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("deep/data"), mode("deep/data/admin.token")), (0o700, 0o600));
}

#[test]
fn s36_beyond_this_machine_only_with_a_certificate_and_tokens() {
    let folder = tempfile::tempdir().unwrap();
    for listen in ["0.0.0.0:8443", "[::]:8443", "192.0.2.1:8443"] {
        let with = |tls: Option<Tls>, tokens: Vec<TokenEntry>, anonymous_reads| Config {
            tls,
            auth: Auth { tokens, anonymous_reads },
            registries: Registries { allowed: vec!["ghcr.io".to_owned()], ..Registries::default() },
            ..config(folder.path(), listen)
        };
        for (config, why) in [
            (with(None, vec![token()], None), "there is no certificate"),
            (with(None, Vec::new(), None), "there is no certificate"),
            (with(Some(tls()), Vec::new(), None), "nobody is known to it"),
            (with(Some(tls()), vec![token()], Some(true)), "anonymousReads is for loopback"),
        ] {
            let failure = setup(config).unwrap_err();
            assert_eq!(failure.exit, Exit::Configuration);
            assert!(failure.what.contains(why) && !failure.hints.is_empty(), "{listen}: {}", failure.what);
        }
        assert!(!folder.path().join("data").exists(), "what is refused leaves nothing behind");
        let sound = setup(with(Some(tls()), vec![token()], None)).unwrap();
        assert!(!sound.anonymous_reads && sound.admin.is_none());
        fs::remove_dir(folder.path().join("data")).unwrap();
    }
}

#[test]
fn s36_with_tokens_reading_needs_one_on_loopback_too_unless_somebody_says_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    for (anonymous_reads, expected) in [(None, false), (Some(true), true), (Some(false), false)] {
        let auth = Auth { tokens: vec![token()], anonymous_reads };
        let setup = setup(Config { auth, ..config(folder.path(), "localhost:0") }).unwrap();
        assert_eq!(setup.anonymous_reads, expected);
    }
}

#[test]
fn s29_two_persons_of_tokens_are_told_apart_and_one_is_not_two() {
    let folder = tempfile::tempdir().unwrap();
    let knows = |persons: &[Option<&str>]| {
        let mut config = config(folder.path(), "127.0.0.1:0");
        let entry = |(number, person): (usize, Option<&str>)| TokenEntry {
            name: format!("t{number}"),
            sha256: format!("{number:064x}"),
            person: person.map(str::to_owned),
            ..token()
        };
        config.auth.tokens = persons.iter().copied().enumerate().map(entry).collect();
        setup(config).unwrap().gate(engine::Metrics::new()).knows_people
    };
    assert!(knows(&[Some("ada@example.com"), Some("bob@example.com")]));
    assert!(!knows(&[Some("ada@example.com"), Some("Ada@example.com"), None]) && !knows(&[]));
}

#[test]
fn s37_whoever_configures_a_service_says_which_registries_it_asks() {
    let folder = tempfile::tempdir().unwrap();
    let with = |allowed: &[&str], networks: &[&str], file: Option<&str>, listen: &str| {
        let owned = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        setup(Config {
            registries: Registries { allowed: owned(allowed), networks: owned(networks), ..Registries::default() },
            file: file.map(Into::into),
            tls: Some(tls()),
            auth: Auth { tokens: vec![token()], anonymous_reads: None },
            ..config(folder.path(), listen)
        })
    };
    let (here, elsewhere, file) = ("127.0.0.1:0", "0.0.0.0:8443", Some("serve.yaml"));
    for (result, why) in [
        (with(&[], &[], None, elsewhere), "can be reached by others, and `registries.allowed` does not say"),
        (with(&[], &[], file, here), "serve.yaml: `registries.allowed` does not say"),
        (with(&[], &["10.0.0.0/8"], None, here), "is about registries that are listed"),
        (with(&["*"], &[], None, here), "\"*\" is no registry's host"),
        (with(&["ghcr.io/team"], &[], file, here), "is no registry's host"),
        (with(&["ghcr.io"], &["10/8"], file, here), "\"10/8\" is no network"),
        (with(&["ghcr.io"], &["169.254.169.254/32"], file, elsewhere), "is of the link"),
    ] {
        let failure = result.unwrap_err();
        assert_eq!(failure.exit, Exit::Configuration);
        assert!(failure.what.contains(why) && !failure.hints.is_empty(), "{}", failure.what);
    }
    assert!(!folder.path().join("data").exists(), "what is refused leaves nothing behind");
    with(&[], &[], None, here).unwrap();
    with(&["ghcr.io"], &["10.0.0.0/8"], file, here).unwrap();
    with(&["ghcr.io"], &[], None, elsewhere).unwrap();
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for listen in ["8181", "gate.example:8181", "127.0.0.1", ""] {
        assert_eq!(setup(config(folder.path(), listen)).unwrap_err().exit, Exit::Usage, "{listen:?}");
    }
    for entry in [
        TokenEntry { sha256: "ab".repeat(31), ..token() },
        TokenEntry { sha256: "the token itself".to_owned(), ..token() },
        TokenEntry { name: String::new(), ..token() },
        TokenEntry { name: "a\nb".to_owned(), ..token() },
    ] {
        let auth = Auth { tokens: vec![entry], anonymous_reads: None };
        let failure = setup(Config { auth, ..config(folder.path(), "127.0.0.1:0") }).unwrap_err();
        assert!(
            failure.what.starts_with("auth.tokens:") && !failure.what.contains("the token itself"),
            "{}",
            failure.what
        );
    }
    let mut zero = config(folder.path(), "127.0.0.1:0");
    zero.limits.concurrency = Some(0);
    assert!(setup(zero).unwrap_err().what.contains("lets nothing through"));
}

#[test]
fn a_data_folder_that_others_write_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    fs::set_permissions(folder.path().join("data"), fs::Permissions::from_mode(0o777)).unwrap();
    let failure = setup(config(folder.path(), "127.0.0.1:0")).unwrap_err();
    assert!(failure.what.contains("can be written by others (mode 777)"), "{}", failure.what);
}

#[test]
fn a_database_is_shown_without_its_password() {
    for (url, expected) in [
        ("postgres://gate:secret@db.example:5432/gate", "postgres://gate@db.example:5432/gate"),
        ("postgres://gate:se@cret@db.example/gate?sslmode=require&password=secret", "postgres://gate@db.example/gate"),
        ("postgres://db.example/gate", "postgres://db.example/gate"),
        ("postgresql:///gate?host=/run/postgresql&user=gate", "postgresql:///gate"),
        ("sqlite:/var/lib/ecr-gate/gate.db", "sqlite:/var/lib/ecr-gate/gate.db"),
    ] {
        assert_eq!(shown(url), expected);
    }
}

#[test]
fn s31_who_wrote_an_object_is_believed_of_api_servers_with_a_certificate_alone() {
    let folder = tempfile::tempdir().unwrap();
    let starts = |listen: &str, authorities: &[&str]| {
        let admission = serde_json::json!({
            "listen": listen, "cluster": "test", "clientCa": authorities, "tls": { "certificate": "tls.crt", "key": "tls.key" },
            "breakGlass": { "groups": ["on-call"], "longest": "4h" },
        });
        let admission = Some(serde_json::from_value(admission).unwrap());
        setup(Config { admission, ..config(folder.path(), "127.0.0.1:0") })
    };
    let refused = starts("0.0.0.0:9443", &[]).unwrap_err();
    assert!(refused.what.contains("without `clientCa` anybody could say it"), "{}", refused.what);
    assert!(starts("0.0.0.0:9443", &["api-server.pem"]).is_ok());
    assert!(starts("127.0.0.1:9443", &[]).is_ok());
}
