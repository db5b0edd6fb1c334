//! The values a pipeline is made from. Each is checked against a closed set of characters before it may stand in YAML or
//! shell: none of them can hold a quote, a space, a `$`, a `#` or a line end. And the filling of the templates.

use super::Platform;
use crate::commands::aws_names::{Registry, Repository};
use crate::commands::input::shown;
use crate::failure::Failure;

/// S14: the job may live this much longer than the gate waits.
const JOB_GRACE_MINUTES: u32 = 3;

/// How long the gate waits, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Duration {
    text: String,
    seconds: u32,
}

impl Duration {
    /// `90s`, `10m`, `1h`; a bare number would leave the unit to guessing.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = || {
            Failure::usage(format!("`{}` is not a duration from 1m to 6h", shown(text, 40)))
                .hint("write it with its unit: 90s, 10m, 1h")
        };
        let unit = text.chars().last().and_then(|unit| match unit {
            's' => Some(1),
            'm' => Some(60),
            'h' => Some(3600),
            _ => None,
        });
        let digits =
            text.get(..text.len().saturating_sub(1)).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let number = digits.and_then(|digits| digits.parse::<u32>().ok());
        let seconds = unit.zip(number).and_then(|(unit, number)| number.checked_mul(unit)).ok_or_else(wrong)?;
        if !(60..=6 * 3600).contains(&seconds) {
            return Err(wrong());
        }
        Ok(Self { text: text.to_owned(), seconds })
    }

    /// The job's time limit: the gate's, rounded up, and the grace.
    pub(super) fn job_minutes(&self) -> u32 {
        self.seconds.div_ceil(60) + JOB_GRACE_MINUTES
    }
}

/// Everything a template asks for, checked.
#[derive(Debug)]
pub(super) struct Parameters {
    pub registry: Registry,
    pub repository: String,
    pub role: Option<String>,
    pub push_role: Option<String>,
    pub gate_image: String,
    pub timeout: Duration,
    pub environment: Option<String>,
    pub branch: Option<String>,
    pub gitlab_url: String,
}

impl Parameters {
    /// The pipeline. A placeholder nobody filled is our own fault and says so.
    pub(super) fn fill(&self, platform: Platform) -> Result<String, Failure> {
        let arn = Repository {
            partition: self.registry.partition,
            region: self.registry.region.clone(),
            account: self.registry.account.clone(),
            name: self.repository.clone(),
        }
        .arn();
        let role = self.role.as_deref().unwrap_or_default();
        let push_role = self.push_role.as_deref().unwrap_or(role);
        let branch = self.branch.as_deref().unwrap_or("main");
        let on_branch = match &self.branch {
            Some(branch) => format!("$CI_COMMIT_BRANCH == \"{branch}\""),
            None => "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH".to_owned(),
        };
        let minutes = self.timeout.job_minutes();
        let values: &[(&str, &str)] = &[
            ("REGION", self.registry.region.as_str()),
            ("REGISTRY", &self.registry.host),
            ("REPOSITORY", &self.repository),
            ("ARN", &arn),
            ("ROLE_ARN", role),
            ("PUSH_ROLE_ARN", push_role),
            ("PUSH_ROLE", &self.push_role_lines(push_role)),
            ("ROLE_NOTE", &self.role_note()),
            ("GATE_IMAGE", &self.gate_image),
            ("GATE_LOGIN", &self.gate_login()),
            ("GATE_ENVIRONMENT", &self.gate_environment(platform)),
            ("DEPLOY_ENVIRONMENT", self.environment.as_deref().unwrap_or("production")),
            ("TIMEOUT", &self.timeout.text),
            ("JOB_MINUTES", &minutes.to_string()),
            ("JOB_SECONDS", &(minutes * 60).to_string()),
            ("BRANCH", branch),
            ("ON_BRANCH", &on_branch),
            ("GITLAB_URL", &self.gitlab_url),
        ];
        // One pass: what a value says is never read as a placeholder.
        let mut document = String::new();
        for (index, piece) in platform.template().split("@@").enumerate() {
            let value = if index % 2 == 0 {
                Some(piece)
            } else {
                values.iter().find(|(name, _)| *name == piece).map(|(_, value)| *value)
            };
            document.push_str(
                value.ok_or_else(|| {
                    Failure::internal(format!("nothing fills the placeholder {piece} of the template"))
                })?,
            );
        }
        Ok(document)
    }

    fn push_role_lines(&self, push_role: &str) -> String {
        match &self.push_role {
            Some(_) => format!("    AWS_ROLE_ARN: {push_role}"),
            None => format!(
                "    # This is the gate's role: it also needs to push. Better: another one (init --push-role-arn).\n    AWS_ROLE_ARN: {push_role}"
            ),
        }
    }

