//! The API server of a cluster, spoken to with what `kubectl` would use. Objects are JSON; every answer is bounded in size and time, and a list is whole or
//! an error.

use std::path::Path;
use std::time::Duration;

use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;

/// How long one call may take.
const CALL: Duration = Duration::from_secs(30);
/// The largest answer.
const ANSWER: usize = 128 << 20;
/// Objects of one page, and the most of one list.
const PAGE: usize = 500;
const MOST: usize = 500_000;
/// How often a list is begun anew when the server has forgotten where it was.
const ROUNDS: usize = 3;

/// Why the API server gives no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// It is not known which cluster, or how to log in there.
    #[error("the cluster cannot be told: {0}")]
    Configuration(String),
    /// It cannot be reached, or does not answer in time.
    #[error("the API server cannot be reached: {0}")]
    Unreachable(String),
    /// Whoever asks may not.
    #[error("{0}")]
    Forbidden(String),
    /// Somebody else changed the object in the meantime, or made it.
    #[error("{0}")]
    Conflict(String),
    /// It says no.
    #[error("the API server answers {code}: {message}")]
    Status {
        /// The HTTP status.
        code: u16,
        /// Its words.
        message: String,
    },
    /// What it answers cannot be read, or is too large.
    #[error("the answer of the API server is not understood: {0}")]
    NotUnderstood(String),
}

