//! Every route, once: its method, its path, who may ask for it, how long it may take, and its handler. `openapi.json` describes the same ones; a
//! test compares them.

use std::collections::HashMap;

use axum::Router;
use axum::http::Method;
use axum::routing::{MethodRouter, get, post, put};

use crate::api::{
    audit, decide, decisions, denials, evidence, exceptions, health, images, overrides, packages, policies, promotions,
    reports, rollbacks, signals, tokens, workloads,
};
use crate::app::App;
use crate::{errors, guard, openapi};

/// Who may ask for a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody: it says nothing about any image.
    Open,
    /// Whoever may read or ask about something.
    Read,
    /// Whoever may change something about some image; never anonymously.
    Write,
    /// Whoever may change what holds for others; never anonymously.
    Admin,
}

/// How long a route may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Time {
    /// As long as an ask may wait.
    Ask,
    /// As long as any request.
    Usual,
    /// As long as an upload.
    Long,
}

/// A route.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its method; `HEAD` goes with `GET`.
    pub method: Method,
    /// Its path, with parameters in braces.
    pub path: &'static str,
    /// Who may ask for it.
    pub access: Access,
    pub(crate) time: Time,
}

type Declared = (Route, MethodRouter<App>);

fn read(path: &'static str, handler: MethodRouter<App>) -> Declared {
    (Route { method: Method::GET, path, access: Access::Read, time: Time::Usual }, handler)
}

/// It reads much.
fn long(path: &'static str, handler: MethodRouter<App>) -> Declared {
    (Route { method: Method::GET, path, access: Access::Read, time: Time::Long }, handler)
}

fn open(path: &'static str, handler: MethodRouter<App>) -> Declared {
    (Route { method: Method::GET, path, access: Access::Open, time: Time::Usual }, handler)
}

fn change(path: &'static str, access: Access, time: Time, handler: MethodRouter<App>) -> Declared {
    (Route { method: Method::POST, path, access, time }, handler)
}

/// Who may do it depends on what it is about.
fn settle(method: Method, path: &'static str, handler: MethodRouter<App>) -> Declared {
    (Route { method, path, access: Access::Write, time: Time::Usual }, handler)
}

