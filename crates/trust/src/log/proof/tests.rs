//! Proofs against their definition in RFC 6962, for every small tree; and that none shows anything else.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::tree::Frontier;
use super::super::tree::tests::{leaves, naive_root};
use super::*;

/// A tree with all its complete nodes, as a store keeps it.
struct Kept {
    leaves: Vec<Hash>,
    nodes: BTreeMap<(u8, u64), Hash>,
    roots: Vec<Hash>,
}

impl Kept {
    fn of(size: u64) -> Self {
        let leaves = leaves(size);
        let mut tree = Frontier::new();
        let (mut nodes, mut roots) = (BTreeMap::new(), vec![tree.root()]);
        for leaf in &leaves {
            nodes.extend(tree.append(*leaf).into_iter().map(|node| ((node.level, node.index), node.hash)));
            roots.push(tree.root());
        }
        Self { leaves, nodes, roots }
    }

    fn proof(&self, plan: &ProofPlan) -> Vec<Hash> {
        let wanted: BTreeMap<_, _> = plan.nodes().into_iter().map(|place| (place, self.nodes[&place])).collect();
        plan.proof(|level, index| wanted.get(&(level, index)).copied()).unwrap()
    }

    fn root(&self, size: u64) -> &Hash {
        &self.roots[usize::try_from(size).unwrap()]
    }

    fn leaf(&self, index: u64) -> &Hash {
        &self.leaves[usize::try_from(index).unwrap()]
    }
}

/// The inclusion proof as RFC 6962 defines it.
fn naive_inclusion(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut proof, beside) = if index < left.len() {
        (naive_inclusion(index, left), right)
    } else {
        (naive_inclusion(index - left.len(), right), left)
    };
    proof.push(naive_root(beside));
    proof
}

/// The consistency proof as RFC 6962 defines it.
fn naive_consistency(from: usize, leaves: &[Hash], known: bool) -> Vec<Hash> {
    if from == leaves.len() {
        return if known { Vec::new() } else { vec![naive_root(leaves)] };
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut proof, beside) = if from <= left.len() {
        (naive_consistency(from, left, known), right)
    } else {
        (naive_consistency(from - left.len(), right, false), left)
    };
    proof.push(naive_root(beside));
    proof
}

#[test]
fn o3_every_proof_of_small_trees_is_that_of_rfc_6962_and_verifies() {
    let kept = Kept::of(70);
    for size in 1..=70_u64 {
        let leaves = &kept.leaves[..usize::try_from(size).unwrap()];
        for index in 0..size {
            let proof = kept.proof(&inclusion_nodes(index, size).unwrap());
            assert_eq!(proof, naive_inclusion(usize::try_from(index).unwrap(), leaves), "{index} of {size}");
            verify_inclusion(kept.leaf(index), index, size, &proof, kept.root(size)).unwrap();
        }
        for from in 0..=size {
            let proof = kept.proof(&consistency_nodes(from, size).unwrap());
            if from > 0 {
                let naive = naive_consistency(usize::try_from(from).unwrap(), leaves, true);
                assert_eq!(proof, naive, "{from} of {size}");
            }
            verify_consistency(from, size, &proof, kept.root(from), kept.root(size)).unwrap();
        }
    }
}

#[test]
fn o3_there_is_no_proof_of_what_cannot_be() {
    assert_eq!(inclusion_nodes(5, 5), Err(ProofError::NoLeaf { index: 5, size: 5 }));
    assert_eq!(inclusion_nodes(0, 0), Err(ProofError::NoLeaf { index: 0, size: 0 }));
    assert_eq!(consistency_nodes(6, 5), Err(ProofError::Backwards { from: 6, to: 5 }));
    assert_eq!(inclusion_nodes(0, u64::MAX), Err(ProofError::TooLarge(u64::MAX)));
    assert_eq!(consistency_nodes(0, u64::MAX), Err(ProofError::TooLarge(u64::MAX)));
    let plan = inclusion_nodes(4, 7).unwrap();
    assert_eq!(plan.nodes(), [(0, 5), (0, 6), (2, 0)]);
    let missing = plan.proof(|level, _| (level == 0).then_some(Hash::default()));
    assert_eq!(missing, Err(ProofError::Missing { level: 2, index: 0 }));
    assert_eq!(inclusion_nodes(MAX_SIZE - 1, MAX_SIZE).unwrap().nodes().len(), 62);
    // The empty tree has one root, and every tree begins with it.
    let root = leaf_root();
    assert_eq!(verify_consistency(0, 1, &[], &empty_root(), &root), Ok(()));
    assert!(verify_consistency(0, 1, &[], &root, &root).is_err());
    assert!(verify_consistency(0, 1, &[root], &empty_root(), &root).is_err());
    assert!(verify_inclusion(&root, 0, 0, &[], &empty_root()).is_err());
}

