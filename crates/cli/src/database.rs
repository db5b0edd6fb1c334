//! Where the database is: `serve` finds it like this, and so does whatever else works on it. And what is said when it cannot be used.

use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use engine::StoreError;

use crate::config::{self, Config};
use crate::env;
use crate::failure::Failure;

/// Which database.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DatabaseArgs {
    /// The configuration of `serve`, a YAML file [env: ECR_GATE_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The folder for what is kept [default: ~/.local/state/ecr-gate] [env: ECR_GATE_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The database: sqlite:PATH or postgres://… [default: gate.db in the data folder] [env: ECR_GATE_DATABASE_URL]
    #[arg(long, value_name = "URL")]
    pub(crate) database_url: Option<String>,
}

impl DatabaseArgs {
    /// The configuration, with these flags over file and variables.
    pub(crate) fn read(&self) -> Result<Config, Failure> {
        env::check()?;
        let file = self.config.clone().or_else(|| env::CONFIG.get().map(PathBuf::from));
        let mut config = config::read(file.as_deref())?;
        if let Some(folder) = &self.data_dir {
            config.data_dir = Some(folder.clone());
        }
        if let Some(url) = &self.database_url {
            config.database.url = Some(url.clone());
        }
        Ok(config)
    }

    /// The URL of a database that is there.
    pub(crate) fn url(&self) -> Result<String, Failure> {
        let config = self.read()?;
        if let Some(url) = config.database.url {
            return Ok(url);
        }
        Ok(url(None, &folder(config.data_dir)?))
    }

    /// The URL of a database that may have to be made, and so may the data folder that it lies in.
    pub(crate) fn new_url(&self) -> Result<String, Failure> {
        let config = self.read()?;
        if let Some(url) = config.database.url {
            return Ok(url);
        }
        let folder = folder(config.data_dir)?;
        make(&folder)?;
        Ok(url(None, &folder))
    }
}

/// The database: what was named, else `gate.db` in the data folder.
pub(crate) fn url(named: Option<String>, folder: &Path) -> String {
    named.unwrap_or_else(|| format!("sqlite:{}", folder.join("gate.db").display()))
}

/// The data folder: what was named, else `$XDG_STATE_HOME/ecr-gate`, else `~/.local/state/ecr-gate`.
pub(crate) fn folder(named: Option<PathBuf>) -> Result<PathBuf, Failure> {
    if let Some(folder) = named {
        return Ok(folder);
    }
    let absolute = |variable: env::Variable| variable.get().map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute(env::STATE_HOME).or_else(|| Some(absolute(env::HOME)?.join(".local/state")));
    state.map(|state| state.join("ecr-gate")).ok_or_else(|| {
        Failure::usage("there is no home folder to keep anything in").hint("name a folder with --data-dir")
    })
}

/// The folder holds keys and decisions: for its owner alone.
pub(crate) fn make(folder: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::configuration(format!("the data folder {} cannot be used: {error}", folder.display()))
    };
    if !folder.is_dir() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    let mode = std::fs::metadata(folder).map_err(failed)?.permissions().mode();
    if mode & 0o022 != 0 {
        let what = format!("the data folder {} can be written by others (mode {:o})", folder.display(), mode & 0o777);
        return Err(Failure::configuration(what).hint(format!("chmod 700 {}", folder.display())));
    }
    Ok(())
}

/// Why the database cannot be opened.
pub(crate) fn unopened(error: &StoreError) -> Failure {
    let failure = failed(error);
    match error {
        StoreError::Address { .. } => failure.hint("sqlite:PATH, or postgres://USER@HOST/DATABASE"),
        _ => failure,
    }
}

/// Why the database did not do it.
pub(crate) fn failed(error: &StoreError) -> Failure {
    let what = error.to_string();
    match error {
        StoreError::Address { .. } => Failure::configuration(what),
        StoreError::InUse { .. } => Failure::configuration(what).hint(
            "one process has a SQLite file: end the one that has it first, or name another with --data-dir or --database-url",
        ),
        StoreError::Schema { found, known } if found > known => {
            Failure::configuration(what).hint("a newer version wrote it: run that version")
        }
        StoreError::Schema { .. } => Failure::configuration(what)
            .hint("`ecr-gate store migrate` brings it up to date; make a backup first if anything is in it"),
        StoreError::NotEmpty { .. } => {
            Failure::configuration(what).hint("nothing is overwritten: name another database, or move this one away")
        }
        _ => Failure::internal(what),
    }
}
