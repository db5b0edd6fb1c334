//! How many copy at the same time, in all and of one identity; what brings something back has room of its own, so that nobody's promotions stand in the
//! way of going back in an incident.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// How many promotions may copy at the same time, and how many rollbacks.
const COPIES: usize = 16;
const ROLLBACKS: usize = 8;
/// How many of them may be of one identity.
const SHARE: usize = 4;

/// Room for copies.
#[derive(Debug, Default)]
pub(super) struct Slots {
    taken: Mutex<Taken>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    copies: usize,
    rollbacks: usize,
    /// By identity, and whether they bring something back.
    of: HashMap<(Arc<str>, bool), usize>,
}

/// One place, until it is dropped.
#[derive(Debug)]
pub(super) struct Slot<'a> {
    slots: &'a Slots,
    whose: (Arc<str>, bool),
}

impl Slots {
    /// Waits for a place.
    pub(super) async fn take(&self, identity: &Arc<str>, is_rollback: bool) -> Slot<'_> {
        let whose = (Arc::clone(identity), is_rollback);
        loop {
            // What is freed between the look and the wait counts.
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if self.try_to_take(&whose) {
                return Slot { slots: self, whose };
            }
            freed.await;
        }
    }

    fn try_to_take(&self, whose: &(Arc<str>, bool)) -> bool {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, most) = if whose.1 { (taken.rollbacks, ROLLBACKS) } else { (taken.copies, COPIES) };
        let theirs = taken.of.get(whose).copied().unwrap_or(0);
        if all >= most || theirs >= SHARE {
            return false;
        }
        *if whose.1 { &mut taken.rollbacks } else { &mut taken.copies } += 1;
        taken.of.insert(whose.clone(), theirs + 1);
        true
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut taken = self.slots.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let all = if self.whose.1 { &mut taken.rollbacks } else { &mut taken.copies };
        *all = all.saturating_sub(1);
        match taken.of.get_mut(&self.whose) {
            Some(theirs) if *theirs > 1 => *theirs -= 1,
            _ => drop(taken.of.remove(&self.whose)),
        }
        drop(taken);
        self.slots.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn s30_nobody_takes_all_the_room_and_rollbacks_have_their_own() {
        let slots = Slots::default();
        let name = |number: usize| -> Arc<str> { format!("team-{number}").into() };
        let mut held = Vec::new();
        for _ in 0..SHARE {
            held.push(slots.take(&name(0), false).await);
        }
        let soon = Duration::from_millis(20);
        assert!(tokio::time::timeout(soon, slots.take(&name(0), false)).await.is_err(), "its share is taken");
        held.push(slots.take(&name(0), true).await);
        for number in 1..=(COPIES - SHARE) {
            held.push(slots.take(&name(number), false).await);
        }
        let other = name(COPIES);
        assert!(tokio::time::timeout(soon, slots.take(&other, false)).await.is_err(), "all are taken");
        held.push(slots.take(&other, true).await);
        let waits = slots.take(&other, false);
        tokio::pin!(waits);
        assert!(tokio::time::timeout(soon, waits.as_mut()).await.is_err());
        held.remove(0);
        tokio::time::timeout(Duration::from_secs(5), waits).await.unwrap();
        drop(held);
        let taken = slots.taken.lock().unwrap();
        assert_eq!((taken.copies, taken.rollbacks, taken.of.len()), (0, 0, 0));
    }
}
