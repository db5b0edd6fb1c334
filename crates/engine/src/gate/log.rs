//! The audit log: gives entries their places in the tree and signs its head. Two gates that do so at once are harmless: the store takes one, and
//! the other begins anew. What was begun and not finished is simply done again.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use model::Timestamp;
use store::{LogHead, LogNode, Store};
use trust::log::{Checkpoint, Frontier, LogKey, VerifierKey};

use super::GateError;

/// How often the log is looked after.
const EVERY: Duration = Duration::from_millis(500);
/// Entries that get their places at once.
const PAGE: u32 = 5000;

/// The log as this process keeps it.
pub(super) struct Log {
    key: LogKey,
    head: Mutex<Option<Timestamp>>,
    now: fn() -> Timestamp,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("key", &self.key.verifier()).finish_non_exhaustive()
    }
}

impl Log {
    /// Reads the key, or makes it, and looks whether it is the one of this store's log.
    pub(super) async fn open(
        path: &Path,
        origin: &str,
        store: &Store,
        now: fn() -> Timestamp,
    ) -> Result<Self, GateError> {
        let key = key(path, origin)?;
        let head = store.log_head().await?;
        if let Some(head) = head.as_ref().filter(|head| !head.key.is_empty())
            && head.key != key.verifier().to_string()
        {
            let hint = format!(
                "every gate on one database has the same key and the same `audit.origin`; {} holds another one",
                path.display()
            );
            return Err(GateError::Setup { what: "this is not the key of the database's audit log".to_owned(), hint });
        }
        // A head that this key did not sign was put there by somebody else.
        if let Some(head) = head.as_ref().filter(|head| head.size > 0) {
            Checkpoint::open(&head.checkpoint, key.verifier()).map_err(|error| GateError::Setup {
                what: format!("the last checkpoint of the audit log does not verify: {error}"),
                hint: "compare the log with an export or a checkpoint that you kept: `ecr-gate audit verify`"
                    .to_owned(),
            })?;
        }
        Ok(Self { key, head: Mutex::new(head.map(|head| head.at)), now })
    }

    /// The public key.
    pub(super) fn verifier(&self) -> &VerifierKey {
        self.key.verifier()
    }

    /// When the last checkpoint was signed, as far as this process knows.
    pub(super) fn signed_at(&self) -> Option<Timestamp> {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives places to what waits, for as long as the gate runs.
    pub(super) async fn keep(&self, store: &Store) {
        loop {
            match self.extend(store).await {
                Ok(more) if more => {}
                Ok(_) => tokio::time::sleep(EVERY).await,
                Err(error) => {
                    tracing::error!(%error, "the audit log cannot be continued; its entries wait in the store");
                    tokio::time::sleep(EVERY * 4).await;
                }
            }
        }
    }

    /// Gives places to what waits. True if there may be more.
    pub(super) async fn extend(&self, store: &Store) -> Result<bool, GateError> {
        // The head first: what another sequencer places after it is neither waiting here nor taken for a conflict.
        let head = store.log_head().await?;
        let waiting = store.unsequenced(PAGE).await?;
        if let Some(head) = &head {
            self.seen(head.at);
        }
        if waiting.is_empty() {
            return Ok(false);
        }
        let size = head.as_ref().map_or(0, |head| head.size);
        let mut tree = frontier(store, size).await?;
        let mut nodes = Vec::new();
        for leaf in &waiting {
            nodes.extend(tree.append(leaf.hash).into_iter().map(|node| LogNode {
                level: node.level,
                index: node.index,
                hash: node.hash,
            }));
        }
        let at = (self.now)();
        let failed = |error: trust::log::NoteError| GateError::invalid(format!("the audit log is not signed: {error}"));
        let checkpoint = self.key.sign_checkpoint(tree.size(), &tree.root()).map_err(failed)?;
        let new = LogHead { size: tree.size(), checkpoint, at, key: self.key.verifier().to_string() };
        let ids: Vec<String> = waiting.iter().map(|leaf| leaf.id.clone()).collect();
        if store.extend_log(size, &ids, &nodes, &new).await? {
            self.seen(at);
            // A checkpoint that left this machine shows a rewritten log: a line of it in every log that is shipped.
            tracing::info!(size = new.size, checkpoint = %new.checkpoint, "audit log");
        }
        Ok(waiting.len() == PAGE as usize)
    }

    fn seen(&self, at: Timestamp) {
        let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        *head = Some(head.map_or(at, |known| known.max(at)));
    }
}

/// The tree of this size, as the store has its nodes.
pub(super) async fn frontier(store: &Store, size: u64) -> Result<Frontier, GateError> {
    let wanted = Frontier::peak_nodes(size);
    let found = store.log_nodes(&wanted).await?;
    let hash = |(level, index): &(u8, u64)| {
        let node = found.iter().find(|node| (node.level, node.index) == (*level, *index));
        let missing = || GateError::invalid(format!("the audit log lacks the node {index} of level {level}"));
        node.map(|node| node.hash).ok_or_else(missing)
    };
    let peaks = wanted.iter().map(hash).collect::<Result<Vec<_>, _>>()?;
    Frontier::from_peaks(size, peaks).map_err(|error| GateError::invalid(error.to_string()))
}

/// The key in this file; a new one, readable by its owner alone, if there is no file.
fn key(path: &Path, origin: &str) -> Result<LogKey, GateError> {
    let setup = |what: String| GateError::Setup {
        what: format!("the audit log's key {}: {what}", path.display()),
        hint: "it is a private Ed25519 key, PKCS #8 in PEM; without a file, one is made".to_owned(),
    };
    let read = || match std::fs::read(path) {
        Ok(text) if text.len() > 16 << 10 => Err(setup("it is too large for a key".to_owned())),
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(setup(error.to_string())),
    };
    let text = if let Some(text) = read()? {
        text
    } else {
        let made = LogKey::generate().map_err(|error| setup(error.to_string()))?;
        write_new(path, made.as_bytes()).map_err(|error| setup(error.to_string()))?;
        // Another replica may have been first: then its key is the one.
        read()?.ok_or_else(|| setup("it went away".to_owned()))?
    };
    LogKey::from_pem(origin, &text, None).map_err(|error| setup(error.to_string()))
}

/// Puts the whole file there at once, unless there is one: who starts at the same time finds it complete or not at all.
fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", uuid::Uuid::now_v7()));
    let temporary = path.with_file_name(name);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| {
        match std::fs::hard_link(&temporary, path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        }
    });
    std::fs::remove_file(&temporary)?;
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_that_start_together_have_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.key");
        let open = || key(&path, "gate.example/audit").unwrap().verifier().to_string();
        let keys: Vec<String> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..16).map(|_| scope.spawn(open)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing but the key is left behind");
    }
}
