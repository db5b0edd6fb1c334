//! `ecr-gate store` and `ecr-gate audit drop` from the outside, on SQLite, beside a service that runs and after it has ended.

mod postgres;

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _};

use crate::gate::{Gate, basic, scan};
use crate::service::Said;
use crate::service::real::Real;

/// A folder, without any service.
fn bare() -> Gate {
    Gate::new(testkit::Script::new())
}

/// Runs a command in the gate's folder, with the data in `data`.
#[track_caller]
fn run(gate: &Gate, arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecr-gate"));
    command.args(arguments).env_clear().env("ECR_GATE_DATA_DIR", "data").current_dir(gate.path(""));
    let ran = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: ran.status.code().unwrap(), stdout: text(ran.stdout), stderr: text(ran.stderr) }
}

/// Puts words into a database that no command of ours would.
fn sql(gate: &Gate, file: &str, statements: &str) {
    let url = format!("sqlite://{}", gate.path(file).display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        connection.execute(sqlx::AssertSqlSafe(statements.to_owned())).await.unwrap();
        connection.close().await.unwrap();
    });
}

/// A gate whose service made a decision and has ended.
fn decided() -> Gate {
    let gate = Gate::new(scan(&basic()));
    let real = Real::start(&gate);
    let id = real.check(&gate).run().exits(0).record()["id"].as_str().unwrap().to_owned();
    let begun = Instant::now();
    while real.run(&gate, &["audit", "proof", &id]).code != 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "never logged");
        thread::sleep(Duration::from_millis(100));
    }
    real.end();
    gate
}

#[track_caller]
fn rows(gate: &Gate, table: &str) -> u64 {
    run(gate, &["store", "status", "--output", "json"]).exits(0).json()["rows"][table].as_u64().unwrap()
}

fn export(gate: &Gate, database: &str) -> String {
    run(gate, &["store", "export", "--database-url", &format!("sqlite:{database}")]).exits(0).stdout
}

#[test]
fn status_tells_what_is_there_and_makes_nothing() {
    let gate = bare();
    run(&gate, &["store", "status"]).exits(3).says("is no file").says("hint: one that is not there yet is made by");
    run(&gate, &["store", "prune", "--answers-before", "1d"]).exits(3).says("is no file");
    run(&gate, &["audit", "drop", "--before", "1d", "--by", "me", "--yes"]).exits(3).says("is no file");
    assert!(!gate.path("data").exists(), "what only looks makes nothing");

    fs::create_dir(gate.path("data")).unwrap();
    gate.write("data/gate.db", "");
    run(&gate, &["store", "status"]).exits(0).says("none yet").says("hint: `ecr-gate store migrate`");
    run(&gate, &["store", "export"]).exits(3).says("hint: `ecr-gate store migrate`");
    let status = run(&gate, &["store", "status", "--output", "json"]).exits(0).json();
    assert_eq!((&status["schema"], &status["upToDate"], &status["rows"]), (&json!(0), &json!(false), &json!({})));

    let migrated = run(&gate, &["store", "migrate", "--output", "json"]).exits(0).json();
    assert_eq!(migrated, json!({ "from": 0, "to": status["knownSchema"] }));
    run(&gate, &["store", "migrate"]).exits(0).says("up to date already");
    run(&gate, &["store", "status"]).exits(0).says("up to date").says("decisions");
    let status = run(&gate, &["store", "status", "--output", "json"]).exits(0).json();
    assert_eq!((&status["upToDate"], &status["rows"]["decisions"]), (&json!(true), &json!(0)));
    assert_eq!(status["backend"], "sqlite");
    assert!(status["sizeBytes"].as_u64().unwrap() > 4096);
}

