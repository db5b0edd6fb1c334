//! The growing tree against the definition in RFC 6962.

use proptest::prelude::*;

use super::*;

/// The root as RFC 6962 defines it, by recursion over all leaves.
pub(in crate::log) fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [one] => *one,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

/// The hashes of so many different leaves.
pub(in crate::log) fn leaves(number: u64) -> Vec<Hash> {
    (0..number).map(|index| leaf_hash(format!("leaf {index}").as_bytes())).collect()
}

#[test]
fn o3_hashes_are_those_of_rfc_6962() {
    let by_hand = |parts: &[&[u8]]| -> Hash { Sha256::digest(parts.concat()).into() };
    assert_eq!(leaf_hash(b"entry"), by_hand(&[&[0], b"entry"]));
    let (left, right) = (leaf_hash(b"left"), leaf_hash(b"right"));
    assert_eq!(node_hash(&left, &right), by_hand(&[&[1], &left, &right]));
    assert_eq!(hex::encode(empty_root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

#[test]
fn o3_a_growing_tree_has_the_root_of_all_its_leaves_and_gives_back_every_complete_node() {
    let leaves = leaves(300);
    let mut tree = Frontier::new();
    let mut nodes = std::collections::BTreeMap::new();
    for (index, leaf) in leaves.iter().enumerate() {
        assert_eq!(tree.root(), naive_root(&leaves[..index]));
        for Node { level, index, hash } in tree.append(*leaf) {
            assert!(nodes.insert((level, index), hash).is_none(), "a complete node never changes");
        }
        let size = tree.size();
        let peaks = Frontier::peak_nodes(size).into_iter().map(|place| nodes[&place]).collect();
        assert_eq!(Frontier::from_peaks(size, peaks), Ok(tree.clone()));
    }
    for level in 0..9_u8 {
        for (index, below) in leaves.chunks_exact(1 << level).enumerate() {
            assert_eq!(nodes.remove(&(level, index as u64)), Some(naive_root(below)), "node {index} of level {level}");
        }
    }
    assert!(nodes.is_empty(), "nodes that are not complete: {nodes:?}");
}

#[test]
fn o3_peaks_of_another_size_are_refused() {
    let hash = Hash::default();
    assert_eq!(Frontier::from_peaks(0, vec![]), Ok(Frontier::new()));
    assert!(Frontier::from_peaks(0, vec![hash]).is_err());
    assert_eq!(Frontier::from_peaks(5, vec![hash]), Err(PeaksError::Number { size: 5, needed: 2, given: 1 }));
    assert_eq!(Frontier::from_peaks(MAX_SIZE + 1, vec![hash; 2]), Err(PeaksError::TooLarge(MAX_SIZE + 1)));
    let mut full = Frontier::from_peaks(MAX_SIZE - 1, vec![hash; 62]).unwrap();
    assert_eq!(full.append(hash).last().map(|node| (node.level, node.index)), Some((62, 0)));
    assert_eq!(Frontier::peak_nodes(u64::MAX).len(), 64);
}

proptest! {
    #[test]
    fn o3_a_tree_grows_on_from_its_peaks(first in 0..300_u64, more in 0..300_u64) {
        let leaves = leaves(first + more);
        let mut tree = Frontier::new();
        for leaf in &leaves[..usize::try_from(first).unwrap()] {
            tree.append(*leaf);
        }
        let mut tree = Frontier::from_peaks(tree.size(), tree.peaks().to_vec()).unwrap();
        for leaf in &leaves[usize::try_from(first).unwrap()..] {
            tree.append(*leaf);
        }
        prop_assert_eq!(tree.root(), naive_root(&leaves));
    }
}
