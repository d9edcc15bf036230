//! The suite that every object store passes, and the store in memory.
//!
//! [`suite`] takes any store and a bucket of its own, so that S3, an emulator of it and the store
//! in memory keep the same promises. A fake that lies fails.

#![expect(clippy::unwrap_used, reason = "a suite panics where a promise is broken")]

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, future, stream};
use sidestep_core::uri::S3Uri;
use sidestep_engine::ports::objects::{
    Created, Download, ObjectStore, StoreError, sha256_hex, stream_of,
};

pub use sidestep_engine::ports::objects::memory::MemoryObjectStore;

/// Runs every case of the suite below `s3://BUCKET/suite/`, which must be empty. Panics at the
/// first broken promise.
pub async fn suite(store: &dyn ObjectStore, bucket: &str) {
    let at = |case: &str| S3Uri::new(bucket, format!("suite/{case}/"));
    what_is_absent_is_none(store, &at("absent")).await;
    what_is_created_reads_back(store, &at("create")).await;
    an_odd_key_is_just_a_key(store, &at("odd")).await;
    an_existing_object_stays_as_it_was(store, &at("exists")).await;
    of_many_creators_one_wins(store, &at("race")).await;
    get_refuses_what_is_too_large(store, &at("large")).await;
    an_upload_has_the_digest_of_its_content(store, &at("upload")).await;
    an_upload_may_be_repeated_but_not_changed(store, &at("repeat")).await;
    an_upload_whose_source_fails_leaves_nothing(store, &at("source")).await;
    a_listing_is_in_order_and_limited(store, &at("list")).await;
    what_is_deleted_is_absent_and_may_be_created_again(store, &at("delete")).await;
    what_names_no_object_is_refused(store, bucket).await;
}

const TEXT: &str = "text/plain";

async fn what_is_absent_is_none(store: &dyn ObjectStore, prefix: &S3Uri) {
    let uri = prefix.join("nothing");
    assert_eq!(store.head(&uri).await.unwrap(), None);
    assert_eq!(store.get(&uri, 10).await.unwrap(), None);
    assert!(store.download(&uri).await.unwrap().is_none());
    assert_eq!(store.list(prefix, 10).await.unwrap(), []);
}

async fn what_is_created_reads_back(store: &dyn ObjectStore, prefix: &S3Uri) {
    for (name, content) in [("some", "content"), ("empty", "")] {
        let uri = prefix.join(name);
        let bytes = Bytes::from(content);
        assert_eq!(store.create(&uri, bytes.clone(), TEXT).await.unwrap(), Created::New);

        let facts = store.head(&uri).await.unwrap().expect("was created");
        assert_eq!(facts.bytes, bytes.len() as u64);
        assert_eq!(facts.sha256(), Some(sha256_hex(&bytes).as_str()), "{name}");
        assert_eq!(store.get(&uri, 7).await.unwrap(), Some(bytes));
        let Download { facts: opened, stream } = store.download(&uri).await.unwrap().unwrap();
        assert_eq!(opened, facts);
        let pieces: Vec<Bytes> = stream.try_collect().await.unwrap();
        assert_eq!(pieces.concat(), content.as_bytes());
    }
}

async fn an_odd_key_is_just_a_key(store: &dyn ObjectStore, prefix: &S3Uri) {
    let names = ["a b+c", "a%20b", "../up", "ü/ñ.csv", "x//y", "q?r=1&s#t", "it's"];
    for name in names {
        let created = store.create(&prefix.join(name), Bytes::from(name), TEXT).await;
        assert_eq!(created.unwrap(), Created::New, "{name}");
    }
    for name in names {
        assert_eq!(store.get(&prefix.join(name), 100).await.unwrap(), Some(name.into()), "{name}");
    }
    assert_eq!(store.list(prefix, names.len()).await.unwrap().len(), names.len());
}

