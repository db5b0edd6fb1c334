//! Every image of a review, with its place. What is not understood is an error that denies: nothing to look at is not "no images".

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use engine::words::line;
use model::{Digest, ImageReference};
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::custom;
use super::kinds::{CustomKind, Kinds, Paths, Place};
use super::list::MOST;
use super::pod::PodSpec;
use super::review::{Operation, Review, said};

/// The longest image.
const IMAGE: usize = 1024;
/// What objects of sub-resources cannot start.
const WITHOUT_IMAGES: [&str; 4] = ["scale", "status", "binding", "eviction"];

/// One image of an object, where it stands in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageUse {
    /// The container's name, or that of the volume.
    pub container: String,
    /// The JSON pointer to the image.
    pub pointer: String,
    /// The image as it is written.
    pub image: String,
    /// The same as a node reads it: with the registry and the tag that are meant where none is written.
    pub reference: ImageReference,
}

impl ImageUse {
    /// The place as the API server writes places: `spec.containers[0].image`.
    pub fn field(&self) -> String {
        let mut field = String::with_capacity(self.pointer.len());
        for part in self.pointer.split('/').skip(1) {
            if part.bytes().all(|byte| byte.is_ascii_digit()) && !part.is_empty() {
                field.push('[');
                field.push_str(part);
                field.push(']');
            } else {
                if !field.is_empty() {
                    field.push('.');
                }
                field.push_str(&part.replace("~1", "/").replace("~0", "~"));
            }
        }
        field
    }

    /// The image as it is written, with its digest. A tag that was meant and not written is written too: rules look at tags, and beside a digest none is meant.
    pub(super) fn with(&self, digest: &Digest) -> String {
        let is_tagged = as_written(&self.image).is_ok_and(|written| written.tag.is_some());
        let meant =
            self.reference.tag.as_ref().filter(|_| !is_tagged).map_or_else(String::new, |tag| format!(":{tag}"));
        format!("{}{meant}@{digest}", self.image)
    }

    /// The list that it is in, its name there, and what it is: wherever in the list it stands, it is the same. What is in no list is where it is.
    fn in_its_place(&self) -> (&str, &str, &str) {
        let element = self.pointer.strip_suffix("/reference").unwrap_or(&self.pointer);
        let element = element.strip_suffix("/image").unwrap_or(element);
        let list = element.rsplit_once('/').filter(|(_, last)| last.bytes().all(|byte| byte.is_ascii_digit()));
        (list.map_or(&self.pointer, |(list, _)| list), &self.container, &self.image)
    }
}

/// The images to ask about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Images {
    /// None, and why that is so.
    None(&'static str),
    /// These: of an object that is changed, those that were not at the same place in it before.
    Some(Vec<ImageUse>),
}

/// What is not understood in an object: where, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread(pub(super) String);

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unread {}

/// The images that a review is about.
///
/// # Errors
/// What is not understood; then nothing of it may start.
pub fn images(review: &Review<'_>, kinds: &Kinds) -> Result<Images, Unread> {
    match review.operation {
        Operation::Delete => return Ok(Images::None("nothing starts where something is deleted")),
        Operation::Connect => return Ok(Images::None("nothing starts where somebody connects")),
        Operation::Create | Operation::Update => {}
    }
    if let Some(name) = &review.sub_resource
        && WITHOUT_IMAGES.contains(&name.as_str())
    {
        return Ok(Images::None("the sub-resource holds no images"));
    }
    let found = match every(review, kinds) {
        Err(_) if is_as_before(review, kinds) => return Ok(Images::None("nothing but metadata and status is another")),
        found => found?,
    };
    if found.is_empty() {
        return Ok(Images::None("nothing stands where objects of this kind may hold images"));
    }
    if review.operation == Operation::Create {
        return Ok(Images::Some(found));
    }
    // An object before that cannot be read had no images that are known.
    let before = review.old.zip(kinds.place(&review.kind)).and_then(|(old, place)| of(old, place).ok());
    let before: Vec<ImageUse> = before.unwrap_or_else(Vec::new);
    // At its place: what one container ran says nothing about another, which may ask the registry anew what a tag stands for.
    let before: BTreeSet<_> = before.iter().map(ImageUse::in_its_place).collect();
    let new: Vec<ImageUse> = found.into_iter().filter(|one| !before.contains(&one.in_its_place())).collect();
    if new.is_empty() { Ok(Images::None("the images were there before")) } else { Ok(Images::Some(new)) }
}

/// Whether an object that cannot be read was there before, and nothing that could start anything is another now: labels and finalizers of it may change, or
/// it could never be deleted.
fn is_as_before<'a>(review: &Review<'a>, kinds: &Kinds) -> bool {
    let is_in_spec = |place: Place<'_>| match place {
        Place::Built(_) => true,
        Place::Custom(CustomKind { paths: Paths::PodSpec(pointers) | Paths::Images(pointers), .. }) => {
            pointers.iter().all(|pointer| pointer.starts_with("/spec/"))
        }
    };
    // An API server writes both in the same way.
    let without_words = |object: &'a RawValue| {
        let Members(mut object) = serde_json::from_str(object.get()).ok()?;
        object.remove("metadata");
        object.remove("status");
        Some(object)
    };
    let (Some(object), Some(old)) = (review.object, review.old) else { return false };
    review.operation == Operation::Update
        && kinds.place(&review.kind).is_some_and(is_in_spec)
        && without_words(object).is_some_and(|now| without_words(old).is_some_and(|before| now == before))
}

