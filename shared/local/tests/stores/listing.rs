//! Listing: every combination against a model that does it the slow way.

use std::collections::BTreeSet;

use crate::cloud::{BUCKET, Cloud, code};

const KEYS: [&str; 16] = [
    "a",
    "a/1",
    "a/2",
    "a/b/1",
    "a/b/2",
    "a0",
    "b",
    "b/1",
    "b/c/d/e",
    "c--d",
    "c-d",
    "z/",
    "z/z",
    "é/1",
    "é/2",
    "\u{10ffff}/x",
];

/// Lists keys and common prefixes the slow way, in the order of S3.
fn model(prefix: &str, delimiter: &str, after: &str) -> Vec<String> {
    let mut entries = BTreeSet::new();
    for key in KEYS.iter().filter(|key| key.starts_with(prefix) && **key > after) {
        let rest = &key[prefix.len()..];
        match rest.find(delimiter).filter(|_| !delimiter.is_empty()) {
            Some(at) => entries.insert(key[..prefix.len() + at + delimiter.len()].to_owned()),
            None => entries.insert((*key).to_owned()),
        };
    }
    entries.into_iter().collect()
}

async fn cloud() -> Cloud {
    let cloud = Cloud::start().await;
    for key in KEYS {
        cloud.put(key, key).send().await.unwrap();
    }
    cloud
}

#[tokio::test]
async fn pages_of_any_size_add_up_to_the_whole_listing() {
    let cloud = cloud().await;
    for prefix in ["", "a", "a/", "b/c", "é", "none"] {
        for delimiter in ["", "/", "-", "--"] {
            for after in ["", "a/", "a/1", "b", "zz"] {
                for limit in [1, 2, 3, 1000] {
                    let mut entries = Vec::new();
                    let mut token = None;
                    loop {
                        let list = cloud
                            .client
                            .list_objects_v2()
                            .bucket(BUCKET)
                            .max_keys(limit)
                            .prefix(prefix)
                            .set_continuation_token(token)
                            .set_delimiter(
                                Some(delimiter.into()).filter(|d: &String| !d.is_empty()),
                            );
                        let page = list.start_after(after).send().await.unwrap();
                        let keys = page.contents().iter().filter_map(|object| object.key());
                        let rolled =
                            page.common_prefixes().iter().filter_map(|rolled| rolled.prefix());
                        let mut found: Vec<String> =
                            keys.chain(rolled).map(str::to_owned).collect();
                        assert_eq!(page.key_count(), i32::try_from(found.len()).ok());
                        assert!(found.len() <= usize::try_from(limit).unwrap());
                        found.sort();
                        entries.extend(found);
                        token = page.next_continuation_token().map(str::to_owned);
                        assert_eq!(page.is_truncated(), Some(token.is_some()));
                        if token.is_none() {
                            break;
                        }
                    }
                    // A marker that is itself a common prefix hides all below it.
                    let mut expected = model(prefix, delimiter, after);
                    expected.retain(|entry| entry != after);
                    assert_eq!(entries, expected, "{prefix:?} {delimiter:?} {after:?} {limit}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_first_version_of_listing_goes_on_from_its_marker() {
    let cloud = cloud().await;
    let (mut entries, mut marker) = (Vec::new(), None);
    loop {
        let list = cloud.client.list_objects().bucket(BUCKET).delimiter("/").max_keys(2);
        let page = list.set_marker(marker).send().await.unwrap();
        let keys = page.contents().iter().filter_map(|object| object.key());
        let rolled = page.common_prefixes().iter().filter_map(|rolled| rolled.prefix());
        let mut found: Vec<String> = keys.chain(rolled).map(str::to_owned).collect();
        found.sort();
        assert_eq!(
            page.next_marker(),
            found.last().map(String::as_str).filter(|_| page.is_truncated().unwrap())
        );
        entries.extend(found);
        marker = page.next_marker().map(str::to_owned);
        if marker.is_none() {
            break;
        }
    }
    assert_eq!(entries, model("", "/", ""));
}

#[tokio::test]
async fn a_listing_says_what_each_object_is() {
    let cloud = Cloud::start().await;
    let put = cloud.put("k", "hello").send().await.unwrap();
    let page = cloud.client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    let [object] = page.contents() else { panic!("{page:?}") };
    assert_eq!(object.e_tag(), put.e_tag());
    assert_eq!(object.size(), Some(5));
    let head = cloud.client.head_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!(object.last_modified().unwrap().secs(), head.last_modified().unwrap().secs());

    let none = cloud.client.list_objects_v2().bucket(BUCKET).max_keys(0).send().await.unwrap();
    assert_eq!((none.key_count(), none.is_truncated()), (Some(0), Some(false)));
    let list = cloud.client.list_objects_v2().bucket(BUCKET).continuation_token("*");
    assert_eq!(code(&list.send().await.unwrap_err()), "InvalidArgument");
}
