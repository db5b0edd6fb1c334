//! Tokens of the service by the command line, from the first administrator on.

use std::os::unix::fs::PermissionsExt as _;

use super::real::Real;
use super::*;

/// The command without a service.
fn alone(gate: &Gate, arguments: &[&str]) -> Said {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ecr-gate"));
    command.args(arguments).env_clear().current_dir(gate.path("")).env("HOME", gate.path(""));
    let ran = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: ran.status.code().unwrap(), stdout: text(ran.stdout), stderr: text(ran.stderr) }
}

#[test]
fn s36_the_first_administrator_is_made_once_by_whoever_has_the_machine() {
    let gate = bare();
    let bootstrap = ["admin", "bootstrap", "--data-dir", "data"];
    let made = alone(&gate, &bootstrap).exits(0).says("within an hour");
    let file = gate.path("data/bootstrap.token");
    let secret = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!made.stdout.contains(&secret) && !made.stderr.contains(&secret));
    alone(&gate, &bootstrap).exits(3).says("cannot be written");

    let real = Real::start(&gate);
    alone(&gate, &bootstrap).exits(3);
    let create = |token: &'static str, name: &'static str, more: &[&str]| {
        let mut arguments = vec!["token", "create", name, "--expires", "1h", "--token-file", token, "--output", "json"];
        arguments.extend(more);
        real.run(&gate, &arguments)
    };
    let first =
        create("data/bootstrap.token", "ada", &["--role", "admin", "--person", "Ada@Example.com"]).exits(0).json();
    gate.write("ada.token", first["secret"].as_str().unwrap());
    // It was good for one.
    create("data/bootstrap.token", "eve", &["--role", "admin"]).exits(3).says("not known");
    real.run(&gate, &["whoami", "--token-file", "ada.token"]).exits(0);
    let me = real.run(&gate, &["whoami", "--token-file", "ada.token", "--output", "json"]).exits(0).json();
    let identity = format!("token:ada#{}", first["token"]["id"].as_str().unwrap());
    assert_eq!((me["identity"].as_str(), me["person"].as_str()), (Some(&*identity), Some("ada@example.com")));

    // From there on, tokens for others; each for what it is for.
    let scoped = ["--role", "ci", "--repository", "r.example/team-a/**", "--environment", "staging"];
    let ci = create("ada.token", "ci", &scoped).exits(0).json();
    gate.write("ci.token", ci["secret"].as_str().unwrap());
    create("ci.token", "more", &["--role", "viewer"]).exits(3).says("ci");
    let me = real.run(&gate, &["whoami", "--token-file", "ci.token"]).exits(0);
    assert!(me.stdout.contains("ci on r.example/team-a/** in staging"), "{}", me.stdout);
    let list = real.run(&gate, &["token", "list", "--token-file", "ada.token"]).exits(0);
    assert!(list.stdout.contains("token:ada") && list.stdout.contains("used"), "{}", list.stdout);
    let id = ci["token"]["id"].as_str().unwrap();
    let revoke = ["token", "revoke", id, "--reason", "it leaked", "--token-file", "ada.token"];
    let revoked = real.run(&gate, &revoke).exits(0);
    assert!(revoked.stdout.contains("revoked: ci"), "{}", revoked.stdout);
    real.run(&gate, &["whoami", "--token-file", "ci.token"]).exits(3).says("not known");
    real.run(&gate, &["token", "create", "x", "--role", "ci", "--expires", "999d"]).exits(64);
    real.run(&gate, &["token", "create", "x", "--role", "root", "--expires", "1d"]).exits(64).says("no role");

    // No token is in the log, neither good nor over.
    let log = std::fs::read_to_string(gate.path("serve.log")).unwrap();
    for secret in [secret.as_str(), first["secret"].as_str().unwrap(), ci["secret"].as_str().unwrap()] {
        assert!(!log.contains(&secret[4..]), "{log}");
    }
    assert!(log.contains("token:ada") && log.contains("bootstrap:"), "{log}");
}
