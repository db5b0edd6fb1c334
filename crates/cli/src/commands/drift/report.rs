//! The two forms of what drifted: a table for people, a document for programs. Its JSON form is versioned by its `schema` field; fields are added, never
//! renamed.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use kubernetes::Running;
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{columns, inert_json, logged};

const SCHEMA: &str = "ecr-gate.dev/drift/v1";

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Kind {
    /// Its verdict is deny.
    Denied,
    /// Nobody ever asked about it.
    Undecided,
    /// Its tag stands for something else by now.
    #[serde(rename = "tagMoved")]
    Tag,
    /// It comes from a registry that is not allowed.
    #[serde(rename = "registryNotAllowed")]
    Registry,
    /// By a tag, and nodes look for it only once.
    PullPolicy,
    /// Something about it is not known.
    Unknown,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Undecided => "not decided",
            Self::Tag => "tag moved",
            Self::Registry => "registry",
            Self::PullPolicy => "pull policy",
            Self::Unknown => "not known",
        }
    }

    /// What to do about it.
    fn remedy(self) -> &'static str {
        match self {
            Self::Denied => {
                "see why with `ecr-gate check IMAGE@DIGEST --environment NAME --server ADDRESS`, roll a better image out, or ask for an exception"
            }
            Self::Undecided => {
                "have it decided with `ecr-gate check IMAGE@DIGEST`, and see why admission was not asked: `ecr-gate kubernetes doctor`"
            }
            Self::Tag => "write the digest that is meant into the manifest, and roll it out",
            Self::Registry => "take the image from a registry of `registries.allowed`, or add the registry there",
            Self::PullPolicy => "write the digest into the manifest, or `imagePullPolicy: Always`",
            Self::Unknown => "look into it before this is taken for no drift: each line says why it is not known",
        }
    }
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// One thing about containers of one workload.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Finding {
    kind: Kind,
    namespace: String,
    workload: Option<String>,
    container: Option<String>,
    /// The volume, where it is one.
    volume: Option<String>,
    image: Option<String>,
    digest: Option<String>,
    environment: Option<String>,
    what: String,
}

impl Finding {
    pub(super) fn new(kind: Kind, one: &Running, environment: Option<&str>, what: String) -> Self {
        Self {
            kind,
            namespace: one.namespace.clone(),
            workload: Some(one.workload.clone()),
            container: (!one.is_volume).then(|| one.name.clone()),
            volume: one.is_volume.then(|| one.name.clone()),
            image: Some(one.image.clone()),
            digest: one.digest.as_ref().ok().cloned(),
            environment: environment.map(str::to_owned),
            what,
        }
    }

    /// Something about a whole namespace is not known.
    pub(super) fn of_namespace(name: &str, what: String) -> Self {
        Self {
            kind: Kind::Unknown,
            namespace: name.to_owned(),
            workload: None,
            container: None,
            volume: None,
            image: None,
            digest: None,
            environment: None,
            what,
        }
    }
}

/// Everything that was found.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Each once, however many pods a workload has.
    findings: BTreeSet<Finding>,
    pub(super) containers: usize,
    /// Volumes that are images.
    pub(super) volumes: usize,
    pub(super) images: usize,
    /// Containers and volumes that wait for their first start.
    pub(super) not_started: usize,
    /// Containers with a private image that a node gives to every pod once it has it.
    pub(super) cached_private: usize,
    pub(super) notes: BTreeSet<String>,
    /// Images of the gate's own namespace.
    pub(super) not_judged: BTreeSet<String>,
    /// Namespaces that no webhook asks about.
    pub(super) not_asked: BTreeSet<String>,
}

/// The most names of one note.
const NAMES: usize = 20;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema: &'static str,
    exit_code: u8,
    cluster: &'a str,
    drift: bool,
    complete: bool,
    containers: usize,
    image_volumes: usize,
    images: usize,
    not_started: usize,
    cached_private: usize,
    findings: &'a BTreeSet<Finding>,
    notes: &'a BTreeSet<String>,
}