fn declared() -> Vec<Declared> {
    vec![
        open("/healthz", get(health::alive)),
        open("/readyz", get(health::ready)),
        read("/metrics", get(health::metrics)),
        open("/api/v1/openapi.json", get(openapi::document)),
        change("/api/v1/decide", Access::Read, Time::Ask, post(decide::decide)),
        read("/api/v1/decide/{id}", get(decide::later)),
        read("/api/v1/decisions", get(decisions::list)),
        read("/api/v1/decisions/{id}", get(decisions::one)),
        read("/api/v1/decisions/{id}/evidence", get(evidence::of_decision)),
        read("/api/v1/evidence/{digest}", get(evidence::one)),
        read("/api/v1/images/{digest}/events", get(images::events)),
        read("/api/v1/decisions/{id}/label", get(overrides::label_of)),
        change("/api/v1/decisions/{id}/label", Access::Write, Time::Usual, post(overrides::label)),
        change("/api/v1/denials", Access::Write, Time::Usual, post(denials::add)),
        read("/api/v1/denials", get(denials::list)),
        read("/api/v1/denials/{id}", get(denials::one)),
        change("/api/v1/denials/{id}/lift", Access::Write, Time::Usual, post(denials::lift)),
        change("/api/v1/overrides", Access::Write, Time::Usual, post(overrides::grant)),
        read("/api/v1/overrides", get(overrides::list)),
        read("/api/v1/overrides/{id}", get(overrides::one)),
        change("/api/v1/overrides/{id}/revoke", Access::Write, Time::Usual, post(overrides::revoke)),
        change("/api/v1/signals", Access::Write, Time::Long, post(signals::submit)),
        read("/api/v1/signals", get(signals::list)),
        change("/api/v1/signals/{id}/withdraw", Access::Write, Time::Usual, post(signals::withdraw)),
        change("/api/v1/policies", Access::Admin, Time::Long, post(policies::upload)),
        read("/api/v1/policies", get(policies::list)),
        read("/api/v1/policies/{digest}", get(policies::one)),
        change("/api/v1/policies/{digest}/activate", Access::Admin, Time::Long, post(policies::activate)),
        change("/api/v1/policies/{digest}/confirm", Access::Admin, Time::Long, post(policies::confirm)),
        change("/api/v1/proposals/{id}/withdraw", Access::Admin, Time::Usual, post(policies::withdraw)),
        change("/api/v1/policies/{digest}/replay", Access::Read, Time::Long, post(policies::replay)),
        change("/api/v1/policies/rollback", Access::Admin, Time::Long, post(policies::roll_back)),
        read("/api/v1/exceptions", get(exceptions::list)),
        settle(Method::POST, "/api/v1/exceptions", post(exceptions::request)),
        read("/api/v1/exceptions/{id}", get(exceptions::one)),
        settle(Method::PUT, "/api/v1/exceptions/{id}", put(exceptions::edit)),
        settle(Method::POST, "/api/v1/exceptions/{id}/approve", post(exceptions::approve)),
        settle(Method::POST, "/api/v1/exceptions/{id}/reject", post(exceptions::reject)),
        settle(Method::POST, "/api/v1/exceptions/{id}/revoke", post(exceptions::revoke)),
        settle(Method::POST, "/api/v1/exceptions/{id}/withdraw", post(exceptions::withdraw)),
        read("/api/v1/exceptions/{id}/preview", get(exceptions::preview)),
        read("/api/v1/exceptions/{id}/uses", get(exceptions::uses)),
        read("/api/v1/packages", get(packages::images)),
        read("/api/v1/workloads", get(workloads::list)),
        read("/api/v1/promotions", get(promotions::list)),
        read("/api/v1/whoami", get(tokens::whoami)),
        change("/api/v1/tokens", Access::Admin, Time::Usual, post(tokens::create)),
        (
            Route { method: Method::GET, path: "/api/v1/tokens", access: Access::Admin, time: Time::Usual },
            get(tokens::list),
        ),
        change("/api/v1/tokens/{id}/revoke", Access::Admin, Time::Usual, post(tokens::revoke)),
        change("/api/v1/promotions", Access::Write, Time::Usual, post(promotions::begin)),
        read("/api/v1/promotions/{id}", get(promotions::one)),
        read("/api/v1/rollbacks", get(rollbacks::list)),
        change("/api/v1/rollbacks", Access::Write, Time::Usual, post(rollbacks::begin)),
        long("/api/v1/reports/{period}", get(reports::period)),
        long("/api/v1/incidents", get(reports::incident)),
        read("/api/v1/audit/checkpoint", get(audit::checkpoint)),
        read("/api/v1/audit/key", get(audit::key)),
        read("/api/v1/audit/entries", get(audit::entries)),
        read("/api/v1/audit/proof/{entry}", get(audit::inclusion)),
        read("/api/v1/audit/consistency", get(audit::consistency)),
    ]
}

/// The routes without their handlers.
pub fn listed() -> Vec<Route> {
    declared().into_iter().map(|(route, _)| route).collect()
}

/// The API as a service.
pub fn router(app: App) -> Router {
    guarded(declared(), app)
}

/// Any routes behind the guard.
pub(crate) fn guarded(declared: Vec<Declared>, app: App) -> Router {
    let routes = declared.into_iter().fold(Router::new(), |router, (route, handler)| router.route(route.path, handler));
    routes
        .fallback(errors::no_such_route)
        .method_not_allowed_fallback(errors::no_such_method)
        .layer(axum::middleware::from_fn_with_state(app.clone(), guard::guard))
        .with_state(app)
}

/// The routes by path, to look up what a request may.
#[derive(Debug)]
pub(crate) struct Table(HashMap<&'static str, Vec<Route>>);

impl Table {
    pub(crate) fn new() -> Self {
        let mut routes: HashMap<&'static str, Vec<Route>> = HashMap::new();
        for route in listed() {
            routes.entry(route.path).or_default().push(route);
        }
        Self(routes)
    }

    /// The route of a matched path. Without one, or with another method, nothing but an error is answered.
    pub(crate) fn find(&self, path: &str, method: &Method) -> Option<&Route> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.0.get(path)?.iter().find(|route| route.method == *method)
    }

    /// The template of a matched path.
    pub(crate) fn template(&self, path: &str) -> Option<&'static str> {
        self.0.get(path)?.first().map(|route| route.path)
    }
}
