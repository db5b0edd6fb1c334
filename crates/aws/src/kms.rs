//! Keys that the AWS Key Management Service holds: fetching a public key, and signing with the private one, which never
//! leaves the service. Names are cosign's: `awskms:///alias/NAME`, `awskms:///KEY-ID`, `awskms:///arn:aws:kms:…`, each
//! with an endpoint in place of AWS between the second and third slash. Which signatures count is not decided here (S27).

use std::time::Duration;

use aws_sdk_kms::config::Region;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeyUsageType, MessageType, SigningAlgorithmSpec};
use model::{Reason, ReasonCode};
use sha2::{Digest as _, Sha256, Sha384};
use tokio::sync::OnceCell;

use crate::connect;
use crate::failure::{Failure, FailureKind, call_about};

/// What KMS hashes itself; of anything longer it takes the digest.
const RAW: usize = 4096;
/// How long one answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The pauses after which KMS is asked again when it throttles or fails.
const PAUSES: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(2)];

/// The name of a key, as cosign writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KmsKey {
    uri: String,
    endpoint: Option<String>,
    id: String,
    region: Option<String>,
}

impl KmsKey {
    /// What a name begins with.
    pub const SCHEME: &str = "awskms://";

    /// Reads `awskms://[ENDPOINT]/[ID, ALIAS or ARN]`.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(uri: &str) -> Result<Self, Reason> {
        let shown: String = uri.chars().take(200).collect();
        let wrong = || {
            Reason::new(ReasonCode::TrustKeyUnavailable, format!("{shown:?} is not the name of a key in AWS KMS"))
                .remedy("Write awskms:///alias/NAME, awskms:///KEY-ID or awskms:///arn:aws:kms:…; with three slashes.")
        };
        let (endpoint, id) = uri.strip_prefix(Self::SCHEME).and_then(|rest| rest.split_once('/')).ok_or_else(wrong)?;
        let host = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        let region = region(id);
        let known = is_key(id) || is_alias(id) || region.is_some();
        if uri.len() > 2048 || !endpoint.chars().all(host) || !known {
            return Err(wrong());
        }
        let endpoint = (!endpoint.is_empty()).then(|| endpoint.to_owned());
        Ok(Self { uri: uri.to_owned(), endpoint, id: id.to_owned(), region })
    }
}

/// `1234abcd-12ab-34cd-56ef-1234567890ab`, `mrk-…`
fn is_key(id: &str) -> bool {
    let hex = |c: char| c.is_ascii_hexdigit();
    let id = id.strip_prefix("mrk-").map_or_else(|| id.replace('-', ""), str::to_owned);
    id.len() == 32 && id.chars().all(hex)
}

fn is_alias(id: &str) -> bool {
    id.strip_prefix("alias/").is_some_and(|name| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/_-".contains(c);
        (1..=250).contains(&name.len()) && name.chars().all(plain)
    })
}

/// The region that the ARN of a key or alias names.
fn region(arn: &str) -> Option<String> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [first, partition, service, region, account, resource] = parts.as_slice() else { return None };
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let named = *first == "arn" && partition.starts_with("aws") && plain(partition) && *service == "kms";
    let placed =
        !region.is_empty() && plain(region) && account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    let resource = resource.strip_prefix("key/").map_or_else(|| is_alias(resource), is_key);
    (named && placed && resource).then(|| (*region).to_owned())
}

/// One key, and the client to ask about it.
#[derive(Debug)]
pub struct Kms {
    client: aws_sdk_kms::Client,
    key: KmsKey,
    public: OnceCell<PublicHalf>,
}

/// What `GetPublicKey` says.
#[derive(Debug, Clone)]
struct PublicHalf {
    der: Vec<u8>,
    usage: Option<KeyUsageType>,
    algorithms: Vec<SigningAlgorithmSpec>,
}

