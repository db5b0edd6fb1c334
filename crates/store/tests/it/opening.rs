//! What is opened, and what is refused, without a change.

use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, ConnectOptions as _, Executor as _};
use store::{Options, SCHEMA, Store, StoreError};

use crate::support::{Database, block_on, child, decided, id, on_both};

on_both!(a_newer_schema_is_refused, an_older_schema_waits_for_migrate, a_database_can_be_looked_at_while_it_is_served);

/// A connection past the store.
pub(crate) async fn connect(database: &Database) -> AnyConnection {
    sqlx::any::install_default_drivers();
    database.url.parse::<AnyConnectOptions>().unwrap().connect().await.unwrap()
}

async fn a_newer_schema_is_refused(database: &Database) {
    let store = database.open().await;
    store.write(decided(1)).await.unwrap();
    store.close().await;
    drop(store);
    let mut connection = connect(database).await;
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 SELECT 99, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1";
    connection.execute(later).await.unwrap();
    for migrate in [true, false] {
        let opened = Store::open(Options { migrate, ..database.options() }).await;
        assert!(matches!(opened, Err(StoreError::Schema { found: 99, known: SCHEMA })), "{opened:?}");
    }
    assert!(matches!(store::migrate(&database.url).await, Err(StoreError::Schema { found: 99, .. })));
    assert!(matches!(Store::look(&database.url).await, Err(StoreError::Schema { found: 99, .. })));
    // Nothing was changed: as soon as it is the schema of this version again, all is there.
    connection.execute("DELETE FROM _sqlx_migrations WHERE version = 99").await.unwrap();
    let store = Store::open(Options { migrate: false, ..database.options() }).await.unwrap();
    assert!(store.decision(&id(1)).await.unwrap().is_some());
}

async fn an_older_schema_waits_for_migrate(database: &Database) {
    let opened = Store::open(Options { migrate: false, ..database.options() }).await;
    assert!(matches!(opened, Err(StoreError::Schema { found: 0, known: SCHEMA })), "{opened:?}");
    // Not a table was made.
    assert_eq!(Store::look(&database.url).await.unwrap().status().await.unwrap().schema, 0);
    // Two at once: PostgreSQL lets one wait for the other, of SQLite's one is refused.
    let (one, two) = tokio::join!(store::migrate(&database.url), store::migrate(&database.url));
    let outcomes = [one, two];
    assert!(outcomes.iter().any(|outcome| matches!(outcome, Ok((0, SCHEMA)))), "{outcomes:?}");
    if database.is_postgres {
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    }
    assert_eq!(store::migrate(&database.url).await.unwrap(), (SCHEMA, SCHEMA));
    let store = Store::open(Options { migrate: false, ..database.options() }).await.unwrap();
    store.write(decided(1)).await.unwrap();
}

async fn a_database_can_be_looked_at_while_it_is_served(database: &Database) {
    let store = database.open().await;
    for number in 0..10 {
        store.write(decided(number)).await.unwrap();
    }
    let looking = Store::look(&database.url).await.unwrap();
    assert!(looking.decision(&id(3)).await.unwrap().is_some());
    assert!(matches!(looking.write(decided(11)).await, Err(StoreError::Closed)));
    assert!(matches!(looking.write_soon(decided(11)), Err(StoreError::Closed)));
    let status = looking.status().await.unwrap();
    assert_eq!((status.schema, status.known, status.unsequenced, status.dead_jobs), (SCHEMA, SCHEMA, 10, 0));
    assert!(status.size_bytes > 10_000, "{status:?}");
    for (table, rows) in [("decisions", 10), ("answers", 10), ("leaves", 10), ("evidence", 0), ("clock", 1)] {
        assert!(status.rows.contains(&(table, rows)), "{table}: {status:?}");
    }
    store.write(decided(12)).await.unwrap();
}

#[test]
fn a_second_process_on_one_sqlite_file_is_refused() {
    let database = Database::sqlite();
    block_on(async {
        let store = database.open().await;
        let again = Store::open(database.options()).await;
        let Err(StoreError::InUse { path, by }) = again else { panic!("{again:?}") };
        assert!(path.ends_with("gate.db") && by == format!(" (process {})", std::process::id()), "{path}{by}");
        // Another process, and by another way to the same file.
        let link = database.folder.path().join("folder");
        std::os::unix::fs::symlink(database.folder.path(), &link).unwrap();
        for url in [database.url.clone(), format!("sqlite:{}", link.join("gate.db").display())] {
            let said = child("opens", &url).output().unwrap();
            let said = String::from_utf8(said.stdout).unwrap();
            assert!(said.contains(&format!("is in use by another process (process {})", std::process::id())), "{said}");
        }
        assert!(matches!(store::migrate(&database.url).await, Err(StoreError::InUse { .. })));
        store.write(decided(1)).await.unwrap();
        store.close().await;
        drop(store);
        let said = child("opens", &database.url).output().unwrap();
        assert!(String::from_utf8(said.stdout).unwrap().contains("said: opened"));
        assert!(database.open().await.decision(&id(1)).await.unwrap().is_some());
    });
}

#[test]
fn what_is_no_database_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text");
    std::fs::write(&text, "This is not a database, and longer than a page's header has to be. ".repeat(50)).unwrap();
    block_on(async {
        for (url, expected) in [
            (format!("sqlite:{}", text.display()), "file is not a database"),
            (format!("sqlite:{}/none/gate.db", folder.path().display()), "No such file or directory"),
            ("mysql://root:s3cret@localhost/x".to_owned(), "neither sqlite:PATH nor postgres"),
            ("postgres://gate:s3cret@127.0.0.1:1/x".to_owned(), "refused"),
        ] {
            let error = Store::open(Options { url, migrate: true, readers: 1 }).await.unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("s3cret"), "{error}");
        }
    });
    assert!(std::fs::read(&text).unwrap().starts_with(b"This is not"));
}

/// Started by the tests above, in a process of its own.
#[test]
#[ignore = "a process that other tests start"]
fn opens() {
    let Ok(url) = std::env::var("ECR_GATE_STORE_CHILD") else { return };
    let opened = block_on(Store::open(Options { url, migrate: true, readers: 1 }));
    println!("said: {}", opened.map_or_else(|error| error.to_string(), |_| "opened".to_owned()));
}
