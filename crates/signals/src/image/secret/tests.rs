//! Secrets that must be seen, and the environments of well-known images, in which there are none.

use proptest::prelude::*;

use super::*;

fn letters(prefix: &str, count: usize) -> String {
    format!("{prefix}{}", "a1B2c3D4".repeat(count.div_ceil(8)).get(..count).unwrap())
}

#[test]
fn b16_known_tokens_are_seen_by_their_form() {
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ";
    let cases: Vec<(String, &str)> = vec![
        ("AKIAABCDEFGH12345678".to_owned(), "AWS access key id"),
        ("ASIAABCDEFGH12345678".to_owned(), "AWS access key id"),
        (letters("ghp_", 36), "GitHub token"),
        (letters("gho_", 36), "GitHub token"),
        (letters("github_pat_", 40), "GitHub token"),
        (letters("glpat-", 20), "GitLab token"),
        (letters("xoxb-", 24), "Slack token"),
        (letters("https://hooks.slack.com/services/T", 30), "Slack webhook"),
        (letters("AIza", 35), "Google API key"),
        (letters("npm_", 36), "npm token"),
        (letters("pypi-AgEIcHlwaS5vcmc", 80), "PyPI token"),
        (letters("sk_live_", 24), "Stripe key"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMII".to_owned(), "private key"),
        ("-----BEGIN PRIVATE KEY-----".to_owned(), "private key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----".to_owned(), "private key"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----".to_owned(), "private key"),
        (token.to_owned(), "JSON Web Token"),
        ("postgres://app:s3cr3t@db:5432/app".to_owned(), "password in a URL"),
        (format!("aws_secret_access_key = {}", letters("", 40)), "AWS secret access key"),
    ];
    for (text, kind) in cases {
        assert_eq!(in_text(&text), [kind], "{text}");
        assert_eq!(in_text(&format!("run --with '{text}' then")), [kind], "inside {text}");
        assert_eq!(in_variable("ANY_NAME", &text), [kind], "{text}");
    }
}

#[test]
fn b16_what_only_begins_like_a_token_is_none() {
    for text in [
        "AKIAABC",
        "XAKIAABCDEFGH12345678",
        "AKIAABCDEFGH123456789",
        "ghp_short",
        "npm_config_cache",
        "AIza",
        "-----BEGIN CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----",
        "eyJhbGciOiJIUzI1NiJ9",
        "https://example.com/a:b@c",
        "https://user@example.com/",
        "https://user:${PASSWORD}@example.com/",
        "https://user:$PASSWORD@example.com/",
        "git@github.com:owner/name",
        "image@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ] {
        assert_eq!(in_text(text), [""; 0], "{text}");
    }
}

#[test]
fn b16_a_name_that_says_secret_gives_its_value_away() {
    for (name, value) in [
        ("DB_PASSWORD", "hunter2"),
        ("POSTGRES_PASSWORD", "password"),
        ("PGPASSWORD", "1234"),
        ("db-passwd", "x9"),
        ("CLIENT_SECRET", "0a1b2c"),
        ("VAULT_SECRET_ID", "5f5f5f5f-0000-1111-2222-333333333333"),
        ("SECRET_KEY_BASE", "c0ffee"),
        ("GITHUB_TOKEN", "abc"),
        ("TOKENS", "abc,def"),
        ("STRIPE_API_KEY", "abc"),
        ("APIKEY", "abc"),
        ("JWT_PRIVATE_KEY", "abc"),
        ("AWS_CREDENTIALS", "abc"),
        ("MINIO_ACCESS_KEY", "minioadmin"),
        ("MYSQL_PWD", "abc"),
        ("ROOT_PASS", "abc"),
        ("API_TOKEN", "$2y$10$abcdefghijklmnopqrstuv"),
    ] {
        assert_eq!(in_variable(name, value), [BY_NAME], "{name}={value}");
    }
    let key = format!("/{}", letters("", 39));
    assert_eq!(in_variable("AWS_SECRET_ACCESS_KEY", &key), ["AWS secret access key"]);
}

#[test]
fn b16_settings_references_and_placeholders_are_no_secrets() {
    for (name, value) in [
        ("PASSWORD", ""),
        ("PASSWORD", "\"\""),
        ("POSTGRES_PASSWORD_FILE", "/run/secrets/db"),
        ("DB_PASSWORD", "/run/secrets/db"),
        ("DB_PASSWORD", "$DB_PASSWORD"),
        ("DB_PASSWORD", "${DB_PASSWORD:-}"),
        ("DB_PASSWORD", "<password>"),
        ("DB_PASSWORD", "******"),
        ("DB_PASSWORD", "changeme"),
        ("DB_PASSWORD", "arn:aws:secretsmanager:eu-central-1:1:secret:db"),
        ("DB_PASSWORD", "vault:secret/data/db#password"),
        ("MYSQL_ALLOW_EMPTY_PASSWORD", "yes"),
        ("MYSQL_RANDOM_ROOT_PASSWORD", "1"),
        ("SECRET_KEY_BASE", "dummy"),
        ("TOKEN_TTL", "3600"),
        ("TOKEN_LIFETIME", "1h"),
        ("MAX_TOKENS", "4096"),
        ("TOKENIZERS_PARALLELISM", "maybe"),
        ("TOKENIZER", "bert"),
        ("PASSWORD_MIN_LENGTH", "twelve"),
        ("PASSWORDLESS_LOGIN", "always"),
        ("SECRETS_DIR", "secrets"),
        ("TOKEN_URL", "https://login.example.com/token"),
        ("OAUTH_TOKEN", "https://login.example.com/token"),
        ("PWD", "/srv"),
        ("OLDPWD", "srv"),
        ("COMPASS", "north"),
        ("KEYBOARD", "us"),
    ] {
        assert_eq!(in_variable(name, value), [""; 0], "{name}={value}");
    }
}

/// Environments as official images set them.
const OFFICIAL: &str = "\
PATH=/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LANG=C.UTF-8
GPG_KEY=A035C8C19219BA821ECEA86B64E628F8D684696D
PYTHON_VERSION=3.12.1
PYTHON_SHA256=8dfb8f426fcd226657f9e2bd5f1e96e53264965176fa17d32658e873591aeb21
PYTHON_PIP_VERSION=23.2.1
PYTHON_GET_PIP_URL=https://github.com/pypa/get-pip/raw/4cfa4081d27285bda1220a62a5ebf5b4bd749cdb/public/get-pip.py
PYTHON_GET_PIP_SHA256=9cc01665956d22b3bf057ae8287b035827bfd895da235bcea200ab3b811790b6
NODE_VERSION=20.11.0
YARN_VERSION=1.22.19
NPM_CONFIG_LOGLEVEL=info
PG_MAJOR=16
PG_VERSION=16.1-1.pgdg120+1
PGDATA=/var/lib/postgresql/data
GOSU_VERSION=1.16
GOLANG_VERSION=1.21.5
GOTOOLCHAIN=local
GOPATH=/go
NGINX_VERSION=1.25.3
NJS_VERSION=0.8.2
PKG_RELEASE=1~bookworm
DYNPKG_RELEASE=2
JAVA_HOME=/opt/java/openjdk
JAVA_VERSION=jdk-21.0.1+12
REDIS_DOWNLOAD_URL=http://download.redis.io/releases/redis-7.2.3.tar.gz
REDIS_DOWNLOAD_SHA=3e2b196d6eb4ddb9e743088bfc2915ccbb42d40f5a8a3edd8cb69c716ec34be7
MYSQL_MAJOR=8.0
MYSQL_SHELL_VERSION=8.0.35-1.el8
MONGO_PACKAGE=mongodb-org
GPG_KEYS=1398 C3B6 D0A4
RABBITMQ_PGP_KEY_ID=0x0A9AF2115F4687BD29803A206B73A36E6026DFCA
PHP_CPPFLAGS=-fstack-protector-strong -fpic -fpie -O2 -D_LARGEFILE_SOURCE -D_FILE_OFFSET_BITS=64
PHP_ASC_URL=https://www.php.net/distributions/php-8.3.1.tar.xz.asc
RUBY_DOWNLOAD_SHA256=9d9423cc5a3f0d6ff7a2e8b8a5c1a4c4d4d1f5e9
DOTNET_RUNNING_IN_CONTAINER=true
ASPNETCORE_HTTP_PORTS=8080
NUGET_XMLDOC_MODE=skip
SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
ELASTIC_CONTAINER=true
KIBANA_KEYSTORE=
TOMCAT_SHA512=0a5a9c7a1ccd5d7b5b1a1f9e8f1a
CARGO_HOME=/usr/local/cargo";

#[test]
fn b16_the_environments_of_official_images_hold_no_secret() {
    for (name, value) in OFFICIAL.lines().map(|line| line.split_once('=').unwrap()) {
        assert_eq!(in_variable(name, value), [""; 0], "{name}={value}");
        assert_eq!(in_step(&format!("/bin/sh -c #(nop)  ENV {name}={value}"), |_, _| false), [""; 0], "{name}");
        assert_eq!(in_step(&format!("ENV {name}={value}"), |_, _| false), [""; 0], "{name}");
    }
}

#[test]
fn b16_build_steps_give_their_arguments_away() {
    let none = |_: &str, _: &str| false;
    for step in [
        "ENV API_TOKEN=abc123",
        "ENV A=b API_TOKEN=abc123",
        "/bin/sh -c #(nop)  ENV API_TOKEN=abc123",
        "/bin/sh -c #(nop)  ARG API_TOKEN=abc123",
        "ARG API_TOKEN=abc123",
        "|1 API_TOKEN=abc123 /bin/sh -c make",
        "|2 A=b API_TOKEN=abc123 /bin/sh -c make",
        "RUN |1 API_TOKEN=abc123 /bin/sh -c make # buildkit",
    ] {
        assert_eq!(in_step(step, none), [BY_NAME], "{step}");
    }
    assert_eq!(in_step("RUN git clone https://me:s3cr3t@git.example.com/x # buildkit", none), ["password in a URL"]);
    for step in [
        "ARG API_TOKEN",
        "ARG API_TOKEN=",
        "RUN |1 A=b /bin/sh -c API_TOKEN=$(get) make # buildkit",
        "RUN /bin/sh -c make # buildkit",
        "CMD [\"node\"]",
        "COPY token=x / # buildkit",
    ] {
        assert_eq!(in_step(step, none), [""; 0], "{step}");
    }
    // Reported with the environment already.
    let known = |name: &str, value: &str| (name, value) == ("API_TOKEN", "abc123");
    assert_eq!(in_step("ENV API_TOKEN=abc123", known), [""; 0]);
    assert_eq!(in_step("ENV API_TOKEN=older", known), [BY_NAME]);
    assert_eq!(in_step("ARG API_TOKEN=abc123", known), [BY_NAME]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn b16_any_text_is_looked_through(name in "\\PC{0,20}", text in "(\\PC|eyJ|://|@|:|\\.|-----BEGIN |ghp_){0,60}") {
        let kinds = in_text(&text);
        prop_assert!(kinds.is_sorted());
        in_variable(&name, &text);
        in_step(&text, |_, _| false);
        in_step(&format!("|{name} {text}"), |_, _| false);
    }

    #[test]
    fn b16_a_token_is_seen_wherever_it_stands(before in "[ =\"':,\\n]{1,3}[^a-zA-Z0-9_]{0,5}", after in "([ \"',;\\n].{0,20})?") {
        let text = format!("{before}{}{after}", letters("ghp_", 36));
        prop_assert!(in_text(&text).contains(&"GitHub token"), "{text:?}");
    }
}
