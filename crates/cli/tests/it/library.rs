//! The ready policies and the documented ones, as a reader has them: every policy in `policies/` loads, passes its tests, and no
//! rule of it is without a test that saw it pass and one that saw it not pass; and so it is with the example of every page of
//! `docs/reference/rules`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The workspace's root. Asked when the test runs, for a target folder may be shared between checkouts.
fn root() -> PathBuf {
    let crate_folder = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    Path::new(&crate_folder).ancestors().nth(2).unwrap().to_owned()
}

/// Runs `ecr-gate policy …`; what it says if it does not succeed.
fn policy(arguments: &[&str], in_folder: &Path) -> Result<String, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecr-gate"));
    let ran = command.env_clear().current_dir(in_folder).arg("policy").args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let said = format!("{}{}", text(&ran.stdout), text(&ran.stderr));
    if ran.status.success() { Ok(said) } else { Err(format!("policy {arguments:?}: {}\n{said}", ran.status)) }
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn is_kind(path: &Path, kind: &str) -> bool {
    let yaml = path.extension().is_some_and(|extension| extension == "yaml");
    yaml && fs::read_to_string(path).unwrap().lines().any(|line| line == format!("kind: {kind}"))
}

#[test]
fn b10_every_ready_policy_loads() {
    let policies: Vec<PathBuf> =
        files(&root().join("policies")).into_iter().filter(|path| is_kind(path, "GatePolicy")).collect();
    assert!(policies.len() >= 14, "{policies:?}");
    for file in policies {
        let said = policy(&["check", file.to_str().unwrap()], &root()).unwrap_or_else(|said| panic!("{said}"));
        assert!(said.contains("ok: policy "), "{said}");
    }
}

#[test]
fn b10_the_library_is_in_the_layout_that_fmt_writes() {
    let library = files(&root().join("policies"));
    let documents = library.iter().filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let documents = documents.map(|path| path.to_str().unwrap());
    let arguments: Vec<&str> = ["fmt", "--check"].into_iter().chain(documents).collect();
    policy(&arguments, &root()).unwrap_or_else(|said| panic!("{said}"));
}

#[test]
fn b10_every_rule_of_every_ready_policy_is_seen_to_pass_and_not_to_pass() {
    let said = policy(&["test", "policies", "--min-coverage", "100"], &root());
    said.unwrap_or_else(|said| panic!("{said}"));
}

/// Coverage is of the policies that tests name, so one that no test names would not be missed.
#[test]
fn b10_every_ready_policy_has_tests_and_a_page() {
    let all = files(&root().join("policies"));
    let mut tested = BTreeSet::new();
    for test in all.iter().filter(|path| is_kind(path, "GatePolicyTest")) {
        let text = fs::read_to_string(test).unwrap();
        let listed = text.lines().find_map(|line| line.strip_prefix("policies: [")).unwrap();
        for name in listed.trim_end_matches(']').split(',') {
            tested.insert(test.with_file_name(name.trim()));
        }
    }
    for file in all.iter().filter(|path| is_kind(path, "GatePolicy")) {
        assert!(tested.contains(file), "{} has no test beside it", file.display());
        assert!(file.with_file_name("README.md").is_file(), "{} has no README.md beside it", file.display());
    }
    let list = fs::read_to_string(root().join("policies/README.md")).unwrap();
    for folder in all.iter().filter_map(|path| path.parent()?.file_name()?.to_str()).filter(|name| *name != "policies")
    {
        assert!(list.contains(&format!("({folder}/README.md)")), "policies/README.md does not list {folder}");
    }
}

