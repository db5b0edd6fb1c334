//! Reading a test file, running its tests, and what differs from what was expected.

use std::collections::BTreeSet;
use std::fmt;

use model::{Ask, Facts, Judgement, Outcome, Reason, ReasonCode, RecordedFacts, RuleResult, Timestamp};
use serde_json::Value;

use super::document::{Document, Expected, Test};
use super::make::{self, At};
use crate::document::{Problem, read_open_yaml};
use crate::error::{DocumentError, suggest};
use crate::evaluate::evaluate;
use crate::exceptions::Exceptions;
use crate::set::PolicySet;

/// The environment and the moment of a test that says nothing about them.
const ENVIRONMENT: &str = "production";
const NOW: &str = "2026-01-01T12:00:00Z";

/// A test file that was read.
#[derive(Debug, Clone)]
pub struct TestFile {
    file: String,
    text: String,
    document: Document,
}

/// The policies that tests are for.
#[derive(Debug, Clone, Copy)]
pub struct Tested<'a> {
    /// The policies.
    pub policies: &'a PolicySet,
    /// The names of their files, in the order of the policies: a path in a policy is relative to its own file.
    pub files: &'a [String],
    /// The exceptions that are honoured.
    pub exceptions: &'a Exceptions,
}

/// One test of a file.
#[derive(Debug, Clone, Copy)]
pub struct TestCase<'a> {
    file: &'a TestFile,
    place: usize,
    test: &'a Test,
}

/// What came out of a test.
#[derive(Debug, Clone)]
pub struct TestOutcome {
    /// The judgement.
    pub judgement: Judgement,
    /// What is not as it was expected; nothing, if the test passed.
    pub differences: Vec<Difference>,
}

/// One thing that is not as it was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `verdict`, `reasons`, `message`, or `rule POLICY/RULE`.
    pub what: String,
    /// What was expected.
    pub expected: String,
    /// What came out.
    pub found: String,
    /// Why it came out so, as the rules say.
    pub reasons: Vec<Why>,
}

/// Why a rule did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// `POLICY/RULE`
    pub rule: String,
    /// The reason.
    pub reason: Reason,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, and it is {}", self.what, self.expected, self.found)
    }
}

impl TestFile {
    /// Reads and checks a test file. `file` is its name for messages.
    ///
    /// # Errors
    /// The place and what is wrong with it.
    pub fn parse(file: &str, text: &str) -> Result<Self, DocumentError> {
        let document: Document = read_open_yaml(file, text)?;
        check(&document).map_err(|problem| problem.in_file(file, text))?;
        Ok(Self { file: file.to_owned(), text: text.to_owned(), document })
    }

    /// The file's name as it was given.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Its `metadata.name`.
    pub fn name(&self) -> &str {
        &self.document.metadata.name
    }

    /// The files of the policies under test, as they are written: relative to this file.
    pub fn policies(&self) -> &[String] {
        &self.document.policies
    }

    /// True if the exceptions that the policies list are honoured.
    pub fn honours_exceptions(&self) -> bool {
        self.document.exceptions.unwrap_or(true)
    }

    /// Its tests.
    pub fn cases(&self) -> impl Iterator<Item = TestCase<'_>> {
        self.document.tests.iter().enumerate().map(|(place, test)| TestCase { file: self, place, test })
    }
}

fn check(document: &Document) -> Result<(), Problem> {
    let root = |key: &str, what: &str, hint: &'static str| {
        Problem::new(vec![crate::document::places::Step::Key(key.to_owned())], what, hint)
    };
    if document.policies.is_empty() || document.policies.iter().any(|path| path.trim().is_empty()) {
        return Err(root(
            "policies",
            "`policies` is empty, or has an empty name in it",
            "name the policies under test",
        ));
    }
    if document.metadata.name.trim().is_empty() {
        return Err(root("metadata", "`metadata.name` is empty", "give the tests a name"));
    }
    if document.tests.is_empty() {
        return Err(root("tests", "`tests` is empty", "nothing would be tested"));
    }
    let mut names = BTreeSet::new();
    for (place, test) in document.tests.iter().enumerate() {
        let at = At::test(place);
        if test.name.trim().is_empty() || !names.insert(&test.name) {
            let what = format!("the name {:?} is empty or there twice", test.name);
            return Err(at.key("name").wrong(what, "names are unique in a file"));
        }
        match (&test.facts, &test.given) {
            (None, Some(_)) if test.change.is_some() => {
                return Err(at.key("change").wrong("`change` is for recorded `facts`", "give other facts instead"));
            }
            (Some(_), None) | (None, Some(_)) => {}
            (Some(_), Some(_)) => return Err(at.wrong("it has `facts` and `given` at once", "write two tests")),
            (None, None) => {
                return Err(at.wrong("it has neither `facts` nor `given`", "say what is known about the image"));
            }
        }
        if test.expect.message.as_ref().is_some_and(|text| text.trim().is_empty()) {
            return Err(at.key("expect").key("message").wrong("`message` is empty", "every message contains that"));
        }
    }
    Ok(())
}

