//! Proofs over the tree: that a leaf is in it, and that a tree begins with an earlier one (RFC 6962, 2.1). What a proof is made of are hashes
//! of subtrees; those at the right edge may be incomplete, and are computed from complete nodes, which never change.

use std::collections::BTreeSet;

use sigstore_merkle::{verify_consistency_proof, verify_inclusion_proof};

use super::tree::{empty_root, node_hash};
use super::{Hash, MAX_SIZE};

/// Why there is no proof, or why it does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The tree has no such leaf.
    #[error("a tree of {size} leaves has none at {index}")]
    NoLeaf {
        /// The place.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
    /// A tree does not begin with a larger one.
    #[error("a tree of {to} leaves does not begin with one of {from}")]
    Backwards {
        /// The earlier size.
        from: u64,
        /// The later size.
        to: u64,
    },
    /// More leaves than a tree may have.
    #[error("{0} leaves are more than a log can have")]
    TooLarge(u64),
    /// A node that the proof is made of is not there.
    #[error("node {index} of level {level} is missing")]
    Missing {
        /// Its level.
        level: u8,
        /// Its place in the level.
        index: u64,
    },
    /// It does not lead to the root.
    #[error("the proof does not hold: {0}")]
    Wrong(String),
}

/// What a proof is made of: for each of its hashes the complete nodes that it is computed from, from left to right.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProofPlan {
    parts: Vec<Vec<(u8, u64)>>,
}

/// What proves that the leaf at this place is in the tree of this size.
///
/// # Errors
/// There is no such leaf.
pub fn inclusion_nodes(index: u64, size: u64) -> Result<ProofPlan, ProofError> {
    check_size(size)?;
    if index >= size {
        return Err(ProofError::NoLeaf { index, size });
    }
    let (mut low, mut high) = (0, size);
    let mut parts = Vec::new();
    while high - low > 1 {
        let middle = low + split(high - low);
        let beside = if index < middle { (middle, high) } else { (low, middle) };
        (low, high) = if index < middle { (low, middle) } else { (middle, high) };
        parts.push(complete(beside.0, beside.1));
    }
    parts.reverse();
    Ok(ProofPlan { parts })
}

/// What proves that the tree of `to` leaves begins with the tree of `from`.
///
/// # Errors
/// It is smaller.
pub fn consistency_nodes(from: u64, to: u64) -> Result<ProofPlan, ProofError> {
    check_size(to)?;
    if from > to {
        return Err(ProofError::Backwards { from, to });
    }
    if from == 0 {
        return Ok(ProofPlan::default());
    }
    let (mut low, mut high) = (0, to);
    let mut parts = Vec::new();
    while from != high {
        let middle = low + split(high - low);
        if from <= middle {
            parts.push(complete(middle, high));
            high = middle;
        } else {
            parts.push(complete(low, middle));
            low = middle;
        }
    }
    // Where the earlier tree is a complete subtree, whoever verifies has its hash: it is the earlier root.
    if low != 0 {
        parts.push(complete(low, high));
    }
    parts.reverse();
    Ok(ProofPlan { parts })
}

impl ProofPlan {
    /// Every node that has to be looked up, as level and index.
    pub fn nodes(&self) -> Vec<(u8, u64)> {
        self.parts.iter().flatten().copied().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The hashes of the proof, the lowest first.
    ///
    /// # Errors
    /// A node is not there.
    pub fn proof(&self, look_up: impl Fn(u8, u64) -> Option<Hash>) -> Result<Vec<Hash>, ProofError> {
        let hash = |part: &Vec<(u8, u64)>| {
            let found = |&(level, index): &(u8, u64)| look_up(level, index).ok_or(ProofError::Missing { level, index });
            let hashes = part.iter().map(found).collect::<Result<Vec<_>, _>>()?;
            let root = hashes.into_iter().rev().reduce(|right, left| node_hash(&left, &right));
            root.ok_or_else(|| ProofError::Wrong("it has an empty part".to_owned()))
        };
        self.parts.iter().map(hash).collect()
    }
}

/// Whether a leaf is in a tree.
///
/// # Errors
/// It is not, or the proof shows it of another leaf, place, size or root.
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> Result<(), ProofError> {
    check_size(size)?;
    let proof: Vec<_> = proof.iter().map(|hash| (*hash).into()).collect();
    verify_inclusion_proof(&(*leaf).into(), index, size, &proof, &(*root).into())
        .map_err(|error| ProofError::Wrong(error.to_string()))
}

/// Whether a tree begins with an earlier one.
///
/// # Errors
/// It does not, or the proof shows it of another size or root.
pub fn verify_consistency(
    from: u64,
    to: u64,
    proof: &[Hash],
    from_root: &Hash,
    to_root: &Hash,
) -> Result<(), ProofError> {
    check_size(to)?;
    // Every tree begins with the empty one, which has one root.
    if from == 0 && *from_root != empty_root() {
        return Err(ProofError::Wrong("the root is not that of the empty tree".to_owned()));
    }
    let proof: Vec<_> = proof.iter().map(|hash| (*hash).into()).collect();
    verify_consistency_proof(from, to, &proof, &(*from_root).into(), &(*to_root).into())
        .map_err(|error| ProofError::Wrong(error.to_string()))
}

fn check_size(size: u64) -> Result<(), ProofError> {
    if size > MAX_SIZE { Err(ProofError::TooLarge(size)) } else { Ok(()) }
}

/// How many of `leaves` (two or more) are in the left subtree: the largest power of two below.
fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// The complete nodes that cover leaves `low..high`, where `low` begins a subtree of the tree of `high` leaves.
fn complete(mut low: u64, high: u64) -> Vec<(u8, u64)> {
    let mut nodes = Vec::new();
    while low < high {
        let level = (high - low).ilog2();
        #[allow(clippy::cast_possible_truncation)] // at most 63
        nodes.push((level as u8, low >> level));
        low += 1 << level;
    }
    nodes
}

#[cfg(test)]
mod tests;
