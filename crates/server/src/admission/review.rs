//! An AdmissionReview (`admission.k8s.io/v1`), read once and with bounds: as much of it as the gate uses, and nothing else is kept.

use std::collections::BTreeMap;
use std::fmt;

use engine::words::line;
use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::kinds::GroupKind;
use super::list::{List, MOST};

/// The largest review that is read: an object and the one before it, each as large as etcd takes them, and room.
pub const LARGEST: usize = 8 << 20;
/// The only version that is spoken.
pub(super) const VERSION: &str = "admission.k8s.io/v1";
/// The longest id of a request.
const UID: usize = 128;
/// The longest name of anything.
const NAME: usize = 512;
/// The longest name of a user.
const USER: usize = 1024;
/// Groups of a user that are looked at.
const GROUPS: usize = 1000;
/// Keys of annotations that are the gate's.
pub(super) const OURS: &str = "ecr-gate.dev/";
/// How a person asks for an override (S31): the reason is its value.
pub(super) const BREAK_GLASS: &str = "ecr-gate.dev/break-glass";
/// The annotation that says for how long.
const BREAK_GLASS_FOR: &str = "ecr-gate.dev/break-glass-for";
/// The longest reason.
const WORDS: usize = 4096;

/// A review that was understood as far as it is needed.
#[derive(Debug)]
pub struct Review<'a> {
    /// The id of the request; the response repeats it.
    pub uid: String,
    /// What the object is, whatever its version.
    pub kind: GroupKind,
    /// `ephemeralcontainers`, `scale`, `status`, …
    pub sub_resource: Option<String>,
    /// The namespace; empty for what has none.
    pub namespace: String,
    /// What is done.
    pub operation: Operation,
    /// Who does it.
    pub user: User,
    /// Nothing is kept, started or used (S15).
    pub dry_run: bool,
    pub(super) metadata: Metadata,
    pub(super) object: Option<&'a RawValue>,
    pub(super) old: Option<&'a RawValue>,
}

/// What is done with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// It is made.
    Create,
    /// It is changed.
    Update,
    /// It is deleted.
    Delete,
    /// Somebody connects to it.
    Connect,
}

/// Who sent the request to the API server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    /// Their name.
    pub name: String,
    /// Their groups.
    pub groups: Vec<String>,
}

/// That somebody asks for an override with the write of a workload (S31). Whether they may is for the gate to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakGlassAsked {
    /// Why, in their words.
    pub reason: String,
    /// For how long, in their words.
    pub lasts: Option<String>,
    /// Who.
    pub user: User,
    /// The object that was written, by kind and name.
    pub workload: String,
    /// Its UID, as far as it has one.
    pub owner: Option<String>,
    /// Its namespace.
    pub namespace: String,
}

/// Why a review cannot be answered as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewError {
    /// The id of the request, where that much can be read: then there is a response for it.
    pub uid: Option<String>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for ReviewError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for ReviewError {}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    api_version: Option<String>,
    kind: Option<String>,
    #[serde(borrow)]
    request: Option<&'a RawValue>,
}

/// A review that is as it should be.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Whole<'a> {
    api_version: &'a str,
    kind: &'a str,
    #[serde(borrow)]
    request: Request<'a>,
}

#[derive(Deserialize)]
struct Identified {
    uid: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    uid: String,
    kind: WireKind,
    sub_resource: Option<String>,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    name: Option<String>,
    operation: String,
    #[serde(default)]
    user_info: Option<WireUser>,
    #[serde(borrow, default)]
    object: Option<&'a RawValue>,
    #[serde(borrow, default)]
    old_object: Option<&'a RawValue>,
    #[serde(default)]
    dry_run: Option<bool>,
}

#[derive(Deserialize)]
struct WireKind {
    #[serde(default)]
    group: Option<String>,
    kind: String,
}

#[derive(Default, Deserialize)]
struct WireUser {
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    groups: Option<Groups>,
}

/// The first [`GROUPS`] of them. Others give nobody any right.
struct Groups(Vec<String>);

impl<'de> Deserialize<'de> for Groups {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Groups;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("groups")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Groups, A::Error> {
                let mut groups = Vec::new();
                while groups.len() < GROUPS
                    && let Some(group) = list.next_element()?
                {
                    groups.push(group);
                }
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Groups(groups))
            }
        }
        deserializer.deserialize_seq(Reader)
    }
}

