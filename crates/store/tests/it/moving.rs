//! From one database to the other, to a backup and back.

use std::io::Cursor;
use std::path::Path;

use store::{Batch, LogHead, LogNode, NewJob, Store, StoreError};

use crate::round_trips::everything;
use crate::support::{Database, at, block_on, decided, digest, id};

/// A database with something in every table.
async fn full(database: &Database) -> Store {
    let store = database.open().await;
    store.write(everything()).await.unwrap();
    for number in 100..250 {
        store.write_soon(decided(number)).unwrap();
    }
    let job = NewJob { kind: "collect".to_owned(), key: "ä".to_owned(), payload: "{}".to_owned(), run_at: at(1) };
    store.write(Batch { jobs: vec![job], ..Batch::default() }).await.unwrap();
    let taken = store.take_jobs(at(1), std::time::Duration::from_secs(1), 1).await.unwrap();
    store.fail_job(&taken[0].id, None, "no").await.unwrap();
    let head = LogHead { size: 1, checkpoint: "c\n".to_owned(), at: at(1), key: "k".to_owned() };
    let node = LogNode { level: 0, index: 0, hash: [7; 32] };
    assert!(store.extend_log(0, &[id(1)], &[node], &head).await.unwrap());
    while store.at_risk() > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    store
}

async fn export(store: &Store) -> Vec<u8> {
    let mut out = Vec::new();
    let rows = store.export_tables(&mut out).await.unwrap();
    let text = std::str::from_utf8(&out).unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with('[')).count() as u64, rows);
    out
}

#[test]
fn o1_what_is_exported_from_one_database_is_the_same_in_the_other() {
    let pairs = [
        (Some(Database::sqlite()), Database::postgres()),
        (Database::postgres(), Some(Database::sqlite())),
        (Some(Database::sqlite()), Some(Database::sqlite())),
    ];
    for (from, to) in pairs {
        let (Some(from), Some(to)) = (from, to) else { continue };
        block_on(async {
            let store = full(&from).await;
            let empty: Vec<_> = store.status().await.unwrap().rows.into_iter().filter(|(_, rows)| *rows == 0).collect();
            assert_eq!(empty, [], "the export of a table without rows says nothing");
            let exported = export(&store).await;
            let moved = to.open().await;
            let rows = moved.import_tables(&mut Cursor::new(&exported)).await.unwrap();
            assert!(rows > 500, "{rows}");
            let again = export(&moved).await;
            assert_eq!(String::from_utf8(again).unwrap(), String::from_utf8(exported).unwrap());
            // It works on from there.
            assert_eq!(
                moved.write(Batch { changes: vec![store::Scope::Global], ..decided(900) }).await.unwrap(),
                Some(3)
            );
            assert!(moved.decision(&id(120)).await.unwrap().is_some());
        });
    }
}

#[test]
fn an_export_that_is_not_whole_leaves_nothing_behind() {
    let exported = block_on(async {
        let database = Database::sqlite();
        export(&full(&database).await).await
    });
    let text = String::from_utf8(exported).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let with = |lines: &[&str]| lines.join("\n") + "\n";
    let row = lines.iter().position(|line| line.starts_with("[\"01990000")).unwrap();
    let damaged = [
        ("cut off", with(&lines[..lines.len() - 1])),
        ("cut off in a line", text[..text.len() - 3].to_owned()),
        ("a row is missing", with(&[&lines[..row], &lines[row + 1..]].concat())),
        ("another word", text.replacen("production", "productiom", 1)),
        ("something behind", text.clone() + "[1]\n"),
        ("another table", text.replacen("\"table\":\"clock\"", "\"table\":\"users\"", 1)),
        ("another column", text.replacen("\"columns\":[\"id\",\"seq\"]", "\"columns\":[\"id\",\"sec\"]", 1)),
        ("no export", "{}\n".to_owned()),
        ("empty", String::new()),
    ];
    for database in [Some(Database::sqlite()), Database::postgres()].into_iter().flatten() {
        block_on(async {
            let store = database.open().await;
            for (what, export) in &damaged {
                let refused = store.import_tables(&mut Cursor::new(export)).await;
                assert!(matches!(refused, Err(StoreError::Unreadable { what: "export", .. })), "{what}: {refused:?}");
                let rows = store.status().await.unwrap().rows;
                assert!(rows.iter().all(|(table, rows)| *rows == u64::from(*table == "clock")), "{what}: {rows:?}");
            }
            let later = text.replacen(&format!("\"store\":{}", store::SCHEMA), "\"store\":99", 1);
            let refused = store.import_tables(&mut Cursor::new(later)).await;
            assert!(matches!(refused, Err(StoreError::Schema { found: 99, .. })), "{refused:?}");
            // And not into what is not empty.
            store.write(decided(1)).await.unwrap();
            let refused = store.import_tables(&mut Cursor::new(&text)).await;
            assert!(matches!(refused, Err(StoreError::NotEmpty { .. })), "{refused:?}");
        });
    }
}

