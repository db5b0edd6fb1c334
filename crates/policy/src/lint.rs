//! What can be said about policies without an image: rules that never decide, rules that nothing can pass, rules that contradict
//! each other, environments that nobody judges. Each remark has its place.

use std::collections::{BTreeMap, BTreeSet};

use model::{Clock, EnvironmentClass, Timestamp};

use crate::document::dates::shown;
use crate::document::{Action, Check, Declared, OnUnknown, Rule, Vulnerabilities, places};
use crate::error::DocumentError;
use crate::evaluate::never_counts;
use crate::set::{Member, PolicySet};

/// Something to know about a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Where, what, and what to do about it.
    pub about: DocumentError,
    /// The policy does not do what it says, whatever the image: more than a remark.
    pub is_error: bool,
}

/// With how many earlier rules a rule is compared.
const COMPARED: usize = 100;
/// How many remarks have their place.
const PLACED: usize = 100;

/// What is remarked, by what is at hand for it.
struct Remarks<'a> {
    documents: &'a [(String, String)],
    found: Vec<Remark>,
}

impl Remarks<'_> {
    fn say(&mut self, member: &Member, path: &[places::Step], is_error: bool, what: &str, hint: &str) {
        let Some((file, text)) = self.documents.get(member.document) else { return };
        let error = DocumentError::new(file, what);
        // Each place is found by reading the text once more: whoever has that many remarks has enough to do with the first.
        let place = if self.found.len() < PLACED { places::find(text, path, what) } else { None };
        let error = match place {
            Some((line, column)) => error.at(line, Some(column)),
            None => error,
        };
        self.found.push(Remark { about: if hint.is_empty() { error } else { error.with_hint(hint) }, is_error });
    }

    fn rule(&mut self, member: &Member, index: usize, is_error: bool, what: &str, hint: &str) {
        let id = &member.policy.spec.rules[index].id;
        self.say(member, &places::rule(index), is_error, &format!("rule {id:?}: {what}"), hint);
    }
}

impl PolicySet {
    /// Looks at the policies as they stand at `now`. `documents` are those that the set was read from.
    pub fn lint(&self, documents: &[(String, String)], now: Timestamp) -> Vec<Remark> {
        let clock = Clock::at(now);
        let mut remarks = Remarks { documents, found: Vec::new() };
        for member in self.documents() {
            if let Some((file, text)) = documents.get(member.document)
                && let Ok(declared) = Declared::read(file, text)
            {
                let read = |name: &String| member.programs.values().any(|program| program.words.contains(name));
                for name in declared.unused(text).into_iter().filter(|name| !read(name)) {
                    let what = format!("the parameter {name:?} stands nowhere");
                    remarks.say(
                        member,
                        &places::spec("parameters"),
                        false,
                        &what,
                        "use it as a value, or leave it out",
                    );
                }
            }
            images(member, &mut remarks);
            self.on_unknown(member, &mut remarks);
            for (index, rule) in member.policy.spec.rules.iter().enumerate() {
                if let Some(until) = rule.until.filter(|until| clock.reached(until.0)) {
                    let what = format!("it ended on {} and judges nothing", shown(until.0));
                    remarks.rule(member, index, false, &what, "remove the rule, or give it another `until`");
                }
                signers(member, index, rule, &clock, &mut remarks);
                evidence(member, index, rule, &mut remarks);
                if let Some(program) = member.programs.get(&rule.id) {
                    let unknown = program.unknown.iter().map(|read| read.error().at(read.line, None));
                    remarks.found.extend(unknown.map(|about| Remark { about, is_error: true }));
                }
                // One remark of a kind is enough, and a set of many rules is not compared pair by pair.
                for earlier in member.policy.spec.rules[..index].iter().take(COMPARED) {
                    if says_nothing_new(member, index, rule, earlier, &mut remarks) {
                        break;
                    }
                }
            }
        }
        self.contradictions(&mut remarks);
        self.environments(documents, &mut remarks);
        remarks.found
    }

