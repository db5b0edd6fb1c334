//! Runs the built binary against a scripted ECR in an environment of its own. Whatever a test is about, no run may break
//! the promises in [`Ran::keeps_its_promises`].

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use testkit::fixtures::{self, Scan, digest, now};
use testkit::{Answer, Ecr, Script};

/// What never stands in any output: the credentials of [`Ecr::env`] and of the STS fixture, and the tokens of the tests.
pub(crate) const SECRETS: &[&str] =
    &["AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI", "test-session-token", OIDC_TOKEN];
/// An OIDC token that STS would be given.
pub(crate) const OIDC_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJwcm9qZWN0In0.c2lnbmF0dXJl";
/// A process that takes longer than this hangs.
const HANGS: Duration = Duration::from_mins(1);
/// A `--timeout` for tests in which the time has to run out; not so short that a busy machine gets nothing done in it.
pub(crate) const SHORT: &str = "1s";
/// What GitLab reads of a dotenv report.
const DOTENV_LIMIT: usize = 5 * 1024;

/// An endpoint, and a folder that is home and working folder of every run.
pub(crate) struct Gate {
    pub(crate) ecr: Ecr,
    folder: TempDir,
}

impl Gate {
    pub(crate) fn new(script: Script) -> Self {
        Self { ecr: Ecr::start(script), folder: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the test and gives back its path.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// `ecr-gate check` of the tag `v1`, patient for 5 seconds, looking every 50 ms.
    pub(crate) fn check(&self) -> Check<'_> {
        let mut environment: BTreeMap<String, String> =
            self.ecr.env().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        environment.insert("HOME".to_owned(), self.folder.path().to_str().unwrap().to_owned());
        if let Ok(path) = std::env::var("PATH") {
            environment.insert("PATH".to_owned(), path);
        }
        Check {
            gate: self,
            image: Some(fixtures::image("v1", "")),
            timeout: Some("5s".to_owned()),
            poll: Some("50ms".to_owned()),
            arguments: Vec::new(),
            environment,
        }
    }
}

/// One run of the command, to be shaped.
pub(crate) struct Check<'a> {
    gate: &'a Gate,
    image: Option<String>,
    timeout: Option<String>,
    poll: Option<String>,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
}

impl<'a> Check<'a> {
    pub(crate) fn image(mut self, image: impl Into<String>) -> Self {
        self.image = Some(image.into());
        self
    }

    pub(crate) fn without_image(mut self) -> Self {
        self.image = None;
        self
    }

    pub(crate) fn timeout(mut self, timeout: &str) -> Self {
        self.timeout = Some(timeout.to_owned());
        self
    }

    pub(crate) fn poll(mut self, interval: &str) -> Self {
        self.poll = Some(interval.to_owned());
        self
    }

    /// Without `--timeout` and `--poll-interval`.
    pub(crate) fn own_pace(mut self) -> Self {
        (self.timeout, self.poll) = (None, None);
        self
    }

