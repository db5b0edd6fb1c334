//! What waits takes no more than its share (S30): asks and long requests hold a place for as long as they wait, so that one client never has them all, and
//! some are left for whatever answers at once: a denial is written while everybody waits for scans.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::rate::Client;

/// The places that requests may wait in.
#[derive(Debug)]
pub(crate) struct Shares {
    /// All of them.
    all: usize,
    /// For one client.
    each: usize,
    taken: Mutex<HashMap<Client, usize>>,
}

/// A place; it comes back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    of: Arc<Shares>,
    client: Client,
}

impl Shares {
    /// Of so many requests at once, an eighth is kept for those that do not wait; a third of the others is for one client.
    pub(crate) fn new(concurrency: usize) -> Self {
        let kept = if concurrency > 1 { (concurrency / 8).max(1) } else { 0 };
        let all = concurrency - kept;
        Self { all, each: (all / 3).max(1), taken: Mutex::default() }
    }

    /// A place, if there is one for this client.
    pub(crate) fn take(self: &Arc<Self>, client: Client) -> Option<Share> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, theirs) = (taken.values().sum::<usize>(), taken.get(&client).copied().unwrap_or(0));
        if all >= self.all || theirs >= self.each {
            return None;
        }
        taken.insert(client.clone(), theirs + 1);
        drop(taken);
        Some(Share { of: Arc::clone(self), client })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.of.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.client) {
            Some(theirs) if *theirs > 1 => *theirs -= 1,
            _ => {
                taken.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s30_no_client_has_every_place_and_all_of_them_leave_some() {
        let shares = Arc::new(Shares::new(1024));
        let client = |name: &str| Client::Named(name.into());
        let take = |name: &str| std::iter::from_fn(|| shares.take(client(name))).collect::<Vec<_>>();
        let first = take("a");
        assert_eq!(first.len(), 298);
        let rest: Vec<_> = ["b", "c", "d", "e"].into_iter().flat_map(take).collect();
        assert_eq!(first.len() + rest.len(), 896);
        drop(rest);
        assert!(shares.take(client("a")).is_none() && shares.take(client("e")).is_some());
        drop(first);
        assert_eq!(take("a").len(), 298);
        assert!(shares.taken.lock().unwrap().is_empty(), "who has none is forgotten");
        for concurrency in 1..20 {
            let shares = Arc::new(Shares::new(concurrency));
            assert!(shares.take(Client::Others).is_some(), "{concurrency}");
            assert!(shares.all < concurrency || concurrency == 1, "{concurrency}");
        }
    }
}
