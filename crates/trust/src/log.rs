//! The audit log as mathematics: entries as bytes, the Merkle tree over them (RFC 6962), checkpoints that a key signed (C2SP
//! tlog-checkpoint and signed-note), and exports that can be verified with nothing but that key. It keeps nothing and knows no
//! clock: the store keeps leaves and nodes, the engine gives leaves their places.

mod canonical;
mod checkpoint;
mod entry;
pub mod export;
mod key;
mod note;
mod proof;
mod tree;

pub use canonical::{CanonicalError, MAX_DEPTH, canonical, read_canonical};
pub use checkpoint::{Checkpoint, TreeHead, UnverifiedCheckpoint};
pub use entry::{Entry, EntryError, MAX_ENTRY, SCHEMA, Subject};
pub use key::{LogKey, VerifierKey};
pub use note::{MAX_NOTE, NoteError};
pub use proof::{ProofError, ProofPlan, consistency_nodes, inclusion_nodes, verify_consistency, verify_inclusion};
pub use tree::{Frontier, Node, PeaksError, empty_root, leaf_hash, node_hash};

/// A SHA-256.
pub type Hash = [u8; 32];

/// The most leaves a tree may have: what a signed 64-bit integer of a database holds, with room to add to it.
pub const MAX_SIZE: u64 = 1 << 62;
