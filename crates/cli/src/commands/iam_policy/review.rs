//! Judges an IAM policy document: what is wider than ecr-gate — or anything in a pipeline — needs. `Deny` statements
//! only take away and are not judged. What each rule is about is in its `why`.

use serde::Serialize;

use crate::commands::input::shown;

use super::actions::{self, Level, Scope};
use super::document::{At, Document, Statement};
use super::uses::Policy;

/// One thing to mend.
#[derive(Debug, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(super) struct Finding {
    /// `iam.allActions`, …
    pub rule: &'static str,
    /// `Statement[0].Action[1]`
    pub path: String,
    /// What stands there.
    pub value: String,
    pub why: String,
    pub fix: String,
}

/// What the reviewed policy is meant for, if that was said.
#[derive(Debug, Default)]
pub(super) struct Meant<'a> {
    /// The policy ecr-gate would have printed.
    pub ideal: Option<&'a Policy>,
    /// Its name, for messages.
    pub r#use: Option<String>,
    /// The repositories it may name.
    pub repositories: Vec<&'a str>,
}

impl Meant<'_> {
    fn needs(&self, action: &str) -> Option<bool> {
        let ideal = self.ideal?;
        Some(ideal.statement.iter().flat_map(|statement| &statement.action).any(|own| own.eq_ignore_ascii_case(action)))
    }
}

/// Every finding, in document order.
pub(super) fn review(document: &Document, meant: &Meant<'_>) -> Vec<Finding> {
    let mut found = Findings(Vec::new());
    if document.version.as_deref() != Some("2012-10-17") {
        found.add(
            "iam.version",
            "Version",
            document.version.as_deref().unwrap_or("(absent)"),
            "without the version 2012-10-17 IAM reads policy variables such as ${aws:username} as plain text",
            "write \"Version\": \"2012-10-17\"",
        );
    }
    for statement in document.statements.iter().filter(|statement| statement.allow) {
        negations(statement, &mut found);
        principals(statement, &mut found);
        for action in &statement.actions.plain {
            judge_action(action, meant, &mut found);
        }
        resources(statement, meant, &mut found);
    }
    found.0
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, rule: &'static str, path: &str, value: &str, why: impl Into<String>, fix: impl Into<String>) {
        self.0.push(Finding {
            rule,
            path: path.to_owned(),
            value: shown(value, 120),
            why: why.into(),
            fix: fix.into(),
        });
    }
}

fn negations(statement: &Statement, found: &mut Findings) {
    let joined = |items: &[At<String>]| items.iter().map(|item| item.value.as_str()).collect::<Vec<_>>().join(", ");
    for (rule, key, items, grants) in [
        (
            "iam.notAction",
            "NotAction",
            &statement.actions.negated,
            "every action but these, also those AWS adds tomorrow",
        ),
        (
            "iam.notResource",
            "NotResource",
            &statement.resources.negated,
            "every resource but these, also those made tomorrow",
        ),
        ("iam.notPrincipal", "NotPrincipal", &statement.principals.negated, "everybody but these, strangers included"),
    ] {
        if !items.is_empty() {
            let fix = format!("list what is meant under `{}` instead", key.trim_start_matches("Not"));
            found.add(
                rule,
                &format!("{}.{key}", statement.path),
                &joined(items),
                format!("an Allow with {key} grants {grants}"),
                fix,
            );
        }
    }
}

fn principals(statement: &Statement, found: &mut Findings) {
    for principal in &statement.principals.plain {
        let value = principal.value.as_str();
        if value.contains('*') {
            let why = if value != "*" {
                "IAM does not expand wildcards inside a principal: this either fails or means something else"
            } else if statement.has_condition {
                "this grants to everybody whom the Condition lets through; a mistake there opens the repository"
            } else {
                "this grants to every AWS account in the world"
            };
            found.add(
                "iam.publicPrincipal",
                &principal.path,
                value,
                why,
                "name the role: \"AWS\": \"arn:aws:iam::ACCOUNT:role/NAME\"",
            );
        }
    }
}

