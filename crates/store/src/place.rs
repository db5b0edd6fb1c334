//! Where the database is: the URL as it was given, what sqlx is told, and how a connection is made ready.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, ConnectOptions, Connection, Executor};

use crate::StoreError;
use crate::trouble::Trouble;

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Readers wait for the writer only while a log is being folded back into the file; the writer for nobody.
const PRAGMAS: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 67108864;";

/// Whatever is read is looked up by an index. PostgreSQL walks through whole tables where it has no statistics yet, as after a large import, and compiles
/// statements that it then takes for expensive.
const BY_INDEX: &str = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off";

/// The two databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// A file of this process.
    Sqlite,
    /// A server that several processes share.
    Postgres,
}

impl Backend {
    /// `sqlite`, `postgres`
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }

    /// How a transaction that writes begins. SQLite takes the lock at once: a transaction that reads first and writes then could fail in between.
    pub(crate) fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }
}

/// Where the database is.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) backend: Backend,
    /// As it is shown: without a password.
    pub(crate) shown: String,
    /// The file of SQLite.
    pub(crate) file: Option<PathBuf>,
    url: String,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({})", self.shown)
    }
}

impl Place {
    pub(crate) fn of(url: &str) -> Result<Self, StoreError> {
        let wrong = |why: &str| StoreError::Address { url: without_password(url), why: why.to_owned() };
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path == ":memory:" {
                return Err(wrong("a file is needed: sqlite:PATH"));
            }
            let file = std::path::absolute(path).map_err(|error| wrong(&error.to_string()))?;
            // By whichever name it is reached, it has one lock.
            let file = std::fs::canonicalize(&file).unwrap_or(file);
            let text = file.to_str().ok_or_else(|| wrong("the path is not UTF-8"))?;
            let url = format!("sqlite://{}?mode=rw", escaped(text));
            return Ok(Self { backend: Backend::Sqlite, shown: format!("sqlite:{path}"), file: Some(file), url });
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let parsed = AnyConnectOptions::from_str(url).map_err(|_| wrong("it is not a URL"))?;
            sqlx::postgres::PgConnectOptions::from_url(&parsed.database_url)
                .map_err(|_| wrong("it names something that PostgreSQL does not know"))?;
            let shown = without_password(url);
            // A statement per table and number of rows: more than sqlx keeps by itself.
            let and = if url.contains('?') { '&' } else { '?' };
            let url = format!("{url}{and}statement-cache-capacity=300");
            return Ok(Self { backend: Backend::Postgres, shown, file: None, url });
        }
        Err(wrong("it is neither sqlite:PATH nor postgres://…"))
    }

    /// The lock file of SQLite, beside the database.
    pub(crate) fn lock_file(&self) -> Option<PathBuf> {
        self.file.as_deref().map(|file| beside(file, ".lock"))
    }

    /// The URL with its password: for connections, never to be shown.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    fn options(&self) -> Result<AnyConnectOptions, sqlx::Error> {
        sqlx::any::install_default_drivers();
        Ok(AnyConnectOptions::from_str(&self.url)?.disable_statement_logging())
    }

    /// One connection, ready to be used.
    pub(crate) async fn connect(&self) -> Result<AnyConnection, Trouble> {
        let connect = async {
            let mut connection = AnyConnection::connect_with(&self.options()?).await?;
            self.make_ready(&mut connection).await?;
            Ok(connection)
        };
        tokio::time::timeout(CONNECT, connect).await.unwrap_or(Err(Trouble::Silence(CONNECT)))
    }

    /// Connections to read with; the first is made when it is needed.
    pub(crate) fn pool(&self, size: u32) -> Result<AnyPool, sqlx::Error> {
        let place = self.clone();
        Ok(AnyPoolOptions::new()
            .max_connections(size.max(1))
            .acquire_timeout(CONNECT)
            .after_connect(move |connection, _| {
                let place = place.clone();
                Box::pin(async move {
                    place.make_ready(connection).await?;
                    let as_reader = match place.backend {
                        Backend::Sqlite => "PRAGMA query_only = ON",
                        Backend::Postgres => BY_INDEX,
                    };
                    connection.execute(as_reader).await.map(|_| ())
                })
            })
            .connect_lazy_with(self.options()?))
    }

    async fn make_ready(&self, connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
        match self.backend {
            Backend::Sqlite => connection.execute(PRAGMAS).await.map(|_| ()),
            // A transaction of a process that is gone must not hold its locks for long.
            Backend::Postgres => connection
                .execute("SET idle_in_transaction_session_timeout = 60000; SET client_min_messages = warning")
                .await
                .map(|_| ()),
        }
    }
}

/// `PATH` with something behind its name.
pub(crate) fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// A path as sqlx takes it in a URL.
fn escaped(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&hex::encode_upper([byte]));
        }
    }
    out
}

/// A URL that can be shown: whatever stands where a password could.
fn without_password(url: &str) -> String {
    let (url, query) = url.split_once('?').map_or((url, ""), |(url, query)| (url, query));
    let mut shown = match (url.split_once("://"), url.rfind('@')) {
        (Some((scheme, _)), Some(at)) if at > scheme.len() + 3 => {
            let user = &url[scheme.len() + 3..at];
            let user = user.split_once(':').map_or(user, |(user, _)| user);
            format!("{scheme}://{user}@{}", &url[at + 1..])
        }
        _ => url.to_owned(),
    };
    let kept: Vec<&str> =
        query.split('&').filter(|part| !part.is_empty() && !part.to_ascii_lowercase().contains("password")).collect();
    if !kept.is_empty() {
        shown.push('?');
        shown.push_str(&kept.join("&"));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for url in [
            "postgres://gate:s3cret@db:5432/gate",
            "postgres://gate:s3cret@db/gate?sslmode=require",
            "postgres://gate@db/gate?password=s3cret",
            "postgresql://gate:a/s3cret@b@db/gate",
            "postgres://gate:s3cret@db:notaport/gate",
            "mysql://gate:s3cret@db/gate",
        ] {
            let shown = match Place::of(url) {
                Ok(place) => format!("{place:?} {}", place.shown),
                Err(error) => format!("{error} {error:?}"),
            };
            assert!(!shown.contains("s3cret"), "{shown}");
        }
    }

    #[test]
    fn paths_with_signs_of_urls_are_files() {
        let place = Place::of("sqlite:/tmp/a b?c#d%20.db").unwrap();
        assert_eq!(place.file.as_deref(), Some(Path::new("/tmp/a b?c#d%20.db")));
        assert_eq!(place.url(), "sqlite:///tmp/a%20b%3Fc%23d%2520.db?mode=rw");
        assert!(Place::of("sqlite::memory:").is_err() && Place::of("sqlite:").is_err() && Place::of("/tmp/x").is_err());
    }
}
