//! The images the proof begins with, whole and well-formed, and the world in which a judge may look at one of them.

use serde_json::{Value, json};
use testkit::fixtures::{Scan, digest};

/// The time of every judgement, epoch seconds.
pub(crate) const NOW: i64 = 1_750_000_000;
/// When the image was pushed.
pub(crate) const PUSHED: i64 = NOW - 300;
/// When its scan ended.
pub(crate) const SCANNED: i64 = NOW - 60;
/// How often a judge may look before the time is up.
pub(crate) const LOOKS: usize = 4;

/// Fields whose text is for people: no verdict rests on them.
const DECORATION: &[&str] = &[
    "attributes",
    "awsAccountId",
    "cvss",
    "description",
    "findingArn",
    "firstObservedAt",
    "lastObservedAt",
    "referenceUrls",
    "relatedVulnerabilities",
    "remediation",
    "resources",
    "scoreDetails",
    "source",
    "sourceUrl",
    "type",
    "updatedAt",
    "uri",
    "vendorCreatedAt",
    "vendorSeverity",
    "vendorUpdatedAt",
    "vulnerablePackages",
];

/// What ECR truly answers about one image.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    /// The pages of the answer, in order.
    pub(crate) pages: Vec<Value>,
    /// Whether the image has a finding that blocks.
    pub(crate) blocked: bool,
}

fn basic() -> Scan {
    Scan::basic(&digest(1), SCANNED)
}

fn enhanced() -> Scan {
    Scan::enhanced(&digest(1), SCANNED)
}

fn scene(name: &'static str, blocked: bool, pages: Vec<Value>) -> Scene {
    Scene { name, pages, blocked }
}

/// Every image of the proof.
pub(crate) fn scenes() -> Vec<Scene> {
    // ECR may leave an empty basic list beside the enhanced one (aws-cli issue 6759).
    let mut both_lists = enhanced().finding("CVE-2024-0001", "CRITICAL").value();
    both_lists["imageScanFindings"]["findings"] = json!([]);
    vec![
        scene("basic, clean", false, basic().pages(1)),
        scene("basic, one LOW", false, basic().finding("CVE-2024-0001", "LOW").pages(1)),
        scene("basic, one CRITICAL", true, basic().finding("CVE-2024-0001", "CRITICAL").pages(1)),
        scene(
            "basic, LOW and HIGH",
            true,
            basic().finding("CVE-2024-0001", "LOW").finding("CVE-2024-0002", "HIGH").pages(2),
        ),
        scene("enhanced, clean", false, enhanced().pages(1)),
        scene(
            "enhanced, MEDIUM and UNTRIAGED",
            false,
            enhanced().finding("CVE-2024-0001", "MEDIUM").finding("CVE-2024-0002", "UNTRIAGED").pages(2),
        ),
        scene("enhanced, one HIGH", true, enhanced().finding("CVE-2024-0001", "HIGH").pages(1)),
        scene("enhanced, one CRITICAL and an empty basic list", true, vec![both_lists]),
        scene("basic, two pages of LOW", false, basic().findings(2, "LOW").pages(1)),
        scene(
            "basic, CRITICAL on the second page",
            true,
            basic().finding("CVE-2024-0001", "LOW").finding("CVE-2024-0002", "CRITICAL").pages(1),
        ),
        scene(
            "enhanced, HIGH on the second page",
            true,
            enhanced().finding("CVE-2024-0001", "LOW").finding("CVE-2024-0002", "HIGH").pages(1),
        ),
    ]
}

/// The same without what is for people, so that more of what matters can be tried.
pub(crate) fn lean_scenes() -> Vec<Scene> {
    let mut scenes = scenes();
    scenes.iter_mut().flat_map(|scene| &mut scene.pages).for_each(strip);
    scenes
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !DECORATION.contains(&name.as_str()));
            fields.values_mut().for_each(strip);
        }
        Value::Array(elements) => elements.iter_mut().for_each(strip),
        _ => {}
    }
}

impl Scene {
    /// The same pages at every look.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.pages.iter().map(Value::to_string).collect()
    }
}

/// Answers to the looks of a judge: the pages of the first look, of the second, … The last look is repeated until the
/// time is up, the last page of a look for as long as a judge asks for more.
#[derive(Debug)]
pub(crate) struct World<'a> {
    looks: &'a [Vec<String>],
    /// What was read, look by look.
    pub(crate) seen: Vec<Vec<&'a str>>,
}

impl<'a> World<'a> {
    pub(crate) fn new(looks: &'a [Vec<String>]) -> Self {
        Self { looks, seen: Vec::new() }
    }

    /// The first page; `None` when the time is up.
    pub(crate) fn look(&mut self) -> Option<&'a str> {
        if self.seen.len() == LOOKS {
            return None;
        }
        let pages = &self.looks[self.seen.len().min(self.looks.len() - 1)];
        self.seen.push(vec![&pages[0]]);
        Some(&pages[0])
    }

    /// The next page of this look, whatever token is given.
    pub(crate) fn more(&mut self) -> &'a str {
        let pages = &self.looks[(self.seen.len() - 1).min(self.looks.len() - 1)];
        let seen = self.seen.last_mut().unwrap();
        let page = &pages[seen.len().min(pages.len() - 1)];
        seen.push(page);
        page
    }
}