    pub(crate) fn args(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn without(mut self, names: &[&str]) -> Self {
        self.environment.retain(|name, _| !names.contains(&name.as_str()));
        self
    }

    fn complete(&self) -> Vec<String> {
        let mut all = vec!["check".to_owned()];
        let flags = [("--timeout", &self.timeout), ("--poll-interval", &self.poll)];
        for (flag, value) in flags {
            all.extend(value.iter().flat_map(|value| [flag.to_owned(), value.clone()]));
        }
        all.extend(["--output", "table", "--output", "json=decision.json", "--dotenv", "scan.env"].map(str::to_owned));
        all.extend(self.arguments.iter().cloned());
        all.extend(self.image.clone());
        all
    }

    /// The command as it is, not started; stdout and stderr go to files in the folder.
    fn command(&self, program: &str, before: &[String]) -> Command {
        let folder = self.gate.folder.path();
        for name in ["decision.json", "scan.env"] {
            let _ = fs::remove_file(folder.join(name));
        }
        let mut command = Command::new(program);
        command
            .args(before)
            .args(self.complete())
            .env_clear()
            .envs(&self.environment)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(File::create(folder.join("stdout")).unwrap())
            .stderr(File::create(folder.join("stderr")).unwrap());
        command
    }

    /// Starts it; the test has to end it with [`Started::end`].
    pub(crate) fn start(self) -> Started<'a> {
        let child = self.command(env!("CARGO_BIN_EXE_ecr-gate"), &[]).spawn().unwrap();
        Started { folder: self.gate.folder.path(), child, at: Instant::now() }
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Ran {
        self.start().end()
    }

    /// Runs it to its end with at most this much address space.
    pub(crate) fn run_within(self, kilobytes: u64) -> Ran {
        let limit = format!("ulimit -v {kilobytes} && exec \"$@\"");
        let before = ["-c".to_owned(), limit, "sh".to_owned(), env!("CARGO_BIN_EXE_ecr-gate").to_owned()];
        let child = self.command("sh", &before).spawn().unwrap();
        Started { folder: self.gate.folder.path(), child, at: Instant::now() }.end()
    }
}

/// A running check.
pub(crate) struct Started<'a> {
    folder: &'a Path,
    child: Child,
    at: Instant,
}

impl Started<'_> {
    /// Sends it a signal, such as `INT`.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn end(self) -> Ran {
        let ran = self.end_unchecked();
        ran.keeps_its_promises();
        ran
    }

    /// Waits for its end, whatever it gives.
    #[track_caller]
    pub(crate) fn end_unchecked(mut self) -> Ran {
        let status: ExitStatus = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.at.elapsed() > HANGS {
                let _ = self.child.kill();
            }
            thread::sleep(Duration::from_millis(2));
        };
        let text = |name: &str| fs::read_to_string(self.folder.join(name));
        let record = text("decision.json").ok().map(|text| {
            // Whoever keeps a record can print it again: the same bytes.
            let read: engine::Record = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
            let again = serde_json::to_string_pretty(&read).unwrap();
            let value: Value = serde_json::from_str(&text).expect("a record in JSON");
            assert_eq!(serde_json::from_str::<Value>(&again).unwrap(), value, "a record read back");
            // What could steer a terminal is escaped on its way out.
            assert!(text.contains("\\u") || again == text.trim_end(), "{again}\n{text}");
            value
        });
        Ran {
            code: status.code().unwrap_or(-1),
            stdout: text("stdout").unwrap(),
            stderr: text("stderr").unwrap(),
            took: self.at.elapsed(),
            record,
            dotenv: text("scan.env").ok(),
        }
    }
}

/// What became of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
    pub(crate) record: Option<Value>,
    pub(crate) dotenv: Option<String>,
}

impl Ran {
    #[track_caller]
    fn keeps_its_promises(&self) {
        let everything = format!("{}{}{:?}{:?}", self.stdout, self.stderr, self.record, self.dotenv);
        for secret in SECRETS {
            assert!(!everything.contains(secret), "{secret} is shown: {self:#?}");
        }
        assert!(!everything.contains('\u{1b}'), "an escape code: {self:#?}");
        assert!(!everything.contains("panicked"), "{self:#?}");
        let Some(record) = &self.record else {
            // Green is never said without the decision that it rests on.
            assert!(self.code != 0 && self.stdout.is_empty(), "{self:#?}");
            let dotenv = self.dotenv.as_deref().unwrap_or("");
            assert!(!dotenv.contains("VULN_") && !dotenv.contains("=allow") && !dotenv.contains("=warn"), "{self:#?}");
            return;
        };
        let verdict = record["verdict"].as_str().unwrap();
        assert_eq!(record["exitCode"], self.code, "{self:#?}");
        assert!(self.code != 0 || ["allow", "warn"].contains(&verdict), "{self:#?}");
        assert!(verdict != "allow" || self.code == 0, "{self:#?}");
        assert!(self.stdout.starts_with(&verdict.to_uppercase()), "{self:#?}");
        let dotenv = self.dotenv.as_ref().expect("a dotenv report beside every record");
        assert!(dotenv.len() < DOTENV_LIMIT && dotenv.contains(&format!("ECR_GATE_VERDICT={verdict}\n")), "{self:#?}");
        // S14: a zero that nobody counted would be read as clean.
        assert_eq!(dotenv.contains("VULN_"), !record["findings"]["counts"].is_null(), "{self:#?}");
        if verdict != "allow" {
            assert!(self.stdout.contains("\n  -> "), "no remedy: {self:#?}");
        }
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// A reason of the record.
    #[track_caller]
    pub(crate) fn because(self, code: &str) -> Self {
        assert!(self.reasons().contains(&code), "{code}: {self:#?}");
        self
    }

    /// Anywhere on stdout or stderr.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text) || self.stderr.contains(text), "{text:?}: {self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn within(self, limit: Duration) -> Self {
        assert!(self.took <= limit, "{limit:?}: {self:#?}");
        self
    }

