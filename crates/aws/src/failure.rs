//! What went wrong with a call, by name: the table of AWS error codes, and how each becomes a [`Reason`].

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use model::{Reason, ReasonCode};

use crate::capture::Captured;
use crate::connect::Target;

/// Sends one request of the SDK (each has a type of its own): the body bounded, a failure named.
macro_rules! call {
    ($ecr:expr, $operation:expr, $request:expr) => {
        $crate::failure::call_about!(&$ecr.target.arn(), $operation, $request)
    };
}
pub(crate) use call;

/// The same about anything that has a name of its own.
macro_rules! call_about {
    ($arn:expr, $operation:expr, $request:expr) => {{
        let capture = $crate::capture::Capture::new();
        let sent = $request.customize().interceptor(capture.clone()).send().await;
        sent.map_err(|error| $crate::failure::Failure::classify($operation, $arn, &error, capture.take().as_ref()))
    }};
}
pub(crate) use call_about;

/// A call that brought no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which kind.
    pub kind: FailureKind,
    /// The operation, such as `DescribeImages`.
    pub operation: &'static str,
    /// The AWS error code, if there was one.
    pub code: Option<String>,
    /// What AWS, or the network, said.
    pub message: String,
    /// The ARN of the repository, or the name of the key, that was asked about.
    pub arn: String,
}

/// The kinds of failure that the gate treats differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The identity lacks a permission. Never retried.
    AccessDenied,
    /// No credentials.
    CredentialsMissing,
    /// The session has ended.
    CredentialsExpired,
    /// AWS does not accept the credentials, or they could not be obtained.
    CredentialsInvalid,
    /// The repository is not there.
    RepositoryNotFound,
    /// The image is not there.
    ImageNotFound,
    /// There is no scan of the image.
    ScanNotFound,
    /// The image was scanned already in the last 24 hours.
    ScanLimit,
    /// The scanner cannot scan this image.
    UnsupportedImage,
    /// The image is archived.
    ImageArchived,
    /// Too many requests. Retried.
    Throttled,
    /// The request is not valid here. For `StartImageScan` it is how ECR says "enhanced scanning is on".
    InvalidRequest,
    /// AWS failed. Retried.
    ServerFault,
    /// The network failed. Retried.
    Network,
    /// The answer is larger than the gate reads.
    TooLarge,
    /// An answer that is not in the form of the API.
    Malformed,
    /// An error code that is not in the table.
    Unknown,
}

/// AWS error codes, from the service model and from "Common errors" of the ECR API reference.
const CODES: &[(&str, FailureKind)] = &[
    ("AccessDeniedException", FailureKind::AccessDenied),
    ("AccessDenied", FailureKind::AccessDenied),
    ("UnauthorizedOperation", FailureKind::AccessDenied),
    ("NotAuthorized", FailureKind::AccessDenied),
    ("OptInRequired", FailureKind::AccessDenied),
    ("KmsException", FailureKind::AccessDenied),
    ("ExpiredTokenException", FailureKind::CredentialsExpired),
    ("ExpiredToken", FailureKind::CredentialsExpired),
    ("RequestExpired", FailureKind::CredentialsInvalid),
    ("UnrecognizedClientException", FailureKind::CredentialsInvalid),
    ("InvalidSignatureException", FailureKind::CredentialsInvalid),
    ("SignatureDoesNotMatch", FailureKind::CredentialsInvalid),
    ("InvalidClientTokenId", FailureKind::CredentialsInvalid),
    ("IncompleteSignature", FailureKind::CredentialsInvalid),
    ("IncompleteSignatureException", FailureKind::CredentialsInvalid),
    ("MissingAuthenticationToken", FailureKind::CredentialsInvalid),
    ("MissingAuthenticationTokenException", FailureKind::CredentialsInvalid),
    ("RepositoryNotFoundException", FailureKind::RepositoryNotFound),
    ("ImageNotFoundException", FailureKind::ImageNotFound),
    ("ScanNotFoundException", FailureKind::ScanNotFound),
    ("LimitExceededException", FailureKind::ScanLimit),
    ("UnsupportedImageTypeException", FailureKind::UnsupportedImage),
    ("ImageArchivedException", FailureKind::ImageArchived),
    ("ThrottlingException", FailureKind::Throttled),
    ("Throttling", FailureKind::Throttled),
    ("ThrottledException", FailureKind::Throttled),
    ("RequestThrottled", FailureKind::Throttled),
    ("RequestThrottledException", FailureKind::Throttled),
    ("RequestLimitExceeded", FailureKind::Throttled),
    ("TooManyRequestsException", FailureKind::Throttled),
    ("TOOMANYREQUESTS", FailureKind::Throttled),
    ("InvalidParameterException", FailureKind::InvalidRequest),
    ("ValidationException", FailureKind::InvalidRequest),
    ("ValidationError", FailureKind::InvalidRequest),
    ("UnableToGetUpstreamImageException", FailureKind::ServerFault),
    ("ServerException", FailureKind::ServerFault),
    ("ServiceUnavailable", FailureKind::ServerFault),
    ("ServiceUnavailableException", FailureKind::ServerFault),
    ("InternalFailure", FailureKind::ServerFault),
    ("InternalServerError", FailureKind::ServerFault),
    ("InternalServerException", FailureKind::ServerFault),
    ("InternalError", FailureKind::ServerFault),
];

