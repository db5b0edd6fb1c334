//! Databases to test on, and rows to write.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use model::{Digest, Timestamp, Verdict};
use store::{AnswerRow, Batch, DecisionRow, EvidenceRow, LeafRow, Options, Store};

/// An empty database.
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) is_postgres: bool,
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("gate.db").display());
        Self { url, folder, is_postgres: false }
    }

    /// `None` where the environment says that there is no PostgreSQL.
    pub(crate) fn postgres() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = server()?;
        // The first one is there.
        let name = match COUNT.fetch_add(1, Ordering::Relaxed) {
            0 => "postgres".to_owned(),
            number => {
                server.sql(&format!("CREATE DATABASE gate{number} TEMPLATE template0"));
                format!("gate{number}")
            }
        };
        let url = format!("postgres://postgres@localhost/{name}?host={}", server.folder);
        Some(Self { url, folder: tempfile::tempdir().unwrap(), is_postgres: true })
    }

    pub(crate) fn options(&self) -> Options {
        Options { url: self.url.clone(), migrate: true, readers: 4 }
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(self.options()).await.unwrap()
    }
}

/// Makes a test of each function for each database.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[test] fn $name() { $crate::support::run(Some($crate::support::Database::sqlite()), super::$name) })*
        }
        mod on_postgres {
            $(#[test] fn $name() { $crate::support::run($crate::support::Database::postgres(), super::$name) })*
        }
    };
}
pub(crate) use on_both;

pub(crate) fn run(database: Option<Database>, test: impl AsyncFnOnce(&Database)) {
    let Some(database) = database else { return };
    block_on(async {
        let bound = Duration::from_mins(1);
        tokio::time::timeout(bound, test(&database)).await.expect("the test takes too long");
    });
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// The server of this process.
pub(crate) struct Server {
    bin: String,
    folder: String,
    ends: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    _child: Child,
}

/// Starts PostgreSQL once per process. It ends by itself when this process does.
pub(crate) fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let started = SERVER.get_or_init(|| {
        if std::env::var_os("ECR_GATE_NO_POSTGRES").is_some() {
            return None;
        }
        let bin = bin().expect(
            "PostgreSQL is not installed: tools/setup test installs it; ECR_GATE_NO_POSTGRES=1 leaves its tests out",
        );
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/postgres.sh");
        // In a session of its own, so that no signal ends it before it has cleaned up.
        let mut command = Command::new("setsid");
        // PostgreSQL refuses to run as root.
        if is_root() {
            command.args(["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]);
        }
        // The script is read here: the user it runs as may not be able to.
        command.args(["sh", "-c", &std::fs::read_to_string(script).unwrap(), "postgres.sh", &bin]);
        command.current_dir("/tmp").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut folder = String::new();
        out.read_line(&mut folder).unwrap();
        assert!(!folder.is_empty(), "PostgreSQL did not start");
        let ends = Mutex::new((child.stdin.take().unwrap(), out));
        Some(Server { bin, folder: folder.trim().to_owned(), ends, _child: child })
    });
    if started.is_none() {
        println!("skipped: ECR_GATE_NO_POSTGRES is set, so nothing is tested on PostgreSQL");
    }
    started.as_ref()
}

impl Server {
    /// `stop`, `crash`, `start`, `pause`, `resume`; returns when that is done.
    pub(crate) fn tell(&self, word: &str) {
        let mut ends = self.ends.lock().unwrap();
        writeln!(ends.0, "{word}").unwrap();
        let mut done = String::new();
        ends.1.read_line(&mut done).unwrap();
        assert_eq!(done.trim(), word);
    }

    pub(crate) fn sql(&self, sql: &str) {
        let psql = format!("{}/psql", self.bin);
        let status = Command::new(psql)
            .args(["-qX", "-v", "ON_ERROR_STOP=1", "-h", &self.folder, "-U", "postgres", "-d", "postgres", "-c", sql])
            .status();
        assert!(status.unwrap().success(), "{sql}");
    }
}

fn bin() -> Option<String> {
    let mut versions: Vec<u32> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    versions.sort_unstable();
    let found = versions.iter().rev().map(|version| format!("/usr/lib/postgresql/{version}/bin"));
    found.into_iter().find(|bin| Path::new(bin).join("initdb").exists())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout == b"0\n"
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

/// An id like a UUIDv7: in the order of the numbers.
pub(crate) fn id(number: u64) -> String {
    format!("01990000-0000-7000-8000-{number:012x}")
}

pub(crate) fn digest(of: impl std::fmt::Display) -> Digest {
    Digest::of(of.to_string().as_bytes())
}

pub(crate) fn decision(number: u64) -> DecisionRow {
    DecisionRow {
        id: id(number),
        repository: "registry.example/team/app".to_owned(),
        digest: digest(format!("image {number}")),
        environment: "production".to_owned(),
        verdict: Verdict::Allow,
        policy: digest("policy"),
        facts: None,
        recorded_at: at(i64::try_from(number).unwrap()),
        valid_until: None,
        children: Vec::new(),
        record: format!("{{\"decision\":{number}}}").into_bytes(),
    }
}

pub(crate) fn answer(number: u64, decision: u64) -> AnswerRow {
    AnswerRow {
        id: id(number),
        decision: id(decision),
        point: "ci".to_owned(),
        basis: "allowed".to_owned(),
        asked_by: None,
        pipeline: None,
        commit: None,
        trace_id: None,
        at: at(i64::try_from(number).unwrap()),
        times: 1,
    }
}

pub(crate) fn leaf(number: u64) -> LeafRow {
    LeafRow {
        id: id(number),
        kind: "decision".to_owned(),
        subject: Some(digest(format!("image {number}"))),
        repository: Some("registry.example/team/app".to_owned()),
        at: at(i64::try_from(number).unwrap()),
        bytes: format!("{{\"leaf\":{number}}}").into_bytes(),
        hash: [u8::try_from(number % 251).unwrap(); 32],
        index: None,
    }
}

pub(crate) fn evidence(text: &str) -> EvidenceRow {
    EvidenceRow {
        digest: Digest::of(text.as_bytes()),
        media_type: "application/json".to_owned(),
        bytes: text.as_bytes().to_vec(),
    }
}

/// A decision with its answer and leaf, as the gate writes them.
pub(crate) fn decided(number: u64) -> Batch {
    Batch {
        decisions: vec![decision(number)],
        answers: vec![answer(number, number)],
        leaves: vec![leaf(number)],
        ..Batch::default()
    }
}

/// This test binary once more, running one of the tests that only children run, on this database.
pub(crate) fn child(test: &str, url: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let module = if test == "opens" { "opening" } else { "crashes" };
    command.args([&format!("{module}::{test}"), "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env("ECR_GATE_STORE_CHILD", url).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}
