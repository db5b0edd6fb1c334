//! Which environment a namespace is, and nothing else about it (S7): what that means is for the policy to say.

use engine::ClaimPattern;

/// The environment of namespaces that nothing is said about.
const USUAL: &str = "production";

/// Namespaces, and their environment.
#[derive(Debug, Clone)]
pub struct NamespaceRule {
    /// Their names; `*` stands for anything.
    pub names: Vec<ClaimPattern>,
    /// The environment.
    pub environment: String,
}

/// The environments of namespaces.
#[derive(Debug, Clone, Default)]
pub struct Environments {
    /// The first that fits counts.
    pub rules: Vec<NamespaceRule>,
}

impl Environments {
    /// The environment of a namespace: as the path of the request says it, else by the rules.
    pub fn of<'a>(&'a self, in_path: Option<&'a str>, namespace: &str) -> &'a str {
        let by_rule = || self.rules.iter().find(|rule| rule.names.iter().any(|name| name.matches(namespace)));
        in_path.or_else(|| by_rule().map(|rule| rule.environment.as_str())).unwrap_or(USUAL)
    }
}
