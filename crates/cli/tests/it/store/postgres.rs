//! From SQLite to PostgreSQL and back, by the commands that a person uses.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use super::{decided, export, run};

/// A PostgreSQL server, the one of the store's tests. It ends when its standard input is closed.
struct Postgres {
    child: Child,
    url: String,
}

impl Postgres {
    /// `None` where the environment says that there is none.
    fn start() -> Option<Self> {
        if std::env::var_os("ECR_GATE_NO_POSTGRES").is_some() {
            println!("skipped: ECR_GATE_NO_POSTGRES is set, so nothing is tested on PostgreSQL");
            return None;
        }
        let versions = std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is not installed: tools/setup test");
        let mut found: Vec<_> = versions.map(|version| version.unwrap().path().join("bin")).collect();
        found.sort();
        let bin = found.pop().unwrap();
        let mut command = Command::new("setsid");
        // PostgreSQL refuses to run as root.
        if Command::new("id").arg("-u").output().unwrap().stdout == b"0\n" {
            command.args(["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]);
        }
        command.args(["sh", "-c", include_str!("../../../../store/tests/it/postgres.sh"), "postgres.sh"]).arg(bin);
        let mut child = command.current_dir("/tmp").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut folder = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut folder).unwrap();
        assert!(!folder.is_empty(), "PostgreSQL did not start");
        let url = format!("postgres://postgres:s3cret@localhost/postgres?host={}", folder.trim());
        Some(Self { child, url })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

#[test]
fn o1_a_database_moves_to_postgresql_and_back() {
    let Some(postgres) = Postgres::start() else { return };
    let gate = decided();
    let all = export(&gate, "data/gate.db");
    gate.write("all.jsonl", &all);
    let on = |arguments: &[&str]| {
        let said = run(&gate, &[arguments, &["--database-url", &postgres.url]].concat());
        assert!(!said.stdout.contains("s3cret") && !said.stderr.contains("s3cret"), "a password is shown: {said:?}");
        said
    };
    on(&["store", "status"]).exits(0).says("none yet").says("(postgres)");
    on(&["store", "prune", "--answers-before", "1d"]).exits(3).says("hint: `ecr-gate store migrate`");
    on(&["store", "migrate"]).exits(0).says("made");
    on(&["store", "import", "all.jsonl"]).exits(0).says("imported: ");
    on(&["store", "import", "all.jsonl"]).exits(3).says("is not empty");
    let moved = on(&["store", "export"]).exits(0).stdout;
    assert_eq!(moved, all);
    gate.write("moved.jsonl", &moved);
    run(&gate, &["store", "import", "moved.jsonl", "--database-url", "sqlite:back.db"]).exits(0);
    assert_eq!(export(&gate, "back.db"), all);
    for refused in [&["store", "backup", "x.db"][..], &["store", "restore", "all.jsonl"]] {
        on(refused).exits(3).says("its own tools");
    }
    let status = on(&["store", "status", "--output", "json"]).exits(0).json();
    assert_eq!((&status["backend"], &status["rows"]["decisions"]), (&"postgres".into(), &1.into()));
    // Entries of this second are not from before it.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let dropped = on(&["audit", "drop", "--before", "0s", "--by", "me", "--yes", "--output", "json"]).exits(0).json();
    assert!(dropped["dropped"].as_u64().unwrap() > 0, "{dropped}");
}