    /// Not knowing lets images through where nobody wants that by accident.
    fn on_unknown(&self, member: &Member, remarks: &mut Remarks<'_>) {
        let Some(map) = &member.policy.spec.on_unknown else { return };
        let production = self
            .environment_names()
            .any(|(name, class)| class == EnvironmentClass::Production && member.is_for_environment(name));
        if production && map.default == OnUnknown::Warn {
            let what = "`onUnknown.default` is `warn` in production: whatever is not known lets an image through";
            let hint = "name the classes that may, or match non-production environments alone";
            remarks.say(member, &places::spec("onUnknown"), false, what, hint);
        }
    }

    /// What one rule lets pass and another one never does.
    fn contradictions(&self, remarks: &mut Remarks<'_>) {
        let mut allowed: BTreeMap<String, String> = BTreeMap::new();
        let all = || {
            self.documents().flat_map(|member| {
                member.policy.spec.rules.iter().enumerate().map(move |(index, rule)| (member, index, rule))
            })
        };
        for (member, _, rule) in all() {
            for id in rule.vulnerabilities.iter().flat_map(|rule| rule.allow.iter().flatten()) {
                allowed.insert(id.to_uppercase(), format!("{}/{}", member.id.name, rule.id));
            }
        }
        for (member, index, rule) in all() {
            for id in rule.vulnerabilities.iter().flat_map(|rule| rule.deny.iter().flatten()) {
                if let Some(by) = allowed.get(&id.to_uppercase()) {
                    let what = format!("{id} is in `vulnerabilities.deny`, and in `allow` of {by}: it is denied");
                    remarks.rule(member, index, false, &what, "take it out of one of the lists");
                }
            }
        }
    }

    /// Environments in which every image is one that no policy is about.
    fn environments(&self, documents: &[(String, String)], remarks: &mut Remarks<'_>) {
        let names: Vec<String> = self.environment_names().map(|(name, _)| name.to_owned()).collect();
        for name in names {
            if self.documents().any(|member| member.is_for_environment(&name)) {
                continue;
            }
            let declares = |member: &&Member| {
                member.policy.spec.environments.as_ref().is_some_and(|environments| environments.contains_key(&name))
            };
            let Some(member) = self.documents().find(declares) else { continue };
            if documents.get(member.document).is_some() {
                let verdict = self.none_matched(&name).as_str();
                let what = format!(
                    "no policy is for environment {name:?}: every image there is `policy.noneMatched`, {verdict}"
                );
                remarks.say(member, &places::spec("environments"), false, &what, "match it, or do not declare it");
            }
        }
    }
}

/// Patterns that no image in a registry has.
fn images(member: &Member, remarks: &mut Remarks<'_>) {
    let patterns = member.policy.spec.matches.iter().flat_map(|matches| matches.images.iter().flatten());
    for pattern in patterns {
        let first = pattern.split('/').next().unwrap_or(pattern);
        let host = first.contains(['.', ':', '*', '?', '{', '[']) || first == "localhost";
        let reason = if pattern.contains("://") {
            "it begins with a scheme"
        } else if pattern.starts_with('/') || pattern.ends_with('/') || pattern.contains("//") {
            "it has an empty part"
        } else if pattern.bytes().any(|byte| byte.is_ascii_uppercase() || byte.is_ascii_whitespace()) {
            "names of images have neither capitals nor blanks"
        } else if !host || (!pattern.contains('/') && !pattern.contains("**")) {
            "it does not begin with a registry host"
        } else {
            continue;
        };
        let what = format!("`match.images`: {pattern:?} matches no image in a registry: {reason}");
        remarks.say(
            member,
            &places::spec("match"),
            true,
            &what,
            "patterns are for `host/repository`, such as `ghcr.io/acme/**`",
        );
    }
}

