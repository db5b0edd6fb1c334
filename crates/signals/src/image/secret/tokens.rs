//! Secrets that are known by their form: tokens with a prefix of their own, private keys, JSON Web Tokens, passwords in
//! URLs. The forms are those that the services document; each needs its full length, so that a prefix alone is no match.

use super::name::is_placeholder;

pub(super) const AWS_SECRET_KEY: &str = "AWS secret access key";

/// A token: its prefix, then at least so many letters of an alphabet, and at most so many.
struct Token {
    kind: &'static str,
    prefixes: &'static [&'static str],
    letters: fn(u8) -> bool,
    least: usize,
    most: usize,
}

/// A form that is more than a prefix and letters.
type Form = (&'static str, fn(&str) -> bool);

const ANY: usize = usize::MAX;

const TOKENS: &[Token] = &[
    Token { kind: "AWS access key id", prefixes: &["AKIA", "ASIA"], letters: upper, least: 16, most: 16 },
    Token {
        kind: "GitHub token",
        prefixes: &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"],
        letters: alphanumeric,
        least: 36,
        most: ANY,
    },
    Token { kind: "GitHub token", prefixes: &["github_pat_"], letters: word, least: 22, most: ANY },
    Token {
        kind: "GitLab token",
        prefixes: &["glpat-", "glptt-", "gldt-", "glrt-", "glcbt-", "glsoat-"],
        letters: dashed,
        least: 20,
        most: ANY,
    },
    Token {
        kind: "Slack token",
        prefixes: &["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-", "xapp-"],
        letters: dashed,
        least: 10,
        most: ANY,
    },
    Token { kind: "Slack webhook", prefixes: &["hooks.slack.com/services/T"], letters: slashed, least: 20, most: ANY },
    Token { kind: "Google API key", prefixes: &["AIza"], letters: dashed, least: 35, most: 35 },
    Token { kind: "npm token", prefixes: &["npm_"], letters: alphanumeric, least: 36, most: 36 },
    Token { kind: "PyPI token", prefixes: &["pypi-AgE"], letters: dashed, least: 50, most: ANY },
    Token { kind: "Stripe key", prefixes: &["sk_live_", "rk_live_"], letters: alphanumeric, least: 16, most: ANY },
    Token { kind: "SendGrid key", prefixes: &["SG."], letters: dotted, least: 60, most: ANY },
    Token { kind: "Docker Hub token", prefixes: &["dckr_pat_"], letters: dashed, least: 20, most: ANY },
    Token { kind: "DigitalOcean token", prefixes: &["dop_v1_"], letters: alphanumeric, least: 64, most: 64 },
    Token { kind: "Hugging Face token", prefixes: &["hf_"], letters: alphanumeric, least: 34, most: 40 },
    Token { kind: "OpenAI key", prefixes: &["sk-proj-"], letters: dashed, least: 40, most: ANY },
    Token { kind: "Anthropic key", prefixes: &["sk-ant-"], letters: dashed, least: 40, most: ANY },
    Token { kind: "Vault token", prefixes: &["hvs.", "hvb."], letters: dashed, least: 24, most: ANY },
];

fn upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

fn alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn dashed(byte: u8) -> bool {
    word(byte) || byte == b'-'
}

fn dotted(byte: u8) -> bool {
    dashed(byte) || byte == b'.'
}

fn slashed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'/'
}

/// The known forms in a text, each kind once.
pub(in super::super) fn in_text(text: &str) -> Vec<&'static str> {
    let tokens = TOKENS.iter().filter(|token| token.is_in(text)).map(|token| token.kind);
    let forms: [Form; 4] = [
        ("private key", has_private_key),
        ("JSON Web Token", has_web_token),
        ("password in a URL", has_url_password),
        (AWS_SECRET_KEY, has_aws_secret_key),
    ];
    let mut kinds: Vec<_> =
        tokens.chain(forms.iter().filter(|(_, is_in)| is_in(text)).map(|(kind, _)| *kind)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// True if a variable of this name holds the secret part of an AWS key: 40 letters of base64, which may look like a path.
pub(super) fn is_aws_secret_key(name: &str, value: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let value = value.trim_matches(['"', '\'']);
    name.contains("SECRET") && name.contains("KEY") && value.len() == 40 && value.bytes().all(base64)
}

fn base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'/' || byte == b'+'
}

impl Token {
    fn is_in(&self, text: &str) -> bool {
        self.prefixes.iter().any(|prefix| {
            text.match_indices(prefix).any(|(at, _)| {
                let starts = at == 0 || !word(text.as_bytes()[at - 1]);
                let letters = run(text, at + prefix.len(), self.letters);
                starts && (self.least..=self.most).contains(&letters)
            })
        })
    }
}

/// How many letters of an alphabet stand from here.
fn run(text: &str, from: usize, letters: fn(u8) -> bool) -> usize {
    text.as_bytes().get(from..).map_or(0, |rest| rest.iter().take_while(|byte| letters(**byte)).count())
}

/// The header of a PEM file with a private key, OpenSSH's and PGP's among them.
fn has_private_key(text: &str) -> bool {
    text.match_indices("-----BEGIN ").any(|(at, start)| {
        let rest = &text[at + start.len()..];
        rest.split("-----").next().is_some_and(|label| label.len() < 40 && label.contains("PRIVATE KEY"))
    })
}

/// Three parts of base64url, of which the first two are JSON objects.
fn has_web_token(text: &str) -> bool {
    text.match_indices("eyJ").any(|(at, _)| {
        let header = run(text, at, dashed);
        let claims = run(text, at + header + 1, dashed);
        let signature = run(text, at + header + claims + 2, dashed);
        let dot = |at: usize| text.as_bytes().get(at) == Some(&b'.');
        let claims_start = text.as_bytes().get(at + header + 1..).unwrap_or(&[]);
        header >= 15
            && claims >= 10
            && signature >= 20
            && dot(at + header)
            && dot(at + header + claims + 1)
            && claims_start.starts_with(b"eyJ")
    })
}

/// `scheme://user:password@host`
fn has_url_password(text: &str) -> bool {
    text.match_indices("://").any(|(at, separator)| {
        let scheme = text.as_bytes()[..at].last().is_some_and(u8::is_ascii_alphanumeric);
        let rest = &text[at + separator.len()..];
        let end = |letter: char| letter.is_whitespace() || "/?#\"'`<>|".contains(letter);
        let authority = rest.split(end).next().unwrap_or(rest);
        let password = authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':')).map(|(_, after)| after);
        scheme && password.is_some_and(|password| !is_placeholder(password) && !password.contains('$'))
    })
}

/// `aws_secret_access_key` and 40 letters of base64 behind it, as in a credentials file or a command.
fn has_aws_secret_key(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["aws_secret_access_key", "secretaccesskey"].iter().any(|name| {
        lower.match_indices(name).any(|(at, _)| {
            let start = at + name.len();
            let gap = run(text, start, |byte| b" \t=:\"'".contains(&byte));
            (1..=8).contains(&gap) && run(text, start + gap, base64) == 40
        })
    })
}