fn judge_action(action: &At<String>, meant: &Meant<'_>, found: &mut Findings) {
    let value = action.value.as_str();
    let mut add = |rule, why: String, fix: String| found.add(rule, &action.path, value, why, fix);
    let wildcard = value.contains(['*', '?']);
    let listed = "list the actions one by one; `ecr-gate iam-policy --for …` prints them";
    let Some((service, name)) = value.split_once(':') else {
        if wildcard {
            add("iam.allActions", "this grants every action of every AWS service".to_owned(), listed.to_owned());
        } else {
            add("iam.unknownAction", "an action is SERVICE:NAME".to_owned(), "write it as ecr:NAME".to_owned());
        }
        return;
    };
    if service.contains(['*', '?']) {
        return add("iam.allActions", "this grants actions of many AWS services".to_owned(), listed.to_owned());
    }
    if !service.eq_ignore_ascii_case("ecr") {
        return other_service(value, service, name, meant, &mut add);
    }
    if wildcard {
        let matched: Vec<_> = actions::ACTIONS.iter().filter(|known| actions::matches(name, known.name)).collect();
        let names = |level: fn(Level) -> bool| {
            matched.iter().filter(|known| level(known.level)).map(|known| known.name).collect::<Vec<_>>().join(", ")
        };
        let changing = names(|level| level != Level::Read);
        if matched.len() == actions::ACTIONS.len() {
            add(
                "iam.serviceWildcard",
                "this grants everything in ECR, deleting repositories and handing out access included".to_owned(),
                listed.to_owned(),
            );
        } else if changing.is_empty() {
            let why = format!(
                "this also grants what was not asked for, and what AWS adds tomorrow (today: {})",
                names(|_| true)
            );
            add("iam.readWildcard", why, listed.to_owned());
        } else {
            add("iam.writeWildcard", format!("this wildcard grants changes: {changing}"), listed.to_owned());
        }
        return;
    }
    let Some(known) = actions::find(name) else {
        let near = actions::ACTIONS
            .iter()
            .map(|known| (strsim::damerau_levenshtein(&known.name.to_lowercase(), &name.to_lowercase()), known.name))
            .min()
            .filter(|(distance, _)| *distance <= 3);
        let fix = near.map_or_else(
            || "look it up in the AWS Service Authorization Reference".to_owned(),
            |(_, near)| format!("did you mean ecr:{near}?"),
        );
        return add(
            "iam.unknownAction",
            "ECR has no such action; IAM ignores it and the permission is missing".to_owned(),
            fix,
        );
    };
    let needed = meant.needs(&format!("ecr:{}", known.name));
    if known.level == Level::Destructive && needed != Some(true) {
        let why = "this removes images, settings or safeguards, or hands out access; no use of ecr-gate needs it";
        add("iam.destructive", why.to_owned(), "remove it".to_owned());
    } else if known.level == Level::Write && needed == Some(false) {
        let what = meant.r#use.as_deref().unwrap_or("this use");
        add(
            "iam.unneededWrite",
            format!("this changes something in ECR and `{what}` does not need it"),
            "remove it".to_owned(),
        );
    }
}

fn other_service(
    value: &str,
    service: &str,
    name: &str,
    meant: &Meant<'_>,
    add: &mut impl FnMut(&'static str, String, String),
) {
    if name.contains(['*', '?']) {
        add(
            "iam.serviceWildcard",
            format!("this grants many actions of {}, also those AWS adds tomorrow", shown(service, 40)),
            "list the actions one by one, in a policy of its own".to_owned(),
        );
    } else if meant.needs(value) == Some(false) {
        let what = meant.r#use.as_deref().unwrap_or("this use");
        add("iam.otherService", format!("`{what}` does not need it"), "move it to a policy of its own".to_owned());
    }
}

fn resources(statement: &Statement, meant: &Meant<'_>, found: &mut Findings) {
    let repository_level = |action: &At<String>| {
        let name = action.value.split_once(':').map_or(action.value.as_str(), |(_, name)| name);
        let ecr = action.value.split_once(':').is_none_or(|(service, _)| actions::matches(service, "ecr"));
        ecr && actions::ACTIONS
            .iter()
            .any(|known| known.scope == Scope::Repository && actions::matches(name, known.name))
    };
    let Some(narrowable) = statement.actions.plain.iter().find(|action| repository_level(action)) else { return };
    for resource in &statement.resources.plain {
        let value = resource.value.as_str();
        let one = meant.repositories.first().copied().unwrap_or("arn:aws:ecr:REGION:ACCOUNT:repository/NAME");
        let fix = format!(
            "write the one repository: {one}; leave \"*\" to a statement of its own for registry-level actions"
        );
        // Two repositories that have nothing in common: a pattern that covers both covers all.
        let every = [
            "arn:aws:ecr:eu-central-1:123456789012:repository/a",
            "arn:aws:ecr:eu-central-1:123456789012:repository/zz/9",
        ];
        let same_place = {
            let tail = value.splitn(6, ':').nth(5).unwrap_or_default();
            tail.strip_prefix("repository/")
                .is_some_and(|name| actions::matches(name, "a") && actions::matches(name, "zz/9"))
        };
        if same_place || every.iter().all(|arn| actions::matches(value, arn)) {
            let why = format!("{} can be limited to one repository, and here it is not", shown(&narrowable.value, 60));
            found.add("iam.resourceStar", &resource.path, value, why, fix);
        } else if value.contains(['*', '?']) {
            found.add(
                "iam.resourceWildcard",
                &resource.path,
                value,
                "this also covers repositories made tomorrow whose name happens to match",
                fix,
            );
        } else if !meant.repositories.is_empty() && !meant.repositories.contains(&value) {
            found.add(
                "iam.otherRepository",
                &resource.path,
                value,
                "this is not the repository the policy is meant for",
                fix,
            );
        }
    }
}