/// How much of a foreign message is repeated.
const MESSAGE_CHARACTERS: usize = 500;

impl Failure {
    pub(crate) fn new(operation: &'static str, target: &Target, kind: FailureKind, message: impl Into<String>) -> Self {
        Self::about(operation, &target.arn(), kind, message)
    }

    /// The same about anything that has a name of its own.
    pub(crate) fn about(operation: &'static str, arn: &str, kind: FailureKind, message: impl Into<String>) -> Self {
        let message = message.into().chars().take(MESSAGE_CHARACTERS).collect();
        Self { kind, operation, code: None, message, arn: arn.to_owned() }
    }

    /// True if asking again later may help.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, FailureKind::Throttled | FailureKind::ServerFault | FailureKind::Network)
    }

    /// The failure as a reason, with the operation, the code and the words of AWS.
    pub fn reason(&self) -> Reason {
        let said = match &self.code {
            Some(code) => format!("{}: {code}: {}", self.operation, self.message),
            None => format!("{}: {}", self.operation, self.message),
        };
        match self.kind {
            FailureKind::AccessDenied => {
                let action = format!("ecr:{}", self.operation);
                Reason::new(ReasonCode::AwsAccessDenied, format!("{action} on {} was refused: {}", self.arn, self.message))
                    .remedy(format!(
                        "Allow {action} on {} for the role of the job; `ecr-gate iam-policy --repository {} --for check` prints the whole policy.",
                        self.arn, self.arn
                    ))
            }
            FailureKind::CredentialsMissing => Reason::new(ReasonCode::AwsCredentialsMissing, said),
            FailureKind::CredentialsExpired => Reason::new(ReasonCode::AwsCredentialsExpired, said),
            FailureKind::CredentialsInvalid => Reason::new(ReasonCode::AwsCredentialsInvalid, said),
            FailureKind::RepositoryNotFound => {
                Reason::new(ReasonCode::AwsRepositoryNotFound, format!("{} is not there ({said})", self.arn))
            }
            FailureKind::ImageNotFound => Reason::new(ReasonCode::AwsImageNotFound, said),
            FailureKind::ScanNotFound => Reason::new(ReasonCode::ScanMissing, said),
            FailureKind::ScanLimit if self.operation == "StartImageScan" => Reason::new(ReasonCode::ScanMissing, said),
            FailureKind::UnsupportedImage => Reason::new(ReasonCode::ScanUnsupported, said),
            FailureKind::ImageArchived => Reason::new(ReasonCode::ScanImageArchived, said),
            FailureKind::Throttled | FailureKind::ScanLimit => Reason::new(ReasonCode::AwsThrottled, said),
            FailureKind::InvalidRequest => Reason::new(ReasonCode::AwsInvalidRequest, said),
            FailureKind::ServerFault | FailureKind::Network => Reason::new(ReasonCode::AwsUnavailable, said),
            FailureKind::TooLarge => Reason::new(ReasonCode::AwsAnswerTooLarge, said),
            FailureKind::Malformed => Reason::new(ReasonCode::AwsMalformed, said),
            FailureKind::Unknown => Reason::new(ReasonCode::AwsUnknownError, said),
        }
    }

    /// Names what the SDK reports, by code where there is one, else by what came over the wire.
    pub(crate) fn classify<E>(
        operation: &'static str,
        arn: &str,
        error: &SdkError<E, Response>,
        captured: Option<&Captured>,
    ) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let fail = |kind, message: String| Self::about(operation, arn, kind, message);
        if let Some(failure) = chain(error).find_map(|cause| cause.downcast_ref::<CredentialsError>()) {
            return fail(credentials_kind(failure), words(failure));
        }
        if chain(error).any(|cause| cause.to_string().contains("length limit exceeded")) {
            return fail(
                FailureKind::TooLarge,
                format!("the answer has more than {} bytes", crate::capture::MAX_BODY_BYTES),
            );
        }
        let Some(Captured { status, body }) = captured else {
            return fail(FailureKind::Network, words(error));
        };
        let service = error.as_service_error();
        let code =
            service.and_then(ProvideErrorMetadata::code).map(str::to_owned).or_else(|| xml_element(body, "Code"));
        let message = service
            .and_then(ProvideErrorMetadata::message)
            .map(str::to_owned)
            .or_else(|| xml_element(body, "Message"))
            .unwrap_or_else(|| format!("HTTP status {status}"));
        let known =
            code.as_deref().and_then(|code| CODES.iter().find(|(name, _)| *name == code)).map(|(_, kind)| *kind);
        let kind = known.unwrap_or(match status {
            401 | 403 => FailureKind::AccessDenied,
            429 => FailureKind::Throttled,
            500..=599 => FailureKind::ServerFault,
            200..=299 => FailureKind::Malformed,
            _ => FailureKind::Unknown,
        });
        let code = code.map(|code| code.chars().take(100).collect());
        Self { code, ..fail(kind, if *status < 300 { words(error) } else { message }) }
    }
}

