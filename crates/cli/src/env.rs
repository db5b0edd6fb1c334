//! Every environment variable, declared once. `docs/reference/environment.md` is generated from this table.

use std::env::VarError;

use crate::failure::Failure;

/// A variable and what it is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Variable {
    pub name: &'static str,
    pub means: &'static str,
}

macro_rules! variables {
    ($($constant:ident $name:literal $means:literal;)+) => {
        $(pub(crate) const $constant: Variable = Variable { name: $name, means: $means };)+
        /// Every variable that ecr-gate itself reads.
        pub(crate) const ALL: &[Variable] = &[$($constant,)+];
    };
}

variables! {
    ECR_REGISTRY "ECR_REGISTRY" "The registry host, such as 123456789012.dkr.ecr.eu-west-1.amazonaws.com.";
    ECR_REPO "ECR_REPO" "The repository; with or without the registry host in front.";
    IMAGE_TAG "IMAGE_TAG" "The tag to judge.";
    IMAGE_DIGEST "IMAGE_DIGEST" "The digest to judge; wins over the tag, which then has to stand for it.";
    AWS_ACCOUNT_ID "AWS_ACCOUNT_ID" "The account of the registry, where no host says it.";
    AWS_REGION "AWS_REGION" "The region of the registry, where no host says it.";
    AWS_DEFAULT_REGION "AWS_DEFAULT_REGION" "The same, read after AWS_REGION.";
    FAIL_ON_SEVERITY "FAIL_ON_SEVERITY" "Severities of which no finding is allowed, such as `CRITICAL HIGH`; as `--fail-on`.";
    TIMEOUT "ECR_GATE_TIMEOUT" "As `--timeout`.";
    CALL_TIMEOUT "ECR_GATE_CALL_TIMEOUT" "As `--call-timeout`.";
    POLL_INTERVAL "ECR_GATE_POLL_INTERVAL" "As `--poll-interval`.";
    ENVIRONMENT "ECR_GATE_ENVIRONMENT" "As `--environment`.";
    POLICY "ECR_GATE_POLICY" "As `--policy`; several files separated by `:`.";
    START_SCAN "ECR_GATE_START_SCAN" "`false` is `--no-start-scan`, `true` is `--start-scan`.";
    WARN_EXIT_CODE "ECR_GATE_WARN_EXIT_CODE" "As `--warn-exit-code`.";
    SERVER "ECR_GATE_SERVER" "As `--server`: `check` asks this decision service instead of judging by itself.";
    TOKEN "ECR_GATE_TOKEN" "The token that the decision service is asked with; never printed.";
    TOKEN_FILE "ECR_GATE_TOKEN_FILE" "As `--token-file`; wins over ECR_GATE_TOKEN.";
    SERVER_CA "ECR_GATE_SERVER_CA" "As `--server-ca`.";
    AWS_OIDC_TOKEN "AWS_OIDC_TOKEN" "An OIDC token itself; with AWS_ROLE_ARN it is exchanged for a session in process.";
    AWS_ROLE_ARN "AWS_ROLE_ARN" "The role to assume with AWS_OIDC_TOKEN, or with AWS_WEB_IDENTITY_TOKEN_FILE.";
    AWS_ROLE_SESSION_NAME "AWS_ROLE_SESSION_NAME" "The name of that session; `ecr-gate` if it is not set.";
    AWS_ENDPOINT_URL_ECR "AWS_ENDPOINT_URL_ECR" "An endpoint in place of ECR; allows poll intervals under 10 s.";
    AWS_ENDPOINT_URL_KMS "AWS_ENDPOINT_URL_KMS" "An endpoint in place of KMS, for keys named `awskms://`.";
    AWS_ENDPOINT_URL "AWS_ENDPOINT_URL" "An endpoint in place of every AWS service.";
    AWS_IGNORE_ENDPOINTS "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS" "`true`: no `AWS_ENDPOINT_URL…` is read.";
    KEY_PASSWORD "ECR_GATE_KEY_PASSWORD" "The password of a private key file; taken as it is, also with blanks.";
    COSIGN_PASSWORD "COSIGN_PASSWORD" "The same, read after ECR_GATE_KEY_PASSWORD.";
    CI_PIPELINE_ID "CI_PIPELINE_ID" "GitLab: the pipeline, for the record.";
    CI_COMMIT_SHA "CI_COMMIT_SHA" "GitLab: the commit, for the record.";
    GITLAB_USER_LOGIN "GITLAB_USER_LOGIN" "GitLab: who asks, for the record.";
    GITHUB_RUN_ID "GITHUB_RUN_ID" "GitHub: the workflow run, for the record.";
    GITHUB_SHA "GITHUB_SHA" "GitHub: the commit, for the record.";
    GITHUB_ACTOR "GITHUB_ACTOR" "GitHub: who asks, for the record.";
    GITHUB_ACTIONS "GITHUB_ACTIONS" "`true`: annotations are written for the workflow run.";
    GITHUB_STEP_SUMMARY "GITHUB_STEP_SUMMARY" "GitHub: the file that the summary is appended to.";
    TRACEPARENT "TRACEPARENT" "W3C trace context; its trace id is put into the record.";
    CONFIG "ECR_GATE_CONFIG" "`serve`, `store`: as `--config`.";
    LISTEN "ECR_GATE_LISTEN" "`serve`: as `--listen`, over `listen` of the configuration.";
    DATA_DIR "ECR_GATE_DATA_DIR" "`serve`, `store`: as `--data-dir`, over `dataDir`.";
    DATABASE_URL "ECR_GATE_DATABASE_URL" "`serve`, `store`: as `--database-url`, over `database.url`; the place for a password.";
    TLS_CERTIFICATE "ECR_GATE_TLS_CERTIFICATE" "`serve`: as `--tls-certificate`, over `tls.certificate`.";
    TLS_KEY "ECR_GATE_TLS_KEY" "`serve`: as `--tls-key`, over `tls.key`.";
    TOKENS "ECR_GATE_TOKENS" "`serve`: over `auth.tokens`; each `NAME:ROLE:SHA256`, several with commas.";
    ANONYMOUS_READS "ECR_GATE_ANONYMOUS_READS" "`serve`: over `auth.anonymousReads`; `true` or `false`.";
    ALLOWED_REGISTRIES "ECR_GATE_ALLOWED_REGISTRIES" "`serve`: over `registries.allowed`; several with commas.";
    REGISTRY_NETWORKS "ECR_GATE_REGISTRY_NETWORKS" "`serve`: over `registries.networks`; several with commas.";
    INSECURE_REGISTRIES "ECR_GATE_INSECURE_REGISTRIES" "`serve`: over `registries.insecure`; several with commas.";
    REGISTRY_AUTHORITIES "ECR_GATE_REGISTRY_AUTHORITIES" "`serve`: over `registries.authorities`; several with commas.";
    REGISTRY_MIRRORS "ECR_GATE_REGISTRY_MIRRORS" "`serve`: over `registries.mirrors`; several with commas.";
    TOKEN_REALMS "ECR_GATE_TOKEN_REALMS" "`serve`: over `registries.tokenRealms`; several with commas.";
    ATTACH_KEY "ECR_GATE_ATTACH_KEY" "`serve`: over `attach.key`.";
    ATTACH_VERIFIER_ID "ECR_GATE_ATTACH_VERIFIER_ID" "`serve`: over `attach.verifierId`.";
    AUDIT_KEY "ECR_GATE_AUDIT_KEY" "`serve`: over `audit.key`.";
    AUDIT_ORIGIN "ECR_GATE_AUDIT_ORIGIN" "`serve`: over `audit.origin`.";
    LONGEST_WAIT "ECR_GATE_LONGEST_WAIT" "`serve`: over `limits.longestWait`.";
    REQUEST_TIMEOUT "ECR_GATE_REQUEST_TIMEOUT" "`serve`: over `limits.requestTimeout`.";
    CONCURRENCY "ECR_GATE_CONCURRENCY" "`serve`: over `limits.concurrency`.";
    COLLECTING "ECR_GATE_COLLECTING" "`serve`: over `limits.collecting`.";
    FRESH "ECR_GATE_FRESH" "`serve`: over `scans.fresh`.";
    LEASE "ECR_GATE_LEASE" "`serve`: over `limits.lease`.";
    CLIENT_RATE "ECR_GATE_CLIENT_RATE" "`serve`: over `limits.clientRate`.";
    CLIENT_BURST "ECR_GATE_CLIENT_BURST" "`serve`: over `limits.clientBurst`.";
    SHUTDOWN_DELAY "ECR_GATE_SHUTDOWN_DELAY" "`serve`: over `shutdown.delay`.";
    FINISH_WITHIN "ECR_GATE_FINISH_WITHIN" "`serve`: over `shutdown.finishWithin`.";
    LOG "ECR_GATE_LOG" "`serve`: what is logged, over `log.level`: `info`, `debug`, `warn,ecr_gate=debug`, …";
    LOG_FORMAT "ECR_GATE_LOG_FORMAT" "`serve`: as `--log-format`, over `log.format`.";
    STATE_HOME "XDG_STATE_HOME" "`serve`, `store`: the folder in which the data folder lies, if none is named.";
    HOME "HOME" "The home folder: `serve` keeps its data in `.local/state/ecr-gate` there, if nothing else is named.";
    USER "USER" "`audit drop`: who drops, for the log, if `--by` does not say.";
    NO_COLOR "NO_COLOR" "Set to anything: no colour.";
}