fn leaf_root() -> Hash {
    leaves(1)[0]
}

/// The proof with one bit turned, one hash taken away and one doubled.
fn wrong_proofs(proof: &[Hash], bit: usize) -> Vec<Vec<Hash>> {
    let mut wrong = Vec::new();
    for at in 0..proof.len() {
        let mut flipped = proof.to_vec();
        flipped[at][bit / 8] ^= 1 << (bit % 8);
        let (mut shorter, mut longer) = (proof.to_vec(), proof.to_vec());
        shorter.remove(at);
        longer.insert(at, proof[at]);
        wrong.extend([flipped, shorter, longer]);
    }
    let mut longer = proof.to_vec();
    longer.push(Hash::default());
    wrong.push(longer);
    wrong
}

fn flipped(hash: &Hash, bit: usize) -> Hash {
    let mut hash = *hash;
    hash[bit / 8] ^= 1 << (bit % 8);
    hash
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn o3_a_leaf_is_proven_to_be_in_its_place_and_nowhere_else(size in 1..=300_u64, seed: u64, bit in 0..256_usize) {
        let kept = Kept::of(300);
        let index = seed % size;
        let (leaf, root) = (kept.leaf(index), kept.root(size));
        let proof = kept.proof(&inclusion_nodes(index, size).unwrap());
        prop_assert_eq!(verify_inclusion(leaf, index, size, &proof, root), Ok(()));
        for other in (0..300).filter(|other| *other != index) {
            prop_assert!(verify_inclusion(leaf, other, size, &proof, root).is_err(), "leaf {} at {}", index, other);
            prop_assert!(verify_inclusion(kept.leaf(other), index, size, &proof, root).is_err());
        }
        for other in (0..=300).filter(|other| *other != size) {
            prop_assert!(verify_inclusion(leaf, index, size, &proof, kept.root(other)).is_err());
            prop_assert!(verify_inclusion(leaf, index, other, &proof, kept.root(other)).is_err());
        }
        for wrong in wrong_proofs(&proof, bit) {
            prop_assert!(verify_inclusion(leaf, index, size, &wrong, root).is_err());
        }
        prop_assert!(verify_inclusion(&flipped(leaf, bit), index, size, &proof, root).is_err());
        prop_assert!(verify_inclusion(leaf, index, size, &proof, &flipped(root, bit)).is_err());
    }

    #[test]
    fn o3_a_tree_is_proven_to_begin_with_one_tree_of_each_size(to in 1..=300_u64, seed: u64, bit in 0..256_usize) {
        let kept = Kept::of(300);
        let from = seed % (to + 1);
        let (old, new) = (kept.root(from), kept.root(to));
        let proof = kept.proof(&consistency_nodes(from, to).unwrap());
        prop_assert_eq!(verify_consistency(from, to, &proof, old, new), Ok(()));
        for other in (1..=300).filter(|other| *other != from) {
            prop_assert!(verify_consistency(other, to, &proof, old, new).is_err(), "{} as {}", from, other);
            prop_assert!(verify_consistency(from, to, &proof, kept.root(other), new).is_err());
        }
        prop_assert!(verify_consistency(from, to, &proof, &flipped(old, bit), new).is_err());
        // The empty tree is the beginning of every tree: there is nothing to prove of the later one.
        if from > 0 {
            for other in (0..=300).filter(|other| *other != to) {
                prop_assert!(verify_consistency(from, to, &proof, old, kept.root(other)).is_err());
                prop_assert!(verify_consistency(from, other, &proof, old, kept.root(other)).is_err());
            }
            prop_assert!(verify_consistency(from, to, &proof, old, &flipped(new, bit)).is_err());
        }
        for wrong in wrong_proofs(&proof, bit) {
            prop_assert!(verify_consistency(from, to, &wrong, old, new).is_err());
        }
    }
}
