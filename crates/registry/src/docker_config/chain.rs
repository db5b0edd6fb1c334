//! Sources of credentials, one after another.

use std::sync::Arc;

use model::EcrHost;

use crate::credentials::{BoxFuture, Credential, CredentialError, Credentials};

/// For private registries of Amazon ECR the AWS identity, for others the first source that knows the host, else nobody.
///
/// ECR answers no anonymous request, so an AWS identity that cannot be had is told as what it is. Only a login that
/// somebody made for the host (`aws ecr get-login-password | docker login …`) takes its place.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    ecr: Option<Arc<dyn Credentials>>,
    others: Vec<Arc<dyn Credentials>>,
}

impl Chain {
    /// No sources: everybody is nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// The source for private registries of Amazon ECR.
    #[must_use]
    pub fn ecr(self, source: Arc<dyn Credentials>) -> Self {
        Self { ecr: Some(source), ..self }
    }

    /// One more source, asked after those before.
    #[must_use]
    pub fn then(mut self, source: Arc<dyn Credentials>) -> Self {
        self.others.push(source);
        self
    }

    async fn find(&self, host: &str, refresh: bool) -> Result<Credential, CredentialError> {
        let ecr = self.ecr.as_ref().filter(|_| host.parse::<EcrHost>().is_ok());
        let refused = match ecr {
            Some(ecr) => match ecr.for_host(host, refresh).await {
                Ok(Credential::Anonymous) => None,
                Ok(credential) => return Ok(credential),
                Err(refused) => Some(refused),
            },
            None => None,
        };
        for source in &self.others {
            match source.for_host(host, refresh).await {
                Ok(Credential::Anonymous) => {}
                Ok(credential) => return Ok(credential),
                // What AWS said is told, not what the second choice said.
                Err(error) if refused.is_none() => return Err(error),
                Err(_) => {}
            }
        }
        refused.map_or(Ok(Credential::Anonymous), Err)
    }
}

impl Credentials for Chain {
    fn for_host<'a>(&'a self, host: &'a str, refresh: bool) -> BoxFuture<'a, Result<Credential, CredentialError>> {
        Box::pin(self.find(host, refresh))
    }
}
