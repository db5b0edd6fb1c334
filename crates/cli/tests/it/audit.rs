//! `ecr-gate audit verify` from the outside: what an auditor is told about an export, and which code it ends with (O3).

mod opensearch;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use model::Digest;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use trust::log::export::{checkpoint, entry, header};
use trust::log::{Entry, Frontier, LogKey, Subject, leaf_hash};

const ORIGIN: &str = "gate.example/audit";

/// A log, and a folder to audit it in.
struct Log {
    folder: TempDir,
    key: LogKey,
    entries: Vec<String>,
}

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    #[track_caller]
    fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    fn says(self, words: &[&str]) -> Self {
        for word in words {
            let said = self.stdout.contains(word) || self.stderr.contains(word);
            assert!(said, "no {word:?} in {}\n{}", self.stdout, self.stderr);
        }
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.stdout, self.stderr))
    }
}

fn bytes_of(index: u64) -> String {
    let policy = index.is_multiple_of(4);
    let subject =
        Subject { digest: Digest::of(&index.to_le_bytes()), repository: "registry.example/team/app".to_owned() };
    let entry = Entry {
        at: format!("2026-01-{:02}T12:00:00Z", index + 1).parse().unwrap(),
        body: Map::from_iter([("verdict".to_owned(), json!("deny"))]),
        id: format!("019c1234-5678-7abc-8def-{index:012x}"),
        kind: if policy { "policy.activated" } else { "decision" }.to_owned(),
        subject: (!policy).then_some(subject),
    };
    entry.bytes().unwrap()
}