    pub(crate) fn reasons(&self) -> Vec<&str> {
        let reasons = self.record.as_ref().and_then(|record| record["reasons"].as_array());
        reasons.into_iter().flatten().filter_map(|reason| reason["code"].as_str()).collect()
    }

    #[track_caller]
    pub(crate) fn record(&self) -> &Value {
        self.record.as_ref().unwrap_or_else(|| panic!("no record: {self:#?}"))
    }

    /// A value of the dotenv report.
    #[track_caller]
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        let dotenv = self.dotenv.as_ref().unwrap_or_else(|| panic!("no dotenv report: {self:#?}"));
        dotenv.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
    }
}

/// Does each case on one of several gates at a time, and gives back what became of it, in order.
pub(crate) fn each<T: Sync, R: Send>(cases: &[T], run: impl Fn(&Gate, &T) -> R + Sync) -> Vec<R> {
    const WORKERS: usize = 8;
    let next = AtomicUsize::new(0);
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let work = || {
            let gate = Gate::new(Script::new());
            let mut done = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(case) = cases.get(number) else { return done };
                done.push((number, run(&gate, case)));
            }
        };
        let workers: Vec<_> = (0..WORKERS.min(cases.len())).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a case failed; see above")).collect()
    });
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

/// When the image of the tests was pushed: longer ago than a scan on push takes to appear.
pub(crate) fn pushed() -> i64 {
    now() - 300
}

/// `DescribeImages`: the tag `v1` is [`digest`]`(1)`.
pub(crate) fn described() -> Answer {
    Answer::json(fixtures::describe_images(&digest(1), &["v1"], pushed()))
}

/// A basic scan of it, complete and empty.
pub(crate) fn basic() -> Scan {
    Scan::basic(&digest(1), now() - 60)
}

/// An enhanced scan of it, active and empty.
pub(crate) fn enhanced() -> Scan {
    Scan::enhanced(&digest(1), now() - 60)
}

/// The image is there, and this is said about its scan; the last answer for ever.
pub(crate) fn scanned(answers: impl IntoIterator<Item = Answer>) -> Script {
    let script = Script::new().on("DescribeImages", described());
    answers.into_iter().fold(script, |script, answer| script.on("DescribeImageScanFindings", answer))
}

/// The image is there, and this is its scan.
pub(crate) fn scan(scan: &Scan) -> Script {
    scanned([Answer::json(scan.value())])
}

/// `ScanNotFoundException`
pub(crate) fn no_scan() -> Answer {
    Answer::error("ScanNotFoundException", "Image scan does not exist for the image")
}

/// A policy document with this `spec`, indented by two.
pub(crate) fn policy(spec: &str) -> String {
    let spec = spec.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n");
    format!("apiVersion: ecr-gate.dev/v1\nkind: GatePolicy\nmetadata: {{ name: house }}\nspec:\n{spec}\n")
}