async fn an_existing_object_stays_as_it_was(store: &dyn ObjectStore, prefix: &S3Uri) {
    let uri = prefix.join("object");
    assert_eq!(store.create(&uri, "first".into(), TEXT).await.unwrap(), Created::New);
    for content in ["second", "first"] {
        assert_eq!(store.create(&uri, content.into(), TEXT).await.unwrap(), Created::Exists);
    }
    assert_eq!(store.get(&uri, 100).await.unwrap(), Some("first".into()));
}

async fn of_many_creators_one_wins(store: &dyn ObjectStore, prefix: &S3Uri) {
    let uri = &prefix.join("object");
    let creators = (0..16).map(|number| async move {
        let content = format!("from {number}");
        (store.create(uri, content.clone().into(), TEXT).await.unwrap(), content)
    });
    let outcomes = future::join_all(creators).await;
    let winners: Vec<_> = outcomes.iter().filter(|(created, _)| *created == Created::New).collect();
    assert_eq!(winners.len(), 1, "{outcomes:?}");
    assert_eq!(store.get(uri, 100).await.unwrap(), Some(winners[0].1.clone().into()));
}

async fn get_refuses_what_is_too_large(store: &dyn ObjectStore, prefix: &S3Uri) {
    let uri = prefix.join("object");
    store.create(&uri, "12345".into(), TEXT).await.unwrap();
    assert!(store.get(&uri, 5).await.unwrap().is_some());
    let refused = store.get(&uri, 4).await.unwrap_err();
    assert!(matches!(refused, StoreError::TooLarge { bytes: 5, limit: 4, .. }), "{refused:?}");
    assert!(!refused.retryable());
}

/// Checks uploads that need several parts on S3, in pieces that fit none of them.
async fn an_upload_has_the_digest_of_its_content(store: &dyn ObjectStore, prefix: &S3Uri) {
    for length in [0, 1, 8 << 20, (8 << 20) + 1, (24 << 20) + 7] {
        let content = Bytes::from(b"0123456789".repeat(length / 10 + 1)).slice(..length);
        let pieces: Vec<_> =
            content.chunks(777_777).map(|piece| Ok(content.slice_ref(piece))).collect();
        let uri = prefix.join(&length.to_string());
        let artifact = store.upload(&uri, stream::iter(pieces).boxed()).await.unwrap();

        assert_eq!((&artifact.uri, artifact.bytes), (&uri, length as u64));
        assert_eq!(artifact.sha256, sha256_hex(&content), "{length} bytes");
        let found = store.head(&uri).await.unwrap().expect("was uploaded");
        assert_eq!(found.bytes, artifact.bytes);
        assert!(found.sha256().is_none_or(|sha256| sha256 == artifact.sha256));
        assert!(length > 8 << 20 || found.sha256().is_some(), "{length} bytes have no digest");
        assert_eq!(store.get(&uri, artifact.bytes).await.unwrap(), Some(content));
    }
}

async fn an_upload_may_be_repeated_but_not_changed(store: &dyn ObjectStore, prefix: &S3Uri) {
    for (name, length) in [("one", 100), ("parts", (8 << 20) + 5)] {
        let uri = prefix.join(name);
        let content = Bytes::from(vec![1; length]);
        let first = store.upload(&uri, stream_of(content.clone())).await.unwrap();
        assert_eq!(store.upload(&uri, stream_of(content.clone())).await.unwrap(), first);

        let refused = store.upload(&uri, stream_of(vec![2; length])).await.unwrap_err();
        assert!(matches!(refused, StoreError::Conflict { .. }), "{name}: {refused:?}");
        assert_eq!(store.get(&uri, length as u64).await.unwrap(), Some(content));
    }
}

