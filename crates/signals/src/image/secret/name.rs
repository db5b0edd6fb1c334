//! Names that say their value is secret, and values that are none all the same: paths, references, placeholders,
//! switches and settings about a secret. Errs to the side of reporting: a default password is a password.

/// Words that make a name secret wherever they stand in it.
const SECRET: [&str; 12] = [
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "SECRET",
    "TOKEN",
    "API_KEY",
    "APIKEY",
    "PRIVATE_KEY",
    "PRIVATEKEY",
    "CREDENTIAL",
    "ACCESS_KEY",
    "AUTH_KEY",
];
/// Endings that make a name secret. `PWD` alone is the working folder.
const SECRET_ENDINGS: [&str; 2] = ["_PWD", "_PASS"];
/// What follows in words that only begin like a secret one: tokenizer, passwordless, secretary.
const OTHER_WORDS: [&str; 3] = ["IZ", "LESS", "AR"];
/// Last words of names that say something about a secret and do not hold it.
const ABOUT: &str = "\
    ALG ALGORITHM ARN AUDIENCE BACKEND CHECKSUM CLASS COMMAND COUNT DIR DIRECTORY DISABLED DURATION ENABLED \
    ENCRYPTION ENDPOINT EXPIRATION EXPIRE EXPIRES EXPIRY FILE FILENAME FILES FOLDER FORMAT HEADER HELPER HOST \
    ID INTERVAL ISSUER KEYNAME LEN LENGTH LIFETIME LIMIT LOCATION MAX MIN MODE MOUNT NAME NAMESPACE PATH \
    POLICY PORT PREFIX PROVIDER REF REGION REQUIRED ROUNDS SCOPE SCOPES SERVER SERVICE SHA256 SHA512 SIZE \
    STORE SUFFIX TIMEOUT TTL TYPE URI URL VERSION";
/// Values that switch something or stand for a missing one.
const NO_VALUES: &str = "\
    0 1 changeme change-me change_me disabled dummy enabled false nil no none null off on placeholder \
    redacted true undefined unset yes your_token_here";
/// Beginnings of values that name where the secret is kept.
const REFERENCES: [&str; 14] = [
    "arn:",
    "vault:",
    "op:",
    "ssm:",
    "sm:",
    "secretsmanager:",
    "awssm:",
    "gcpsm:",
    "keyvault:",
    "azurekeyvault:",
    "ref+",
    "file:",
    "env:",
    "secret:",
];

/// True if the name says that its value is secret.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase().replace(['-', '.'], "_");
    let whole = |word: &str| {
        name.match_indices(word).any(|(at, _)| {
            let after = name.get(at + word.len()..).unwrap_or("");
            !OTHER_WORDS.iter().any(|other| after.starts_with(other))
        })
    };
    let last = name.rsplit('_').next().unwrap_or(&name);
    // The secret id of Vault's AppRole is the secret itself.
    let about = ABOUT.split(' ').any(|word| word == last) && !name.ends_with("SECRET_ID");
    !about && (SECRET.into_iter().any(whole) || SECRET_ENDINGS.iter().any(|ending| name.ends_with(ending)))
}

/// True for a value that is no secret although its name says so.
pub(super) fn is_harmless(name: &str, value: &str) -> bool {
    let value = value.trim().trim_matches(['"', '\'']);
    let name = name.to_ascii_uppercase();
    // A password may be a short number; a number under another name counts or times something.
    let is_setting = !name.contains("PASS") && !name.contains("PWD") && value.len() < 10 && is_number(value);
    is_setting || is_placeholder(value) || is_path(value) || is_reference(value)
}

/// True for what stands where a value will be: nothing, `<token>`, `***`, `${TOKEN}`, a switch.
pub(super) fn is_placeholder(value: &str) -> bool {
    let first = value.chars().next();
    let repeated = first.is_some_and(|first| "*xX.-_".contains(first) && value.chars().all(|letter| letter == first));
    let variable = value.strip_prefix('$').is_some_and(|name| {
        name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    });
    value.is_empty()
        || repeated
        || variable
        || ["${", "$(", "{{", "%("].iter().any(|open| value.contains(open))
        || (value.starts_with('<') && value.ends_with('>'))
        || (value.len() > 2 && value.starts_with('%') && value.ends_with('%'))
        || NO_VALUES.split(' ').any(|word| word.eq_ignore_ascii_case(value))
}

fn is_number(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

fn is_path(value: &str) -> bool {
    ["/", "./", "../", "~/"].iter().any(|start| value.starts_with(start))
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/~@".contains(&byte))
}

/// The name of a place that keeps secrets, or a URL; a password in it is seen as such.
fn is_reference(value: &str) -> bool {
    value.contains("://") || REFERENCES.iter().any(|start| value.starts_with(start))
}
