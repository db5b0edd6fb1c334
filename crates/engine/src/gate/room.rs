//! Room to look at images from, shared between registries: one that is silent, and whatever waits for it, never has them all. A registry may hold as many
//! as are left free: alone it has half of them, and the next one half of the rest. Who waits in line holds none, and is served in the order of coming.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// So many room.
#[derive(Debug)]
pub(super) struct Room {
    all: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By registry, those that hold some.
    taken: HashMap<Arc<str>, usize>,
    /// Who waits.
    line: VecDeque<(Arc<str>, oneshot::Sender<Place>)>,
}

/// One place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    of: Arc<Room>,
    registry: Arc<str>,
}

impl State {
    fn held(&self, registry: &Arc<str>) -> usize {
        self.taken.get(registry).copied().unwrap_or(0)
    }
}

impl Room {
    pub(super) fn new(all: usize) -> Arc<Self> {
        Arc::new(Self { all: all.max(1), state: Mutex::default() })
    }

    /// A place for this registry, if there is one now.
    pub(super) fn try_take(self: &Arc<Self>, registry: &Arc<str>) -> Option<Place> {
        self.taken_in(&mut self.state(), registry)
    }

    /// A place for this registry, once there is one. `None`: there will be none.
    pub(super) async fn take(self: &Arc<Self>, registry: &Arc<str>) -> Option<Place> {
        let comes = {
            let mut state = self.state();
            // None of this registry is in line then: what is freed is given away at once.
            if let Some(place) = self.taken_in(&mut state, registry) {
                return Some(place);
            }
            let (gives, comes) = oneshot::channel();
            state.line.push_back((Arc::clone(registry), gives));
            comes
        };
        comes.await.ok()
    }

    fn taken_in(self: &Arc<Self>, state: &mut State, registry: &Arc<str>) -> Option<Place> {
        if state.held(registry) >= self.free(state) {
            return None;
        }
        *state.taken.entry(Arc::clone(registry)).or_default() += 1;
        Some(Place { of: Arc::clone(self), registry: Arc::clone(registry) })
    }

    fn free(&self, state: &State) -> usize {
        self.all.saturating_sub(state.taken.values().sum())
    }

    /// Gives away what is free.
    fn serve(self: &Arc<Self>) {
        loop {
            let mut state = self.state();
            state.line.retain(|(_, gives)| !gives.is_closed());
            let free = self.free(&state);
            let next = state.line.iter().position(|(registry, _)| state.held(registry) < free);
            let Some((registry, gives)) = next.and_then(|next| state.line.remove(next)) else { return };
            let place = self.taken_in(&mut state, &registry);
            drop(state);
            // Whoever has gone meanwhile gives it back, which serves the next.
            drop(place.map(|place| gives.send(place)));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.of.state();
        match state.taken.get_mut(&self.registry) {
            Some(taken) if *taken > 1 => *taken -= 1,
            _ => drop(state.taken.remove(&self.registry)),
        }
        drop(state);
        self.of.serve();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt as _;

    use super::*;

    fn name(number: usize) -> Arc<str> {
        format!("registry-{number}.example").into()
    }

    #[test]
    fn a_registry_holds_at_most_as_many_as_are_left_free() {
        let room = Room::new(64);
        let mut held = Vec::new();
        for (number, share) in [32, 16, 8, 4, 2, 1].into_iter().enumerate() {
            let theirs: Vec<_> = std::iter::from_fn(|| room.try_take(&name(number))).collect();
            assert_eq!(theirs.len(), share, "{number}");
            held.extend(theirs);
        }
        assert!(room.try_take(&name(0)).is_none());
        held.extend(room.try_take(&name(6)));
        assert_eq!(held.len(), 64);
        assert!(room.try_take(&name(7)).is_none(), "all are taken");
        drop(held);
        assert!(room.state().taken.is_empty(), "who holds none is forgotten");
        let one = Room::new(1);
        assert!(one.try_take(&name(0)).is_some(), "of a single place everybody has a turn");
    }

    #[tokio::test]
    async fn what_is_freed_goes_to_whoever_came_first_and_may_have_it() {
        let (room, first, other) = (Room::new(3), name(0), name(1));
        let mut held = vec![room.take(&first).await.unwrap(), room.take(&first).await.unwrap()];
        let mut waits: Vec<_> = (0..3).map(|_| Box::pin(room.take(&first))).collect();
        assert!(waits.iter_mut().all(|wait| wait.now_or_never().is_none()));
        let theirs = room.take(&other).now_or_never().flatten();
        assert!(theirs.is_some(), "another registry does not wait behind them");
        // The first of them went away, so that the second is the next.
        drop(waits.remove(0));
        held.pop();
        assert!(waits.iter_mut().all(|wait| wait.now_or_never().is_none()), "one of three is free, and it has one");
        drop(theirs);
        held.push(waits.remove(0).now_or_never().flatten().unwrap());
        assert!(waits.remove(0).now_or_never().is_none());
        assert!(room.state().line.iter().all(|(_, gives)| gives.is_closed()));
        // A place that was given and never fetched comes back.
        let mut given = Box::pin(room.take(&first));
        assert!((&mut given).now_or_never().is_none());
        held.clear();
        drop(given);
        assert!(room.state().taken.is_empty());
        let free = tokio::time::timeout(Duration::from_secs(5), room.take(&first)).await.unwrap();
        assert!(free.is_some());
    }
}
