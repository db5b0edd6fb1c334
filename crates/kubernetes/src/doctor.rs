//! Is admission set up as it has to be? Each check is a pure function over objects that were fetched, and says what was found, why it matters and what to
//! do. What could not be fetched is not known, which is neither right nor wrong.

mod certificates;
mod check;
mod fetch;
mod gate;
mod hooks;
mod namespaces;
mod place;
mod probe;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use model::Timestamp;
use serde_json::Value;

pub use check::{Check, State};
pub use fetch::fetch;
pub use probe::Probe;

pub(crate) use self::hooks::{Hook, Webhook, of as hooks_of};

/// What was looked for: there, or why that is not known.
pub type Look<T> = Result<T, String>;

/// What is in a Secret that the gate's certificate should be in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certificate {
    /// `tls.crt` as it stands there.
    Found(String),
    /// There is no such Secret.
    NoSecret,
    /// It has no `tls.crt`.
    Empty,
}

/// What was fetched.
#[derive(Debug)]
pub struct Observed {
    /// The namespace of the gate.
    pub namespace: String,
    /// When.
    pub now: Timestamp,
    /// The version of whoever looks.
    pub version: &'static str,
    /// `/version` of the API server.
    pub server: Look<Value>,
    /// The webhook configurations of the cluster.
    pub validating: Look<Vec<Value>>,
    /// The same that mutate.
    pub mutating: Look<Vec<Value>>,
    /// Every namespace.
    pub namespaces: Look<Vec<Value>>,
    /// Services of the gate's namespace.
    pub services: Look<Vec<Value>>,
    /// Its EndpointSlices.
    pub slices: Look<Vec<Value>>,
    /// Its Deployments.
    pub deployments: Look<Vec<Value>>,
    /// Its pods.
    pub pods: Look<Vec<Value>>,
    /// Its PodDisruptionBudgets.
    pub budgets: Look<Vec<Value>>,
    /// Its ConfigMaps.
    pub settings: Look<Vec<Value>>,
    /// The certificates of Secrets that its Deployments mount as `tls.crt`, by the Secret's name.
    pub certificates: BTreeMap<String, Look<Certificate>>,
    /// What came of trying.
    pub probe: Probe,
}

impl Observed {
    /// The webhooks of the gate, as far as they are known.
    fn hooks(&self) -> Vec<Hook<'_>> {
        let mut all = hooks::of(&self.validating, Webhook::Validating, &self.namespace);
        all.extend(hooks::of(&self.mutating, Webhook::Mutating, &self.namespace));
        all
    }
}

/// Looks at everything. `environment_of` says which environment a namespace is where the webhook leaves it to the gate; `None`: that is not known.
pub fn examine(observed: &Observed, environment_of: Option<&dyn Fn(&str) -> String>) -> Vec<Check> {
    let hooks = observed.hooks();
    // Whoever looks into another namespace hears that, and nothing about a gate that is not there.
    if let Some(elsewhere) = place::elsewhere(observed, &hooks) {
        return vec![elsewhere];
    }
    let mut checks: Vec<Check> = place::missing(observed, &hooks).into_iter().collect();
    checks.extend(hooks::checks(observed, &hooks));
    checks.extend(namespaces::checks(observed, &hooks, environment_of));
    checks.extend(gate::checks(observed, &hooks));
    checks.extend(certificates::checks(observed, &hooks));
    checks.extend(probe::checks(observed, &hooks));
    checks
}
