//! The kinds of objects whose images are known, and where in them the images are.

use engine::words::line;

/// A kind of objects, whatever its version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKind {
    /// Its group; empty for the core.
    pub group: String,
    /// Its kind.
    pub kind: String,
}

impl GroupKind {
    pub(super) fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }
}

/// Where images are in objects of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paths {
    /// JSON pointers to what is as the `spec` of a pod.
    PodSpec(Vec<String>),
    /// JSON pointers to the images themselves.
    Images(Vec<String>),
}

/// A kind that is configured. In its pointers `*` is every element of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomKind {
    /// Which.
    pub kind: GroupKind,
    /// Where its images are.
    pub paths: Paths,
    /// An object without anything at any of these paths holds no images. Else such an object is not understood.
    pub optional: bool,
}

/// The kinds that are known.
#[derive(Debug, Clone, Default)]
pub struct Kinds {
    custom: Vec<CustomKind>,
}

/// Where images are in an object.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'a> {
    /// The path to a pod's `spec`.
    Built(&'static [&'static str]),
    /// As it is configured.
    Custom(&'a CustomKind),
}

/// Group, kind, and the way to the pod's `spec`.
const BUILT_IN: [(&str, &str, &[&str]); 8] = [
    ("", "Pod", &["spec"]),
    ("apps", "Deployment", TEMPLATE),
    ("apps", "ReplicaSet", TEMPLATE),
    ("apps", "StatefulSet", TEMPLATE),
    ("apps", "DaemonSet", TEMPLATE),
    ("batch", "Job", TEMPLATE),
    ("batch", "CronJob", &["spec", "jobTemplate", "spec", "template", "spec"]),
    ("", "ReplicationController", TEMPLATE),
];
const TEMPLATE: &[&str] = &["spec", "template", "spec"];
/// The most kinds, and the most pointers of one.
const MOST: usize = 100;

impl Kinds {
    /// Those that every cluster has, and these.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn with(custom: Vec<CustomKind>) -> Result<Self, String> {
        if custom.len() > MOST {
            return Err(format!("at most {MOST} kinds"));
        }
        for (at, one) in custom.iter().enumerate() {
            let named = line(&format!("{}/{}", one.kind.group, one.kind.kind), 200);
            if one.kind.kind.is_empty() {
                return Err(format!("{named}: the kind is empty"));
            }
            if BUILT_IN.iter().any(|(group, kind, _)| one.kind.is(group, kind)) {
                return Err(format!("{named} is known already"));
            }
            if custom.iter().take(at).any(|other| other.kind == one.kind) {
                return Err(format!("{named} is there twice"));
            }
            let (Paths::PodSpec(pointers) | Paths::Images(pointers)) = &one.paths;
            if pointers.is_empty() || pointers.len() > MOST {
                return Err(format!("{named}: 1 to {MOST} paths"));
            }
            if let Some(wrong) = pointers.iter().find(|pointer| !pointer.starts_with('/') || pointer.len() > 512) {
                return Err(format!("{named}: {:?} is no JSON pointer such as /spec/template/spec", line(wrong, 200)));
            }
        }
        Ok(Self { custom })
    }

    /// Where the images of a kind are; `None`: nobody knows.
    pub(super) fn place(&self, kind: &GroupKind) -> Option<Place<'_>> {
        let built = BUILT_IN.iter().find(|(group, name, _)| kind.is(group, name)).map(|(.., path)| Place::Built(path));
        built.or_else(|| self.custom.iter().find(|one| one.kind == *kind).map(Place::Custom))
    }
}
