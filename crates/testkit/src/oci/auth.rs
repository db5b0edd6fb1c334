//! How a caller is known: by nothing, by Basic credentials, or by a bearer token from the registry's own token endpoint
//! (distribution "Token Authentication Specification" and its OAuth 2 form).

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use serde_json::json;

use super::reply::Reply;
use super::state::State;
use super::wire::Call;
use crate::escapes::pairs;

/// How callers are known.
#[derive(Debug, Clone, Default)]
pub enum Auth {
    /// Everybody may do everything.
    #[default]
    None,
    /// Basic credentials with every request.
    Basic(Vec<Account>),
    /// A token from `/token`.
    Bearer(Bearer),
}

/// Somebody who may log in.
#[derive(Debug, Clone)]
pub struct Account {
    pub user: String,
    pub password: String,
    /// May push, too.
    pub push: bool,
}

/// The token endpoint and its rules.
#[derive(Debug, Clone)]
pub struct Bearer {
    pub accounts: Vec<Account>,
    /// Pulling takes a token, but no login.
    pub anonymous_pull: bool,
    /// What `grant_type=refresh_token` (an `identitytoken`) must bring; it may push.
    pub identity_token: Option<String>,
    /// The service that the challenge names and the token endpoint expects.
    pub service: String,
    /// A realm other than this registry's own `/token`.
    pub realm: Option<String>,
    /// Each token is good for so many requests; then it is an unknown token.
    pub token_uses: Option<usize>,
    /// `expires_in` of the answer; left out if `None`.
    pub expires_in_seconds: Option<u64>,
}

impl Auth {
    /// One account that may pull and push, by Basic.
    pub fn basic(user: &str, password: &str) -> Self {
        Self::Basic(vec![Account::new(user, password)])
    }

    /// One account that may pull and push, by token; nobody else may.
    pub fn bearer(user: &str, password: &str) -> Self {
        Self::Bearer(Bearer { accounts: vec![Account::new(user, password)], ..Bearer::anonymous(false) })
    }

    /// Anybody may pull with a token, as on Docker Hub; nobody may push.
    pub fn bearer_anonymous() -> Self {
        Self::Bearer(Bearer::anonymous(true))
    }
}

impl Account {
    /// May pull and push.
    pub fn new(user: &str, password: &str) -> Self {
        Self { user: user.to_owned(), password: password.to_owned(), push: true }
    }

    /// May pull only.
    #[must_use]
    pub fn pull_only(self) -> Self {
        Self { push: false, ..self }
    }
}

impl Bearer {
    /// No accounts.
    pub fn anonymous(anonymous_pull: bool) -> Self {
        Self {
            accounts: Vec::new(),
            anonymous_pull,
            identity_token: None,
            service: "testkit".to_owned(),
            realm: None,
            token_uses: None,
            expires_in_seconds: Some(300),
        }
    }
}

/// A token that was given out.
#[derive(Debug)]
pub(super) struct Token {
    /// Actions by repository.
    scopes: BTreeMap<String, BTreeSet<String>>,
    uses: Option<usize>,
}

/// What a request is about to do to a repository; nothing for `/v2/`.
pub(super) struct Wish<'a> {
    pub(super) repository: &'a str,
    pub(super) push: bool,
}

/// The refusal, if the caller may not do that.
pub(super) fn refuse(state: &mut State, call: &Call, wish: Option<&Wish<'_>>) -> Option<Reply> {
    let authorization = call.header("authorization").unwrap_or_default().to_owned();
    match state.settings.auth.clone() {
        Auth::None => None,
        Auth::Basic(accounts) => match account(&accounts, &authorization) {
            None => Some(unauthorized("Basic realm=\"testkit\"")),
            Some(account) if wish.is_some_and(|wish| wish.push) && !account.push => Some(denied()),
            Some(_) => None,
        },
        Auth::Bearer(bearer) => {
            let verdict = authorization.strip_prefix("Bearer ").map(|token| admitted(state, token, wish));
            if verdict == Some(Admission::Admitted) {
                return None;
            }
            let mut challenge = bearer.challenge(&state.address.to_string(), wish);
            if verdict == Some(Admission::Insufficient) {
                challenge.push_str(",error=\"insufficient_scope\"");
            }
            Some(unauthorized(&challenge))
        }
    }
}

#[derive(PartialEq)]
enum Admission {
    Admitted,
    Insufficient,
    Unknown,
}

