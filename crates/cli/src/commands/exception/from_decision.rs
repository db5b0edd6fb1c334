//! What blocks in a decision, as exceptions to ask for: one for each vulnerability in each package, and one for each other rule.

use std::collections::BTreeSet;

use api::{Exception, ExceptionRequest, ExceptionStateWord};
use serde::Deserialize;

use crate::commands::decisions::segment;
use crate::failure::Failure;
use crate::output::logged;
use crate::server::{Ask, Pages, Server};
use crate::ui::Ui;

/// The most that is asked for at once.
const MOST: usize = 50;
/// The largest decision that is read.
const DECISION: usize = 64 << 20;

#[derive(Deserialize)]
struct Decision {
    image: Image,
    environment: Environment,
    findings: Findings,
    reasons: Vec<Reason>,
}

#[derive(Deserialize)]
struct Image {
    name: String,
    digest: Option<String>,
}

#[derive(Deserialize)]
struct Environment {
    name: String,
}

#[derive(Deserialize)]
struct Findings {
    blocking: Vec<Finding>,
}

#[derive(Deserialize)]
struct Finding {
    id: String,
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

#[derive(Deserialize)]
struct Reason {
    code: String,
    message: String,
    class: Option<String>,
    rules: Vec<String>,
}

/// What an exception can be for: a vulnerability in a package, or a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Blocks {
    Vulnerability(String, Option<String>),
    Rule(String),
}

/// The same request for each thing that blocks, but for what is asked for already.
pub(super) async fn from_decision(
    server: &mut Server,
    id: &str,
    like: &ExceptionRequest,
    ui: Ui,
) -> Result<Vec<ExceptionRequest>, Failure> {
    let id = segment("--decision", id)?;
    let sent = server.send(&Ask::get(format!("decisions/{id}")).limit(DECISION)).await;
    let decision: Decision = sent.and_then(|reply| reply.read()).map_err(|why| why.failure(server))?;
    let Some(digest) = &decision.image.digest else {
        return Err(Failure::configuration(format!("decision {id} names no digest")));
    };
    for reason in decision.reasons.iter().filter(|reason| reason.class.is_some()) {
        let (code, message) = (logged(&reason.code, 100), logged(&reason.message, 500));
        ui.insist(&format!("warning: what is not known cannot be excepted: {code}: {message}"));
    }
    let mut blocks = blocks(&decision);
    if blocks.is_empty() {
        return Err(Failure::configuration(format!("nothing that an exception could be for blocks in decision {id}"))
            .hint(format!("ecr-gate decisions --id {id} shows why it is as it is")));
    }
    if blocks.len() > MOST {
        return Err(Failure::configuration(format!(
            "{} things block in decision {id}: that is no exception",
            blocks.len()
        ))
        .hint("repair what can be repaired, and ask for the rest one by one"));
    }
    let all = Pages { limit: 200, all: true, cursor: None };
    let ask = || Ask::get("exceptions").query("digest", Some(digest)).query("image", Some(&decision.image.name));
    let known = all.read::<Exception>(server, "exceptions", ask).await.map_err(|why| why.failure(server))?.0;
    for (_, exception) in known {
        let is_open = exception.in_force || exception.state == ExceptionStateWord::Requested;
        let is_here = exception.scope.environment.as_ref().is_none_or(|name| *name == decision.environment.name);
        if is_open && is_here && blocks.remove(&waived(&exception)) {
            ui.say(&format!("there is one already: {}", super::line(&exception)));
        }
    }
    let request = |blocks: Blocks| {
        let (cve, package, rule) = match blocks {
            Blocks::Vulnerability(cve, package) => (Some(cve), package, None),
            Blocks::Rule(rule) => (None, None, Some(rule)),
        };
        ExceptionRequest {
            image: Some(format!("{}@{digest}", decision.image.name)),
            cve,
            // What is no vulnerability is not fixed by a package.
            until_fixed: like.until_fixed && rule.is_none(),
            package,
            rule,
            environment: Some(decision.environment.name.clone()),
            decision: Some(id.clone()),
            ..like.clone()
        }
    };
    Ok(blocks.into_iter().map(request).collect())
}

fn blocks(decision: &Decision) -> BTreeSet<Blocks> {
    let mut blocks = BTreeSet::new();
    for finding in &decision.findings.blocking {
        let names: BTreeSet<&str> = finding.packages.iter().map(|package| package.name.as_str()).collect();
        let package = names.first().filter(|_| names.len() == 1).map(|&name| name.to_owned());
        blocks.insert(Blocks::Vulnerability(finding.id.clone(), package));
    }
    let broken = decision.reasons.iter().filter(|reason| reason.class.is_none() && !reason.code.starts_with("vuln."));
    blocks.extend(broken.flat_map(|reason| &reason.rules).cloned().map(Blocks::Rule));
    blocks
}

fn waived(exception: &Exception) -> Blocks {
    let scope = &exception.scope;
    match (&scope.cve, &scope.rule) {
        (Some(cve), _) => Blocks::Vulnerability(cve.clone(), scope.package.clone()),
        (None, rule) => Blocks::Rule(rule.clone().unwrap_or_else(String::new)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b11_each_finding_and_each_broken_rule_is_one_exception() {
        let decision: Decision = serde_json::from_value(serde_json::json!({
            "image": { "name": "r.example/app", "digest": "sha256:00" }, "environment": { "name": "production" },
            "findings": { "blocking": [
                { "id": "CVE-1", "packages": [{ "name": "openssl" }, { "name": "openssl" }], "platform": "linux/amd64" },
                { "id": "CVE-1", "packages": [{ "name": "openssl" }], "platform": "linux/arm64" },
                { "id": "CVE-2", "packages": [{ "name": "a" }, { "name": "b" }] },
                { "id": "CVE-3", "packages": [] },
            ] },
            "reasons": [
                { "code": "vuln.maxExceeded", "message": "m", "class": null, "rules": ["house/scan"] },
                { "code": "config.user", "message": "m", "class": null, "rules": ["house/user", "other/user"] },
                { "code": "scan.missing", "message": "m", "class": "scanMissing", "rules": ["house/scan"] },
            ],
        }))
        .unwrap();
        let vulnerability =
            |id: &str, package: Option<&str>| Blocks::Vulnerability(id.to_owned(), package.map(str::to_owned));
        let expected = [
            vulnerability("CVE-1", Some("openssl")),
            vulnerability("CVE-2", None),
            vulnerability("CVE-3", None),
            Blocks::Rule("house/user".to_owned()),
            Blocks::Rule("other/user".to_owned()),
        ];
        assert_eq!(blocks(&decision).into_iter().collect::<Vec<_>>(), expected);
    }
}