impl Variable {
    /// Its value; a blank one counts as not set.
    pub(crate) fn get(self) -> Option<String> {
        std::env::var(self.name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }
}

/// The password of a private key: of the first variable that is set, whatever is in it. It is never printed.
///
/// # Errors
/// The value is not text.
pub(crate) fn key_password() -> Result<Option<String>, Failure> {
    for variable in [KEY_PASSWORD, COSIGN_PASSWORD] {
        match std::env::var(variable.name) {
            Ok(password) => return Ok(Some(password)),
            Err(VarError::NotPresent) => {}
            Err(VarError::NotUnicode(_)) => {
                return Err(Failure::usage(format!("the variable {} is not UTF-8 text", variable.name)));
            }
        }
    }
    Ok(None)
}

/// Refuses values that are not text: read as "not set" they would quietly change what is judged.
pub(crate) fn check() -> Result<(), Failure> {
    match ALL.iter().find(|variable| matches!(std::env::var(variable.name), Err(VarError::NotUnicode(_)))) {
        Some(variable) => Err(Failure::usage(format!("the variable {} is not UTF-8 text", variable.name))),
        None => Ok(()),
    }
}

/// The first of these that is set.
pub(crate) fn first(variables: &[Variable]) -> Option<String> {
    variables.iter().find_map(|variable| variable.get())
}