impl Report {
    pub(super) fn add(&mut self, finding: Finding) {
        self.findings.insert(finding);
    }

    /// Says what was left out.
    pub(super) fn settle(&mut self, gate: &str) {
        let list = |names: &BTreeSet<String>| {
            let shown: Vec<String> = names.iter().take(NAMES).map(|name| logged(name, 300)).collect();
            let more = names.len().saturating_sub(NAMES);
            if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
        };
        if !self.not_judged.is_empty() {
            let note = format!("not judged, in the gate's own namespace {gate}: {}", list(&self.not_judged));
            self.notes.insert(note);
        }
        if !self.not_asked.is_empty() {
            let note = format!("no webhook asks about what starts in {}", list(&self.not_asked));
            self.notes.insert(note);
        }
    }

    fn count(&self, is: impl Fn(Kind) -> bool) -> usize {
        self.findings.iter().filter(|finding| is(finding.kind)).count()
    }

    pub(super) fn exit(&self) -> Exit {
        match (self.count(|kind| kind != Kind::Unknown), self.count(|kind| kind == Kind::Unknown)) {
            (1.., _) => Exit::Blocked,
            (0, 1..) => Exit::Undecided,
            (0, 0) => Exit::Allowed,
        }
    }

    pub(super) fn json(&self, cluster: &str) -> Result<String, Failure> {
        let document = Document {
            schema: SCHEMA,
            exit_code: self.exit() as u8,
            cluster,
            drift: self.count(|kind| kind != Kind::Unknown) > 0,
            complete: self.count(|kind| kind == Kind::Unknown) == 0,
            containers: self.containers,
            image_volumes: self.volumes,
            images: self.images,
            not_started: self.not_started,
            cached_private: self.cached_private,
            findings: &self.findings,
            notes: &self.notes,
        };
        serde_json::to_string_pretty(&document)
            .map(inert_json)
            .map_err(|error| Failure::internal(format!("the answer cannot be written as JSON: {error}")))
    }

    pub(super) fn text(&self) -> String {
        let dash = |text: Option<&String>| text.map_or_else(|| "-".to_owned(), Clone::clone);
        let mut text = String::new();
        if !self.findings.is_empty() {
            let titles = ["DRIFT", "NAMESPACE", "WORKLOAD", "CONTAINER", "IMAGE", "WHAT"];
            let rows = self.findings.iter().map(|one| {
                let workload = dash(one.workload.as_ref());
                let volume = one.volume.as_ref().map(|name| format!("volume {name}"));
                let container = dash(one.container.as_ref().or(volume.as_ref()));
                let kind = one.kind.as_str().to_owned();
                [kind, one.namespace.clone(), workload, container, dash(one.image.as_ref()), one.what.clone()]
            });
            text = columns(titles, rows);
            text.push_str("\n\n");
        }
        for note in &self.notes {
            let _ = writeln!(text, "{note}");
        }
        if self.cached_private > 0 {
            let _ = writeln!(
                text,
                "{} containers have an image of a private registry by digest that nodes keep: any pod on the node may have it (see the guide)",
                self.cached_private
            );
        }
        let (drift, unknown) = (self.count(|kind| kind != Kind::Unknown), self.count(|kind| kind == Kind::Unknown));
        let _ = writeln!(
            text,
            "{drift} drifted, {unknown} not known, {} not started yet; {}{} looked at, {} asked about",
            self.not_started,
            counted(self.containers, "container"),
            if self.volumes == 0 { String::new() } else { format!(" and {}", counted(self.volumes, "image volume")) },
            counted(self.images, "image"),
        );
        let kinds: BTreeSet<Kind> = self.findings.iter().map(|finding| finding.kind).collect();
        for kind in kinds {
            let _ = writeln!(text, "-> {}: {}", kind.as_str(), kind.remedy());
        }
        text
    }
}
