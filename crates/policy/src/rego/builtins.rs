//! Which functions a policy may call. What regorus has, less what would look at anything but input, data and time, less what
//! makes values without bound.

use regorus::unstable::BUILTINS;

use super::network;
use crate::error::suggest;

/// The decision's time, in place of a clock.
pub(super) const NOW: &str = "time.now_ns";

/// What would make an answer depend on more than the arguments of `judge`.
const IMPURE: &[(&str, &str)] = &[
    ("http.send", "it uses the network"),
    ("net.lookup_ip_addr", "it uses the network"),
    ("opa.runtime", "it reads the environment"),
    ("rand.intn", "it is random"),
    ("uuid.rfc4122", "it is random"),
    ("print", "it writes to the console: remove it"),
    ("trace", "it writes to a trace: remove it"),
];

/// What OPA has and no limit of ours would hold.
const UNBOUNDED: &[(&str, &str)] = &[
    ("bits.lsh", "its result has no bound"),
    ("graph.reachable_paths", "its result has no bound"),
    ("net.cidr_expand", "its result has no bound"),
];

/// Names in OPA that regorus does not have; a call of anything else is a call of nothing.
const KNOWN_TO_OPA: &[&str] = &[
    "crypto.",
    "io.jwt.",
    "graphql.",
    "rego.",
    "providers.",
    "uri.",
    "json.",
    "net.",
    "graph.",
    "strings.",
    "regex.",
    "array.",
    "object.",
    "glob.",
    "time.",
    "units.",
    "internal.",
];

/// May it be called, and with how many arguments?
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Builtin {
    Allowed(usize),
    Refused { what: String, hint: Option<String> },
}

/// Looks a builtin up by its full name.
pub(super) fn builtin(name: &str) -> Builtin {
    if let Some((_, why)) = IMPURE.iter().find(|(impure, _)| *impure == name) {
        return refused(format!("the builtin `{name}` is not allowed: {why}"), None);
    }
    if let Some((_, why)) = UNBOUNDED.iter().find(|(unbounded, _)| *unbounded == name) {
        return refused(format!("the builtin `{name}` is not supported: {why}"), None);
    }
    if let Some(arity) = arity(name) {
        return Builtin::Allowed(arity);
    }
    if KNOWN_TO_OPA.iter().any(|prefix| name.starts_with(prefix)) {
        return refused(format!("the builtin `{name}` is not supported"), near(name));
    }
    refused(format!("there is no function `{name}`"), near(name))
}

fn refused(what: String, hint: Option<String>) -> Builtin {
    Builtin::Refused { what, hint }
}

fn arity(name: &str) -> Option<usize> {
    if let Some((_, arity, _)) = network::FUNCTIONS.iter().find(|(ours, _, _)| *ours == name) {
        return Some(usize::from(*arity));
    }
    // `__builtin_…` are the names of operators inside regorus.
    (!name.starts_with("__")).then(|| BUILTINS.get(name)).flatten().map(|(_, arity)| usize::from(*arity))
}

fn near(name: &str) -> Option<String> {
    let names = supported();
    suggest(name, &names).filter(|hint| hint.starts_with("did you mean"))
}

/// Every builtin that a policy may call, in order.
pub(crate) fn supported() -> Vec<&'static str> {
    let all = BUILTINS.keys().copied().chain(network::FUNCTIONS.iter().map(|(name, _, _)| *name));
    let mut names: Vec<&str> = all.filter(|name| matches!(builtin_of_regorus(name), Builtin::Allowed(_))).collect();
    names.sort_unstable();
    names
}

/// `builtin` without a hint, which would ask for all names again.
fn builtin_of_regorus(name: &str) -> Builtin {
    let banned = IMPURE.iter().chain(UNBOUNDED).any(|(banned, _)| *banned == name);
    match arity(name) {
        Some(arity) if !banned => Builtin::Allowed(arity),
        _ => refused(String::new(), None),
    }
}

/// Is an argument for the result allowed, `count(x, n)`? Only where the interpreter knows the builtin too.
pub(super) fn takes_output(name: &str) -> bool {
    BUILTINS.contains_key(name)
}
