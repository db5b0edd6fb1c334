//! Which token service a registry may name (S37). Its own machine, a machine whose name contains it or is contained in it,
//! a sibling under the same registered domain, or one that the caller lists; always over https unless the registry itself
//! is spoken to in plain http. A client that has a list of its registries takes no name for a relation: its own machine, one that is known, or one that is
//! listed. Everything else is refused before anything is sent, anonymous questions too.

use std::collections::BTreeSet;

use reqwest::Url;

use crate::auth::challenge::Bearer;
use crate::auth::{Login, refusal};
use crate::client::exchange::Failure;
use crate::error::Error;
use crate::transport::{Chosen, forbidden, is_loopback};
use crate::{Options, Reach};

/// Token services of public registries that stand under a domain of their own.
const KNOWN: &[(&str, &str)] = &[
    ("docker.io", "auth.docker.io"),
    ("registry.digitalocean.com", "api.digitalocean.com"),
    ("registry.gitlab.com", "gitlab.com"),
    ("registry.redhat.io", "sso.redhat.com"),
    ("registry.access.redhat.com", "sso.redhat.com"),
];

/// Domains under which strangers have names side by side: to be siblings there means nothing.
const SHARED: &[&str] = &[
    "amazonaws.com",
    "appspot.com",
    "azure.com",
    "azurecontainer.io",
    "azurecr.io",
    "azurewebsites.net",
    "cloudapp.net",
    "cloudfront.net",
    "docker.io",
    "fly.dev",
    "gcr.io",
    "github.io",
    "gitlab.io",
    "herokuapp.com",
    "jfrog.io",
    "netlify.app",
    "ngrok.io",
    "nip.io",
    "onrender.com",
    "pages.dev",
    "pkg.dev",
    "run.app",
    "sslip.io",
    "vercel.app",
    "web.app",
    "windows.net",
    "workers.dev",
];

/// Second-level labels that country registries sell names under, as in `co.uk`.
const SECOND_LEVEL: &[&str] = &["ac", "co", "com", "edu", "go", "gob", "gov", "gv", "ne", "net", "nom", "or", "org"];

/// What the caller allows.
#[derive(Debug)]
pub(super) struct Rules {
    listed: BTreeSet<String>,
    insecure: BTreeSet<String>,
    reach: Reach,
}

/// A token service that may be asked.
#[derive(Debug)]
pub(super) struct Realm {
    pub(super) url: Url,
    pub(super) chosen: Chosen,
}

impl Rules {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            listed: options.token_realms.clone(),
            insecure: options.insecure_hosts.clone(),
            reach: options.reach.clone(),
        }
    }

    /// The token service of a challenge, if the registry may name it.
    pub(super) fn realm(&self, login: &Login<'_>, bearer: &Bearer) -> Result<Realm, Failure> {
        let Ok(url) = Url::parse(&bearer.realm) else {
            return Err(refusal(login, "it names a token service whose address cannot be read"));
        };
        let foreign = || {
            let realm = origin(&url);
            Failure::lasting(Error::ForeignRealm { asked: login.asked.clone(), realm })
        };
        let host = url.host_str().ok_or_else(foreign)?;
        let registry = login.registry.host_str().ok_or_else(foreign)?;
        let listed_as = |set: &BTreeSet<String>| set.contains(host) || set.contains(&origin_host(&url));
        let is_strict = matches!(self.reach, Reach::Listed(_));
        let listed = listed_as(&self.listed)
            || listed_as(&self.insecure)
            || (is_strict && self.reach.allows(&origin_host(&url)));
        if !url.username().is_empty() || url.password().is_some() {
            return Err(foreign());
        }
        let plain = url.scheme() == "http"
            && (listed_as(&self.insecure) || (host == registry && login.registry.scheme() == "http"));
        if url.scheme() != "https" && !plain {
            return Err(foreign());
        }
        let belongs = if is_strict { known(login.host, registry, host) } else { related(login.host, registry, host) };
        // On this machine every port is somebody else's.
        let is_neighbour = is_strict && is_loopback(&url) && !same_port(login.registry, &url);
        if !listed && (!belongs || is_neighbour) {
            return Err(foreign());
        }
        let own = listed || host == registry || is_loopback(login.registry);
        if !own && forbidden(&url).is_some() {
            return Err(foreign());
        }
        Ok(Realm { chosen: if own { Chosen::Caller } else { Chosen::Answer }, url })
    }
}

fn same_port(one: &Url, other: &Url) -> bool {
    one.port_or_known_default() == other.port_or_known_default()
}

/// Scheme, host and port, which is all that messages show of an address.
pub(crate) fn origin(url: &Url) -> String {
    format!("{}://{}", url.scheme(), origin_host(url))
}