    fn role_note(&self) -> String {
        match &self.role {
            Some(role) => format!("# The role: {role}"),
            None => "# The role: whichever the credentials in the environment belong to.".to_owned(),
        }
    }

    /// The runner must log in to pull a gate image that lies in ECR.
    fn gate_login(&self) -> String {
        let host = self.gate_image.split('/').next().unwrap_or_default();
        if Registry::parse(host).is_ok() {
            "      # To pull the gate image; the role needs ecr:GetAuthorizationToken and to pull that image.\n      - uses: aws-actions/amazon-ecr-login@v2"
                .to_owned()
        } else {
            "      # If the gate image is private, log in to its registry here (docker/login-action).".to_owned()
        }
    }

    fn gate_environment(&self, platform: Platform) -> String {
        let what = "Which environment's rules apply; production when not said.";
        let name = self.environment.as_deref();
        match (platform, name) {
            (Platform::Gitlab, Some(name)) => format!("    ECR_GATE_ENVIRONMENT: {name}"),
            (Platform::Gitlab, None) => format!("    # {what}\n    # ECR_GATE_ENVIRONMENT: staging"),
            (Platform::Github, Some(name)) => format!("      ECR_GATE_ENVIRONMENT: {name}"),
            (Platform::Github, None) => format!("      # {what}\n      # ECR_GATE_ENVIRONMENT: staging"),
            (Platform::Shell, Some(name)) => format!("export ECR_GATE_ENVIRONMENT='{name}'"),
            (Platform::Shell, None) => format!("# {what}\n# export ECR_GATE_ENVIRONMENT='staging'"),
        }
    }
}

/// `NAME@sha256:…`, with or without a tag in front of the `@`.
pub(super) fn pinned_image(image: &str) -> Result<&str, Failure> {
    let why = "the gate decides what reaches production: whoever can move a tag could open it";
    let (name, digest) = image.split_once('@').ok_or_else(|| {
        Failure::usage(format!("the gate image `{}` is not pinned by digest", shown(image, 160)))
            .hint(why)
            .hint("find the digest with: docker buildx imagetools inspect IMAGE --format '{{.Manifest.Digest}}'")
    })?;
    let hex =
        |hex: &str| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'));
    if !digest.strip_prefix("sha256:").is_some_and(hex) {
        return Err(Failure::usage(format!("`{}` is not a sha256 digest", shown(digest, 100)))
            .hint("it is sha256: and 64 lower-case hexadecimal digits")
            .hint(why));
    }
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    if !first || name.len() > 255 || !name.chars().all(|c| c.is_ascii_alphanumeric() || "._-/:".contains(c)) {
        return Err(
            Failure::usage(format!("`{}` is not an image name", shown(name, 160))).hint("REGISTRY/NAME@sha256:DIGEST")
        );
    }
    Ok(image)
}

/// A word that can be the name of an environment everywhere.
pub(super) fn environment(name: &str) -> Result<&str, Failure> {
    let edge = name.starts_with(|c: char| c.is_ascii_alphabetic());
    if edge
        && name.len() <= 63
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c))
        && !yaml_word(name)
    {
        return Ok(name);
    }
    Err(Failure::usage(format!("`{}` cannot be an environment name", shown(name, 80)))
        .hint("a letter, then letters, digits and `._-/`; at most 63"))
}

/// A branch name that needs no quotes anywhere.
pub(super) fn branch(name: &str) -> Result<&str, Failure> {
    let edge = name.starts_with(|c: char| c.is_ascii_alphabetic());
    if edge
        && name.len() <= 200
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c))
        && !yaml_word(name)
    {
        return Ok(name);
    }
    Err(Failure::usage(format!("`{}` cannot be a branch here", shown(name, 80)))
        .hint("one branch, without wildcard: a letter, then letters, digits and `._-/`"))
}

/// The URL of a GitLab, which becomes the audience of its tokens.
pub(super) fn url(url: &str) -> Result<&str, Failure> {
    let rest = url.strip_prefix("https://").map(|rest| rest.strip_suffix('/').unwrap_or(rest));
    match rest {
        Some(rest) if rest.contains('.') && rest.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c)) => {
            Ok(url.trim_end_matches('/'))
        }
        _ => Err(Failure::usage(format!("`{}` cannot be the URL of a GitLab that AWS can reach", shown(url, 120)))
            .hint("it looks like https://gitlab.example.com, without port")),
    }
}

/// Words that plain YAML does not read as text.
fn yaml_word(text: &str) -> bool {
    ["true", "false", "yes", "no", "on", "off", "null", "y", "n"].iter().any(|word| text.eq_ignore_ascii_case(word))
}
