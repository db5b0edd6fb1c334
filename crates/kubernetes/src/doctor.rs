//! Is admission set up as it has to be? Each check is a pure function over objects that were fetched, and says what was found, why it matters and what to
//! do. What could not be fetched is not known, which is neither right nor wrong.

mod address;
mod certificates;
mod check;
mod fetch;
mod gate;
mod hooks;
mod mutation;
mod namespaces;
mod place;
mod probe;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use model::Timestamp;
use serde_json::Value;

pub use address::{Gate, GateUrl};
pub use check::{Check, State};
pub use fetch::fetch;
pub use probe::Probe;

pub(crate) use self::hooks::{Hook, Webhook, of as hooks_of, strangers};

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
    /// Where the gate is.
    pub gate: Gate,
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
        let mut all = hooks::of(&self.validating, Webhook::Validating, &self.gate);
        all.extend(hooks::of(&self.mutating, Webhook::Mutating, &self.gate));
        all
    }
}

/// Which kinds of objects get digests for tags (D2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tags {
    /// None.
    Off,
    /// Pods alone.
    Pods,
    /// All that makes pods too.
    All,
}

/// What the gate's configuration says about the cluster.
pub struct Configured<'a> {
    /// Which environment a namespace is where the webhook leaves it to the gate.
    pub environment_of: &'a dyn Fn(&str) -> String,
    /// Which kinds of objects get digests.
    pub tags: Tags,
}

impl fmt::Debug for Configured<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configured").field("tags", &self.tags).finish_non_exhaustive()
    }
}

/// Looks at everything. `None`: what the gate's configuration says is not known.
pub fn examine(observed: &Observed, configured: Option<&Configured<'_>>) -> Vec<Check> {
    let hooks = observed.hooks();
    // Whoever looks into another namespace hears that, and nothing about a gate that is not there.
    if let Some(elsewhere) = place::elsewhere(observed, &hooks) {
        return vec![elsewhere];
    }
    let mut checks: Vec<Check> = place::missing(observed, &hooks).into_iter().collect();
    let tags = configured.map(|configured| configured.tags);
    checks.extend(hooks::checks(observed, &hooks, tags));
    checks.extend(mutation::check(observed, &hooks, tags));
    checks.extend(namespaces::checks(observed, &hooks, configured.map(|configured| configured.environment_of)));
    checks.extend(gate::checks(observed, &hooks));
    checks.extend(certificates::checks(observed, &hooks));
    checks.extend(probe::checks(observed, &hooks));
    checks
}
