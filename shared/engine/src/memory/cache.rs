//! A bounded map that forgets what was used least recently.

use std::borrow::Borrow;
use std::hash::Hash;
use std::num::NonZeroUsize;

use lru::LruCache;
use parking_lot::Mutex;

/// A bounded map behind a lock. The entry that was used least recently makes room.
#[derive(Debug)]
pub(crate) struct BoundedCache<K: Hash + Eq, V> {
    entries: Mutex<LruCache<K, V>>,
}

impl<K: Hash + Eq, V: Clone> BoundedCache<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = NonZeroUsize::new(capacity).expect("a cache has room");
        Self { entries: Mutex::new(LruCache::new(capacity)) }
    }

    pub(crate) fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.entries.lock().get(key).cloned()
    }

    pub(crate) fn insert(&self, key: K, value: V) {
        self.entries.lock().put(key, value);
    }

    pub(crate) fn remove(&self, key: &K) {
        self.entries.lock().pop(key);
    }

    /// Returns true if `matches` holds for an entry. Looking does not count as a use.
    pub(crate) fn any(&self, mut matches: impl FnMut(&K, &V) -> bool) -> bool {
        self.entries.lock().iter().any(|(key, value)| matches(key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_unused_for_longest_makes_room() {
        let cache = BoundedCache::new(2);
        cache.insert(1, "a");
        cache.insert(2, "b");
        assert_eq!(cache.get(&1), Some("a"));
        cache.insert(3, "c");
        assert_eq!(cache.get(&1), Some("a"), "it was used");
        assert_eq!(cache.get(&2), None);
        assert!(cache.any(|key, _| *key == 3) && !cache.any(|key, _| *key == 2));
    }
}