/// An example key that somebody deploys must let nothing pass, and say what it is.
#[test]
fn b15_keys_of_ready_policies_say_that_they_are_examples() {
    let keys: Vec<PathBuf> = files(&root().join("policies"))
        .into_iter()
        .filter(|path| fs::read_to_string(path).unwrap().lines().any(|line| line.starts_with("-----BEGIN")))
        .collect();
    assert!(keys.len() >= 4, "{keys:?}");
    for key in keys {
        let text = fs::read_to_string(&key).unwrap();
        assert!(text.starts_with("EXAMPLE KEY") && !text.contains("PRIVATE"), "{}", key.display());
    }
}

/// The fenced blocks of a page in one language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line.strip_prefix("```") == Some(language) {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push(block.join("\n") + "\n");
        }
    }
    blocks
}

/// Runs the policy and the test of a page in a folder of their own.
fn run_page(text: &str) -> Result<(), String> {
    let folder = TempDir::new().unwrap();
    let mut written = BTreeSet::new();
    for block in blocks(text, "rego") {
        // The policy of a page names it by its package.
        let package = block.lines().find_map(|line| line.strip_prefix("package ")).unwrap_or("");
        fs::write(folder.path().join(format!("{package}.rego")), block).unwrap();
    }
    for block in blocks(text, "yaml") {
        let kinds = [
            ("GatePolicy", "policy.yaml"),
            ("GatePolicyTest", "policy.test.yaml"),
            ("GateExceptions", "exceptions.yaml"),
        ];
        let says = |kind: &str| block.lines().any(|line| line == format!("kind: {kind}"));
        let Some((_, name)) = kinds.into_iter().find(|(kind, _)| says(kind)) else {
            return Err(format!("a block is no whole document, so that nothing tests it:\n{block}"));
        };
        if !written.insert(name) {
            return Err(format!("there are two blocks for {name}"));
        }
        fs::write(folder.path().join(name), block).unwrap();
    }
    for name in ["policy.yaml", "policy.test.yaml"] {
        if !written.contains(name) {
            return Err(format!("there is no block for {name}"));
        }
    }
    policy(&["test", ".", "--min-coverage", "100"], folder.path()).map(drop)
}

#[test]
fn b10_the_example_of_every_rule_is_tested() {
    let folder = root().join("docs/reference/rules");
    let contents = fs::read_to_string(folder.join("README.md")).unwrap();
    let (mut pages, mut wrong) = (BTreeSet::new(), Vec::new());
    for page in files(&folder).into_iter().filter(|page| !page.ends_with("README.md")) {
        let name = page.file_stem().unwrap().to_str().unwrap().to_owned();
        if !contents.contains(&format!("({name}.md)")) {
            wrong.push(format!("README.md does not list {name}"));
        }
        if let Err(said) = run_page(&fs::read_to_string(&page).unwrap()) {
            wrong.push(format!("{name}: {said}"));
        }
        pages.insert(name);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for kind in kinds() {
        assert!(pages.contains(&kind), "the rule {kind} has no page in {}", folder.display());
    }
}

/// The kinds of rule there are, by the schema.
fn kinds() -> Vec<String> {
    let schema: serde_json::Value = serde_json::from_str(&policy(&["schema"], &root()).unwrap()).unwrap();
    let kinds = schema["$defs"]["Rule"]["oneOf"].as_array().unwrap();
    kinds.iter().map(|kind| kind["required"][0].as_str().unwrap().to_owned()).collect()
}

#[test]
fn b10_a_page_whose_example_is_missing_or_untested_is_found() {
    for (page, says) in [
        ("no block at all", "no block for policy.yaml"),
        ("```yaml\nkind: GatePolicy\n```\n", "no block for policy.test.yaml"),
        ("```yaml\nmax: 3\n```\n", "no whole document"),
        ("```yaml\nkind: GatePolicy\n```\n```yaml\nkind: GatePolicy\n```\n", "two blocks"),
        ("```yaml\nkind: GatePolicy\n```\n```yaml\nkind: GatePolicyTest\n```\n", "policy [\"test\""),
    ] {
        let said = run_page(page).unwrap_err();
        assert!(said.contains(says), "{page}: {said}");
    }
}