async fn an_upload_whose_source_fails_leaves_nothing(store: &dyn ObjectStore, prefix: &S3Uri) {
    for (name, length) in [("early", 3), ("late", 9 << 20)] {
        let uri = prefix.join(name);
        let pieces = [Ok(Bytes::from(vec![0; length])), Err(std::io::Error::other("torn"))];
        let refused = store.upload(&uri, stream::iter(pieces).boxed()).await.unwrap_err();
        assert!(matches!(refused, StoreError::Source { .. }), "{name}: {refused:?}");
        assert_eq!(store.head(&uri).await.unwrap(), None);
    }
}

async fn a_listing_is_in_order_and_limited(store: &dyn ObjectStore, prefix: &S3Uri) {
    // More than the thousand that S3 gives at once.
    let names: Vec<String> = (0..1003).map(|number| format!("{number:04}")).collect();
    stream::iter(&names)
        .for_each_concurrent(8, |name| async move {
            store.create(&prefix.join(name), name.clone().into(), TEXT).await.unwrap();
        })
        .await;
    store.create(&S3Uri::new(prefix.bucket(), "suite/lisu"), "".into(), TEXT).await.unwrap();

    let found = store.list(prefix, 1003).await.unwrap();
    let expected: Vec<_> = names.iter().map(|name| prefix.join(name).key().to_owned()).collect();
    assert_eq!(found.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>(), expected);
    assert!(found.iter().all(|(_, facts)| facts.bytes == 4));
    assert!(found.iter().all(|(_, facts)| facts.digest.starts_with("etag:")));
    let unequal = found.windows(2).all(|pair| pair[0].1.digest != pair[1].1.digest);
    assert!(unequal, "different content has the same digest");

    for limit in [0, 2, 1002] {
        let refused = store.list(prefix, limit).await.unwrap_err();
        let expected =
            matches!(refused, StoreError::TooManyObjects { limit: said, .. } if said == limit);
        assert!(expected, "{refused:?}");
    }
}

async fn what_is_deleted_is_absent_and_may_be_created_again(
    store: &dyn ObjectStore,
    prefix: &S3Uri,
) {
    let (uri, other) = (prefix.join("a b+c"), prefix.join("other"));
    for uri in [&uri, &other] {
        assert_eq!(store.create(uri, "first".into(), TEXT).await.unwrap(), Created::New);
    }
    for _ in 0..2 {
        store.delete(&uri).await.unwrap();
        assert_eq!(store.head(&uri).await.unwrap(), None);
    }
    let listed = store.list(prefix, 10).await.unwrap();
    assert_eq!(listed.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), [other.key()]);
    assert_eq!(store.create(&uri, "second".into(), TEXT).await.unwrap(), Created::New);
    assert_eq!(store.get(&uri, 10).await.unwrap(), Some("second".into()));
}

async fn what_names_no_object_is_refused(store: &dyn ObjectStore, bucket: &str) {
    for key in [String::new(), "prefix/".to_owned(), "k".repeat(1025)] {
        let uri = S3Uri::new(bucket, key);
        let errors = [
            store.head(&uri).await.unwrap_err(),
            store.get(&uri, 1).await.unwrap_err(),
            store.download(&uri).await.unwrap_err(),
            store.create(&uri, "x".into(), TEXT).await.unwrap_err(),
            store.upload(&uri, stream_of("x")).await.unwrap_err(),
            store.delete(&uri).await.unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, StoreError::IllegalKey { .. }), "{error:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_in_memory_store_passes_the_suite() {
        suite(&MemoryObjectStore::default(), "bucket").await;
    }

    #[tokio::test]
    async fn the_in_memory_store_counts_its_operations() {
        let store = MemoryObjectStore::default();
        let uri = S3Uri::parse("s3://bucket/key").unwrap();
        store.head(&uri).await.unwrap();
        store.head(&uri).await.unwrap();
        store.create(&uri, "x".into(), TEXT).await.unwrap();
        assert_eq!(store.counts().into_iter().collect::<Vec<_>>(), [("create", 1), ("head", 2)]);
    }
}