fn credentials_kind(failure: &CredentialsError) -> FailureKind {
    match failure {
        CredentialsError::CredentialsNotLoaded(_) => FailureKind::CredentialsMissing,
        CredentialsError::ProviderTimedOut(_) => FailureKind::Network,
        other => {
            let all = words(other);
            if all.contains("dispatch failure") || all.contains("timed out") || all.contains("Connect") {
                FailureKind::Network
            } else if all.contains("ExpiredToken") {
                FailureKind::CredentialsExpired
            } else {
                FailureKind::CredentialsInvalid
            }
        }
    }
}

/// An error and its causes, outermost first, bounded.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| {
        let error: &'a (dyn Error + 'static) = *error;
        error.source()
    })
    .take(16)
}

/// The words of an error and its causes, without repetitions.
fn words(error: &(dyn Error + 'static)) -> String {
    let mut words: Vec<String> = Vec::new();
    for cause in chain(error) {
        let word = cause.to_string();
        if !word.is_empty() && !words.iter().any(|earlier| earlier.contains(&word)) {
            words.push(word);
        }
    }
    words.join(": ")
}

/// One element of an error document of the query protocol: some endpoints refuse in XML where ECR speaks JSON.
fn xml_element(body: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(body.get(..body.len().min(64 << 10))?).ok()?;
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (value, _) = rest.split_once(&format!("</{name}>"))?;
    Some(value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a4_every_code_is_documented() {
        let page = include_str!("../../../docs/reference/aws-errors.md");
        for (code, _) in CODES {
            assert!(page.contains(&format!("`{code}`")), "{code} is not in docs/reference/aws-errors.md");
        }
    }
}