impl Kms {
    /// Prepares a client by the standard chain of AWS. Nothing is asked of KMS yet.
    ///
    /// # Errors
    /// No region is known.
    pub async fn connect(key: KmsKey) -> Result<Self, Reason> {
        let config = connect::load(key.region.clone().map(Region::new), connect::KMS, std::convert::identity).await;
        if config.region().is_none() {
            let message = format!("{}: no region is set, and the name of the key has none", key.uri);
            return Err(Reason::new(ReasonCode::TrustKeyUnavailable, message)
                .remedy("Set AWS_REGION, or name the key by its ARN."));
        }
        let mut kms = aws_sdk_kms::config::Builder::from(&config);
        if let Some(endpoint) = &key.endpoint {
            kms = kms.endpoint_url(format!("https://{endpoint}"));
        } else if connect::service_endpoint(connect::KMS).is_some_and(|url| connect::is_plain(&url)) {
            kms = kms.http_client(connect::plain_http());
        }
        Ok(Self::with(aws_sdk_kms::Client::from_conf(kms.build()), key))
    }

    fn with(client: aws_sdk_kms::Client, key: KmsKey) -> Self {
        Self { client, key, public: OnceCell::new() }
    }

    /// The key's SubjectPublicKeyInfo in DER, fetched once.
    ///
    /// # Errors
    /// KMS does not give it, or the key is not one that signs.
    pub async fn public_key(&self) -> Result<Vec<u8>, Reason> {
        self.public().await.map(|public| public.der.clone())
    }

    /// Signs a message: ECDSA with the curve's hash in ASN.1 form, RSA PKCS#1 v1.5 with SHA-256.
    ///
    /// # Errors
    /// KMS does not sign, or the key is of a kind that is not supported.
    pub async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Reason> {
        const OPERATION: &str = "Sign";
        let public = self.public().await?;
        let supported = [
            SigningAlgorithmSpec::EcdsaSha256,
            SigningAlgorithmSpec::EcdsaSha384,
            SigningAlgorithmSpec::RsassaPkcs1V15Sha256,
        ];
        let Some(algorithm) = supported.into_iter().find(|algorithm| public.algorithms.contains(algorithm)) else {
            let theirs: Vec<&str> = public.algorithms.iter().map(SigningAlgorithmSpec::as_str).collect();
            let message = format!("{} signs with {}, which is not supported", self.key.uri, theirs.join(", "));
            return Err(Reason::new(ReasonCode::TrustKeyUnavailable, message)
                .remedy("Use a key with the spec ECC_NIST_P256, ECC_NIST_P384 or RSA_2048 to RSA_4096."));
        };
        let (kind, message) = match algorithm {
            _ if message.len() <= RAW => (MessageType::Raw, message.to_vec()),
            SigningAlgorithmSpec::EcdsaSha384 => (MessageType::Digest, Sha384::digest(message).to_vec()),
            _ => (MessageType::Digest, Sha256::digest(message).to_vec()),
        };
        let answer = self
            .asked(OPERATION, || async {
                let request = self
                    .client
                    .sign()
                    .key_id(&self.key.id)
                    .message(Blob::new(message.clone()))
                    .message_type(kind.clone())
                    .signing_algorithm(algorithm.clone());
                call_about!(&self.key.id, OPERATION, request)
            })
            .await
            .map_err(|failure| self.told(&failure))?;
        match answer.signature.map(Blob::into_inner) {
            Some(signature) if !signature.is_empty() => Ok(signature),
            _ => Err(self.told(&self.malformed(OPERATION, "the answer holds no signature"))),
        }
    }

