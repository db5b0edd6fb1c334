//! The file becomes a [`Config`]; mistakes are told with line and column.

use std::path::{Path, PathBuf};

use serde_saphyr::Error as Yaml;

use super::{Config, variables};
use crate::failure::Failure;
use crate::files;

/// The largest file that is read.
const LIMIT: usize = 1 << 20;

/// The configuration: of the file, if there is one, with the variables over it.
///
/// # Errors
/// The file or a variable is wrong: where, and what.
pub(crate) fn read(path: Option<&Path>) -> Result<Config, Failure> {
    let mut config = match path {
        None => Config::default(),
        Some(path) => {
            let text = files::read_text("the configuration", path, LIMIT)?;
            let mut config = parse(&path.display().to_string(), &text)?;
            config.beside(path);
            config.file = Some(path.to_owned());
            config
        }
    };
    variables::over(&mut config)?;
    Ok(config)
}

pub(crate) fn parse(file: &str, text: &str) -> Result<Config, Failure> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Config::default());
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_events: 100_000, max_aliases: 100, max_anchors: 100, max_depth: 32 },
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        strict_booleans: true,
        legacy_octal_numbers: true,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| wrong(file, &error))
}

fn wrong(file: &str, error: &Yaml) -> Failure {
    let (what, hint) = match error.without_snippet() {
        Yaml::SerdeUnknownField { field, expected, .. } => {
            (format!("unknown key `{field}`"), Some(suggest(field, expected)))
        }
        Yaml::SerdeUnknownVariant { variant, expected, .. } => {
            (format!("unknown value `{variant}`"), Some(suggest(variant, expected)))
        }
        Yaml::SerdeMissingField { field, .. } => (format!("the key `{field}` is missing"), None),
        other => (other.to_string().lines().next().unwrap_or("it cannot be read").to_owned(), None),
    };
    let place = error.location().map(|at| format!(":{}:{}", at.line(), at.column()));
    let failure = Failure::configuration(format!("{file}{}: {what}", place.unwrap_or_default()));
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure.hint("`ecr-gate serve --print-config-schema` prints what a configuration may say"),
    }
}

fn suggest(word: &str, expected: &[&str]) -> String {
    let near =
        expected.iter().map(|one| (strsim::damerau_levenshtein(&word.to_lowercase(), &one.to_lowercase()), one)).min();
    match near {
        Some((distance, one)) if distance <= 2.max(one.len() / 3) => format!("did you mean `{one}`?"),
        _ => format!("possible here: {}", expected.join(", ")),
    }
}

impl Config {
    /// Paths in the file are relative to the file.
    fn beside(&mut self, file: &Path) {
        let Some(folder) = file.parent() else { return };
        let beside = |path: &mut PathBuf| *path = folder.join(&path);
        self.data_dir.iter_mut().for_each(beside);
        self.policy.iter_mut().for_each(beside);
        self.registries.authorities.iter_mut().for_each(beside);
        self.identities.client_ca.iter_mut().for_each(beside);
        self.identities.issuers.iter_mut().flat_map(|issuer| &mut issuer.authorities).for_each(beside);
        self.notifications.iter_mut().filter_map(|entry| entry.secret_file.as_mut()).for_each(beside);
        self.audit.key.iter_mut().for_each(beside);
        if let Some(attach) = self.attach.as_mut().filter(|attach| !attach.key.contains("://")) {
            attach.key = folder.join(&attach.key).display().to_string();
        }
        if let Some(admission) = &mut self.admission {
            admission.client_ca.iter_mut().for_each(beside);
        }
        let of_admission = self.admission.as_mut().and_then(|admission| admission.tls.as_mut());
        for tls in self.tls.as_mut().into_iter().chain(of_admission) {
            beside(&mut tls.certificate);
            beside(&mut tls.key);
        }
    }
}
