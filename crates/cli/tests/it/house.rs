//! The house rules that no compiler checks: which crate may use which, what stays free of I/O, and how source files are laid out.
//! The table below is the one in ARCHITECTURE.md; a crate that is not there yet may stand in it already.
//! Each breach is a sentence that says what is wrong and what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

type Outcome = Result<(), Box<dyn Error>>;

/// Who may use whom, in the order data takes.
const EDGES: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("telemetry", &[]),
    ("registry", &["model", "telemetry"]),
    ("aws", &["model", "registry", "telemetry"]),
    ("trust", &["model"]),
    ("signals", &["model"]),
    ("policy", &["model"]),
    ("store", &["model", "telemetry"]),
    ("engine", &["model", "trust", "signals", "policy", "registry", "aws", "store", "telemetry"]),
    ("api", &["model"]),
    ("server", &["engine", "api", "model", "telemetry"]),
    ("kubernetes", &["model"]),
    ("cli", &["server", "engine", "kubernetes", "api", "policy", "trust", "signals", "model"]),
    ("node", &["api", "model"]),
    ("testkit", &["model"]),
];

/// No I/O, no async, no clock: these are fuzzed, replayed and measured alone.
const PURE: &[&str] = &["model", "trust", "signals", "policy", "api"];

const FLOW: &str = "reference → registry, aws → trust → signals → policy → engine → enforcement points";
const MAX_LINES: usize = 500;
const LONG_FILE_HEADER: &str = "//! Over 500 lines: ";

/// What no pure crate may depend on, directly or through others.
fn does_io(package: &str) -> bool {
    let sdk = package.starts_with("aws-") && !package.starts_with("aws-lc-"); // aws-lc is cryptography, not the SDK
    sdk || ["tokio", "reqwest", "hyper", "sqlx"]
        .iter()
        .any(|banned| package == *banned || package.strip_prefix(banned).is_some_and(|rest| rest.starts_with('-')))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or("")
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// The folder's name of one of our crates, from its package name.
fn house_name(package: &str) -> Option<&str> {
    package.strip_prefix("ecr-gate-")
}

/// Breaches of the table, of purity and of the test layout in what `cargo metadata` says. `lock` is who uses whom outside.
fn crate_breaches(metadata: &Value, lock: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut breaches = Vec::new();
    for package in list(metadata, "packages") {
        let Some(name) = house_name(text(package, "name")) else {
            breaches.push(format!("package {} must be called ecr-gate-<its folder in crates/>", text(package, "name")));
            continue;
        };
        let Some((_, allowed)) = EDGES.iter().find(|(known, _)| *known == name) else {
            breaches.push(format!(
                "crates/{name} is not in the house: give it its place in ARCHITECTURE.md and in this test's table"
            ));
            continue;
        };
        for dependency in list(package, "dependencies") {
            let outside = text(dependency, "name");
            let for_tests = text(dependency, "kind") == "dev";
            if ["kube", "k8s-openapi"].contains(&outside) && name != "kubernetes" {
                breaches.push(format!(
                    "crates/{name} may not depend on {outside}: the Kubernetes client stays in crates/kubernetes"
                ));
            }
            match house_name(outside) {
                Some("testkit") if for_tests && name != "testkit" => {}
                Some("testkit") => breaches.push(format!("crates/{name} may use crates/testkit only as a dev-dependency: it is no part of the product")),
                Some(used) if for_tests => breaches.push(format!(
                    "crates/{name} may not use crates/{used} as a dev-dependency: tests that need both belong to a crate that may use both"
                )),
                Some(used) if allowed.contains(&used) => {}
                Some(used) => breaches.push(format!(
                    "crates/{name} may not use crates/{used}: data flows {FLOW}, and an arrow back up is a bug (crates/{name} may use: {})",
                    if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") }
                )),
                None if for_tests || !PURE.contains(&name) => {}
                None => {
                    for reached in reachable(outside, lock).into_iter().filter(|reached| does_io(reached)) {
                        let by = if reached == outside { String::new() } else { format!(" (by way of {outside})") };
                        breaches.push(format!("crates/{name} may not depend on {reached}{by}: it has no I/O, no async and no clock"));
                    }
                }
            }
        }
        let tests: Vec<&str> = list(package, "targets")
            .iter()
            .filter(|t| list(t, "kind").contains(&json!("test")))
            .map(|t| text(t, "name"))
            .collect();
        if tests.len() > 1 {
            breaches.push(format!(
                "crates/{name} has {} integration-test binaries ({}): each links everything again, so make them modules of tests/it/main.rs",
                tests.len(),
                tests.join(", ")
            ));
        }
    }
    breaches
}

/// `package` and all it leads to.
fn reachable(package: &str, lock: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![package.to_owned()]);
    while let Some(next) = open.pop() {
        if seen.insert(next.clone()) {
            open.extend(lock.get(&next).into_iter().flatten().cloned());
        }
    }
    seen
}

