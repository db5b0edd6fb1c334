//! The port of admission: what it shares, and its routes.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use engine::{Actor, Role};
use tokio::sync::Semaphore;

use super::body::Memory;
use super::refusal::Denials;
use super::settings::AdmissionSettings;
use super::{guard, handlers};
use crate::api::health;
use crate::app::App;
use crate::errors;
use crate::run::Listening;
use crate::tls::Certificate;

/// Every path of the port.
pub(super) const PATHS: [&str; 6] = [
    "/admission/validate",
    "/admission/validate/{environment}",
    "/admission/mutate",
    "/admission/mutate/{environment}",
    "/healthz",
    "/readyz",
];

/// Admission, set up. Clones share it.
#[derive(Debug, Clone)]
pub struct Admission {
    pub(super) inner: Arc<Inner>,
}

/// Where admission is listened for.
#[derive(Debug)]
pub struct AdmissionPort {
    /// The port.
    pub listening: Listening,
    /// Its certificate; `None`: plain HTTP, on loopback alone.
    pub certificate: Option<Certificate>,
    /// What answers.
    pub admission: Admission,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) app: App,
    pub(super) settings: AdmissionSettings,
    /// Admission asks about everything, and does nothing else.
    pub(super) actor: Actor,
    /// Slots of its own: however much is asked of the API, and the other way round.
    pub(super) working: Arc<Semaphore>,
    pub(super) memory: Memory,
    pub(super) denials: Denials,
}

impl Admission {
    /// Admission by the gate of this app.
    pub fn new(app: &App, settings: AdmissionSettings) -> Self {
        let inner = Inner {
            app: app.clone(),
            actor: Actor::everywhere("kubernetes", &[Role::Anonymous]),
            working: Arc::new(Semaphore::new(settings.concurrency.clamp(1, Semaphore::MAX_PERMITS))),
            memory: Memory::new(),
            denials: Denials::default(),
            settings,
        };
        Self { inner: Arc::new(inner) }
    }
}

/// The routes of the port.
pub(crate) fn router(admission: Admission) -> Router {
    let [validate, validate_in, mutate, mutate_in, alive, ready] = PATHS;
    let app = admission.inner.app.clone();
    let health = Router::new().route(alive, get(health::alive)).route(ready, get(health::ready)).with_state(app);
    Router::new()
        .route(validate, post(handlers::validate))
        .route(validate_in, post(handlers::validate))
        .route(mutate, post(handlers::mutate))
        .route(mutate_in, post(handlers::mutate))
        .with_state(admission.clone())
        .merge(health)
        .fallback(errors::no_such_route)
        .method_not_allowed_fallback(errors::no_such_method)
        .layer(axum::middleware::from_fn_with_state(admission, guard::guard))
}
