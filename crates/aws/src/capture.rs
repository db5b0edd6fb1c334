//! Bounds every response body and keeps a copy of its bytes.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextMut,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;

/// The largest answer that is read. A page of 1,000 enhanced findings has about 6 MB.
pub(crate) const MAX_BODY_BYTES: usize = 64 << 20;

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Captured {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// An interceptor for one call.
#[derive(Debug, Clone)]
pub(crate) struct Capture {
    seen: Arc<Mutex<Option<Captured>>>,
}

impl Capture {
    pub(crate) fn new() -> Self {
        Self { seen: Arc::new(Mutex::new(None)) }
    }

    /// The whole answer; `None` if none came, or not whole.
    pub(crate) fn take(&self) -> Option<Captured> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Capture {
    fn name(&self) -> &'static str {
        "ecr-gate capture"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response_mut().take_body();
        let bounded = http_body_util::Limited::new(body, MAX_BODY_BYTES);
        *context.response_mut().body_mut() = SdkBody::from_body_1_x(bounded);
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        // The body is in memory now; if it broke off there are no bytes.
        if let Some(body) = response.body().bytes() {
            let captured = Captured { status: response.status().as_u16(), body: body.to_vec() };
            *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(captured);
        }
        Ok(())
    }
}
