//! The Merkle tree of RFC 6962 as something that grows: of n leaves only the complete subtrees are kept, one for each bit of n.

use sha2::{Digest as _, Sha256};
use sigstore_merkle::{hash_children, hash_leaf};

use super::{Hash, MAX_SIZE};

/// The hash of a leaf: SHA-256 of a zero byte and its bytes.
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    *hash_leaf(bytes).as_bytes()
}

/// The hash of a node: SHA-256 of a one byte and the hashes below it.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    *hash_children(&(*left).into(), &(*right).into()).as_bytes()
}

/// The root of the tree without leaves: SHA-256 of nothing.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// A node below which every leaf is there, so that it never changes. Level 0 are the hashes of the leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// How far it is above the leaves: it covers 2^level of them.
    pub level: u8,
    /// Its place in the level, from the left.
    pub index: u64,
    /// Its hash.
    pub hash: Hash,
}

/// The complete subtrees of a tree, the largest first: all that is needed to add leaves and to know the root.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

/// These are not the complete subtrees of a tree of that size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeaksError {
    /// More leaves than a tree may have.
    #[error("{0} leaves are more than a log can have")]
    TooLarge(u64),
    /// A tree of this size has another number of them.
    #[error("a tree of {size} leaves has {needed} complete subtrees, and {given} are given")]
    Number {
        /// The size of the tree.
        size: u64,
        /// How many it has.
        needed: u32,
        /// How many were given.
        given: usize,
    },
}

impl Frontier {
    /// Of the tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// Of a tree of this size, from what [`Self::peaks`] said of it.
    ///
    /// # Errors
    /// A tree of this size has another number of complete subtrees.
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Result<Self, PeaksError> {
        if size > MAX_SIZE {
            return Err(PeaksError::TooLarge(size));
        }
        let needed = size.count_ones();
        if peaks.len() != needed as usize {
            return Err(PeaksError::Number { size, needed, given: peaks.len() });
        }
        Ok(Self { size, peaks })
    }

    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hashes of the complete subtrees, the largest first.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Which nodes the peaks of a tree of this size are, as level and index, the largest first.
    pub fn peak_nodes(size: u64) -> Vec<(u8, u64)> {
        let bits = (0..64_u8).rev().filter(|level| size >> level & 1 == 1);
        bits.map(|level| (level, (size >> level) - 1)).collect()
    }

    /// Adds a leaf. What it completes is given back, the leaf first and then upwards: what a store has to keep.
    pub fn append(&mut self, leaf: Hash) -> Vec<Node> {
        let mut node = Node { level: 0, index: self.size, hash: leaf };
        let mut complete = vec![node];
        // A node at an odd place is a right child, and its sibling is the last peak.
        while node.index & 1 == 1 {
            let Some(left) = self.peaks.pop() else { break };
            node = Node { level: node.level + 1, index: node.index >> 1, hash: node_hash(&left, &node.hash) };
            complete.push(node);
        }
        self.peaks.push(node.hash);
        self.size += 1;
        complete
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return empty_root() };
        peaks.fold(*last, |right, left| node_hash(left, &right))
    }
}

#[cfg(test)]
pub(super) mod tests;