#[test]
fn a_newer_schema_is_refused_by_every_command_and_left_as_it_is() {
    let gate = bare();
    run(&gate, &["store", "migrate"]).exits(0);
    let old = export(&gate, "data/gate.db");
    gate.write("old.jsonl", &old);
    sql(
        &gate,
        "data/gate.db",
        "UPDATE _sqlx_migrations SET version = 99 WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)",
    );
    let before = fs::read(gate.path("data/gate.db")).unwrap();
    for arguments in [
        &["store", "status"][..],
        &["store", "migrate"],
        &["store", "backup", "backup.db"],
        &["store", "export"],
        &["store", "import", "old.jsonl"],
        &["store", "prune", "--answers-before", "1d"],
        &["store", "prune", "--answers-before", "1d", "--dry-run"],
        &["audit", "drop", "--before", "1d", "--by", "me", "--yes"],
    ] {
        let said = run(&gate, arguments).exits(3).says("schema 99").says("hint: a newer version wrote it");
        assert_eq!(said.stdout, "", "{arguments:?}");
    }
    assert_eq!(fs::read(gate.path("data/gate.db")).unwrap(), before);
    assert!(!gate.path("backup.db").exists());
    // An export of a newer version, too.
    let (head, rows) = old.split_once("\"store\":").unwrap();
    let (_, rows) = rows.split_once('}').unwrap();
    gate.write("newer.jsonl", format!("{head}\"store\":99}}{rows}"));
    run(&gate, &["store", "import", "newer.jsonl", "--data-dir", "other"])
        .exits(3)
        .says("the export newer.jsonl has schema 99");
}

#[test]
fn o1_beside_a_running_service_one_may_look_and_nothing_else() {
    let gate = Gate::new(scan(&basic()));
    let real = Real::start(&gate);
    real.check(&gate).run().exits(0);
    run(&gate, &["store", "status"]).exits(0).says("up to date");
    run(&gate, &["store", "backup", "backup.db"]).exits(0);
    run(&gate, &["store", "export", "export.jsonl"]).exits(0).says("exported: ");
    run(&gate, &["store", "prune", "--answers-before", "1d", "--dry-run"]).exits(0);
    for arguments in [
        &["store", "migrate"][..],
        &["store", "restore", "backup.db"],
        &["store", "import", "export.jsonl"],
        &["store", "prune", "--answers-before", "1d"],
        &["audit", "drop", "--before", "1d", "--by", "me", "--yes"],
    ] {
        run(&gate, arguments)
            .exits(3)
            .says("is in use by another process (process ")
            .says("hint: one process has a SQLite file");
    }
    // What was written meanwhile is whole.
    run(&gate, &["store", "restore", "backup.db", "--database-url", "sqlite:restored.db"]).exits(0);
    let restored =
        run(&gate, &["store", "status", "--output", "json", "--database-url", "sqlite:restored.db"]).exits(0).json();
    assert_eq!(restored["rows"]["decisions"], 1);
    run(&gate, &["store", "import", "export.jsonl", "--database-url", "sqlite:imported.db"]).exits(0);
    real.end();
}

#[test]
fn what_was_moved_is_what_was_there_and_nothing_is_overwritten() {
    let gate = decided();
    let all = export(&gate, "data/gate.db");
    assert!(all.lines().count() > 30 && all.contains("{\"columns\":"), "{all}");
    run(&gate, &["store", "backup", "backup.db"]).exits(0);
    run(&gate, &["store", "backup", "backup.db"]).exits(3).says("the backup backup.db: it exists already");
    run(&gate, &["store", "restore", "backup.db"]).exits(3).says("is not empty").says("hint: nothing is overwritten");
    run(&gate, &["store", "restore", "nothing.db"]).exits(3);
    let to = |file: &str| format!("sqlite:{file}");
    run(&gate, &["store", "restore", "backup.db", "--database-url", &to("restored.db")]).exits(0);
    assert_eq!(export(&gate, "restored.db"), all);

    run(&gate, &["store", "export", "all.jsonl"]).exits(0);
    assert_eq!(fs::read_to_string(gate.path("all.jsonl")).unwrap(), all);
    run(&gate, &["store", "export", "all.jsonl"]).exits(3).says("is there already");
    run(&gate, &["store", "import", "all.jsonl", "--database-url", &to("moved.db")]).exits(0).says("imported: ");
    assert_eq!(export(&gate, "moved.db"), all);
    run(&gate, &["store", "import", "all.jsonl", "--database-url", &to("moved.db")]).exits(3).says("is not empty");

    // Cut off, or changed: nothing of it is taken.
    gate.write("cut.jsonl", all.lines().take(20).fold(String::new(), |text, line| text + line + "\n"));
    gate.write(
        "changed.jsonl",
        all.replacen("\"production\"", "\"productiom\"", 1).replacen("\"decision\"", "\"decisiom\"", 1),
    );
    for file in ["cut.jsonl", "changed.jsonl"] {
        let url = to(&format!("{file}.db"));
        run(&gate, &["store", "import", file, "--database-url", &url])
            .exits(3)
            .says(file)
            .says("hint: nothing was imported");
        let status = run(&gate, &["store", "status", "--output", "json", "--database-url", &url]).exits(0).json();
        assert_eq!(status["rows"]["decisions"], 0);
    }
    let mut damaged = fs::read(gate.path("backup.db")).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 5000].fill(0xAA);
    fs::write(gate.path("damaged.db"), damaged).unwrap();
    run(&gate, &["store", "restore", "damaged.db", "--database-url", &to("none.db")])
        .exits(3)
        .says("the backup damaged.db: it is damaged");
    assert!(!gate.path("none.db").exists());
}

