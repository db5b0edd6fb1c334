//! Databases to test on, and rows to write.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
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

    /// On the server of this process. `None` where the environment says that there is no PostgreSQL.
    pub(crate) fn postgres() -> Option<Self> {
        static SERVER: OnceLock<Option<Server>> = OnceLock::new();
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = SERVER.get_or_init(Server::start).as_ref()?;
        // The first one is there.
        let name = match COUNT.fetch_add(1, Ordering::Relaxed) {
            0 => "postgres".to_owned(),
            number => {
                server.sql(&format!("CREATE DATABASE gate{number} TEMPLATE template0"));
                format!("gate{number}")
            }
        };
        Some(Self::on(server, &name))
    }

    /// On a server of its own, for tests that stop it.
    pub(crate) fn alone() -> Option<(Self, Arc<Server>)> {
        let server = Server::start()?;
        Some((Self::on(&server, "postgres"), Arc::new(server)))
    }

    fn on(server: &Server, name: &str) -> Self {
        let url = format!("postgres://postgres@localhost/{name}?host={}", server.folder);
        Self { url, folder: tempfile::tempdir().unwrap(), is_postgres: true }
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

/// A PostgreSQL server. It ends by itself when this is dropped, or this process is gone.
pub(crate) struct Server {
    bin: String,
    folder: String,
    /// Closed, it ends.
    ends: Mutex<Option<(ChildStdin, BufReader<ChildStdout>)>>,
    child: Child,
}

impl Server {
    fn start() -> Option<Self> {
        if std::env::var_os("ECR_GATE_NO_POSTGRES").is_some() {
            println!("skipped: ECR_GATE_NO_POSTGRES is set, so nothing is tested on PostgreSQL");
            return None;
        }
        let bin = bin().expect(
            "PostgreSQL is not installed: tools/setup test installs it; ECR_GATE_NO_POSTGRES=1 leaves its tests out",
        );
        // In a session of its own, so that no signal ends it before it has cleaned up.
        let mut command = Command::new("setsid");
        // PostgreSQL refuses to run as root.
        if is_root() {
            command.args(["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]);
        }
        // The script is read here: the user it runs as may not be able to.
        command.args(["sh", "-c", include_str!("postgres.sh"), "postgres.sh", &bin]);
        command.current_dir("/tmp").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut folder = String::new();
        out.read_line(&mut folder).unwrap();
        assert!(!folder.is_empty(), "PostgreSQL did not start");
        let ends = Mutex::new(Some((child.stdin.take().unwrap(), out)));
        Some(Self { bin, folder: folder.trim().to_owned(), ends, child })
    }

    /// `stop`, `crash`, `start`, `pause`, `resume`; returns when that is done.
    pub(crate) fn tell(&self, word: &str) {
        let mut ends = self.ends.lock().unwrap();
        let ends = ends.as_mut().unwrap();
        writeln!(ends.0, "{word}").unwrap();
        let mut done = String::new();
        ends.1.read_line(&mut done).unwrap();
        assert_eq!(done.trim(), word);
    }

    pub(crate) fn sql(&self, sql: &str) {
        let psql = format!("{}/psql", self.bin);
        let status = Command::new(psql)
            .args([
                "-qX",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                &self.folder,
                "-U",
                "postgres",
                "-d",
                "postgres",
                "-o",
                "/dev/null",
                "-c",
                sql,
            ])
            .status();
        assert!(status.unwrap().success(), "{sql}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.ends.get_mut().unwrap().take());
        self.child.wait().unwrap();
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