fn origin_host(url: &Url) -> String {
    let host = url.host_str().unwrap_or("");
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// True if the token service is the registry's own machine, or one that is known to be its.
fn known(name: &str, registry: &str, realm: &str) -> bool {
    realm == registry || KNOWN.contains(&(name, realm))
}

/// True if the token service belongs to the registry, by their names.
fn related(name: &str, registry: &str, realm: &str) -> bool {
    if known(name, registry, realm) {
        return true;
    }
    let is_address = |host: &str| host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok();
    if is_address(registry) || is_address(realm) {
        return false;
    }
    let under = |child: &str, parent: &str| {
        registrable(parent) && child.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.'))
    };
    if under(realm, registry) || under(registry, realm) {
        return true;
    }
    let parent = |host: &str| host.split_once('.').map(|(_, parent)| parent.to_owned());
    match (parent(registry), parent(realm)) {
        (Some(ours), Some(theirs)) => ours == theirs && registrable(&ours) && !SHARED.contains(&ours.as_str()),
        _ => false,
    }
}

/// True unless this is a top-level domain or one under which names are sold.
fn registrable(domain: &str) -> bool {
    let labels: Vec<&str> = domain.split('.').collect();
    match labels.as_slice() {
        [] | [_] => false,
        [second, top] => !(top.len() == 2 && SECOND_LEVEL.contains(second)),
        _ => !SHARED.iter().any(|shared| domain.strip_suffix(shared).is_some_and(|rest| rest.ends_with('.'))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Asked;

    #[test]
    fn s37_a_client_with_a_list_takes_no_name_for_a_relation() {
        let reach = |hosts: &[&str]| {
            let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
            Reach::listed(&hosts, &[]).unwrap()
        };
        let may = |reach: &Reach, realms: &[&str], name: &str, realm: &str| {
            let token_realms = realms.iter().map(|realm| (*realm).to_owned()).collect();
            let rules = Rules::new(&Options { reach: reach.clone(), token_realms, ..Options::default() });
            let registry = Url::parse(&format!("https://{}/v2/", crate::location::api_host(name))).unwrap();
            let asked = Asked { host: name.to_owned(), repository: None, what: "x".to_owned() };
            let login = Login { host: name, registry: &registry, scope: "x", asked: &asked };
            let bearer = Bearer { realm: realm.to_owned(), service: None, scope: None };
            rules.realm(&login, &bearer).is_ok()
        };
        let listed = reach(&["docker.io", "registry.gitlab.com", "registry.corp.example", "10.0.0.5:5000"]);
        for (name, realm) in [
            ("docker.io", "https://auth.docker.io/token"),
            ("registry.gitlab.com", "https://gitlab.com/jwt/auth"),
            ("registry.corp.example", "https://registry.corp.example/token"),
            ("10.0.0.5:5000", "https://10.0.0.5:5000/token"),
        ] {
            assert!(may(&listed, &[], name, realm), "{name} -> {realm}");
        }
        let (name, sibling) = ("registry.corp.example", "https://login.corp.example/token");
        assert!(may(&Reach::Anywhere, &[], name, sibling) && may(&Reach::OffTheLink, &[], name, sibling));
        assert!(!may(&listed, &[], name, sibling));
        assert!(!may(&listed, &[], name, "https://x.registry.corp.example/token"));
        assert!(may(&listed, &["login.corp.example"], name, sibling));
        assert!(may(&reach(&["*.corp.example"]), &[], name, sibling), "listed as a registry is listed too");
        assert!(!may(&reach(&["*.corp.example"]), &[], name, "https://corp.example/token"));
        // A name of its own may have services at several ports; this machine has those of others.
        assert!(may(&listed, &[], name, "https://registry.corp.example:8443/token"));
        let (here, name) = (reach(&["127.0.0.1:5000", "localhost:5000"]), "127.0.0.1:5000");
        assert!(may(&here, &[], name, "https://127.0.0.1:5000/token"));
        assert!(!may(&here, &[], name, "https://127.0.0.1:6000/token"));
        assert!(!may(&here, &[], "localhost:5000", "https://localhost/token"));
        assert!(may(&here, &["127.0.0.1:6000"], name, "https://127.0.0.1:6000/token"));
    }

    #[test]
    fn s37_a_registry_may_name_its_own_token_service_only() {
        for (name, registry, realm) in [
            ("docker.io", "registry-1.docker.io", "auth.docker.io"),
            ("ghcr.io", "ghcr.io", "ghcr.io"),
            ("registry.gitlab.com", "registry.gitlab.com", "gitlab.com"),
            ("registry.corp.example", "registry.corp.example", "gitlab.corp.example"),
            ("registry.corp.co.uk", "registry.corp.co.uk", "login.corp.co.uk"),
            ("example.com", "example.com", "auth.example.com"),
            ("registry.redhat.io", "registry.redhat.io", "sso.redhat.com"),
            ("10.0.0.5:5000", "10.0.0.5", "10.0.0.5"),
        ] {
            assert!(related(name, registry, realm), "{registry} -> {realm}");
        }
        for (name, registry, realm) in [
            ("ghcr.io", "ghcr.io", "evil.example"),
            ("ghcr.io", "ghcr.io", "ghcr.io.evil.example"),
            ("ghcr.io", "ghcr.io", "notghcr.io"),
            ("corp.co.uk", "corp.co.uk", "evil.co.uk"),
            ("corp.com", "corp.com", "evil.com"),
            ("corp.azurecr.io", "corp.azurecr.io", "evil.azurecr.io"),
            (
                "1.dkr.ecr.eu-west-1.amazonaws.com",
                "1.dkr.ecr.eu-west-1.amazonaws.com",
                "2.dkr.ecr.eu-west-1.amazonaws.com",
            ),
            ("registry", "registry", "auth"),
            ("10.0.0.5", "10.0.0.5", "10.0.0.6"),
            ("10.0.0.5", "10.0.0.5", "0.0.5"),
            ("ghcr.io", "ghcr.io", "sso.redhat.com"),
            ("quay.io", "quay.io", "auth.docker.io"),
        ] {
            assert!(!related(name, registry, realm), "{registry} -> {realm}");
        }
    }
}