#[test]
fn o3_what_is_old_is_forgotten_and_only_what_was_named() {
    let gate = decided();
    for wrong in [
        &["store", "prune"][..],
        &["store", "prune", "--answers-before", "2999-01-01"],
        &["store", "prune", "--answers-before", "soon"],
    ] {
        run(&gate, wrong).exits(64).says("hint: ");
    }
    let before = rows(&gate, "answers");
    assert!(before > 0);
    let prune = |more: &[&str]| -> Value {
        let arguments = [&["store", "prune", "--answers-before", "2020-01-01", "--output", "json"], more].concat();
        run(&gate, &arguments).exits(0).json()["pruned"].clone()
    };
    assert_eq!(prune(&[]), json!({ "answers": { "before": "2020-01-01T00:00:00Z", "rows": 0 } }));
    sql(
        &gate,
        "data/gate.db",
        "UPDATE answers SET at = 0; UPDATE decisions SET recorded_at = 0; UPDATE evidence SET stored_at = 0",
    );
    assert_eq!(prune(&["--dry-run"])["answers"]["rows"], before);
    assert_eq!(rows(&gate, "answers"), before, "a dry run forgot something");
    let others = ["decisions", "evidence", "leaves"].map(|table| rows(&gate, table));
    assert_eq!(prune(&[])["answers"]["rows"], before);
    assert_eq!(
        (rows(&gate, "answers"), ["decisions", "evidence", "leaves"].map(|table| rows(&gate, table))),
        (0, others)
    );
    // Old as it is, the newest decision about an image stays, and so does what it rests on.
    let kept = prune(&["--decisions-before", "2020-01-01", "--evidence-before", "2020-01-01"]);
    assert_eq!((&kept["decisions"]["rows"], &kept["evidence"]["rows"]), (&json!(0), &json!(0)));
}

#[test]
fn o3_the_audit_logs_text_is_dropped_by_an_explicit_command_that_leaves_a_trace() {
    let gate = decided();
    let all = export(&gate, "data/gate.db");
    sql(&gate, "data/gate.db", "UPDATE leaves SET at = 0 WHERE kind = 'decision'");
    let drop = ["audit", "drop", "--before", "2020-01-01", "--by", "Jo Doe", "--output", "json"];
    let aged = export(&gate, "data/gate.db");
    run(&gate, &drop).exits(64).says("would be lost for good").says("audit export").says("--yes");
    run(&gate, &["audit", "drop", "--before", "2020-01-01", "--yes"]).exits(64).says("hint: say it with --by");
    assert_eq!(export(&gate, "data/gate.db"), aged, "refused, and something changed");
    let said = run(&gate, &[&drop[..], &["--yes"]].concat()).exits(0).json();
    assert_eq!(said, json!({ "before": "2020-01-01T00:00:00Z", "by": "Jo Doe", "dropped": 1 }));
    assert_ne!(export(&gate, "data/gate.db"), all);

    // The log still verifies, and tells.
    let real = Real::start(&gate);
    let begun = Instant::now();
    let text = loop {
        let text = real.run(&gate, &["audit", "export"]).exits(0).stdout;
        if text.contains("\"kind\":\"audit.dropped\"") {
            break text;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "no trace: {text}");
        thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(text.matches("\"entry\":null").count(), 1, "{text}");
    assert!(text.contains("\"body\":{\"before\":\"2020-01-01T00:00:00Z\",\"by\":\"Jo Doe\"}"), "{text}");
    gate.write("export.jsonl", text);
    let key = gate.write("audit.vkey", real.run(&gate, &["audit", "key"]).exits(0).stdout);
    run(&gate, &["audit", "verify", "export.jsonl", "--key", &key]).exits(0).says("dropped      1 entry");
    real.end();
}
