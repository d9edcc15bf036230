//! The places for a listener's connections, and who must leave when none is free.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The places of one listener.
///
/// When none is free, the connection leaves that was opened first and has not yet sent a request
/// that was let in. So silent connections keep no place from a client that has something to say.
pub(crate) struct Places {
    most: usize,
    taken: Mutex<Taken>,
    freed: Notify,
}

#[derive(Default)]
struct Taken {
    count: usize,
    next: u64,
    /// The connections that no request was let in from, by their age.
    strangers: BTreeMap<u64, CancellationToken>,
}

/// A connection's place, free again when dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    number: u64,
    /// Cancelled when the connection must leave.
    pub(crate) leave: CancellationToken,
}

impl Places {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::default(), freed: Notify::new() })
    }

    /// Waits until a place is free, after sending the oldest stranger away.
    pub(crate) async fn take(self: &Arc<Self>) -> Place {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            // Registered before the check, so that no place is missed between the two.
            freed.as_mut().enable();
            if let Some(place) = self.try_take() {
                return place;
            }
            freed.await;
        }
    }

    /// Sends the oldest stranger away; its place is free soon.
    pub(crate) fn evict(&self) {
        if let Some((_, leave)) = self.taken.lock().strangers.pop_first() {
            leave.cancel();
        }
    }

    fn try_take(self: &Arc<Self>) -> Option<Place> {
        let mut taken = self.taken.lock();
        if taken.count >= self.most {
            drop(taken);
            self.evict();
            return None;
        }
        taken.count += 1;
        let (number, leave) = (taken.next, CancellationToken::new());
        taken.next += 1;
        taken.strangers.insert(number, leave.clone());
        Some(Place { places: Arc::clone(self), number, leave })
    }
}

impl Place {
    /// Keeps the place for a client whose request was let in.
    pub(crate) fn settle(&self) {
        self.places.taken.lock().strangers.remove(&self.number);
    }

    /// Takes [`Place::settle`] back.
    pub(crate) fn estrange(&self) {
        self.places.taken.lock().strangers.insert(self.number, self.leave.clone());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        taken.strangers.remove(&self.number);
        taken.count -= 1;
        drop(taken);
        self.places.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_stranger_leaves_and_a_client_stays() {
        let places = Places::new(2);
        let (client, stranger) = (places.take().await, places.take().await);
        client.settle();
        assert!(places.try_take().is_none());
        assert!(stranger.leave.is_cancelled() && !client.leave.is_cancelled());
        drop(stranger);
        let next = places.take().await;
        next.settle();
        assert!(places.try_take().is_none());
        assert!(!client.leave.is_cancelled() && !next.leave.is_cancelled());
    }
}