impl Log {
    fn new() -> Self {
        let key = LogKey::from_pem(ORIGIN, LogKey::generate().unwrap().as_bytes(), None).unwrap();
        let log = Self { folder: TempDir::new().unwrap(), key, entries: (0..9).map(bytes_of).collect() };
        log.write("audit.vkey", &format!("{}\n", log.key.verifier()));
        log
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn tree(&self, size: usize) -> Frontier {
        let mut tree = Frontier::new();
        for entry in &self.entries[..size] {
            tree.append(leaf_hash(entry.as_bytes()));
        }
        tree
    }

    fn note(&self, size: usize) -> String {
        self.key.sign_checkpoint(size as u64, &self.tree(size).root()).unwrap()
    }

    /// Entries from this one up to that one, without the bytes of some.
    fn export(&self, from: usize, to: usize, dropped: &[usize]) -> String {
        let mut text = header(ORIGIN, &self.tree(from));
        for (index, bytes) in self.entries.iter().enumerate().take(to).skip(from) {
            let there = (!dropped.contains(&index)).then_some(bytes.as_str());
            text += &entry(index as u64, &leaf_hash(bytes.as_bytes()), there);
        }
        text + &checkpoint(&self.note(to))
    }

    fn verify(&self, arguments: &[&str]) -> Ran {
        self.verify_given(arguments, "")
    }

    fn verify_given(&self, arguments: &[&str], input: &str) -> Ran {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ecr-gate"))
            .args(["audit", "verify"])
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It may have ended before it read everything.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

#[test]
fn o3_an_export_is_verified_and_described() {
    let log = Log::new();
    log.write("export.jsonl", &log.export(2, 9, &[3, 4, 6]));
    let root = hex::encode(log.tree(9).root());
    let key = log.key.verifier().to_string();
    let ran = log.verify(&["export.jsonl", "--key", "audit.vkey"]).exits(0);
    let expected = format!(
        "VERIFIED  export.jsonl\n\
        \x20 log          gate.example/audit\n\
        \x20 signed by    {key}\n\
        \x20 size         9 entries\n\
        \x20 root         {root}\n\
        \x20 entries      7, from 2 to 8\n\
        \x20              3 decision\n\
        \x20              1 policy.activated\n\
        \x20 time         2026-01-03T12:00:00Z to 2026-01-09T12:00:00Z\n\
        \x20 dropped      3 entries by retention: 3–4, 6\n"
    );
    assert_eq!(ran.stdout, expected);
    assert!(ran.stderr.contains("--save-checkpoint"), "{}", ran.stderr);
    // The key itself, and the export from standard input.
    let ran = log.verify_given(&["-", "--key", &key, "--output", "json"], &log.export(2, 9, &[3, 4, 6])).exits(0);
    assert_eq!(
        ran.json(),
        json!({
            "schema": "ecr-gate.dev/audit-verification/v1",
            "file": "standard input",
            "verified": true,
            "exitCode": 0,
            "error": null,
            "log": {
                "origin": ORIGIN,
                "from": 2,
                "size": 9,
                "root": root,
                "checkpoint": log.note(9),
                "signedBy": key,
                "entries": 7,
                "kinds": { "decision": 3, "policy.activated": 1 },
                "firstAt": "2026-01-03T12:00:00Z",
                "lastAt": "2026-01-09T12:00:00Z",
                "dropped": { "entries": 3, "stretches": [{ "first": 3, "last": 4 }, { "first": 6, "last": 6 }] },
                "knownCheckpoints": [],
            },
        })
    );
    log.write("nothing-new.jsonl", &log.export(9, 9, &[]));
    log.verify(&["nothing-new.jsonl", "--key", "audit.vkey"]).exits(0).says(&["nothing was logged after the first 9"]);
}

#[test]
fn o3_the_page_about_the_log_shows_what_the_command_says() {
    let log = Log::new();
    log.write("export.jsonl", include_str!("../../../trust/tests/it/data/log/export.jsonl"));
    let key = "gate.example/audit+af47b622+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
    let ran = log.verify(&["export.jsonl", "--key", key]).exits(0);
    let page = include_str!("../../../../docs/concepts/audit.md");
    assert!(page.contains(&ran.stdout), "docs/concepts/audit.md shows another answer than\n{}", ran.stdout);
}

#[test]
fn o3_a_changed_byte_is_found_and_its_line_named() {
    let log = Log::new();
    let export = log.export(0, 9, &[]);
    log.write("export.jsonl", &export.replacen("\"deny\"", "\"pass\"", 1));
    let key = ["--key", "audit.vkey"];
    let ran = log.verify(&[&["export.jsonl"], &key[..]].concat()).exits(1);
    assert!(ran.stdout.starts_with("NOT VERIFIED  export.jsonl\n  line 2       entry 0 was changed"), "{}", ran.stdout);
    let ran = log.verify(&["export.jsonl", "--key", "audit.vkey", "--output", "json"]).exits(1);
    assert_eq!(ran.json()["verified"], json!(false));
    assert_eq!(ran.json()["error"]["line"], json!(2));
    assert_eq!(ran.json()["log"], json!(null));
    // A byte in every line; the command is asked for a few, the library's own tests change each.
    let mut at = 0;
    for (number, line) in export.split_inclusive('\n').enumerate() {
        let mut changed = export.clone().into_bytes();
        changed[at + line.len() / 2] ^= 1;
        log.write("changed.jsonl", &String::from_utf8_lossy(&changed));
        let says = format!("line {}", number + 1);
        // The first line is compared with the others and with the checkpoint.
        let says = if number == 0 { "line" } else { &says };
        log.verify(&["changed.jsonl", "--key", "audit.vkey"]).exits(1).says(&["NOT VERIFIED", says]);
        at += line.len();
    }
    for (name, text) in [("cut", &export[..export.len() - 200]), ("empty", ""), ("doubled", &export.repeat(2))] {
        log.write(name, text);
        log.verify(&[name, "--key", "audit.vkey"]).exits(1).says(&["NOT VERIFIED", "hint:"]);
    }
}

#[test]
fn o3_another_key_is_no_key_and_without_one_nobody_vouches() {
    let (log, other) = (Log::new(), Log::new());
    log.write("export.jsonl", &log.export(0, 9, &[]));
    log.write("other.vkey", &other.key.verifier().to_string());
    log.verify(&["export.jsonl", "--key", "other.vkey"]).exits(1).says(&["NOT VERIFIED", "line 11", "not signed by"]);
    log.verify(&["export.jsonl"]).exits(64).says(&["signed by whom?", "/api/v1/audit/key", "--no-key"]);
    let ran = log.verify(&["export.jsonl", "--no-key"]).exits(0);
    let ran = ran.says(&["signed by    not verified: no key was given", "--key shows who signed"]);
    assert!(ran.stdout.starts_with("VERIFIED IN ITSELF  export.jsonl\n"), "{}", ran.stdout);
    log.verify(&["export.jsonl", "--no-key", "--key", "audit.vkey"]).exits(64);
    log.verify(&["export.jsonl", "--no-key", "--save-checkpoint", "kept.txt"]).exits(64);
    let json = log.verify(&["export.jsonl", "--no-key", "--output", "json"]).exits(0).json();
    assert_eq!(json["log"]["signedBy"], json!(null));
}

#[test]
fn o3_a_log_that_was_written_anew_does_not_extend_what_was_kept() {
    let mut log = Log::new();
    log.write("export.jsonl", &log.export(3, 9, &[]));
    for size in [2, 3, 5, 9] {
        log.write(&format!("at-{size}.txt"), &log.note(size));
    }
    let known = |log: &Log, names: &[&str]| {
        let flags = names.iter().flat_map(|name| ["--known-checkpoint", name]);
        let arguments: Vec<_> = ["export.jsonl", "--key", "audit.vkey"].into_iter().chain(flags).collect();
        log.verify(&arguments)
    };
    known(&log, &["at-3.txt", "at-5.txt", "at-9.txt"])
        .exits(0)
        .says(&["continuity   begins with the 3 entries of at-3.txt", "begins with the 9 entries of at-9.txt"]);
    known(&log, &["at-5.txt", "at-2.txt"]).exits(1).says(&[
        "NOT VERIFIED",
        "not shown: at-2.txt has 2 entries",
        "hint: export from entry 2 on",
    ]);
    log.write("short.jsonl", &log.export(0, 5, &[]));
    log.verify(&["short.jsonl", "--key", "audit.vkey", "--known-checkpoint", "at-9.txt"])
        .exits(1)
        .says(&["a known checkpoint covers 9"]);
    // The same key signs another history.
    log.entries[4] = bytes_of(20);
    log.write("export.jsonl", &log.export(3, 9, &[]));
    let arguments = ["export.jsonl", "--key", "audit.vkey", "--known-checkpoint"];
    log.verify(&arguments[..3]).exits(0);
    log.verify(&[&arguments[..], &["at-3.txt"]].concat()).exits(0);
    log.verify(&[&arguments[..], &["at-5.txt"]].concat()).exits(1).says(&["line 3", "the log was rewritten"]);
}

#[test]
fn o3_a_checkpoint_is_kept_and_replaced_only_by_one_that_extends_it() {
    let log = Log::new();
    let kept = || fs::read_to_string(log.folder.path().join("kept.txt")).unwrap_or_default();
    let keep = |from, to| {
        log.write("export.jsonl", &log.export(from, to, &[]));
        log.verify(&["export.jsonl", "--key", "audit.vkey", "--save-checkpoint", "kept.txt"])
    };
    keep(0, 3).exits(0);
    assert_eq!(kept(), log.note(3));
    keep(2, 7).exits(0).says(&["begins with the 3 entries of kept.txt"]);
    assert_eq!(kept(), log.note(7));
    keep(8, 9).exits(1).says(&["not shown"]);
    keep(0, 5).exits(1);
    log.write("export.jsonl", "{}\n");
    log.verify(&["export.jsonl", "--key", "audit.vkey", "--save-checkpoint", "kept.txt"]).exits(1);
    assert_eq!(kept(), log.note(7));
}

#[test]
fn o3_what_cannot_be_read_is_no_answer() {
    let log = Log::new();
    log.write("export.jsonl", &log.export(0, 9, &[]));
    log.write("kept.txt", &log.note(5));
    log.write("no-checkpoint.txt", "gate.example/audit\n5\n");
    let pem = LogKey::generate().unwrap();
    log.write("private.pem", &pem);
    log.write("long.vkey", &"x".repeat(5000));
    log.write("other.txt", &Log::new().note(5));
    let slip = log.key.verifier().to_string().replace("gate.example", "gate.exampel");
    let with_key = |key: &str| log.verify(&["export.jsonl", "--key", key]);
    log.verify(&["nowhere.jsonl", "--key", "audit.vkey"]).exits(3).says(&["nowhere.jsonl", "hint:"]);
    log.verify(&[".", "--key", "audit.vkey"]).exits(3);
    with_key("nowhere.vkey").exits(3).says(&["nowhere.vkey"]);
    let ran = with_key("private.pem").exits(3).says(&["NAME+HASH+KEY", "keep private keys to yourself"]);
    assert!(!ran.stderr.contains(pem.lines().nth(1).unwrap()), "{}", ran.stderr);
    with_key("long.vkey").exits(3);
    with_key("kept.txt").exits(3);
    with_key(&slip).exits(64).says(&["mistyped"]);
    let with = |name: &str| log.verify(&["export.jsonl", "--key", "audit.vkey", "--known-checkpoint", name]);
    with("nowhere.txt").exits(3);
    with("no-checkpoint.txt").exits(3).says(&["no signed note"]);
    with("other.txt").exits(3).says(&["not signed by"]);
    log.verify(&[]).exits(64);
}

#[test]
fn o3_foreign_words_do_not_steer_the_terminal() {
    let log = Log::new();
    log.write("export.jsonl", "{\"from\":0,\"origin\":\"\u{1b}[31m\n::error::\",\"peaks\":[]}\n");
    let ran = log.verify(&["export.jsonl", "--key", "audit.vkey"]).exits(1);
    assert!(!ran.stdout.contains('\u{1b}'), "{}", ran.stdout);
    let mut tree = Frontier::new();
    tree.append(leaf_hash(b"x"));
    let mut export = String::new();
    let _ = write!(export, "{}{}", header("\u{1b}]0;x\u{7}", &Frontier::new()), checkpoint(&log.note(0)));
    log.write("export.jsonl", &export);
    let ran = log.verify(&["export.jsonl", "--key", "audit.vkey"]).exits(1);
    assert!(!ran.stdout.contains('\u{1b}') && !ran.stdout.contains('\u{7}'), "{}", ran.stdout);
}
