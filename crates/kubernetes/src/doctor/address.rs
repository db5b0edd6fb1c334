//! Where the gate is, and with it which webhooks are the gate's: a path alone proves nothing, anybody may answer at it.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use serde_json::Value;

/// Where the gate is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// Its namespace. Whoever may write there is trusted with everything, so that each Service in it counts.
    pub namespace: String,
    /// Addresses outside the cluster that are the gate's, because somebody says so.
    pub urls: Vec<GateUrl>,
}

/// An address that webhooks ask: `https://gate.example.com:9443`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateUrl {
    host: String,
    port: u16,
    /// What stands before the gate's own paths; without a `/` at its end.
    path: String,
}

impl FromStr for GateUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut url = Self::read(text)?;
        url.path.truncate(url.path.trim_end_matches('/').len());
        Ok(url)
    }
}

impl GateUrl {
    /// Reads a URL as it is written.
    fn read(text: &str) -> Result<Self, String> {
        let uri: Uri = text.parse().map_err(|error| format!("{text:?} is no URL: {error}"))?;
        let (Some("https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(format!("{text:?} does not begin with https://HOST: API servers ask by HTTPS alone"));
        };
        if authority.as_str().contains('@') || uri.query().is_some() || text.contains('#') {
            return Err(format!("{text:?} is more than https://HOST:PORT and a path"));
        }
        Ok(Self {
            host: authority.host().to_ascii_lowercase(),
            port: authority.port_u16().unwrap_or(443),
            path: uri.path().to_owned(),
        })
    }

    /// What comes after this address in another one, if that goes on from here.
    fn rest_of<'a>(&self, other: &'a Self) -> Option<&'a str> {
        if (&self.host, self.port) != (&other.host, other.port) {
            return None;
        }
        other.path.strip_prefix(&self.path)
    }
}

impl fmt::Display for GateUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, path } = self;
        if *port == 443 { write!(f, "https://{host}{path}") } else { write!(f, "https://{host}:{port}{path}") }
    }
}

/// Whom a webhook with one of the gate's paths asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Whose {
    /// The gate, with what stands behind the path: the environment.
    Gate(String),
    /// Somebody at an address that nobody named, which would be the gate's address if it were the gate.
    Nobodys(String),
}

impl Gate {
    /// Whom a webhook asks; `None`: it has nothing to do with the gate. `path` is the path that the gate answers at.
    pub(super) fn whose(&self, webhook: &Value, path: &str) -> Option<Whose> {
        let text = |pointer| webhook.pointer(pointer).and_then(Value::as_str);
        if let Some(namespace) = text("/clientConfig/service/namespace") {
            let rest = text("/clientConfig/service/path")?.strip_prefix(path)?;
            return (namespace == self.namespace && is_end(rest)).then(|| Whose::Gate(rest.to_owned()));
        }
        let written = text("/clientConfig/url")?;
        let url = GateUrl::read(written).ok()?;
        let mut named = self.urls.iter().filter_map(|one| one.rest_of(&url)?.strip_prefix(path));
        if let Some(rest) = named.find(|rest| is_end(rest)) {
            return Some(Whose::Gate(rest.to_owned()));
        }
        let (before, rest) = url.path.rsplit_once(path)?;
        let address = GateUrl { path: before.to_owned(), ..url.clone() };
        is_end(rest).then(|| Whose::Nobodys(address.to_string()))
    }
}

/// What may stand behind the gate's paths: nothing, or an environment.
fn is_end(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn d1_an_address_counts_as_the_gate_only_where_it_was_named() {
        let gate = |urls: &[&str]| Gate {
            namespace: "ecr-gate".to_owned(),
            urls: urls.iter().map(|url| url.parse().unwrap()).collect(),
        };
        let of = |gate: &Gate, url: &str| gate.whose(&json!({ "clientConfig": { "url": url } }), "/admission/validate");
        let ours = |rest: &str| Some(Whose::Gate(rest.to_owned()));
        let nobodys = |address: &str| Some(Whose::Nobodys(address.to_owned()));
        let named = gate(&["https://Gate.example.com", "https://10.0.0.1:9443/", "https://proxy.example/ecr-gate"]);
        for (url, is) in [
            ("https://gate.example.com/admission/validate", ours("")),
            ("https://gate.example.com:443/admission/validate/staging", ours("/staging")),
            ("https://10.0.0.1:9443/admission/validate", ours("")),
            ("https://proxy.example/ecr-gate/admission/validate", ours("")),
            ("https://proxy.example/admission/validate", nobodys("https://proxy.example")),
            ("https://gate.example.com:9443/admission/validate", nobodys("https://gate.example.com:9443")),
            (
                "https://gate.example.com.evil.example/admission/validate",
                nobodys("https://gate.example.com.evil.example"),
            ),
            ("https://gate.example.com/else/admission/validate", nobodys("https://gate.example.com/else")),
            ("https://gate.example.com/admission/validated", None),
            ("https://gate.example.com/admission/mutate", None),
            ("https://gate.example.com@evil.example/admission/validate", None),
        ] {
            assert_eq!(of(&named, url), is, "{url}");
        }
        assert_eq!(of(&gate(&[]), "https://gate.example.com/admission/validate"), nobodys("https://gate.example.com"));
        for wrong in ["", "gate.example.com", "http://gate.example.com", "https://a@b", "https://a/?b", "https://a/#b"]
        {
            assert!(wrong.parse::<GateUrl>().is_err(), "{wrong}");
        }
    }
}
