//! `WWW-Authenticate`: how a registry asks for a login. Source: RFC 9110 §11.6.1. A header may hold several challenges,
//! and there may be several headers; Bearer is taken before Basic, everything else is passed over.

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// The longest header that is read: more is no challenge but an attempt.
const LONGEST: usize = 8 << 10;

/// A way to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// User name and password with every request.
    Basic,
    /// A token from a token service.
    Bearer(Bearer),
}

/// Where to get a token, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bearer {
    /// Address of the token service.
    pub(crate) realm: String,
    /// The name that the registry has there.
    pub(crate) service: Option<String>,
    /// What the registry says that the token has to allow.
    pub(crate) scope: Option<String>,
}

impl Challenge {
    /// The challenge of an answer, if it holds one that we know.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let texts = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let all: Vec<Self> = texts.filter(|text| text.len() <= LONGEST).flat_map(parse).collect();
        let bearer = all.iter().find(|challenge| !challenge.is_basic());
        bearer.or_else(|| all.first()).cloned()
    }

    pub(crate) fn is_basic(&self) -> bool {
        matches!(self, Self::Basic)
    }

    /// The same for another question.
    pub(crate) fn without_scope(&self) -> Self {
        match self {
            Self::Basic => Self::Basic,
            Self::Bearer(bearer) => Self::Bearer(Bearer { scope: None, ..bearer.clone() }),
        }
    }
}

impl Bearer {
    /// What to ask a token for: what we need and what the registry names. It names what the one request needs that it
    /// refused; registries with actions of their own (`metadata_read`) name those.
    pub(crate) fn scopes(&self, ours: &str) -> Vec<String> {
        let mut all: Vec<String> = ours.split_ascii_whitespace().map(str::to_owned).collect();
        for scope in self.scope.iter().flat_map(|scopes| scopes.split_ascii_whitespace()) {
            let Some((resource, actions)) = scope.rsplit_once(':') else { continue };
            let known = all.iter_mut().find(|known| known.rsplit_once(':').is_some_and(|(name, _)| name == resource));
            let Some(known) = known else {
                all.push(scope.to_owned());
                continue;
            };
            for action in actions.split(',') {
                let has =
                    known.rsplit_once(':').is_some_and(|(_, actions)| actions.split(',').any(|one| one == action));
                if !has {
                    known.push(',');
                    known.push_str(action);
                }
            }
        }
        all
    }
}

/// Every known challenge of one header; a header that breaks the grammar gives those before the break.
fn parse(text: &str) -> Vec<Challenge> {
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut rest = text.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let Some((word, after)) = token(rest) else { break };
        let spaced = after.trim_start();
        match spaced.strip_prefix('=') {
            // `name=value` belongs to the challenge before it.
            Some(value) if !found.is_empty() => {
                let Some((value, after)) = value_of(value.trim_start()) else { break };
                if let Some((_, parameters)) = found.last_mut() {
                    parameters.push((word.to_ascii_lowercase(), value));
                }
                rest = after;
            }
            Some(_) => break,
            None => {
                found.push((word.to_ascii_lowercase(), Vec::new()));
                rest = after;
            }
        }
        rest = rest.trim_start_matches([' ', '\t', ',']);
    }
    found.into_iter().filter_map(|(scheme, parameters)| known(&scheme, &parameters)).collect()
}

fn known(scheme: &str, parameters: &[(String, String)]) -> Option<Challenge> {
    let get = |name: &str| {
        let found = parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        found.filter(|value| !value.is_empty())
    };
    match scheme {
        "basic" => Some(Challenge::Basic),
        "bearer" => {
            Some(Challenge::Bearer(Bearer { realm: get("realm")?, service: get("service"), scope: get("scope") }))
        }
        _ => None,
    }
}

fn token(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn value_of(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        // Some registries leave out the quotes around addresses and scopes.
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(texts: &[&str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for text in texts {
            headers.append(WWW_AUTHENTICATE, text.parse().unwrap());
        }
        Challenge::of(&headers)
    }

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Challenge::Bearer(Bearer { realm: realm.into(), service: own(service), scope: own(scope) })
    }

    #[test]
    fn challenges_are_read_in_the_forms_registries_write_them() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#;
        let read = bearer("https://auth.docker.io/token", Some("registry.docker.io"), Some("repository:a/b:pull,push"));
        assert_eq!(of(&[hub]), Some(read));
        assert_eq!(of(&[r#"bearer Realm = "https://r/t" , SERVICE=x"#]), Some(bearer("https://r/t", Some("x"), None)));
        assert_eq!(of(&[r#"Basic realm="x", Bearer realm="https://r/t""#]), Some(bearer("https://r/t", None, None)));
        assert_eq!(of(&["Basic realm=\"x\"", "Bearer realm=https://r/t"]), Some(bearer("https://r/t", None, None)));
        assert_eq!(of(&[r#"Bearer realm="a\"b\\c""#]), Some(bearer(r#"a"b\c"#, None, None)));
        assert_eq!(of(&["Basic"]), Some(Challenge::Basic));
        assert_eq!(of(&["Negotiate", "Basic realm=\"ECR\""]), Some(Challenge::Basic));
        for none in ["", "Bearer", "Bearer realm=\"\"", "Bearer realm=\"open", "Digest realm=\"x\"", "realm=\"x\""] {
            assert_eq!(of(&[none]), None, "{none}");
        }
    }

    #[test]
    fn a_token_is_asked_for_what_we_need_and_what_the_registry_names() {
        let scopes = |named: Option<&str>| {
            let bearer = Bearer { realm: String::new(), service: None, scope: named.map(str::to_owned) };
            bearer.scopes("repository:a/b:pull,push").join(" ")
        };
        assert_eq!(scopes(None), "repository:a/b:pull,push");
        assert_eq!(scopes(Some("repository:a/b:pull")), "repository:a/b:pull,push");
        assert_eq!(scopes(Some("repository:a/b:metadata_read")), "repository:a/b:pull,push,metadata_read");
        assert_eq!(scopes(Some("registry:catalog:* x")), "repository:a/b:pull,push registry:catalog:*");
    }

    proptest! {
        #[test]
        fn no_header_is_too_odd_to_read(text in "[ -~]{0,200}") {
            let _ = parse(&text);
        }
    }
}