/// A cluster.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    address: String,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Cluster {
    /// The cluster of a context: of this kubeconfig file, else of KUBECONFIG or `~/.kube/config`, else that which the process runs in.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub async fn connect(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Self, ClusterError> {
        let wrong = |why: &dyn std::fmt::Display| ClusterError::Configuration(why.to_string());
        let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
        let mut config = match (kubeconfig, context) {
            (Some(path), _) => {
                let file = Kubeconfig::read_from(path).map_err(|error| wrong(&chain(&error)))?;
                Config::from_custom_kubeconfig(file, &options).await.map_err(|error| wrong(&chain(&error)))?
            }
            (None, Some(_)) => Config::from_kubeconfig(&options).await.map_err(|error| wrong(&chain(&error)))?,
            (None, None) => Config::infer().await.map_err(|error| wrong(&chain(&error)))?,
        };
        config.connect_timeout = Some(Duration::from_secs(10));
        config.read_timeout = Some(CALL);
        config.write_timeout = Some(CALL);
        let address = config.cluster_url.to_string();
        let client = Client::try_from(config).map_err(|error| wrong(&chain(&error)))?;
        Ok(Self { client, address })
    }

    /// Where it is.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// An object by its path; `None`: there is none.
    ///
    /// # Errors
    /// It is not known whether there is.
    pub async fn get(&self, path: &str) -> Result<Option<Value>, ClusterError> {
        match self.call(Method::GET, path, None).await {
            Ok(value) => Ok(Some(value)),
            Err(ClusterError::Status { code: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All objects of a list, page by page.
    ///
    /// # Errors
    /// It cannot be read to its end.
    pub async fn list(&self, path: &str) -> Result<Vec<Value>, ClusterError> {
        self.list_as(path, |object| object).await
    }

    /// The same, keeping of each object only what is wanted.
    ///
    /// # Errors
    /// It cannot be read to its end.
    pub async fn list_as<T>(&self, path: &str, wanted: impl Fn(Value) -> T) -> Result<Vec<T>, ClusterError> {
        let mut last = ClusterError::NotUnderstood("a list has no end".to_owned());
        for _ in 0..ROUNDS {
            match self.pages(path, &wanted).await {
                // The server forgot where it was: what was read is of another time than what would follow.
                Err(error @ ClusterError::Status { code: 410, .. }) => last = error,
                ended => return ended,
            }
        }
        Err(last)
    }

    async fn pages<T>(&self, path: &str, wanted: impl Fn(Value) -> T) -> Result<Vec<T>, ClusterError> {
        let mut found = Vec::new();
        let mut next = String::new();
        loop {
            let mark = if path.contains('?') { '&' } else { '?' };
            let mut page = format!("{path}{mark}limit={PAGE}");
            if !next.is_empty() {
                page = format!("{page}&continue={}", escaped(&next));
            }
            let mut list = self.call(Method::GET, &page, None).await?;
            let Some(Value::Array(items)) = list.get_mut("items").map(Value::take) else {
                return Err(ClusterError::NotUnderstood(format!("{path} is no list")));
            };
            let is_empty = items.is_empty();
            found.extend(items.into_iter().map(&wanted));
            if found.len() > MOST {
                return Err(ClusterError::NotUnderstood(format!("{path} has more than {MOST} objects")));
            }
            let following = list.pointer("/metadata/continue").and_then(Value::as_str).unwrap_or("").to_owned();
            if following.is_empty() {
                return Ok(found);
            }
            if following == next || is_empty {
                return Err(ClusterError::NotUnderstood(format!("{path} goes round in a circle")));
            }
            next = following;
        }
    }

    /// Makes an object in a collection.
    ///
    /// # Errors
    /// It is not made; `Conflict` where it is there already.
    pub async fn create(&self, path: &str, object: &Value) -> Result<Value, ClusterError> {
        self.call(Method::POST, path, Some(object)).await
    }

    /// Puts an object in the place of the one with its `resourceVersion`.
    ///
    /// # Errors
    /// It is not changed; `Conflict` where somebody else changed it.
    pub async fn replace(&self, path: &str, object: &Value) -> Result<Value, ClusterError> {
        self.call(Method::PUT, path, Some(object)).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ClusterError> {
        let asking = self.exchange(method.clone(), path, body);
        match tokio::time::timeout(CALL, asking).await {
            Ok(answered) => answered,
            Err(_) => Err(ClusterError::Unreachable(format!("{method} {path}: no answer within {} s", CALL.as_secs()))),
        }
    }

    async fn exchange(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ClusterError> {
        let bytes = match body {
            Some(body) => serde_json::to_vec(body).map_err(|error| ClusterError::NotUnderstood(error.to_string()))?,
            None => Vec::new(),
        };
        let request = Request::builder()
            .method(method.clone())
            .uri(path)
            .header("accept", "application/json")
            .header("content-type", "application/json")
            .body(Body::from(bytes))
            .map_err(|error| ClusterError::NotUnderstood(error.to_string()))?;
        let response = self.client.send(request).await.map_err(|error| ClusterError::Unreachable(chain(&error)))?;
        let status = response.status();
        let mut body = response.into_body();
        let mut answer = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| ClusterError::Unreachable(chain(&error)))?;
            if let Ok(data) = frame.into_data() {
                if answer.len() + data.len() > ANSWER {
                    return Err(ClusterError::NotUnderstood(format!("{path}: more than {ANSWER} bytes")));
                }
                answer.extend_from_slice(&data);
            }
        }
        let read: Result<Value, _> = serde_json::from_slice(&answer);
        if status.is_success() {
            return read.map_err(|error| ClusterError::NotUnderstood(format!("{path}: {error}")));
        }
        let said = read.ok().and_then(|value| Some(value.get("message")?.as_str()?.to_owned()));
        let message: String = said.unwrap_or_else(|| format!("{method} {path}")).chars().take(4000).collect();
        Err(match status {
            StatusCode::UNAUTHORIZED => {
                ClusterError::Configuration(format!("the API server does not know who asks: {message}"))
            }
            // What a webhook denies is no matter of rights.
            StatusCode::FORBIDDEN if !message.starts_with("admission webhook ") => ClusterError::Forbidden(message),
            StatusCode::CONFLICT => ClusterError::Conflict(message),
            status => ClusterError::Status { code: status.as_u16(), message },
        })
    }
}

/// A token in a query.
fn escaped(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
        escaped
    })
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !words.contains(&text) {
            words.push_str(": ");
            words.push_str(&text);
        }
        cause = inner.source();
    }
    words.chars().take(1000).collect()
}
