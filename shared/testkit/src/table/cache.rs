//! The suite of the cache index.

use std::collections::BTreeSet;

use sidestep_core::execution::commit::CacheEntry;
use sidestep_engine::ports::cache_index::CacheIndex;

use crate::fixture::entry;

/// Runs every case over an empty index. Panics at the first broken promise.
pub async fn suite(cache: &dyn CacheIndex) {
    let entries: Vec<_> = (0..5).map(|number| entry(number, "aa")).collect();
    let keys: Vec<_> = entries.iter().map(CacheEntry::key).collect();
    assert_eq!(cache.entries(&keys).await.unwrap(), [], "an empty index has none");

    for entry in &entries {
        assert_eq!(cache.publish(entry).await.unwrap(), None, "nothing was replaced");
    }
    let other = entry(0, "bb");
    assert_eq!(cache.publish(&other).await.unwrap(), Some(entries[0].clone()));
    assert_eq!(cache.publish(&other).await.unwrap(), Some(other.clone()), "twice is fine");

    // More keys than one request of DynamoDB takes, most of them without an entry.
    let many: Vec<_> = (0..130).map(|number| entry(number, "aa").key()).collect();
    let mut found = cache.entries(&many).await.unwrap();
    found.sort_by_key(|entry| many.iter().position(|key| *key == entry.key()));
    assert_eq!(found[0], other, "the last publication counts");
    assert_eq!(found[1..], entries[1..]);

    let (mut listed, mut after, mut pages) = (BTreeSet::new(), None, 0);
    loop {
        let page = cache.page(after.as_ref()).await.unwrap();
        listed.extend(page.entries.iter().map(|entry| entry.key().to_string()));
        after = page.next;
        pages += 1;
        assert!(pages < 100, "the listing ends");
        if after.is_none() {
            break;
        }
    }
    assert_eq!(listed, keys.iter().map(ToString::to_string).collect());

    // A use is recorded, also twice, and makes no entry where there is none.
    for at_ms in [10, 20, 20] {
        cache.touch(&keys[1], at_ms).await.unwrap();
        let found = cache.entries(&keys[1..2]).await.unwrap();
        let used = CacheEntry { used_at_ms: Some(at_ms), ..entries[1].clone() };
        assert_eq!(found, [used]);
    }
    let unknown = entry(77, "aa").key();
    cache.touch(&unknown, 30).await.unwrap();
    assert_eq!(cache.entries(&[unknown]).await.unwrap(), []);

    for _ in 0..2 {
        cache.remove(&keys[2]).await.unwrap();
        assert_eq!(cache.entries(&keys[2..3]).await.unwrap(), []);
    }
    assert_eq!(cache.entries(&keys).await.unwrap().len(), 4);
}