#[test]
fn a_backup_is_made_in_use_and_restored_where_nothing_is_lost() {
    let database = Database::sqlite();
    let backup = database.folder.path().join("backup.db");
    block_on(async {
        let store = full(&database).await;
        let before = export(&store).await;
        // What a try has left that was killed is in nobody's way.
        std::fs::write(database.folder.path().join("backup.db.partial"), "half a backup").unwrap();
        // As another process makes it, while this one goes on.
        let looking = Store::look(&database.url).await.unwrap();
        let (made, written) = tokio::join!(looking.backup(&backup), store.write(decided(5000)));
        written.unwrap();
        assert_eq!(made.unwrap(), std::fs::metadata(&backup).unwrap().len());
        assert_eq!(files(&backup), ["backup.db"]);
        assert!(store.backup(&backup).await.is_err(), "a backup was overwritten");

        // Not over something.
        let refused = store::restore(&database.url, &backup).await;
        assert!(matches!(refused, Err(StoreError::InUse { .. })), "{refused:?}");
        store.close().await;
        drop((store, looking));
        let refused = store::restore(&database.url, &backup).await;
        assert!(matches!(refused, Err(StoreError::NotEmpty { .. })), "{refused:?}");
        assert!(database.open().await.decision(&id(5000)).await.unwrap().is_some());

        // Where there is nothing, and where there is a database without anything in it.
        for is_migrated in [false, true] {
            let to = Database::sqlite();
            if is_migrated {
                to.open().await.close().await;
            }
            store::restore(&to.url, &backup).await.unwrap();
            let restored = to.open().await;
            let mut rows = export(&restored).await;
            if restored.decision(&id(5000)).await.unwrap().is_some() {
                rows.clone_from(&before); // written just before the copy was made
            }
            assert_eq!(rows.len(), before.len());
            assert!(files(&to.folder.path().join("x")).iter().all(|name| !name.contains("restoring")));
        }

        // A damaged one changes nothing.
        let mut bytes = std::fs::read(&backup).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 5000].fill(0xAA);
        let damaged = database.folder.path().join("damaged.db");
        for (content, expected) in [
            (bytes.as_slice(), "damaged"),
            (&bytes[..middle], "damaged"),
            (b"text", "not a database"),
            (b"", "no database"),
        ] {
            std::fs::write(&damaged, content).unwrap();
            let to = Database::sqlite();
            let refused = store::restore(&to.url, &damaged).await.unwrap_err().to_string();
            assert!(refused.contains(expected) || refused.contains("malformed"), "{expected}: {refused}");
            let left = files(&to.folder.path().join("x"));
            assert_eq!(left, ["gate.db.lock"], "{expected}");
        }
    });
}

#[test]
fn postgresql_is_backed_up_by_its_own_tools() {
    let Some(database) = Database::postgres() else { return };
    block_on(async {
        let store = database.open().await;
        let file = database.folder.path().join("backup");
        assert!(store.backup(&file).await.unwrap_err().to_string().contains("pg_dump"));
        assert!(store::restore(&database.url, &file).await.unwrap_err().to_string().contains("pg_restore"));
        assert!(!file.exists());
    });
}

/// The names of the files beside this one that begin with other than `gate.db` of the served database.
fn files(beside: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(beside.parent().unwrap()).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !beside.ends_with("backup.db") || !name.starts_with("gate.db"));
    names.sort();
    names
}

#[test]
fn an_export_names_its_form_and_ends_with_its_digest() {
    let database = Database::sqlite();
    block_on(async {
        let exported = export(&database.open().await).await;
        let text = String::from_utf8(exported).unwrap();
        let (body, last) = text.trim_end().rsplit_once('\n').unwrap();
        let head = format!("{{\"schema\":\"ecr-gate.dev/store-export/v1\",\"store\":{}}}\n", store::SCHEMA);
        assert!(body.starts_with(&head), "{body}");
        let hash = digest(format!("{body}\n")).as_str().trim_start_matches("sha256:").to_owned();
        assert_eq!(last, format!("{{\"rows\":1,\"sha256\":\"{hash}\"}}"));
    });
}
