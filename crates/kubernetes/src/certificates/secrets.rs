//! The two Secrets. A write names the version that was read, so that whoever comes second begins anew.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::make::{Authority, fits};
use crate::client::{Cluster, ClusterError};
use crate::x509::certificates;

/// When it was changed over, in seconds since 1970.
const CHANGED_OVER: &str = "ecr-gate.dev/changed-over";

/// A Secret as it was read; with nothing in it where there is none. The chart makes it, nobody here.
pub(super) struct Stored {
    collection: String,
    name: String,
    object: Value,
    data: Map<String, Value>,
    annotations: Map<String, Value>,
    is_of_the_chart: bool,
}

impl Stored {
    pub(super) async fn read(cluster: &Cluster, namespace: &str, name: &str) -> Result<Self, ClusterError> {
        let collection = format!("/api/v1/namespaces/{namespace}/secrets");
        let found = cluster.get(&format!("{collection}/{name}")).await?;
        let object = found.unwrap_or(Value::Null);
        let is_of_the_chart =
            object.pointer("/metadata/labels/app.kubernetes.io~1name").and_then(Value::as_str) == Some("ecr-gate");
        let map = |pointer: &str| object.pointer(pointer).and_then(Value::as_object).cloned().unwrap_or_else(Map::new);
        let (data, annotations) = (map("/data"), map("/metadata/annotations"));
        Ok(Self { collection, name: name.to_owned(), object, data, annotations, is_of_the_chart })
    }

    /// Whether it is there, and bears the label that the chart gives to what it makes.
    pub(super) fn is_of_the_chart(&self) -> bool {
        self.is_of_the_chart
    }

    pub(super) fn get(&self, key: &str) -> Option<String> {
        let text = self.data.get(key)?.as_str()?;
        String::from_utf8(STANDARD.decode(text).ok()?).ok().filter(|text| !text.is_empty())
    }

    pub(super) fn set(&mut self, key: &str, text: &str) {
        self.data.insert(key.to_owned(), STANDARD.encode(text).into());
    }

    /// Writes it, and keeps what the API server made of it.
    pub(super) async fn save(&mut self, cluster: &Cluster) -> Result<(), ClusterError> {
        let mut object = self.object.clone();
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("annotations".to_owned(), Value::Object(self.annotations.clone()));
        }
        if let Value::Object(parts) = &mut object {
            parts.insert("data".to_owned(), Value::Object(self.data.clone()));
        }
        self.object = cluster.replace(&format!("{}/{}", self.collection, self.name), &object).await?;
        Ok(())
    }

    /// Whether nobody changed it since.
    pub(super) async fn is_latest(&self, cluster: &Cluster) -> Result<bool, ClusterError> {
        let now = cluster.get(&format!("{}/{}", self.collection, self.name)).await?;
        let version = |object: &Value| object.pointer("/metadata/resourceVersion").cloned();
        Ok(now.is_some_and(|now| version(&now) == version(&self.object)))
    }
}

/// The authorities: the one that signs, the one that follows, and the one before, of which only the certificate is kept.
pub(super) struct Authorities {
    pub(super) current: Authority,
    pub(super) next: Option<Authority>,
    pub(super) previous: Option<String>,
    pub(super) changed_over: Option<i64>,
}

impl Authorities {
    pub(super) fn first(current: Authority) -> Self {
        Self { current, next: None, previous: None, changed_over: None }
    }

    /// Those of a Secret; `None` where there is none that can be used.
    pub(super) fn of(stored: &Stored) -> Option<Self> {
        let is_one = |pem: &String| certificates(pem.as_bytes()).is_ok();
        let authority = |name: &str| {
            let certificate = stored.get(&format!("{name}.crt")).filter(is_one)?;
            let key = stored.get(&format!("{name}.key"))?;
            let is_whole = fits(&key, certificates(certificate.as_bytes()).ok()?.first());
            is_whole.then_some(Authority { certificate, key })
        };
        Some(Self {
            current: authority("ca")?,
            next: authority("next"),
            previous: stored.get("previous.crt").filter(is_one),
            changed_over: stored.annotations.get(CHANGED_OVER).and_then(|text| text.as_str()?.parse().ok()),
        })
    }

    pub(super) fn write(&self, stored: &mut Stored) {
        for (name, authority) in [("ca", Some(&self.current)), ("next", self.next.as_ref())] {
            let (certificate, key) = (format!("{name}.crt"), format!("{name}.key"));
            if let Some(authority) = authority {
                stored.set(&certificate, &authority.certificate);
                stored.set(&key, &authority.key);
            } else {
                stored.data.remove(&certificate);
                stored.data.remove(&key);
            }
        }
        match &self.previous {
            Some(previous) => stored.set("previous.crt", previous),
            None => {
                stored.data.remove("previous.crt");
            }
        }
        if let Some(then) = self.changed_over {
            stored.annotations.insert(CHANGED_OVER.to_owned(), then.to_string().into());
        }
    }

    /// The next one signs from now on.
    pub(super) fn change_over(&mut self, now: i64) {
        if let Some(next) = self.next.take() {
            let before = std::mem::replace(&mut self.current, next);
            (self.previous, self.changed_over) = (Some(before.certificate), Some(now));
        }
    }

    /// All that are announced, in PEM form.
    pub(super) fn bundle(&self) -> String {
        let parts =
            [Some(&self.current.certificate), self.next.as_ref().map(|next| &next.certificate), self.previous.as_ref()];
        let texts: Vec<&str> = parts.into_iter().flatten().map(|pem| pem.trim()).collect();
        format!("{}\n", texts.join("\n"))
    }
}