#[derive(Deserialize)]
struct Object {
    metadata: Option<Metadata>,
}

/// What is used of an object's metadata.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata {
    name: Option<String>,
    generate_name: Option<String>,
    uid: Option<String>,
    owner_references: Option<List<OwnerReference>>,
    pub(super) annotations: Option<Annotations>,
    /// There is any metadata.
    #[serde(skip)]
    pub(super) is_there: bool,
}

#[derive(Debug, Clone, Deserialize)]
struct OwnerReference {
    kind: String,
    name: String,
    uid: String,
    #[serde(default)]
    controller: Option<bool>,
}

/// Those of the gate; others are left out.
#[derive(Debug, Clone, Default)]
pub(super) struct Annotations(pub(super) BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Annotations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Annotations;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("annotations")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Annotations, A::Error> {
                let mut ours = BTreeMap::new();
                while let Some(key) = map.next_key::<String>()? {
                    if key.starts_with(OURS) {
                        let value = map.next_value::<Option<String>>()?.unwrap_or_else(String::new);
                        if ours.len() == MOST || ours.insert(key, value).is_some() {
                            return Err(A::Error::custom("an annotation is there twice, or there are too many"));
                        }
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(Annotations(ours))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// Reads a review.
///
/// # Errors
/// It is none, of another version, or lacks what an answer needs.
pub fn parse(bytes: &[u8]) -> Result<Review<'_>, ReviewError> {
    let nobodys = |what: String| ReviewError { uid: None, what };
    if bytes.len() > LARGEST {
        return Err(nobodys(format!("the review is larger than {LARGEST} bytes")));
    }
    // What is as it should be is read in one go. What is not is read part by part, so that as much is known of it as can be.
    if let Some(review) = at_once(bytes) {
        return Ok(review);
    }
    let envelope: Envelope<'_> = serde_json::from_slice(bytes)
        .map_err(|error| nobodys(format!("it is no AdmissionReview: {}", said(&error))))?;
    let Some(raw) = envelope.request else { return Err(nobodys("the AdmissionReview has no request".to_owned())) };
    let uid = || {
        let identified: Option<Identified> = serde_json::from_str(raw.get()).ok();
        identified.and_then(|identified| identified.uid).filter(|uid| is_uid(uid))
    };
    let wrong = |what: String| ReviewError { uid: uid(), what };
    let (version, kind) = (envelope.api_version.as_deref(), envelope.kind.as_deref());
    if (version, kind) != (Some(VERSION), Some("AdmissionReview")) {
        let found = format!("{} {}", version.unwrap_or("no apiVersion"), kind.unwrap_or("no kind"));
        return Err(wrong(format!("it is {}, and {VERSION} AdmissionReview is read", line(&found, 200))));
    }
    let request: Request<'_> = serde_json::from_str(raw.get())
        .map_err(|error| wrong(format!("the request of the AdmissionReview cannot be read: {}", said(&error))))?;
    request.review().map_err(wrong)
}

fn at_once(bytes: &[u8]) -> Option<Review<'_>> {
    let whole: Whole<'_> = serde_json::from_str(std::str::from_utf8(bytes).ok()?).ok()?;
    if (whole.api_version, whole.kind) != (VERSION, "AdmissionReview") {
        return None;
    }
    whole.request.review().ok()
}

impl<'a> Request<'a> {
    fn review(self) -> Result<Review<'a>, String> {
        if !is_uid(&self.uid) {
            return Err("the uid of the request is empty or too long".to_owned());
        }
        let operation = match self.operation.as_str() {
            "CREATE" => Operation::Create,
            "UPDATE" => Operation::Update,
            "DELETE" => Operation::Delete,
            "CONNECT" => Operation::Connect,
            other => return Err(format!("the operation {:?} is not known", line(other, 80))),
        };
        let kind = GroupKind { group: self.kind.group.unwrap_or_else(String::new), kind: self.kind.kind };
        let namespace = self.namespace.unwrap_or_else(String::new);
        let sub_resource = self.sub_resource.filter(|name| !name.is_empty());
        let names = [Some(&kind.group), Some(&kind.kind), Some(&namespace), sub_resource.as_ref(), self.name.as_ref()];
        if names.into_iter().flatten().any(|name| name.len() > NAME) {
            return Err(format!("a name of the request is longer than {NAME} bytes"));
        }
        if kind.kind.is_empty() {
            return Err("the kind of the object is empty".to_owned());
        }
        let user = self.user_info.unwrap_or_else(WireUser::default);
        let name = user.username.unwrap_or_else(String::new);
        if name.len() > USER {
            return Err(format!("the name of the user is longer than {USER} bytes"));
        }
        let groups = user.groups.map_or_else(Vec::new, |Groups(groups)| groups);
        let mut metadata = match self.object {
            Some(object) if matches!(operation, Operation::Create | Operation::Update) => {
                let object: Object = serde_json::from_str(object.get())
                    .map_err(|error| format!("the metadata of the object cannot be read: {}", said(&error)))?;
                let is_there = object.metadata.is_some();
                Metadata { is_there, ..object.metadata.unwrap_or_else(Metadata::default) }
            }
            _ => Metadata::default(),
        };
        metadata.name = metadata.name.or(self.name);
        Ok(Review {
            uid: self.uid,
            kind,
            sub_resource,
            namespace,
            operation,
            user: User { name, groups },
            dry_run: self.dry_run == Some(true),
            metadata,
            object: self.object,
            old: self.old_object,
        })
    }
}

impl Review<'_> {
    /// A pod, or the ephemeral containers of one.
    pub fn is_pod(&self) -> bool {
        self.kind.is("", "Pod")
    }

    /// The ephemeral containers of a pod: nothing else of it changes.
    pub fn is_ephemeral(&self) -> bool {
        self.is_pod() && self.sub_resource.as_deref() == Some("ephemeralcontainers")
    }

    /// The object by kind and name, for people: `Deployment/web`.
    pub fn workload(&self) -> String {
        let name = self.metadata.name.as_deref().filter(|name| !name.is_empty());
        let name = name.or(self.metadata.generate_name.as_deref()).unwrap_or("?");
        line(&format!("{}/{name}", self.kind.kind), NAME)
    }

    /// Its UID, as far as it has one.
    pub fn object_uid(&self) -> Option<String> {
        self.metadata.uid.clone().filter(|uid| is_uid(uid))
    }

    /// What controls the object, by its own word: workload by kind and name, and UID. Whoever writes the object writes that word too.
    pub fn controller(&self) -> Option<(String, String)> {
        let mut controllers = self
            .metadata
            .owner_references
            .iter()
            .flat_map(|list| &list.0)
            .filter(|owner| owner.controller == Some(true));
        let one = controllers.next().filter(|owner| is_uid(&owner.uid))?;
        controllers.next().is_none().then(|| (line(&format!("{}/{}", one.kind, one.name), NAME), one.uid.clone()))
    }

    /// Whether somebody asks for an override with this write (S31): by the annotation, which has to be new in it, on the write of a workload.
    pub fn break_glass(&self) -> Option<BreakGlassAsked> {
        if !matches!(self.operation, Operation::Create | Operation::Update) || self.sub_resource.is_some() {
            return None;
        }
        let reason = self.metadata.annotations.as_ref()?.0.get(BREAK_GLASS)?;
        let before: Option<Object> = self.old.and_then(|old| serde_json::from_str(old.get()).ok());
        let before = before.and_then(|object| object.metadata?.annotations);
        if before.is_some_and(|before| before.0.get(BREAK_GLASS) == Some(reason)) {
            return None;
        }
        let lasts = self.metadata.annotations.as_ref()?.0.get(BREAK_GLASS_FOR);
        Some(BreakGlassAsked {
            reason: line(reason, WORDS),
            lasts: lasts.map(|text| line(text, 40)),
            user: self.user.clone(),
            workload: self.workload(),
            owner: self.object_uid(),
            namespace: self.namespace.clone(),
        })
    }
}

fn is_uid(uid: &str) -> bool {
    (1..=UID).contains(&uid.len()) && !uid.chars().any(char::is_control)
}

/// What a parser says, which may repeat what it read.
pub(super) fn said(error: &serde_json::Error) -> String {
    line(&error.to_string(), 300)
}
