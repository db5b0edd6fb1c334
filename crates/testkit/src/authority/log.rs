//! Transparency logs like Rekor: a Merkle tree (RFC 6962) of a few entries, its proofs, its checkpoint and, of the first
//! kind, signed entry timestamps.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::key::{Key, sha256};

/// How many entries of other people come before and after ours.
const BEFORE: usize = 5;
const AFTER: usize = 3;
/// Indexes of the log begin before the tree does, as with Rekor's shards.
const OFFSET: u64 = 1000;

/// A transparency log.
pub(super) struct Log {
    pub(super) key: Key,
    origin: String,
    /// The second kind (`tiles`) has no signed entry timestamps.
    tiles: bool,
}

/// What of an entry's proofs is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    Timestamp,
    NoTimestamp,
    Proof,
    NoProof,
    Checkpoint,
    CheckpointOfOther,
}

impl Log {
    pub(super) fn first(seed: &str) -> Self {
        Self { key: Key::p256(&format!("{seed} log")), origin: "rekor.test".to_owned(), tiles: false }
    }

    pub(super) fn second(seed: &str) -> Self {
        Self { key: Key::ed25519(&format!("{seed} tiles")), origin: "log.rekor.test".to_owned(), tiles: true }
    }

    /// Its id in trusted roots and entries.
    pub(super) fn id(&self) -> [u8; 32] {
        if self.tiles {
            sha256(&[self.origin.as_bytes(), b"\n\x01", &self.key.raw_public()].concat())
        } else {
            sha256(&self.key.public())
        }
    }

    /// As a trusted root names it.
    pub(super) fn trusted(&self) -> Value {
        json!({
            "baseUrl": format!("https://{}", self.origin),
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": STANDARD.encode(self.key.public()),
                "keyDetails": self.key.details(),
                "validFor": {"start": "2020-01-01T00:00:00Z"},
            },
            "logId": {"keyId": STANDARD.encode(self.id())},
        })
    }

    /// The index under which an entry is found.
    pub(super) fn index(&self) -> u64 {
        let offset = if self.tiles { 0 } else { OFFSET };
        BEFORE as u64 + offset
    }

    /// The signature that promises to include an entry.
    pub(super) fn promise(&self, body: &[u8], at: i64) -> Vec<u8> {
        let promised = format!(
            r#"{{"body":"{}","integratedTime":{at},"logID":"{}","logIndex":{}}}"#,
            STANDARD.encode(body),
            hex::encode(self.id()),
            self.index()
        );
        self.key.sign(promised.as_bytes())
    }

    /// An entry as it stands in a bundle. `other` signs what is to be wrong.
    pub(super) fn entry(&self, kind: (&str, &str), body: &[u8], at: i64, flaw: Option<Flaw>, other: &Self) -> Value {
        let mut leaves: Vec<[u8; 32]> = (0..BEFORE + AFTER).map(|n| leaf(format!("entry {n}").as_bytes())).collect();
        leaves.insert(BEFORE, leaf(body));
        let mut path = path(&leaves, BEFORE);
        if flaw == Some(Flaw::Proof) {
            path[0][0] ^= 1;
        }
        let root = root(&leaves);
        let mut noted = root;
        if flaw == Some(Flaw::CheckpointOfOther) {
            noted[0] ^= 1;
        }
        let signer = if flaw == Some(Flaw::Checkpoint) { &other.key } else { &self.key };
        let checkpoint = self.checkpoint(leaves.len(), &noted, signer);
        let mut entry = json!({
            "logIndex": self.index().to_string(),
            "logId": {"keyId": STANDARD.encode(self.id())},
            "kindVersion": {"kind": kind.0, "version": kind.1},
            "canonicalizedBody": STANDARD.encode(body),
        });
        if flaw != Some(Flaw::NoProof) {
            entry["inclusionProof"] = json!({
                "logIndex": BEFORE.to_string(),
                "rootHash": STANDARD.encode(root),
                "treeSize": leaves.len().to_string(),
                "hashes": path.iter().map(|hash| STANDARD.encode(hash)).collect::<Vec<_>>(),
                "checkpoint": {"envelope": checkpoint},
            });
        }
        if !self.tiles {
            entry["integratedTime"] = json!(at.to_string());
            if flaw != Some(Flaw::NoTimestamp) {
                let promise = match flaw {
                    Some(Flaw::Timestamp) => self.promise(body, at + 1),
                    _ => self.promise(body, at),
                };
                entry["inclusionPromise"] = json!({"signedEntryTimestamp": STANDARD.encode(promise)});
            }
        }
        entry
    }

    fn checkpoint(&self, size: usize, root: &[u8; 32], signer: &Key) -> String {
        let shard = if self.tiles { String::new() } else { " - 4711".to_owned() };
        let note = format!("{}{shard}\n{size}\n{}\n", self.origin, STANDARD.encode(root));
        let signature = [&self.id()[..4], &signer.sign(note.as_bytes())].concat();
        format!("{note}\n\u{2014} {} {}\n", self.origin, STANDARD.encode(signature))
    }
}

fn leaf(entry: &[u8]) -> [u8; 32] {
    sha256(&[&[0], entry].concat())
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    sha256(&[&[1], &left[..], &right[..]].concat())
}

/// The largest power of two below the number of leaves.
fn split(leaves: usize) -> usize {
    leaves.next_power_of_two() / 2
}

fn root(leaves: &[[u8; 32]]) -> [u8; 32] {
    if leaves.len() == 1 {
        return leaves[0];
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    node(&root(left), &root(right))
}

fn path(leaves: &[[u8; 32]], at: usize) -> Vec<[u8; 32]> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let middle = split(leaves.len());
    let (left, right) = leaves.split_at(middle);
    let (mut below, beside) =
        if at < middle { (path(left, at), root(right)) } else { (path(right, at - middle), root(left)) };
    below.push(beside);
    below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_leaf_of_every_small_tree_leads_to_its_root() {
        for size in 1..20 {
            let leaves: Vec<[u8; 32]> = (0..size).map(|n: u8| leaf(&[n])).collect();
            for at in 0..leaves.len() {
                // RFC 9162, section 2.1.3.2.
                let (mut index, mut last, mut hash) = (at, leaves.len() - 1, leaves[at]);
                for beside in path(&leaves, at) {
                    if index % 2 == 1 || index == last {
                        hash = node(&beside, &hash);
                        while index % 2 == 0 && index != 0 {
                            (index, last) = (index / 2, last / 2);
                        }
                    } else {
                        hash = node(&hash, &beside);
                    }
                    (index, last) = (index / 2, last / 2);
                }
                assert_eq!((hash, last), (root(&leaves), 0), "leaf {at} of {size}");
            }
        }
    }
}
