//! A registry with images, a policy, and a gate on a store of its own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use engine::{
    Actor, Answered, AskError, Asked, Asker, Bundle, Gate, GateSettings, Point, RegistrySettings, Role, Store,
    StoreOptions,
};
use model::{Timestamp, Verdict};
use tempfile::TempDir;
use testkit::oci::{Image, ImageBuilder, Layer, Registry};

/// Everything has to run as another user than root.
pub(crate) const NON_ROOT: &str = "- { id: user, config: { nonRoot: true } }";
/// Nothing may run at all.
pub(crate) const NOTHING: &str = "- { id: none, registries: { deny: [\"**\"] } }";

pub(crate) fn bundle(rules: &str) -> Bundle {
    let text = format!(
        "apiVersion: ecr-gate.dev/v1\nkind: GatePolicy\nmetadata: {{ name: house }}\nspec:\n  environments:\n    production: {{ class: production }}\n    staging: {{ class: non-production }}\n  rules:\n  {rules}\n"
    );
    Bundle { documents: vec![("house.yaml".to_owned(), text)], files: vec![std::collections::BTreeMap::new()] }
}

pub(crate) fn image(user: &str) -> Image {
    ImageBuilder::new().layer(Layer::new().file("etc/os-release", "ID=debian\n")).user(user).build()
}

/// The clock of the gate: the real one, because stores and registries have no other.
#[allow(clippy::disallowed_methods, reason = "a test is at the edge")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// A folder with the store and the key, and a registry.
pub(crate) struct Scene {
    pub(crate) registry: Registry,
    pub(crate) folder: TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self { registry: Registry::start(), folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) async fn store(&self) -> Store {
        store(self.folder.path()).await
    }

    pub(crate) fn settings(&self, rules: &str) -> GateSettings {
        GateSettings {
            registries: RegistrySettings { insecure: vec![self.registry.host()], ..RegistrySettings::default() },
            policy: Some(bundle(rules)),
            ..GateSettings::new(self.folder.path().join("audit.key"), "gate.example/log".to_owned(), now)
        }
    }

    /// A gate with these rules.
    pub(crate) async fn gate(&self, rules: &str) -> Gate {
        Gate::start(self.settings(rules), self.store().await).await.unwrap()
    }

    pub(crate) fn push(&self, tag: &str, user: &str) -> String {
        self.registry.push("team/app", Some(tag), &image(user))
    }

    /// `HOST/team/app` and what follows.
    pub(crate) fn named(&self, rest: &str) -> String {
        format!("{}{rest}", self.registry.reference("team/app"))
    }
}

pub(crate) async fn store(folder: &Path) -> Store {
    let url = format!("sqlite:{}", folder.join("gate.db").display());
    Store::open(StoreOptions { url, migrate: true, readers: 4 }).await.unwrap()
}

pub(crate) fn by(point: Point) -> Asker {
    Asker {
        identity: Some("ci".to_owned()),
        point,
        pipeline: Some("4711".to_owned()),
        commit: Some("c0ffee".to_owned()),
        trace_id: None,
        seat: None,
    }
}

pub(crate) fn asked(image: &str) -> Asked {
    Asked { image: image.to_owned(), name: None, environment: None, wait: Duration::from_secs(5), dry_run: false }
}

pub(crate) async fn ask(gate: &Gate, image: &str) -> Result<Answered, AskError> {
    gate.ask(asked(image), &by(Point::Ci), &anybody()).await
}

pub(crate) async fn verdict(gate: &Gate, image: &str) -> Verdict {
    ask(gate, image).await.unwrap().decision.verdict
}

/// Somebody who may everything.
pub(crate) fn anybody() -> Arc<Actor> {
    named("ci")
}

/// Somebody of this name who may everything.
pub(crate) fn named(name: &str) -> Arc<Actor> {
    Arc::new(Actor::everywhere(name, &Role::ALL))
}
