//! Trying it: a pod that no gate could allow, made as a trial (`dryRun`). What the API server says of it is what it would say of every other.

use super::Observed;
use super::check::{About, Check};
use super::hooks::{Hook, Webhook};

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// It was not tried, and why.
    NotTried(String),
    /// The pod would start.
    Admitted(String),
    /// The API server says no, with these words.
    Refused(String),
}

const PROBE: About = About {
    id: "kubernetes.trial",
    title: "Trial",
    why: "A pod with an image that nobody can allow has to be denied by the gate, and by nobody before it.",
};
/// Classes of denials that say that the gate works. That a request is not understood is none of them: so is an environment that nobody declared, and then
/// nothing starts.
const SOUND: [&str; 4] = ["policy", "registry", "pending", "unavailable"];

pub(super) fn checks(observed: &Observed, hooks: &[Hook<'_>]) -> Option<Check> {
    let is_registered = hooks.iter().any(|hook| hook.webhook == Webhook::Validating);
    is_registered.then(|| check(&observed.probe))
}

fn check(probe: &Probe) -> Check {
    let said = match probe {
        Probe::NotTried(why) => {
            return PROBE.unknown(
                None,
                why.clone(),
                "Try it with an account that may make pods: `kubectl run tried --image=IMAGE --dry-run=server`.",
            );
        }
        Probe::Admitted(namespace) => {
            return PROBE.problem(
                None,
                format!("a pod with an image that nobody can allow would start in {namespace}"),
                "The gate was not asked, or did not answer and `failurePolicy` is Ignore: look at the other findings.",
            );
        }
        Probe::Refused(said) => said,
    };
    if let Some((_, words)) = said.split_once("denied the request: ecr-gate: ") {
        let class = words.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or("");
        if SOUND.contains(&class) {
            return PROBE.ok(None, "the gate was asked, and said no");
        }
        return PROBE.problem(
            None,
            format!("the gate was asked, and cannot decide ({class}): {}", short(words)),
            "Look at the log of the gate; `/readyz` of its API says what is missing.",
        );
    }
    if said.contains("failed calling webhook") {
        return PROBE.problem(None, short(said), remedy(said));
    }
    PROBE.unknown(
        None,
        format!("somebody else said no before the gate: {}", short(said)),
        "Try it in a namespace where nobody else does: `kubectl run tried --image=IMAGE --dry-run=server`.",
    )
}

/// What the words of an API server that cannot ask a webhook are about.
fn remedy(said: &str) -> &'static str {
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if has(&["x509", "certificate", "tls:"]) {
        "The certificate is not believed: see the findings about certificate and authority."
    } else if has(&["no endpoints", "not found", "connection refused"]) {
        "Nobody answers behind the Service: see the findings about it."
    } else if has(&["deadline exceeded", "timeout", "Timeout"]) {
        "The way from the API server to the gate is blocked, or the gate is slow: look at network policies and firewalls (port 9443 of the pods), then at the gate's log."
    } else {
        "Look at the log of the gate, and at the way from the API server to it."
    }
}

fn short(text: &str) -> String {
    let line = text.replace(['\n', '\r'], " ");
    if line.chars().count() > 600 { format!("{}…", line.chars().take(600).collect::<String>()) } else { line }
}