    async fn public(&self) -> Result<&PublicHalf, Reason> {
        const OPERATION: &str = "GetPublicKey";
        let fetch = || async {
            let answer = self
                .asked(OPERATION, || async {
                    let request = self.client.get_public_key().key_id(&self.key.id);
                    call_about!(&self.key.id, OPERATION, request)
                })
                .await?;
            let der = answer.public_key.map_or_else(Vec::new, Blob::into_inner);
            if der.is_empty() {
                return Err(self.malformed(OPERATION, "the answer holds no public key"));
            }
            let algorithms = answer.signing_algorithms.unwrap_or_else(Vec::new);
            Ok(PublicHalf { der, usage: answer.key_usage, algorithms })
        };
        let public = self.public.get_or_try_init(fetch).await.map_err(|failure| self.told(&failure))?;
        match &public.usage {
            Some(KeyUsageType::SignVerify) => Ok(public),
            usage => {
                let usage = usage.as_ref().map_or("nothing that is said", KeyUsageType::as_str);
                let message = format!("{} is a key for {usage}, not for signing", self.key.uri);
                Err(Reason::new(ReasonCode::TrustKeyUnavailable, message)
                    .remedy("Name a key that was made with the usage SIGN_VERIFY."))
            }
        }
    }

    /// Asks a few times if KMS fails for a passing reason: nobody behind this asks again.
    async fn asked<T, F>(&self, operation: &'static str, call: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let mut pauses = PAUSES.iter();
        loop {
            let answer = tokio::time::timeout(TIMEOUT, call()).await.unwrap_or_else(|_| {
                let message = format!("no answer within {} s", TIMEOUT.as_secs());
                Err(Failure::about(operation, &self.key.id, FailureKind::Network, message))
            });
            match (answer, pauses.next()) {
                (Err(failure), Some(pause)) if failure.is_transient() => tokio::time::sleep(*pause).await,
                (answer, _) => return answer,
            }
        }
    }

    fn malformed(&self, operation: &'static str, what: &str) -> Failure {
        Failure::about(operation, &self.key.id, FailureKind::Malformed, what)
    }

    /// The failure in words that tell a missing permission from a missing key and from a broken network.
    fn told(&self, failure: &Failure) -> Reason {
        let uri = &self.key.uri;
        let action = format!("kms:{}", failure.operation);
        let said = match &failure.code {
            Some(code) => format!("{code}: {}", failure.message),
            None => failure.message.clone(),
        };
        let reason = |message: String| Reason::new(ReasonCode::TrustKeyUnavailable, message);
        let denied = |message: String| Reason::new(ReasonCode::TrustKeyDenied, message);
        match (failure.code.as_deref(), failure.kind) {
            (Some("NotFoundException"), _) => denied(format!("{uri}: there is no such key ({said})"))
                .remedy("Check alias, key id, account and region (AWS_REGION, or the region in the key's ARN)."),
            (Some("DisabledException" | "KMSInvalidStateException"), _) => {
                reason(format!("{uri}: the key is disabled or waits for its deletion ({said})"))
                    .remedy("Enable the key, or name another one.")
            }
            (Some("InvalidKeyUsageException" | "UnsupportedOperationException"), _) => {
                reason(format!("{uri}: the key cannot do {action} ({said})"))
                    .remedy("Name an asymmetric key that was made with the usage SIGN_VERIFY.")
            }
            (_, FailureKind::AccessDenied) => denied(format!("{uri}: {action} was refused: {said}")).remedy(format!(
                "Allow {action} on the key for the role of the job, in its policy or in the key's own."
            )),
            (
                _,
                FailureKind::CredentialsMissing | FailureKind::CredentialsExpired | FailureKind::CredentialsInvalid,
            ) => denied(format!("{uri}: {action}: the AWS credentials cannot be used: {said}"))
                .remedy(format!("Give the job a role or a profile that may call {action} on the key.")),
            (_, FailureKind::Throttled) => reason(format!("{uri}: {action}: AWS asked to slow down: {said}"))
                .remedy("Run fewer jobs at a time, or ask for a larger KMS request quota."),
            (_, FailureKind::Network | FailureKind::ServerFault) => {
                reason(format!("{uri}: AWS KMS cannot be reached or fails: {said}"))
                    .remedy("Check the network, proxy and endpoint settings, then try again.")
            }
            _ => reason(format!("{uri}: {action}: {said}")),
        }
    }
}

#[cfg(test)]
mod tests;
