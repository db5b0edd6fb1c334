//! The real service: `ecr-gate serve` as it runs without configuration, asked by every command that asks one.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::gate::policy;

/// A service with its data in the gate's folder; it is ended with the test.
pub(crate) struct Real {
    child: Child,
    url: String,
}

impl Real {
    pub(crate) fn start(gate: &Gate) -> Self {
        // Of one that was there before.
        let _ = fs::remove_file(gate.path("ready"));
        let log = fs::File::create(gate.path("serve.log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ecr-gate"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir", "data", "--ready-file", "ready"]).env_clear();
        command.envs(gate.ecr.env()).env("HOME", gate.path("")).env("ECR_GATE_POLL_INTERVAL", "50ms");
        command.current_dir(gate.path("")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut real = Self { child: command.spawn().unwrap(), url: String::new() };
        let begun = Instant::now();
        while real.url.is_empty() {
            assert!(
                begun.elapsed() < Duration::from_mins(1),
                "{}",
                fs::read_to_string(gate.path("serve.log")).unwrap()
            );
            thread::sleep(Duration::from_millis(20));
            fs::read_to_string(gate.path("ready")).unwrap_or_default().trim().clone_into(&mut real.url);
        }
        real
    }

    #[track_caller]
    pub(crate) fn run(&self, gate: &Gate, arguments: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ecr-gate"));
        command.args(arguments).env_clear().current_dir(gate.path(""));
        command.env("ECR_GATE_SERVER", &self.url).env("ECR_GATE_TOKEN_FILE", "data/admin.token");
        let ran = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said { code: ran.status.code().unwrap(), stdout: text(ran.stdout), stderr: text(ran.stderr) }
    }

    pub(crate) fn check<'a>(&self, gate: &'a Gate) -> Check<'a> {
        let file = gate.path("data/admin.token");
        gate.check().timeout("30s").args(&["--server", &self.url, "--token-file", file.to_str().unwrap()])
    }
}

impl Real {
    /// Ends it as an operator does, and waits until it has written everything.
    #[track_caller]
    pub(crate) fn end(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(&pid).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn b20_a_check_asks_the_service_and_says_what_it_decided() {
    let gate = Gate::new(scan(&basic().finding("CVE-2024-0001", "CRITICAL")));
    let local = gate.check().run().exits(1);
    let real = Real::start(&gate);
    let served = real.check(&gate).env("CI_PIPELINE_ID", "4711").run().exits(1);
    assert_eq!(served.reasons(), local.reasons());
    for part in ["verdict", "image", "environment", "findings", "pathToGreen", "rules", "policies"] {
        assert_eq!(served.record()[part], local.record()[part], "{part}");
    }
    // With the service there is somebody who can be asked for an exception.
    let remedy = served.record()["reasons"][0]["remedy"].as_str().unwrap().to_owned();
    assert!(remedy.contains("ecr-gate exception request "), "{remedy}");
    assert_eq!(served.record()["answer"]["advisory"], false);
    let id = served.record()["id"].as_str().unwrap().to_owned();
    // Asked by the digest, the same is said of it.
    let by_digest = real.check(&gate).image(fixtures::image("", &digest(1))).run().exits(1);
    for part in ["verdict", "environment", "reasons", "findings"] {
        assert_eq!(by_digest.record()[part], served.record()[part], "{part}");
    }
    real.run(&gate, &["decisions", "--pipeline", "4711"]).exits(0).says(&id).says("deny");
    assert_eq!(
        real.run(&gate, &["decisions", "--verdict", "allow", "--output", "json"]).exits(0).json()["decisions"],
        json!([])
    );
    let whole = real.run(&gate, &["decisions", "--id", &id]).exits(0).json();
    assert_eq!(whole["verdict"], "deny");
    real.run(&gate, &["history", &digest(1)]).exits(0).says("decision").says("deny");
}

#[test]
fn b5_policies_of_the_service_by_the_command_line() {
    let gate = Gate::new(scan(&basic().finding("CVE-2024-0001", "HIGH")));
    let real = Real::start(&gate);
    real.check(&gate).run().exits(1);
    let file = gate.write("lax.yaml", policy("rules: [{ id: r, vulnerabilities: { max: { critical: 0 } } }]"));
    real.run(&gate, &["policy", "push", &file]).exits(0).says("uploaded: ");
    real.check(&gate).run().exits(1);
    let version = real
        .run(&gate, &["policy", "push", &file, "--activate", "--reason", "tried", "--output", "json"])
        .exits(0)
        .json();
    assert_eq!(version["inForce"], true);
    // S42: within the lease every decision is by the new one.
    thread::sleep(Duration::from_millis(1500));
    real.check(&gate).run().exits(0);
    real.check(&gate).args(&["--fail-on", "CRITICAL,HIGH"]).run().exits(1);
    let list = real.run(&gate, &["policy", "versions"]).exits(0);
    assert_eq!(list.stdout.lines().filter(|line| line.contains("in force")).count(), 1, "{list:?}");
    let wrong = ["policy", "activate", version["digest"].as_str().unwrap(), "--believed", &digest(9)];
    real.run(&gate, &wrong).exits(3).says("changed meanwhile");
    real.run(&gate, &["policy", "rollback", "--reason", "tried"]).exits(0).says("in force: ");
    thread::sleep(Duration::from_millis(1500));
    real.check(&gate).run().exits(1);
}

#[test]
fn o3_an_auditor_takes_home_what_audit_verify_believes() {
    let gate = Gate::new(scan(&basic()));
    let real = Real::start(&gate);
    let id = real.check(&gate).run().exits(0).record()["id"].as_str().unwrap().to_owned();
    let begun = Instant::now();
    // The sequencer takes it into the log soon after.
    while real.run(&gate, &["audit", "proof", &id]).code != 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "never logged");
        thread::sleep(Duration::from_millis(100));
    }
    let key = real.run(&gate, &["audit", "key"]).exits(0).stdout;
    let key = gate.write("audit.vkey", key);
    let checkpoint = gate.write("checkpoint", real.run(&gate, &["audit", "checkpoint"]).exits(0).stdout);
    real.run(&gate, &["audit", "export", "--output-file", "audit.jsonl"]).exits(0);
    let verify =
        |file: &str| real.run(&gate, &["audit", "verify", file, "--key", &key, "--known-checkpoint", &checkpoint]);
    verify("audit.jsonl").exits(0);
    let dry = real.check(&gate).args(&["--dry-run"]).run().exits(0);
    assert_eq!(dry.record()["id"], Value::Null);
    real.run(&gate, &["audit", "export", "--output-file", "audit.jsonl"]).exits(0);
    verify("audit.jsonl").exits(0);
    let text = fs::read_to_string(gate.path("audit.jsonl")).unwrap();
    assert!(text.contains(&id));
    gate.write("changed.jsonl", text.replacen("\"kind\":\"decision\"", "\"kind\":\"decisiom\"", 1));
    assert_ne!(verify("changed.jsonl").code, 0);
}
