//! Credentials, region and endpoint: the standard chain of the AWS SDKs, and `AWS_OIDC_TOKEN` (S44).

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{
    self, ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future,
};
use aws_sdk_ecr::config::{Region, SharedHttpClient};
use model::Partition;

/// Which repository in which registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The account; the caller's own if it is not said.
    pub account: Option<String>,
    /// The region.
    pub region: String,
    /// The repository.
    pub repository: String,
    /// Use FIPS endpoints.
    pub fips: bool,
    /// Use dual-stack endpoints.
    pub dual_stack: bool,
}

impl Target {
    /// The ARN of the repository; an unknown account is written `*`.
    pub fn arn(&self) -> String {
        let account = self.account.as_deref().unwrap_or("*");
        let partition = Partition::of_region(&self.region);
        format!("arn:{partition}:ecr:{}:{account}:repository/{}", self.region, self.repository)
    }
}

/// A client for one repository.
#[derive(Debug, Clone)]
pub struct Ecr {
    pub(crate) client: aws_sdk_ecr::Client,
    pub(crate) sts: aws_sdk_sts::Client,
    pub(crate) target: Target,
}

/// The endpoint that the environment puts in place of ECR, by the standard variables.
pub fn endpoint_override() -> Option<String> {
    service_endpoint(ECR)
}

/// The variables that put an endpoint in place of one service.
pub(crate) const ECR: &str = "AWS_ENDPOINT_URL_ECR";
pub(crate) const KMS: &str = "AWS_ENDPOINT_URL_KMS";
const STS: &str = "AWS_ENDPOINT_URL_STS";

/// The endpoint that the environment puts in place of the service with this variable.
pub(crate) fn service_endpoint(variable: &str) -> Option<String> {
    if endpoints_are_ignored() { None } else { set(variable).or_else(|| set("AWS_ENDPOINT_URL")) }
}

fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn endpoints_are_ignored() -> bool {
    set("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// An endpoint without TLS.
pub(crate) fn is_plain(url: &str) -> bool {
    url.starts_with("http://")
}

/// A client for endpoints without TLS.
pub(crate) fn plain_http() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_http()
}

/// True if nothing that the SDK may call speaks TLS: not the service with this variable, and not those that give
/// credentials.
fn everything_is_plain(variable: &str) -> bool {
    let others = [variable, STS, "AWS_CONTAINER_CREDENTIALS_FULL_URI"];
    !endpoints_are_ignored()
        && set("AWS_ENDPOINT_URL").is_some_and(|url| is_plain(&url))
        && others.into_iter().all(|name| set(name).is_none_or(|url| is_plain(&url)))
}

/// Credentials and settings by the standard chain, and `AWS_OIDC_TOKEN`, for the service with this endpoint variable. Without
/// a region it is the chain's own.
pub(crate) async fn load(
    region: Option<Region>,
    variable: &str,
    shape: impl FnOnce(ConfigLoader) -> ConfigLoader,
) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(std::time::Duration::from_secs(5)).build());
    if let Some(region) = region {
        loader = loader.region(region);
    }
    loader = shape(loader);
    let login = OidcLogin::from_environment();
    if login.is_some() {
        // Without this the chain would look for other credentials first.
        loader = loader.credentials_provider(Credentials::new("-", "-", None, None, "placeholder"));
    }
    // An endpoint without TLS, such as one on loopback, needs no TLS stack: nothing has to load the machine's root
    // certificates, which takes longer than a whole decision. The loader would do so before it is asked anything.
    if everything_is_plain(variable) {
        loader = loader.http_client(plain_http());
    }
    let config = loader.load().await;
    let Some(mut login) = login else { return config };
    let sts = aws_sdk_sts::config::Builder::from(&config).retry_config(RetryConfig::standard()).build();
    login.sts = Some(aws_sdk_sts::Client::from_conf(sts));
    config.into_builder().credentials_provider(SharedCredentialsProvider::new(login)).build()
}

impl Ecr {
    /// Prepares a client. Nothing is asked of AWS yet.
    pub async fn connect(target: Target) -> Self {
        // An endpoint of the caller's own is neither; the SDK refuses the two together.
        let overridden = endpoint_override().is_some();
        let config = load(Some(Region::new(target.region.clone())), ECR, |mut loader| {
            if target.fips && !overridden {
                loader = loader.use_fips(true);
            }
            if target.dual_stack && !overridden {
                loader = loader.use_dual_stack(true);
            }
            loader
        })
        .await;
        let mut ecr = aws_sdk_ecr::config::Builder::from(&config);
        if endpoint_override().is_some_and(|url| is_plain(&url)) {
            ecr = ecr.http_client(plain_http());
        }
        Self { client: aws_sdk_ecr::Client::from_conf(ecr.build()), sts: aws_sdk_sts::Client::new(&config), target }
    }

    /// The same client for another repository of the same region.
    #[must_use]
    pub fn of(&self, target: Target) -> Self {
        Self { client: self.client.clone(), sts: self.sts.clone(), target }
    }

    /// Which repository in which registry.
    pub fn target(&self) -> &Target {
        &self.target
    }
}

/// `AWS_OIDC_TOKEN`, the token itself, and `AWS_ROLE_ARN`: exchanged for a session in process, so that a pipeline needs
/// neither a token file nor a script (S44).
struct OidcLogin {
    token: String,
    role: String,
    session: String,
    sts: Option<aws_sdk_sts::Client>,
}

impl std::fmt::Debug for OidcLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OidcLogin").field("role", &self.role).finish_non_exhaustive()
    }
}

impl OidcLogin {
    fn from_environment() -> Option<Self> {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let token = set("AWS_OIDC_TOKEN")?.trim().to_owned();
        // Without a role the exchange is refused below with a sentence that names the variable.
        let role = set("AWS_ROLE_ARN").unwrap_or_else(String::new);
        let session = set("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| "ecr-gate".to_owned());
        Some(Self { token, role, session, sts: None })
    }

    async fn exchange(&self) -> provider::Result {
        if self.role.is_empty() {
            return Err(CredentialsError::invalid_configuration("AWS_OIDC_TOKEN is set, but AWS_ROLE_ARN is not"));
        }
        let Some(sts) = &self.sts else {
            return Err(CredentialsError::unhandled("the STS client is missing"));
        };
        let answer = sts
            .assume_role_with_web_identity()
            .role_arn(&self.role)
            .role_session_name(&self.session)
            .web_identity_token(&self.token)
            .send()
            .await
            .map_err(|error| CredentialsError::provider_error(error.into_service_error()))?;
        let Some(session) = answer.credentials else {
            return Err(CredentialsError::unhandled("STS answered without credentials"));
        };
        let expires = std::time::SystemTime::try_from(session.expiration).map_err(CredentialsError::unhandled)?;
        Ok(Credentials::new(
            session.access_key_id,
            session.secret_access_key,
            Some(session.session_token),
            Some(expires),
            "AWS_OIDC_TOKEN",
        ))
    }
}

impl ProvideCredentials for OidcLogin {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.exchange())
    }
}