/// Cargo.lock as package → packages it uses. Versions of one name are taken together: stricter, never laxer.
fn lock_graph(lock: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let (mut package, mut in_dependencies) = ("", false);
    for line in lock.lines() {
        if let Some(name) = line.strip_prefix("name = ") {
            package = name.trim_matches('"');
            graph.entry(package.to_owned()).or_default();
        } else if in_dependencies && let Some(dependency) = line.strip_prefix(" \"") {
            let name = dependency.split([' ', '"']).next().unwrap_or(dependency);
            graph.entry(package.to_owned()).or_default().insert(name.to_owned());
        } else {
            in_dependencies = line == "dependencies = [";
        }
    }
    graph
}

/// Breaches of the layout in one source file.
fn file_breaches(path: &str, source: &str) -> Vec<String> {
    let mut breaches = Vec::new();
    if path.ends_with("/mod.rs") {
        breaches.push(format!("{path}: a module is foo.rs beside foo/, not foo/mod.rs"));
    }
    if !source.starts_with("//!") {
        breaches.push(format!("{path} must start with `//!`: what it is for and what it is not"));
    }
    let lines = source.lines().count();
    let says_why =
        source.lines().take_while(|line| line.starts_with("//!")).any(|line| line.starts_with(LONG_FILE_HEADER));
    if lines > MAX_LINES && !says_why {
        breaches.push(format!(
            "{path} has {lines} lines: split it, or say why not in a header line `{LONG_FILE_HEADER}<reason>`"
        ));
    }
    breaches
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            rust_files(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

/// The workspace's root. Asked when the test runs, not when it was built: a target folder may be shared between checkouts.
fn root() -> Result<PathBuf, Box<dyn Error>> {
    let here = std::env::var("CARGO_MANIFEST_DIR")?;
    Ok(Path::new(&here).join("../..").canonicalize()?)
}

fn assert_none(breaches: &[String]) {
    assert!(breaches.is_empty(), "the house has {} breaches:\n  {}", breaches.len(), breaches.join("\n  "));
}

#[test]
fn crates_use_only_what_the_house_allows() -> Outcome {
    let root = root()?;
    let output = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(&root)
        .output()?;
    assert!(output.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    assert!(list(&metadata, "packages").len() > 1, "cargo metadata names no crates: the check would pass for nothing");
    let lock = lock_graph(&fs::read_to_string(root.join("Cargo.lock"))?);
    assert!(lock.contains_key("serde"), "Cargo.lock was not understood: the check would pass for nothing");
    assert_none(&crate_breaches(&metadata, &lock));
    Ok(())
}

#[test]
fn source_files_say_what_they_are_for_and_stay_short() -> Outcome {
    let root = root()?;
    let mut files = Vec::new();
    for entry in fs::read_dir(root.join("crates"))? {
        rust_files(&entry?.path().join("src"), &mut files)?;
    }
    assert!(files.len() > 1, "no source files were found: the check would pass for nothing");
    let mut breaches = Vec::new();
    for file in files {
        breaches.extend(file_breaches(&file.strip_prefix(&root)?.display().to_string(), &fs::read_to_string(&file)?));
    }
    breaches.sort();
    assert_none(&breaches);
    Ok(())
}

/// Cargo's answer for one made-up crate: dependencies as (name, kind), and the names of its test binaries.
fn made_up(package: &str, dependencies: &[(&str, Option<&str>)], tests: &[&str]) -> Value {
    let dependencies: Vec<Value> =
        dependencies.iter().map(|(name, kind)| json!({ "name": name, "kind": kind })).collect();
    let targets: Vec<Value> = tests.iter().map(|name| json!({ "name": name, "kind": ["test"] })).collect();
    json!({ "packages": [{ "name": package, "dependencies": dependencies, "targets": targets }] })
}

#[test]
fn an_arrow_back_up_is_told_in_a_sentence() {
    let lock = BTreeMap::new();
    let breach =
        |package, dependency, kind| crate_breaches(&made_up(package, &[(dependency, kind)], &[]), &lock).join("\n");
    assert_eq!(
        breach("ecr-gate-policy", "ecr-gate-engine", None),
        "crates/policy may not use crates/engine: data flows reference → registry, aws → trust → signals → policy → engine → \
         enforcement points, and an arrow back up is a bug (crates/policy may use: model)"
    );
    assert!(breach("ecr-gate-model", "ecr-gate-policy", None).ends_with("(crates/model may use: nothing)"));
    assert!(breach("ecr-gate-policy", "ecr-gate-engine", Some("build")).contains("may not use crates/engine"));
    assert!(breach("ecr-gate-policy", "ecr-gate-signals", Some("dev")).contains("as a dev-dependency"));
    assert!(breach("ecr-gate-cli", "ecr-gate-testkit", None).contains("only as a dev-dependency"));
    assert!(breach("ecr-gate-testkit", "ecr-gate-aws", None).contains("crates/testkit may not use crates/aws"));
    assert!(breach("ecr-gate-attic", "serde", None).contains("not in the house"));
    assert!(breach("attic", "serde", None).contains("must be called ecr-gate-"));
    assert!(breach("ecr-gate-cli", "kube", None).contains("stays in crates/kubernetes"));
    assert_eq!(breach("ecr-gate-kubernetes", "kube", None), "");
    assert_eq!(breach("ecr-gate-engine", "ecr-gate-policy", None), "");
    assert_eq!(breach("ecr-gate-policy", "ecr-gate-testkit", Some("dev")), "");
}

#[test]
fn input_and_output_in_a_pure_crate_are_found_behind_other_crates_too() {
    let lock = lock_graph(
        "[[package]]\nname = \"innocent\"\nversion = \"1.0.0\"\ndependencies = [\n \"hyper 1.0.0\",\n \"serde\",\n]\n\n\
         [[package]]\nname = \"hyper\"\nversion = \"1.0.0\"\ndependencies = [\n \"tokio\",\n]\n",
    );
    let breaches = |package, dependency, kind| crate_breaches(&made_up(package, &[(dependency, kind)], &[]), &lock);
    assert_eq!(
        breaches("ecr-gate-signals", "innocent", None),
        [
            "crates/signals may not depend on hyper (by way of innocent): it has no I/O, no async and no clock",
            "crates/signals may not depend on tokio (by way of innocent): it has no I/O, no async and no clock",
        ]
    );
    for banned in ["tokio", "tokio-util", "reqwest", "hyper-util", "aws-sdk-ecr", "sqlx"] {
        assert_eq!(breaches("ecr-gate-policy", banned, None).len(), 1, "{banned}");
    }
    for fine in ["serde", "aws-lc-rs", "hyperbole"] {
        assert!(breaches("ecr-gate-trust", fine, None).is_empty(), "{fine}");
    }
    assert!(breaches("ecr-gate-policy", "tokio", Some("dev")).is_empty());
    assert!(breaches("ecr-gate-engine", "tokio", None).is_empty());
}

#[test]
fn a_second_test_binary_is_told_in_a_sentence() {
    let breaches = crate_breaches(&made_up("ecr-gate-cli", &[], &["it", "more"]), &BTreeMap::new());
    assert!(breaches.join("\n").starts_with("crates/cli has 2 integration-test binaries (it, more)"), "{breaches:?}");
    assert!(crate_breaches(&made_up("ecr-gate-cli", &[], &["it"]), &BTreeMap::new()).is_empty());
}

#[test]
fn a_long_or_silent_file_is_told_in_a_sentence() {
    let long = "\n".repeat(MAX_LINES);
    assert!(
        file_breaches("crates/x/src/a.rs", &format!("//! A.{long}\n")).join("\n").contains("has 501 lines: split it")
    );
    assert!(file_breaches("crates/x/src/a.rs", &format!("//! A.\n{LONG_FILE_HEADER}a table.{long}\n")).is_empty());
    assert!(file_breaches("crates/x/src/a.rs", "use std::fs;\n").join("\n").contains("must start with `//!`"));
    assert!(file_breaches("crates/x/src/a/mod.rs", "//! A.\n").join("\n").contains("not foo/mod.rs"));
    assert!(file_breaches("crates/x/src/a.rs", "//! A.\n").is_empty());
}