/// Rules that count nothing, or that something else has decided before.
fn evidence(member: &Member, index: usize, rule: &Rule, remarks: &mut Remarks<'_>) {
    let from = "without `from` nothing counts; say whose count: `file`, `registry`, or names of `spec.signers`";
    if rule.sbom.as_ref().is_some_and(|rule| rule.from.is_none()) {
        remarks.rule(member, index, true, "`sbom` accepts no bill of materials, so that no image can pass", from);
    }
    if rule.measurements.as_ref().is_some_and(|rule| rule.from.is_none()) {
        remarks.rule(member, index, true, "`measurements` accepts no measurement, so that no image can pass", from);
    }
    if let Some(vulnerabilities) = &rule.vulnerabilities
        && vulnerabilities.grace_period.is_some()
    {
        let what = "`vulnerabilities.gracePeriod` grants nothing yet: first sightings are not recorded by this version";
        remarks.rule(
            member,
            index,
            false,
            what,
            "until then a finding counts at once; an exception with an end date gives time",
        );
    }
    let images = member.policy.spec.matches.iter().flat_map(|matches| matches.images.iter().flatten());
    let images: Vec<&str> = images.map(String::as_str).collect();
    let allowed = rule.registries.iter().flat_map(|rule| rule.allow.iter().flatten());
    let allowed: Vec<String> = allowed.map(|pattern| pattern.text().to_owned()).collect();
    if !images.is_empty() && !allowed.is_empty() && images.iter().all(|image| allowed.iter().any(|text| text == image))
    {
        let what = "`registries.allow` holds every pattern of `match.images`: images from elsewhere are not judged by this policy at all";
        let hint = "leave `match.images` out, so that the rule meets the images that it is to refuse";
        remarks.rule(member, index, false, what, hint);
    }
}

/// Rules that nobody can meet any more.
fn signers(member: &Member, index: usize, rule: &Rule, clock: &Clock, remarks: &mut Remarks<'_>) {
    let Ok(check) = rule.check() else { return };
    let ended = |name: &str| {
        member.signer(name).and_then(|signer| signer.not_after).is_some_and(|until| clock.reached(until.0))
    };
    let lost = |name: &String| never_counts(member, name) || ended(name);
    if let Check::Signatures(signatures) = check {
        for name in signatures.required.iter().flatten().filter(|name| lost(name)) {
            let what = format!(
                "`signatures.required` names {name:?}, who is revoked or whose time has ended: nothing new can pass"
            );
            remarks.rule(member, index, true, &what, "name the signer that takes its place");
        }
    }
    for (key, names) in check.signers() {
        if !names.is_empty() && names.iter().all(lost) && check.on().is_some() {
            let what =
                format!("`{key}` names only signers that are revoked or whose time has ended: nothing new can pass");
            remarks.rule(member, index, true, &what, "name a signer that counts");
        }
    }
}

/// A rule that never decides anything because of an earlier one.
fn says_nothing_new(member: &Member, index: usize, rule: &Rule, earlier: &Rule, remarks: &mut Remarks<'_>) -> bool {
    let before = remarks.found.len();
    let (Ok(one), Ok(other)) = (rule.check(), earlier.check()) else { return false };
    let dated = |rule: &Rule| rule.effective_from.is_some() || rule.until.is_some();
    if dated(rule) || dated(earlier) || one.kind() != other.kind() {
        return false;
    }
    let action = |rule: &Rule| rule.action.or(member.policy.spec.action).unwrap_or(Action::Deny).verdict();
    let (first, says) = (&earlier.id, "remove one of the two");
    if format!("{one:?}") == format!("{other:?}") {
        let what = format!("it says the same as rule {first:?}");
        remarks.rule(member, index, false, &what, says);
    } else if let (Check::Vulnerabilities(one), Check::Vulnerabilities(other)) = (one, other) {
        if action(rule) <= action(earlier) && is_weaker(one, other) {
            let what = format!("it never decides: rule {first:?} has the same or lower limits and weighs as much");
            remarks.rule(member, index, false, &what, says);
        } else if action(rule) >= action(earlier) && is_weaker(other, one) {
            let what = format!("rule {first:?} never decides beside it: its limits are the same or higher");
            remarks.rule(member, index, false, &what, says);
        }
    }
    remarks.found.len() > before
}

/// True if the rules differ in their limits alone, and `one` has none that is lower.
fn is_weaker(one: &Vulnerabilities, other: &Vulnerabilities) -> bool {
    let without = |rule: &Vulnerabilities| format!("{:?}", Vulnerabilities { max: None, ..rule.clone() });
    if without(one) != without(other) {
        return false;
    }
    let limit =
        |rule: &Vulnerabilities, severity: &model::Severity| rule.max.as_ref().and_then(|max| max.get(severity));
    let limited: BTreeSet<_> =
        model::Severity::KNOWN.into_iter().filter(|severity| limit(one, severity).is_some()).collect();
    limited.iter().all(|severity| limit(other, severity) <= limit(one, severity) && limit(other, severity).is_some())
}