fn admitted(state: &mut State, token: &str, wish: Option<&Wish<'_>>) -> Admission {
    let Some(token) = state.tokens.get_mut(token) else { return Admission::Unknown };
    match &mut token.uses {
        Some(0) => return Admission::Unknown,
        Some(uses) => *uses -= 1,
        None => {}
    }
    let Some(wish) = wish else { return Admission::Admitted };
    let wanted = if wish.push { "push" } else { "pull" };
    let may = token.scopes.get(wish.repository).is_some_and(|actions| actions.contains(wanted));
    if may { Admission::Admitted } else { Admission::Insufficient }
}

impl Bearer {
    fn challenge(&self, address: &str, wish: Option<&Wish<'_>>) -> String {
        let own = format!("http://{address}/token");
        let mut challenge =
            format!("Bearer realm=\"{}\",service=\"{}\"", self.realm.as_ref().unwrap_or(&own), self.service);
        if let Some(Wish { repository, push }) = wish {
            let actions = if *push { "pull,push" } else { "pull" };
            challenge = format!("{challenge},scope=\"repository:{repository}:{actions}\"");
        }
        challenge
    }
}

/// The token endpoint: `GET /token?service=&scope=` with Basic or nothing, or `POST /token` with a form.
pub(super) fn token(state: &mut State, call: &Call) -> Reply {
    let Auth::Bearer(bearer) = state.settings.auth.clone() else {
        return Reply::error(404, "NAME_UNKNOWN", "there is no token endpoint");
    };
    let form = if call.method == "POST" { pairs(&String::from_utf8_lossy(&call.body)) } else { call.query.clone() };
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    if field("service") != bearer.service {
        return Reply::error(400, "UNSUPPORTED", "the request names another service");
    }
    let known = if call.method == "POST" {
        let right = match field("grant_type") {
            "refresh_token" => bearer.identity_token.as_deref() == Some(field("refresh_token")),
            "password" => bearer
                .accounts
                .iter()
                .any(|account| account.user == field("username") && account.password == field("password")),
            _ => false,
        };
        if !right {
            return Reply::error(401, "UNAUTHORIZED", "the token or password is wrong");
        }
        true
    } else {
        match call.header("authorization") {
            None if bearer.anonymous_pull => false,
            None => return Reply::error(401, "UNAUTHORIZED", "authentication required"),
            Some(authorization) => match account(&bearer.accounts, authorization) {
                Some(account) => account.push,
                None => return Reply::error(401, "UNAUTHORIZED", "the user or password is wrong"),
            },
        }
    };
    // Several scopes come as several `scope` fields, or in one with blanks between; the query keeps only the last of
    // several fields, so they are read from the target.
    let source = if call.method == "POST" {
        String::from_utf8_lossy(&call.body).into_owned()
    } else {
        call.target.split_once('?').map_or("", |(_, query)| query).to_owned()
    };
    let mut scopes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for field in source.split('&').filter(|field| field.starts_with("scope=")) {
        for scope in pairs(field).values().flat_map(|scopes| scopes.split(' ')) {
            if let Some((repository, actions)) =
                scope.strip_prefix("repository:").and_then(|rest| rest.rsplit_once(':'))
            {
                let allowed = actions.split(',').filter(|action| *action == "pull" || known).map(str::to_owned);
                scopes.entry(repository.to_owned()).or_default().extend(allowed);
            }
        }
    }
    let text = format!("testkit-token-{}", state.number());
    state.tokens.insert(text.clone(), Token { scopes, uses: bearer.token_uses });
    let mut answer = json!({ "token": text, "access_token": text });
    if let Some(seconds) = bearer.expires_in_seconds {
        answer["expires_in"] = seconds.into();
    }
    Reply::new(200).json("application/json", &answer)
}

fn unauthorized(challenge: &str) -> Reply {
    Reply::error(401, "UNAUTHORIZED", "authentication required").header("WWW-Authenticate", challenge)
}

fn denied() -> Reply {
    Reply::error(403, "DENIED", "requested access to the resource is denied")
}

fn account<'a>(accounts: &'a [Account], authorization: &str) -> Option<&'a Account> {
    let encoded = authorization.strip_prefix("Basic ")?;
    let pair = base64::engine::general_purpose::STANDARD.decode(encoded).ok()?;
    let pair = String::from_utf8(pair).ok()?;
    let (user, password) = pair.split_once(':')?;
    accounts.iter().find(|account| account.user == user && account.password == password)
}