/// The members of an object, as they are written: however much is in them, nothing is made of it.
struct Members<'a>(BTreeMap<String, &'a str>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    if members.len() == MOST || members.insert(name, value.get()).is_some() {
                        return Err(A::Error::custom("a member is said twice, or there are too many"));
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// Every image of an object, also those that were in it before.
pub(super) fn every(review: &Review<'_>, kinds: &Kinds) -> Result<Vec<ImageUse>, Unread> {
    let Some(place) = kinds.place(&review.kind) else {
        let kind = line(&format!("{}/{}", review.kind.group, review.kind.kind), 200);
        return Err(Unread(format!("the kind {} is not known", kind.trim_start_matches('/'))));
    };
    let Some(object) = review.object else { return Err(Unread("the request has no object".to_owned())) };
    of(object, place)
}

fn of(object: &RawValue, place: Place<'_>) -> Result<Vec<ImageUse>, Unread> {
    let mut found = Found(Vec::new());
    match place {
        Place::Built(path) => {
            let reached = Cell::new(0);
            let way = Way { path, at: 0, reached: &reached };
            let read = way.deserialize(&mut serde_json::Deserializer::from_str(object.get()));
            let at = pointer(path, reached.get());
            let spec = read.map_err(|error| unread(&at, &error))?.ok_or_else(|| missing(&at))?;
            spec.images(&pointer(path, path.len()), &mut found)?;
        }
        Place::Custom(kind) => custom::images(object, kind, &mut found)?,
    }
    Ok(found.0)
}

/// The way to a pod's `spec`, gone in one reading of the object. A member that is there twice on it is an error.
struct Way<'p> {
    path: &'static [&'static str],
    /// Members of the path that are behind.
    at: usize,
    /// How far it came, for whoever has to be told where it ended.
    reached: &'p Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for Way<'_> {
    type Value = Option<PodSpec>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        if self.at == self.path.len() {
            return PodSpec::deserialize(deserializer).map(Some);
        }
        self.reached.set(self.at + 1);
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Way<'_> {
    type Value = Option<PodSpec>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Self { path, at, reached } = self;
        let Some(name) = path.get(at) else { return Ok(None) };
        let mut found = None;
        while let Some(is_it) = map.next_key_seed(Is(name))? {
            if !is_it {
                map.next_value::<IgnoredAny>()?;
            } else if found.is_some() {
                reached.set(at + 1);
                return Err(A::Error::custom(format_args!("{name:?} is said twice")));
            } else {
                found = Some(map.next_value_seed(Way { path, at: at + 1, reached })?);
            }
        }
        Ok(found.flatten())
    }
}

/// Whether a key is this one.
struct Is(&'static str);

impl<'de> DeserializeSeed<'de> for Is {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Is {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

/// The JSON pointer to so many members of a path.
fn pointer(path: &[&str], members: usize) -> String {
    path.iter().take(members).flat_map(|member| ["/", member]).collect()
}

pub(super) fn unread(at: &str, error: &serde_json::Error) -> Unread {
    Unread(format!("{at}: {}", said(error)))
}

pub(super) fn missing(at: &str) -> Unread {
    Unread(format!("{at} is missing"))
}

/// Images as they are found.
#[derive(Debug)]
pub(super) struct Found(Vec<ImageUse>);

impl Found {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds one.
    pub(super) fn add(&mut self, name: Option<&str>, pointer: String, image: Option<String>) -> Result<(), Unread> {
        if self.0.len() == MOST {
            return Err(Unread(format!("there are more than {MOST} images")));
        }
        let Some(image) = image.filter(|image| !image.is_empty()) else {
            return Err(Unread(format!("{pointer} is missing or empty")));
        };
        if image.len() > IMAGE {
            return Err(Unread(format!("{pointer} is longer than {IMAGE} bytes")));
        }
        let reference = as_nodes_read(&image).map_err(|why| Unread(format!("{pointer}: {}", line(&why, 300))))?;
        let container = line(name.unwrap_or("-"), 200);
        self.0.push(ImageUse { container, pointer, image, reference });
        Ok(())
    }
}

/// What a node pulls: without a host it is Docker Hub's, a name of one part is in `library`, and without tag and digest it is `latest`.
///
/// # Errors
/// What is no reference of an image.
pub fn as_nodes_read(image: &str) -> Result<ImageReference, String> {
    let mut reference = as_written(image)?;
    if reference.host.is_none() {
        reference.host = Some("docker.io".to_owned());
    }
    if reference.host.as_deref() == Some("docker.io") && !reference.repository.as_str().contains('/') {
        reference.repository = format!("library/{}", reference.repository)
            .parse()
            .map_err(|error: model::ReferenceError| error.to_string())?;
    }
    if reference.tag.is_none() && reference.digest.is_none() {
        reference.tag = Some("latest".parse().map_err(|error: model::ReferenceError| error.to_string())?);
    }
    Ok(reference)
}

fn as_written(image: &str) -> Result<ImageReference, String> {
    image.parse().map_err(|error: model::ReferenceError| error.to_string())
}