impl<'a> TestCase<'a> {
    /// Its name.
    pub fn name(&self) -> &'a str {
        &self.test.name
    }

    /// The file with recorded facts, as it is written: relative to the test file.
    pub fn facts(&self) -> Option<&'a str> {
        self.test.facts.as_deref()
    }

    /// Judges the facts, and compares. `recorded` is the file of [`Self::facts`], if it names one: its name for messages, and its
    /// bytes.
    ///
    /// # Errors
    /// The test cannot be run as it stands: the place and what is wrong with it.
    pub fn run(&self, tested: &Tested<'_>, recorded: Option<(&str, &[u8])>) -> Result<TestOutcome, DocumentError> {
        let in_file = |problem: Problem| problem.in_file(&self.file.file, &self.file.text);
        let (ask, facts, now) = match &self.test.given {
            Some(given) => {
                let now = self.test.now.map_or_else(|| NOW.parse(), Ok).unwrap_or(Timestamp::UNIX_EPOCH);
                let environment = self.test.environment.as_deref().unwrap_or(ENVIRONMENT);
                let at = At::given(self.place);
                let made = make::facts(given, environment, now, tested.policies, tested.files, &at);
                let (ask, facts) = made.map_err(in_file)?;
                (ask, facts, now)
            }
            None => self.recorded(recorded)?,
        };
        if let Err(error) = tested.policies.environment(&ask.environment) {
            let at = At::test(self.place);
            let at = if self.test.environment.is_some() { at.key("environment") } else { at };
            return Err(in_file(
                at.wrong(error.to_string(), "name an environment of the policies under test: `environment: …`"),
            ));
        }
        let expected = self.rules(tested.policies).map_err(in_file)?;
        let judgement = evaluate(tested.policies, &ask, &facts, tested.exceptions, now);
        let differences = self.compare(&judgement, &expected);
        Ok(TestOutcome { judgement, differences })
    }

    /// The facts that were recorded, changed as the test says.
    fn recorded(&self, recorded: Option<(&str, &[u8])>) -> Result<(Ask, Facts, Timestamp), DocumentError> {
        let (file, bytes) = recorded.ok_or_else(|| {
            let at = At::test(self.place).key("facts");
            at.wrong("the recorded facts were not read", "").in_file(&self.file.file, &self.file.text)
        })?;
        let wrong = |what: String| {
            DocumentError::new(file, what)
                .with_hint("`ecr-gate inspect --output json` and `ecr-gate check --output facts=FILE` write facts")
        };
        let changed = match &self.test.change {
            None => None,
            Some(change) => {
                let mut document: Value =
                    serde_json::from_slice(bytes).map_err(|error| wrong(format!("it is no JSON: {error}")))?;
                merge(&mut document, &change.0);
                Some(document.to_string())
            }
        };
        let read = RecordedFacts::read(changed.as_ref().map_or(bytes, |text| text.as_bytes()));
        let RecordedFacts { mut ask, facts, at, decision: _ } =
            read.map_err(|error| match (error.place, &changed) {
                (_, Some(_)) => {
                    let what = format!("{file} is no facts document after `change`: {}", error.what);
                    let at = At::test(self.place).key("change");
                    at.wrong(what, "`ecr-gate policy schema --facts` prints what facts may say")
                        .in_file(&self.file.file, &self.file.text)
                }
                (Some((line, column)), None) => wrong(error.what).at(line as u64, Some(column as u64)),
                (None, None) => wrong(error.what),
            })?;
        if let Some(environment) = &self.test.environment {
            ask.environment.clone_from(environment);
        }
        Ok((ask, facts, self.test.now.unwrap_or(at)))
    }

    /// The rules that something is expected of: policy, rule, what.
    fn rules(&self, set: &PolicySet) -> Result<Vec<(String, String, Expected)>, Problem> {
        let mut there: Vec<(&str, &str)> = Vec::new();
        for member in set.documents() {
            there.extend(member.policy.spec.rules.iter().map(|rule| (member.id.name.as_str(), rule.id.as_str())));
            if member.labels().is_some() {
                there.push((&member.id.name, "match.labels"));
            }
        }
        there.push(("", ReasonCode::PolicyNoneMatched.as_str()));
        let mut expected = Vec::new();
        for (name, outcome) in self.test.expect.rules.iter().flatten() {
            let at = At::test(self.place).key("expect").key("rules").key(name);
            let full = |policy: &str, rule: &str| format!("{policy}/{rule}") == *name;
            let exact: Vec<_> = there.iter().filter(|(policy, rule)| full(policy, rule)).collect();
            let named: Vec<_> =
                if exact.is_empty() { there.iter().filter(|(_, rule)| rule == name).collect() } else { exact };
            match named.as_slice() {
                [(policy, rule)] => expected.push(((*policy).to_owned(), (*rule).to_owned(), *outcome)),
                [] => {
                    let ids: Vec<&str> = there.iter().map(|(_, rule)| *rule).collect();
                    let hint = suggest(name, &ids).unwrap_or_else(String::new);
                    return Err(at.wrong(format!("the policies under test have no rule {name:?}"), hint));
                }
                several => {
                    let written: Vec<String> =
                        several.iter().map(|(policy, rule)| format!("`{policy}/{rule}`")).collect();
                    let what = format!("{name:?} is a rule of several policies");
                    return Err(at.wrong(what, format!("write {}", written.join(" or "))));
                }
            }
        }
        Ok(expected)
    }

    fn compare(&self, judgement: &Judgement, rules: &[(String, String, Expected)]) -> Vec<Difference> {
        let expect = &self.test.expect;
        let mut differences = Vec::new();
        if judgement.verdict != expect.verdict {
            // Too heavy: what weighs more than it should. Too light: what there is, and does not weigh enough.
            let heavy = judgement.verdict > expect.verdict;
            let rules = judgement.rules.iter().filter(|rule| !heavy || rule.verdict > expect.verdict);
            differences.push(Difference {
                what: "verdict".to_owned(),
                expected: expect.verdict.as_str().to_owned(),
                found: judgement.verdict.as_str().to_owned(),
                reasons: rules.flat_map(why).collect(),
            });
        }
        let reasons: Vec<Why> = judgement.rules.iter().flat_map(why).collect();
        if let Some(expected) = &expect.reasons {
            let codes = |codes: BTreeSet<&'static str>| {
                let codes: Vec<&str> = codes.into_iter().collect();
                if codes.is_empty() { "none".to_owned() } else { codes.join(", ") }
            };
            let wanted: BTreeSet<_> = expected.iter().map(|code| code.as_str()).collect();
            let found: BTreeSet<_> = reasons.iter().map(|why| why.reason.code.as_str()).collect();
            if wanted != found {
                let unexpected = reasons.iter().filter(|why| !wanted.contains(why.reason.code.as_str()));
                differences.push(Difference {
                    what: "reasons".to_owned(),
                    reasons: unexpected.cloned().collect(),
                    expected: codes(wanted),
                    found: codes(found),
                });
            }
        }
        for (policy, rule, expected) in rules {
            let result = judgement.rules.iter().find(|result| result.policy == *policy && result.rule == *rule);
            let found = result.map_or(Expected::NotJudged, outcome).as_str();
            if found != expected.as_str() {
                differences.push(Difference {
                    what: format!("rule {}", full_name(policy, rule)),
                    expected: expected.as_str().to_owned(),
                    found: found.to_owned(),
                    reasons: result.into_iter().flat_map(why).collect(),
                });
            }
        }
        if let Some(text) = &expect.message
            && !reasons.iter().any(|why| why.reason.message.contains(text))
        {
            differences.push(Difference {
                what: "message".to_owned(),
                expected: format!("one with {text:?}"),
                found: if reasons.is_empty() { "no message at all".to_owned() } else { "in none of them".to_owned() },
                reasons,
            });
        }
        differences
    }
}

fn outcome(rule: &RuleResult) -> Expected {
    match rule.outcome {
        Outcome::Pass => Expected::Pass,
        Outcome::Fail(_) => Expected::Fail,
        Outcome::Unknown(..) => Expected::Unknown,
    }
}

/// Why a rule did not pass; nothing if it did.
fn why(rule: &RuleResult) -> Vec<Why> {
    let reasons = match &rule.outcome {
        Outcome::Pass => return Vec::new(),
        Outcome::Fail(reasons) | Outcome::Unknown(_, reasons) => reasons,
    };
    let of = |reason: &Reason| Why { rule: full_name(&rule.policy, &rule.rule), reason: reason.clone() };
    reasons.iter().map(of).collect()
}

fn full_name(policy: &str, rule: &str) -> String {
    if policy.is_empty() { rule.to_owned() } else { format!("{policy}/{rule}") }
}

/// RFC 7386.
pub(super) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(keys) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            keys.remove(key);
        } else {
            merge(keys.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}
